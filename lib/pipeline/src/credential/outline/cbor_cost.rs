//! What it would cost to decode CBOR, counted without decoding it. Decoders call themselves for every level, and the C2PA
//! library's does not count tags: bytes that nest deep enough end the process. They make a value of every item, many
//! times its size, and the library makes a number in JSON of every byte of a byte string in an assertion.

use thiserror::Error;

/// The deepest nesting of arrays, maps and tags that is decoded. The library ends at 128 arrays and maps.
const MAX_DEPTH: usize = 128;

/// What may be decoded of one store.
pub(super) struct Allowance {
    items: usize,
    binary: u64,
}

/// Why bytes are not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum TooMuch {
    /// They nest too deep.
    #[error("CBOR nests deeper than {MAX_DEPTH}")]
    Deep,
    /// They are too many items.
    #[error("the CBOR of the manifest store has more than {} items", Allowance::ITEMS)]
    Items,
    /// They have too many bytes in byte strings.
    #[error("assertions hold more than {} bytes in byte strings", Allowance::BINARY)]
    Binary,
}

impl Allowance {
    /// Items in all CBOR of a store. Large manifests have some thousands.
    const ITEMS: usize = 200_000;

    /// Bytes in the byte strings of all assertions in CBOR. Thumbnails stand in boxes of their own.
    const BINARY: u64 = 2 * 1024 * 1024;

    /// Everything that may be decoded of one store.
    pub(super) fn new() -> Self {
        Self { items: Self::ITEMS, binary: Self::BINARY }
    }

    /// Takes the first item in `bytes` off, as far as it can be read. Its byte strings count where `is_shown`.
    pub(super) fn spend(&mut self, bytes: &[u8], is_shown: bool) -> Result<(), TooMuch> {
        // How many items each open level still waits for; an open end waits for its break.
        let mut open: Vec<Option<u64>> = Vec::new();
        let mut rest = bytes;
        loop {
            let Some((head, next)) = Head::read(rest) else { return Ok(()) };
            rest = next;
            self.items = self.items.checked_sub(1).ok_or(TooMuch::Items)?;
            match head {
                Head::Nothing => {}
                Head::Skip { length, is_binary } => {
                    match usize::try_from(length).ok().and_then(|length| rest.get(length..)) {
                        Some(next) => rest = next,
                        None => return Ok(()),
                    }
                    if is_binary && is_shown {
                        self.binary = self.binary.checked_sub(length).ok_or(TooMuch::Binary)?;
                    }
                }
                Head::Holds(items) if items != Some(0) => {
                    if open.len() >= MAX_DEPTH {
                        return Err(TooMuch::Deep);
                    }
                    open.push(items);
                    continue;
                }
                Head::Holds(_) => {}
                Head::Break => {
                    if open.pop() != Some(None) {
                        return Ok(());
                    }
                }
            }
            // An item is whole; levels that waited for nothing else are, too.
            while let Some(Some(waiting)) = open.last_mut() {
                *waiting -= 1;
                if *waiting > 0 {
                    break;
                }
                open.pop();
            }
            if open.is_empty() {
                return Ok(());
            }
        }
    }
}

/// What the first byte of an item, and the number behind it, say (RFC 8949, section 3).
enum Head {
    /// An item without anything behind it.
    Nothing,
    /// A string of so many bytes; of bytes or of text.
    Skip { length: u64, is_binary: bool },
    /// So many items; `None` until a break.
    Holds(Option<u64>),
    /// The end of an open item.
    Break,
}

impl Head {
    fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (first, rest) = bytes.split_first()?;
        let (kind, short) = (first >> 5, first & 0x1f);
        let (number, rest) = match short {
            0..=23 => (Some(u64::from(short)), rest),
            24..=27 => {
                let (number, rest) = rest.split_at_checked(1 << (short - 24))?;
                (Some(number.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))), rest)
            }
            31 => (None, rest),
            _ => return None,
        };
        let head = match (kind, number) {
            (0 | 1, Some(_)) => Self::Nothing,
            (2 | 3, Some(length)) => Self::Skip { length, is_binary: kind == 2 },
            (2..=5, None) => Self::Holds(None),
            (4, items) => Self::Holds(items),
            (5, Some(pairs)) => Self::Holds(Some(pairs.checked_mul(2)?)),
            (6, Some(_)) => Self::Holds(Some(1)),
            (7, Some(_)) => Self::Nothing,
            (7, None) => Self::Break,
            _ => return None,
        };
        Some((head, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(level: &[u8], depth: usize) -> Vec<u8> {
        let mut bytes = level.repeat(depth);
        bytes.push(0);
        bytes
    }

    fn spend(bytes: &[u8]) -> Result<(), TooMuch> {
        Allowance::new().spend(bytes, true)
    }

    #[test]
    fn arrays_maps_and_tags_count() {
        for level in
            [&[0x81][..], &[0xa1, 0x00], &[0xc6], &[0xd8, 0x40], &[0x9f], &[0xbf, 0x00], &[0x82, 0x00]]
        {
            assert_eq!(spend(&nested(level, MAX_DEPTH)), Ok(()), "{level:x?}");
            assert_eq!(spend(&nested(level, MAX_DEPTH + 1)), Err(TooMuch::Deep), "{level:x?}");
        }
        assert_eq!(spend(&[0x81; 1_000_000]), Err(TooMuch::Deep));
    }

    #[test]
    fn what_stands_side_by_side_is_not_deep() {
        let mut side_by_side = vec![0x99, 0xff, 0xff];
        side_by_side.extend([0x81, 0x80].repeat(0xffff));
        assert_eq!(spend(&side_by_side), Ok(()));
        assert_eq!(spend(&[0x9f, 0x81, 0x01, 0x5f, 0x41, 0x00, 0xff, 0xff]), Ok(()));
    }

    #[test]
    fn what_cannot_be_read_costs_nothing() {
        for bytes in
            [&[][..], &[0x1c], &[0xff], &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], &[0x9b]]
        {
            assert_eq!(spend(bytes), Ok(()), "{bytes:x?}");
        }
    }

    #[test]
    fn items_and_bytes_are_counted_over_all() {
        let mut allowance = Allowance::new();
        let mut items = vec![0x9a, 0x00, 0x01, 0x86, 0x9f];
        items.resize(5 + 99_999, 0x00);
        assert_eq!(allowance.spend(&items, true), Ok(()));
        assert_eq!(allowance.spend(&items, true), Ok(()));
        assert_eq!(allowance.spend(&items, true), Err(TooMuch::Items));
        let mut binary = vec![0x5a, 0x00, 0x18, 0x00, 0x00];
        binary.resize(5 + 0x18_0000, 0x00);
        let mut allowance = Allowance::new();
        assert_eq!(allowance.spend(&binary, false), Ok(()));
        assert_eq!(allowance.spend(&binary, true), Ok(()));
        assert_eq!(allowance.spend(&binary, true), Err(TooMuch::Binary));
    }
}
