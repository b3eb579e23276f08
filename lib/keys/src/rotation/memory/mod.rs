//! What a rotation needs, in the memory of this process: for tests. The outside also comes with [`interruption`]s here, to
//! see what becomes of a rotation that is killed.

#![allow(clippy::unwrap_used, reason = "for tests, which fail by panicking")]

mod authority;
pub mod interruption;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use credlink_pipeline::{
    signer::Signer,
    timestamp::{Clock, Timestamp},
};
use time::{Duration, OffsetDateTime};

pub use authority::{Behaviour, ScriptedAuthority};

use super::{
    RotationPorts,
    ports::{
        Announcer, CandidateKey, Fault, KeyKeeper, KeyName, RotationId, RotationJournal, SignerVersion,
        SignerVersions, SwapError,
    },
};
use crate::{
    algorithm::KeyKind, chain::Chain, error::KeysError, import, local::key_name, pem_file::PemFile,
    private_key::PrivateKey, signer::LocalSigner,
};

/// Keys, signers, the journal and what was announced.
#[derive(Default)]
pub struct Memory(Mutex<Contents>);

#[derive(Default)]
struct Contents {
    keys: Vec<StoredKey>,
    versions: Vec<SignerVersion>,
    active: Option<usize>,
    journal: Option<(u64, String)>,
    told: Vec<(String, String)>,
}

struct StoredKey {
    candidate: CandidateKey,
    /// PKCS#8 in PEM; `None` when it was deleted.
    pem: Option<String>,
    disabled: bool,
}

/// A clock that shows the time of the machine, moved as far as a test wants.
#[derive(Default)]
pub struct MovedClock(Mutex<Duration>);

impl MovedClock {
    /// Moves it, back when `by` is negative.
    pub fn move_by(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    /// Moves it on by whole days.
    pub fn advance_days(&self, days: i64) {
        self.move_by(Duration::days(days));
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        Timestamp::new(OffsetDateTime::now_utc() + *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Memory {
    /// All ports over it, with `authority`.
    pub fn ports(
        self: &Arc<Self>,
        authority: Arc<ScriptedAuthority>,
        clock: Arc<dyn Clock>,
    ) -> RotationPorts {
        RotationPorts {
            keys: Arc::clone(self) as _,
            authority,
            versions: Arc::clone(self) as _,
            journal: Arc::clone(self) as _,
            announcer: Arc::clone(self) as _,
            clock,
        }
    }

    /// What was announced: subjects and texts.
    pub fn told(&self) -> Vec<(String, String)> {
        self.contents().told.clone()
    }

    /// Whether the key can sign.
    pub fn is_usable(&self, key: &KeyName) -> bool {
        self.contents()
            .keys
            .iter()
            .any(|stored| stored.candidate.name == *key && stored.pem.is_some() && !stored.disabled)
    }

    /// Puts something else into the journal, as a hand would.
    pub fn edit_journal(&self, text: &str) {
        let mut contents = self.contents();
        let revision = contents.journal.as_ref().map_or(0, |(revision, _)| *revision);
        contents.journal = Some((revision + 1, text.to_owned()));
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn active(&self) -> Option<&SignerVersion> {
        self.versions.get(self.active?)
    }

    fn key(&mut self, name: &KeyName) -> Result<&mut StoredKey, Fault> {
        let found = self.keys.iter_mut().find(|stored| stored.candidate.name == *name);
        found.ok_or_else(|| Fault::lasting(format!("key {name}"), "there is no such key", "make one"))
    }

    fn secret(&mut self, name: &KeyName) -> Result<PrivateKey, Fault> {
        let stored = self.key(name)?;
        let pem = stored.pem.clone().filter(|_| !stored.disabled);
        let pem = pem.ok_or_else(|| Fault::lasting(format!("key {name}"), "it is disabled", "enable it"))?;
        PrivateKey::read(&PemFile::new("a key in memory", pem.into_bytes()).map_err(|error| refused(&error))?)
            .map_err(|error| refused(&error))
    }

    fn put(&mut self, version: SignerVersion) -> SignerVersion {
        self.active = Some(self.versions.len());
        self.versions.push(version.clone());
        version
    }

    fn check_expected(&self, expected: Option<&str>) -> Result<(), SwapError> {
        let current = self.active().map(|active| active.version.as_str());
        if current == expected { Ok(()) } else { Err(SwapError::LostRace) }
    }

    fn next_version(&self) -> String {
        (self.versions.len() + 1).to_string()
    }
}

#[async_trait]
impl KeyKeeper for Memory {
    async fn make(&self, rotation: RotationId, kind: KeyKind) -> Result<CandidateKey, Fault> {
        let mut contents = self.contents();
        if let Some(found) = contents.keys.iter().find(|stored| stored.candidate.rotation == rotation) {
            return Ok(found.candidate.clone());
        }
        let key = PrivateKey::generate(kind).map_err(|error| refused(&error))?;
        let public_key_info = key.public_key_info().map_err(|error| refused(&error))?;
        let candidate = CandidateKey { name: key_name(key.public_key()), rotation, kind, public_key_info };
        let pem = Some(key.to_pem().map_err(|error| refused(&error))?.to_string());
        contents.keys.push(StoredKey { candidate: candidate.clone(), pem, disabled: false });
        Ok(candidate)
    }

    async fn candidates(&self) -> Result<Vec<CandidateKey>, Fault> {
        let contents = self.contents();
        let signed = |key: &KeyName| contents.versions.iter().any(|version| version.key == *key);
        let candidates = contents.keys.iter().map(|stored| &stored.candidate);
        Ok(candidates.filter(|candidate| !signed(&candidate.name)).cloned().collect())
    }

    async fn sign_request(&self, key: &CandidateKey, message: &[u8]) -> Result<Vec<u8>, Fault> {
        self.contents().secret(&key.name)?.sign_request(message).map_err(|error| refused(&error))
    }

    async fn signer(&self, key: &CandidateKey, chain: &PemFile) -> Result<Arc<dyn Signer>, Fault> {
        let secret = self.contents().secret(&key.name)?;
        let chain = Chain::read(chain).map_err(|error| refused(&error))?;
        Ok(Arc::new(LocalSigner::new(chain, secret, "a key in memory").map_err(|error| refused(&error))?))
    }

    async fn discard(&self, key: &CandidateKey) -> Result<(), Fault> {
        let mut contents = self.contents();
        if contents.versions.iter().all(|version| version.key != key.name) {
            contents.keys.retain(|stored| stored.candidate.name != key.name);
        }
        Ok(())
    }

    async fn disable(&self, key: &KeyName) -> Result<(), Fault> {
        self.contents().key(key)?.disabled = true;
        Ok(())
    }

    async fn delete(&self, key: &KeyName) -> Result<(), Fault> {
        self.contents().key(key)?.pem = None;
        Ok(())
    }

    async fn check(&self, key: &KeyName) -> Result<(), Fault> {
        self.contents().secret(key).map(drop)
    }
}

#[async_trait]
impl SignerVersions for Memory {
    fn place(&self) -> String {
        "the signers in memory".to_owned()
    }

    async fn active(&self) -> Result<Option<SignerVersion>, Fault> {
        Ok(self.contents().active().cloned())
    }

    async fn all(&self) -> Result<Vec<SignerVersion>, Fault> {
        Ok(self.contents().versions.iter().rev().cloned().collect())
    }

    async fn swap(
        &self,
        key: &CandidateKey,
        chain: &PemFile,
        root: &PemFile,
        expected: Option<&str>,
        now: Timestamp,
    ) -> Result<SignerVersion, SwapError> {
        let checked = Chain::read(chain).map_err(|error| refused(&error))?;
        let mut contents = self.contents();
        if let Some(done) = contents.active().filter(|active| active.chain == checked.certificates()) {
            return Ok(done.clone());
        }
        contents.check_expected(expected)?;
        let secret = contents.secret(&key.name)?;
        checked.check_key(&secret, "a key in memory").map_err(|error| refused(&error))?;
        checked.check_dates(now).map_err(|error| refused(&error))?;
        import::matching_roots(root, &checked, chain, now).map_err(|error| refused(&error))?;
        let version = SignerVersion {
            version: contents.next_version(),
            key: key.name.clone(),
            kind: key.kind,
            chain: checked.certificates().to_vec(),
            not_after: checked.summaries().iter().map(|summary| summary.not_after).min().unwrap(),
            activated_at: now,
        };
        Ok(contents.put(version))
    }

    async fn restore(
        &self,
        version: &str,
        expected: Option<&str>,
        now: Timestamp,
    ) -> Result<SignerVersion, SwapError> {
        let mut contents = self.contents();
        contents.check_expected(expected)?;
        let found = contents.versions.iter().find(|known| known.version == version).cloned();
        let found = found.ok_or_else(|| Fault::lasting("version", "there is none", "choose another one"))?;
        if found.not_after < now {
            return Err(Fault::lasting("version", "its certificate expired", "choose another one").into());
        }
        let again = SignerVersion { version: contents.next_version(), activated_at: now, ..found };
        Ok(contents.put(again))
    }
}

#[async_trait]
impl RotationJournal for Memory {
    fn place(&self) -> String {
        "the journal in memory".to_owned()
    }

    async fn read(&self) -> Result<Option<(u64, String)>, Fault> {
        Ok(self.contents().journal.clone())
    }

    async fn write(&self, text: &str, expected: Option<u64>) -> Result<u64, SwapError> {
        let mut contents = self.contents();
        let current = contents.journal.as_ref().map(|(revision, _)| *revision);
        if current != expected {
            return Err(SwapError::LostRace);
        }
        let revision = current.unwrap_or(0) + 1;
        contents.journal = Some((revision, text.to_owned()));
        Ok(revision)
    }
}

#[async_trait]
impl Announcer for Memory {
    async fn announce(&self, subject: &str, text: &str) -> Result<(), Fault> {
        assert!(subject.len() <= 100 && subject.chars().all(|c| (' '..='~').contains(&c)), "{subject:?}");
        self.contents().told.push((subject.to_owned(), text.to_owned()));
        Ok(())
    }
}

fn refused(error: &KeysError) -> Fault {
    Fault::lasting("memory", error.to_string(), "see the test")
}
