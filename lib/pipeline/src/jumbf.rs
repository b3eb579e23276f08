//! The boxes of a manifest store (ISO 19566-5; C2PA 2.4, section 11.1), and whether they have the form in which
//! CredLink writes them.
//!
//! Neither the claim signature nor an assertion's hash covers the description boxes around them: another type,
//! another toggle, and validators read the same manifest. In a store that we wrote, such a change does not
//! pass.

/// How deep superboxes stand inside each other: store, manifest, assertion store, assertion.
const MAX_LEVELS: usize = 4;

/// The most boxes that are looked at.
const MAX_BOXES: usize = 20_000;

/// Why a store does not have the form in which we write it; `None` when it has.
pub(crate) fn objection_to_form(store: &[u8]) -> Option<&'static str> {
    let mut walk = Walk { boxes: 0, signature: &[] };
    if let Err(objection) = walk.superboxes(store, 0) {
        return Some(objection);
    }
    (!is_plain_cbor(walk.signature)).then_some("the signature's structure is not encoded as we encode it")
}

/// The labels of the manifests in a store, in its order; the active one stands last (C2PA 2.4, section 11.1.4.2).
pub(crate) fn manifest_labels(store: &[u8]) -> Vec<&str> {
    manifests(store).filter_map(label).collect()
}

/// The contents of the manifests in a store.
fn manifests(store: &[u8]) -> impl Iterator<Item = &[u8]> {
    let content = split_box(store).filter(|(kind, ..)| *kind == b"jumb").map(|(_, content, _)| content);
    superboxes(content.unwrap_or_default())
}

/// The content of the manifest `name`: everything that signatures and hashes can be about.
pub(crate) fn manifest_of<'a>(store: &'a [u8], name: &str) -> Option<&'a [u8]> {
    manifests(store).find(|content| label(content) == Some(name))
}

/// The first content box of the superbox `name` in the manifest `manifest`, with its type removed: of
/// `c2pa.signature` the COSE structure. `name` may be the beginning of a label.
pub(crate) fn content_of<'a>(store: &'a [u8], manifest: &str, name: &str) -> Option<&'a [u8]> {
    let manifest = manifest_of(store, manifest)?;
    first_content(superboxes(manifest).find(|content| has_prefix(content, name))?)
}

/// The first content boxes of the assertions `name` in all manifests. `name` may be the beginning of a label.
pub(crate) fn assertions<'a>(store: &'a [u8], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let stores = manifests(store).flat_map(superboxes).filter(|part| has_prefix(part, "c2pa.assertions"));
    stores.flat_map(superboxes).filter(move |part| has_prefix(part, name)).filter_map(first_content)
}

fn has_prefix(content: &[u8], prefix: &str) -> bool {
    label(content).is_some_and(|label| label.starts_with(prefix))
}

fn first_content(superbox: &[u8]) -> Option<&[u8]> {
    let (_, _, contents) = split_box(superbox)?;
    Some(split_box(contents)?.1)
}

/// The contents of the superboxes in the content of another.
fn superboxes(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest =
        split_box(content).map(|(_, _, behind_description)| behind_description).unwrap_or_default();
    std::iter::from_fn(move || {
        let (kind, content, next) = split_box(rest)?;
        rest = next;
        Some((kind, content))
    })
    .take(MAX_BOXES)
    .filter_map(|(kind, content)| (kind == b"jumb").then_some(content))
}

/// The label in the description of a superbox.
fn label(content: &[u8]) -> Option<&str> {
    let (_, description, _) = split_box(content).filter(|(kind, ..)| *kind == b"jumd")?;
    let text = description.get(17..)?;
    let end = text.iter().position(|byte| *byte == 0)?;
    std::str::from_utf8(text.get(..end)?).ok()
}

struct Walk<'a> {
    boxes: usize,
    /// The content of the last signature box: the active manifest stands last (C2PA 2.4, section 11.1.4.2).
    signature: &'a [u8],
}

/// A box's type, its content, and what follows it.
type FirstBox<'a> = (&'a [u8; 4], &'a [u8], &'a [u8]);

/// Whether encoding again what the bytes say gives the same bytes: in a COSE structure an absent payload, for
/// one, can be written in more than one way.
fn is_plain_cbor(bytes: &[u8]) -> bool {
    let mut again = Vec::with_capacity(bytes.len());
    ciborium::from_reader::<ciborium::Value, _>(bytes)
        .is_ok_and(|value| ciborium::into_writer(&value, &mut again).is_ok() && again == bytes)
}

/// What a description box says.
struct Description<'a> {
    content_type: &'a [u8],
    label: &'a str,
}

impl<'a> Walk<'a> {
    /// Walks superboxes that fill `bytes` to the end. The store itself is a list of one.
    fn superboxes(&mut self, bytes: &'a [u8], level: usize) -> Result<(), &'static str> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (kind, content, next) = self.next_box(rest)?;
            if kind != b"jumb" {
                return Err("a box stands where a superbox belongs");
            }
            self.superbox(content, level)?;
            if level == 0 && !next.is_empty() {
                return Err("bytes follow the manifest store");
            }
            rest = next;
        }
        Ok(())
    }

    fn superbox(&mut self, content: &'a [u8], level: usize) -> Result<(), &'static str> {
        let (kind, description, contents) = self.next_box(content)?;
        if kind != b"jumd" {
            return Err("a superbox does not begin with its description");
        }
        let description = Description::read(description)?;
        if level + 1 < MAX_LEVELS && is_list(&description, level)? {
            return self.superboxes(contents, level + 1);
        }
        let expected = content_box(&description, level)?;
        let mut rest = contents;
        while !rest.is_empty() {
            let (kind, content, next) = self.next_box(rest)?;
            if !expected.contains(&kind) {
                return Err("the content of a box is not of the type that its description says");
            }
            if description.is(b"c2cs") {
                self.signature = content;
            }
            rest = next;
        }
        Ok(())
    }

    /// The type and the content of the first box, and what follows it.
    fn next_box(&mut self, bytes: &'a [u8]) -> Result<FirstBox<'a>, &'static str> {
        self.boxes += 1;
        if self.boxes > MAX_BOXES {
            return Err("there are too many boxes");
        }
        split_box(bytes).ok_or("a box is longer than what it stands in")
    }
}

fn split_box(bytes: &[u8]) -> Option<FirstBox<'_>> {
    let (length, after) = bytes.split_first_chunk::<4>()?;
    let (kind, _) = after.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (whole, next) = bytes.split_at_checked(length)?;
    Some((kind, whole.get(8..)?, next))
}

impl<'a> Description<'a> {
    /// Requestable and labelled (toggles 0x03), and with a salt in a private box where there is one (0x13).
    fn read(bytes: &'a [u8]) -> Result<Self, &'static str> {
        const FORM: &str = "a description box is not in the form of C2PA";
        let (content_type, rest) = bytes.split_at_checked(16).ok_or(FORM)?;
        let (toggles, rest) = rest.split_first().ok_or(FORM)?;
        let end = rest.iter().position(|byte| *byte == 0).ok_or(FORM)?;
        let (label, private) = rest.split_at_checked(end).ok_or(FORM)?;
        let private = private.get(1..).ok_or(FORM)?;
        let is_salt = private.get(4..8) == Some(b"c2sh")
            && private.get(..4).is_some_and(|length| {
                length.try_into().is_ok_and(|length| u32::from_be_bytes(length) as usize == private.len())
            });
        match (toggles, private.is_empty()) {
            (0x03, true) => {}
            (0x13, false) if is_salt => {}
            _ => return Err(FORM),
        }
        Ok(Self { content_type, label: std::str::from_utf8(label).map_err(|_| FORM)? })
    }

    /// Whether the type is the UUID that ISO 19566-5 derives from four characters.
    fn is(&self, name: &[u8; 4]) -> bool {
        self.content_type.split_at_checked(4) == Some((name, &ISO_SUFFIX))
    }
}

/// The last twelve bytes of the types that are made of four characters.
const ISO_SUFFIX: [u8; 12] = [0x00, 0x11, 0x00, 0x10, 0x80, 0x00, 0x00, 0xAA, 0x00, 0x38, 0x9B, 0x71];

/// The type of embedded files (ISO 19566-5, annex B.5).
const EMBEDDED_FILE: [u8; 16] =
    [0x40, 0xCB, 0x0C, 0x32, 0xBB, 0x8A, 0x48, 0x9D, 0xA7, 0x0B, 0x2A, 0xD6, 0xF4, 0x7F, 0x43, 0x69];

/// The type of content with a type of its own (ISO 19566-5, annex B.4).
const UUID_CONTENT: &[u8; 4] = b"uuid";

/// Whether superboxes stand in this superbox; an error when its type is not what its label says.
fn is_list(description: &Description<'_>, level: usize) -> Result<bool, &'static str> {
    const TYPE: &str = "the type of a superbox is not what its label says";
    let (names, list): (&[&[u8; 4]], bool) = match (level, description.label) {
        (0, "c2pa") => (&[b"c2pa"], true),
        (1, label) if label.contains("urn:c2pa:") || label.contains("urn:uuid:") => {
            (&[b"c2ma", b"c2um"], true)
        }
        (2, "c2pa.assertions") => (&[b"c2as"], true),
        (2, "c2pa.credentials") => (&[b"c2vc"], true),
        (2, "c2pa.databoxes") => (&[b"c2db"], true),
        (2, "c2pa.claim" | "c2pa.claim.v2") => (&[b"c2cl"], false),
        (2, "c2pa.signature") => (&[b"c2cs"], false),
        _ => return Err(TYPE),
    };
    if names.iter().any(|name| description.is(name)) { Ok(list) } else { Err(TYPE) }
}

/// The types of boxes that may stand in a superbox that is not a list.
fn content_box(
    description: &Description<'_>,
    level: usize,
) -> Result<&'static [&'static [u8; 4]], &'static str> {
    if level == 2 {
        return Ok(&[b"cbor"]);
    }
    if description.content_type == EMBEDDED_FILE {
        return Ok(&[b"bfdb", b"bidb"]);
    }
    for (name, boxes) in [(b"cbor", &[b"cbor"]), (b"json", &[b"json"]), (UUID_CONTENT, &[b"uuid"])] {
        if description.is(name) {
            return Ok(boxes);
        }
    }
    Err("the type of an assertion is not known")
}
