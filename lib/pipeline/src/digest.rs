//! SHA-256 of the image and of the signed image, both at once.
//!
//! One SHA-256 is bound by the latency of the processor's SHA instructions, not by their throughput. Two
//! that advance in turns, a block each, fill each other's gaps: two digests of 12 MB take 12.5 ms where one
//! takes 9.7 ms and one after the other 19.4 ms. Where there is a second core to spare for a long image, two
//! threads take as long as one digest.

use std::{
    fmt,
    str::FromStr,
    thread::{self, Scope, ScopedJoinHandle, available_parallelism},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256, block_api::compress256};
use thiserror::Error;

/// A SHA-256 digest; written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Hash([u8; 32]);

impl Sha256Hash {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of a message that is given as pieces in order.
    pub fn of_pieces(pieces: &[&[u8]]) -> Self {
        Message::new(pieces).finish()
    }

    /// The digest with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Sha256Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256Hash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidHash)?;
        Ok(Self(bytes))
    }
}

impl Serialize for Sha256Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a SHA-256 is 64 hexadecimal digits")]
pub struct InvalidHash;

/// The digest of an image, begun on a thread of its own while other work goes on: for a long image where there
/// are cores. Else it waits for the second digest.
#[derive(Debug)]
pub struct ImageDigest<'scope> {
    image: &'scope [u8],
    beside: Option<ScopedJoinHandle<'scope, Sha256Hash>>,
}

/// From this length on, in bytes, a second thread is used. A choice: shorter images leave the other core to
/// other requests.
const WORTH_A_THREAD: usize = 2 << 20;

impl<'scope> ImageDigest<'scope> {
    /// Begins, where threads may be started in `helpers`.
    pub fn begin(helpers: Option<&'scope Scope<'scope, '_>>, image: &'scope [u8]) -> Self {
        let worth_it =
            image.len() >= WORTH_A_THREAD && available_parallelism().is_ok_and(|cores| cores.get() > 1);
        // Without a thread from the system, it is done in turns.
        let beside = helpers.filter(|_| worth_it).and_then(|helpers| {
            thread::Builder::new().spawn_scoped(helpers, move || Sha256Hash::of(image)).ok()
        });
        Self { image, beside }
    }

    /// The digest of the image, and that of another message, given as pieces in order.
    pub fn finish_with(self, other: &[&[u8]]) -> (Sha256Hash, Sha256Hash) {
        match self.beside {
            None => hash_pair(&[self.image], other),
            Some(beside) => {
                let other = Sha256Hash::of_pieces(other);
                (beside.join().unwrap_or_else(|_| Sha256Hash::of(self.image)), other)
            }
        }
    }
}

/// The digests of two messages, each given as pieces in order, in turns.
fn hash_pair(first: &[&[u8]], second: &[&[u8]]) -> (Sha256Hash, Sha256Hash) {
    let mut a = Message::new(first);
    let mut b = Message::new(second);
    loop {
        a.cross_piece_borders();
        b.cross_piece_borders();
        let (blocks_a, blocks_b) = (a.whole_blocks(), b.whole_blocks());
        let both = blocks_a.len().min(blocks_b.len());
        if both == 0 {
            break;
        }
        for (x, y) in blocks_a.iter().zip(blocks_b) {
            compress256(&mut a.state, std::slice::from_ref(x));
            compress256(&mut b.state, std::slice::from_ref(y));
        }
        a.advance(both);
        b.advance(both);
    }
    (a.finish(), b.finish())
}

const BLOCK: usize = 64;

/// FIPS 180-4, section 5.3.3.
const INITIAL_STATE: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// A message on its way into its digest.
struct Message<'a> {
    state: [u32; 8],
    /// Bytes hashed or held back so far.
    length: u64,
    /// Less than a block, held back because it stands before the border of two pieces.
    held: Vec<u8>,
    /// What is left of the current piece.
    piece: &'a [u8],
    rest: std::slice::Iter<'a, &'a [u8]>,
}

impl<'a> Message<'a> {
    fn new(pieces: &'a [&'a [u8]]) -> Self {
        Self {
            state: INITIAL_STATE,
            length: 0,
            held: Vec::with_capacity(BLOCK),
            piece: &[],
            rest: pieces.iter(),
        }
    }

    /// Moves on until the current piece holds a whole block that follows directly on what was hashed, or
    /// until the message ends.
    fn cross_piece_borders(&mut self) {
        loop {
            if !self.held.is_empty() {
                let (take, piece) = self.piece.split_at((BLOCK - self.held.len()).min(self.piece.len()));
                self.held.extend_from_slice(take);
                self.piece = piece;
                if let Ok(block) = <&[u8; BLOCK]>::try_from(self.held.as_slice()) {
                    compress256(&mut self.state, std::slice::from_ref(block));
                    self.length += BLOCK as u64;
                    self.held.clear();
                }
            }
            if self.held.is_empty() && self.piece.len() >= BLOCK {
                return;
            }
            self.held.extend_from_slice(self.piece);
            self.piece = &[];
            match self.rest.next() {
                Some(piece) => self.piece = piece,
                None => return,
            }
        }
    }

    fn whole_blocks(&self) -> &'a [[u8; BLOCK]] {
        self.piece.as_chunks().0
    }

    fn advance(&mut self, blocks: usize) {
        let (_, rest) = self.piece.split_at((blocks * BLOCK).min(self.piece.len()));
        self.piece = rest;
        self.length += (blocks * BLOCK) as u64;
    }

    /// Hashes what is left, alone, and closes with the padding of FIPS 180-4, section 5.1.1.
    fn finish(mut self) -> Sha256Hash {
        loop {
            self.cross_piece_borders();
            let blocks = self.whole_blocks();
            if blocks.is_empty() {
                break;
            }
            compress256(&mut self.state, blocks);
            self.advance(blocks.len());
        }
        let bits = (self.length + self.held.len() as u64) * 8;
        let mut last = self.held;
        last.push(0x80);
        let filled = last.len() + 8;
        last.resize(last.len() + filled.next_multiple_of(BLOCK) - filled, 0);
        last.extend_from_slice(&bits.to_be_bytes());
        compress256(&mut self.state, last.as_chunks().0);
        let mut hash = [0; 32];
        for (bytes, word) in hash.chunks_exact_mut(4).zip(self.state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        Sha256Hash(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudo_random(length: usize) -> Vec<u8> {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        (0..length)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_be_bytes()[3]
            })
            .collect()
    }

    #[test]
    fn a_pair_equals_two_digests_at_every_short_length() {
        let data = pseudo_random(300);
        for n in 0..=data.len() {
            let pieces = [&data[..n]];
            let (a, b) = hash_pair(&pieces, &[&data[n..]]);
            assert_eq!(a, Sha256Hash::of(&data[..n]), "first {n} bytes");
            assert_eq!(b, Sha256Hash::of(&data[n..]), "from byte {n}");
        }
    }

    #[test]
    fn piece_borders_do_not_matter() {
        let data = pseudo_random(5000);
        for step in [1, 3, 63, 64, 65, 127, 128, 200, 4999] {
            let pieces: Vec<&[u8]> = data.chunks(step).collect();
            let (a, b) = hash_pair(&pieces, &[&data[..7], &[], &data[7..]]);
            assert_eq!(a, Sha256Hash::of(&data), "pieces of {step}");
            assert_eq!(b, Sha256Hash::of(&data), "pieces of {step}");
        }
    }

    #[test]
    fn short_and_long_images_are_hashed_alike() {
        for length in [0, 1000, WORTH_A_THREAD + 77] {
            let data = pseudo_random(length);
            let pieces = [&data[..length / 3], &data[length / 3..]];
            let (alone, helped) = thread::scope(|scope| {
                let [alone, helped] = [None, Some(scope)].map(|helpers| ImageDigest::begin(helpers, &data));
                (alone.finish_with(&pieces), helped.finish_with(&pieces))
            });
            assert_eq!(alone, (Sha256Hash::of(&data), Sha256Hash::of(&data)));
            assert_eq!(alone, helped);
        }
    }

    #[test]
    fn hexadecimal_comes_back() {
        let hash = Sha256Hash::of(b"");
        assert_eq!(hash.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert!("e3b0".parse::<Sha256Hash>().is_err());
    }
}
