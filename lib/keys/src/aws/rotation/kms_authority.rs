//! The internal authority with its keys in KMS: a root, an intermediate below it, and the leaves that it issues.
//!
//! It is made on first use. Both keys are on P-256, as those of the local authority. A key says in its tags whose it is
//! before any certificate names it, and certificates count once they stand in the table; so a first use that was killed
//! is completed by the next, and of two at once one wins and the other one's keys are given up.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_kms::Client;
use credlink_pipeline::timestamp::Timestamp;
use rcgen::{CertificateParams, Error, Issuer, SubjectPublicKeyInfo};
use time::OffsetDateTime;
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use super::{
    authority_item::{AuthorityItem, AuthorityState, Issued},
    signature::sign_as_x509,
    tagged_keys::{self, AUTHORITY_TAG, TaggedKeys},
};
use crate::{
    algorithm::KeyKind,
    authority::LEAF_DAYS,
    aws::key::KmsKey,
    chain,
    error::KeysError,
    issuance,
    pem_file::PemFile,
    remote_signature::{RemoteKey, Unsigned},
    rotation::{
        ports::{Authority, Fault, Issuance, RotationId},
        verified_public_key,
    },
    trust,
};

/// Whom its certificates name.
const ORGANIZATION: &str = "CredLink";
/// How long its own certificates must last beyond now, in days, so that no leaf outlives them.
const LEAST_DAYS: i64 = LEAF_DAYS + 1;
/// When a key that nobody needs is gone: the least that KMS allows.
const DISCARD_DAYS: i32 = 7;
/// How old a key is when nobody can be about to use it for the first time any more.
const ABANDONED_AFTER: time::Duration = time::Duration::days(1);
/// How often it is tried again when somebody else wrote meanwhile.
const MAX_ATTEMPTS: usize = 4;

/// The internal authority of one stack. Takes what [`KmsKeyKeeper`](super::KmsKeyKeeper) takes, and
/// `dynamodb:GetItem` and `dynamodb:PutItem`.
#[derive(Clone, Debug)]
pub struct KmsAuthority {
    keys: TaggedKeys,
    item: AuthorityItem,
}

impl KmsAuthority {
    /// The authority of the stack `stack`, which is written down in `table`.
    pub fn new(
        kms: Client,
        dynamo: aws_sdk_dynamodb::Client,
        stack: impl Into<String>,
        table: impl Into<String>,
    ) -> Self {
        Self { keys: TaggedKeys::new(kms, stack.into()), item: AuthorityItem::new(dynamo, table.into()) }
    }

    /// Waits no longer than `patience` for the right to sign with a new key.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { keys: self.keys.with_patience(patience), ..self }
    }

    /// Whether `chain` (DER, leaf first) leads to its root, or to one that it had before.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn issued(&self, chain: &[Vec<u8>]) -> Result<bool, Fault> {
        let state = self.item.read().await?;
        Ok(state.zip(chain.last()).is_some_and(|((_, state), last)| trust::leads_to(last, &state.roots)))
    }

    /// Issues a leaf for the key with this public half, and writes it down together with what the authority had to
    /// make for it. False when somebody else wrote meanwhile.
    async fn issue(
        &self,
        rotation: RotationId,
        public_key_info: &[u8],
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let found = self.item.read().await?;
        let revision = found.as_ref().map(|(revision, _)| *revision);
        let state = found.map(|(_, state)| state);
        if state
            .as_ref()
            .and_then(|state| state.issued.as_ref())
            .is_some_and(|issued| issued.rotation == rotation)
        {
            return Ok(true);
        }
        self.sweep(state.as_ref(), now).await?;
        let mut work = Work { authority: self, generation: revision.unwrap_or(0) + 1, made: Vec::new(), now };
        let mut state = work.ready(state).await?;
        let leaf = work.leaf(&state, public_key_info).await?;
        state.issued = Some(Issued { rotation, chain: vec![leaf, state.intermediate.clone()] });
        let made = work.made;
        if self.item.write(&state, revision).await? {
            return Ok(true);
        }
        let winner = self.item.read().await?.map(|(_, state)| state);
        for arn in made.iter().filter(|arn| !names(winner.as_ref(), arn)) {
            self.keys.schedule_deletion(arn, DISCARD_DAYS).await?;
        }
        Ok(false)
    }

    /// Gives up keys that were made for the authority and that it does not name: of a first use that was killed, or of
    /// certificates that were replaced.
    async fn sweep(&self, state: Option<&AuthorityState>, now: Timestamp) -> Result<(), Fault> {
        for key in self.keys.with_tag(AUTHORITY_TAG).await? {
            if names(state, &key.arn) {
                continue;
            }
            let Some(metadata) = self.keys.describe(&key.arn).await? else { continue };
            if metadata.key_state.as_ref().is_some_and(tagged_keys::is_leaving) {
                continue;
            }
            let made_at = metadata.creation_date.map(|date| date.secs());
            let made_at = made_at.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
            if made_at.is_some_and(|made_at| now.as_offset_date_time() - made_at > ABANDONED_AFTER) {
                tracing::warn!(key = key.arn, purpose = key.value, "giving up a key that no authority names");
                self.keys.schedule_deletion(&key.arn, DISCARD_DAYS).await?;
            }
        }
        Ok(())
    }

    /// Makes a certificate with the key `arn`, whose public half is `public_key_info`.
    async fn certificate<B>(&self, arn: &str, public_key_info: &[u8], build: B) -> Result<Vec<u8>, Fault>
    where
        B: Fn(&RemoteKey<'_>) -> Result<Vec<u8>, Error>,
    {
        let failed = |error: Error| {
            Fault::lasting(
                self.name(),
                format!("no certificate can be made ({error})"),
                self.item.begin_anew(),
            )
        };
        let unsigned = Unsigned::prepare(public_key_info, build).map_err(failed)?;
        let signature = sign_as_x509(&self.keys, arn, KeyKind::P256, unsigned.message()).await;
        let signature = signature.map_err(|fault| match fault.passing {
            true => fault,
            false => Fault { fix: format!("{}; or {}", fault.fix, self.item.begin_anew()), ..fault },
        })?;
        unsigned.finish(&signature).map_err(failed)
    }

    fn unusable(&self, error: &KeysError) -> Fault {
        Fault::lasting(self.name(), error.to_string(), self.item.begin_anew())
    }
}

#[async_trait]
impl Authority for KmsAuthority {
    fn name(&self) -> String {
        format!("the internal authority, {}", self.item.place())
    }

    /// The receipt is the name of the rotation.
    async fn request(&self, rotation: RotationId, request: &[u8], now: Timestamp) -> Result<String, Fault> {
        let public_key_info = verified_public_key(request).map_err(|problem| {
            Fault::lasting(self.name(), format!("the request is refused: {problem}"), "begin a new rotation")
        })?;
        for _ in 0..MAX_ATTEMPTS {
            if self.issue(rotation, &public_key_info, now).await? {
                return Ok(rotation.to_string());
            }
        }
        Err(Fault::passing(self.name(), "others changed it all the time", "it is tried again later"))
    }

    async fn collect(
        &self,
        rotation: RotationId,
        _receipt: &str,
        _now: Timestamp,
    ) -> Result<Issuance, Fault> {
        let state = self.item.read().await?.map(|(_, state)| state);
        let Some((state, issued)) = state.as_ref().and_then(|state| Some((state, state.issued.as_ref()?)))
        else {
            return Err(self.lost(rotation));
        };
        if issued.rotation != rotation {
            return Err(self.lost(rotation));
        }
        let last = issued.chain.last().map(Vec::as_slice).unwrap_or_default();
        let root = state.roots.iter().find(|root| trust::leads_to(last, std::slice::from_ref(root)));
        let root = root.map_or(state.root(), Vec::as_slice);
        let file = |name: &str, ders: &[Vec<u8>]| {
            PemFile::new(format!("the {name} of {}", self.name()), trust::encode(ders).into_bytes())
                .map_err(|error| self.unusable(&error))
        };
        Ok(Issuance::Issued { chain: file("chain", &issued.chain)?, root: file("root", &[root.to_vec()])? })
    }

    async fn forget(&self, rotation: RotationId, _receipt: &str) -> Result<(), Fault> {
        for _ in 0..MAX_ATTEMPTS {
            let Some((revision, state)) = self.item.read().await? else { return Ok(()) };
            if state.issued.as_ref().is_none_or(|issued| issued.rotation != rotation) {
                return Ok(());
            }
            if self.item.write(&AuthorityState { issued: None, ..state }, Some(revision)).await? {
                return Ok(());
            }
        }
        Err(Fault::passing(self.name(), "others changed it all the time", "it is tried again later"))
    }
}

impl KmsAuthority {
    fn lost(&self, rotation: RotationId) -> Fault {
        Fault::lasting(
            self.name(),
            format!("the certificate for rotation {rotation} is not there any more"),
            "nothing needs to be done; the next rotation asks again",
        )
    }
}

/// Whether the authority uses the key.
fn names(state: Option<&AuthorityState>, arn: &str) -> bool {
    state.is_some_and(|state| state.root_key == arn || state.intermediate_key == arn)
}

/// One attempt to issue, with the keys that it made.
struct Work<'a> {
    authority: &'a KmsAuthority,
    /// Stands in the tags of new keys, so that a later attempt at the same finds them.
    generation: u64,
    made: Vec<String>,
    now: Timestamp,
}

impl Work<'_> {
    /// The authority with a root and an intermediate that outlast a new leaf; what is missing or near its end is made.
    async fn ready(&mut self, state: Option<AuthorityState>) -> Result<AuthorityState, Fault> {
        let (root_key, roots) = match &state {
            Some(state) if self.lasts(state.root()) => (state.root_key.clone(), state.roots.clone()),
            _ => {
                let (key, root) = self.root().await?;
                let former = state.as_ref().map(|state| state.roots.as_slice()).unwrap_or_default();
                (key, [&[root], former].concat())
            }
        };
        let root = roots.first().map(Vec::as_slice).unwrap_or_default();
        let current = |state: &AuthorityState| {
            self.lasts(&state.intermediate) && chain::is_issued_by(&state.intermediate, root)
        };
        if let Some(state) = state.filter(current) {
            return Ok(AuthorityState { root_key, roots, ..state });
        }
        let (intermediate_key, intermediate) = self.intermediate(&root_key, root).await?;
        Ok(AuthorityState { root_key, roots, intermediate_key, intermediate, issued: None })
    }

    /// A new root: its key and its certificate.
    async fn root(&mut self) -> Result<(String, Vec<u8>), Fault> {
        let key = self.key("root").await?;
        let params =
            issuance::root(ORGANIZATION, self.now).map_err(|error| self.authority.unusable(&error))?;
        let build = |key: &RemoteKey<'_>| params.self_signed(key).map(|root| root.der().to_vec());
        let certificate = self.authority.certificate(key.arn(), key.public_key_info(), build).await?;
        tracing::info!(key = key.arn(), "made the root of the internal authority");
        Ok((key.arn().to_owned(), certificate))
    }

    /// A new intermediate below `root`.
    async fn intermediate(&mut self, root_key: &str, root: &[u8]) -> Result<(String, Vec<u8>), Fault> {
        let key = self.key("intermediate").await?;
        let params = issuance::intermediate(ORGANIZATION, ends(root), self.now);
        let params = params.map_err(|error| self.authority.unusable(&error))?;
        let certificate = self.signed(root_key, root, &params, key.public_key_info()).await?;
        tracing::info!(key = key.arn(), "made the intermediate of the internal authority");
        Ok((key.arn().to_owned(), certificate))
    }

    /// A leaf below the intermediate.
    async fn leaf(&self, state: &AuthorityState, public_key_info: &[u8]) -> Result<Vec<u8>, Fault> {
        let params = issuance::leaf(ORGANIZATION, ends(&state.intermediate), self.now);
        let params = params.map_err(|error| self.authority.unusable(&error))?;
        self.signed(&state.intermediate_key, &state.intermediate, &params, public_key_info).await
    }

    /// A certificate for `subject` (`SubjectPublicKeyInfo` in DER), signed by the key `arn` of `issuer` (DER).
    async fn signed(
        &self,
        arn: &str,
        issuer: &[u8],
        params: &CertificateParams,
        subject: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        let build = |key: &RemoteKey<'_>| {
            let subject = SubjectPublicKeyInfo::from_der(subject)?;
            let issuer = Issuer::from_ca_cert_der(&issuer.into(), key)?;
            params.signed_by(&subject, &issuer).map(|certificate| certificate.der().to_vec())
        };
        let certificate = self.authority.certificate(arn, &public_key_info(issuer), build).await?;
        if chain::is_issued_by(&certificate, issuer) {
            return Ok(certificate);
        }
        Err(Fault::lasting(
            tagged_keys::resource(arn),
            format!("its signature does not match the certificate that {} has for it", self.authority.name()),
            self.authority.item.begin_anew(),
        ))
    }

    /// A new key of the authority: made now, or left by an attempt that was broken off.
    async fn key(&mut self, purpose: &str) -> Result<KmsKey, Fault> {
        let value = format!("{purpose}-{}", self.generation);
        let keys = &self.authority.keys;
        for tagged in keys.with_tag(AUTHORITY_TAG).await? {
            if tagged.value == value && keys.is_usable(&tagged.arn).await? {
                self.made.push(tagged.arn.clone());
                return keys.read(&tagged.arn).await;
            }
        }
        let key = keys.make(KeyKind::P256, AUTHORITY_TAG, &value).await?;
        self.made.push(key.arn().to_owned());
        Ok(key)
    }

    /// Whether a certificate is valid now, and for longer than a new leaf.
    fn lasts(&self, certificate: &[u8]) -> bool {
        let now = self.now.as_offset_date_time();
        chain::summary(certificate).is_some_and(|summary| {
            let (begins, ends) = (summary.not_before, summary.not_after);
            begins.as_offset_date_time() <= now
                && ends.as_offset_date_time() - now >= time::Duration::days(LEAST_DAYS)
        })
    }
}

/// When a certificate expires. One that cannot be read has expired.
fn ends(certificate: &[u8]) -> OffsetDateTime {
    let summary = chain::summary(certificate);
    summary.map_or(OffsetDateTime::UNIX_EPOCH, |summary| summary.not_after.as_offset_date_time())
}

/// The public key of a certificate, `SubjectPublicKeyInfo` in DER; empty when it cannot be read.
fn public_key_info(certificate: &[u8]) -> Vec<u8> {
    X509Certificate::from_der(certificate)
        .map(|(_, parsed)| parsed.public_key().raw.to_vec())
        .unwrap_or_default()
}
