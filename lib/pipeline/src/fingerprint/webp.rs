//! Luma of a WebP: the luma plane of a lossy one, the pixels of a lossless or transparent one; of an
//! animation the first frame.

use std::{
    borrow::Cow,
    io::{self, BufRead, Read, Seek, SeekFrom},
};

use image_webp::{WebPDecoder, vp8::Vp8Decoder};

use super::{
    FingerprintError, Size, luma, luma_on_white,
    orientation::Orientation,
    reduce::{Reduced, Reducer},
    riff::{File, Frame, Pixels},
};

/// As [`super::luma_32x32`].
pub(super) fn luma_32x32(bytes: &[u8]) -> Result<Reduced, FingerprintError> {
    let file = File::parse(bytes)?;
    let mut painter = Painter::new(&file)?;
    match file.frame.pixels {
        Pixels::Lossy { data, alpha: None } => paint_lossy(data, &file.frame, &mut painter)?,
        Pixels::Lossy { data, alpha: Some(alpha) } => {
            paint_transparent(data, alpha, &file.frame, &mut painter)?;
        }
        Pixels::Lossless { data } => paint_lossless(data, &file.frame, &mut painter)?,
    }
    let reduced = painter.finish()?;
    Ok(file.exif.map(Orientation::of_exif).unwrap_or_default().upright(&reduced))
}

/// Lays the rows of a frame on the canvas and reduces them.
struct Painter {
    reducer: Reducer,
    canvas: Size,
    background: u8,
    left: usize,
    row: Vec<u8>,
    rows: usize,
}

impl Painter {
    fn new(file: &File<'_>) -> Result<Self, FingerprintError> {
        let File { canvas, background, frame, .. } = file;
        if frame.x + frame.size.columns() > canvas.columns() || frame.y + frame.size.rows() > canvas.rows() {
            return Err(FingerprintError::undecodable("a frame reaches beyond the canvas"));
        }
        let mut painter = Self {
            reducer: Reducer::of_pixels(canvas.width, canvas.height),
            canvas: *canvas,
            background: *background,
            left: frame.x,
            row: vec![*background; canvas.columns()],
            rows: 0,
        };
        painter.pad_to(frame.y);
        Ok(painter)
    }

    fn push_row(&mut self, values: impl Iterator<Item = u8>) {
        for (pixel, value) in self.row.iter_mut().skip(self.left).zip(values) {
            *pixel = value;
        }
        self.reducer.push_row(&self.row);
        self.rows += 1;
    }

    fn finish(mut self) -> Result<Reduced, FingerprintError> {
        self.row.fill(self.background);
        self.pad_to(self.canvas.rows());
        self.reducer.finish().ok_or_else(FingerprintError::truncated)
    }

    fn pad_to(&mut self, rows: usize) {
        for _ in self.rows..rows {
            self.reducer.push_row(&self.row);
            self.rows += 1;
        }
    }
}

/// The luma plane alone; the planes take 1.5 bytes a pixel.
fn paint_lossy(data: &[u8], frame: &Frame<'_>, painter: &mut Painter) -> Result<(), FingerprintError> {
    frame.size.within_budget(3)?;
    let planes = Vp8Decoder::decode_frame(data).map_err(FingerprintError::undecodable)?;
    let full_range = full_range();
    // The plane is padded to whole macroblocks of 16 x 16.
    let stride = frame.size.columns().next_multiple_of(16);
    for row in planes.ybuf.chunks_exact(stride).take(frame.size.rows()) {
        let values = row.iter().take(frame.size.columns());
        painter.push_row(values.map(|y| full_range.get(usize::from(*y)).copied().unwrap_or_default()));
    }
    Ok(())
}

/// The grey of each VP8 luma value, which is of studio range, as libwebp computes it.
fn full_range() -> [u8; 256] {
    let mut table = [0; 256];
    for (luma, grey) in (0_i32..).zip(&mut table) {
        let scaled = ((luma * 19_077) >> 8) - 1_160;
        *grey = u8::try_from((scaled >> 6).clamp(0, 255)).unwrap_or_default();
    }
    table
}

/// A lossy picture with an alpha channel; the planes, the pixels and the alpha channel, which is a lossless
/// picture of its own, take 10 bytes a pixel.
fn paint_transparent(
    data: &[u8],
    alpha: &[u8],
    frame: &Frame<'_>,
    painter: &mut Painter,
) -> Result<(), FingerprintError> {
    frame.size.within_budget(20)?;
    let Size { width, height } = frame.size;
    let mut header = vec![0x10, 0, 0, 0];
    header.extend((width - 1).to_le_bytes().into_iter().take(3));
    header.extend((height - 1).to_le_bytes().into_iter().take(3));
    let pixels = rgba(
        Rebuilt::new(&[(*b"VP8X", &[&header]), (*b"ALPH", &[alpha]), (*b"VP8 ", &[data])])?,
        frame.size,
    )?;
    for row in pixels.chunks_exact(4 * frame.size.columns()) {
        painter.push_row(row.as_chunks().0.iter().map(luma_on_white));
    }
    Ok(())
}

/// A lossless picture; the pixels take 4 bytes each.
fn paint_lossless(data: &[u8], frame: &Frame<'_>, painter: &mut Painter) -> Result<(), FingerprintError> {
    const ALPHA_IS_USED: u8 = 0x10;
    frame.size.within_budget(8)?;
    let ([start @ .., bits], rest) = data.split_first_chunk::<5>().ok_or_else(FingerprintError::truncated)?;
    // With the bit set the library decodes in place; without it, it holds the picture twice.
    let chunk: [&[u8]; 3] = [start, &[bits | ALPHA_IS_USED], rest];
    let pixels = rgba(Rebuilt::new(&[(*b"VP8L", &chunk)])?, frame.size)?;
    let transparent = bits & ALPHA_IS_USED != 0;
    for row in pixels.chunks_exact(4 * frame.size.columns()) {
        let row = row.as_chunks().0.iter();
        if transparent {
            painter.push_row(row.map(luma_on_white));
        } else {
            painter.push_row(row.map(|[red, green, blue, _]| luma([*red, *green, *blue])));
        }
    }
    Ok(())
}

/// The pixels of a file that declares an alpha channel.
fn rgba(file: Rebuilt<'_>, size: Size) -> Result<Vec<u8>, FingerprintError> {
    let mut decoder = WebPDecoder::new(file).map_err(FingerprintError::undecodable)?;
    let mut pixels = vec![0; 4 * size.columns() * size.rows()];
    decoder.read_image(&mut pixels).map_err(FingerprintError::undecodable)?;
    Ok(pixels)
}

/// A WebP file made of some chunks of another one, without a copy of them.
struct Rebuilt<'a> {
    /// The container's own bytes and the slices of the other file, in turns.
    parts: Vec<Cow<'a, [u8]>>,
    position: u64,
}

impl<'a> Rebuilt<'a> {
    /// Each chunk is a name and the pieces of its body.
    fn new(chunks: &[([u8; 4], &[&'a [u8]])]) -> Result<Self, FingerprintError> {
        let mut parts: Vec<Cow<'a, [u8]>> = Vec::new();
        let mut total = 4;
        for (name, body) in chunks {
            let length: usize = body.iter().map(|piece| piece.len()).sum();
            let padding = length % 2;
            total += 8 + length + padding;
            parts.push(chunk_header(*name, length)?.into());
            parts.extend(body.iter().map(|piece| Cow::Borrowed(*piece)));
            parts.push([0].get(..padding).unwrap_or_default().to_vec().into());
        }
        let mut start = chunk_header(*b"RIFF", total)?;
        start.extend(b"WEBP");
        parts.insert(0, start.into());
        Ok(Self { parts, position: 0 })
    }

    fn length(&self) -> u64 {
        self.parts.iter().map(|part| part.len() as u64).sum()
    }
}

fn chunk_header(name: [u8; 4], length: usize) -> Result<Vec<u8>, FingerprintError> {
    let length = u32::try_from(length).map_err(FingerprintError::undecodable)?;
    Ok([name, length.to_le_bytes()].concat())
}

impl BufRead for Rebuilt<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let mut skip = self.position;
        for part in &self.parts {
            match usize::try_from(skip).ok().and_then(|skip| part.get(skip..)) {
                Some(rest) if !rest.is_empty() => return Ok(rest),
                _ => skip = skip.saturating_sub(part.len() as u64),
            }
        }
        Ok(&[])
    }

    fn consume(&mut self, amount: usize) {
        self.position = self.position.saturating_add(amount as u64);
    }
}

impl Read for Rebuilt<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(to)?;
        self.consume(count);
        Ok(count)
    }
}

impl Seek for Rebuilt<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.length().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}
