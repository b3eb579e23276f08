//! Many files with one command: what `batch-sign` and `batch-verify` share.
//!
//! [`inputs`] finds the files and [`outputs`] their places, before anything is done. [`crew`] works through them, so many
//! at once, until [`stop`] says no. [`journal`] remembers what was done, for a run that goes on after this one was killed.
//! [`report`] and [`progress`] tell.

pub(crate) mod crew;
pub(crate) mod drafts;
pub(crate) mod front;
pub(crate) mod inputs;
pub(crate) mod journal;
mod lists;
pub(crate) mod name;
pub(crate) mod outputs;
pub(crate) mod pace;
pub(crate) mod place;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod stop;
pub(crate) mod summary;
pub(crate) mod telling;
pub(crate) mod terms;
pub(crate) mod values;
mod walk;
