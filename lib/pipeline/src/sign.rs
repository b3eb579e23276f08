//! The story of a signature: from an image to a signed image and a durable proof.

use std::{
    panic,
    thread::{self, Scope, ScopedJoinHandle},
};

use bytes::Bytes;
use thiserror::Error;

use crate::{
    asset::{Asset, AssetError, Format, Limits},
    certificate::{self, revocation::RevocationService},
    credential::{CredentialError, CredentialReading, Draft, ParentCredential, SignedStore, Witnesses},
    digest::{ImageDigest, Sha256Hash},
    embed::{EmbedError, Embedding, RecordPayloads, Rope, carriers},
    fingerprint::{Fingerprint, FingerprintError},
    manifest::{DigitalSourceType, Inception, ManifestDefinition, SignOptions},
    proof::{Proof, ProofId, ProofRecord, ProofStore, ProofStoreError, SignatureLife},
    proof_uri::ProofUriBase,
    recovery::{RecoveryRecord, from_private},
    signer::{Signer, SignerError},
    time_stamp_authority::{StampError, TimeStampAuthority},
    timestamp::{Clock, Timestamp},
    trust::TrustAnchors,
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
    /// Stamps signatures; `None` when nobody does.
    pub time_stamps: Option<&'a dyn TimeStampAuthority>,
    /// Where the OCSP response comes from that is stapled to signatures; `None` when nobody is asked.
    pub revocation: Option<&'a RevocationService>,
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
    /// Whether each image is left to the thread that signs it, without helpers: who signs as many at once as there are cores
    /// gains nothing by them.
    pub one_thread: bool,
}

impl Default for SignSettings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            proof_lifetime_days: 365,
            default_digital_source_type: None,
            creative_work: false,
            fingerprint: true,
            one_thread: false,
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
    /// What became of the time-stamp.
    pub stamp: StampOutcome,
}

/// Whether a signature says when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StampOutcome {
    /// Nobody was asked, or the image was signed earlier.
    NotAsked,
    /// It does.
    Stamped,
    /// It does not, although a time-stamp authority is configured.
    Missing(StampError),
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
    /// Another image was signed under this id before. Only [`sign_once`](crate::sign_once::sign_once) says so.
    #[error("the proof {0} belongs to another image")]
    OtherImage(ProofId),
}

impl From<CredentialError> for SignError {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::Signer(error) => Self::Signer(error),
            CredentialError::Library(_) => Self::Credential(error.to_string()),
        }
    }
}

/// Signs `image` under a new id and keeps the proof. When this returns, the proof is durable.
///
/// Mostly processor work: about a SHA-256 of the image, and on other threads, unless the settings say otherwise, another one
/// and the fingerprint.
///
/// # Errors
/// [`SignError`]; then nothing was stored.
pub async fn sign(
    image: Bytes,
    options: &SignOptions,
    context: &SignContext<'_>,
) -> Result<SignedImage, SignError> {
    sign_as(ProofId::random(), image, options, context).await
}

/// Like [`sign`], under the given id, which must be free.
pub(crate) async fn sign_as(
    id: ProofId,
    image: Bytes,
    options: &SignOptions,
    context: &SignContext<'_>,
) -> Result<SignedImage, SignError> {
    let now = context.clock.now();
    let proof_uri = context.proof_uris.uri_for(id);
    let mut definition = ManifestDefinition {
        id,
        // Until the image is read: it may bring a credential.
        inception: Inception::Opened,
        fingerprint: context.settings.fingerprint.then_some(Fingerprint::PENDING),
        proof_uri: &proof_uri,
        expires_at: now.plus_days(context.settings.proof_lifetime_days),
        options,
        creative_work: context.settings.creative_work,
    };
    let witnesses = witnesses(context, now).await;
    let prepared = prepare(&image, &mut definition, context, &witnesses)?;
    let exclusion = prepared.embedding.exclusion();
    let SignedStore { store, stamp } =
        prepared.draft.sign(prepared.hard_binding, exclusion, context.signer, &witnesses).await?;
    let store = Bytes::from(store);
    let record = ProofRecord {
        id,
        uri: proof_uri.clone(),
        image_hash: prepared.image_hash,
        manifest_hash: Sha256Hash::of(&store),
        fingerprint: definition.fingerprint.map(|fingerprint| fingerprint.to_string()),
        format: prepared.format,
        image_length: image.len() as u64,
        created_at: now,
        expires_at: definition.expires_at,
        signature: certificate::valid_until(context.signer.chain())
            .map(|valid_until| SignatureLife { valid_until, stamped: stamp == Some(Ok(())) }),
        stamped: None,
    };
    let image = prepared.embedding.finish(&store)?;
    context.proofs.put(&Proof { record: record.clone(), manifest_store: store }).await?;
    Ok(SignedImage { image, record, stamp: outcome(stamp) })
}

/// Who vouches beside the signer. Who does not answer is missing, and nothing else happens.
async fn witnesses<'a>(context: &SignContext<'a>, now: Timestamp) -> Witnesses<'a> {
    let staple = match context.revocation {
        Some(revocation) => revocation.staple(context.signer.chain(), now).await,
        None => None,
    };
    Witnesses::gather(context.time_stamps, staple).await
}

fn outcome(stamp: Option<Result<(), StampError>>) -> StampOutcome {
    match stamp {
        None => StampOutcome::NotAsked,
        Some(Ok(())) => StampOutcome::Stamped,
        Some(Err(reason)) => {
            tracing::warn!(%reason, "the image is signed without a time-stamp");
            StampOutcome::Missing(reason)
        }
    }
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
    format: Format,
    draft: Draft,
    embedding: Embedding,
    image_hash: Sha256Hash,
    hard_binding: Sha256Hash,
}

/// Reads the image, lays the signed one out and hashes both. The fingerprint has a fixed length, so the layout does not wait
/// for it; should there be none, the layout is made again without.
fn prepare(
    image: &Bytes,
    definition: &mut ManifestDefinition<'_>,
    context: &SignContext<'_>,
    witnesses: &Witnesses<'_>,
) -> Result<Prepared, SignError> {
    thread::scope(|scope| {
        let helpers = (!context.settings.one_thread).then_some(scope);
        let image_digest = ImageDigest::begin(helpers, image);
        let asset = Asset::parse(image.clone(), &context.settings.limits)?;
        let format = asset.format();
        let fingerprint = definition.fingerprint.map(|_| PendingFingerprint::begin(helpers, image, format));
        let parent = parent_credential(&asset, context.trust);
        definition.inception = inception(parent.is_some(), definition.options, context.settings);
        let (mut draft, mut embedding) =
            lay_out(&asset, definition, parent.clone(), context.signer, witnesses)?;
        let (image_hash, mut hard_binding) = image_digest.finish_with(&embedding.hashed());
        if let Some(fingerprint) = fingerprint {
            definition.fingerprint = fingerprint.finish();
            if definition.fingerprint.is_some() {
                draft.set_soft_binding(definition)?;
            } else {
                (draft, embedding) = lay_out(&asset, definition, parent, context.signer, witnesses)?;
                hard_binding = Sha256Hash::of_pieces(&embedding.hashed());
            }
        }
        Ok(Prepared { format, draft, embedding, image_hash, hard_binding })
    })
}

/// The fingerprint of an image: a helper makes it meanwhile, or who needs it later does.
enum PendingFingerprint<'scope> {
    Begun(ScopedJoinHandle<'scope, Result<Fingerprint, FingerprintError>>),
    Later(&'scope [u8], Format),
}

impl<'scope> PendingFingerprint<'scope> {
    fn begin(helpers: Option<&'scope Scope<'scope, '_>>, image: &'scope [u8], format: Format) -> Self {
        match helpers {
            Some(helpers) => Self::Begun(helpers.spawn(move || Fingerprint::of_image(image, format))),
            None => Self::Later(image, format),
        }
    }

    /// Without one the image is signed all the same, and the log says why.
    fn finish(self) -> Option<Fingerprint> {
        let outcome = match self {
            Self::Begun(helper) => helper.join(),
            Self::Later(image, format) => panic::catch_unwind(|| Fingerprint::of_image(image, format)),
        };
        let reason = match outcome {
            Ok(Ok(fingerprint)) => return Some(fingerprint),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the decoder panicked".to_owned(),
        };
        tracing::warn!(reason, "the image has no fingerprint and is signed without a soft binding");
        None
    }
}

fn lay_out(
    asset: &Asset,
    definition: &ManifestDefinition<'_>,
    parent: Option<ParentCredential>,
    signer: &dyn Signer,
    witnesses: &Witnesses<'_>,
) -> Result<(Draft, Embedding), SignError> {
    let draft = Draft::new(definition, asset.format(), parent, signer, witnesses)?;
    let record = record_payloads(asset, definition.proof_uri);
    let embedding = Embedding::plan(asset, &record, draft.store_length())?;
    Ok((draft, embedding))
}

/// The recovery record in every carrier that the image has free, so that nothing of the image is rewritten.
/// It gets a part of its own in every PNG, where XMP is taken, and where an earlier record has such a part:
/// readers look there first, and would find the earlier one.
pub(crate) fn record_payloads(asset: &Asset, proof_uri: &str) -> RecordPayloads {
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
