//! How the signing key is replaced before its certificate expires: a sequence of named steps, each of which may be
//! broken off and done again.
//!
//! What a rotation needs from outside are the [`ports`]: keys, an authority, the record of who signs, a journal, and
//! somebody to tell.

pub mod ports;
