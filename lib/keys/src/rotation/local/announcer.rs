//! On one machine, people read the log.

use async_trait::async_trait;

use crate::rotation::ports::{Announcer, Fault};

/// Writes a warning into the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogAnnouncer;

#[async_trait]
impl Announcer for LogAnnouncer {
    async fn announce(&self, subject: &str, text: &str) -> Result<(), Fault> {
        tracing::warn!(subject, text, "announcement");
        Ok(())
    }
}
