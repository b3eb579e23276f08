//! Whether a certificate was revoked: asked of those who publish it, and remembered.

use crate::revocation_source::RevocationSource;

/// Asks about revocation.
pub struct RevocationService {
    source: Box<dyn RevocationSource>,
}

impl RevocationService {
    /// Asks through `source`.
    pub fn new(source: Box<dyn RevocationSource>) -> Self {
        Self { source }
    }

    /// What is asked through.
    pub fn source(&self) -> &dyn RevocationSource {
        &*self.source
    }
}
