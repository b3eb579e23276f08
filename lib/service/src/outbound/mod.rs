//! What leaves the service for others than AWS: questions whether a certificate was revoked, signatures' digests to a
//! time-stamp authority, and reports of faults to whom the operator named.
//!
//! Whoever makes an image chooses the addresses in its certificates. So there is one client for all of it, and it asks
//! public hosts only: `target` takes one spelling of a URL, `reach` says which hosts are meant, `connector` judges the
//! addresses that a name leads to and connects to exactly these, `client` bounds time and length. What the operator
//! named may be anywhere.

mod address;
mod client;
mod connector;
mod network;
mod reach;
pub mod revocation;
mod scrubbed;
pub mod sentry;
mod shown;
mod target;
pub mod time_stamp;
pub mod traces;

use std::sync::Arc;

use credlink_pipeline::certificate::revocation::RevocationService;

use crate::{Authorities, config::Config};

pub use network::{Network, SystemNetwork};
pub use reach::{PrivateHosts, PrivateHostsError};
pub use revocation::OutboundRevocation;
pub use sentry::{Delivery, FaultReports, SentryDsn};
pub use target::Refusal;
pub use time_stamp::{HttpTimeStampAuthority, TimeStampUrl};
pub use traces::{TraceCollector, Traces};

/// The authorities that the operator chose. Nobody is asked yet.
pub fn authorities(config: &Config) -> Authorities {
    let revocation = || {
        let source = OutboundRevocation::new(config.revocation_private_hosts.clone());
        Arc::new(RevocationService::new(Box::new(source)))
    };
    Authorities {
        time_stamps: config
            .time_stamp_url
            .clone()
            .map(|url| Arc::new(HttpTimeStampAuthority::new(url, config.time_stamp_timeout)) as Arc<_>),
        revocation: config.revocation_fetch.then(revocation),
    }
}
