//! What is named how in the folder.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{ProofId, ProofRecord},
};

const PROOF_SUFFIX: &str = ".proof";
const STAMPED_SUFFIX: &str = ".stamped";

/// The paths inside a proof folder.
#[derive(Debug)]
pub(super) struct Layout {
    /// Holds the shards of the proofs.
    pub(super) by_id: PathBuf,
    /// Holds the shards of the index by image hash.
    pub(super) by_hash: PathBuf,
    /// Holds the sessions.
    pub(super) sessions: PathBuf,
}

impl Layout {
    pub(super) fn new(dir: &Path) -> Self {
        Self { by_id: dir.join("by-id"), by_hash: dir.join("by-hash"), sessions: dir.join("tmp") }
    }

    /// The folder of the proofs whose ids begin like `id`.
    pub(super) fn id_shard(&self, id: ProofId) -> PathBuf {
        self.by_id.join(shard(&id.to_string()))
    }

    /// The file of the proof `id`.
    pub(super) fn proof(&self, id: ProofId) -> PathBuf {
        self.file_of(id, PROOF_SUFFIX)
    }

    /// The file of its stamped copy.
    pub(super) fn stamped(&self, id: ProofId) -> PathBuf {
        self.file_of(id, STAMPED_SUFFIX)
    }

    fn file_of(&self, id: ProofId, suffix: &str) -> PathBuf {
        let id = id.to_string();
        let mut path = self.by_id.join(shard(&id));
        path.push(id + suffix);
        path
    }

    /// The folder of the index entries whose hashes begin like `hash`.
    pub(super) fn hash_shard(&self, hash: Sha256Hash) -> PathBuf {
        self.by_hash.join(shard(&hash.to_string()))
    }

    /// The index entry's file.
    pub(super) fn entry(&self, entry: IndexEntry) -> PathBuf {
        let name = entry.to_string();
        let mut path = self.by_hash.join(shard(&name));
        path.push(name);
        path
    }
}

/// The name of a shard: the first three digits. The order of the shards is the order of the names in them.
pub(super) fn shard(name: &str) -> &str {
    name.get(..3).unwrap_or(name)
}

/// Whether a folder of this name is a shard.
pub(super) fn is_shard(name: &str) -> bool {
    name.len() == 3 && name.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// The id in the name of a proof's file.
pub(super) fn id_of_proof_file(name: &str) -> Option<ProofId> {
    name.strip_suffix(PROOF_SUFFIX)?.parse().ok()
}

/// What the index by image hash says of one proof, all of it in its name: `<hash>.<time>.<id>`. Names of one
/// hash sort by time, then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) image_hash: Sha256Hash,
    /// Milliseconds since 1970, raised by 2^63 so that earlier times sort before.
    created_at: u64,
    pub(super) id: ProofId,
}

impl IndexEntry {
    /// The entry of the proof with this record.
    pub(super) fn of(record: &ProofRecord) -> Self {
        let millis = record.created_at.unix_milliseconds();
        Self { image_hash: record.image_hash, created_at: millis.cast_unsigned() ^ (1 << 63), id: record.id }
    }

    /// What puts the newest first.
    pub(super) fn newest_first(&self) -> impl Ord + use<> {
        std::cmp::Reverse((self.created_at, self.id))
    }
}

impl fmt::Display for IndexEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:016x}.{}", self.image_hash, self.created_at, self.id)
    }
}

impl FromStr for IndexEntry {
    type Err = NotAnIndexEntry;

    /// Takes what [`fmt::Display`] writes, and nothing else.
    fn from_str(name: &str) -> Result<Self, NotAnIndexEntry> {
        let mut parts = name.split('.');
        let (Some(hash), Some(created_at), Some(id), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NotAnIndexEntry);
        };
        let entry = Self {
            image_hash: hash.parse().map_err(|_| NotAnIndexEntry)?,
            created_at: u64::from_str_radix(created_at, 16).map_err(|_| NotAnIndexEntry)?,
            id: id.parse().map_err(|_| NotAnIndexEntry)?,
        };
        if entry.to_string() == name { Ok(entry) } else { Err(NotAnIndexEntry) }
    }
}

/// The name is not one of an index entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAnIndexEntry;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::sample;

    #[test]
    fn the_name_of_an_entry_gives_it_back() {
        let entry = IndexEntry::of(&sample(b"image", "2026-01-31T08:15:30.250Z").record);
        assert_eq!(entry.to_string().parse(), Ok(entry));
    }

    #[test]
    fn names_of_one_image_sort_by_time() {
        let times = [
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59.999Z",
            "1970-01-01T00:00:00Z",
            "2026-01-01T00:00:00Z",
        ];
        let names = times.map(|time| IndexEntry::of(&sample(b"image", time).record).to_string());
        assert!(names.is_sorted(), "{names:?}");
    }

    #[test]
    fn only_the_exact_form_is_an_entry() {
        let name = IndexEntry::of(&sample(b"image", "2026-01-31T08:15:30.250Z").record).to_string();
        let others = [
            name.to_uppercase(),
            name.replace('.', "-"),
            name.replacen('.', ".+", 1),
            format!("{name}."),
            format!("{name}.proof"),
            name.get(1..).unwrap().to_owned(),
            String::new(),
        ];
        for other in others {
            assert_eq!(other.parse::<IndexEntry>(), Err(NotAnIndexEntry), "{other}");
        }
    }
}
