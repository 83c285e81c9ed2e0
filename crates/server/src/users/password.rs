//! Passwords, of which only a hash is kept: Argon2id with a salt of its own, as
//! text that says how it was made.

use std::sync::{Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{self, PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params};
use factum_wire::Failure;

/// Each hash takes 19 MiB while it is made, so that only one is at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What is kept of a password. Takes its time, on purpose.
pub fn hash(password: &str) -> Result<String, Failure> {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    match Argon2::default().hash_password(password.as_bytes()) {
        Ok(hash) => Ok(hash.to_string()),
        Err(error) => Err(Failure::Storage(format!("the password cannot be hashed: {error}"))),
    }
}

/// Whether it is the password of which this was kept.
pub fn is_it(password: &str, kept: &str) -> Result<bool, Failure> {
    let damaged = |error: password_hash::Error| {
        Failure::Damaged(format!("the hash of the password cannot be used ({error}): reset the password"))
    };
    let hash = PasswordHash::new(kept).map_err(|error| damaged(error.into()))?;
    // Everybody on this machine may write to the stream that it is read from.
    let costs = Params::try_from(&hash).map_err(damaged)?;
    if costs.m_cost() > Params::DEFAULT_M_COST || costs.t_cost() > Params::DEFAULT_T_COST {
        return Err(Failure::Damaged(
            "the hash of the password takes more memory or time than allowed: reset the password".to_owned(),
        ));
    }
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    match Argon2::default().verify_password(password.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(damaged(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash_and_by_nothing_else() {
        let kept = hash("secret").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && !kept.contains("secret"), "{kept}");
        assert_ne!(kept, hash("secret").unwrap(), "each has its salt");
        assert!(is_it("secret", &kept).unwrap());
        assert!(!is_it("Secret", &kept).unwrap());
        for odd in ["", "secret", &kept.replace("m=19456", "m=4194304"), &kept.replace("t=2", "t=9")] {
            assert!(matches!(is_it("secret", odd), Err(Failure::Damaged(_))), "{odd}");
        }
    }
}
