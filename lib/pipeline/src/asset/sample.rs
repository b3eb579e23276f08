//! Small files built by hand, for tests: sound in structure, without a real picture.

#![allow(clippy::cast_possible_truncation, reason = "lengths of test files fit")]

use super::{jpeg::marker, png};

/// A manifest store of `length` bytes: right box headers, then filler.
pub(crate) fn store(length: usize) -> Vec<u8> {
    let description = b"\0\0\0\x1Ejumdc2pa\x00\x11\x00\x10\x80\x00\x00\xAA\x00\x38\x9B\x71\x03c2pa\0";
    let mut store = u32::try_from(length).unwrap().to_be_bytes().to_vec();
    store.extend_from_slice(b"jumb");
    store.extend_from_slice(description);
    assert!(store.len() <= length);
    store.extend((store.len()..length).map(|at| (at % 251) as u8));
    store
}

/// A JPEG segment.
pub(crate) fn segment(marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).unwrap().to_be_bytes();
    [&[0xFF, marker], length.as_slice(), payload].concat()
}

/// An APP11 segment with a piece of a box.
pub(crate) fn app11(instance: u16, sequence: u32, box_part: &[u8]) -> Vec<u8> {
    let header = [instance.to_be_bytes().as_slice(), &sequence.to_be_bytes()].concat();
    segment(marker::APP11, &[b"JP", header.as_slice(), box_part].concat())
}

pub(crate) fn jfif() -> Vec<u8> {
    segment(marker::APP0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0")
}

pub(crate) fn exif() -> Vec<u8> {
    segment(marker::APP1, b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0")
}

/// A progressive JPEG of 16 × 8 pixels with two scans, restart markers and stuffed bytes; `segments` stand
/// behind SOI, `trailer` behind EOI.
pub(crate) fn jpeg(segments: &[Vec<u8>], trailer: &[u8]) -> Vec<u8> {
    let frame = segment(0xC2, &[8, 0, 8, 0, 16, 1, 1, 0x11, 0]);
    let scan = segment(marker::SOS, &[1, 1, 0, 0, 63, 0]);
    let mut file = vec![0xFF, marker::SOI];
    file.extend(segments.concat());
    file.extend(segment(0xDB, &[0; 65]));
    file.extend(frame);
    file.extend(segment(marker::DHT, &[0; 17]));
    file.extend(&scan);
    file.extend(b"\x12\xFF\0\x34\xFF\xD0\x56\xFF\xFF\xD1\x78");
    // A fill byte before the marker.
    file.push(0xFF);
    file.extend(segment(marker::DHT, &[0x10; 17]));
    file.extend(&scan);
    file.extend(b"\x9A\xBC");
    file.extend([0xFF, marker::EOI]);
    file.extend(trailer);
    file
}

/// A PNG chunk.
pub(crate) fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    [length.as_slice(), name, data, &png::crc(*name, data).to_be_bytes()].concat()
}

/// The data of an IHDR chunk.
pub(crate) fn png_header(width: u32, height: u32, depth: u8, colour_type: u8) -> Vec<u8> {
    [width.to_be_bytes().as_slice(), &height.to_be_bytes(), &[depth, colour_type, 0, 0, 0]].concat()
}

/// A PNG of 16 × 8 pixels with two IDAT chunks; `chunks` stand before them.
pub(crate) fn png(chunks: &[Vec<u8>], trailer: &[u8]) -> Vec<u8> {
    let mut file = png::SIGNATURE.to_vec();
    file.extend(chunk(b"IHDR", &png_header(16, 8, 8, 2)));
    file.extend(chunks.concat());
    file.extend(chunk(b"IDAT", b"first half"));
    file.extend(chunk(b"IDAT", b"second half"));
    file.extend(chunk(b"tIME", &[7, 0xEA, 1, 31, 8, 15, 30]));
    file.extend(chunk(b"IEND", b""));
    file.extend(trailer);
    file
}

/// A RIFF chunk with its pad byte.
pub(crate) fn riff_chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_le_bytes();
    [name.as_slice(), &length, data, [0].get(..data.len() % 2).unwrap()].concat()
}

/// A WebP of these chunks.
pub(crate) fn webp(chunks: &[Vec<u8>], trailer: &[u8]) -> Vec<u8> {
    let body = chunks.concat();
    let size = u32::try_from(4 + body.len()).unwrap().to_le_bytes();
    [b"RIFF", size.as_slice(), b"WEBP", &body, trailer].concat()
}

/// A lossy image of 16 × 8 pixels, of odd length.
pub(crate) fn vp8() -> Vec<u8> {
    riff_chunk(b"VP8 ", b"\x50\0\0\x9D\x01\x2A\x10\0\x08\0image data")
}

/// A lossless image of 16 × 8 pixels, with the alpha bit or without.
pub(crate) fn vp8l(alpha: bool) -> Vec<u8> {
    let bits = 15 | 7 << 14 | u32::from(alpha) << 28;
    riff_chunk(b"VP8L", &[&[0x2F], bits.to_le_bytes().as_slice(), b"image data"].concat())
}

/// A VP8X chunk for 16 × 8 pixels.
pub(crate) fn vp8x(flags: u8) -> Vec<u8> {
    riff_chunk(b"VP8X", &[flags, 0, 0, 0, 15, 0, 0, 7, 0, 0])
}

/// An animation frame that covers 16 × 8 pixels.
pub(crate) fn frame() -> Vec<u8> {
    let header = [0, 0, 0, 0, 0, 0, 15, 0, 0, 7, 0, 0, 100, 0, 0, 0];
    riff_chunk(b"ANMF", &[header.as_slice(), &vp8l(false)].concat())
}

/// One sound file of each format, with everything in it that the readers know.
pub(crate) fn rich_files() -> Vec<Vec<u8>> {
    let store = store(70);
    let xmp = [b"http://ns.adobe.com/xap/1.0/\0".as_slice(), b"<x/>"].concat();
    let jpeg_parts = [
        jfif(),
        exif(),
        app11(7, 1, &store),
        segment(marker::APP1, &xmp),
        segment(marker::APP2, b"MPF\0II*\0"),
        app11(8, 1, b"\0\0\0\x08free"),
        segment(marker::COM, b"a comment"),
    ];
    let png_parts = [
        chunk(b"caBX", &store),
        chunk(b"eXIf", b"II*\0\x08\0\0\0\0\0"),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>"),
        chunk(b"tEXt", b"Title\0A picture"),
        chunk(b"crLk", b"record"),
    ];
    let webp_parts = [
        vp8x(0x0C),
        vp8l(false),
        riff_chunk(b"EXIF", b"II*\0\x08\0\0\0\0\0"),
        riff_chunk(b"XMP ", b"<x/>"),
        riff_chunk(b"crLk", b"odd"),
        riff_chunk(b"C2PA", &store),
    ];
    let animation = [vp8x(0x02), riff_chunk(b"ANIM", &[0; 6]), frame(), frame()];
    vec![
        jpeg(&jpeg_parts, b"trailer"),
        png(&png_parts, b"trailer"),
        webp(&webp_parts, b""),
        webp(&animation, b""),
        webp(&[vp8()], b""),
    ]
}
