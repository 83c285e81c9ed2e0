//! Two small domains: accounts, which are streams, and courses, whose rules
//! cross subjects.

use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
pub struct AccountId(pub String);

#[derive(Event, Clone, Debug, PartialEq)]
pub enum Account {
    Opened {
        #[id]
        id: AccountId,
    },
    Deposited {
        #[id]
        id: AccountId,
        cents: u64,
    },
    Withdrawn {
        #[id]
        id: AccountId,
        cents: u64,
    },
    Refused {
        #[id]
        id: AccountId,
        cents: u64,
        reason: String,
    },
}

pub fn opened(id: &str) -> Account {
    Account::Opened { id: id.into() }
}

pub fn deposited(id: &str, cents: u64) -> Account {
    Account::Deposited { id: id.into(), cents }
}

#[derive(Aggregate, Clone, Debug, PartialEq)]
#[folds(Account)]
pub struct Balance {
    #[key]
    pub id: AccountId,
    pub cents: u64,
    pub events: u64,
}

impl Evolve<Account> for Balance {
    fn evolve(&mut self, event: &Account) {
        self.events += 1;
        match event {
            Account::Deposited { cents, .. } => self.cents += cents,
            Account::Withdrawn { cents, .. } => self.cents -= cents,
            Account::Opened { .. } | Account::Refused { .. } => {}
        }
    }
}

pub struct Withdraw {
    pub cents: u64,
}

impl Clone for Withdraw {
    fn clone(&self) -> Self {
        Self { cents: self.cents }
    }
}

impl Decide<Withdraw> for Balance {
    type Rejection = &'static str;

    fn decide(&self, command: Withdraw) -> Result<impl factum::IntoEvents, Self::Rejection> {
        withdraw(self, command.cents)
    }
}

pub fn withdraw(balance: &Balance, cents: u64) -> Result<Account, &'static str> {
    match cents <= balance.cents {
        true => Ok(Account::Withdrawn { id: balance.id.clone(), cents }),
        false => Err("too little money"),
    }
}

#[derive(Id, Clone, Debug, PartialEq)]
pub struct CourseId(pub String);

#[derive(Id, Clone, Debug, PartialEq)]
pub struct StudentId(pub String);

#[derive(Event, Clone, Debug, PartialEq)]
#[event(prefix = "")]
pub enum School {
    CourseOffered {
        #[id]
        course: CourseId,
        seats: u32,
    },
    Enrolled {
        #[id]
        course: CourseId,
        #[tag]
        student: StudentId,
    },
    CourseRated {
        #[id]
        course: CourseId,
        stars: u8,
    },
}

/// How full a course is. Ratings change its score, and never who may enrol.
#[derive(Model, Clone, Debug, PartialEq)]
#[folds(School, commutes(School::CourseRated))]
pub struct Seats {
    #[key]
    pub course: CourseId,
    pub seats: u32,
    pub taken: u32,
    pub stars: u32,
}

impl Evolve<School> for Seats {
    fn evolve(&mut self, event: &School) {
        match event {
            School::CourseOffered { seats, .. } => self.seats = *seats,
            School::Enrolled { .. } => self.taken += 1,
            School::CourseRated { stars, .. } => self.stars += u32::from(*stars),
        }
    }
}

/// How busy a student is.
#[derive(Model, Clone, Debug, PartialEq)]
#[folds(School)]
pub struct Load {
    #[key]
    pub student: StudentId,
    pub courses: Vec<String>,
}

impl Evolve<School> for Load {
    fn evolve(&mut self, event: &School) {
        if let School::Enrolled { course, .. } = event {
            self.courses.push(course.to_string());
        }
    }
}

/// The rule over both: seats are left, two courses a student, none twice.
pub fn enrol((seats, load): &(Seats, Load)) -> Result<School, &'static str> {
    if seats.taken >= seats.seats {
        return Err("the course is full");
    }
    if load.courses.len() >= 2 {
        return Err("two courses are enough");
    }
    if load.courses.contains(&seats.course.to_string()) {
        return Err("enrolled already");
    }
    Ok(School::Enrolled { course: seats.course.clone(), student: load.student.clone() })
}

pub fn offered(course: &str, seats: u32) -> School {
    School::CourseOffered { course: course.into(), seats }
}

pub fn enrolment(course: &str, student: &str) -> (Seats, Load) {
    (Seats::of(course), Load::of(student))
}
