//! The file of one proof.
//!
//! ```text
//! bytes  what
//! 8      "CLPROOF" and a zero byte
//! 4      version of the format, now 1
//! 4      length of the record
//! 8      length of the manifest store
//! 32     SHA-256 of the manifest store
//! …      the record as JSON
//! 32     SHA-256 of all the above
//! …      the manifest store
//! ```
//!
//! Numbers are big-endian. The version is raised when an older reader would misread the file; a field that
//! is added to the record does not raise it, because readers ignore fields they do not know. Two digests, so
//! that a record can be trusted without reading the manifest store.

use std::{
    fs::File,
    io::{self, Read},
};

use bytes::Bytes;
use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{Proof, ProofId, ProofRecord},
};

use crate::newer::is_newer;

/// The longest record, as JSON, in bytes.
pub(super) const MAX_RECORD_LENGTH: usize = 64 << 10;

/// The longest manifest store, in bytes. It can be longer than an image may be, because it holds the
/// credentials of the image's ingredients.
pub(super) const MAX_MANIFEST_STORE_LENGTH: usize = 128 << 20;

const MAGIC: &[u8; 8] = b"CLPROOF\0";
const VERSION: u32 = 1;
const PREFIX_LENGTH: usize = 56;
const DIGEST_LENGTH: usize = 32;
const MAX_HEAD_LENGTH: usize = PREFIX_LENGTH + MAX_RECORD_LENGTH + DIGEST_LENGTH;

/// What is read at first when the record alone is wanted: one page, enough for every usual record.
const FIRST_READ: usize = 4096;

/// Why a file gave no proof.
#[derive(Debug)]
pub(super) enum ReadError {
    /// It could not be read.
    Io(io::Error),
    /// What it holds is no whole proof.
    Damaged(String),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Everything that stands before the manifest store.
///
/// # Errors
/// Says which limit the proof exceeds.
pub(super) fn encode_head(proof: &Proof) -> Result<Vec<u8>, String> {
    let record =
        serde_json::to_vec(&proof.record).map_err(|error| format!("the record is no JSON: {error}"))?;
    if record.len() > MAX_RECORD_LENGTH {
        return Err(format!("a record of {} bytes; the limit is {MAX_RECORD_LENGTH}", record.len()));
    }
    let store_length = proof.manifest_store.len();
    if store_length > MAX_MANIFEST_STORE_LENGTH {
        return Err(format!(
            "a manifest store of {store_length} bytes; the limit is {MAX_MANIFEST_STORE_LENGTH}"
        ));
    }
    let record_length = u32::try_from(record.len()).map_err(|error| error.to_string())?;

    let mut head = Vec::with_capacity(PREFIX_LENGTH + record.len() + DIGEST_LENGTH);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&VERSION.to_be_bytes());
    head.extend_from_slice(&record_length.to_be_bytes());
    head.extend_from_slice(&(store_length as u64).to_be_bytes());
    head.extend_from_slice(Sha256Hash::of(&proof.manifest_store).as_bytes());
    head.extend_from_slice(&record);
    let digest = Sha256Hash::of(&head);
    head.extend_from_slice(digest.as_bytes());
    Ok(head)
}

/// The record in the file, which is `id`'s. Reads no manifest store, but looks whether all of it is there.
pub(super) fn read_record(file: &mut File, id: ProofId) -> Result<ProofRecord, ReadError> {
    let (prefix, bytes) = read_head(file)?;
    prefix.record(&bytes, id)
}

/// Like [`read_record`], and whether a newer version of CredLink wrote it.
pub(super) fn read_listed(file: &mut File, id: ProofId) -> Result<(ProofRecord, bool), ReadError> {
    let (prefix, bytes) = read_head(file)?;
    let record = prefix.record(&bytes, id)?;
    let is_newer = prefix.json(&bytes).is_some_and(|json| is_newer(json, &record));
    Ok((record, is_newer))
}

/// All that stands before the manifest store, at least.
fn read_head(file: &mut File) -> Result<(Prefix, Vec<u8>), ReadError> {
    let file_length = file.metadata()?.len();
    let mut bytes = Vec::with_capacity(FIRST_READ);
    file.take(FIRST_READ as u64).read_to_end(&mut bytes)?;
    let prefix = Prefix::parse(&bytes)?;
    prefix.check_length(file_length)?;
    if let Some(missing) = prefix.head_length().checked_sub(bytes.len()) {
        file.take(missing as u64).read_to_end(&mut bytes)?;
    }
    Ok((prefix, bytes))
}

/// The proof in the file, which is `id`'s.
pub(super) fn read_proof(file: &mut File, id: ProofId) -> Result<Proof, ReadError> {
    let file_length = file.metadata()?.len();
    let longest = (MAX_HEAD_LENGTH + MAX_MANIFEST_STORE_LENGTH) as u64;
    if file_length > longest {
        return Err(ReadError::Damaged(format!(
            "the file has {file_length} bytes; the longest proof has {longest}"
        )));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(file_length).unwrap_or(FIRST_READ));
    file.take(file_length).read_to_end(&mut bytes)?;
    let prefix = Prefix::parse(&bytes)?;
    prefix.check_length(bytes.len() as u64)?;
    let record = prefix.record(&bytes, id)?;
    let manifest_store = Bytes::from(bytes).split_off(prefix.head_length());
    if Sha256Hash::of(&manifest_store).as_bytes() != &prefix.store_digest {
        return Err(damaged("the manifest store is not the one that was kept: its SHA-256 differs"));
    }
    Ok(Proof { record, manifest_store })
}

/// The part of fixed length.
struct Prefix {
    record_length: usize,
    store_length: u64,
    store_digest: [u8; DIGEST_LENGTH],
}

impl Prefix {
    fn parse(mut bytes: &[u8]) -> Result<Self, ReadError> {
        let truncated = || damaged("the file is cut off inside its first bytes");
        if take(&mut bytes).ok_or_else(truncated)? != *MAGIC {
            return Err(damaged("the file is no proof: it begins with other bytes"));
        }
        let version = u32::from_be_bytes(take(&mut bytes).ok_or_else(truncated)?);
        if version > VERSION {
            return Err(ReadError::Damaged(format!(
                "it has format {version}, and this version of CredLink knows formats up to {VERSION}; a newer \
                 CredLink wrote it and can read it"
            )));
        }
        if version == 0 {
            return Err(damaged("it has format 0, which does not exist"));
        }
        let record_length = u32::from_be_bytes(take(&mut bytes).ok_or_else(truncated)?);
        let store_length = u64::from_be_bytes(take(&mut bytes).ok_or_else(truncated)?);
        let store_digest = take(&mut bytes).ok_or_else(truncated)?;
        match usize::try_from(record_length) {
            Ok(record_length) if record_length <= MAX_RECORD_LENGTH => {
                Ok(Self { record_length, store_length, store_digest })
            }
            _ => Err(ReadError::Damaged(format!("it names a record of {record_length} bytes"))),
        }
    }

    fn head_length(&self) -> usize {
        PREFIX_LENGTH + self.record_length + DIGEST_LENGTH
    }

    fn check_length(&self, file_length: u64) -> Result<(), ReadError> {
        let expected = self.store_length.saturating_add(self.head_length() as u64);
        if file_length == expected {
            Ok(())
        } else {
            Err(ReadError::Damaged(format!("the file has {file_length} bytes instead of {expected}")))
        }
    }

    /// The record in `bytes` as it is written there.
    fn json<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        bytes.get(PREFIX_LENGTH..PREFIX_LENGTH + self.record_length)
    }

    /// The record in `bytes`, which hold the whole head at least.
    fn record(&self, bytes: &[u8], id: ProofId) -> Result<ProofRecord, ReadError> {
        let cut_off = || damaged("the file is cut off inside its record");
        let (signed, rest) =
            bytes.split_at_checked(PREFIX_LENGTH + self.record_length).ok_or_else(cut_off)?;
        let digest = rest.get(..DIGEST_LENGTH).ok_or_else(cut_off)?;
        if Sha256Hash::of(signed).as_bytes() != digest {
            return Err(damaged("the record is not the one that was kept: its SHA-256 differs"));
        }
        let json = signed.get(PREFIX_LENGTH..).ok_or_else(cut_off)?;
        let record: ProofRecord = serde_json::from_slice(json)
            .map_err(|error| ReadError::Damaged(format!("the record cannot be read: {error}")))?;
        if record.id != id {
            return Err(ReadError::Damaged(format!("the file holds proof {}", record.id)));
        }
        Ok(record)
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

fn damaged(reason: &str) -> ReadError {
    ReadError::Damaged(reason.to_owned())
}
