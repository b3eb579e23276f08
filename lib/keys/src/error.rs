//! Why a key or its certificates cannot be used, each in one sentence that says what to do next.

use std::{fmt, io, path::PathBuf};

use thiserror::Error;

use crate::profile::ProfileRule;

/// A certificate inside a file, the way people find it: by its number, counted from one, and its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Counted from one, in the order of the file.
    pub number: usize,
    /// The subject; control characters are escaped and the text is bounded.
    pub subject: String,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate {} ({})", self.number, self.subject)
    }
}

/// Why keys or certificates could not be made, read, checked or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The file system said no.
    #[error("cannot {action} {}: {source}; check that the disk has room and that this user may do so", path.display())]
    Io {
        /// What was tried: `read`, `write`, …
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder holds no signing key.
    #[error("no signing key in {}: run `credlink keys init` to make one, or `credlink keys import`", folder.display())]
    NoSigner {
        /// The folder with the keys.
        folder: PathBuf,
    },
    /// A key is there already, and nobody asked to replace it.
    #[error("{} exists already: use --force to make a new key; the earlier one is kept in previous/", path.display())]
    SignerExists {
        /// The file of the active signer.
        path: PathBuf,
    },
    /// A name of a key kind that is not known.
    #[error("unknown key algorithm {0:?}: choose one of rsa-2048, rsa-3072, rsa-4096, p-256, p-384, ed25519")]
    UnknownKeyKind(String),

    /// More bytes than any key or chain has.
    #[error("{file} is larger than {limit} bytes: give a PEM file with one key or one certificate chain")]
    FileTooLarge {
        /// Which file.
        file: String,
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// The bytes are not PEM.
    #[error("{file} is not PEM: {advice}")]
    NotPem {
        /// Which file.
        file: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// PEM, but without a certificate.
    #[error(
        "{file} holds no certificate: give the chain as `CERTIFICATE` blocks, leaf first, then its issuers"
    )]
    NoCertificate {
        /// Which file.
        file: String,
    },
    /// More certificates than a chain has.
    #[error("{file} holds more than {limit} certificates: give only the leaf and its issuers")]
    TooManyCertificates {
        /// Which file.
        file: String,
        /// The most that are taken.
        limit: usize,
    },
    /// A `CERTIFICATE` block without an X.509 certificate in it.
    #[error(
        "certificate {number} in {file} is not a readable X.509 certificate: get it again from its issuer"
    )]
    MalformedCertificate {
        /// Which file.
        file: String,
        /// Counted from one.
        number: usize,
    },
    /// PEM, but without a private key.
    #[error(
        "{file} holds no private key: give a `PRIVATE KEY` (PKCS#8), `RSA PRIVATE KEY` or `EC PRIVATE KEY` block"
    )]
    NoPrivateKey {
        /// Which file.
        file: String,
    },
    /// Two keys or more: which one is meant?
    #[error("{file} holds more than one private key: give a file with only the key of the leaf certificate")]
    SeveralPrivateKeys {
        /// Which file.
        file: String,
    },
    /// The key is protected by a password.
    #[error(
        "the private key in {file} is encrypted: decrypt it first, for example with \
         `openssl pkey -in {file} -out plain.pem`"
    )]
    EncryptedPrivateKey {
        /// Which file.
        file: String,
    },
    /// The key is damaged or inconsistent in itself.
    #[error("the private key in {file} is damaged ({reason}): export it again")]
    MalformedPrivateKey {
        /// Which file.
        file: String,
        /// What the cryptographic library says.
        reason: String,
    },
    /// A kind of key that CredLink does not sign with.
    #[error(
        "{file} has a key that is not supported ({found}): use RSA of 2048, 3072 or 4096 bits, P-256, P-384 or Ed25519"
    )]
    UnsupportedKey {
        /// Which file.
        file: String,
        /// What it is.
        found: String,
    },
    /// An RSA key below 2048 bits.
    #[error(
        "{file} has an RSA key of only {bits} bits: C2PA asks for at least 2048, so make a new key and certificate"
    )]
    WeakKey {
        /// Which file.
        file: String,
        /// The length of its modulus in bits.
        bits: usize,
    },
    /// Key and leaf certificate do not belong together.
    #[error(
        "the private key in {key} does not belong to the first certificate in {chain}: give the key that \
         the certificate was requested with"
    )]
    KeyMismatch {
        /// The file with the certificate.
        chain: String,
        /// The file with the key.
        key: String,
    },

    /// The only certificate issued itself.
    #[error(
        "the certificate in {file} is self-signed, which C2PA does not allow: use one issued by an authority, \
         or `credlink keys init`"
    )]
    SelfSignedLeaf {
        /// Which file.
        file: String,
    },
    /// All links are there, in another order.
    #[error(
        "{file} has its certificates in the wrong order: {detail}; write the leaf first, each followed by its issuer"
    )]
    WrongOrder {
        /// Which file.
        file: String,
        /// What stands where.
        detail: String,
    },
    /// A certificate was not issued by the one after it.
    #[error(
        "in {file}, {certificate} was not issued by {next}: its issuer is {issuer}, so put that certificate between them"
    )]
    BrokenLink {
        /// Which file.
        file: String,
        /// The one that was issued by another.
        certificate: Position,
        /// The one that follows.
        next: Position,
        /// The name of the issuer that is missing.
        issuer: String,
    },
    /// The names match, the signature does not.
    #[error(
        "in {file}, the signature on {certificate} does not match the key of {next}: get both again from the authority"
    )]
    BadSignature {
        /// Which file.
        file: String,
        /// The one whose signature is wrong.
        certificate: Position,
        /// The one that should have issued it.
        next: Position,
    },
    /// A certificate was signed by other means than C2PA allows.
    #[error(
        "in {file}, {certificate} is signed with an algorithm ({algorithm}) that C2PA does not allow or \
         CredLink cannot check: have it issued with SHA-256 or stronger"
    )]
    UnsupportedSignature {
        /// Which file.
        file: String,
        /// Which certificate.
        certificate: Position,
        /// The object identifier of the algorithm.
        algorithm: String,
    },
    /// Its time has not come.
    #[error(
        "in {file}, {certificate} is not valid before {not_before}: check this machine's clock, or wait until then"
    )]
    NotYetValid {
        /// Which file.
        file: String,
        /// Which certificate.
        certificate: Position,
        /// From when on, RFC 3339.
        not_before: String,
    },
    /// Its time is over.
    #[error(
        "in {file}, {certificate} expired on {not_after}: make a new key with `credlink keys rotate`, or import a new \
         chain with a new key"
    )]
    Expired {
        /// Which file.
        file: String,
        /// Which certificate.
        certificate: Position,
        /// Until when, RFC 3339.
        not_after: String,
    },
    /// A certificate is not what C2PA asks for.
    #[error("in {file}, {certificate} does not meet the C2PA certificate profile: {rule}")]
    Profile {
        /// Which file.
        file: String,
        /// Which certificate.
        certificate: Position,
        /// Which rule, and what it asks for.
        rule: ProfileRule,
    },
    /// The given root does not end the given chain.
    #[error(
        "no certificate in {root} issued the last one in {chain}, whose issuer is {issuer}: give that root"
    )]
    RootMismatch {
        /// The file with the root.
        root: String,
        /// The file with the chain.
        chain: String,
        /// The issuer that was looked for.
        issuer: String,
    },

    /// What was given as a root may not issue certificates.
    #[error(
        "{certificate} in {root} issued the chain but is not a certificate authority: give the root of the chain"
    )]
    RootNotAuthority {
        /// The file with the root.
        root: String,
        /// Which certificate.
        certificate: Position,
    },

    /// The root certificate of the local authority is there, its key is not.
    #[error(
        "{} is missing, so the local authority cannot issue certificates: put it back, or move {} away to begin \
         with a new authority", key.display(), certificate.display()
    )]
    AuthorityKeyMissing {
        /// The certificate that is there.
        certificate: PathBuf,
        /// The key that is not.
        key: PathBuf,
    },
    /// A key could not be generated.
    #[error("no {0} key could be generated: the cryptographic library failed; try again")]
    KeyGeneration(&'static str),
    /// A certificate could not be made.
    #[error("no certificate could be issued: {0}")]
    Issuance(#[from] rcgen::Error),
}
