//! Who there is, as streams like any others.
//!
//! ```text
//!   stream   $user-ann          the last event counts; deleted, she is gone
//!   type     $UserCreated, $UserUpdated
//!   data     {"loginName": "ann", "fullName": "Ann", "groups": [],
//!             "disabled": false, "hash": "$argon2id$..."}
//!
//!   stream   $users             every name there ever was
//!   type     $User
//!   data     "ann"
//! ```
//!
//! A name is written to `$users` before its own stream begins, so that nobody is
//! ever missing there. A change names the revisions it was made from, and is made
//! again if somebody was faster.

use std::collections::BTreeSet;
use std::sync::Arc;

use factum_core::{
    Append, AppendError, EventStore, EventStoreExt, ExpectedRevision, NewEvent, Read, ReadError, Revision,
    StreamName, Timestamp, Uuid,
};
use factum_wire::Failure;
use serde::{Deserialize, Serialize};

use crate::blocking::blocking;
use crate::failure;
use crate::rules::named::Named;
use crate::rules::remove::{Removal, remove};
use crate::rules::standing::{Standing, State};
use crate::rules::write::{Refusal, Write, write};

const OF_ONE: &str = "$user-";
const OF_ALL: &str = "$users";
const NAME: &str = "$User";
const CREATED: &str = "$UserCreated";
const UPDATED: &str = "$UserUpdated";

/// A user as written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub login_name: String,
    pub full_name: String,
    pub groups: Vec<String>,
    pub disabled: bool,
    /// Of the password.
    pub hash: String,
}

/// A user, and where that was found.
#[derive(Debug, Clone)]
pub struct Found {
    pub user: User,
    pub updated: Timestamp,
    named: Named,
    at: Revision,
    metadata: ExpectedRevision,
}

/// Who there is. Clones share it.
#[derive(Clone)]
pub struct Directory(pub Arc<dyn EventStore>);

impl Directory {
    /// Who has this name.
    pub async fn find(&self, login: String) -> Result<Found, Failure> {
        let store = Arc::clone(&self.0);
        blocking(move || look_up(&*store, login)).await
    }

    /// All there are, by name.
    pub async fn all(&self) -> Result<Vec<Found>, Failure> {
        let store = Arc::clone(&self.0);
        blocking(move || {
            let found = logins(&*store)?.into_iter().map(|login| look_up(&*store, login));
            found.filter(|found| !matches!(found, Err(Failure::UserNotFound { .. }))).collect()
        })
        .await
    }

    /// Also this one.
    pub async fn create(&self, user: User) -> Result<(), Failure> {
        let login = user.login_name.clone();
        let named = of_one(&login)?;
        let name = event(NAME, &login)?.with_id(Uuid::new_v5(&Uuid::NAMESPACE_OID, login.as_bytes()));
        self.write(named_all()?, ExpectedRevision::Any, name).await.map_err(|refusal| of(refusal, &login))?;
        let created = event(CREATED, &user)?;
        self.write(named, ExpectedRevision::NoStream, created).await.map_err(|refusal| of(refusal, &login))
    }

    async fn write(&self, named: Named, expected: ExpectedRevision, event: NewEvent) -> Result<(), Refusal> {
        let wanted = Write { named, expected, events: vec![event] };
        write(Arc::clone(&self.0), wanted).await.map(|_| ())
    }

    /// Changes the one of this name; what the change refuses is refused.
    pub async fn change(
        &self,
        login: String,
        change: impl Fn(&mut User) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        loop {
            let Found { mut user, named, at, metadata, .. } = self.find(login.clone()).await?;
            change(&mut user)?;
            let append = Append::to(named.stream, ExpectedRevision::Exact(at), [event(UPDATED, &user)?]);
            match self.0.append_async(&append.expecting(named.metadata, metadata)).await {
                Ok(_) => return Ok(()),
                Err(AppendError::Conflict { .. }) => {}
                Err(error) => return Err(failure::of_append(error)),
            }
        }
    }

    /// Not this one any more. The name can be used again.
    pub async fn delete(&self, login: String) -> Result<(), Failure> {
        loop {
            let Found { named, at, .. } = self.find(login.clone()).await?;
            let at = ExpectedRevision::Exact(at);
            match remove(Arc::clone(&self.0), named, at, Removal::Delete).await {
                Ok(_) => return Ok(()),
                Err(Refusal::WrongExpected(_)) => {}
                Err(Refusal::Failed(failure)) => return Err(failure),
            }
        }
    }
}

fn look_up(store: &dyn EventStore, login: String) -> Result<Found, Failure> {
    let named = of_one(&login)?;
    let standing = Standing::look(store, &named)?;
    let (State::Live(_), Some(_)) = (&standing.state, standing.last) else {
        return Err(Failure::UserNotFound { login });
    };
    let Some(event) = store.last_event(&named.stream).map_err(failure::of_read)? else {
        return Err(Failure::UserNotFound { login });
    };
    match serde_json::from_slice(&event.data) {
        Ok(user) => Ok(Found {
            user,
            updated: event.recorded_at,
            named,
            at: event.revision,
            metadata: standing.metadata_expected(),
        }),
        Err(error) => Err(Failure::Damaged(format!(
            "revision {} of {} cannot be understood ({error}): append the one before it again",
            event.revision, event.stream
        ))),
    }
}

/// Every name there ever was.
fn logins(store: &dyn EventStore) -> Result<BTreeSet<String>, Failure> {
    let events = match store.read(Read::stream(named_all()?.stream)) {
        Ok(events) => events,
        Err(ReadError::StreamNotFound { .. }) => return Ok(BTreeSet::new()),
        Err(error) => return Err(failure::of_read(error)),
    };
    let mut logins = BTreeSet::new();
    for event in events {
        // What somebody else wrote there is nobody's name.
        logins.extend(serde_json::from_slice::<String>(&event.map_err(failure::of_read)?.data).ok());
    }
    logins.retain(|login| of_one(login).is_ok());
    Ok(logins)
}

fn of_one(login: &str) -> Result<Named, Failure> {
    named([OF_ONE, login].concat())
}

fn named_all() -> Result<Named, Failure> {
    named(OF_ALL.to_owned())
}

fn named(stream: String) -> Result<Named, Failure> {
    Named::new(StreamName::new(stream).map_err(|error| Failure::Invalid(error.to_string()))?)
}

fn event(kind: &str, data: &impl Serialize) -> Result<NewEvent, Failure> {
    let made = || -> Result<NewEvent, Box<dyn std::error::Error>> {
        Ok(NewEvent::json(kind, &serde_json::to_value(data)?)?)
    };
    made().map_err(|error| Failure::Storage(format!("the user cannot be written down: {error}")))
}

fn of(refusal: Refusal, login: &str) -> Failure {
    match refusal {
        Refusal::WrongExpected(_) => Failure::UserExists { login: login.to_owned() },
        Refusal::Failed(failure) => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use factum_core::{EventType, MemoryStore};

    fn user(login: &str) -> User {
        User {
            login_name: login.to_owned(),
            full_name: login.to_uppercase(),
            groups: vec!["sales".to_owned()],
            disabled: false,
            hash: "h".to_owned(),
        }
    }

    async fn names(directory: &Directory) -> Vec<String> {
        directory.all().await.unwrap().into_iter().map(|found| found.user.login_name).collect()
    }

    #[tokio::test]
    async fn users_come_change_go_and_come_again() {
        let directory = Directory(Arc::new(MemoryStore::new()));
        for login in ["bob", "ann"] {
            directory.create(user(login)).await.unwrap();
        }
        assert_eq!(names(&directory).await, ["ann", "bob"]);
        let again = directory.create(user("ann")).await.unwrap_err();
        assert_eq!(again, Failure::UserExists { login: "ann".to_owned() });
        let renamed = directory.change("ann".to_owned(), |ann| {
            ann.full_name = "Ann B".to_owned();
            Ok(())
        });
        renamed.await.unwrap();
        let found = directory.find("ann".to_owned()).await.unwrap();
        assert_eq!(found.user, User { full_name: "Ann B".to_owned(), ..user("ann") });
        let refused = directory.change("ann".to_owned(), |_| Err(Failure::Busy));
        assert_eq!(refused.await.unwrap_err(), Failure::Busy);
        directory.delete("ann".to_owned()).await.unwrap();
        let gone = |failure| assert_eq!(failure, Failure::UserNotFound { login: "ann".to_owned() });
        gone(directory.find("ann".to_owned()).await.unwrap_err());
        gone(directory.delete("ann".to_owned()).await.unwrap_err());
        gone(directory.change("ann".to_owned(), |_| Ok(())).await.unwrap_err());
        assert_eq!(names(&directory).await, ["bob"]);
        directory.create(user("ann")).await.unwrap();
        assert_eq!(names(&directory).await, ["ann", "bob"]);
    }

    #[tokio::test]
    async fn of_many_at_a_time_one_makes_a_user_and_no_change_is_lost() {
        let directory = Directory(Arc::new(MemoryStore::new()));
        let making = (0..8).map(|_| directory.create(user("ann")));
        let made = futures_util::future::join_all(making).await;
        assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
        let joining = (0..8).map(|n| {
            let group = format!("g{n}");
            directory.change("ann".to_owned(), move |ann| {
                ann.groups.push(group.clone());
                Ok(())
            })
        });
        assert!(futures_util::future::join_all(joining).await.iter().all(Result::is_ok));
        assert_eq!(directory.find("ann".to_owned()).await.unwrap().user.groups.len(), 9);
    }

    #[tokio::test]
    async fn what_others_wrote_there_is_nobody() {
        let store = Arc::new(MemoryStore::new());
        let directory = Directory(store.clone());
        let append = |stream: &str, data: &'static str| {
            let event = NewEvent::new(EventType::new("A").unwrap(), data);
            let stream = StreamName::new(stream.to_owned()).unwrap();
            store.append(Append::to(stream, ExpectedRevision::Any, [event])).unwrap();
        };
        append("$users", "nonsense");
        append("$users", r#""line\nbreak""#);
        append("$users", r#""never-made""#);
        assert!(names(&directory).await.is_empty());
        append("$user-odd", "nonsense");
        let odd = directory.find("odd".to_owned()).await.unwrap_err();
        assert!(matches!(odd, Failure::Damaged(_)), "{odd}");
        for login in ["a\nb", &"x".repeat(2_000)] {
            let refused = directory.create(user(login)).await.unwrap_err();
            assert!(matches!(refused, Failure::Invalid(_)), "{refused}");
        }
    }
}
