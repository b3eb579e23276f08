//! The story of a signature: from an image to a signed image and a durable proof.

use bytes::Bytes;
use thiserror::Error;

use crate::{
    asset::{Asset, AssetError, Format, Limits},
    credential::{CredentialError, CredentialReading, Draft, ParentCredential, TrustAnchors},
    digest::{Sha256Hash, hash_both},
    embed::{EmbedError, Embedding, RecordPayloads, Rope, carriers},
    fingerprint::Fingerprint,
    manifest::{DigitalSourceType, Inception, ManifestDefinition, SignOptions},
    proof::{Proof, ProofId, ProofRecord, ProofStore, ProofStoreError},
    proof_uri::ProofUriBase,
    recovery::{RecoveryRecord, from_private},
    signer::{Signer, SignerError},
    timestamp::Clock,
};

/// What signing needs from outside, and how it is set up.
#[derive(Clone, Copy)]
pub struct SignContext<'a> {
    /// Who signs.
    pub signer: &'a dyn Signer,
    /// Where the proof is kept.
    pub proofs: &'a dyn ProofStore,
    /// The time.
    pub clock: &'a dyn Clock,
    /// How proof URIs are written.
    pub proof_uris: &'a ProofUriBase,
    /// Whom to trust when the image brings a credential of its own.
    pub trust: &'a TrustAnchors,
    /// The settings.
    pub settings: &'a SignSettings,
}

/// How a service signs, whatever the caller says.
#[derive(Clone, Debug)]
pub struct SignSettings {
    /// What is taken.
    pub limits: Limits,
    /// For how many days a proof is kept.
    pub proof_lifetime_days: u32,
    /// What the picture is when nobody says, if the operator knows.
    pub default_digital_source_type: Option<DigitalSourceType>,
    /// Whether the deprecated `stds.schema-org.CreativeWork` is written too, for readers that look there.
    pub creative_work: bool,
    /// Whether to compute the fingerprint, which becomes the soft binding.
    pub fingerprint: bool,
}

impl Default for SignSettings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            proof_lifetime_days: 365,
            default_digital_source_type: None,
            creative_work: false,
            fingerprint: true,
        }
    }
}

/// A signed image whose proof is durable.
#[derive(Debug)]
pub struct SignedImage {
    /// The image: slices of the input around the new parts.
    pub image: Rope,
    /// The proof's record.
    pub record: ProofRecord,
}

/// Why an image was not signed. Nothing was stored then.
#[derive(Debug, Error)]
pub enum SignError {
    /// The image cannot be taken.
    #[error(transparent)]
    Asset(#[from] AssetError),
    /// The signer failed.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The credential could not be made.
    #[error("the credential could not be made: {0}")]
    Credential(String),
    /// The credential does not fit into the image.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The proof could not be kept.
    #[error(transparent)]
    Proofs(#[from] ProofStoreError),
}

impl From<CredentialError> for SignError {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::Signer(error) => Self::Signer(error),
            CredentialError::Library(_) => Self::Credential(error.to_string()),
        }
    }
}

/// Signs `image` and keeps the proof. When this returns, the proof is durable.
///
/// Mostly processor work: about a SHA-256 of the image, and the fingerprint beside it on a second thread.
///
/// # Errors
/// [`SignError`]; then nothing was stored.
pub async fn sign(
    image: Bytes,
    options: &SignOptions,
    context: &SignContext<'_>,
) -> Result<SignedImage, SignError> {
    let asset = Asset::parse(image, &context.settings.limits)?;
    let parent = parent_credential(&asset, context.trust);
    let id = ProofId::random();
    let now = context.clock.now();
    let proof_uri = context.proof_uris.uri_for(id);
    let mut definition = ManifestDefinition {
        id,
        inception: inception(parent.is_some(), options, context.settings),
        fingerprint: context.settings.fingerprint.then_some(Fingerprint::PENDING),
        proof_uri: &proof_uri,
        expires_at: now.plus_days(context.settings.proof_lifetime_days),
        options,
        creative_work: context.settings.creative_work,
    };
    let prepared = prepare(&asset, &mut definition, parent, context.signer)?;
    let store =
        prepared.draft.sign(prepared.hard_binding, prepared.embedding.exclusion(), context.signer).await?;
    let store = Bytes::from(store);
    let record = ProofRecord {
        id,
        uri: proof_uri.clone(),
        image_hash: prepared.image_hash,
        manifest_hash: Sha256Hash::of(&store),
        fingerprint: definition.fingerprint.map(|fingerprint| fingerprint.to_string()),
        format: asset.format(),
        image_length: asset.bytes().len() as u64,
        created_at: now,
        expires_at: definition.expires_at,
    };
    let image = prepared.embedding.finish(&store)?;
    context.proofs.put(&Proof { record: record.clone(), manifest_store: store }).await?;
    Ok(SignedImage { image, record })
}

/// The credential that the image brings, validated. An image with several stores, or with one that cannot be
/// read, brings none: what is removed from it cannot be carried on.
fn parent_credential(asset: &Asset, trust: &TrustAnchors) -> Option<ParentCredential> {
    let stores = asset.manifest_stores();
    let [embedded] = stores.as_slice() else {
        if !stores.is_empty() {
            tracing::warn!(
                stores = stores.len(),
                "the image has several manifest stores; none becomes an ingredient"
            );
        }
        return None;
    };
    let reading = CredentialReading::of(&embedded.bytes, asset.bytes(), asset.format(), trust);
    if reading.active_manifest.is_none() {
        let codes: Vec<&str> = reading.status.iter().map(|status| status.code.as_str()).collect();
        tracing::warn!(?codes, "the image's manifest store cannot be read and does not become an ingredient");
    }
    reading.into_parent(&embedded.bytes)
}

fn inception(has_credential: bool, options: &SignOptions, settings: &SignSettings) -> Inception {
    match options.digital_source_type.or(settings.default_digital_source_type) {
        Some(source) if !has_credential => Inception::Created(source),
        _ => Inception::Opened,
    }
}

/// Everything that the signature is made over.
struct Prepared {
    draft: Draft,
    embedding: Embedding,
    image_hash: Sha256Hash,
    hard_binding: Sha256Hash,
}

/// Lays the signed image out and hashes it, while the fingerprint is computed on a second thread. The
/// fingerprint has a fixed length, so the layout does not wait for it; should there be none, the layout is
/// made again without.
fn prepare(
    asset: &Asset,
    definition: &mut ManifestDefinition<'_>,
    parent: Option<ParentCredential>,
    signer: &dyn Signer,
) -> Result<Prepared, SignError> {
    if definition.fingerprint.is_none() {
        return lay_out(asset, definition, parent, signer);
    }
    let (prepared, fingerprint) = std::thread::scope(|scope| {
        let fingerprint = scope.spawn(|| Fingerprint::of_image(asset.bytes(), asset.format()));
        let prepared = lay_out(asset, definition, parent.clone(), signer);
        (prepared, fingerprint.join())
    });
    match fingerprint {
        Ok(Ok(fingerprint)) => {
            let mut prepared = prepared?;
            definition.fingerprint = Some(fingerprint);
            prepared.draft.set_soft_binding(definition)?;
            Ok(prepared)
        }
        other => {
            let reason = match other {
                Ok(Err(error)) => error.to_string(),
                _ => "the decoder panicked".to_owned(),
            };
            tracing::warn!(reason, "the image has no fingerprint and is signed without a soft binding");
            definition.fingerprint = None;
            lay_out(asset, definition, parent, signer)
        }
    }
}

fn lay_out(
    asset: &Asset,
    definition: &ManifestDefinition<'_>,
    parent: Option<ParentCredential>,
    signer: &dyn Signer,
) -> Result<Prepared, SignError> {
    let draft = Draft::new(definition, asset.format(), parent, signer)?;
    let record = record_payloads(asset, definition.proof_uri);
    let embedding = Embedding::plan(asset, &record, draft.store_length())?;
    let (image_hash, hard_binding) = hash_both(&[asset.bytes()], &embedding.hashed());
    Ok(Prepared { draft, embedding, image_hash, hard_binding })
}

/// The recovery record in every carrier that the image has free, so that nothing of the image is rewritten.
/// It gets a part of its own in every PNG, where XMP is taken, and where an earlier record has such a part:
/// readers look there first, and would find the earlier one.
fn record_payloads(asset: &Asset, proof_uri: &str) -> RecordPayloads {
    let record = RecoveryRecord { proof_uri: proof_uri.to_owned() };
    let free = carriers(asset);
    let own_part = asset.format() == Format::Png || !free.xmp || has_own_part(asset);
    RecordPayloads {
        xmp: free.xmp.then(|| record.xmp_packet().into()),
        exif: free.exif.then(|| record.exif_tiff().into()),
        private: own_part.then(|| record.private_payload().into()),
    }
}

fn has_own_part(asset: &Asset) -> bool {
    asset.chunks(*b"crLk").chain(asset.comments()).any(|payload| !from_private(&payload).is_empty())
}
