//! A PEM file as it comes from outside: bounded, not trusted, and wiped from memory after use.

use std::{
    fmt, fs,
    io::{ErrorKind, Read},
    path::Path,
};

use pem::{EncodeConfig, LineEnding, Pem};
use zeroize::Zeroizing;

use crate::error::KeysError;

/// The most bytes of a file that are read; a chain of ten certificates has about 20 000.
pub const MAX_FILE_BYTES: u64 = 256 * 1024;

/// The most certificates that one file may hold.
pub const MAX_CERTIFICATES: usize = 64;

const BEGIN: &[u8] = b"-----BEGIN ";

/// A file by name and content. `Debug` shows the name only.
pub struct PemFile {
    name: String,
    bytes: Zeroizing<Vec<u8>>,
}

impl PemFile {
    /// Content that was read elsewhere; `name` is what messages call it.
    ///
    /// # Errors
    /// [`KeysError::FileTooLarge`] above [`MAX_FILE_BYTES`].
    pub fn new(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self, KeysError> {
        let file = Self { name: name.into(), bytes: Zeroizing::new(bytes) };
        if u64::try_from(file.bytes.len()).is_ok_and(|length| length <= MAX_FILE_BYTES) {
            Ok(file)
        } else {
            Err(KeysError::FileTooLarge { file: file.name.clone(), limit: MAX_FILE_BYTES })
        }
    }

    /// Reads `path`, at most [`MAX_FILE_BYTES`].
    ///
    /// # Errors
    /// [`KeysError::Io`] or [`KeysError::FileTooLarge`].
    pub fn read(path: &Path) -> Result<Self, KeysError> {
        let failed = |source| KeysError::Io { action: "read", path: path.to_owned(), source };
        // A pipe would block for ever; nobody keeps keys in one.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(failed(std::io::Error::new(ErrorKind::InvalidInput, "it is not a file")));
        }
        // Room for all of it from the start: growing would leave copies of a key behind.
        let mut bytes = Vec::with_capacity(usize::try_from(MAX_FILE_BYTES).unwrap_or(0).saturating_add(1));
        let file = fs::File::open(path).map_err(failed)?;
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        Self::new(path.display().to_string(), bytes)
    }

    /// Like [`PemFile::read`]; `None` when there is no such file.
    pub(crate) fn read_if_present(path: &Path) -> Result<Option<Self>, KeysError> {
        match Self::read(path) {
            Err(KeysError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The DER of its certificates, in order; other blocks are passed over.
    ///
    /// # Errors
    /// [`KeysError::NotPem`], [`KeysError::NoCertificate`], or [`KeysError::TooManyCertificates`] above
    /// [`MAX_CERTIFICATES`].
    pub fn certificates(&self) -> Result<Vec<Vec<u8>>, KeysError> {
        let blocks = self.blocks()?;
        let certificates: Vec<_> =
            blocks.into_iter().filter(|block| block.tag() == "CERTIFICATE").map(Pem::into_contents).collect();
        match certificates.len() {
            0 => Err(KeysError::NoCertificate { file: self.name.clone() }),
            1..=MAX_CERTIFICATES => Ok(certificates),
            _ => Err(KeysError::TooManyCertificates { file: self.name.clone(), limit: MAX_CERTIFICATES }),
        }
    }

    /// The DER of its certificate request (RFC 2986); `None` when there is none.
    ///
    /// # Errors
    /// [`KeysError::NotPem`].
    pub fn request(&self) -> Result<Option<Vec<u8>>, KeysError> {
        let request = self.blocks()?.into_iter().find(|block| block.tag() == "CERTIFICATE REQUEST");
        Ok(request.map(Pem::into_contents))
    }

    /// Its only private key.
    pub(crate) fn private_key(&self) -> Result<PrivateKeyBlock, KeysError> {
        let mut keys = self.blocks()?.into_iter().filter(|block| block.tag().ends_with("PRIVATE KEY"));
        let key = keys.next().ok_or_else(|| KeysError::NoPrivateKey { file: self.name.clone() })?;
        if keys.next().is_some() {
            return Err(KeysError::SeveralPrivateKeys { file: self.name.clone() });
        }
        let encrypted = key.headers().get("Proc-Type").is_some_and(|value| value.contains("ENCRYPTED"));
        if encrypted || key.tag() == "ENCRYPTED PRIVATE KEY" {
            return Err(KeysError::EncryptedPrivateKey { file: self.name.clone() });
        }
        let tag = key.tag().to_owned();
        Ok(PrivateKeyBlock { tag, der: Zeroizing::new(key.into_contents()) })
    }

    fn blocks(&self) -> Result<Vec<Pem>, KeysError> {
        let not_pem = |advice| KeysError::NotPem { file: self.name.clone(), advice };
        let damaged = || not_pem("a block is damaged or cut off; copy the whole file again");
        let blocks = pem::parse_many(self.bytes.as_slice()).map_err(|_| damaged())?;
        // The parser passes over a last block without an end.
        let begun = self.bytes.windows(BEGIN.len()).filter(|window| window == &BEGIN).count();
        if begun != blocks.len() {
            return Err(damaged());
        }
        if !blocks.is_empty() {
            return Ok(blocks);
        }
        Err(not_pem(match self.bytes.first() {
            None => "it is empty; write the file again",
            // Every DER certificate and key begins with the tag of a SEQUENCE.
            Some(0x30) => {
                "it looks like DER or PKCS#12; convert it with `openssl x509`, `openssl pkey` or `openssl pkcs12`"
            }
            Some(_) => "it has no `-----BEGIN …-----` block; give a PEM file",
        }))
    }
}

impl fmt::Debug for PemFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PemFile").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A private key that is not parsed yet.
pub(crate) struct PrivateKeyBlock {
    pub(crate) tag: String,
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// `der` as one PEM block with line feeds.
pub(crate) fn encode(tag: &str, der: &[u8]) -> String {
    pem::encode_config(&Pem::new(tag, der), EncodeConfig::new().set_line_ending(LineEnding::LF))
}
