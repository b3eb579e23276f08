//! The container of a WebP: where the pixels are, and how they lie on the canvas.

use super::{FingerprintError, Size};

/// What is needed of a file (RFC 9649, section 2).
pub(super) struct File<'a> {
    pub(super) canvas: Size,
    /// The value of the canvas where the frame does not reach.
    pub(super) background: u8,
    pub(super) frame: Frame<'a>,
    pub(super) exif: Option<&'a [u8]>,
}

/// The picture, or the first frame of an animation, and where it lies on the canvas.
pub(super) struct Frame<'a> {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) size: Size,
    pub(super) pixels: Pixels<'a>,
}

/// The bodies of the chunks that hold pixels.
#[derive(Clone, Copy)]
pub(super) enum Pixels<'a> {
    Lossy { data: &'a [u8], alpha: Option<&'a [u8]> },
    Lossless { data: &'a [u8] },
}

impl<'a> File<'a> {
    /// Walks the chunks up to the first that is cut off; nothing is decoded.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, FingerprintError> {
        let body = match bytes.split_first_chunk() {
            Some((b"RIFF", rest)) => rest.get(4..).and_then(|rest| rest.strip_prefix(b"WEBP")),
            _ => None,
        };
        let chunks = body.ok_or_else(|| FingerprintError::undecodable("not a WebP file"))?;
        let header = Chunks(chunks).find(|chunk| chunk.name == *b"VP8X").map(|chunk| chunk.body);
        let Some(header) = header else {
            let (size, pixels) = still(chunks)?;
            let frame = Frame { x: 0, y: 0, size, pixels };
            return Ok(Self { canvas: size, background: u8::MAX, frame, exif: None });
        };
        let [flags, _, _, _, size @ ..] =
            header.first_chunk::<10>().ok_or_else(FingerprintError::truncated)?;
        let canvas = size_less_one(*size)?;
        let transparent = flags & 0x10 != 0;
        let frame = if flags & 0x02 == 0 {
            let (size, pixels) = still(chunks)?;
            Frame { x: 0, y: 0, size, pixels }
        } else {
            first_animation_frame(chunks)?
        };
        let exif = Chunks(chunks).find(|chunk| chunk.name == *b"EXIF").map(|chunk| chunk.body);
        Ok(Self { canvas, background: if transparent { u8::MAX } else { 0 }, frame, exif })
    }
}

fn first_animation_frame(chunks: &[u8]) -> Result<Frame<'_>, FingerprintError> {
    let body = Chunks(chunks)
        .find(|chunk| chunk.name == *b"ANMF")
        .ok_or_else(|| FingerprintError::undecodable("an animation without frames"))?
        .body;
    let (header, chunks) = body.split_first_chunk::<16>().ok_or_else(FingerprintError::truncated)?;
    let [x0, x1, x2, y0, y1, y2, w0, w1, w2, h0, h1, h2, ..] = *header;
    let declared = size_less_one([w0, w1, w2, h0, h1, h2])?;
    let (size, pixels) = still(chunks)?;
    if size != declared {
        return Err(FingerprintError::undecodable("a frame has another size than declared"));
    }
    let position = |low: [u8; 3]| 2 * little_endian_24(low) as usize;
    Ok(Frame { x: position([x0, x1, x2]), y: position([y0, y1, y2]), size, pixels })
}

/// The first still picture among `chunks`.
fn still(chunks: &[u8]) -> Result<(Size, Pixels<'_>), FingerprintError> {
    let mut alpha = None;
    for Chunk { name, body } in Chunks(chunks) {
        match &name {
            b"ALPH" => alpha = Some(body),
            b"VP8 " => return Ok((lossy_size(body)?, Pixels::Lossy { data: body, alpha })),
            b"VP8L" => return Ok((lossless_size(body)?, Pixels::Lossless { data: body })),
            _ => {}
        }
    }
    Err(FingerprintError::undecodable("no image data"))
}

/// The size in the header of a VP8 key frame (RFC 6386, section 9.1).
fn lossy_size(data: &[u8]) -> Result<Size, FingerprintError> {
    let Some([tag, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1]) = data.first_chunk() else {
        return Err(FingerprintError::undecodable("not a VP8 key frame"));
    };
    if tag & 1 != 0 {
        return Err(FingerprintError::undecodable("not a VP8 key frame"));
    }
    let side = |bytes| u32::from(u16::from_le_bytes(bytes) & 0x3fff);
    Size::new(side([*w0, *w1]), side([*h0, *h1]))
}

/// The size in the header of a lossless picture (RFC 9649, section 3.4).
fn lossless_size(data: &[u8]) -> Result<Size, FingerprintError> {
    let Some([0x2f, b0, b1, b2, b3]) = data.first_chunk() else {
        return Err(FingerprintError::undecodable("not a lossless WebP bitstream"));
    };
    let bits = u32::from_le_bytes([*b0, *b1, *b2, *b3]);
    Size::new((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)
}

fn size_less_one([w0, w1, w2, h0, h1, h2]: [u8; 6]) -> Result<Size, FingerprintError> {
    Size::new(little_endian_24([w0, w1, w2]) + 1, little_endian_24([h0, h1, h2]) + 1)
}

fn little_endian_24([low, middle, high]: [u8; 3]) -> u32 {
    u32::from_le_bytes([low, middle, high, 0])
}

/// The chunks of a RIFF body, up to the first that is cut off.
struct Chunks<'a>(&'a [u8]);

struct Chunk<'a> {
    name: [u8; 4],
    body: &'a [u8],
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        let (name, rest) = self.0.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (body, rest) = rest.split_at_checked(length)?;
        self.0 = rest.get(length % 2..).unwrap_or_default();
        Some(Chunk { name: *name, body })
    }
}
