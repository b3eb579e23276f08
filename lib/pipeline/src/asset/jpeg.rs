//! Walking a JPEG file, marker by marker (ITU T.81, annex B).

use memchr::memchr;

use super::{
    PartKind,
    walk::{Stop, Walk, array},
};

/// The second bytes of the markers that mean something here, by their names in ITU T.81, table B.1.
pub(crate) mod marker {
    pub(crate) const TEM: u8 = 0x01;
    pub(crate) const DHT: u8 = 0xC4;
    pub(crate) const JPG: u8 = 0xC8;
    pub(crate) const DAC: u8 = 0xCC;
    pub(crate) const RST0: u8 = 0xD0;
    pub(crate) const RST7: u8 = 0xD7;
    pub(crate) const SOI: u8 = 0xD8;
    pub(crate) const EOI: u8 = 0xD9;
    pub(crate) const SOS: u8 = 0xDA;
    pub(crate) const DNL: u8 = 0xDC;
    pub(crate) const DHP: u8 = 0xDE;
    pub(crate) const EXP: u8 = 0xDF;
    pub(crate) const APP0: u8 = 0xE0;
    pub(crate) const APP1: u8 = 0xE1;
    pub(crate) const APP2: u8 = 0xE2;
    pub(crate) const APP11: u8 = 0xEB;
    pub(crate) const APP15: u8 = 0xEF;
    pub(crate) const COM: u8 = 0xFE;
}

/// Walks the whole file; the magic bytes have been seen.
pub(super) fn walk(walk: &mut Walk<'_>) {
    let mut picture = Picture::default();
    if walk.part(PartKind::Start, 2, 2..2).is_err() {
        return;
    }
    while let Ok(Next::More) = step(walk, &mut picture) {}
}

/// What has been seen of the picture so far.
#[derive(Default)]
struct Picture {
    frame: bool,
    scan: bool,
}

enum Next {
    More,
    End,
}

/// Takes one marker and all that belongs to it.
fn step(walk: &mut Walk<'_>, picture: &mut Picture) -> Result<Next, Stop> {
    let start = walk.position();
    let (code, after) = read_marker(walk, start)?;
    match code {
        marker::EOI => {
            walk.part(PartKind::EndOfImage, after, after..after)?;
            if !picture.scan {
                walk.refuse(start, "the image ends before any scan");
            }
            walk.rest(PartKind::Trailer);
            Ok(Next::End)
        }
        marker::SOI => Err(walk.stop(start, "an image starts inside the image")),
        0x00 | 0x02..=0xBF => Err(walk.stop(start, format!("0xFF{code:02X} is no marker"))),
        marker::TEM => walk.part(PartKind::Segment(code), after, after..after).map(|()| Next::More),
        marker::RST0..=marker::RST7 => {
            walk.refuse(start, "a restart marker stands outside a scan");
            walk.part(PartKind::Segment(code), after, after..after).map(|()| Next::More)
        }
        _ => segment(walk, picture, code, after).map(|()| Next::More),
    }
}

/// The marker at `start`, after any fill bytes, and where it ends.
fn read_marker(walk: &mut Walk<'_>, start: usize) -> Result<(u8, usize), Stop> {
    let rest = walk.bytes.get(start..).unwrap_or_default();
    match rest.first() {
        None => return Err(walk.stop(start, "the file ends before the end of the image")),
        Some(0xFF) => {}
        Some(byte) => {
            return Err(walk.stop(start, format!("a marker should stand here, and not 0x{byte:02X}")));
        }
    }
    match rest.iter().position(|&byte| byte != 0xFF).and_then(|at| Some((at, *rest.get(at)?))) {
        Some((at, code)) => Ok((code, start + at + 1)),
        None => Err(walk.stop(start, "the file ends before the end of the image")),
    }
}

/// Takes a segment with a length, and the scan that follows it if it is a scan header.
fn segment(walk: &mut Walk<'_>, picture: &mut Picture, code: u8, after: usize) -> Result<(), Stop> {
    let bytes = walk.bytes;
    let Some(length) = array(bytes, after).map(u16::from_be_bytes).map(usize::from) else {
        return Err(walk.stop(after, "the file ends inside the length of a segment"));
    };
    if length < 2 {
        return Err(walk.stop(after, format!("a segment cannot have the length {length}")));
    }
    let (start, end) = (after + 2, after + length);
    let Some(payload) = bytes.get(start..end) else {
        return Err(walk.stop(after, "a segment is longer than the rest of the file"));
    };
    walk.part(PartKind::Segment(code), end, start..end)?;
    match code {
        marker::SOS => {
            check_scan_header(walk, picture, payload, start);
            picture.scan = true;
            let scan_end = end_of_scan(bytes, end);
            if scan_end == end {
                walk.refuse(end, "a scan has no data");
                Ok(())
            } else {
                walk.part(PartKind::Scan, scan_end, end..scan_end)
            }
        }
        marker::DHT | marker::DAC => Ok(()),
        marker::DNL => {
            walk.refuse(after, "the height stands behind the first scan (DNL), which is not supported");
            Ok(())
        }
        marker::DHP | marker::EXP => {
            walk.refuse(after, "hierarchical JPEG is not supported");
            Ok(())
        }
        marker::JPG | 0xF0..=0xFD => {
            walk.refuse(after, format!("0xFF{code:02X} is a reserved marker"));
            Ok(())
        }
        0xC0..=0xCF => {
            check_frame_header(walk, picture, code, payload, start);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// ITU T.81, B.2.2.
fn check_frame_header(walk: &mut Walk<'_>, picture: &mut Picture, code: u8, payload: &[u8], at: usize) {
    if !matches!(code, 0xC0..=0xC2 | 0xC9 | 0xCA) {
        walk.refuse(at, "lossless and hierarchical JPEG is not supported");
    }
    if picture.frame {
        walk.refuse(at, "there are two frame headers");
        return;
    }
    picture.frame = true;
    let &[precision, h1, h0, w1, w0, components, ref rest @ ..] = payload else {
        walk.refuse(at, "the frame header is too short");
        return;
    };
    if precision != 8 && (precision != 12 || code == 0xC0) {
        walk.refuse(at, format!("samples of {precision} bits are not supported"));
    }
    if !(1..=4).contains(&components) || rest.len() != 3 * usize::from(components) {
        walk.refuse(at, "the frame header does not fit its number of components");
    }
    walk.size(at, u16::from_be_bytes([w1, w0]).into(), u16::from_be_bytes([h1, h0]).into());
}

/// ITU T.81, B.2.3.
fn check_scan_header(walk: &mut Walk<'_>, picture: &Picture, payload: &[u8], at: usize) {
    if !picture.frame {
        walk.refuse(at, "a scan stands before the frame header");
    }
    let components = payload.first().map_or(0, |&count| usize::from(count));
    if !(1..=4).contains(&components) || payload.len() != 4 + 2 * components {
        walk.refuse(at, "the scan header does not fit its number of components");
    }
}

/// Where the entropy-coded data from `at` on ends: at the first marker that is no restart marker, or at its
/// first fill byte.
fn end_of_scan(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at += length_without_marker(bytes.get(at..).unwrap_or_default());
        let Some(found) = bytes.get(at..).and_then(|rest| memchr(0xFF, rest)) else { break };
        let first = at + found;
        let mut code = first + 1;
        while bytes.get(code) == Some(&0xFF) {
            code += 1;
        }
        match bytes.get(code) {
            Some(0x00 | marker::RST0..=marker::RST7) => at = code + 1,
            Some(_) => return first,
            None => break,
        }
    }
    bytes.len()
}

/// How many bytes, in whole blocks, hold no marker: every 0xFF is followed by 0x00. The loop has no early way
/// out, so that the compiler can make vector instructions of it: stuffed bytes are too frequent to look for
/// one by one.
fn length_without_marker(bytes: &[u8]) -> usize {
    const BLOCK: usize = 64;
    let next = bytes.get(1..).unwrap_or_default();
    let blocks = bytes.as_chunks::<BLOCK>().0.iter().zip(next.as_chunks::<BLOCK>().0);
    let has_marker = |block: &[u8; BLOCK], next: &[u8; BLOCK]| {
        block.iter().zip(next).fold(false, |found, (byte, next)| found | ((*byte == 0xFF) & (*next != 0)))
    };
    BLOCK * blocks.take_while(|(block, next)| !has_marker(block, next)).count()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::asset::{sample::*, *};

    fn parse(file: Vec<u8>) -> Result<Asset, AssetError> {
        Asset::parse(file.into(), &Limits::default())
    }

    fn reason(file: Vec<u8>) -> String {
        match parse(file).unwrap_err() {
            AssetError::Damaged { reason, .. } => reason,
            other => panic!("{other}"),
        }
    }

    /// A baseline file with this frame header.
    fn with_frame(code: u8, payload: &[u8]) -> Vec<u8> {
        let scan = segment(marker::SOS, &[1, 1, 0, 0, 63, 0]);
        [b"\xFF\xD8", segment(code, payload).as_slice(), &scan, b"\x12\xFF\xD9"].concat()
    }

    #[test]
    fn every_part_of_a_progressive_file_is_found() {
        let asset = parse(jpeg(&[jfif()], b"motion photo")).unwrap();
        assert_eq!(asset.dimensions(), Some(Dimensions { width: 16, height: 8 }));
        let kinds: Vec<_> = asset.parts().iter().map(|part| part.kind).collect();
        use PartKind::*;
        let head = [Start, Segment(0xE0), Segment(0xDB), Segment(0xC2), Segment(0xC4), Segment(0xDA), Scan];
        let tail = [Segment(0xC4), Segment(0xDA), Scan, EndOfImage, Trailer];
        assert_eq!(kinds, [head.as_slice(), &tail].concat());
        let scan = asset.parts().iter().find(|part| part.kind == Scan).unwrap();
        assert_eq!(asset.payload(scan), Bytes::from_static(b"\x12\xFF\0\x34\xFF\xD0\x56\xFF\xFF\xD1\x78"));
        let trailer = asset.parts().last().unwrap();
        assert_eq!(asset.part_bytes(trailer), "motion photo");
    }

    #[test]
    fn frames_that_browsers_show_are_taken() {
        let component = [1, 0x11, 0];
        let header = |precision| [&[precision, 0, 8, 0, 16, 1], component.as_slice()].concat();
        for code in [0xC0, 0xC1, 0xC2, 0xC9, 0xCA] {
            assert!(parse(with_frame(code, &header(8))).is_ok(), "{code:X}");
        }
        for code in [0xC3, 0xC5, 0xCB, 0xCF, 0xDE, 0xF7] {
            assert!(parse(with_frame(code, &header(8))).is_err(), "{code:X}");
        }
        assert!(parse(with_frame(0xC1, &header(12))).is_ok());
        assert!(parse(with_frame(0xC0, &header(12))).is_err());
        assert!(reason(with_frame(0xC0, &[8, 0, 0, 0, 16, 1, 1, 0x11, 0])).contains("no pixels"));
        assert!(reason(with_frame(0xC0, &[8, 0, 8, 0, 0, 1, 1, 0x11, 0])).contains("no pixels"));
        assert!(reason(with_frame(0xC0, &[8, 0, 8, 0, 16, 2, 1, 0x11, 0])).contains("components"));
    }

    #[test]
    fn dimensions_are_checked_before_anything_is_decoded() {
        let file = with_frame(0xC0, &[8, 0x75, 0x30, 0x75, 0x30, 1, 1, 0x11, 0]);
        let refused = parse(file).unwrap_err();
        assert!(matches!(refused, AssetError::Dimensions { width: 30_000, height: 30_000, .. }));
    }

    #[test]
    fn broken_structure_is_refused() {
        let frame = segment(0xC0, &[8, 0, 8, 0, 16, 1, 1, 0x11, 0]);
        assert!(reason(jpeg(&[frame], b"")).contains("two frame headers"));
        assert!(reason(jpeg(&[segment(marker::DNL, &[0, 8])], b"")).contains("DNL"));
        assert!(reason(jpeg(&[vec![0xFF, 0xD0]], b"")).contains("restart"));
        assert!(reason(jpeg(&[vec![0xFF, 0xD8]], b"")).contains("inside"));
        assert!(reason(jpeg(&[vec![0xFF, 0xFE, 0, 1]], b"")).contains("length 1"));
        assert!(reason(jpeg(&[jfif(), b"xx".to_vec()], b"")).contains("0x78"));
        assert!(reason(b"\xFF\xD8\xFF\xD9".to_vec()).contains("before any scan"));
    }

    #[test]
    fn what_cannot_be_walked_is_one_part_at_the_end() {
        let file = jpeg(&[jfif(), b"xx".to_vec()], b"");
        let (asset, damage) = Asset::read_leniently(file.into()).unwrap();
        let kinds: Vec<_> = asset.parts().iter().map(|part| part.kind).collect();
        assert_eq!(kinds, [PartKind::Start, PartKind::Segment(marker::APP0), PartKind::Unparsed]);
        assert_eq!(damage.len(), 1);
        assert_eq!(damage[0].offset, 20);
    }

    #[test]
    fn a_scan_ends_at_its_first_marker_wherever_that_stands() {
        let data: Vec<u8> =
            (0..400).map(|at| if at % 7 == 3 { 0xFF } else { u8::from(at % 7 != 4) }).collect();
        for place in (0..400).filter(|at| at % 7 != 4) {
            let mut bytes = data.clone();
            bytes.splice(place..place, [0xFF, 0xD9]);
            assert_eq!(super::end_of_scan(&bytes, 0), place);
            bytes.splice(place..place + 2, [0xFF, 0xD3, 0xFF, 0xFF, 0xC4]);
            assert_eq!(super::end_of_scan(&bytes, 0), place + 2);
        }
        assert_eq!(super::end_of_scan(&data, 0), data.len());
    }
}
