//! The clients: one file for each server, written the way its own client's
//! documentation says.

pub mod factum;
pub mod factum_own;
pub mod nats;
pub mod postgres;
pub mod redis;
pub mod sierradb;
#[cfg(feature = "umadb")]
pub mod umadb;
