//! The keys of one installation, in a folder of its own.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use credlink_pipeline::{digest::Sha256Hash, timestamp::Timestamp};

use crate::{
    algorithm::KeyKind,
    authority::{Authority, hex_prefix},
    chain::Chain,
    error::KeysError,
    folder::{KeyFolder, LockedFolder, SIGNER},
    pem_file::PemFile,
    private_key::PrivateKey,
    rotation::ports::KeyName,
    signer::LocalSigner,
    summary::KeysSummary,
    trust,
};

/// The active signer of a key folder.
#[derive(Clone, Debug)]
pub struct LocalKeys {
    folder: KeyFolder,
    signer: Arc<LocalSigner>,
}

impl LocalKeys {
    /// Reads the keys in `folder`, which must be there and usable at `now`.
    ///
    /// # Errors
    /// [`KeysError::NoSigner`] when there are none; else what is wrong with them.
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, KeysError> {
        let folder = KeyFolder::new(folder);
        match Self::read(&folder, now)? {
            Some(keys) => Ok(keys),
            None => Err(KeysError::NoSigner { folder: folder.path().to_owned() }),
        }
    }

    /// Reads the keys in `folder`; on first use makes a local authority and a key of the given kind. Two processes
    /// that do so at once end with the same keys, and a first use that was killed is completed by the next. The kind
    /// of a key that is there already does not change.
    ///
    /// # Errors
    /// What is wrong with the keys that are there, or why none could be made.
    pub fn open_or_create(folder: &Path, kind: KeyKind, now: Timestamp) -> Result<Self, KeysError> {
        let folder = KeyFolder::new(folder);
        if let Some(keys) = Self::read(&folder, now)? {
            return Ok(keys);
        }
        let locked = folder.lock()?;
        // Another process may have made them while this one waited.
        if let Some(keys) = Self::read(&folder, now)? {
            return Ok(keys);
        }
        let keys = Self::issue(&locked, kind, now)?;
        tracing::info!(folder = %folder.path().display(), kind = %kind, "made new signing keys");
        Ok(keys)
    }

    /// Makes a new key of the given kind with a certificate of the local authority, which is kept when it is there.
    ///
    /// # Errors
    /// [`KeysError::SignerExists`] when there is a key and `replacement` does not allow to replace it.
    pub fn create(
        folder: &Path,
        kind: KeyKind,
        replacement: Replacement,
        now: Timestamp,
    ) -> Result<Created, KeysError> {
        let locked = KeyFolder::new(folder).lock()?;
        let current = locked.read(SIGNER)?;
        if current.is_some() && replacement == Replacement::Refuse {
            return Err(KeysError::SignerExists { path: locked.join(SIGNER) });
        }
        let previous = current.map(|file| archive_signer(&locked, &file)).transpose()?;
        Ok(Created { keys: Self::issue(&locked, kind, now)?, previous })
    }

    /// The active signer.
    pub fn signer(&self) -> Arc<LocalSigner> {
        Arc::clone(&self.signer)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What there is to know about the keys, for people and programs; nothing secret.
    ///
    /// # Errors
    /// When the folder cannot be read any more.
    pub fn describe(&self, now: Timestamp) -> Result<KeysSummary, KeysError> {
        KeysSummary::of(&self.folder, &self.signer, now)
    }

    /// The trust anchors of this installation as PEM: its own root, and those of imported chains.
    ///
    /// # Errors
    /// When a file with anchors cannot be read.
    pub fn trust_anchors(&self) -> Result<String, KeysError> {
        trust::anchors(self.folder.path())
    }

    fn read(folder: &KeyFolder, now: Timestamp) -> Result<Option<Self>, KeysError> {
        let Some(file) = folder.read(SIGNER)? else { return Ok(None) };
        let signer = LocalSigner::read(&file)?;
        signer.check_dates(now)?;
        folder.tidy();
        Ok(Some(Self { folder: folder.clone(), signer: Arc::new(signer) }))
    }

    /// Writes `signer` as the active one.
    pub(crate) fn activate(folder: &LockedFolder, signer: LocalSigner) -> Result<Self, KeysError> {
        folder.write_private(SIGNER, signer.to_pem()?.as_bytes())?;
        Ok(Self { folder: KeyFolder::new(folder.path()), signer: Arc::new(signer) })
    }

    fn issue(folder: &LockedFolder, kind: KeyKind, now: Timestamp) -> Result<Self, KeysError> {
        let authority = Authority::open_or_create(folder, now)?;
        let key = PrivateKey::generate(kind)?;
        let chain = PemFile::new("the new chain", authority.issue(&key, now)?.into_bytes())?;
        // The same checks as for everybody else's certificates, before they take the place of others.
        let signer = LocalSigner::new(Chain::read(&chain)?, key, "the new key")?;
        signer.check_dates(now)?;
        Self::activate(folder, signer)
    }
}

/// What to do with a key that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// Leave it, and fail.
    Refuse,
    /// Move it to `previous/`.
    KeepPrevious,
}

/// A key that was made just now.
#[derive(Debug)]
pub struct Created {
    /// The keys with the new signer.
    pub keys: LocalKeys,
    /// Where the earlier signer is kept now.
    pub previous: Option<PathBuf>,
}

/// Keeps the active signer under `previous/`, named after the day it expires. One that cannot be read is kept too.
pub(crate) fn archive_signer(folder: &LockedFolder, file: &PemFile) -> Result<PathBuf, KeysError> {
    let name = match LocalSigner::read(file) {
        Ok(signer) => {
            let leaf = signer.certificates().first();
            let day: String =
                leaf.map(|leaf| leaf.not_after.to_string().chars().take(10).collect()).unwrap_or_default();
            let id = leaf.map(|leaf| hex_prefix(leaf.sha256.as_bytes())).unwrap_or_default();
            format!("signer-{day}-{id}.pem")
        }
        Err(_) => format!("signer-unreadable-{}.pem", hex_prefix(Sha256Hash::of(file.bytes()).as_bytes())),
    };
    folder.archive(file, &name)
}

/// What names a key of this machine: the SHA-256 of its public half, the bit string of a `SubjectPublicKeyInfo`.
pub(crate) fn key_name(public_key: &[u8]) -> KeyName {
    KeyName(format!("sha256:{}", Sha256Hash::of(public_key)))
}
