//! Authorities of one machine: its own, and one elsewhere that somebody walks to.

use std::path::Path;

use async_trait::async_trait;
use credlink_pipeline::timestamp::Timestamp;

use super::blocking::{blocking, fault};
use crate::{
    authority, chain,
    error::KeysError,
    folder::{KeyFolder, LockedFolder, PREVIOUS, REQUESTS, ROOT, SIGNER},
    pem_file::{self, PemFile},
    rotation::{
        AuthorityChoice,
        ports::{Authority, Fault, Issuance, RotationId},
        verified_public_key,
    },
    trust,
};

/// The authority of a key folder. Its own issues at once. For one elsewhere, the request stands in
/// `requests/<rotation>.csr.pem` until the chain comes to stand beside it.
#[derive(Clone, Debug)]
pub struct FolderAuthority {
    folder: KeyFolder,
    choice: AuthorityChoice,
}

/// What the authority knows its requests by.
const INTERNAL: &str = "internal";
const EXTERNAL: &str = "external";

impl FolderAuthority {
    /// The authority that `choice` means in `folder`.
    pub fn new(folder: &Path, choice: AuthorityChoice) -> Self {
        Self { folder: KeyFolder::new(folder), choice }
    }
}

#[async_trait]
impl Authority for FolderAuthority {
    fn name(&self) -> String {
        match self.choice {
            AuthorityChoice::Internal => "the local authority".to_owned(),
            AuthorityChoice::External => "the authority elsewhere".to_owned(),
            AuthorityChoice::Auto => "the authority of the active signer".to_owned(),
            AuthorityChoice::PrivateCa => "AWS Private CA".to_owned(),
        }
    }

    async fn request(&self, rotation: RotationId, request: &[u8], now: Timestamp) -> Result<String, Fault> {
        let (folder, request, choice) = (self.folder.clone(), request.to_vec(), self.choice);
        blocking(move || {
            let failed = fault(folder.path());
            let public_key_info = verified_public_key(&request).map_err(|problem| {
                Fault::lasting("the request", problem, "the next run makes another one")
            })?;
            match resolve(choice, &folder)? {
                INTERNAL => issue(&folder, rotation, &public_key_info, now).map_err(failed)?,
                _ => publish(&folder, rotation, &request, &public_key_info).map_err(failed)?,
            }
            Ok(resolve(choice, &folder)?.to_owned())
        })
        .await
    }

    async fn collect(&self, rotation: RotationId, receipt: &str, _: Timestamp) -> Result<Issuance, Fault> {
        let (folder, receipt, choice) = (self.folder.clone(), receipt.to_owned(), self.choice);
        blocking(move || {
            let chosen = match choice {
                AuthorityChoice::Auto => receipt.as_str(),
                other => other.name(),
            };
            if receipt != chosen || ![INTERNAL, EXTERNAL].contains(&chosen) {
                let problem = format!(
                    "the request went to the {receipt} authority, and ROTATION_AUTHORITY is {choice} now"
                );
                return Err(Fault::lasting(
                    "ROTATION_AUTHORITY",
                    problem,
                    "the next run asks the one chosen now",
                ));
            }
            let failed = fault(folder.path());
            let found = delivered(&folder, rotation).map_err(failed)?;
            match found {
                Delivery::Complete { chain, root } => Ok(Issuance::Issued { chain, root }),
                Delivery::Incomplete(_) if receipt == INTERNAL => Err(Fault::lasting(
                    folder.join(&chain_file(rotation)).display().to_string(),
                    "the certificate that the local authority issued is not there any more",
                    "the next run has another one issued",
                )),
                Delivery::Incomplete(reason) => Ok(Issuance::Waiting { reason }),
            }
        })
        .await
    }

    async fn forget(&self, rotation: RotationId, _: &str) -> Result<(), Fault> {
        let folder = self.folder.clone();
        blocking(move || {
            let files = [request_file(rotation), chain_file(rotation), root_file(rotation)];
            let present: Vec<_> = files.iter().filter(|name| folder.join(name).exists()).collect();
            if present.is_empty() {
                return Ok(());
            }
            let removed =
                folder.lock().and_then(|locked| present.iter().try_for_each(|name| locked.remove(name)));
            removed.map_err(fault(folder.path()))
        })
        .await
    }
}

/// Puts the certificate from an authority elsewhere where the rotation looks for it.
///
/// # Errors
/// When the files cannot be written.
pub fn deliver(
    folder: &Path,
    rotation: RotationId,
    chain: &PemFile,
    root: &PemFile,
) -> Result<(), KeysError> {
    let locked = KeyFolder::new(folder).lock()?;
    store(&locked, rotation, chain.bytes(), root.bytes())
}

/// The root that `chain` leads to: a self-signed certificate at its end, or a trust anchor of the key folder `folder`;
/// `None` when there is none.
///
/// # Errors
/// When a file cannot be read or holds something else.
pub fn root_for(folder: &Path, chain: &PemFile) -> Result<Option<PemFile>, KeysError> {
    let certificates = chain.certificates()?;
    let mut roots: Vec<Vec<u8>> = certificates
        .iter()
        .filter(|der| chain::is_authority(der) && chain::is_issued_by(der, der))
        .cloned()
        .collect();
    if roots.is_empty() {
        let last = certificates.last().map_or(&[][..], Vec::as_slice);
        let anchors = trust::certificates(&KeyFolder::new(folder))?;
        roots = anchors
            .into_iter()
            .filter(|anchor| trust::leads_to(last, std::slice::from_ref(anchor)))
            .collect();
    }
    if roots.is_empty() {
        return Ok(None);
    }
    PemFile::new(format!("the root of {}", chain.name()), trust::encode(&roots).into_bytes()).map(Some)
}

/// What stands beside a request.
enum Delivery {
    Complete {
        chain: PemFile,
        root: PemFile,
    },
    /// What is missing, or wrong with it, and what to do.
    Incomplete(String),
}

fn resolve(choice: AuthorityChoice, folder: &KeyFolder) -> Result<&'static str, Fault> {
    match choice {
        AuthorityChoice::Internal => Ok(INTERNAL),
        AuthorityChoice::External => Ok(EXTERNAL),
        AuthorityChoice::Auto => {
            let own = issued_here(folder).map_err(fault(folder.path()))?;
            Ok(if own { INTERNAL } else { EXTERNAL })
        }
        AuthorityChoice::PrivateCa => Err(Fault::lasting(
            "ROTATION_AUTHORITY",
            "private-ca is for keys on AWS, and this one is on this machine",
            "choose auto, internal or external",
        )),
    }
}

/// Whether the active chain leads to a root that was made here, or nobody is active.
fn issued_here(folder: &KeyFolder) -> Result<bool, KeysError> {
    let Some(active) = folder.read(SIGNER)? else { return Ok(true) };
    let chain = active.certificates()?;
    let last = chain.last().map_or(&[][..], Vec::as_slice);
    let mut own = folder.read(ROOT)?.map(|root| root.certificates()).transpose()?.unwrap_or_default();
    for name in folder.names(PREVIOUS)?.into_iter().filter(|name| name.starts_with("root-")) {
        // Beside the earlier roots stand their keys, which have no certificates.
        let file = folder.read(&format!("{PREVIOUS}/{name}"))?;
        own.extend(file.and_then(|file| file.certificates().ok()).unwrap_or_default());
    }
    Ok(trust::leads_to(last, &own))
}

/// Has a certificate issued here, once.
fn issue(
    folder: &KeyFolder,
    rotation: RotationId,
    public_key_info: &[u8],
    now: Timestamp,
) -> Result<(), KeysError> {
    if matches!(delivered(folder, rotation)?, Delivery::Complete { .. }) {
        return Ok(());
    }
    let issued = authority::issue_for(folder.path(), public_key_info, now)?;
    store(&folder.lock()?, rotation, issued.chain.bytes(), issued.root.bytes())
}

/// Puts the request where somebody finds it.
fn publish(
    folder: &KeyFolder,
    rotation: RotationId,
    request: &[u8],
    public_key_info: &[u8],
) -> Result<(), KeysError> {
    let name = request_file(rotation);
    let published = folder.read(&name)?.and_then(|file| pem::parse(file.bytes()).ok());
    // Somebody may be on the way with it: another request for the same key would be another file for no reason.
    if published
        .is_some_and(|old| verified_public_key(old.contents()).is_ok_and(|old| old == public_key_info))
    {
        return Ok(());
    }
    folder.lock()?.write_public(&name, pem_file::encode("CERTIFICATE REQUEST", request).as_bytes())
}

/// The chain last: whoever finds it finds the root too.
fn store(folder: &LockedFolder, rotation: RotationId, chain: &[u8], root: &[u8]) -> Result<(), KeysError> {
    folder.write_public(&root_file(rotation), root)?;
    folder.write_public(&chain_file(rotation), chain)
}

fn delivered(folder: &KeyFolder, rotation: RotationId) -> Result<Delivery, KeysError> {
    let path = |name: String| folder.join(&name).display().to_string();
    let Some(chain) = folder.read(&chain_file(rotation))? else {
        return Ok(Delivery::Incomplete(format!(
            "the request {} waits for its certificate: have it issued, and bring it with `credlink keys import --chain \
             FILE --root FILE`, or put it at {}",
            path(request_file(rotation)),
            path(chain_file(rotation))
        )));
    };
    // It may be on its way still: a file that is copied here is not whole at once.
    if let Err(error) = chain.certificates() {
        return Ok(Delivery::Incomplete(format!("the certificate cannot be read yet: {error}")));
    }
    let root = match folder.read(&root_file(rotation))? {
        Some(root) => Some(root),
        None => root_for(folder.path(), &chain)?,
    };
    Ok(match root {
        Some(root) if root.certificates().is_ok() => Delivery::Complete { chain, root },
        _ => Delivery::Incomplete(format!(
            "the certificate is there, and its root is not: put that at {}, or bring both with `credlink keys import \
             --chain FILE --root FILE`",
            path(root_file(rotation))
        )),
    })
}

fn request_file(rotation: RotationId) -> String {
    format!("{REQUESTS}/{rotation}.csr.pem")
}

fn chain_file(rotation: RotationId) -> String {
    format!("{REQUESTS}/{rotation}.chain.pem")
}

fn root_file(rotation: RotationId) -> String {
    format!("{REQUESTS}/{rotation}.root.pem")
}
