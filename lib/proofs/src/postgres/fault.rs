//! What went wrong, whether it passes, and what to do about it. Nothing in it is secret: the server's messages name
//! users, databases and tables, and its details, which quote values, are left out.

use std::{error::Error, io, time::Duration};

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::error::{DbError, SqlState};

use super::limits::MAX_STATEMENT;

/// Why a statement brought no answer.
#[derive(Debug)]
pub(super) struct Fault {
    /// In words.
    pub(super) reason: String,
    /// Whether it may be gone soon: then the statement is tried again.
    pub(super) passes: bool,
    /// Whether the server may have done the statement all the same.
    pub(super) may_be_done: bool,
}

impl Fault {
    /// Of a statement that was sent.
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(told) => Self::told_by_server(told),
            // Whoever comes between them, or a server that dies, leaves open what was done.
            None if is_broken(error) => Self { reason: in_words(error), passes: true, may_be_done: true },
            None => Self { reason: in_words(error), passes: false, may_be_done: false },
        }
    }

    /// Of the wish for a connection: nothing was sent.
    pub(super) fn of_connecting(error: &PoolError, connections: usize) -> Self {
        let (reason, passes) = match error {
            PoolError::Timeout(TimeoutType::Wait) => (
                format!(
                    "all {connections} connections are in use; raise max_connections in the URL of the database"
                ),
                false,
            ),
            PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => {
                ("the server does not answer; is the host in the URL the right one?".to_owned(), true)
            }
            PoolError::Backend(error) => {
                let fault = Self::of(error);
                (fault.reason, fault.passes)
            }
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                (error.to_string(), false)
            }
        };
        Self { reason, passes, may_be_done: false }
    }

    /// Of a statement that was sent and not answered for so long.
    pub(super) fn silence(time: Duration) -> Self {
        let reason = format!("the server did not answer within {} s", time.as_secs());
        Self { reason, passes: false, may_be_done: true }
    }

    fn told_by_server(told: &DbError) -> Self {
        let code = told.code();
        let advice = advice(code).map(|advice| format!("; {advice}")).unwrap_or_default();
        // The server, or this connection, comes to its end; others stand in the way; there are too many.
        let ends = matches!(code.code(), "57P01" | "57P02" | "57P03") || code.code().starts_with("08");
        let hinders = matches!(code.code(), "40001" | "40P01" | "53300");
        Self {
            reason: format!("{} ({}){advice}", told.message(), code.code()),
            passes: ends || hinders,
            may_be_done: ends,
        }
    }
}

/// What to do, where that can be said.
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn advice(code: &SqlState) -> Option<String> {
    let advice = match code.code() {
        "28000" | "28P01" => "correct the user or the password in the URL, or what the server lets in",
        "3D000" => "create it, or correct its name in the URL",
        "42501" => {
            "let the user own the schema credlink, or grant it USAGE there and SELECT, INSERT, UPDATE and DELETE on its tables"
        }
        "53100" => "make room on the server's disk",
        "53300" => "lower max_connections in the URL, or raise it on the server",
        "25006" => READ_ONLY,
        "26000" => {
            "a pooler in between lost the statement; use its mode session, or have it keep prepared statements"
        }
        "3F000" | "42P01" | "42703" => "start CredLink anew: it makes its tables then",
        "55P03" => "somebody else holds it; try again",
        "57014" => return Some(format!("a statement may take {} s", MAX_STATEMENT.as_secs())),
        _ => return None,
    };
    Some(advice.to_owned())
}

/// What to do about a server that takes no changes.
pub(super) const READ_ONLY: &str = "it takes no changes, as a standby does; name the primary in the URL, or add target_session_attrs=read-write";

/// Whether the line broke, or never came to be; and not because of what was said on it.
fn is_broken(error: &tokio_postgres::Error) -> bool {
    let Some(cause) = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()) else {
        return error.is_closed();
    };
    cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_none()
}

/// The error with all its causes.
fn in_words(error: &tokio_postgres::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    let is_tls = words.starts_with("error performing TLS handshake");
    if is_tls && words.contains("UnknownIssuer") {
        words.push_str("; name a PEM file with the server's authority with sslrootcert in the URL");
    } else if is_tls && words.contains("does not support TLS") {
        words.push_str("; have it speak TLS, or say sslmode=disable in the URL if the line is safe");
    }
    words
}
