//! The local authority: a root, an intermediate below it, and the leaves that it issues.
//!
//! Both authorities have P-256 keys whatever the leaf has: C2PA allows their signatures everywhere, and they keep the
//! chain in every signed image short. A key is always written before its certificate, so a certificate without a key
//! is somebody's choice, and a key without a certificate is the trace of a killed process and is replaced.

use std::path::Path;

use credlink_pipeline::timestamp::Timestamp;
use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SubjectPublicKeyInfo,
};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use crate::{
    algorithm::KeyKind,
    chain,
    error::KeysError,
    folder::{INTERMEDIATE, INTERMEDIATE_KEY, KeyFolder, LockedFolder, ROOT, ROOT_KEY},
    issuance,
    pem_file::{self, PemFile},
    private_key::PrivateKey,
    trust,
};

/// How long a new root is valid, in days.
pub const ROOT_DAYS: i64 = 3650;
/// How long a new intermediate is valid, in days.
pub const INTERMEDIATE_DAYS: i64 = 1825;
/// How long a new leaf is valid, in days.
pub const LEAF_DAYS: i64 = 365;

/// Whom the local certificates name.
const ORGANIZATION: &str = "CredLink Local";
/// Below this an authority can no longer issue a leaf that lives as long as the profile wants.
const LEAST_DAYS: i64 = 91;

/// A chain that the local authority issued, and the root that it leads to.
#[derive(Debug)]
pub struct Issued {
    /// The chain, leaf first, without the root.
    pub chain: PemFile,
    /// The root.
    pub root: PemFile,
}

/// Issues a leaf for a key that is elsewhere, by its public key, `SubjectPublicKeyInfo` in DER (RFC 5280, 4.1.2.7).
/// The authority is the one of the key folder `folder`; it is made on first use, and its keys stay there.
///
/// # Errors
/// When the authority cannot be read or made, or when `public_key_info` is no public key.
pub fn issue_for(folder: &Path, public_key_info: &[u8], now: Timestamp) -> Result<Issued, KeysError> {
    let folder = KeyFolder::new(folder).lock()?;
    let chain = Authority::open_or_create(&folder, now)?.issue_for(public_key_info, now)?;
    let chain = PemFile::new("the new chain", chain.into_bytes())?;
    let missing = || KeysError::NoCertificate { file: folder.join(ROOT).display().to_string() };
    Ok(Issued { chain, root: folder.read(ROOT)?.ok_or_else(missing)? })
}

/// The intermediate, ready to issue leaves.
pub(crate) struct Authority {
    certificate: Vec<u8>,
    key: Zeroizing<KeyPair>,
    not_after: OffsetDateTime,
}

impl Authority {
    /// Reads the authority in `folder`, and makes what is missing or near its end.
    pub(crate) fn open_or_create(folder: &LockedFolder, now: Timestamp) -> Result<Self, KeysError> {
        let root = Stored::read(folder, ROOT, ROOT_KEY)?;
        let intermediate = Stored::read(folder, INTERMEDIATE, INTERMEDIATE_KEY)?;
        if let (Some(root), Some(intermediate)) = (&root, &intermediate)
            && root.lives(now)
            && intermediate.lives(now)
            && chain::is_issued_by(&intermediate.certificate, &root.certificate)
            && let Some(key) = intermediate.issuing_key()?
        {
            let not_after = intermediate.not_after;
            return Ok(Self { certificate: intermediate.certificate.clone(), key, not_after });
        }
        let root = match root.filter(|root| root.lives(now)) {
            Some(root) => root,
            None => create_root(folder, now)?,
        };
        create_intermediate(folder, &root, now)
    }

    /// Issues a leaf for `key`: the chain in PEM, leaf first, without the root.
    pub(crate) fn issue(&self, key: &PrivateKey, now: Timestamp) -> Result<String, KeysError> {
        self.issue_for(&key.public_key_info()?, now)
    }

    /// Like [`Authority::issue`], for a key that is elsewhere, by its public key: `SubjectPublicKeyInfo` in DER.
    pub(crate) fn issue_for(&self, public_key_info: &[u8], now: Timestamp) -> Result<String, KeysError> {
        let params = issuance::leaf(ORGANIZATION, self.not_after, now)?;
        let public_key = SubjectPublicKeyInfo::from_der(public_key_info)?;
        let issuer = Issuer::from_ca_cert_der(&self.certificate.as_slice().into(), &*self.key)?;
        let leaf = params.signed_by(&public_key, &issuer)?;
        Ok(pem_file::encode("CERTIFICATE", leaf.der()) + &pem_file::encode("CERTIFICATE", &self.certificate))
    }
}

/// An authority's certificate as it stands in the folder, with its key when that is there too.
struct Stored {
    certificate: Vec<u8>,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    key: Option<PrivateKey>,
}

impl Stored {
    /// `None` when there is no certificate.
    fn read(folder: &LockedFolder, name: &str, key_name: &str) -> Result<Option<Self>, KeysError> {
        let Some(file) = folder.read(name)? else { return Ok(None) };
        let certificate = file.certificates()?.into_iter().next().unwrap_or_default();
        let malformed = || KeysError::MalformedCertificate { file: file.name().to_owned(), number: 1 };
        let summary = chain::summary(&certificate).ok_or_else(malformed)?;
        let key = match folder.read(key_name)? {
            Some(key_file) => Some(Self::matching_key(&certificate, &file, &key_file)?),
            None => None,
        };
        let not_before = summary.not_before.as_offset_date_time();
        let not_after = summary.not_after.as_offset_date_time();
        Ok(Some(Self { certificate, not_before, not_after, key }))
    }

    fn matching_key(certificate: &[u8], file: &PemFile, key_file: &PemFile) -> Result<PrivateKey, KeysError> {
        let key = PrivateKey::read(key_file)?;
        if chain::public_key_of(certificate).as_deref() == Some(key.public_key()) {
            return Ok(key);
        }
        Err(KeysError::KeyMismatch { chain: file.name().to_owned(), key: key_file.name().to_owned() })
    }

    fn lives(&self, now: Timestamp) -> bool {
        let now = now.as_offset_date_time();
        self.not_before <= now && self.not_after - now >= Duration::days(LEAST_DAYS)
    }

    fn issuing_key(&self) -> Result<Option<Zeroizing<KeyPair>>, KeysError> {
        self.key.as_ref().map(PrivateKey::issuing_key).transpose()
    }
}

fn create_root(folder: &LockedFolder, now: Timestamp) -> Result<Stored, KeysError> {
    retire(folder, ROOT, ROOT_KEY)?;
    let key = PrivateKey::generate(KeyKind::P256)?;
    let signing_key = key.issuing_key()?;
    let params = issuance::root(ORGANIZATION, now)?;
    let certificate = params.self_signed(&*signing_key)?.der().to_vec();
    folder.write_private(ROOT_KEY, key.to_pem()?.as_bytes())?;
    folder.write_public(ROOT, pem_file::encode("CERTIFICATE", &certificate).as_bytes())?;
    Ok(Stored { certificate, not_before: params.not_before, not_after: params.not_after, key: Some(key) })
}

fn create_intermediate(folder: &LockedFolder, root: &Stored, now: Timestamp) -> Result<Authority, KeysError> {
    let root_key = root.issuing_key()?.ok_or_else(|| KeysError::AuthorityKeyMissing {
        certificate: folder.join(ROOT),
        key: folder.join(ROOT_KEY),
    })?;
    retire(folder, INTERMEDIATE, INTERMEDIATE_KEY)?;
    let key = PrivateKey::generate(KeyKind::P256)?;
    let signing_key = key.issuing_key()?;
    let params = issuance::intermediate(ORGANIZATION, root.not_after, now)?;
    let issuer = Issuer::from_ca_cert_der(&root.certificate.as_slice().into(), &*root_key)?;
    let certificate = params.signed_by(&*signing_key, &issuer)?.der().to_vec();
    folder.write_private(INTERMEDIATE_KEY, key.to_pem()?.as_bytes())?;
    folder.write_public(INTERMEDIATE, pem_file::encode("CERTIFICATE", &certificate).as_bytes())?;
    Ok(Authority { certificate, key: signing_key, not_after: params.not_after })
}

/// Keeps an authority that is about to be replaced, and goes on trusting it if it is a root: what it vouched for is
/// still out there. The certificate goes first, so that a killed process leaves a key without one.
fn retire(folder: &LockedFolder, name: &str, key_name: &str) -> Result<(), KeysError> {
    let Some(file) = folder.read(name)? else { return Ok(()) };
    let certificates = file.certificates()?;
    let stamp = certificates.first().and_then(|der| chain::summary(der));
    let stamp = stamp.map(|summary| hex_prefix(summary.sha256.as_bytes())).unwrap_or_default();
    folder.archive(&file, &format!("{}-{stamp}.pem", name.trim_end_matches(".pem")))?;
    if let Some(key) = folder.read(key_name)? {
        folder.archive(&key, &format!("{}-{stamp}.key.pem", key_name.trim_end_matches(".key.pem")))?;
    }
    if name == ROOT {
        trust::add(folder, &certificates)?;
    }
    folder.remove(name)?;
    folder.remove(key_name)
}

/// What the profile asks of a certificate that signs claims, and what a request for one asks for: key usage, extended
/// key usage and basic constraints.
pub(crate) fn make_claim_signer(params: &mut CertificateParams) {
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::ContentCommitment];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 4, 1, 62558, 2, 1]),
        ExtendedKeyUsagePurpose::EmailProtection,
    ];
}

/// The first eight bytes in hexadecimal: enough to tell files apart.
pub(crate) fn hex_prefix(hash: &[u8; 32]) -> String {
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
