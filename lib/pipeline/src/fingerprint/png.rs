//! Luma of a PNG, row by row; of an APNG the default image.

use std::io::Cursor;

use png::{ColorType, Decoder, InterlaceInfo, Limits, Transformations, expand_interlaced_row};

use super::{
    FingerprintError, Size, luma, luma_on_white, on_white,
    orientation::Orientation,
    reduce::{Reduced, Reducer},
};

/// The most memory the library may take for itself, in bytes; a row of 10 000 pixels of 8 bytes is 80 KB.
const LIBRARY_LIMIT: usize = 16 << 20;

/// As [`super::luma_32x32`].
pub(super) fn luma_32x32(bytes: &[u8]) -> Result<Reduced, FingerprintError> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: LIBRARY_LIMIT });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let header = decoder.read_header_info().map_err(FingerprintError::undecodable)?;
    let size = Size::new(header.width, header.height)?;
    let interlaced = header.interlaced;
    let mut reader = decoder.read_info().map_err(FingerprintError::undecodable)?;
    let colour = reader.output_color_type().0;

    let mut reducer = Reducer::of_pixels(size.width, size.height);
    let mut row_luma = Vec::with_capacity(size.columns());
    let mut plane = if interlaced { vec![0; size.columns() * size.rows()] } else { Vec::new() };
    while let Some(row) = reader.next_interlaced_row().map_err(FingerprintError::undecodable)? {
        row_luma.clear();
        append_luma(row.data(), colour, &mut row_luma)?;
        match row.interlace() {
            InterlaceInfo::Null(_) => reducer.push_row(&row_luma),
            InterlaceInfo::Adam7(pass) => {
                expand_interlaced_row(&mut plane, size.columns(), &row_luma, pass, 8);
            }
        }
    }
    for row in plane.chunks_exact(size.columns()) {
        reducer.push_row(row);
    }
    let reduced = reducer.finish().ok_or_else(FingerprintError::truncated)?;
    Ok(exif_chunk(bytes).map(Orientation::of_exif).unwrap_or_default().upright(&reduced))
}

/// Appends a row of 8-bit samples as luma.
fn append_luma(row: &[u8], colour: ColorType, to: &mut Vec<u8>) -> Result<(), FingerprintError> {
    match colour {
        ColorType::Grayscale => to.extend_from_slice(row),
        ColorType::GrayscaleAlpha => {
            to.extend(row.as_chunks().0.iter().map(|[grey, alpha]| on_white(*grey, *alpha)));
        }
        ColorType::Rgb => to.extend(row.as_chunks().0.iter().map(|pixel| luma(*pixel))),
        ColorType::Rgba => to.extend(row.as_chunks().0.iter().map(luma_on_white)),
        ColorType::Indexed => return Err(FingerprintError::undecodable("a palette stayed unexpanded")),
    }
    Ok(())
}

/// The body of the first `eXIf` chunk; it may stand before or after the image data (PNG, third edition,
/// section 11.3.4.5).
fn exif_chunk(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.get(8..)?;
    loop {
        let (length, after) = rest.split_first_chunk()?;
        let (name, after) = after.split_first_chunk()?;
        let (body, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        match name {
            b"eXIf" => return Some(body),
            b"IEND" => return None,
            _ => rest = after.get(4..)?,
        }
    }
}
