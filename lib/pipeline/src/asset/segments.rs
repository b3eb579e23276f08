//! Joining the APP11 segments of a JPEG that carry a manifest store (C2PA 2.4, A.3.1; ISO/IEC 19566-5, D.2).

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use memchr::memmem;

use super::{Asset, PartKind, carrier::JUMBF_IDENTIFIER, marker, store::Found, walk::array};

/// Groups the APP11 segments by box instance and joins those groups that hold a manifest store. A number that
/// comes back within an instance starts a new group: two stores under one number are still two.
pub(super) fn stores(asset: &Asset) -> Vec<Found> {
    let mut after_scan = false;
    let segments = asset.parts().iter().enumerate().filter_map(|(index, part)| {
        after_scan |= part.kind == PartKind::Scan;
        let is_carrier = part.kind == PartKind::Segment(marker::APP11);
        is_carrier.then(|| Segment { payload: asset.payload(part), part: index, after_scan })
    });
    grouped(segments).into_iter().filter_map(join).collect()
}

impl Asset {
    /// The manifest stores of a JPEG whose segments were scattered, in bytes: to segments with another marker,
    /// behind the end of the image, into what cannot be walked. `until` is where the search ends. Nothing says
    /// that a store is whole.
    pub(crate) fn scattered_stores(&self, until: usize) -> Vec<Bytes> {
        let mut segments: Vec<Segment> = Vec::new();
        for (index, part) in self.parts().iter().enumerate() {
            let carries = |payload: &Bytes| payload.starts_with(&JUMBF_IDENTIFIER);
            match part.kind {
                PartKind::Segment(marker::APP2..=marker::APP15 | marker::COM) => {
                    let payload = self.payload(part);
                    if carries(&payload) {
                        segments.push(Segment { payload, part: index, after_scan: true });
                    }
                }
                PartKind::Trailer | PartKind::Unparsed => {
                    let range = part.range.start..part.range.end.min(until);
                    let payloads = unwalked_segments(&self.slice(&range));
                    segments.extend(payloads.into_iter().filter(carries).map(|payload| Segment {
                        payload,
                        part: index,
                        after_scan: true,
                    }));
                }
                _ => {}
            }
        }
        grouped(segments.into_iter()).into_iter().filter_map(join).map(|found| found.bytes).collect()
    }
}

/// The most segments that are looked for where no walk leads.
const MAX_UNWALKED: usize = 16_384;

/// What APP11 segments carry that lie somewhere in `bytes`. They do not overlap.
fn unwalked_segments(bytes: &Bytes) -> Vec<Bytes> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = bytes.get(from..).and_then(|rest| memmem::find(rest, &[0xFF, marker::APP11])) {
        let length_at = from + at + 2;
        from = length_at;
        let Some(length) = array(bytes, length_at).map(u16::from_be_bytes).map(usize::from) else { break };
        let (start, end) = (length_at + 2, length_at + length);
        if bytes.get(start..end).is_some_and(|payload| payload.starts_with(&JUMBF_IDENTIFIER)) {
            found.push(bytes.slice(start..end));
            from = end;
        }
        if found.len() == MAX_UNWALKED {
            break;
        }
    }
    found
}

/// What a segment carries, and where it was found.
struct Segment {
    payload: Bytes,
    /// Index of the part.
    part: usize,
    after_scan: bool,
}

fn grouped(segments: impl Iterator<Item = Segment>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut latest: HashMap<([u8; 2], u16), usize> = HashMap::new();
    let mut seen: HashSet<(usize, u32)> = HashSet::new();
    for segment in segments {
        let Some(header) = SegmentHeader::read(&segment.payload) else { continue };
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
            group.after_scan |= segment.after_scan;
            group.segments.push((header.sequence, segment));
        }
    }
    groups
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
    /// Sequence number and segment, in the order of the file.
    segments: Vec<(u32, Segment)>,
    after_scan: bool,
}

/// The store in `group`, if it is one.
fn join(group: Group) -> Option<Found> {
    let in_file_order = group.segments.is_sorted_by(|one, next| one.0 < next.0);
    let mut segments = group.segments;
    // Numbers are unique within a group.
    segments.sort_unstable_by_key(|segment| segment.0);
    let payloads: Vec<Bytes> = segments.iter().map(|(_, segment)| segment.payload.clone()).collect();
    let first = payloads.first()?;
    let header = SegmentHeader::read(first)?;
    if !claims_to_be_a_store(first, &header) {
        return None;
    }
    let parts: Vec<usize> = segments.iter().map(|(_, segment)| segment.part).collect();

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
