//! What the service needs of AWS.

pub mod uploads;
