//! Walking a PNG file, chunk by chunk (PNG, third edition, section 5).

use super::{
    PartKind,
    walk::{Stop, Walk, array},
};

/// The first eight bytes of every PNG.
pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Walks the whole file; the signature has been seen.
pub(super) fn walk(walk: &mut Walk<'_>) {
    let mut picture = Picture::default();
    if walk.part(PartKind::Start, SIGNATURE.len(), SIGNATURE.len()..SIGNATURE.len()).is_err() {
        return;
    }
    while let Ok(Next::More) = step(walk, &mut picture) {}
}

/// The CRC of a chunk, over its name and its data (section 5.5).
pub(crate) fn crc(name: [u8; 4], data: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&name);
    crc.update(data);
    crc.finalize()
}

/// What has been seen of the picture so far.
#[derive(Default)]
struct Picture {
    header: bool,
    colour_type: u8,
    palette: bool,
    data: Data,
    data_length: usize,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Data {
    #[default]
    Before,
    Inside,
    After,
}

enum Next {
    More,
    End,
}

/// Takes one chunk.
fn step(walk: &mut Walk<'_>, picture: &mut Picture) -> Result<Next, Stop> {
    let (bytes, at) = (walk.bytes, walk.position());
    let (Some(length), Some(name)) = (array(bytes, at).map(u32::from_be_bytes), array::<4>(bytes, at + 4))
    else {
        return Err(walk.stop(at, "the file ends before the IEND chunk"));
    };
    let start = at + 8;
    let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
    let (Some(data), Some(stored_crc), Some(end)) = (
        end.and_then(|end| bytes.get(start..end)),
        end.and_then(|end| array(bytes, end)).map(u32::from_be_bytes),
        end,
    ) else {
        return Err(walk.stop(at, format!("the {} chunk is longer than the rest of the file", text(name))));
    };
    walk.part(PartKind::Chunk(name), end + 4, start..end)?;
    check_name(walk, picture, name, at);
    if crc(name, data) != stored_crc {
        let reason = format!("the checksum of the {} chunk is wrong", text(name));
        if is_critical(name) { walk.refuse(at, reason) } else { walk.note(at, &reason) }
    }
    check_order(walk, picture, name, data, at);
    if &name == b"IEND" {
        walk.rest(PartKind::Trailer);
        return Ok(Next::End);
    }
    Ok(Next::More)
}

/// Names are letters; an unknown critical chunk means that no decoder can show the picture (section 5.4).
fn check_name(walk: &mut Walk<'_>, picture: &Picture, name: [u8; 4], at: usize) {
    if !name.iter().all(u8::is_ascii_alphabetic) {
        walk.refuse(at, "the name of a chunk is not made of letters");
    } else if is_critical(name) && !matches!(&name, b"IHDR" | b"PLTE" | b"IDAT" | b"IEND") {
        walk.refuse(at, format!("the critical chunk {} is unknown", text(name)));
    }
    if !picture.header && &name != b"IHDR" {
        walk.refuse(at, "the first chunk is not IHDR");
    }
}

/// The order and the contents of the critical chunks (sections 5.6 and 11.2).
fn check_order(walk: &mut Walk<'_>, picture: &mut Picture, name: [u8; 4], data: &[u8], at: usize) {
    if &name != b"IDAT" && picture.data == Data::Inside {
        picture.data = Data::After;
    }
    match &name {
        b"IHDR" if picture.header => walk.refuse(at, "there are two IHDR chunks"),
        b"IHDR" => {
            picture.header = true;
            check_header(walk, picture, data, at);
        }
        b"PLTE" => check_palette(walk, picture, data, at),
        b"IDAT" => {
            if picture.data == Data::After {
                walk.refuse(at, "the IDAT chunks do not follow one another");
            }
            if picture.colour_type == 3 && !picture.palette {
                walk.refuse(at, "the palette is missing");
            }
            picture.data = Data::Inside;
            picture.data_length += data.len();
        }
        b"IEND" => {
            if picture.data_length == 0 {
                walk.refuse(at, "there is no image data");
            }
            if !data.is_empty() {
                walk.refuse(at, "the IEND chunk is not empty");
            }
        }
        _ => {}
    }
}

/// Section 11.2.1.
fn check_header(walk: &mut Walk<'_>, picture: &mut Picture, data: &[u8], at: usize) {
    let &[w3, w2, w1, w0, h3, h2, h1, h0, depth, colour_type, compression, filter, interlace] = data else {
        walk.refuse(at, "the IHDR chunk has the wrong length");
        return;
    };
    picture.colour_type = colour_type;
    let depth_fits = match colour_type {
        0 => matches!(depth, 1 | 2 | 4 | 8 | 16),
        3 => matches!(depth, 1 | 2 | 4 | 8),
        2 | 4 | 6 => matches!(depth, 8 | 16),
        _ => false,
    };
    if !depth_fits {
        walk.refuse(at, format!("colour type {colour_type} with {depth} bits does not exist"));
    }
    if compression != 0 || filter != 0 || interlace > 1 {
        walk.refuse(at, "the compression, filter or interlace method is unknown");
    }
    let (width, height) = (u32::from_be_bytes([w3, w2, w1, w0]), u32::from_be_bytes([h3, h2, h1, h0]));
    if width > MAX_INTEGER || height > MAX_INTEGER {
        walk.refuse(at, "the declared size is not a PNG integer");
    }
    walk.size(at, width, height);
}

/// Section 11.2.2.
fn check_palette(walk: &mut Walk<'_>, picture: &mut Picture, data: &[u8], at: usize) {
    if picture.palette || picture.data != Data::Before {
        walk.refuse(at, "a palette stands in the wrong place");
    }
    picture.palette = true;
    if data.is_empty() || data.len() > 3 * 256 || !data.len().is_multiple_of(3) {
        walk.refuse(at, "the palette has the wrong length");
    }
    if matches!(picture.colour_type, 0 | 4) {
        walk.refuse(at, "a greyscale picture has a palette");
    }
}

/// The largest integer of PNG, 2³¹ − 1 (section 7.1).
const MAX_INTEGER: u32 = 0x7FFF_FFFF;

/// Bit 5 of the first letter (section 5.4).
fn is_critical(name: [u8; 4]) -> bool {
    let [first, ..] = name;
    first & 0x20 == 0
}

fn text(name: [u8; 4]) -> String {
    name.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::SIGNATURE;
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

    /// A file of these chunks and nothing else.
    fn file(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let chunks: Vec<_> = chunks.iter().map(|(name, data)| chunk(name, data)).collect();
        [SIGNATURE, &chunks.concat()].concat()
    }

    #[test]
    fn every_part_is_found() {
        let asset = parse(png(&[chunk(b"gAMA", &[0, 0, 0xB1, 0x8F])], b"tail")).unwrap();
        assert_eq!(asset.dimensions(), Some(Dimensions { width: 16, height: 8 }));
        let names: Vec<_> = asset
            .parts()
            .iter()
            .filter_map(|part| match part.kind {
                PartKind::Chunk(name) => Some(name),
                _ => None,
            })
            .collect();
        assert_eq!(names, [*b"IHDR", *b"gAMA", *b"IDAT", *b"IDAT", *b"tIME", *b"IEND"]);
        assert_eq!(asset.parts().last().unwrap().kind, PartKind::Trailer);
        assert_eq!(asset.chunks(*b"gAMA").next().unwrap(), [0, 0, 0xB1, 0x8F].as_slice());
    }

    #[test]
    fn exactly_the_colour_types_of_the_standard_are_taken() {
        let mut taken = Vec::new();
        for colour_type in 0..=7 {
            for depth in 0..=17 {
                let header = png_header(1, 1, depth, colour_type);
                let palette: &[(&[u8; 4], &[u8])] =
                    if colour_type == 3 { &[(b"PLTE", &[1, 2, 3])] } else { &[] };
                let end: &[(&[u8; 4], &[u8])] = &[(b"IDAT", b"x"), (b"IEND", b"")];
                if parse(file(&[&[(b"IHDR", header.as_slice())], palette, end].concat())).is_ok() {
                    taken.push((colour_type, depth));
                }
            }
        }
        let expected: Vec<(u8, u8)> = [1, 2, 4, 8, 16]
            .map(|depth| (0, depth))
            .into_iter()
            .chain([8, 16].map(|depth| (2, depth)))
            .chain([1, 2, 4, 8].map(|depth| (3, depth)))
            .chain([8, 16].map(|depth| (4, depth)))
            .chain([8, 16].map(|depth| (6, depth)))
            .collect();
        assert_eq!(taken, expected);
    }

    #[test]
    fn broken_structure_is_refused() {
        let header = &png_header(16, 8, 8, 2);
        let ihdr: (&[u8; 4], &[u8]) = (b"IHDR", header);
        let idat: (&[u8; 4], &[u8]) = (b"IDAT", b"x");
        let iend: (&[u8; 4], &[u8]) = (b"IEND", b"");
        assert!(parse(file(&[ihdr, idat, iend])).is_ok());
        assert!(reason(file(&[(b"gAMA", b"1234"), ihdr, idat, iend])).contains("first chunk"));
        assert!(reason(file(&[ihdr, ihdr, idat, iend])).contains("two IHDR"));
        assert!(reason(file(&[ihdr, iend])).contains("no image data"));
        assert!(reason(file(&[ihdr, (b"IDAT", b""), iend])).contains("no image data"));
        assert!(reason(file(&[ihdr, idat, (b"tEXt", b"a\0b"), idat, iend])).contains("follow one another"));
        assert!(reason(file(&[ihdr, idat])).contains("before the IEND"));
        assert!(reason(file(&[ihdr, (b"ABCD", b""), idat, iend])).contains("ABCD is unknown"));
        assert!(reason(file(&[ihdr, (b"a1cd", b""), idat, iend])).contains("letters"));
        let indexed = png_header(16, 8, 8, 3);
        assert!(reason(file(&[(b"IHDR", &indexed), idat, iend])).contains("palette is missing"));
        let empty = png_header(0, 8, 8, 2);
        assert!(reason(file(&[(b"IHDR", &empty), idat, iend])).contains("no pixels"));
        let huge = png_header(30_000, 30_000, 8, 2);
        let refused = parse(file(&[(b"IHDR", &huge), idat, iend])).unwrap_err();
        assert!(matches!(refused, AssetError::Dimensions { width: 30_000, .. }));
    }

    #[test]
    fn a_wrong_checksum_matters_only_in_critical_chunks() {
        let intact = png(&[chunk(b"tEXt", b"Title\0x")], b"");
        let broken_at = |name: &[u8; 4]| {
            let mut file = intact.clone();
            let at = file.windows(4).position(|window| window == name).unwrap();
            file[at + 4] ^= 1;
            file
        };
        assert!(reason(broken_at(b"IDAT")).contains("checksum of the IDAT"));
        assert!(parse(broken_at(b"tEXt")).is_ok());
        let (asset, damage) = Asset::read_leniently(broken_at(b"tEXt").into()).unwrap();
        assert_eq!(asset.parts().last().unwrap().kind, PartKind::Chunk(*b"IEND"));
        assert!(matches!(damage.as_slice(), [Damage { refused: false, offset: 33, .. }]));
    }
}
