//! ECDSA signatures: KMS answers with DER, COSE wants `r ‖ s`.

/// Both numbers of the DER `signature`, each with `width` bytes, big-endian, one after the other (RFC 9053, 2.1).
///
/// `None` unless `signature` is an `Ecdsa-Sig-Value` (RFC 3279, 2.2.3) in strict DER (X.690): definite lengths in the
/// short form, which reaches for P-256 and P-384, positive numbers without needless zeros, nothing left over.
pub(super) fn fixed(signature: &[u8], width: usize) -> Option<Vec<u8>> {
    let (numbers, rest) = element(signature, SEQUENCE)?;
    let (r, numbers) = element(numbers, INTEGER)?;
    let (s, numbers) = element(numbers, INTEGER)?;
    if !rest.is_empty() || !numbers.is_empty() {
        return None;
    }
    let mut fixed = Vec::with_capacity(width.checked_mul(2)?);
    for number in [r, s] {
        let digits = positive(number)?;
        fixed.resize(fixed.len() + width.checked_sub(digits.len())?, 0);
        fixed.extend_from_slice(digits);
    }
    Some(fixed)
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

/// The content of the element with `tag` at the beginning of `bytes`, and what comes after it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, bytes) = bytes.split_first()?;
    let (length, bytes) = bytes.split_first()?;
    (*found == tag && *length < 0x80).then(|| bytes.split_at_checked(usize::from(*length))).flatten()
}

/// The digits of a number above zero: without the zero that only tells it from a negative one.
fn positive(content: &[u8]) -> Option<&[u8]> {
    match content {
        [0, digits @ ..] if digits.first().is_some_and(|first| *first >= 0x80) => Some(digits),
        [1..=0x7f, ..] => Some(content),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(content: &[u8]) -> Vec<u8> {
        [&[INTEGER, u8::try_from(content.len()).unwrap()], content].concat()
    }

    fn signature(r: &[u8], s: &[u8]) -> Vec<u8> {
        let body = [integer(r), integer(s)].concat();
        [&[SEQUENCE, u8::try_from(body.len()).unwrap()][..], &body].concat()
    }

    #[test]
    fn numbers_of_every_length_get_their_width() {
        let full = [0x7f; 32];
        let high = [&[0][..], &[0xff; 32]].concat();
        assert_eq!(fixed(&signature(&full, &high), 32).unwrap(), [[0x7f; 32], [0xff; 32]].concat());

        let short = fixed(&signature(&[1], &[0, 0x80]), 32).unwrap();
        assert_eq!(short.len(), 64);
        assert_eq!((short[31], short[63]), (1, 0x80));
        assert!(short[..31].iter().chain(&short[32..63]).all(|byte| *byte == 0));

        let widest = [&[0][..], &[0x80; 48]].concat();
        assert_eq!(fixed(&signature(&widest, &widest), 48).unwrap(), [0x80; 96]);
    }

    #[test]
    fn numbers_that_der_writes_otherwise_are_refused() {
        for bad in [&[][..], &[0], &[0, 0], &[0, 0x7f], &[0, 0, 0x80], &[0x80], &[0xff; 32]] {
            assert_eq!(fixed(&signature(bad, &[1]), 32), None, "{bad:?}");
            assert_eq!(fixed(&signature(&[1], bad), 32), None, "{bad:?}");
        }
    }

    #[test]
    fn numbers_too_large_for_the_curve_are_refused() {
        assert_eq!(fixed(&signature(&[1; 33], &[1]), 32), None);
        assert_eq!(fixed(&signature(&[1], &[&[0][..], &[0x80; 33]].concat()), 32), None);
        assert!(fixed(&signature(&[1; 33], &[1]), 48).is_some());
    }

    #[test]
    fn every_cut_and_every_addition_is_refused() {
        let whole = signature(&[0x11; 32], &[0x22; 32]);
        assert!(fixed(&whole, 32).is_some());
        for end in 0..whole.len() {
            assert_eq!(fixed(&whole[..end], 32), None, "{end}");
        }
        assert_eq!(fixed(&[&whole[..], &[0]].concat(), 32), None);
        let third = [integer(&[1]), integer(&[1]), integer(&[1])].concat();
        assert_eq!(fixed(&[&[SEQUENCE, 9][..], &third].concat(), 32), None);
    }

    #[test]
    fn other_forms_of_lengths_and_other_tags_are_refused() {
        let body = [integer(&[1]), integer(&[2])].concat();
        assert!(fixed(&[&[SEQUENCE, 6][..], &body].concat(), 32).is_some());
        assert_eq!(fixed(&[&[SEQUENCE, 0x81, 6][..], &body].concat(), 32), None, "long form");
        assert_eq!(fixed(&[&[SEQUENCE, 0x80][..], &body, &[0, 0]].concat(), 32), None, "indefinite");
        assert_eq!(fixed(&[&[0x31, 6][..], &body].concat(), 32), None, "a SET");
        assert_eq!(fixed(&[SEQUENCE, 6, 3, 1, 1, 2, 1, 1], 32), None, "a BIT STRING");
    }
}
