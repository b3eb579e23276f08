//! What a manifest store still tells when it is read piece by piece: for stores that are cut short, overwritten or
//! scattered. Boxes are found by their descriptions and not by walking, so a broken box costs itself only.
//!
//! Nothing here is validated: a label is a hint under which name a proof may be found.

use std::{collections::HashSet, ops::Range};

use ciborium::Value as Cbor;
use memchr::memmem;
use serde_json::{Map, Value, json};

use super::loose::proof_uri_in;
use crate::{manifest::PROOF_LABEL, proof::ProofId};

/// What was salvaged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Salvaged {
    /// Labels of manifests of the form `urn:c2pa:<uuid>`, at most [`MAX_LABELS`]: the one that is most likely the
    /// active manifest's first.
    pub manifest_labels: Vec<String>,
    /// The proof URI of the active manifest's `com.credlink.proof` assertion, as it stands there. It may be
    /// anybody's.
    pub proof_uri: Option<String>,
    /// What can be read of the active manifest: `claimGenerator`, `title`, `assertions` with their labels and, of
    /// those that are JSON, their data. Of a manifest of the first system the members that are whole.
    pub fragments: Map<String, Value>,
    /// Whether a box could be read, and not only text.
    pub has_boxes: bool,
}

/// The most labels that are kept.
pub const MAX_LABELS: usize = 8;

impl Salvaged {
    /// The ids that the labels may name, in their order.
    pub fn proof_ids(&self) -> Vec<ProofId> {
        self.manifest_labels.iter().filter_map(|label| ProofId::from_manifest_label(label)).collect()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.manifest_labels.is_empty() && self.proof_uri.is_none() && self.fragments.is_empty()
    }

    /// Reads a store or what is left of one. The active manifest stands last in a store (C2PA 2.4, section
    /// 11.1.4.2), so the search goes backwards. Of a file `is_ours` says whether a place may be looked at.
    pub(super) fn of(bytes: &[u8], is_ours: impl Fn(usize) -> bool) -> Self {
        let mut found = Self::default();
        let mut mentions = Labels::default();
        let mut in_active = true;
        let kinds = memmem::rfind_iter(bytes, b"jumd").take(MAX_BOXES).filter(|&at| is_ours(at));
        for description in kinds.filter_map(|at| Description::read(bytes, at)) {
            found.has_boxes = true;
            if description.is(b"c2ma") || description.is(b"c2um") {
                mentions.add(description.label);
                in_active = false;
            } else if in_active {
                found.take_piece(&description, bytes, &mut mentions);
            }
        }
        mentions.add_text(bytes, is_ours);
        found.manifest_labels = mentions.best;
        found
    }

    fn take_piece(&mut self, description: &Description<'_>, bytes: &[u8], mentions: &mut Labels) {
        let content = description.content(bytes);
        if description.is(b"c2cl") {
            if let Some(claim) = content.and_then(|content| cbor(content.1)) {
                self.take_claim(&claim, mentions);
            }
        } else if description.label == PROOF_LABEL {
            let content = content.map(|content| content.1).unwrap_or_default();
            let asserted = cbor(content).and_then(|proof| Some(text(field(&proof, "uri")?)?.to_owned()));
            self.proof_uri = self.proof_uri.take().or(asserted).or_else(|| proof_uri_in(content));
        }
        let is_assertion = [&b"cbor"[..], b"json", b"uuid"].iter().any(|kind| description.is_kind(kind));
        if is_assertion {
            self.take_assertion(description.label, content);
        }
    }

    fn take_claim(&mut self, claim: &Cbor, mentions: &mut Labels) {
        // `self#jumbf=/c2pa/<label>/c2pa.signature`: the claim names the manifest that it belongs to.
        let own = field(claim, "signature").and_then(text).and_then(|uri| uri.split('/').nth_back(1));
        if let Some(label) = own {
            mentions.add(label);
        }
        let info = field(claim, "claim_generator_info").map(|info| match info {
            Cbor::Array(items) => items.first().unwrap_or(info),
            _ => info,
        });
        let name = info.and_then(|info| field(info, "name")).or_else(|| field(claim, "claim_generator"));
        for (name, value) in [("claimGenerator", name), ("title", field(claim, "dc:title"))] {
            if let Some(value) = value.and_then(text) {
                self.fragments.insert(name.to_owned(), json!(value));
            }
        }
    }

    fn take_assertion(&mut self, label: &str, content: Option<(&[u8], &[u8])>) {
        let Value::Array(assertions) = self.fragments.entry("assertions").or_insert_with(|| json!([])) else {
            return;
        };
        if assertions.len() >= MAX_ASSERTIONS {
            return;
        }
        let data = match content {
            Some((b"json", data)) if data.len() <= MAX_CONTENT => serde_json::from_slice::<Value>(data).ok(),
            _ => None,
        };
        assertions.insert(
            0,
            data.map_or_else(|| json!({"label": label}), |data| json!({"label": label, "data": data})),
        );
    }
}

/// The most description boxes that are looked at.
const MAX_BOXES: usize = 4096;

/// The most assertions of which something is kept.
const MAX_ASSERTIONS: usize = 32;

/// The longest content of a box that is parsed, in bytes.
const MAX_CONTENT: usize = 32 << 10;

/// The longest label, in bytes. C2PA's own have some sixty.
const MAX_LABEL: usize = 128;

/// The most places at which text is looked at for a label.
const MAX_MENTIONS: usize = 4096;

/// Labels of manifests, the best first and each once.
#[derive(Default)]
struct Labels {
    best: Vec<String>,
    seen: HashSet<ProofId>,
}

impl Labels {
    fn add(&mut self, label: &str) {
        let Some(id) = ProofId::from_manifest_label(label) else { return };
        if self.best.len() < MAX_LABELS && self.seen.insert(id) {
            self.best.push(id.manifest_label());
        }
    }

    /// Labels that merely stand in the text: first those that a claim uses for its signature, from the end on.
    fn add_text(&mut self, bytes: &[u8], is_ours: impl Fn(usize) -> bool) {
        const PREFIX: &[u8] = b"urn:c2pa:";
        const UUID: usize = 36;
        let mut others = Vec::new();
        let places = memmem::rfind_iter(bytes, PREFIX).take(MAX_MENTIONS).filter(|&at| is_ours(at));
        for at in places {
            let label = bytes.get(at..at + PREFIX.len() + UUID).and_then(|label| str::from_utf8(label).ok());
            let Some(label) = label else { continue };
            let behind = bytes.get(at + label.len()..).unwrap_or_default();
            if behind.starts_with(b"/c2pa.signature") {
                self.add(label);
            } else if others.len() < MAX_LABELS {
                others.push(label);
            }
        }
        others.into_iter().for_each(|label| self.add(label));
    }
}

/// A description box (ISO/IEC 19566-5, B.3) with a label.
struct Description<'a> {
    content_type: &'a [u8],
    label: &'a str,
    /// Where the box ends.
    end: usize,
}

impl<'a> Description<'a> {
    /// The description whose box type stands at `at`.
    fn read(bytes: &'a [u8], at: usize) -> Option<Self> {
        let (content_type, rest) = bytes.get(at + 4..)?.split_at_checked(16)?;
        let (toggles, rest) = rest.split_first()?;
        let length = memchr::memchr(0, rest.get(..MAX_LABEL).unwrap_or(rest))?;
        let label = str::from_utf8(rest.get(..length)?).ok()?;
        if toggles & 0b10 == 0 || label.is_empty() {
            return None;
        }
        // Behind the label a salt may stand, if the length of the box can be believed.
        let shortest = at + 4 + 16 + 1 + length + 1;
        let declared = at.checked_sub(4).and_then(|start| Some(start + u32_at(bytes, start)?));
        let end = declared.filter(|end| (shortest..shortest + MAX_SALT).contains(end)).unwrap_or(shortest);
        Some(Self { content_type, label, end })
    }

    /// Whether the type is the one that ISO 19566-5 derives from four characters.
    fn is(&self, name: &[u8; 4]) -> bool {
        self.content_type.starts_with(name)
    }

    fn is_kind(&self, name: &[u8]) -> bool {
        self.content_type.starts_with(name)
    }

    /// The type and the content of the box that follows, as far as it is there.
    fn content(&self, bytes: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let length = u32_at(bytes, self.end)?;
        let kind = bytes.get(self.end + 4..self.end + 8)?;
        let content: Range<usize> = self.end + 8..(self.end.checked_add(length)?).min(bytes.len());
        Some((kind, bytes.get(content)?))
    }
}

/// The longest private box in a description, in bytes: a salt has 16 or 32 and a header.
const MAX_SALT: usize = 128;

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}

fn cbor(content: &[u8]) -> Option<Cbor> {
    (content.len() <= MAX_CONTENT).then(|| ciborium::from_reader(content).ok())?
}

fn field<'a>(value: &'a Cbor, name: &str) -> Option<&'a Cbor> {
    let entries = value.as_map()?;
    entries.iter().find_map(|(key, value)| (key.as_text() == Some(name)).then_some(value))
}

fn text(value: &Cbor) -> Option<&str> {
    value.as_text().filter(|text| text.len() <= MAX_CONTENT)
}
