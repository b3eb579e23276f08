//! DER (ITU-T X.690), element by element: what has to be told byte for byte, and what parsers are lenient about.

use super::algorithms::SIGNATURE_ALGORITHMS;

/// One element: a tag, a length and what it holds.
pub(super) struct Element<'a> {
    /// The tag with class and form; tags over 30 are not read.
    pub(super) tag: u8,
    /// What it holds.
    pub(super) content: &'a [u8],
    /// Tag, length and content.
    pub(super) whole: &'a [u8],
}

const CONSTRUCTED: u8 = 0x20;
const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// Splits the first element off; `None` when there is none, or its length is not written as DER wants it (section
/// 10.1: definite, in the fewest bytes).
pub(super) fn split(der: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, after_tag) = der.split_first()?;
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (&first, after_first) = after_tag.split_first()?;
    let (length, from_content) = match first {
        0..=0x7f => (usize::from(first), after_first),
        0x81..=0x84 => {
            let (bytes, rest) = after_first.split_at_checked(usize::from(first & 0x7f))?;
            let length = bytes.iter().fold(0_usize, |length, byte| (length << 8) | usize::from(*byte));
            if length < 0x80 || bytes.first() == Some(&0) {
                return None;
            }
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = from_content.split_at_checked(length)?;
    let whole = der.get(..der.len() - rest.len())?;
    Some((Element { tag, content, whole }, rest))
}

/// Whether `bytes` are one element with nothing behind it, and every length in it is written as DER wants it.
pub(super) fn is_der(bytes: &[u8]) -> bool {
    if !split(bytes).is_some_and(|(_, rest)| rest.is_empty()) {
        return false;
    }
    let mut unread = vec![bytes];
    while let Some(elements) = unread.pop() {
        if elements.is_empty() {
            continue;
        }
        let Some((element, rest)) = split(elements) else { return false };
        unread.push(rest);
        if element.tag & CONSTRUCTED != 0 {
            unread.push(element.content);
        }
    }
    true
}

/// Reads the elements that stand one after the other in `der`; `None` when that is not what it is.
pub(super) fn elements(mut der: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut elements = Vec::new();
    while !der.is_empty() {
        let (element, rest) = split(der)?;
        elements.push(element);
        der = rest;
    }
    Some(elements)
}

/// What certificates and OCSP responses have in common: a body, an algorithm and a signature (RFC 5280, section 4.1;
/// RFC 6960, section 4.2.1).
pub(super) struct Signed<'a> {
    /// What is signed.
    pub(super) body: &'a [u8],
    /// The elements after the signature.
    pub(super) rest: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

/// Why a signature does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unverified {
    /// The key, or the algorithm, is none that is accepted, or they do not go together.
    Algorithm,
    /// It was not made by this key over this body.
    Signature,
}

impl<'a> Signed<'a> {
    /// Reads the outermost structure.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let (outer, after) = split(der)?;
        if outer.tag != SEQUENCE || !after.is_empty() {
            return None;
        }
        let (body, rest) = split(outer.content)?;
        let (algorithm, rest) = split(rest)?;
        let (signature, rest) = split(rest)?;
        Some(Self { body: body.whole, algorithm: algorithm.content, signature: bits(&signature)?, rest })
    }

    /// Verifies the signature with a key (`SubjectPublicKeyInfo`).
    ///
    /// # Errors
    /// [`Unverified`].
    pub(super) fn verify(&self, key: &[u8]) -> Result<(), Unverified> {
        let (key_algorithm, key) = key_of(key).ok_or(Unverified::Algorithm)?;
        let algorithm = SIGNATURE_ALGORITHMS
            .iter()
            .find(|known| {
                known.signature_alg_id().as_ref() == self.algorithm
                    && known.public_key_alg_id().as_ref() == key_algorithm
            })
            .ok_or(Unverified::Algorithm)?;
        algorithm.verify_signature(key, self.body, self.signature).map_err(|_| Unverified::Signature)
    }
}

/// The algorithm and the bits of a public key.
fn key_of(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let (outer, _) = split(key)?;
    let (algorithm, rest) = split(outer.content)?;
    let (key, _) = split(rest)?;
    Some((algorithm.content, bits(&key)?))
}

/// The bytes of a bit string that has whole bytes.
fn bits<'a>(element: &Element<'a>) -> Option<&'a [u8]> {
    let (&unused, bytes) = element.content.split_first()?;
    (element.tag == BIT_STRING && unused == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_one_way_to_be_written() {
        assert!(is_der(&[0x30, 3, 2, 1, 5]));
        assert!(!is_der(&[0x30, 0x81, 3, 2, 1, 5]), "long form of a short length");
        assert!(!is_der(&[0x30, 4, 2, 0x81, 1, 5]), "the same, inside");
        assert!(!is_der(&[0x30, 0x80, 2, 1, 5, 0, 0]), "indefinite");
        assert!(!is_der(&[0x30, 3, 2, 1, 5, 0]), "a byte too many");
        assert!(!is_der(&[0x30, 4, 2, 1, 5]), "a byte too few");
        assert!(!is_der(&[]) && !is_der(&[0x30]) && !is_der(&[0x30, 0x85, 0, 0, 0, 0, 1]));
    }

    #[test]
    fn nesting_costs_no_stack() {
        let mut der = Vec::new();
        for _ in 0..10_000 {
            let length = der.len();
            let mut outer = vec![0x30];
            match u16::try_from(length).unwrap() {
                short @ 0..=0x7f => outer.push(u8::try_from(short).unwrap()),
                long @ 0x80..0x100 => outer.extend([0x81, u8::try_from(long).unwrap()]),
                long => outer.extend([&[0x82][..], &long.to_be_bytes()].concat()),
            }
            outer.append(&mut der);
            der = outer;
        }
        assert!(is_der(&der));
    }
}
