//! Who judges the images of a batch: this process, or a service.

use std::{path::Path, sync::Arc, time::Instant};

use bytes::Bytes;
use credlink_pipeline::{
    certificate::revocation::RevocationService,
    proof::ProofStore,
    proof_uri::ProofUriBase,
    timestamp::Clock,
    trust::TrustAnchors,
    verdict::VerificationReport,
    verify::{VerifyContext, verify},
};
use credlink_service::{
    anchors::AnchorFile,
    api_client::{ApiClient, ApiKeyError, ServiceUrl},
    clock::SystemClock,
    config::Config,
    installation::{self, Installation},
    outbound,
};
use tokio::runtime::Handle;

use super::{BatchVerifyError, JudgingArgs, row::VerifyRow};
use crate::{
    batch::{inputs::Inputs, stop::Stop},
    files,
    verify::FixedClock,
};

/// Who judges.
pub(super) enum Verifier {
    /// This process.
    Here(Box<Here>),
    /// A service.
    Elsewhere(Box<ApiClient>),
}

/// Judges in this process.
pub(super) struct Here {
    proofs: Arc<dyn ProofStore>,
    clock: Box<dyn Clock>,
    trust: TrustAnchors,
    revocation: Option<Arc<RevocationService>>,
    proof_uris: ProofUriBase,
    max_bytes: usize,
}

/// A batch that is worked on, by several threads.
pub(super) struct VerifyWork {
    pub(super) inputs: Inputs,
    pub(super) verifier: Verifier,
    pub(super) stop: Stop,
    /// The threads that wait for the network and for timers.
    pub(super) waiting: Handle,
    /// The longest image, in bytes.
    pub(super) max_bytes: usize,
}

impl VerifyWork {
    /// Judges the file of this number. Blocks.
    pub(super) fn verify(&self, number: usize) -> VerifyRow {
        let Some(path) = self.inputs.get(number).map(|input| input.path()) else {
            return self.broken(number);
        };
        match self.judged(&path) {
            Ok(row) => row,
            Err(reason) => VerifyRow::unreadable(&path, reason),
        }
    }

    /// What is told of a file on which this program broke down.
    pub(super) fn broken(&self, number: usize) -> VerifyRow {
        let path = self.inputs.get(number).map(|input| input.path()).unwrap_or_default();
        VerifyRow::unreadable(&path, "credlink broke down on this file; please report it".to_owned())
    }

    fn judged(&self, path: &Path) -> Result<VerifyRow, String> {
        files::check_regular(path)?;
        let image = files::read(path, self.max_bytes).map_err(|error| error.to_string())?;
        let length = image.len() as u64;
        let since = Instant::now();
        let report = self.waiting.block_on(self.verifier.verify(image))?;
        Ok(VerifyRow::judged(path, length, &report, since.elapsed()))
    }
}

impl Verifier {
    /// This process.
    ///
    /// # Errors
    /// When a setting, the data folder or a list of roots cannot be used.
    pub(super) async fn here(config: &Config, args: &JudgingArgs) -> Result<Self, BatchVerifyError> {
        let installation = Installation::new(&config.data);
        let mut further = config.anchor_files();
        if let Some(path) = &args.trust_anchors {
            further.signers = vec![AnchorFile::new("--trust-anchors", path)];
        }
        if let Some(path) = &args.tsa_anchors {
            further.time_stamps = vec![AnchorFile::new("--tsa-anchors", path)];
        }
        Ok(Self::Here(Box::new(Here {
            proofs: installation::open_proofs_if_any(&config.lasting_proofs_here()).await?,
            clock: match args.at {
                Some(time) => Box::new(FixedClock(time)),
                None => Box::new(SystemClock),
            },
            trust: installation.trust(&further)?,
            revocation: if args.offline { None } else { outbound::authorities(config).revocation },
            proof_uris: config.proof_uris(config.listen)?,
            max_bytes: config.max_image_bytes,
        })))
    }

    /// The service at `url`.
    ///
    /// # Errors
    /// When the API key cannot be sent.
    pub(super) fn elsewhere(url: &ServiceUrl, api_key: Option<&str>) -> Result<Self, ApiKeyError> {
        Ok(Self::Elsewhere(Box::new(ApiClient::new(url.clone(), api_key)?)))
    }

    /// Lets nobody wait any more for what may pass.
    pub(super) fn end(&self) {
        if let Self::Elsewhere(client) = self {
            client.end();
        }
    }

    async fn verify(&self, image: Bytes) -> Result<VerificationReport, String> {
        match self {
            Self::Here(here) => here.verify(image).await,
            Self::Elsewhere(client) => client.verify(&image).await.map_err(|error| error.to_string()),
        }
    }
}

impl Here {
    async fn verify(&self, image: Bytes) -> Result<VerificationReport, String> {
        let context = VerifyContext {
            proofs: &*self.proofs,
            clock: &*self.clock,
            trust: &self.trust,
            revocation: self.revocation.as_deref(),
            proof_uris: &self.proof_uris,
            max_bytes: self.max_bytes,
        };
        verify(image, &context).await.map_err(|error| error.to_string())
    }
}
