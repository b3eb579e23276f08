//! Keys of rotations, in files.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use credlink_pipeline::signer::Signer;

use super::{
    blocking::{blocking, fault},
    versions::{self, previous_signers},
};
use crate::{
    algorithm::KeyKind,
    chain::{self, Chain},
    error::KeysError,
    folder::{CANDIDATES, KeyFolder, SIGNER},
    local::key_name,
    pem_file::PemFile,
    private_key::PrivateKey,
    rotation::ports::{CandidateKey, Fault, KeyKeeper, KeyName, RotationId},
    signer::LocalSigner,
    trust,
};

/// The keys of a key folder.
#[derive(Clone, Debug)]
pub struct FolderKeys(KeyFolder);

impl FolderKeys {
    /// The keys in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self(KeyFolder::new(folder))
    }
}

#[async_trait]
impl KeyKeeper for FolderKeys {
    async fn make(&self, rotation: RotationId, kind: KeyKind) -> Result<CandidateKey, Fault> {
        let folder = self.0.clone();
        blocking(move || {
            let failed = fault(folder.path());
            if let Some(found) = read_candidate(&folder, rotation).map_err(&failed)? {
                return candidate(rotation, &found).map_err(&failed);
            }
            // Before the lock: a long RSA key takes its time, and others want to write too.
            let key = PrivateKey::generate(kind).map_err(&failed)?;
            let locked = folder.lock().map_err(&failed)?;
            if let Some(found) = read_candidate(&folder, rotation).map_err(&failed)? {
                return candidate(rotation, &found).map_err(&failed);
            }
            let pem = key.to_pem().map_err(&failed)?;
            locked.write_private(&file_of(rotation), pem.as_bytes()).map_err(&failed)?;
            candidate(rotation, &key).map_err(&failed)
        })
        .await
    }

    async fn candidates(&self) -> Result<Vec<CandidateKey>, Fault> {
        let folder = self.0.clone();
        blocking(move || {
            // Every run asks this first: what a killed one left half-written may be a key.
            folder.tidy();
            candidates(&folder).map_err(fault(folder.path()))
        })
        .await
    }

    async fn sign_request(&self, key: &CandidateKey, message: &[u8]) -> Result<Vec<u8>, Fault> {
        let (folder, key, message) = (self.0.clone(), key.clone(), message.to_vec());
        blocking(move || {
            let found = owned(&folder, &key)?;
            found.sign_request(&message).map_err(fault(folder.path()))
        })
        .await
    }

    async fn signer(&self, key: &CandidateKey, chain: &PemFile) -> Result<Arc<dyn Signer>, Fault> {
        let failed = fault(self.0.path());
        let chain = Chain::read(chain).map_err(failed)?;
        let (folder, key) = (self.0.clone(), key.clone());
        blocking(move || {
            let found = owned(&folder, &key)?;
            let signer =
                LocalSigner::new(chain, found, &file_of(key.rotation)).map_err(fault(folder.path()))?;
            Ok(Arc::new(signer) as Arc<dyn Signer>)
        })
        .await
    }

    async fn discard(&self, key: &CandidateKey) -> Result<(), Fault> {
        let (folder, name) = (self.0.clone(), file_of(key.rotation));
        blocking(move || {
            let failed = fault(folder.path());
            if !folder.join(&name).exists() {
                return Ok(());
            }
            folder.lock().and_then(|locked| locked.remove(&name)).map_err(failed)
        })
        .await
    }

    /// What is in `previous/` signs for nobody, so there is nothing to do.
    async fn disable(&self, key: &KeyName) -> Result<(), Fault> {
        let (folder, key) = (self.0.clone(), key.clone());
        blocking(move || not_active(&folder, &key)).await
    }

    /// Takes the private key out of the file in `previous/`; the chain stays.
    async fn delete(&self, key: &KeyName) -> Result<(), Fault> {
        let (folder, key) = (self.0.clone(), key.clone());
        blocking(move || {
            let failed = fault(folder.path());
            let locked = folder.lock().map_err(&failed)?;
            not_active(&folder, &key)?;
            for (name, file) in previous_signers(&folder) {
                let chain = file.certificates().map_err(&failed)?;
                let is_it = chain.first().and_then(|leaf| key_of(leaf)).as_ref() == Some(&key);
                if is_it && file.private_key().is_ok() {
                    let content = versions::heading(versions::active_since(&file)) + &trust::encode(&chain);
                    locked.write_private(&name, content.as_bytes()).map_err(&failed)?;
                }
            }
            Ok(())
        })
        .await
    }

    async fn check(&self, key: &KeyName) -> Result<(), Fault> {
        let (folder, key) = (self.0.clone(), key.clone());
        blocking(move || {
            let active = folder.read(SIGNER).map_err(fault(folder.path()))?;
            let mut files = active.into_iter().chain(previous_signers(&folder).map(|(_, file)| file));
            let usable =
                |file: &PemFile| LocalSigner::read(file).is_ok_and(|signer| signer.key_name() == key);
            if files.any(|file| usable(&file)) {
                return Ok(());
            }
            let problem = "its private key is not in the folder any more";
            let fix = "put the file with it back, or make a new key with `credlink keys rotate --force`";
            Err(Fault::lasting(format!("key {key} in {}", folder.path().display()), problem, fix))
        })
        .await
    }
}

/// The file of the key that was made for `rotation`.
pub(super) fn file_of(rotation: RotationId) -> String {
    format!("{CANDIDATES}/{rotation}{SUFFIX}")
}

/// The key that was made for a rotation, if it is there and still the same.
pub(super) fn owned(folder: &KeyFolder, key: &CandidateKey) -> Result<PrivateKey, Fault> {
    let found = read_candidate(folder, key.rotation).map_err(fault(folder.path()))?;
    found.filter(|found| key_name(found.public_key()) == key.name).ok_or_else(|| {
        let resource = folder.join(&file_of(key.rotation)).display().to_string();
        Fault::lasting(
            resource,
            "the new key is not there any more",
            "begin a new rotation with `credlink keys rotate`",
        )
    })
}

const SUFFIX: &str = ".key.pem";

/// The name of the key of a certificate.
fn key_of(leaf: &[u8]) -> Option<KeyName> {
    chain::public_key_of(leaf).map(|public_key| key_name(&public_key))
}

fn read_candidate(folder: &KeyFolder, rotation: RotationId) -> Result<Option<PrivateKey>, KeysError> {
    folder.read(&file_of(rotation))?.map(|file| PrivateKey::read(&file)).transpose()
}

fn candidate(rotation: RotationId, key: &PrivateKey) -> Result<CandidateKey, KeysError> {
    let name = key_name(key.public_key());
    Ok(CandidateKey { name, rotation, kind: key.kind(), public_key_info: key.public_key_info()? })
}

fn candidates(folder: &KeyFolder) -> Result<Vec<CandidateKey>, KeysError> {
    let mut found = Vec::new();
    for name in folder.names(CANDIDATES)? {
        let Some(rotation) = name.strip_suffix(SUFFIX).and_then(|id| id.parse::<RotationId>().ok()) else {
            tracing::warn!(
                name,
                folder = CANDIDATES,
                "a file that is no key of a rotation; it is left alone"
            );
            continue;
        };
        let key = match read_candidate(folder, rotation) {
            Ok(Some(key)) => candidate(rotation, &key)?,
            Ok(None) => continue,
            Err(error) => {
                tracing::error!(%error, "a key of a rotation cannot be read; remove its file if nobody needs it");
                continue;
            }
        };
        if has_signed(folder, &key.name)? {
            // A process was killed between making it active and taking it away from here.
            folder.lock()?.remove(&file_of(rotation))?;
            tracing::info!(key = %key.name, "a second copy of a key that signs was removed");
        } else {
            found.push(key);
        }
    }
    Ok(found)
}

fn has_signed(folder: &KeyFolder, key: &KeyName) -> Result<bool, KeysError> {
    let active = folder.read(SIGNER)?;
    let mut files = active.into_iter().chain(previous_signers(folder).map(|(_, file)| file));
    Ok(files.any(|file| {
        let leaf = file.certificates().ok().and_then(|chain| chain.into_iter().next());
        leaf.and_then(|leaf| key_of(&leaf)).as_ref() == Some(key)
    }))
}

fn not_active(folder: &KeyFolder, key: &KeyName) -> Result<(), Fault> {
    let active = folder.read(SIGNER).map_err(fault(folder.path()))?;
    let leaf = active.and_then(|file| file.certificates().ok()).and_then(|chain| chain.into_iter().next());
    if leaf.and_then(|leaf| key_of(&leaf)).as_ref() == Some(key) {
        let resource = folder.join(SIGNER).display().to_string();
        return Err(Fault::lasting(resource, format!("the key {key} is the active one"), "leave it alone"));
    }
    Ok(())
}
