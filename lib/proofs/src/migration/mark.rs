//! What tells one state of a proof from another.

use std::{fmt, str::FromStr};

use credlink_pipeline::{
    digest::{InvalidHash, Sha256Hash},
    proof::ProofRecord,
};

/// How many bytes a mark has.
pub(super) const MARK_LENGTH: usize = 64;

/// SHA-256 of a proof's record as JSON, without its stamped copy, and of what the record says of that copy. The record names
/// the SHA-256 of the manifest store and of the stamped one, so equal marks mean equal proofs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    core: Sha256Hash,
    /// Zeros when there is no stamped copy.
    stamp: Sha256Hash,
}

const NOTHING: Sha256Hash = Sha256Hash::from_bytes([0; 32]);

impl Mark {
    /// Of a proof that cannot be read.
    pub(super) const UNKNOWN: Self = Self { core: NOTHING, stamp: NOTHING };

    /// Of the proof with this record.
    pub(super) fn of(record: &ProofRecord) -> Self {
        let core = ProofRecord { stamped: None, ..record.clone() };
        Self { core: hash_of(&core), stamp: record.stamped.as_ref().map_or(NOTHING, hash_of) }
    }

    /// Whether a proof with the mark `there` is this one, or is on the way to it: its stamped copy comes last.
    pub(super) fn covers(self, there: Self) -> bool {
        self.is_same_proof(there) && (there.stamp == self.stamp || there.stamp == NOTHING)
    }

    /// Whether only the stamped copies may differ.
    pub(super) fn is_same_proof(self, other: Self) -> bool {
        self.core == other.core && self.core != NOTHING
    }

    pub(super) fn to_bytes(self) -> [u8; MARK_LENGTH] {
        let mut bytes = [0; MARK_LENGTH];
        let (core, stamp) = bytes.split_at_mut(MARK_LENGTH / 2);
        core.copy_from_slice(self.core.as_bytes());
        stamp.copy_from_slice(self.stamp.as_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; MARK_LENGTH]) -> Self {
        let (mut core, mut stamp) = ([0; 32], [0; 32]);
        let (of_core, of_stamp) = bytes.split_at(MARK_LENGTH / 2);
        core.copy_from_slice(of_core);
        stamp.copy_from_slice(of_stamp);
        Self { core: Sha256Hash::from_bytes(core), stamp: Sha256Hash::from_bytes(stamp) }
    }
}

/// A record's members stand in a fixed order, and its times in one form: its JSON is always the same. What has no JSON, which
/// cannot be, is like nothing else.
fn hash_of(value: &impl serde::Serialize) -> Sha256Hash {
    serde_json::to_vec(value).map_or(NOTHING, |json| Sha256Hash::of(&json))
}

/// `<core>`, or `<core>+<stamp>` where there is a stamped copy.
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)?;
        if self.stamp == NOTHING { Ok(()) } else { write!(f, "+{}", self.stamp) }
    }
}

impl FromStr for Mark {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let (core, stamp) = match text.split_once('+') {
            Some((core, stamp)) => (core, stamp.parse()?),
            None => (text, NOTHING),
        };
        Ok(Self { core: core.parse()?, stamp })
    }
}

#[cfg(test)]
mod tests {
    use credlink_pipeline::proof::StampedCopy;

    use super::*;
    use crate::contract::{sample, time};

    #[test]
    fn a_mark_covers_what_is_on_the_way_to_it() {
        let plain = sample(b"image", "2026-01-01T00:00:00Z").record;
        let copy = StampedCopy {
            manifest_hash: Sha256Hash::of(b"stamped"),
            time: time("2026-01-02T00:00:00Z"),
            stamped_at: time("2026-01-02T00:00:00Z"),
        };
        let stamped = ProofRecord { stamped: Some(copy), ..plain.clone() };
        let other = sample(b"image", "2026-01-01T00:00:00Z").record;
        let [plain, stamped, other] = [plain, stamped, other].map(|record| Mark::of(&record));
        assert!(stamped.covers(plain) && stamped.covers(stamped) && plain.covers(plain));
        assert!(!plain.covers(stamped) && !plain.covers(other) && plain.is_same_proof(stamped));
        assert!(!Mark::UNKNOWN.covers(Mark::UNKNOWN));
        for mark in [plain, stamped, Mark::UNKNOWN] {
            assert_eq!(mark.to_string().parse(), Ok(mark));
            assert_eq!(Mark::from_bytes(&mark.to_bytes()), mark);
        }
    }
}
