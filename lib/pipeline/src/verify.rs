//! The story of a verification: from an image to a report.

use std::collections::HashSet;

use bytes::Bytes;
use thiserror::Error;

use crate::{
    asset::{Asset, NotAnImage},
    certificate::revocation::RevocationService,
    credential::{CredentialReading, Status, StatusKind, ValidationState, later_stamps},
    digest::Sha256Hash,
    extract::{Extraction, Salvaged, extract},
    judged::{Judged, objections_to_store},
    jumbf::manifest_labels,
    kept_credential::{Belonging, KeptCredential},
    legacy,
    proof::{Proof, ProofId, ProofRecord, ProofStore},
    proof_uri::{ProofUriBase, parse_proof_uri},
    stamped_ingredients::excuse_expired,
    timestamp::{Clock, Timestamp},
    trust::TrustAnchors,
    verdict::{Evidence, ProofLookup, ProofSummary, VerificationReport, details, is_valid},
};

/// The status that says: the manifest store that was judged was not in the file, but kept.
pub const RECOVERED: &str = "com.credlink.store.recovered";

/// The status that says: there is a time-stamp that was made later, but the proof store did not give it.
pub const UNREADABLE_STAMP: &str = "com.credlink.timeStamp.unreadable";

/// What verification needs from outside.
#[derive(Clone, Copy)]
pub struct VerifyContext<'a> {
    /// Where proofs are kept.
    pub proofs: &'a dyn ProofStore,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Whom to trust.
    pub trust: &'a TrustAnchors,
    /// Asks whether certificates were revoked; `None` when nobody is to be asked.
    pub revocation: Option<&'a RevocationService>,
    /// Which proof URIs are our own.
    pub proof_uris: &'a ProofUriBase,
    /// The longest file that is read, in bytes.
    pub max_bytes: usize,
}

/// Why there is no report. A damaged image is not a reason: it gets a report.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// Not a single byte.
    #[error("the file is empty; send an image")]
    Empty,
    /// The first bytes are those of no known format.
    #[error(transparent)]
    NotAnImage(#[from] NotAnImage),
    /// Longer than the limit.
    #[error("the file has {length} bytes; send one of at most {limit} bytes")]
    TooLarge {
        /// Bytes in the file.
        length: usize,
        /// Bytes that are taken.
        limit: usize,
    },
}

/// Verifies `image`.
///
/// # Errors
/// [`VerifyError`], only when there is no image to speak of.
pub async fn verify(image: Bytes, context: &VerifyContext<'_>) -> Result<VerificationReport, VerifyError> {
    let started = context.clock.now();
    if image.is_empty() {
        return Err(VerifyError::Empty);
    }
    if image.len() > context.max_bytes {
        return Err(VerifyError::TooLarge { length: image.len(), limit: context.max_bytes });
    }
    let (asset, damage) = Asset::read_leniently(image)?;
    let extraction = extract(&asset, &damage);
    let case = Case { asset, extraction, context, now: started };
    let finding = match case.embedded().await {
        Some(finding) if finding.is_readable() => finding,
        unreadable => case.kept(unreadable).await,
    };
    Ok(case.report(finding))
}

/// The image in question, and what it carries.
struct Case<'a> {
    asset: Asset,
    extraction: Extraction,
    context: &'a VerifyContext<'a>,
    now: Timestamp,
}

/// What was found for it.
struct Finding {
    /// The credential; `None` when there is none that is this image's.
    judged: Option<Judged>,
    /// SHA-256 of the manifest store in the file.
    embedded_hash: Option<Sha256Hash>,
    lookup: ProofLookup,
    /// How the image and the credential that is kept for it belong together; `None` when none was looked for or found.
    belonging: Option<Belonging>,
}

impl Finding {
    fn is_readable(&self) -> bool {
        self.judged.as_ref().is_some_and(|judged| judged.reading.active_manifest.is_some())
    }
}

impl Case<'_> {
    /// The credential in the file, and what became of its proof.
    async fn embedded(&self) -> Option<Finding> {
        let found = self.extraction.store.as_ref()?;
        let mut reading =
            CredentialReading::of(&found.store, self.asset.bytes(), self.asset.format(), self.context.trust);
        reading.status.extend(objections_to_store(found, &reading));
        let lookup = self.look_up_embedded(&reading, &found.store).await;
        let hash = Sha256Hash::of(&found.store);
        // A stamp that is kept belongs to the manifest that was stored, and to no other under its name.
        let record = lookup.record().filter(|record| record.manifest_hash == hash);
        Some(Finding {
            judged: Some(self.judged(reading, &found.store, record).await),
            embedded_hash: Some(hash),
            lookup,
            belonging: None,
        })
    }

    /// Judges a credential with everything that vouches for its time: what stands in `store`, and what is kept with its
    /// proof, if `record` is that.
    async fn judged(
        &self,
        mut reading: CredentialReading,
        store: &[u8],
        record: Option<&ProofRecord>,
    ) -> Judged {
        let mut kept_stamps = Vec::new();
        if let (Some(record), Some(label)) = (record, &reading.active_manifest) {
            match self.kept_stamps(record, label).await {
                Ok(stamps) => kept_stamps = stamps,
                Err(unreadable) => reading.status.push(unreadable),
            }
        }
        let mut judged = Judged::of(reading, &kept_stamps, self.context, self.now).await;
        excuse_expired(&mut judged.status, store, self.context.trust, self.now).await;
        judged
    }

    /// The time-stamps of the manifest `label` that were made later and are kept with its proof.
    async fn kept_stamps(&self, record: &ProofRecord, label: &str) -> Result<Vec<Vec<u8>>, Status> {
        if record.stamped.is_none() {
            return Ok(Vec::new());
        }
        match self.context.proofs.stamped_store(record.id, self.now).await {
            Ok(stamped) => Ok(stamped.map(|store| later_stamps(&store, label)).unwrap_or_default()),
            Err(error) => {
                tracing::error!(id = %record.id, %error, "the proof store did not give a time-stamp that is kept");
                let reason = "a time-stamp is kept with the proof, but it could not be read";
                Err(Status::new(StatusKind::Informational, UNREADABLE_STAMP, reason))
            }
        }
    }

    /// The manifest asserts a proof URI, or a recovery record stands beside it. A record that names an earlier version
    /// of the image is history: who signs an image again need not know our records.
    async fn look_up_embedded(&self, reading: &CredentialReading, store: &[u8]) -> ProofLookup {
        let asserted = reading.proof_uri.as_deref();
        let Some(uri) = asserted.or(self.extraction.proof_uri.as_deref()) else {
            return ProofLookup::NotNamed;
        };
        let id = match self.own_id(uri) {
            Some(id) => id,
            None => return ProofLookup::Foreign,
        };
        let is_history = asserted.is_none()
            && reading.active_manifest.as_deref() != Some(id.manifest_label().as_str())
            && manifest_labels(store).contains(&id.manifest_label().as_str());
        match self.context.proofs.record(id, self.now).await {
            Ok(Some(record)) if is_history => ProofLookup::OfIngredient(record),
            Ok(Some(record)) => ProofLookup::Found(record),
            Ok(None) => ProofLookup::Unknown,
            Err(error) => {
                tracing::error!(%id, %error, "the proof store did not answer");
                ProofLookup::NotAnswered
            }
        }
    }

    /// The credential that is kept for the image: under the proof that the image names, or for its very bytes.
    /// `unreadable` is what the file itself has.
    async fn kept(&self, unreadable: Option<Finding>) -> Finding {
        let (judged, embedded_hash) = match unreadable {
            Some(finding) => (finding.judged, finding.embedded_hash),
            None => (None, None),
        };
        let mut finding = Finding { judged, embedded_hash, lookup: ProofLookup::NotNamed, belonging: None };
        let proof = match self.kept_proof().await {
            Ok(proof) => proof,
            Err(lookup) => {
                finding.lookup = lookup;
                // A broken store is not mended by an older proof beside it.
                if finding.judged.is_none() {
                    finding.judged = self.legacy().await;
                }
                return finding;
            }
        };
        let kept = KeptCredential::judge(&self.asset, &proof, self.context.trust);
        finding.belonging = Some(kept.belonging);
        finding.lookup = match kept.belonging {
            Belonging::Original
            | Belonging::Unchanged
            | Belonging::UnchangedButStore
            | Belonging::Changed { .. } => ProofLookup::Recovered(proof.record),
            Belonging::OtherPicture { .. } => ProofLookup::OfOtherPicture(proof.record),
            Belonging::Unknown => ProofLookup::Incomparable(proof.record),
        };
        if let ProofLookup::Recovered(_) = finding.lookup {
            let mut reading = kept.reading;
            reading.status.extend(status_of_recovery(kept.belonging));
            finding.judged = Some(self.judged(reading, &proof.manifest_store, finding.lookup.record()).await);
        }
        finding
    }

    /// The credential of CredLink's first system, if that is what the image carries.
    async fn legacy(&self) -> Option<Judged> {
        let manifest = self.extraction.legacy_manifest.as_deref()?;
        let credential = legacy::read(manifest, &self.asset, self.context.trust)?;
        Some(Judged::of(CredentialReading::from(credential), &[], self.context, self.now).await)
    }

    /// The proof to judge the image by, or why there is none.
    async fn kept_proof(&self) -> Result<Proof, ProofLookup> {
        let named = self.named_proofs();
        if named.is_empty() && self.named_uris().next().is_some() {
            return Err(ProofLookup::Foreign);
        }
        if named.is_empty() {
            return self.proof_of_these_bytes().await.ok_or(ProofLookup::NotNamed);
        }
        for id in named {
            match self.context.proofs.proof(id, self.now).await {
                Ok(Some(proof)) => return Ok(proof),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%id, %error, "the proof store did not answer");
                    return Err(ProofLookup::NotAnswered);
                }
            }
        }
        Err(ProofLookup::Unknown)
    }

    /// The proofs that the image may mean, the likeliest first: those of the records, then what the pieces of a broken
    /// store still tell. A manifest's label is the name of its proof.
    fn named_proofs(&self) -> Vec<ProofId> {
        let labels = self.extraction.salvaged.iter().flat_map(Salvaged::proof_ids);
        let mut ids: Vec<ProofId> =
            self.named_uris().filter_map(|uri| self.own_id(uri)).chain(labels).collect();
        let mut seen = HashSet::new();
        ids.retain(|id| seen.insert(*id));
        ids
    }

    fn named_uris(&self) -> impl Iterator<Item = &str> {
        let salvaged = self.extraction.salvaged.as_ref().and_then(|salvaged| salvaged.proof_uri.as_deref());
        self.extraction.proof_uri.as_deref().into_iter().chain(salvaged)
    }

    /// The newest proof of an image that is, to the byte, what was sent to be signed.
    async fn proof_of_these_bytes(&self) -> Option<Proof> {
        let hash = Sha256Hash::of(self.asset.bytes());
        let answer = async {
            match self.context.proofs.find_by_image_hash(hash, self.now).await?.first() {
                Some(newest) => self.context.proofs.proof(newest.id, self.now).await,
                None => Ok(None),
            }
        };
        answer.await.unwrap_or_else(|error| {
            tracing::error!(%hash, %error, "the proof store did not answer");
            None
        })
    }

    fn own_id(&self, uri: &str) -> Option<ProofId> {
        parse_proof_uri(uri, self.context.proof_uris).ok()
    }

    fn report(self, finding: Finding) -> VerificationReport {
        let Finding { judged, embedded_hash, lookup, belonging } = finding;
        // Only an image from before it was signed has nothing missing.
        let is_damaged =
            matches!(lookup, ProofLookup::Recovered(_)) && belonging != Some(Belonging::Original);
        let evidence = Evidence { judged: judged.as_ref(), lookup: &lookup, embedded_hash };
        let score = evidence.score();
        let substitution = evidence.substitution();
        let details = details(&score);
        let state = judged.as_ref().map_or(ValidationState::None, Judged::state);
        let (status, certificate, manifest, ingredients) = match judged {
            Some(Judged { reading, status, certificate }) => {
                (status, certificate, reading.manifest, reading.ingredients)
            }
            None => (Vec::new(), None, None, Vec::new()),
        };
        let mut extraction = self.extraction.report();
        extraction.corrupted |= is_damaged;
        extraction.notes.extend(belonging.map(note_on));
        let finished = self.context.clock.now();
        VerificationReport {
            valid: is_valid(&details, &status, substitution.as_ref()),
            confidence: score.iter().map(|row| row.points).sum(),
            details,
            state,
            extraction,
            score,
            status,
            certificate,
            proof: lookup.record().map(ProofSummary::from),
            substitution,
            manifest,
            ingredients,
            timestamp: finished,
            processing_time: finished.milliseconds_since(self.now),
        }
    }
}

/// What is to be said of a credential that was put back. A file with a broken store is broken, and so is one with
/// several stores (C2PA 2.4, section 15.5): putting the right one back does not mend that.
fn status_of_recovery(belonging: Belonging) -> Vec<Status> {
    let recovered = "the file has no manifest store that can be read; the one that is kept was judged";
    let mut status = vec![Status::new(StatusKind::Informational, RECOVERED, recovered)];
    if belonging == Belonging::UnchangedButStore {
        let broken =
            "the file carries a manifest store that is damaged, or several; nothing else has changed";
        status.push(Status::new(StatusKind::Failure, "com.credlink.store.damaged", broken));
    }
    status
}

fn note_on(belonging: Belonging) -> String {
    match belonging {
        Belonging::Original => "the image is, to the byte, one that was signed here".to_owned(),
        Belonging::Unchanged => {
            "the kept manifest store was put back in its place, and the content is unchanged".to_owned()
        }
        Belonging::UnchangedButStore => {
            "the kept manifest store was put in the place of the damaged one, and the content is unchanged".to_owned()
        }
        Belonging::Changed { distance } => format!(
            "the picture looks like the one that was signed ({distance} of 256 bits of the fingerprint differ), but \
             its bytes have changed"
        ),
        Belonging::OtherPicture { distance } => format!(
            "the proof that the image names is of another picture ({distance} of 256 bits of the fingerprint differ)"
        ),
        Belonging::Unknown => {
            "whether the proof that the image names is of this picture cannot be told: the bytes have changed, and \
             the pictures cannot be compared"
                .to_owned()
        }
    }
}
