//! Users as they travel: who is to be made or changed, and who is told of.

use factum_core::Timestamp;

use crate::failure::Failure;
use crate::proto::users::details_resp::{UserDetails, user_details::DateTime};
use crate::proto::users::{
    ChangePasswordReq, CreateReq, DeleteReq, DetailsReq, DetailsResp, DisableReq, EnableReq,
    ResetPasswordReq, UpdateReq,
};

/// Who is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Making {
    #[allow(missing_docs)]
    pub login: String,
    #[allow(missing_docs)]
    pub password: String,
    #[allow(missing_docs)]
    pub full_name: String,
    #[allow(missing_docs)]
    pub groups: Vec<String>,
}

/// Understands who is to be made.
pub fn create(request: CreateReq) -> Result<Making, Failure> {
    let options = request.options.ok_or_else(no_options)?;
    Ok(Making {
        login: login(options.login_name)?,
        password: password(options.password)?,
        full_name: options.full_name,
        groups: options.groups,
    })
}

/// Whose name and groups become which. Of the password nothing is said here,
/// though there is a field for it: it has calls of its own.
pub fn update(request: UpdateReq) -> Result<(String, String, Vec<String>), Failure> {
    let options = request.options.ok_or_else(no_options)?;
    Ok((login(options.login_name)?, options.full_name, options.groups))
}

/// Who is to go.
pub fn delete(request: DeleteReq) -> Result<String, Failure> {
    login(request.options.ok_or_else(no_options)?.login_name)
}

/// Who may log in again.
pub fn enable(request: EnableReq) -> Result<String, Failure> {
    login(request.options.ok_or_else(no_options)?.login_name)
}

/// Who may no longer log in.
pub fn disable(request: DisableReq) -> Result<String, Failure> {
    login(request.options.ok_or_else(no_options)?.login_name)
}

/// Who is asked about; `None`: all of them.
pub fn asked_for(request: DetailsReq) -> Option<String> {
    request.options.map(|options| options.login_name).filter(|login| !login.is_empty())
}

/// Whose password becomes another, the one they have, and the new one.
pub fn change_password(request: ChangePasswordReq) -> Result<(String, String, String), Failure> {
    let options = request.options.ok_or_else(no_options)?;
    Ok((login(options.login_name)?, options.current_password, password(options.new_password)?))
}

/// Whose password becomes another, and which.
pub fn reset_password(request: ResetPasswordReq) -> Result<(String, String), Failure> {
    let options = request.options.ok_or_else(no_options)?;
    Ok((login(options.login_name)?, password(options.new_password)?))
}

/// One user, to whoever asked.
pub fn details(
    login: String,
    full_name: String,
    groups: Vec<String>,
    disabled: bool,
    updated: Timestamp,
) -> DetailsResp {
    let last_updated = Some(DateTime { ticks_since_epoch: updated.as_micros().saturating_mul(10) });
    let details = UserDetails { login_name: login, full_name, groups, last_updated, disabled };
    DetailsResp { user_details: Some(details) }
}

fn login(name: String) -> Result<String, Failure> {
    match name.is_empty() {
        true => Err(Failure::Invalid("the login name is empty: name the user".to_owned())),
        false => Ok(name),
    }
}

fn password(password: String) -> Result<String, Failure> {
    match password.is_empty() {
        true => Err(Failure::Invalid("the password is empty: give the user one".to_owned())),
        false => Ok(password),
    }
}

fn no_options() -> Failure {
    Failure::Invalid("the request has no options".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::users::{change_password_req, create_req, details_req};

    #[test]
    fn users_have_a_name_and_a_password() {
        let asked = |login: &str, password: &str| {
            let options = create_req::Options {
                login_name: login.to_owned(),
                password: password.to_owned(),
                full_name: "Ann".to_owned(),
                groups: vec!["sales".to_owned()],
            };
            create(CreateReq { options: Some(options) })
        };
        let made = asked("ann", "secret").unwrap();
        assert_eq!((made.login.as_str(), made.password.as_str()), ("ann", "secret"));
        assert_eq!((made.full_name.as_str(), &made.groups[..]), ("Ann", &["sales".to_owned()][..]));
        for (refused, says) in [
            (asked("", "secret"), "login name is empty"),
            (asked("ann", ""), "password is empty"),
            (create(CreateReq::default()), "no options"),
        ] {
            assert!(matches!(&refused, Err(Failure::Invalid(text)) if text.contains(says)), "{refused:?}");
        }
        let options = change_password_req::Options { login_name: "ann".to_owned(), ..Default::default() };
        assert!(change_password(ChangePasswordReq { options: Some(options) }).is_err());
    }

    #[test]
    fn nobody_in_particular_is_everybody() {
        let asked = |name: Option<&str>| {
            let options = name.map(|name| details_req::Options { login_name: name.to_owned() });
            asked_for(DetailsReq { options })
        };
        assert_eq!((asked(None), asked(Some("")), asked(Some("ann"))), (None, None, Some("ann".to_owned())));
        let at = Timestamp::from_micros(1_700_000_000_000_001);
        let told = details("ann".to_owned(), "Ann".to_owned(), Vec::new(), true, at).user_details.unwrap();
        assert_eq!(told.last_updated.unwrap().ticks_since_epoch, 17_000_000_000_000_010);
        assert!(told.disabled);
    }
}
