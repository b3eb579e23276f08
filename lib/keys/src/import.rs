//! A key and a chain from elsewhere take the place of the active signer.

use std::path::{Path, PathBuf};

use credlink_pipeline::timestamp::Timestamp;

use crate::{
    chain::{self, Chain},
    error::{KeysError, Position},
    folder::{KeyFolder, SIGNER},
    local::{LocalKeys, archive_signer},
    pem_file::PemFile,
    signer::LocalSigner,
    trust,
};

/// What an import did.
#[derive(Debug)]
pub struct Imported {
    /// The keys with the imported signer.
    pub keys: LocalKeys,
    /// Where the earlier signer is kept now.
    pub previous: Option<PathBuf>,
    /// Whether verification here trusts what the new signer signs.
    pub trust: TrustHere,
    /// What was changed or is worth knowing, in sentences.
    pub notes: Vec<String>,
}

/// Whether a chain leads to a trust anchor of this installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustHere {
    /// To one that was known before.
    Known,
    /// To the root that was given with it, an anchor from now on.
    Added,
    /// To none: verification here answers "valid", never "trusted".
    None,
}

/// Checks a chain and its key, and makes them the active signer of the key folder `folder`; the earlier one is kept in
/// `previous/`. The chain may be in any number of `CERTIFICATE` blocks, leaf first; the key in PKCS#8, PKCS#1 or SEC 1.
/// `root` becomes a trust anchor of this installation when the chain leads to it.
///
/// # Errors
/// The first thing that is wrong: order, signatures, profile, dates, match of key and leaf, match of root and chain.
/// Nothing is changed then.
pub fn import(
    folder: &Path,
    chain: &PemFile,
    key: &PemFile,
    root: Option<&PemFile>,
    now: Timestamp,
) -> Result<Imported, KeysError> {
    let signer = LocalSigner::combine(chain, key)?;
    signer.check_dates(now)?;
    let roots =
        root.map_or(Ok(Vec::new()), |root| matching_roots(root, signer.checked_chain(), chain, now))?;
    let mut notes = signer.checked_chain().notes().to_vec();

    let locked = KeyFolder::new(folder).lock()?;
    let known = trust::leads_to(signer.checked_chain().last(), &trust::certificates(&locked)?);
    let added = trust::add(&locked, &roots)?;
    let trust = match (known, roots.is_empty()) {
        (true, _) => TrustHere::Known,
        (false, false) => TrustHere::Added,
        (false, true) => TrustHere::None,
    };
    if added {
        notes.push("the root is a trust anchor of this installation from now on".to_owned());
    }
    if trust == TrustHere::None {
        notes.push(format!(
            "no trust anchor here issued this chain, so verification here will answer \"valid\" but not \"trusted\": \
             import again with --root and the certificate of {}",
            signer.checked_chain().root_name()
        ));
    }
    let previous = locked.read(SIGNER)?.map(|file| archive_signer(&locked, &file)).transpose()?;
    let keys = LocalKeys::activate(&locked, signer)?;
    Ok(Imported { keys, previous, trust, notes })
}

/// The certificates in `root` that the chain leads to; the others are none of its business.
pub(crate) fn matching_roots(
    root: &PemFile,
    chain: &Chain,
    chain_file: &PemFile,
    now: Timestamp,
) -> Result<Vec<Vec<u8>>, KeysError> {
    let mut found = Vec::new();
    for (index, der) in root.certificates()?.into_iter().enumerate() {
        let malformed =
            || KeysError::MalformedCertificate { file: root.name().to_owned(), number: index + 1 };
        let summary = chain::summary(&der).ok_or_else(malformed)?;
        if !trust::leads_to(chain.last(), std::slice::from_ref(&der)) {
            continue;
        }
        let certificate = Position { number: index + 1, subject: summary.subject.clone() };
        if !chain::is_authority(&der) {
            return Err(KeysError::RootNotAuthority { root: root.name().to_owned(), certificate });
        }
        summary.check_dates(root.name(), index + 1, now)?;
        found.push(der);
    }
    if found.is_empty() {
        return Err(KeysError::RootMismatch {
            root: root.name().to_owned(),
            chain: chain_file.name().to_owned(),
            issuer: chain.root_name().to_owned(),
        });
    }
    Ok(found)
}
