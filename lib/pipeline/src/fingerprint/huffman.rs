//! Huffman codes of a JPEG (ITU-T T.81, annexes C and F), made for passing over coefficients quickly.

use super::{FingerprintError, bits::BitReader};

/// Places for tables of each kind.
pub(super) const PLACES: usize = 4;

/// The Huffman tables of a file, as far as it was read.
#[derive(Default)]
pub(super) struct Tables {
    dc: [Option<Table>; PLACES],
    ac: [Option<Table>; PLACES],
}

impl Tables {
    /// Takes in the tables of a DHT segment.
    pub(super) fn read(&mut self, mut segment: &[u8]) -> Result<(), FingerprintError> {
        while let Some((class_and_place, rest)) = segment.split_first() {
            let tables = match class_and_place >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err(damaged()),
            };
            let (table, rest) = Table::parse(rest).ok_or_else(damaged)?;
            *tables.get_mut(usize::from(class_and_place & 15)).ok_or_else(damaged)? = Some(table);
            segment = rest;
        }
        Ok(())
    }

    /// The DC table at a place.
    pub(super) fn dc(&self, place: u8) -> Option<&Table> {
        self.dc.get(usize::from(place))?.as_ref()
    }

    /// The AC table at a place.
    pub(super) fn ac(&self, place: u8) -> Option<&Table> {
        self.ac.get(usize::from(place))?.as_ref()
    }
}

fn damaged() -> FingerprintError {
    FingerprintError::undecodable("a Huffman table is damaged")
}

/// A Huffman table as it stands in a file (T.81, B.2.4.2).
pub(super) struct Table {
    /// How many codes there are of each length, 1 to 16 bits.
    counts: [u8; 16],
    /// What the codes stand for, shortest first.
    symbols: Vec<u8>,
}

impl Table {
    /// Reads a table, and gives what follows it; `None` when it is cut off, or its codes do not fit into 16
    /// bits.
    fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (counts, rest) = bytes.split_first_chunk::<16>()?;
        let total = counts.iter().copied().map(usize::from).sum();
        let space: u32 = (0..16).zip(counts).map(|(n, count)| u32::from(*count) << (15 - n)).sum();
        if total > 256 || space > 1 << 16 {
            return None;
        }
        let (symbols, rest) = rest.split_at_checked(total)?;
        Some((Self { counts: *counts, symbols: symbols.to_vec() }, rest))
    }
}

/// Codes of one symbol at a time.
pub(super) struct Codes {
    /// By the next [`SHORT`] bits: the length of the code in them and its symbol, 0 when it is longer.
    short: Box<[u16; 1 << SHORT]>,
    /// For each length: the first 16 bits that no code up to this length begins with, and what to add to the
    /// code to have the index of its symbol.
    long: [(u32, i32); 16],
    symbols: Vec<u8>,
}

const SHORT: u32 = 9;

impl Codes {
    pub(super) fn of(table: &Table) -> Self {
        let mut long = [(0, 0); 16];
        let (mut code, mut index) = (0_i32, 0_i32);
        for ((length, count), entry) in (1..).zip(table.counts).zip(&mut long) {
            let offset = index - code;
            code += i32::from(count);
            index += i32::from(count);
            *entry = (code.cast_unsigned() << (16 - length), offset);
            code <<= 1;
        }
        let mut codes = Self { short: Box::new([0; 1 << SHORT]), long, symbols: table.symbols.clone() };
        let mut short = Box::new([0; 1 << SHORT]);
        for (bits, entry) in (0_u16..).zip(short.iter_mut()) {
            if let Some((length, symbol)) = codes.search(bits << (16 - SHORT))
                && length <= SHORT
            {
                *entry = u16::from(symbol) | u16::try_from(length).unwrap_or_default() << 8;
            }
        }
        codes.short = short;
        codes
    }

    /// Takes the next code; its symbol, `None` when no code begins so. The bits must be there.
    #[inline(always)]
    pub(super) fn decode(&self, bits: &mut BitReader<'_>) -> Option<u8> {
        let (length, symbol) = self.look(bits.peek::<16>())?;
        bits.skip(length);
        Some(symbol)
    }

    /// Length and symbol of the code that `bits` begin with.
    #[inline(always)]
    fn look(&self, bits: u16) -> Option<(u32, u8)> {
        let entry = self.short.get(usize::from(bits >> (16 - SHORT))).copied().unwrap_or_default();
        let [symbol, length] = entry.to_le_bytes();
        if length == 0 { self.search(bits) } else { Some((u32::from(length), symbol)) }
    }

    #[inline(never)]
    fn search(&self, bits: u16) -> Option<(u32, u8)> {
        let (length, (_, offset)) =
            (1..=16_u32).zip(&self.long).find(|(_, (end, _))| u32::from(bits) < *end)?;
        let index = i32::from(bits >> (16 - length)) + offset;
        Some((length, *self.symbols.get(usize::try_from(index).ok()?)?))
    }
}

/// Codes of the AC coefficients of a block, for passing over as many as fit into one look.
pub(super) struct AcCodes {
    /// By the next [`LOOK`] bits: see [`Stride`].
    strides: Box<[Stride; 1 << LOOK]>,
    single: Codes,
}

const LOOK: u32 = 12;

/// What one look passes over: bits 0 to 4, how many bits of the data; 5 to 11, how many coefficients; 15,
/// whether the block ends. 0 when the first code is longer than the look.
type Stride = u16;

const END_OF_BLOCK: Stride = 1 << 15;

impl AcCodes {
    pub(super) fn of(table: &Table) -> Self {
        let single = Codes::of(table);
        let mut strides = Box::new([0; 1 << LOOK]);
        for (bits, stride) in (0_u16..).zip(strides.iter_mut()) {
            *stride = single.stride(bits << (16 - LOOK));
        }
        Self { strides, single }
    }

    /// Reads those AC coefficients of a block that have a place in `lowest`, which is in zigzag order from the DC
    /// coefficient on, and passes over all others; `None` when a code is none.
    #[inline(always)]
    pub(super) fn read_lowest<const COUNT: usize>(
        &self,
        bits: &mut BitReader<'_>,
        lowest: &mut [i16; COUNT],
    ) -> Option<()> {
        let mut position = 1;
        while usize::from(position) < COUNT {
            bits.refill();
            let Coefficient::Run { coefficients, extra_bits } = Coefficient::of(self.single.decode(bits)?)
            else {
                return Some(());
            };
            position += coefficients;
            let number = bits.take_number(extra_bits);
            if let Some(place) = lowest.get_mut(usize::from(position - 1)) {
                *place = i16::try_from(number).unwrap_or_default();
            }
        }
        self.pass_over(bits, position)
    }

    /// Passes over the AC coefficients of a block from the one at `position` on; `None` when a code is none.
    #[inline(always)]
    pub(super) fn pass_over(&self, bits: &mut BitReader<'_>, mut position: u16) -> Option<()> {
        while position < BLOCK {
            bits.refill();
            let look = usize::from(bits.peek::<LOOK>());
            let stride = self.strides.get(look).copied().unwrap_or_default();
            let next = position + (stride >> 5 & 0x7f);
            if stride == 0 || next > BLOCK {
                position += self.single.skip_coefficient(bits)?;
            } else {
                bits.skip(u32::from(stride & 31));
                position = if stride & END_OF_BLOCK == 0 { next } else { BLOCK };
            }
        }
        Some(())
    }
}

/// Coefficients of a block.
const BLOCK: u16 = 64;

impl Codes {
    /// Passes over one code and the bits that belong to it; how many coefficients that were. The run of a
    /// damaged code may reach beyond the block.
    #[inline(never)]
    fn skip_coefficient(&self, bits: &mut BitReader<'_>) -> Option<u16> {
        match Coefficient::of(self.decode(bits)?) {
            Coefficient::EndOfBlock => Some(BLOCK),
            Coefficient::Run { coefficients, extra_bits } => {
                bits.skip(extra_bits);
                Some(coefficients)
            }
        }
    }

    /// How far one can go with the first [`LOOK`] of `bits`.
    fn stride(&self, bits: u16) -> Stride {
        let (mut taken, mut passed) = (0, 0);
        while let Some((length, symbol)) = bits.checked_shl(taken).and_then(|bits| self.look(bits)) {
            // The rest of the code must be known; the bits that belong to it may be anything.
            if taken + length > LOOK {
                break;
            }
            match Coefficient::of(symbol) {
                Coefficient::EndOfBlock => {
                    // Counts as one coefficient: it must stand within the block.
                    return pack(taken + length, passed + 1) | END_OF_BLOCK;
                }
                Coefficient::Run { coefficients, extra_bits } => {
                    if passed + coefficients >= BLOCK {
                        break;
                    }
                    taken += length + extra_bits;
                    passed += coefficients;
                }
            }
        }
        pack(taken, passed)
    }
}

/// `bits` is at most `LOOK + 15`, `coefficients` at most 64.
fn pack(bits: u32, coefficients: u16) -> Stride {
    u16::try_from(bits).unwrap_or_default() | coefficients << 5
}

/// What an AC symbol says (T.81, F.1.2.2).
enum Coefficient {
    Run {
        /// The zeros and what follows them.
        coefficients: u16,
        extra_bits: u32,
    },
    EndOfBlock,
}

impl Coefficient {
    #[inline(always)]
    fn of(symbol: u8) -> Self {
        let (zeros, extra_bits) = (u16::from(symbol >> 4), u32::from(symbol & 15));
        if extra_bits == 0 && zeros != 15 {
            Self::EndOfBlock
        } else {
            Self::Run { coefficients: zeros + 1, extra_bits }
        }
    }
}
