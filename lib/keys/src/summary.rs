//! What there is to know about the keys of an installation, without anything secret.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use credlink_pipeline::{
    signer::{Signer, SigningAlgorithm},
    timestamp::Timestamp,
};
use serde::Serialize;

use crate::{
    algorithm::KeyKind,
    chain::{self, CertificateSummary},
    error::KeysError,
    folder::{ANCHORS, INTERMEDIATE, KeyFolder, ROOT, SIGNER},
    signer::LocalSigner,
    trust,
};

/// The facts of the active signer and of the local authority.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeysSummary {
    /// What the key signs with.
    pub algorithm: SigningAlgorithm,
    /// What kind of key it is.
    pub key_kind: KeyKind,
    /// The facts of the leaf certificate.
    #[serde(flatten)]
    pub leaf: CertificateSummary,
    /// Whole days until the leaf expires; negative afterwards.
    pub days_left: i64,
    /// Why it cannot sign now, in one sentence; `None` when it can.
    pub problem: Option<String>,
    /// Whether the chain leads to a trust anchor of this installation.
    pub trusted_here: bool,
    /// The certificates of the chain, leaf first, without the root.
    pub chain: Vec<CertificateSummary>,
    /// The local root; `None` when this installation has no authority of its own.
    pub local_root: Option<CertificateSummary>,
    /// Where all this stands.
    pub files: KeyFiles,
}

/// Paths of the files that are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyFiles {
    /// The active key and its chain.
    pub signer: PathBuf,
    /// The local trust anchor, to be handed to other validators.
    pub root: Option<PathBuf>,
    /// The local intermediate authority.
    pub intermediate: Option<PathBuf>,
    /// The roots of imported chains.
    pub trust_anchors: Option<PathBuf>,
}

impl KeysSummary {
    /// Describes the keys in `folder`, expired ones too.
    ///
    /// # Errors
    /// [`KeysError::NoSigner`] when there are none; else why they cannot be read.
    pub fn read(folder: &Path, now: Timestamp) -> Result<Self, KeysError> {
        let folder = KeyFolder::new(folder);
        match folder.read(SIGNER)? {
            Some(file) => Self::of(&folder, &LocalSigner::read(&file)?, now),
            None => Err(KeysError::NoSigner { folder: folder.path().to_owned() }),
        }
    }

    pub(crate) fn of(folder: &KeyFolder, signer: &LocalSigner, now: Timestamp) -> Result<Self, KeysError> {
        let present = |name| Some(folder.join(name)).filter(|path| path.exists());
        let chain = signer.certificates().to_vec();
        let leaf = chain.first().cloned();
        let leaf = leaf.ok_or_else(|| KeysError::NoSigner { folder: folder.path().to_owned() })?;
        let root = folder.read(ROOT)?.map(|file| file.certificates()).transpose()?;
        Ok(Self {
            algorithm: signer.algorithm(),
            key_kind: signer.kind(),
            days_left: leaf.days_left(now),
            problem: signer.check_dates(now).err().map(|error| error.to_string()),
            trusted_here: trust::leads_to(signer.checked_chain().last(), &trust::certificates(folder)?),
            leaf,
            chain,
            local_root: root.and_then(|ders| ders.first().and_then(|der| chain::summary(der))),
            files: KeyFiles {
                signer: folder.join(SIGNER),
                root: present(ROOT),
                intermediate: present(INTERMEDIATE),
                trust_anchors: present(ANCHORS),
            },
        })
    }
}

/// Several lines for a terminal, without a line feed at the end.
impl fmt::Display for KeysSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Algorithm      {} ({})", self.algorithm, self.key_kind)?;
        writeln!(f, "Subject        {}", self.leaf.subject)?;
        writeln!(f, "Issuer         {}", self.leaf.issuer)?;
        writeln!(f, "Serial number  {}", self.leaf.serial_number)?;
        writeln!(f, "Valid from     {}", self.leaf.not_before)?;
        writeln!(f, "Valid until    {} ({} days left)", self.leaf.not_after, self.days_left)?;
        for (index, certificate) in self.chain.iter().enumerate() {
            writeln!(f, "SHA-256        {}  certificate {}", certificate.sha256, index + 1)?;
        }
        if let Some(root) = &self.local_root {
            writeln!(f, "               {}  local root", root.sha256)?;
        }
        writeln!(f, "Signer file    {}", self.files.signer.display())?;
        if let Some(root) = &self.files.root {
            writeln!(f, "Local root     {}", root.display())?;
        }
        if let Some(anchors) = &self.files.trust_anchors {
            writeln!(f, "More anchors   {}", anchors.display())?;
        }
        write!(
            f,
            "Trusted here   {}",
            if self.trusted_here { "yes" } else { "no: import the root with --root" }
        )?;
        self.problem.as_ref().map_or(Ok(()), |problem| write!(f, "\nPROBLEM        {problem}"))
    }
}
