//! Who signs a batch: this process, or a service.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use credlink_pipeline::{
    embed::Rope,
    manifest::SignOptions,
    proof::{ProofId, ProofStore},
    proof_uri::ProofUriBase,
    sign::{SignContext, SignSettings, SignedImage, StampOutcome},
    sign_once::sign_once,
};
use credlink_service::{
    Authorities,
    api_client::{ApiClient, ServiceUrl},
    clock::SystemClock,
    config::Config,
    identity::Identity,
    installation::{self, Installation},
    local_identity::LocalIdentity,
    outbound,
    turns::{Turn, Worked},
};

use super::{BatchSignError, aws};
use crate::batch::terms::Terms;

/// Who signs.
pub(super) enum Signatory {
    /// This process.
    Here(Box<Here>),
    /// A service.
    Elsewhere {
        /// As which it is known to the journal.
        url: String,
        /// How it is asked.
        client: Box<ApiClient>,
    },
}

/// What the caller chose.
pub(super) struct Choice<'a> {
    pub(super) service: Option<&'a ServiceUrl>,
    pub(super) table: Option<&'a str>,
}

/// Signs in this process.
pub(super) struct Here {
    identity: Arc<dyn Identity>,
    proofs: Arc<dyn ProofStore>,
    proof_uris: ProofUriBase,
    authorities: Authorities,
    settings: SignSettings,
    /// Who that is, as far as it makes another batch: proofs of one batch are in one place.
    name: String,
}

/// An image that is to be signed.
pub(super) struct Wish<'a> {
    pub(super) image: Bytes,
    pub(super) options: &'a SignOptions,
    /// The proof that it will have, or what names the request.
    pub(super) proof: ProofId,
}

/// An image that is signed.
pub(super) struct Signed {
    pub(super) image: Rope,
    pub(super) proof_uri: String,
    /// What it took by itself, without the time in which others had their turns.
    pub(super) pipeline: Duration,
    pub(super) note: Option<String>,
}

impl Signatory {
    /// The one that was chosen, ready to sign.
    ///
    /// # Errors
    /// When it is not.
    pub(super) async fn open(
        choice: &Choice<'_>,
        config: &Config,
        api_key: Option<&str>,
    ) -> Result<Self, BatchSignError> {
        if let Some(url) = choice.service {
            let client = ApiClient::new(url.clone(), api_key)?;
            return Ok(Self::Elsewhere { url: url.to_string(), client: Box::new(client) });
        }
        let installation = Installation::new(&config.data);
        let proof_uris = config.proof_uris(config.listen)?;
        let location = config.lasting_proofs_here();
        let proofs = installation::open_proofs(&location).await?;
        let place = location.identity();
        let name = format!("{place:?} {proof_uris} {}", choice.table.unwrap_or_default());
        let identity: Arc<dyn Identity> = match choice.table {
            Some(table) => {
                Arc::new(aws::TableIdentity::open(table, &installation, &config.anchor_files()).await?)
            }
            None => {
                let signer = config.signing_certificate.clone();
                Arc::new(LocalIdentity::new(installation, signer, config.anchor_files())?)
            }
        };
        Ok(Self::Here(Box::new(Here {
            identity,
            proofs,
            proof_uris,
            authorities: outbound::authorities(config),
            // As many are signed at once as there are turns.
            settings: SignSettings { one_thread: true, ..config.sign_settings() },
            name,
        })))
    }

    /// Adds what makes it another batch.
    pub(super) fn add_to(&self, terms: &mut Terms) {
        match self {
            Self::Here(here) => terms.add("here", here.name.as_bytes()),
            Self::Elsewhere { url, .. } => terms.add("service", url.as_bytes()),
        }
    }

    /// Lets nobody wait any more for what may pass.
    pub(super) fn end(&self) {
        if let Self::Elsewhere { client, .. } = self {
            client.end();
        }
    }

    /// Signs, in turns that begin with `turn`. However often that is asked with the same wish, there is one proof.
    ///
    /// # Errors
    /// In words.
    pub(super) async fn sign(&self, wish: Wish<'_>, turn: Turn) -> Result<Signed, String> {
        let since = Instant::now();
        match self {
            Self::Here(here) => {
                let Worked { output, waited } = turn.work(here.sign(wish)).await;
                let signed = output?;
                Ok(Signed {
                    image: signed.image,
                    proof_uri: signed.record.uri,
                    pipeline: since.elapsed().saturating_sub(waited),
                    note: note_on(&signed.stamp),
                })
            }
            Self::Elsewhere { client, .. } => {
                // Nothing is computed here while the service works.
                drop(turn);
                let key = format!("batch-{}", wish.proof);
                let signed =
                    client.sign(&wish.image, wish.options, &key).await.map_err(|error| error.to_string())?;
                Ok(Signed {
                    image: Rope::new([signed.image]),
                    proof_uri: signed.proof_uri,
                    pipeline: since.elapsed(),
                    note: signed.stamp_is_missing.then(|| "signed without a time-stamp".to_owned()),
                })
            }
        }
    }
}

impl Here {
    async fn sign(&self, wish: Wish<'_>) -> Result<SignedImage, String> {
        let signer = self.identity.signer().await.map_err(|error| error.to_string())?;
        let trust = self.identity.trust().await.map_err(|error| error.to_string())?;
        let context = SignContext {
            signer: &*signer,
            proofs: &*self.proofs,
            clock: &SystemClock,
            proof_uris: &self.proof_uris,
            trust: &trust,
            time_stamps: self.authorities.time_stamps.as_deref(),
            revocation: self.authorities.revocation.as_deref(),
            settings: &self.settings,
        };
        sign_once(wish.image, wish.proof, wish.options, &context).await.map_err(|error| error.to_string())
    }
}

fn note_on(stamp: &StampOutcome) -> Option<String> {
    match stamp {
        StampOutcome::Missing(reason) => Some(format!("signed without a time-stamp: {reason}")),
        StampOutcome::NotAsked | StampOutcome::Stamped => None,
    }
}
