//! The service `Users`: who there is. Users are made, changed and told of as in
//! KurrentDB, and their passwords are kept as hashes; but nobody is asked for one
//! yet. As in a KurrentDB without security, whoever is on this machine may do
//! everything, under any name.

mod directory;
mod password;

use std::sync::Arc;

use factum_core::EventStore;
use factum_wire::proto::users::users_server::Users;
use factum_wire::proto::users::{
    ChangePasswordReq, ChangePasswordResp, CreateReq, CreateResp, DeleteReq, DeleteResp, DetailsReq,
    DetailsResp, DisableReq, DisableResp, EnableReq, EnableResp, ResetPasswordReq, ResetPasswordResp,
    UpdateReq, UpdateResp,
};
use factum_wire::{Failure, users};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tonic::{Request, Response, Status};

use crate::blocking::blocking;

use directory::{Directory, Found, User};

/// The service.
pub struct UsersService(Directory);

impl UsersService {
    /// Of the users in this store.
    pub fn new(store: Arc<dyn EventStore>) -> Self {
        Self(Directory(store))
    }

    async fn set_disabled(&self, login: String, disabled: bool) -> Result<(), Failure> {
        let change = |user: &mut User| {
            user.disabled = disabled;
            Ok(())
        };
        self.0.change(login, change).await
    }

    async fn set_password(
        &self,
        login: String,
        new: String,
        may: impl Fn(&User) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let hash = blocking(move || password::hash(&new)).await?;
        let change = |user: &mut User| {
            may(user)?;
            user.hash.clone_from(&hash);
            Ok(())
        };
        self.0.change(login, change).await
    }
}

fn wrong_password() -> Failure {
    Failure::AccessDenied("the current password is another".to_owned())
}

fn told(found: Found) -> DetailsResp {
    let User { login_name, full_name, groups, disabled, .. } = found.user;
    users::details(login_name, full_name, groups, disabled, found.updated)
}

#[tonic::async_trait]
impl Users for UsersService {
    type DetailsStream = BoxStream<'static, Result<DetailsResp, Status>>;

    async fn create(&self, request: Request<CreateReq>) -> Result<Response<CreateResp>, Status> {
        let users::Making { login, password, full_name, groups } = users::create(request.into_inner())?;
        let hash = blocking(move || password::hash(&password)).await?;
        let user = User { login_name: login, full_name, groups, disabled: false, hash };
        self.0.create(user).await?;
        Ok(Response::new(CreateResp {}))
    }

    async fn update(&self, request: Request<UpdateReq>) -> Result<Response<UpdateResp>, Status> {
        let (login, full_name, groups) = users::update(request.into_inner())?;
        let change = |user: &mut User| {
            user.full_name.clone_from(&full_name);
            user.groups.clone_from(&groups);
            Ok(())
        };
        self.0.change(login, change).await?;
        Ok(Response::new(UpdateResp {}))
    }

    async fn delete(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        self.0.delete(users::delete(request.into_inner())?).await?;
        Ok(Response::new(DeleteResp {}))
    }

    async fn enable(&self, request: Request<EnableReq>) -> Result<Response<EnableResp>, Status> {
        self.set_disabled(users::enable(request.into_inner())?, false).await?;
        Ok(Response::new(EnableResp {}))
    }

    async fn disable(&self, request: Request<DisableReq>) -> Result<Response<DisableResp>, Status> {
        self.set_disabled(users::disable(request.into_inner())?, true).await?;
        Ok(Response::new(DisableResp {}))
    }

    async fn details(&self, request: Request<DetailsReq>) -> Result<Response<Self::DetailsStream>, Status> {
        let found = match users::asked_for(request.into_inner()) {
            Some(login) => vec![self.0.find(login).await?],
            None => self.0.all().await?,
        };
        Ok(Response::new(stream::iter(found.into_iter().map(|found| Ok(told(found)))).boxed()))
    }

    async fn change_password(
        &self,
        request: Request<ChangePasswordReq>,
    ) -> Result<Response<ChangePasswordResp>, Status> {
        let (login, current, new) = users::change_password(request.into_inner())?;
        let kept = self.0.find(login.clone()).await?.user.hash;
        let looking = kept.clone();
        if !blocking(move || password::is_it(&current, &looking)).await? {
            return Err(wrong_password().into());
        }
        // Somebody may have changed it meanwhile.
        let may = |user: &User| if user.hash == kept { Ok(()) } else { Err(wrong_password()) };
        self.set_password(login, new, may).await?;
        Ok(Response::new(ChangePasswordResp {}))
    }

    async fn reset_password(
        &self,
        request: Request<ResetPasswordReq>,
    ) -> Result<Response<ResetPasswordResp>, Status> {
        let (login, new) = users::reset_password(request.into_inner())?;
        self.set_password(login, new, |_| Ok(())).await?;
        Ok(Response::new(ResetPasswordResp {}))
    }
}
