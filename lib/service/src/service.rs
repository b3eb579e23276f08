//! What every route works with.

use std::{sync::Arc, time::Duration};

use credlink_pipeline::{proof::ProofStore, signer::Signer, timestamp::Clock};
use tokio::time::Instant;

use crate::{body::BodyMemory, workers::Workers};

/// What the service needs from outside.
#[derive(Clone)]
pub struct Ports {
    /// Signs manifests.
    pub signer: Arc<dyn Signer>,
    /// Keeps proofs.
    pub proofs: Arc<dyn ProofStore>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// What the operator may choose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The longest image, in bytes.
    pub max_image_bytes: usize,
    /// How long a caller waits for an image to be worked on.
    pub processing_timeout: Duration,
}

/// The service behind all routes.
pub struct Service {
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) proofs: Arc<dyn ProofStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) workers: Workers,
    pub(crate) body_memory: BodyMemory,
    pub(crate) started: Instant,
}

/// How many of the longest images may be in memory at once.
const BODIES_IN_MEMORY: usize = 10;

impl Service {
    /// A service that starts now.
    pub fn new(ports: Ports, settings: Settings) -> Self {
        Self {
            signer: ports.signer,
            proofs: ports.proofs,
            clock: ports.clock,
            workers: Workers::new(settings.processing_timeout),
            body_memory: BodyMemory::new(settings.max_image_bytes.saturating_mul(BODIES_IN_MEMORY)),
            settings,
            started: Instant::now(),
        }
    }
}
