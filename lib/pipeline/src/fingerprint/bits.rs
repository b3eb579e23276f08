//! Bits of the entropy-coded data of a JPEG (ITU-T T.81, F.2.2.5).

use super::segment::{RST0, RST7, next_marker};

/// Reads bits from the most significant on, passes over stuffed zero bytes and stops before a marker. After
/// the last bit come zeros without end; [`BitReader::ran_dry`] tells.
pub(super) struct BitReader<'a> {
    rest: &'a [u8],
    /// The next bits, the first in the most significant place. Those after `filled` are of no account: zero,
    /// or what will stand there anyway.
    window: u64,
    filled: u32,
    /// How many of the bits were made up, ever since the last restart.
    made_up: u32,
}

impl<'a> BitReader<'a> {
    /// The most that may be taken after one [`BitReader::refill`].
    pub(super) const GUARANTEED: u32 = 32;

    pub(super) fn new(entropy_coded: &'a [u8]) -> Self {
        Self { rest: entropy_coded, window: 0, filled: 0, made_up: 0 }
    }

    /// Makes sure that [`BitReader::GUARANTEED`] bits are there.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        if self.filled >= Self::GUARANTEED {
            return;
        }
        let Some(word) = self.rest.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)) else {
            return self.refill_by_bytes();
        };
        if has_ff(word) {
            return self.refill_by_bytes();
        }
        self.window |= word >> self.filled;
        let bytes = (64 - self.filled) / 8;
        self.rest = self.rest.get(bytes as usize..).unwrap_or_default();
        self.filled += bytes * 8;
    }

    #[inline(never)]
    fn refill_by_bytes(&mut self) {
        while self.filled <= 56 {
            let byte = match self.rest {
                [0xff, 0x00, rest @ ..] => {
                    self.rest = rest;
                    0xff
                }
                [byte, rest @ ..] if *byte != 0xff => {
                    self.rest = rest;
                    *byte
                }
                // A marker, or the end.
                _ => {
                    self.made_up += 8;
                    0
                }
            };
            self.window |= u64::from(byte) << (56 - self.filled);
            self.filled += 8;
        }
    }

    /// The next `COUNT` bits, at most 16, left where they are.
    #[inline(always)]
    pub(super) fn peek<const COUNT: u32>(&self) -> u16 {
        u16::try_from(self.window >> (64 - COUNT)).unwrap_or_default()
    }

    /// Passes over `count` bits, at most 31.
    #[inline(always)]
    pub(super) fn skip(&mut self, count: u32) {
        self.window <<= count & 31;
        self.filled = self.filled.saturating_sub(count);
    }

    /// Takes `count` bits, at most 16.
    #[inline(always)]
    pub(super) fn take(&mut self, count: u32) -> u16 {
        let bits = u32::from(self.peek::<16>()) >> (16 - count.min(16));
        self.skip(count);
        u16::try_from(bits).unwrap_or_default()
    }

    /// Takes the number that `length` bits stand for, at most 15 (T.81, F.2.2.1): with the highest bit set it is what
    /// they say, else as far below zero; 0 without bits.
    #[inline(always)]
    pub(super) fn take_number(&mut self, length: u32) -> i32 {
        let bits = i32::from(self.take(length));
        let positive = length == 0 || bits >> (length - 1) != 0;
        if positive { bits } else { bits - (1 << length) + 1 }
    }

    /// Whether more bits were taken than there were.
    #[inline(always)]
    pub(super) fn ran_dry(&self) -> bool {
        self.made_up > self.filled
    }

    /// Goes on after the next restart marker; false when there is none before another marker.
    pub(super) fn restart(&mut self) -> bool {
        match next_marker(self.rest) {
            Some((RST0..=RST7, rest)) => {
                *self = Self::new(rest);
                true
            }
            _ => false,
        }
    }
}

/// Whether one of the eight bytes is `FF`.
#[inline(always)]
fn has_ff(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    (!word).wrapping_sub(ONES) & word & (ONES << 7) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuffed_zeros_are_no_bits_and_a_marker_ends_them() {
        let mut data = vec![0x12, 0xff, 0x00, 0x34];
        data.extend([0x56; 20]);
        data.extend([0xff, 0x00, 0x78, 0xff, 0xd0, 0x9a]);
        let mut bits = BitReader::new(&data);
        let mut bytes = Vec::new();
        for _ in 0..25 {
            bits.refill();
            bytes.push(bits.take(8));
        }
        assert_eq!(bytes[..3], [0x12, 0xff, 0x34]);
        assert_eq!(bytes[3..23], [0x56; 20]);
        assert_eq!(bytes[23..], [0xff, 0x78]);
        assert!(!bits.ran_dry());
        bits.refill();
        assert_eq!(bits.take(1), 0);
        assert!(bits.ran_dry());
        assert!(bits.restart());
        bits.refill();
        assert_eq!(bits.take(8), 0x9a);
        assert!(!bits.restart());
    }
}
