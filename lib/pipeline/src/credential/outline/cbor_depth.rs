//! How deep CBOR nests. Decoders call themselves for every level, and the C2PA library's does not count tags: bytes that
//! nest deep enough end the process. They are counted here first, without calling anything.

/// The deepest nesting of arrays, maps and tags that is decoded. The library ends at 128 arrays and maps.
pub(super) const MAX_DEPTH: usize = 128;

/// Whether the first item in `bytes` nests deeper than [`MAX_DEPTH`], as far as it can be read.
pub(super) fn is_too_deep(bytes: &[u8]) -> bool {
    // How many items each open level still waits for; an open end waits for its break.
    let mut open: Vec<Option<u64>> = Vec::new();
    let mut rest = bytes;
    loop {
        let Some((head, next)) = Head::read(rest) else { return false };
        rest = next;
        match head {
            Head::Nothing => {}
            Head::Skip(length) => match usize::try_from(length).ok().and_then(|length| rest.get(length..)) {
                Some(next) => rest = next,
                None => return false,
            },
            Head::Holds(items) if items != Some(0) => {
                if open.len() >= MAX_DEPTH {
                    return true;
                }
                open.push(items);
                continue;
            }
            Head::Holds(_) => {}
            Head::Break => {
                if open.pop() != Some(None) {
                    return false;
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
            return false;
        }
    }
}

/// What the first byte of an item, and the number behind it, say (RFC 8949, section 3).
enum Head {
    /// An item without anything behind it.
    Nothing,
    /// A string of so many bytes.
    Skip(u64),
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
            (2 | 3, Some(length)) => Self::Skip(length),
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

    #[test]
    fn arrays_maps_and_tags_count() {
        for level in
            [&[0x81][..], &[0xa1, 0x00], &[0xc6], &[0xd8, 0x40], &[0x9f], &[0xbf, 0x00], &[0x82, 0x00]]
        {
            assert!(!is_too_deep(&nested(level, MAX_DEPTH)), "{level:x?}");
            assert!(is_too_deep(&nested(level, MAX_DEPTH + 1)), "{level:x?}");
        }
    }

    #[test]
    fn what_stands_side_by_side_does_not_count() {
        let mut side_by_side = vec![0x99, 0xff, 0xff];
        side_by_side.extend([0x81, 0x80].repeat(0xffff));
        assert!(!is_too_deep(&side_by_side));
        assert!(!is_too_deep(&[0x9f, 0x81, 0x01, 0x5f, 0x41, 0x00, 0xff, 0xff]));
    }

    #[test]
    fn what_cannot_be_read_is_not_deep() {
        for bytes in
            [&[][..], &[0x1c], &[0xff], &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], &[0x9b]]
        {
            assert!(!is_too_deep(bytes), "{bytes:x?}");
        }
        assert!(is_too_deep(&[0x81; 1_000_000]));
    }
}
