//! Luma of a JPEG: of a large one the mean of each 8 x 8 block, of any other every pixel.

use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::{
    FingerprintError, MAX_SIDE,
    dc::luma_of_blocks,
    luma,
    orientation::Orientation,
    reduce::{Reduced, Reducer},
    segment::{APP0, APP1, APP14, Coding, Frame, SOS, Segments},
};

/// From this side on, in pixels, the means of the blocks stand for the pixels. Below it there are too few
/// blocks to a reduced pixel: at 2048 up to 6 of 256 bits of the fingerprint differ, at 512 up to 22.
const LEAST_SIDE_FOR_BLOCKS: u32 = 2048;

/// As [`super::luma_32x32`].
pub(super) fn luma_32x32(bytes: &[u8]) -> Result<Reduced, FingerprintError> {
    let head = Head::read(bytes)?;
    let reduced = if head.is_large() && head.starts_with_luma() {
        luma_of_blocks(bytes, &head.frame)?
    } else {
        luma_of_pixels(bytes, &head)?
    };
    Ok(head.orientation.upright(&reduced))
}

/// What the segments before the first scan say.
struct Head {
    frame: Frame,
    /// Whether the first scan has all components, so that rows of pixels come out as they are decoded.
    interleaved: bool,
    jfif: bool,
    /// The colour transform of the Adobe segment.
    adobe: Option<u8>,
    orientation: Orientation,
}

impl Head {
    fn read(bytes: &[u8]) -> Result<Self, FingerprintError> {
        let (mut frame, mut jfif, mut adobe, mut orientation) = (None, false, None, None);
        for segment in Segments::of(bytes)? {
            match segment.marker {
                APP0 => jfif |= segment.body.starts_with(b"JFIF\0"),
                APP1 if segment.body.starts_with(b"Exif\0\0") => {
                    orientation.get_or_insert_with(|| Orientation::of_exif(segment.body));
                }
                APP14 if segment.body.starts_with(b"Adobe") => adobe = segment.body.get(11).copied(),
                SOS => {
                    let frame: Frame =
                        frame.ok_or_else(|| FingerprintError::undecodable("no frame header"))?;
                    let interleaved =
                        segment.body.first().copied().map(usize::from) == Some(frame.components.len());
                    let orientation = orientation.unwrap_or_default();
                    return Ok(Self { frame, interleaved, jfif, adobe, orientation });
                }
                marker if Frame::is_header(marker) => {
                    let before = frame.replace(Frame::parse(marker, segment.body)?);
                    if before.is_some() {
                        return Err(FingerprintError::undecodable("two frame headers"));
                    }
                }
                _ => {}
            }
        }
        Err(FingerprintError::truncated())
    }
}

impl Head {
    /// Whether there are enough blocks to do without the pixels.
    fn is_large(&self) -> bool {
        self.frame.size.width.min(self.frame.size.height) >= LEAST_SIDE_FOR_BLOCKS
    }

    /// Whether the first component is the luma, and the most finely sampled one. The rules are libjpeg's.
    fn starts_with_luma(&self) -> bool {
        match self.frame.components.as_slice() {
            [_] => true,
            [y, cb, cr] => {
                let is_rgb = !self.jfif
                    && match self.adobe {
                        Some(transform) => transform == 0,
                        None => [y.id, cb.id, cr.id] == *b"RGB",
                    };
                let finer = |a: (u8, u8), b: (u8, u8)| a.0 > b.0 || a.1 > b.1;
                !is_rgb && !finer(cb.sampling, y.sampling) && !finer(cr.sampling, y.sampling)
            }
            _ => false,
        }
    }
}

/// Decodes every pixel.
fn luma_of_pixels(bytes: &[u8], head: &Head) -> Result<Reduced, FingerprintError> {
    let size = head.frame.size;
    let rows_at_once = head.interleaved && head.frame.coding == Coding::Sequential;
    let coefficients = if rows_at_once { 0 } else { 2 * head.frame.components.len() as u64 };
    let limits = DecoderOptions::default().set_max_width(MAX_SIDE as usize).set_max_height(MAX_SIDE as usize);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), limits);
    decoder.decode_headers().map_err(FingerprintError::undecodable)?;
    let colour = match decoder.input_colorspace() {
        Some(ColorSpace::Luma | ColorSpace::YCbCr) => ColorSpace::Luma,
        _ => ColorSpace::RGB,
    };
    size.within_budget(2 * (coefficients + colour.num_components() as u64))?;
    decoder.set_options(limits.jpeg_set_out_colorspace(colour));
    let pixels = decoder.decode().map_err(FingerprintError::undecodable)?;

    let mut reducer = Reducer::of_pixels(size.width, size.height);
    if colour == ColorSpace::Luma {
        pixels.chunks_exact(size.columns()).for_each(|row| reducer.push_row(row));
    } else {
        for row in pixels.chunks_exact(3 * size.columns()) {
            let row: Vec<u8> = row.as_chunks().0.iter().map(|pixel| luma(*pixel)).collect();
            reducer.push_row(&row);
        }
    }
    reducer.finish().ok_or_else(FingerprintError::truncated)
}
