//! The service `Users`, of which there are none: whoever is on this machine may
//! do everything. Nobody is found, and nobody is made, because a user whose
//! password nobody asks for is a promise that is not kept.

use factum_wire::Failure;
use factum_wire::proto::users::users_server::Users;
use factum_wire::proto::users::{
    ChangePasswordReq, ChangePasswordResp, CreateReq, CreateResp, DeleteReq, DeleteResp, DetailsReq,
    DetailsResp, DisableReq, DisableResp, EnableReq, EnableResp, ResetPasswordReq, ResetPasswordResp,
    UpdateReq, UpdateResp,
};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tonic::{Request, Response, Status};

/// The service.
pub struct UsersService;

fn nobody<T>(login: Option<String>) -> Result<Response<T>, Status> {
    Err(Failure::UserNotFound { login: login.unwrap_or_default() }.into())
}

/// The calls about one user, who is not there.
macro_rules! about_nobody {
    ($($call:ident($request:ty) -> $answer:ty),*) => {
        #[tonic::async_trait]
        impl Users for UsersService {
            type DetailsStream = BoxStream<'static, Result<DetailsResp, Status>>;

            async fn create(&self, _: Request<CreateReq>) -> Result<Response<CreateResp>, Status> {
                let says = "users cannot be created: this server knows none, and everybody on its machine may do everything";
                Err(Failure::Absent(says.to_owned()).into())
            }

            async fn details(
                &self,
                request: Request<DetailsReq>,
            ) -> Result<Response<Self::DetailsStream>, Status> {
                match request.into_inner().options.map(|options| options.login_name) {
                    Some(login) if !login.is_empty() => nobody(Some(login)),
                    _ => Ok(Response::new(stream::empty().boxed())),
                }
            }

            $(async fn $call(&self, request: Request<$request>) -> Result<Response<$answer>, Status> {
                nobody(request.into_inner().options.map(|options| options.login_name))
            })*
        }
    };
}

about_nobody! {
    update(UpdateReq) -> UpdateResp,
    delete(DeleteReq) -> DeleteResp,
    enable(EnableReq) -> EnableResp,
    disable(DisableReq) -> DisableResp,
    change_password(ChangePasswordReq) -> ChangePasswordResp,
    reset_password(ResetPasswordReq) -> ResetPasswordResp
}
