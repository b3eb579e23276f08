//! Walking a WebP file, chunk by chunk (RFC 9649, sections 2.3 to 2.7).

use super::{
    PartKind,
    walk::{Stop, Walk, array},
};

/// The length of the RIFF header with the form type.
const HEADER: usize = 12;

/// Walks the whole file; `RIFF` and `WEBP` have been seen.
pub(super) fn walk(walk: &mut Walk<'_>) {
    if walk.part(PartKind::Start, HEADER, HEADER..HEADER).is_err() {
        return;
    }
    let end = riff_end(walk);
    let mut picture = Picture::default();
    while walk.position() < end {
        if step(walk, &mut picture, end).is_err() {
            return;
        }
    }
    if !picture.data {
        walk.refuse(end, "there is no image data");
    }
    // Decoders pass over them, but independent C2PA validators give up on such a file.
    if walk.position() < walk.bytes.len() {
        walk.refuse(walk.position(), "bytes follow the end of the RIFF container");
    }
    walk.rest(PartKind::Trailer);
}

/// What has been seen of the picture so far.
#[derive(Default)]
struct Picture {
    first: Option<[u8; 4]>,
    canvas: Option<(u32, u32)>,
    animated: bool,
    data: bool,
}

/// Where the RIFF container ends, never behind the end of the file.
fn riff_end(walk: &mut Walk<'_>) -> usize {
    let length = walk.bytes.len();
    let size = array(walk.bytes, 4).map_or(0, u32::from_le_bytes);
    let end = usize::try_from(size).ok().and_then(|size| size.checked_add(8)).unwrap_or(usize::MAX);
    if end > length {
        walk.refuse(4, "the file is shorter than its RIFF size says");
    }
    if end < HEADER {
        walk.refuse(4, "the RIFF size is too small for an image");
    }
    end.clamp(HEADER, length)
}

/// Takes one chunk, with its pad byte if there is room for one.
fn step(walk: &mut Walk<'_>, picture: &mut Picture, riff_end: usize) -> Result<(), Stop> {
    let (bytes, at) = (walk.bytes, walk.position());
    let start = at + 8;
    let (Some(name), Some(length)) = (array::<4>(bytes, at), array(bytes, at + 4).map(u32::from_le_bytes))
    else {
        return Err(walk.stop(at, "the file ends inside the header of a chunk"));
    };
    let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
    let (Some(end), Some(data)) = (
        end.filter(|&end| end <= riff_end),
        end.filter(|&end| end <= riff_end).and_then(|end| bytes.get(start..end)),
    ) else {
        let name = name.escape_ascii();
        return Err(walk.stop(at, format!("the {name} chunk is longer than the rest of the file")));
    };
    let padded = if data.len().is_multiple_of(2) { end } else { (end + 1).min(riff_end) };
    if padded == end && !data.len().is_multiple_of(2) {
        walk.note(end, "the pad byte of the last chunk is missing");
    }
    if bytes.get(end..padded).is_some_and(|pad| pad.iter().any(|&byte| byte != 0)) {
        walk.note(end, "a pad byte is not zero");
    }
    walk.part(PartKind::Chunk(name), padded, start..end)?;
    check_chunk(walk, picture, name, data, at);
    Ok(())
}

fn check_chunk(walk: &mut Walk<'_>, picture: &mut Picture, name: [u8; 4], data: &[u8], at: usize) {
    let first = *picture.first.get_or_insert(name);
    if first == name && !matches!(&name, b"VP8 " | b"VP8L" | b"VP8X") {
        walk.refuse(at, "the first chunk is not VP8, VP8L or VP8X");
    }
    match &name {
        b"VP8X" => check_extended_header(walk, picture, data, at),
        b"VP8 " | b"VP8L" => {
            let size = if &name == b"VP8 " { lossy_size(data) } else { lossless_size(data) };
            if picture.data {
                walk.refuse(at, "there is more than one image");
            }
            picture.data = true;
            match size {
                None => walk.refuse(at, "the header of the image data is broken"),
                Some(size) if picture.canvas.is_some_and(|canvas| canvas != size) => {
                    walk.refuse(at, "the image does not fill its canvas");
                }
                Some((width, height)) => walk.size(at, width, height),
            }
        }
        b"ANMF" => {
            picture.data = true;
            if !picture.animated {
                walk.refuse(at, "a frame stands in a file that is not animated");
            }
            check_frame(walk, picture, data, at);
        }
        _ => {}
    }
}

/// Section 2.7.
fn check_extended_header(walk: &mut Walk<'_>, picture: &mut Picture, data: &[u8], at: usize) {
    if at != HEADER {
        walk.refuse(at, "the VP8X chunk is not the first");
        return;
    }
    // RFC 9649 has 10 bytes and lets later editions add more.
    let &[flags, _, _, _, w0, w1, w2, h0, h1, h2, ..] = data else {
        walk.refuse(at, "the VP8X chunk is too short");
        return;
    };
    picture.animated = flags & ANIMATION_FLAG != 0;
    let (width, height) = (u24([w0, w1, w2]) + 1, u24([h0, h1, h2]) + 1);
    picture.canvas = Some((width, height));
    walk.size(at, width, height);
}

/// Section 2.7.1.1: a frame lies within the canvas and has image data.
fn check_frame(walk: &mut Walk<'_>, picture: &Picture, data: &[u8], at: usize) {
    let &[x0, x1, x2, y0, y1, y2, w0, w1, w2, h0, h1, h2, _, _, _, _, ref frame @ ..] = data else {
        walk.refuse(at, "a frame is too short");
        return;
    };
    let right = u24([x0, x1, x2]) * 2 + u24([w0, w1, w2]) + 1;
    let bottom = u24([y0, y1, y2]) * 2 + u24([h0, h1, h2]) + 1;
    if picture.canvas.is_some_and(|(width, height)| right > width || bottom > height) {
        walk.refuse(at, "a frame reaches over the edge of the canvas");
    }
    if !matches!(frame.get(..4), Some(b"VP8 " | b"VP8L" | b"ALPH")) {
        walk.refuse(at, "a frame has no image data");
    }
}

/// The size in the header of a VP8 key frame (RFC 6386, section 9.1).
fn lossy_size(data: &[u8]) -> Option<(u32, u32)> {
    let &[t0, t1, t2, 0x9D, 0x01, 0x2A, w0, w1, h0, h1, ref rest @ ..] = data else {
        return None;
    };
    let tag = u24([t0, t1, t2]);
    let first_partition = usize::try_from(tag >> 5).ok()?;
    let is_key_frame = tag & 1 == 0;
    // The two high bits of each are a scale.
    let size = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    (is_key_frame && first_partition <= rest.len()).then(|| (size(w0, w1), size(h0, h1)))
}

/// The size in a VP8L header (RFC 9649, section 3.4).
fn lossless_size(data: &[u8]) -> Option<(u32, u32)> {
    let bits = lossless_header(data)?;
    Some(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
}

/// Whether the VP8L header says that the picture uses its alpha channel.
pub(crate) fn lossless_alpha(data: &[u8]) -> bool {
    lossless_header(data).is_some_and(|bits| bits >> 28 & 1 == 1)
}

/// The 32 bits after the signature byte; `None` when the version is not 0.
fn lossless_header(data: &[u8]) -> Option<u32> {
    let bits = array(data, 1).map(u32::from_le_bytes)?;
    (data.first() == Some(&0x2F) && bits >> 29 == 0).then_some(bits)
}

/// The bit in the flags of VP8X.
const ANIMATION_FLAG: u8 = 0x02;

fn u24([low, middle, high]: [u8; 3]) -> u32 {
    u32::from_le_bytes([low, middle, high, 0])
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn lossy_lossless_extended_and_animated_files_are_taken() {
        let animation = [vp8x(0x02), riff_chunk(b"ANIM", &[0; 6]), frame(), frame()];
        for chunks in [
            [vp8()].as_slice(),
            &[vp8l(true)],
            &[vp8x(0x10), riff_chunk(b"ALPH", b"odd"), vp8()],
            &[vp8x(0), vp8l(false), riff_chunk(b"what", b"unknown")],
            &animation,
        ] {
            let asset = parse(webp(chunks, b"")).unwrap();
            assert_eq!(asset.dimensions(), Some(Dimensions { width: 16, height: 8 }));
            assert_eq!(asset.parts().len(), chunks.len() + 1);
            for (part, chunk) in asset.parts().iter().skip(1).zip(chunks) {
                assert_eq!(asset.part_bytes(part), *chunk);
            }
        }
    }

    #[test]
    fn broken_structure_is_refused() {
        assert!(reason(webp(&[vp8()], b"tail")).contains("bytes follow"));
        assert!(reason(webp(&[], b"")).contains("no image data"));
        assert!(reason(webp(&[vp8x(0)], b"")).contains("no image data"));
        assert!(reason(webp(&[riff_chunk(b"ALPH", b"x"), vp8()], b"")).contains("first chunk"));
        assert!(reason(webp(&[vp8(), vp8()], b"")).contains("more than one image"));
        assert!(reason(webp(&[vp8(), vp8x(0)], b"")).contains("not the first"));
        assert!(reason(webp(&[vp8x(0), frame()], b"")).contains("not animated"));
        assert!(reason(webp(&[riff_chunk(b"VP8 ", b"nothing at all")], b"")).contains("header"));
        let small_canvas = riff_chunk(b"VP8X", &[0, 0, 0, 0, 14, 0, 0, 7, 0, 0]);
        assert!(reason(webp(&[small_canvas.clone(), vp8()], b"")).contains("canvas"));
        let mut lying = webp(&[vp8()], b"");
        lying[16] = 0xFF;
        assert!(reason(lying).contains("longer than the rest"));
        let mut animated = small_canvas;
        animated[8] = 0x02;
        assert!(reason(webp(&[animated, frame()], b"")).contains("over the edge"));
    }

    #[test]
    fn a_canvas_over_the_limit_is_refused() {
        let canvas = riff_chunk(b"VP8X", &[2, 0, 0, 0, 0x2F, 0x75, 0, 0x2F, 0x75, 0]);
        let refused = parse(webp(&[canvas, frame()], b"")).unwrap_err();
        assert!(matches!(refused, AssetError::Dimensions { width: 30_000, height: 30_000, .. }));
    }

    #[test]
    fn a_missing_pad_byte_at_the_end_is_overlooked() {
        let mut file = webp(&[vp8l(false)], b"");
        assert_eq!(file.pop(), Some(0));
        let size = u32::try_from(file.len() - 8).unwrap().to_le_bytes();
        file[4..8].copy_from_slice(&size);
        assert!(parse(file.clone()).is_ok());
        let (_, damage) = Asset::read_leniently(file.into()).unwrap();
        assert!(matches!(damage.as_slice(), [Damage { refused: false, .. }]));
    }
}
