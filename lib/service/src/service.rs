//! What every route works with.

use std::{sync::Arc, time::Duration};

use credlink_pipeline::{
    certificate::revocation::RevocationService,
    proof::ProofStore,
    proof_uri::ProofUriBase,
    sign::{SignContext, SignSettings},
    signer::Signer,
    time_stamp_authority::TimeStampAuthority,
    timestamp::Clock,
    trust::TrustAnchors,
    verify::VerifyContext,
};
use tokio::time::Instant;

use crate::{
    Entrance, HttpSettings,
    api_keys::CachedApiKeys,
    body::BodyMemory,
    error::{ApiError, ErrorCode},
    identity::Identity,
    image_limit::ImageLimit,
    page_policy::PagePolicy,
    rate_limits::WatchedRateLimiter,
    uploads::{UploadOrigin, Uploads},
    workers::Workers,
};

/// What the service needs from outside.
#[derive(Clone)]
pub struct Ports {
    /// Who signs, and whom to trust.
    pub identity: Arc<dyn Identity>,
    /// Keeps proofs.
    pub proofs: Arc<dyn ProofStore>,
    /// Keeps uploads and long results; `None` when this process takes no uploads.
    pub uploads: Option<Arc<dyn Uploads>>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Who is asked beyond that.
    pub authorities: Authorities,
    /// What requests pass on their way in.
    pub entrance: Entrance,
}

/// Authorities elsewhere that the service asks.
#[derive(Clone, Default)]
pub struct Authorities {
    /// Stamps signatures; `None` when the operator chose nobody.
    pub time_stamps: Option<Arc<dyn TimeStampAuthority>>,
    /// Asks whether certificates were revoked; `None` when nobody is to be asked.
    pub revocation: Option<Arc<RevocationService>>,
}

/// What the operator may choose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What proof URIs begin with.
    pub proof_uris: ProofUriBase,
    /// How images are signed, and which are taken.
    pub sign: SignSettings,
    /// How long a caller waits for an image to be worked on.
    pub processing_timeout: Duration,
    /// The longest image that may stand in a request or an answer, in bytes; `None` when any may.
    pub inline_limit: Option<usize>,
    /// Where uploads are sent to; `None` when that is this service.
    pub upload_origin: Option<UploadOrigin>,
    /// Who may call, and how often.
    pub http: HttpSettings,
}

/// The service behind all routes.
pub struct Service {
    pub(crate) ports: Ports,
    pub(crate) settings: Settings,
    pub(crate) workers: Workers,
    pub(crate) body_memory: BodyMemory,
    pub(crate) rate_limiter: WatchedRateLimiter,
    /// `None` when everybody may call.
    pub(crate) api_keys: Option<CachedApiKeys>,
    pub(crate) page_policy: PagePolicy,
    pub(crate) started: Instant,
}

/// How many of the longest images may be in memory at once.
const BODIES_IN_MEMORY: usize = 10;

impl Service {
    /// A service that starts now.
    pub fn new(ports: Ports, settings: Settings) -> Self {
        let body_memory = settings.sign.limits.max_bytes.saturating_mul(BODIES_IN_MEMORY);
        let entrance = &ports.entrance;
        let rate_limiter =
            WatchedRateLimiter::new(Arc::clone(&entrance.rate_limiter), entrance.metrics.clone());
        let api_keys = entrance.api_keys.clone().map(CachedApiKeys::new);
        Self {
            ports,
            rate_limiter,
            api_keys,
            workers: Workers::new(settings.processing_timeout),
            body_memory: BodyMemory::new(body_memory),
            page_policy: PagePolicy::new(settings.upload_origin.as_ref()),
            settings,
            started: Instant::now(),
        }
    }

    /// The longest image, in bytes.
    pub(crate) fn max_image_bytes(&self) -> usize {
        self.settings.sign.limits.max_bytes
    }

    /// How long an image may be, inside of a request and elsewhere.
    pub(crate) fn image_limit(&self) -> ImageLimit {
        ImageLimit::new(self.max_image_bytes(), self.settings.inline_limit, self.ports.uploads.is_some())
    }

    /// Where uploads are.
    ///
    /// # Errors
    /// When this process takes none.
    pub(crate) fn uploads(&self) -> Result<&dyn Uploads, ApiError> {
        self.ports.uploads.as_deref().ok_or_else(|| {
            ApiError::new(
                ErrorCode::NotFound,
                "This service takes no uploads. Send the image in the request.",
            )
        })
    }

    pub(crate) fn sign_context<'a>(
        &'a self,
        signer: &'a dyn Signer,
        trust: &'a TrustAnchors,
    ) -> SignContext<'a> {
        SignContext {
            signer,
            proofs: &*self.ports.proofs,
            clock: &*self.ports.clock,
            proof_uris: &self.settings.proof_uris,
            trust,
            time_stamps: self.ports.authorities.time_stamps.as_deref(),
            revocation: self.ports.authorities.revocation.as_deref(),
            settings: &self.settings.sign,
        }
    }

    pub(crate) fn verify_context<'a>(&'a self, trust: &'a TrustAnchors) -> VerifyContext<'a> {
        VerifyContext {
            proofs: &*self.ports.proofs,
            clock: &*self.ports.clock,
            trust,
            revocation: self.ports.authorities.revocation.as_deref(),
            proof_uris: &self.settings.proof_uris,
            max_bytes: self.max_image_bytes(),
        }
    }
}
