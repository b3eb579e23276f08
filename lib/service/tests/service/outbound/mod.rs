//! What leaves the service, and what never does.

mod limits;
mod reach;
mod site;
mod time_stamp;
