//! What all clients of AWS share: how they are configured, for how long they try, and what their failures mean.

mod clients;
mod configuration;
mod fault;
mod object_body;

pub use aws_types::SdkConfig;
pub use clients::s3;
pub use configuration::{ConfigurationError, MAX_CALL_TIME, explicit, from_profile, on_lambda};
pub use fault::{Fault, has_code};
pub use object_body::{BodyError, whole_body};
