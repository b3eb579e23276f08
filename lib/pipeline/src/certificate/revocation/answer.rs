//! What somebody who knows says about a certificate, and how long that counts.

use bytes::Bytes;
use time::OffsetDateTime;
use x509_parser::prelude::X509Certificate;

use crate::timestamp::Timestamp;

/// A certificate and the one that issued it.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) certificate: &'a X509Certificate<'a>,
    pub(super) issuer: &'a X509Certificate<'a>,
}

/// An authenticated answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) standing: Standing,
    /// From when it counts.
    pub(super) this_update: Timestamp,
    /// Until when it counts.
    pub(super) next_update: Option<Timestamp>,
    /// The OCSP response in DER, when it is one.
    pub(super) response: Option<Bytes>,
}

/// How a certificate stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not revoked.
    Good,
    /// Revoked.
    Revoked {
        /// When.
        at: Timestamp,
        /// Why, in words.
        reason: Option<&'static str>,
    },
    /// The responder does not know the certificate.
    Unknown,
}

/// How far clocks may be apart, in seconds.
const TOLERANCE: i64 = 5 * 60;

/// How long an answer counts that does not say until when, in seconds.
const MAX_AGE: i64 = 24 * 60 * 60;

impl Answer {
    /// The last second at which the answer counts.
    pub(super) fn expires(&self) -> i64 {
        self.next_update
            .map_or(self.this_update.unix_seconds().saturating_add(MAX_AGE), Timestamp::unix_seconds)
    }

    /// The answer, when it counts `at` that time.
    ///
    /// # Errors
    /// Why it does not, in words.
    pub(super) fn current(self, at: Timestamp) -> Result<Self, String> {
        self.objection_at(at).map_or(Ok(self), Err)
    }

    fn objection_at(&self, at: Timestamp) -> Option<String> {
        let seconds = at.unix_seconds();
        if self.this_update.unix_seconds() > seconds.saturating_add(TOLERANCE) {
            Some(format!("it counts from {} on only", self.this_update))
        } else if self.expires() < seconds.saturating_sub(TOLERANCE) {
            Some(match self.next_update {
                Some(until) => format!("it counted until {until}"),
                None => format!("it is from {}, more than a day before", self.this_update),
            })
        } else {
            None
        }
    }
}

/// A time in seconds since 1970; `None` where no calendar reaches.
pub(super) fn timestamp(unix_seconds: i64) -> Option<Timestamp> {
    OffsetDateTime::from_unix_timestamp(unix_seconds).ok().map(Timestamp::new)
}
