//! How long anything may take, and how large it may be.

use std::time::Duration;

/// How often something is begun whose hindrance may pass: for one to three seconds, in which a server restarts.
pub(super) const ATTEMPTS: u32 = 8;

/// The longest a call takes, with all that is tried again.
pub(super) const MAX_CALL: Duration = Duration::from_secs(10);

/// The longest that a statement runs on the server.
pub(super) const MAX_STATEMENT: Duration = Duration::from_secs(8);

/// The longest that a statement waits for somebody who changes the same proof.
pub(super) const MAX_LOCK_WAIT: Duration = Duration::from_secs(5);

/// The longest that a connection takes: reaching an address, and all of it.
pub(super) const MAX_CONNECTING: Duration = Duration::from_secs(3);

/// The longest that a call waits for a connection that others use.
pub(super) const MAX_POOL_WAIT: Duration = Duration::from_secs(5);

/// The longest that bringing the tables up to date takes, and waiting for another process that does it.
pub(super) const MAX_MIGRATION: Duration = Duration::from_secs(300);

/// The largest manifest store, in bytes: what every store takes, so that proofs can move.
pub(super) const MAX_MANIFEST_STORE_BYTES: usize = 64 << 20;

/// The longest record, as JSON, in bytes.
pub(super) const MAX_RECORD_BYTES: usize = 64 << 10;
