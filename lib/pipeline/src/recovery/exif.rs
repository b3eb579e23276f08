//! The recovery record as EXIF: a TIFF structure whose UserComment holds JSON.

use super::{Found, MAX_PAYLOAD, decode_utf16, from_text};

/// Reads an EXIF block: TIFF bytes of either order, with or without `Exif\0\0` before them.
///
/// It looks at the UserComment (0x9286: JSON, or a bare proof URI) and at Make (0x010F: a bare proof URI), which
/// CredLink's first system wrote. The UserComment goes first. Both are looked for in the Exif IFD and in
/// IFD0, where some writers misplace the UserComment. No other IFD is visited, so none can form a loop, and
/// of each tag only the first entry counts.
pub fn from_exif(payload: &[u8]) -> Found {
    let mut found = Found::default();
    let Some(tiff) = Tiff::parse(payload.strip_prefix(b"Exif\0\0").unwrap_or(payload)) else {
        return found;
    };
    let Some(ifd0) = tiff.u32(4) else {
        return found;
    };
    let exif_ifd = tiff.value(ifd0, EXIF_IFD).and_then(|value| tiff.offset_in(value));
    for ifd in [exif_ifd, Some(ifd0)].into_iter().flatten() {
        if let Some(comment) = tiff.value(ifd, USER_COMMENT) {
            found.fill_from(from_user_comment(comment, tiff.big_endian));
        }
    }
    if let Some(make) = tiff.value(ifd0, MAKE) {
        found.proof_uri =
            found.proof_uri.take().or_else(|| super::bare_proof_uri(trim(&String::from_utf8_lossy(make))));
    }
    found
}

/// Writes the smallest TIFF structure that EXIF readers take: IFD0 with the pointer to the Exif IFD, and there
/// ExifVersion and the UserComment, in ascending order of their tags (TIFF 6.0, section 2).
pub(super) fn tiff(comment: &[u8]) -> Vec<u8> {
    const EXIF_IFD_AT: u32 = 26;
    const COMMENT_AT: u32 = 56;
    let text = [ASCII, comment].concat();
    // A URI is far shorter than 4 GiB; if one is not, readers find a count that does not reach the end.
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);

    let mut tiff = b"II\x2a\0\x08\0\0\0".to_vec();
    tiff.extend(1_u16.to_le_bytes());
    tiff.extend(entry(EXIF_IFD, TYPE_LONG, 1, EXIF_IFD_AT.to_le_bytes()));
    tiff.extend(NO_NEXT_IFD);
    tiff.extend(2_u16.to_le_bytes());
    tiff.extend(entry(EXIF_VERSION, TYPE_UNDEFINED, 4, *b"0232"));
    tiff.extend(entry(USER_COMMENT, TYPE_UNDEFINED, length, COMMENT_AT.to_le_bytes()));
    tiff.extend(NO_NEXT_IFD);
    tiff.extend(text);
    tiff
}

const MAKE: u16 = 0x010f;
const EXIF_IFD: u16 = 0x8769;
const EXIF_VERSION: u16 = 0x9000;
const USER_COMMENT: u16 = 0x9286;

const TYPE_LONG: u16 = 4;
const TYPE_UNDEFINED: u16 = 7;
const NO_NEXT_IFD: [u8; 4] = [0; 4];
const ENTRY_LENGTH: usize = 12;

// The character codes of a UserComment (Exif 2.32, table 9).
const ASCII: &[u8] = b"ASCII\0\0\0";
const UNICODE: &[u8] = b"UNICODE\0";
const JIS: &[u8] = b"JIS\0\0\0\0\0";
const UNDEFINED: &[u8] = &[0; 8];

fn entry(tag: u16, kind: u16, count: u32, value: [u8; 4]) -> [u8; ENTRY_LENGTH] {
    let ([t0, t1], [k0, k1], [c0, c1, c2, c3]) = (tag.to_le_bytes(), kind.to_le_bytes(), count.to_le_bytes());
    let [v0, v1, v2, v3] = value;
    [t0, t1, k0, k1, c0, c1, c2, c3, v0, v1, v2, v3]
}

fn from_user_comment(comment: &[u8], big_endian: bool) -> Found {
    if comment.len() > MAX_PAYLOAD {
        return Found { notes: vec!["an EXIF UserComment over 1 MiB was not read"], ..Found::default() };
    }
    if let Some(text) = comment.strip_prefix(UNICODE) {
        // The standard does not name the byte order. Most writers take the TIFF's, some always the other.
        let found = from_text(&decode_utf16(text, big_endian));
        return if found.is_empty() { from_text(&decode_utf16(text, !big_endian)) } else { found };
    }
    if comment.starts_with(JIS) {
        return Found { notes: vec!["an EXIF UserComment in JIS was not read"], ..Found::default() };
    }
    // No code at all is against the standard, and met.
    let text = comment.strip_prefix(ASCII).or_else(|| comment.strip_prefix(UNDEFINED)).unwrap_or(comment);
    from_text(&String::from_utf8_lossy(text))
}

fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\0')
}

/// The bytes of a TIFF structure (TIFF 6.0, section 2). Offsets count from its first byte.
struct Tiff<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Tiff<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = match bytes.first_chunk()? {
            b"II\x2a\0" => false,
            b"MM\0\x2a" => true,
            _ => return None,
        };
        Some(Self { bytes, big_endian })
    }

    /// The bytes of the value of the first entry with this tag. A value that claims to go on after the end
    /// is what is there of it.
    fn value(&self, ifd: u32, tag: u16) -> Option<&'a [u8]> {
        let ifd = usize::try_from(ifd).ok()?;
        let entries = self.bytes.get(ifd.checked_add(2)?..)?.as_chunks::<ENTRY_LENGTH>().0;
        let count = usize::from(self.u16(ifd)?);
        let entry = entries.iter().take(count).find(|entry| self.tag_of(entry) == tag)?;
        self.value_of(entry)
    }

    fn tag_of(&self, [t0, t1, ..]: &[u8; ENTRY_LENGTH]) -> u16 {
        self.number16([*t0, *t1])
    }

    fn value_of(&self, entry: &'a [u8; ENTRY_LENGTH]) -> Option<&'a [u8]> {
        let [_, _, k0, k1, c0, c1, c2, c3, field @ ..] = entry;
        let count = usize::try_from(self.number32([*c0, *c1, *c2, *c3])).ok()?;
        let length = count.checked_mul(unit_length(self.number16([*k0, *k1]))?)?;
        if let Some(value) = field.get(..length) {
            return Some(value);
        }
        let start = usize::try_from(self.number32(*field)).ok()?;
        let rest = self.bytes.get(start..)?;
        Some(rest.get(..length).unwrap_or(rest))
    }

    /// The offset that is the value of a LONG entry.
    fn offset_in(&self, value: &[u8]) -> Option<u32> {
        value.first_chunk().map(|bytes| self.number32(*bytes))
    }

    fn u16(&self, at: usize) -> Option<u16> {
        self.bytes.get(at..)?.first_chunk().map(|bytes| self.number16(*bytes))
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.bytes.get(at..)?.first_chunk().map(|bytes| self.number32(*bytes))
    }

    fn number16(&self, bytes: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    fn number32(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }
}

/// Bytes per value of a TIFF field type; `None` for an unknown one.
fn unit_length(kind: u16) -> Option<usize> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 => Some(4),
        5 | 10 | 12 => Some(8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const URI: &str = "https://proofs.example.com/0f0e0d0c-0b0a-4908-8706-050403020100";

    /// A TIFF of either order: IFD0 with Make where given, and an Exif IFD with a UserComment.
    fn tiff_of(big_endian: bool, make: Option<&[u8]>, comment: &[u8]) -> Vec<u8> {
        let n16 = |n: u16| if big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
        let n32 = |n: usize| {
            let n = u32::try_from(n).unwrap();
            if big_endian { n.to_be_bytes() } else { n.to_le_bytes() }
        };
        let make = make.unwrap_or(b"Camera\0");
        let (exif_at, data_at) = (8 + 2 + 24 + 4, 8 + 2 + 24 + 4 + 2 + 12 + 4);
        let mut out = if big_endian { b"MM\0\x2a".to_vec() } else { b"II\x2a\0".to_vec() };
        out.extend(n32(8));
        out.extend(n16(2));
        let mut entry = |tag: u16, kind: u16, count: usize, value: usize, before: &[u8], after: &[u8]| {
            out.extend(before);
            out.extend([n16(tag), n16(kind)].concat());
            out.extend([n32(count), n32(value)].concat());
            out.extend(after);
        };
        entry(MAKE, 2, make.len(), data_at, &[], &[]);
        entry(EXIF_IFD, TYPE_LONG, 1, exif_at, &[], &[0; 4]);
        entry(USER_COMMENT, TYPE_UNDEFINED, comment.len(), data_at + make.len(), &n16(1), &[0; 4]);
        out.extend(make);
        out.extend(comment);
        out
    }

    fn utf16(text: &str, big_endian: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|u| if big_endian { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
    }

    #[test]
    fn the_structure_is_the_documented_one() {
        let comment = b"{}";
        let tiff = tiff(comment);
        assert_eq!(tiff.len(), 56 + 8 + 2);
        assert_eq!(tiff[..8], *b"II\x2a\0\x08\0\0\0");
        let read = Tiff::parse(&tiff).unwrap();
        let exif_ifd = read.offset_in(read.value(8, EXIF_IFD).unwrap()).unwrap();
        assert_eq!(read.value(exif_ifd, EXIF_VERSION), Some(&b"0232"[..]));
        assert_eq!(read.value(exif_ifd, USER_COMMENT), Some(&b"ASCII\0\0\0{}"[..]));
    }

    #[test]
    fn old_manifests_are_read_in_both_orders_and_all_codes() {
        let manifest =
            json!({ "claimGenerator": "CredLink", "assertions": [{ "label": "ä" }], "proofUri": URI });
        let text = manifest.to_string();
        for order in [false, true] {
            for comment in [
                [ASCII, text.as_bytes()].concat(),
                [UNDEFINED, text.as_bytes()].concat(),
                text.as_bytes().to_vec(),
                [UNICODE, &utf16(&text, order)].concat(),
                [UNICODE, &utf16(&text, !order)].concat(),
                [UNICODE, &utf16(&format!("\u{feff}{text}"), order)].concat(),
                [UNICODE, &utf16(&format!("\u{feff}{text}"), !order)].concat(),
            ] {
                let found = from_exif(&tiff_of(order, None, &comment));
                assert_eq!(found.proof_uri.as_deref(), Some(URI), "big endian {order}, {comment:?}");
                assert_eq!(found.legacy_manifest.as_ref(), Some(&text));
            }
        }
    }

    #[test]
    fn a_block_that_pillow_wrote() {
        let block = "4578696600004d4d002a000000080003010f000200000006000000320112000300000001000600008769000400\
                     00000100000038000000004e696b6f6e000001928600010000004a0000004a000000004153434949000000\
                     7b2270726f6f66557269223a2268747470733a2f2f702e746573742f30663065306430632d306230612d34\
                     3930382d383730362d303530343033303230313030227d";
        let found = from_exif(&hex::decode(block).unwrap());
        assert_eq!(found.proof_uri.as_deref(), Some("https://p.test/0f0e0d0c-0b0a-4908-8706-050403020100"));
    }

    #[test]
    fn make_may_hold_the_uri_and_the_comment_goes_first() {
        let make = format!("{URI}\0");
        for order in [false, true] {
            let tiff = tiff_of(order, Some(make.as_bytes()), b"ASCII\0\0\0A nice day");
            assert_eq!(from_exif(&tiff).proof_uri.as_deref(), Some(URI));
            let other = URI.replace("proofs", "other");
            let comment = format!("ASCII\0\0\0{{\"credlink\":{{\"proofUri\":\"{other}\"}}}}");
            let tiff = tiff_of(order, Some(make.as_bytes()), comment.as_bytes());
            assert_eq!(from_exif(&tiff).proof_uri, Some(other));
        }
    }

    #[test]
    fn the_exif_marker_of_webp_and_jpeg_may_stay() {
        let tiff = [b"Exif\0\0", &tiff_of(true, Some(URI.as_bytes()), b"")[..]].concat();
        assert_eq!(from_exif(&tiff).proof_uri.as_deref(), Some(URI));
    }

    #[test]
    fn jis_is_reported_as_not_read() {
        let found = from_exif(&tiff_of(false, None, b"JIS\0\0\0\0\0{}"));
        assert!(found.is_empty());
        assert_eq!(found.notes.len(), 1);
    }

    #[test]
    fn an_ordinary_camera_has_nothing_for_us() {
        let tiff = tiff_of(true, Some(b"https://www.camera.example/\0"), b"ASCII\0\0\0      ");
        assert_eq!(from_exif(&tiff), Found::default());
    }

    #[test]
    fn a_count_beyond_the_end_still_gives_what_is_there() {
        let mut tiff = tiff(format!("{{\"proofUri\":\"{URI}\"}}").as_bytes());
        tiff[44..48].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(from_exif(&tiff).proof_uri.as_deref(), Some(URI));
    }

    #[test]
    fn loops_and_lying_offsets_end() {
        for pointer in [0_u32, 8, 10, 26, 60, u32::MAX, u32::MAX - 1] {
            let mut tiff = tiff(b"{}");
            tiff[18..22].copy_from_slice(&pointer.to_le_bytes());
            tiff[22..26].copy_from_slice(&8_u32.to_le_bytes());
            assert!(from_exif(&tiff).is_empty());
            tiff[4..8].copy_from_slice(&pointer.to_le_bytes());
            assert!(from_exif(&tiff).is_empty());
        }
        let mut many = tiff(b"{}");
        many[8..10].copy_from_slice(&u16::MAX.to_le_bytes());
        many.extend(vec![0; 1 << 20]);
        assert!(from_exif(&many).is_empty());
        assert!(from_exif(b"II\x2a\0").is_empty());
        assert!(from_exif(b"").is_empty());
    }

    #[test]
    fn a_huge_comment_is_refused() {
        let comment = [b"ASCII\0\0\0{", &vec![b' '; MAX_PAYLOAD][..], b"}"].concat();
        let found = from_exif(&tiff_of(false, None, &comment));
        assert!(found.is_empty() && !found.notes.is_empty());
    }
}
