//! The layout of a signed PNG.

use bytes::Bytes;

use super::{Carriers, EmbedError, RecordPayloads, layout::Layout};
use crate::asset::{Asset, PartKind, XMP_KEYWORD, png_crc};

pub(super) fn carriers(asset: &Asset) -> Carriers {
    // ImageMagick keeps metadata in text chunks with keywords like these.
    let has_text =
        |keywords: [&[u8]; 2]| asset.text_keywords().any(|found| keywords.contains(&found.as_ref()));
    Carriers {
        xmp: !has_text([XMP_KEYWORD, b"Raw profile type xmp"]),
        exif: asset.chunks(*b"eXIf").next().is_none()
            && !has_text([b"Raw profile type exif", b"Raw profile type APP1"]),
    }
}

/// Signature, IHDR, the store, the record, all the rest.
pub(super) fn lay_out(
    layout: &mut Layout<'_>,
    old: &[bool],
    record: &RecordPayloads,
) -> Result<(), EmbedError> {
    let parts = layout.asset().parts().iter().zip(old);
    for (part, _) in parts.filter(|(_, is_old)| !**is_old) {
        layout.keep(part);
        if part.kind == PartKind::Chunk(*b"IHDR") {
            layout.store();
            add_record(layout, record)?;
        }
    }
    Ok(())
}

fn add_record(layout: &mut Layout<'_>, record: &RecordPayloads) -> Result<(), EmbedError> {
    if let Some(xmp) = &record.xmp {
        // Not compressed, no language, no translated keyword.
        add_chunk(layout, *b"iTXt", &[XMP_KEYWORD, &[0; 5], xmp].concat().into(), "XMP")?;
    }
    if let Some(exif) = &record.exif {
        add_chunk(layout, *b"eXIf", exif, "EXIF")?;
    }
    if let Some(private) = &record.private {
        add_chunk(layout, *b"crLk", private, "crLk chunk")?;
    }
    Ok(())
}

fn add_chunk(
    layout: &mut Layout<'_>,
    name: [u8; 4],
    data: &Bytes,
    kind: &'static str,
) -> Result<(), EmbedError> {
    let limit = i32::MAX.unsigned_abs();
    let length = u32::try_from(data.len())
        .ok()
        .filter(|&length| length <= limit)
        .ok_or(EmbedError::RecordTooLong { kind, length: data.len(), limit: limit as usize })?;
    layout.add([length.to_be_bytes(), name].concat());
    layout.add(data.clone());
    layout.add(png_crc(name, data).to_be_bytes().to_vec());
    Ok(())
}
