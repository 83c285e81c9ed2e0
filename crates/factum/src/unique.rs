//! Uniqueness over all subjects: a value that belongs to one owner at a time,
//! such as an account number or an email address.
//!
//! ```text
//!   one append   $claim-iban:DE89...  $ClaimTaken by account ada expects no such stream
//!                account-ada          NumberAssigned             at the revision decided on
//! ```
//!
//! [`Claim`] is an aggregate with one stream for each value, under names that begin
//! with `$` and so are nobody's own. Claiming is a
//! decision like any other, so it goes together with the user's own events in
//! one atomic append: decide on a tuple of the claim and the user's model. Who
//! comes second is rejected with the owner's name, also when both came at once.
//! A released value can be claimed again.
//!
//! ```
//! use factum::prelude::*;
//! use factum::unique::{Claim, NotClaimed};
//! # #[derive(Id, Clone, Debug, PartialEq)] struct AccountId(String);
//! # #[derive(Event, Clone, Debug, PartialEq)]
//! # enum Account { NumberAssigned { #[id] id: AccountId, number: String } }
//! # #[derive(Aggregate, Clone, Debug)] #[folds(Account)]
//! # struct Number { #[key] id: AccountId, number: String }
//! # impl Evolve<Account> for Number {
//! #     fn evolve(&mut self, event: &Account) {
//! #         let Account::NumberAssigned { number, .. } = event;
//! #         self.number.clone_from(number);
//! #     }
//! # }
//! let store = Store::memory();
//! let assign = |id: &str, number: &str| {
//!     let models = (Claim::to("iban", number), Number::of(id));
//!     let decide = |(claim, account): &(Claim, Number)| {
//!         let claimed = claim.take(&account.id)?;
//!         Ok((claimed, Account::NumberAssigned { id: account.id.clone(), number: number.into() }))
//!     };
//!     store.decide(models, decide).run()
//! };
//! assert_eq!(assign("ada", "DE89")?.events(), 2);
//! let Err(DecideError::Rejected(taken)) = assign("bob", "DE89") else { panic!() };
//! assert_eq!(taken, NotClaimed::Taken { owner: "ada".into() });
//! assert_eq!(store.load(Number::of("bob")).run()?.events, 0);
//! # Ok::<(), DecideError<NotClaimed>>(())
//! ```
//!
//! The other way needs no registry: let the events that carry the value tag it,
//! and decide on a model of that tag beside the own one; its append is refused
//! if an event with that tag came meanwhile. That reads by tag, which today is a
//! pass over the whole log for every value that is asked for the first time, as
//! is a bare append condition that looks after no position. A claim reads the
//! few events of one stream. Prefer claims, unless the tagged events are there
//! already and the log is small.

use std::fmt::Display;

use crate::{Aggregate, Event, Evolve, Id};

/// A value within its space, e.g. `iban:DE89...`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
#[id(key = "$claim")]
pub struct ClaimId(String);

/// What happens to a value.
#[derive(Debug, Clone, PartialEq, Eq, Event)]
#[event(prefix = "$Claim", category = "$claim")]
pub enum Claimed {
    /// It has an owner now.
    Taken {
        /// Which value.
        #[id]
        id: ClaimId,
        /// Whose it is.
        owner: String,
    },
    /// It is free again.
    Released {
        /// Which value.
        #[id]
        id: ClaimId,
        /// Whose it was.
        owner: String,
    },
}

/// Who owns a value.
#[derive(Debug, Clone, PartialEq, Eq, Aggregate)]
#[folds(Claimed)]
pub struct Claim {
    #[key]
    id: ClaimId,
    owner: Option<String>,
}

impl Evolve<Claimed> for Claim {
    fn evolve(&mut self, event: &Claimed) {
        self.owner = match event {
            Claimed::Taken { owner, .. } => Some(owner.clone()),
            Claimed::Released { .. } => None,
        };
    }
}

/// Why a claim was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotClaimed {
    /// It belongs to another.
    #[error("it belongs to {owner}")]
    Taken {
        /// Whose it is.
        owner: String,
    },
    /// It belongs to nobody.
    #[error("it belongs to nobody")]
    Free,
}

impl Claim {
    /// The claim to a value. Values are compared byte for byte within their
    /// space: bring them to one form first (case, spaces), and keep names of
    /// spaces free of colons. The value becomes part of a stream's name and of a
    /// tag, and stays there.
    pub fn to(space: &'static str, value: impl Display) -> Self {
        assert!(!space.contains(':'), "a colon in the name of a space would mix it up with others");
        Self::of(ClaimId(format!("{space}:{value}")))
    }

    /// Whose it is.
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// For somebody, if it is free. Nothing happens if it is theirs already.
    pub fn take(&self, owner: impl Display) -> Result<Option<Claimed>, NotClaimed> {
        let owner = owner.to_string();
        match &self.owner {
            None => Ok(Some(Claimed::Taken { id: self.id.clone(), owner })),
            Some(present) if *present == owner => Ok(None),
            Some(present) => Err(NotClaimed::Taken { owner: present.clone() }),
        }
    }

    /// Gives it up, if it is theirs.
    pub fn release(&self, owner: impl Display) -> Result<Claimed, NotClaimed> {
        let owner = owner.to_string();
        match &self.owner {
            Some(present) if *present == owner => Ok(Claimed::Released { id: self.id.clone(), owner }),
            Some(present) => Err(NotClaimed::Taken { owner: present.clone() }),
            None => Err(NotClaimed::Free),
        }
    }

    /// From one owner to another in one decision: nobody can come in between.
    pub fn pass(&self, from: impl Display, to: impl Display) -> Result<[Claimed; 2], NotClaimed> {
        let released = self.release(from)?;
        Ok([released, Claimed::Taken { id: self.id.clone(), owner: to.to_string() }])
    }
}
