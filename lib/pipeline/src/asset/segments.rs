//! Joining the APP11 segments of a JPEG that carry a manifest store (C2PA 2.4, A.3.1; ISO/IEC 19566-5, D.2).

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::{Asset, PartKind, carrier::JUMBF_IDENTIFIER, marker, store::Found, walk::array};

/// Groups the APP11 segments by box instance and joins those groups that hold a manifest store. A number that
/// comes back within an instance starts a new group: two stores under one number are still two.
pub(super) fn stores(asset: &Asset) -> Vec<Found> {
    let mut groups: Vec<Group> = Vec::new();
    let mut latest: HashMap<([u8; 2], u16), usize> = HashMap::new();
    let mut seen: HashSet<(usize, u32)> = HashSet::new();
    let mut after_scan = false;
    for (index, part) in asset.parts().iter().enumerate() {
        after_scan |= part.kind == PartKind::Scan;
        if part.kind != PartKind::Segment(marker::APP11) {
            continue;
        }
        let Some(header) = SegmentHeader::read(asset.payload_slice(part)) else { continue };
        let key = (header.identifier, header.instance);
        let group = match latest.get(&key) {
            Some(&group) if !seen.contains(&(group, header.sequence)) => group,
            _ => {
                groups.push(Group::default());
                groups.len() - 1
            }
        };
        latest.insert(key, group);
        seen.insert((group, header.sequence));
        if let Some(group) = groups.get_mut(group) {
            group.segments.push((header.sequence, index));
            group.after_scan |= after_scan;
        }
    }
    groups.into_iter().filter_map(|group| join(asset, group)).collect()
}

/// The fields in front of the box data in an APP11 segment.
struct SegmentHeader {
    identifier: [u8; 2],
    instance: u16,
    sequence: u32,
    /// Length of LBox, TBox and XLBox, which every segment repeats.
    box_header: usize,
}

/// Where LBox starts in the payload of the segment.
const BOX_START: usize = 8;

impl SegmentHeader {
    fn read(payload: &[u8]) -> Option<Self> {
        let box_header = if array(payload, BOX_START).map(u32::from_be_bytes)? == 1 { 16 } else { 8 };
        let header = Self {
            identifier: array(payload, 0)?,
            instance: array(payload, 2).map(u16::from_be_bytes)?,
            sequence: array(payload, 4).map(u32::from_be_bytes)?,
            box_header,
        };
        (payload.len() >= BOX_START + box_header).then_some(header)
    }
}

/// Segments that belong to one box, as far as their numbers tell.
#[derive(Default)]
struct Group {
    /// Sequence number and index of the part, in the order of the file.
    segments: Vec<(u32, usize)>,
    after_scan: bool,
}

/// The store in `group`, if it is one.
fn join(asset: &Asset, group: Group) -> Option<Found> {
    let in_file_order = group.segments.is_sorted_by(|one, next| one.0 < next.0);
    let mut segments = group.segments;
    segments.sort_unstable();
    let payloads: Vec<Bytes> = segments
        .iter()
        .filter_map(|&(_, index)| asset.parts().get(index))
        .map(|part| asset.payload(part))
        .collect();
    let first = payloads.first()?;
    let header = SegmentHeader::read(first)?;
    if !claims_to_be_a_store(first, &header) {
        return None;
    }
    let parts: Vec<usize> = segments.iter().map(|&(_, index)| index).collect();

    let mut notes = Vec::new();
    let mut note = |wrong: bool, text: &str| {
        if wrong {
            notes.push(text.to_owned());
        }
    };
    note(header.identifier != JUMBF_IDENTIFIER, "the APP11 segments are not marked as JPEG boxes");
    note(group.after_scan, "an APP11 segment of the manifest store stands after the first scan");
    note(!in_file_order, "the APP11 segments of the manifest store are not in order");
    note(
        !segments.iter().zip(1_u32..).all(|(segment, number)| segment.0 == number),
        "an APP11 segment of the manifest store is missing or misnumbered",
    );
    note(
        !parts.iter().zip(parts.iter().skip(1)).all(|(one, next)| one + 1 == *next),
        "the APP11 segments of the manifest store do not follow one another",
    );
    let box_header = first.get(BOX_START..BOX_START + header.box_header);
    note(
        !payloads.iter().all(|payload| payload.get(BOX_START..BOX_START + header.box_header) == box_header),
        "the APP11 segments of the manifest store do not repeat its box header",
    );
    Some(Found { bytes: joined(&payloads, &header), parts, notes })
}

/// The store without the fields of its segments: a slice when there is one segment, a copy when there are more.
fn joined(payloads: &[Bytes], header: &SegmentHeader) -> Bytes {
    let Some((first, continuations)) = payloads.split_first() else { return Bytes::new() };
    if continuations.is_empty() {
        return first.slice(BOX_START.min(first.len())..);
    }
    let mut store = Vec::with_capacity(payloads.iter().map(Bytes::len).sum());
    store.extend_from_slice(first.get(BOX_START..).unwrap_or_default());
    for payload in continuations {
        store.extend_from_slice(payload.get(BOX_START + header.box_header..).unwrap_or_default());
    }
    store.into()
}

/// Whether a reader that looks at the first four bytes of the type alone, as the reference implementation
/// does, takes this for a manifest store. Whatever else is wrong becomes a note.
fn claims_to_be_a_store(payload: &[u8], header: &SegmentHeader) -> bool {
    array(payload, BOX_START + header.box_header + 8) == Some(*b"c2pa")
}
