//! The layout of a signed JPEG.

use bytes::Bytes;

use super::{Carriers, EmbedError, RecordPayloads, layout::Layout};
use crate::asset::{Asset, EXIF_HEADER, Part, PartKind, XMP_HEADER, marker};

pub(super) fn carriers(asset: &Asset) -> Carriers {
    Carriers {
        // Extended XMP too.
        xmp: asset.segments_after(marker::APP1, b"http://ns.adobe.com/").next().is_none(),
        exif: asset.segments_after(marker::APP1, b"Exif\0").next().is_none(),
    }
}

/// SOI, leading APP0 and EXIF, the record's EXIF, the store, the record's XMP and comment, all the rest.
///
/// EXIF comes first because EXIF 2.32, 4.5.4, wants it directly behind SOI. The store comes before any MPF
/// segment because MPF counts from its own position to the further images behind the first.
pub(super) fn lay_out(
    layout: &mut Layout<'_>,
    old: &[bool],
    record: &RecordPayloads,
) -> Result<(), EmbedError> {
    let asset = layout.asset();
    let parts = || asset.parts().iter().zip(old);
    let head = head_length(asset, old);
    for (part, _) in parts().take(head).filter(|(_, is_old)| !**is_old) {
        layout.keep(part);
    }
    if let Some(exif) = &record.exif {
        add_segment(layout, marker::APP1, EXIF_HEADER, exif, "EXIF")?;
    }
    layout.store();
    if let Some(xmp) = &record.xmp {
        add_segment(layout, marker::APP1, XMP_HEADER, xmp, "XMP")?;
    }
    if let Some(comment) = &record.private {
        add_segment(layout, marker::COM, b"", comment, "comment")?;
    }
    let mut after_mpf = false;
    for (part, is_old) in parts().skip(head) {
        after_mpf |= is_mpf(asset, part);
        match (is_old, after_mpf) {
            (false, _) => layout.keep(part),
            (true, true) => blank(layout, part),
            (true, false) => {}
        }
    }
    Ok(())
}

/// How many parts stand before the place of the store: SOI, every APP0 and at most one EXIF, older stores not
/// counted.
fn head_length(asset: &Asset, old: &[bool]) -> usize {
    let mut exif = false;
    let belongs = |part: &Part| match part.kind {
        PartKind::Start | PartKind::Segment(marker::APP0) => true,
        PartKind::Segment(marker::APP1) if !exif => {
            exif = asset.payload_slice(part).starts_with(EXIF_HEADER);
            exif
        }
        _ => false,
    };
    let mut belongs = belongs;
    asset.parts().iter().zip(old).take_while(|(part, is_old)| **is_old || belongs(part)).count()
}

/// An APP2 segment of the Multi-Picture Format (CIPA DC-007, 5.2).
fn is_mpf(asset: &Asset, part: &Part) -> bool {
    part.kind == PartKind::Segment(marker::APP2) && asset.payload_slice(part).starts_with(b"MPF\0")
}

fn add_segment(
    layout: &mut Layout<'_>,
    marker: u8,
    prefix: &'static [u8],
    payload: &Bytes,
    kind: &'static str,
) -> Result<(), EmbedError> {
    let length = u16::try_from(2 + prefix.len() + payload.len()).map_err(|_| {
        let limit = usize::from(u16::MAX) - 2 - prefix.len();
        EmbedError::RecordTooLong { kind, length: payload.len(), limit }
    })?;
    let [high, low] = length.to_be_bytes();
    layout.add([&[0xFF, marker, high, low], prefix].concat());
    layout.add(payload.clone());
    Ok(())
}

/// Overwrites an older segment with one of the same length that says nothing: APP15, a name, zeros. Fill bytes
/// before it and its length stay.
fn blank(layout: &mut Layout<'_>, part: &Part) {
    static ZEROS: [u8; 0xFFFF] = [0; 0xFFFF];
    const NAME: &[u8] = b"CredLink\0";
    // A carrier of a store has a marker, a length and at least 28 bytes.
    let length_start = part.payload.start - 2;
    layout.keep_range(part.range.start..length_start - 1);
    layout.add(vec![marker::APP15]);
    layout.keep_range(length_start..part.payload.start);
    layout.add(Bytes::from_static(NAME));
    let zeros = part.payload.len().saturating_sub(NAME.len()).min(ZEROS.len());
    layout.add(Bytes::from_static(&ZEROS).slice(..zeros));
}
