//! The recovery record as XMP (ISO 16684-1).

use std::borrow::Cow;

use quick_xml::{
    escape::{escape, resolve_predefined_entity, unescape},
    events::{BytesRef, BytesStart, Event},
    name::{Namespace, QName, ResolveResult},
    reader::NsReader,
};
use serde_json::{Map, Value};

use super::{Found, MAX_PAYLOAD, bare_proof_uri, decode_utf16, from_object, http_uri, object};

/// The namespace of `credlink:proofUri`.
const CREDLINK: &str = "https://credlink.com/ns/1.0/";
/// DCMI metadata terms.
const DCTERMS: &str = "http://purl.org/dc/terms/";
const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";

/// Elements may stand this deep. RDF in XMP needs about ten levels.
const MAX_DEPTH: usize = 32;
/// Attributes that are looked at, and namespaces that may be declared, on one element. With the depth this
/// bounds what one look-up of a prefix costs.
const MAX_ATTRIBUTES: usize = 256;
const MAX_NAMESPACES: usize = 64;

/// Reads an XMP packet: `credlink:proofUri`, else the `proofUri` of `credlink:manifest`, else
/// `dcterms:provenance` when it ends in a proof id (C2PA keeps the address of remote manifests there); and
/// the JSON of `credlink:manifest`, which CredLink's first system wrote.
///
/// Attributes and elements, with any prefix; of a property that stands there twice the last counts. UTF-8,
/// and UTF-16 with a byte order mark. Only the first [`MAX_PAYLOAD`] bytes are read, at most 32 levels deep;
/// what was read before an error counts. No entities but the five that XML defines are expanded.
pub fn from_xmp(payload: &[u8]) -> Found {
    let text = decode(payload.get(..MAX_PAYLOAD).unwrap_or(payload));
    let mut properties = Properties::default();
    let complete = properties.read(&text).is_some() && payload.len() <= MAX_PAYLOAD;
    let mut found = properties.into_found();
    if !complete && !found.is_empty() {
        found.notes.push("the XMP packet is damaged or too large; only its beginning was read");
    }
    found
}

/// Writes the packet. The usual kilobytes of padding are left out, and the packet is marked read-only: padding
/// lets other software change a packet in place, and that would break the hash of the signed image.
pub(super) fn packet(proof_uri: &str) -> Vec<u8> {
    let uri = escape(proof_uri);
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"{RDF}\">\
         <rdf:Description rdf:about=\"\" xmlns:dcterms=\"{DCTERMS}\" xmlns:credlink=\"{CREDLINK}\" \
         dcterms:provenance=\"{uri}\" credlink:proofUri=\"{uri}\"/>\
         </rdf:RDF></x:xmpmeta><?xpacket end=\"r\"?>"
    )
    .into_bytes()
}

fn decode(payload: &[u8]) -> Cow<'_, str> {
    match payload {
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] => Cow::Owned(decode_utf16(payload, true)),
        _ => String::from_utf8_lossy(payload),
    }
}

/// What the packet says, as text.
#[derive(Default)]
struct Properties {
    proof_uri: Option<String>,
    provenance: Option<String>,
    manifest: Option<String>,
}

#[derive(Clone, Copy)]
enum Property {
    ProofUri,
    Provenance,
    Manifest,
}

/// A property in element form whose text is being collected.
struct Open {
    property: Property,
    depth: usize,
    text: String,
}

impl Properties {
    /// Reads until the end; `None` when the text is not XML or too deep. What was read until then is kept.
    fn read(&mut self, xml: &str) -> Option<()> {
        let mut reader = NsReader::from_str(xml);
        reader.resolver_mut().set_max_declarations_per_element(MAX_NAMESPACES);
        let mut depth = 0_usize;
        let mut open: Option<Open> = None;
        loop {
            match reader.read_event().ok()? {
                Event::Start(element) => {
                    depth += 1;
                    if depth > MAX_DEPTH {
                        return None;
                    }
                    self.read_attributes(&reader, &element);
                    if let (None, Some(property)) = (&open, property(&reader, element.name())) {
                        open = Some(Open { property, depth, text: String::new() });
                    }
                }
                Event::Empty(element) => self.read_attributes(&reader, &element),
                Event::End(_) => {
                    if let Some(done) = open.take_if(|open| open.depth == depth) {
                        self.set(done.property, &done.text);
                    }
                    depth = depth.saturating_sub(1);
                }
                Event::Text(text) => collect(&mut open, &text.decode().ok()?),
                Event::CData(text) => collect(&mut open, &text.decode().ok()?),
                Event::GeneralRef(reference) => collect(&mut open, &resolve(&reference)?),
                Event::Eof => return (depth == 0).then_some(()),
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => {}
            }
        }
    }

    fn read_attributes(&mut self, reader: &NsReader<&[u8]>, element: &BytesStart<'_>) {
        let of_element = property(reader, element.name());
        // Unchecked: the check for duplicates compares every attribute with every other.
        for attribute in element.attributes().with_checks(false).take(MAX_ATTRIBUTES).flatten() {
            let name = attribute.key;
            let property = match of_element {
                Some(property) if is_rdf_resource(reader, name) => property,
                _ => match attribute_property(reader, name) {
                    Some(property) => property,
                    None => continue,
                },
            };
            let text = str::from_utf8(&attribute.value).ok().and_then(|raw| unescape(raw).ok());
            if let Some(text) = text {
                self.set(property, &text);
            }
        }
    }

    fn set(&mut self, property: Property, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let place = match property {
            Property::ProofUri => &mut self.proof_uri,
            Property::Provenance => &mut self.provenance,
            Property::Manifest => &mut self.manifest,
        };
        *place = Some(text.to_owned());
    }

    fn into_found(self) -> Found {
        let mut found = Found { proof_uri: self.proof_uri.as_deref().and_then(http_uri), ..Found::default() };
        if let Some(manifest) = self.manifest.as_deref().and_then(manifest_object) {
            // The property says that this is a manifest, so its members are not asked.
            let (object, text) = manifest;
            let proof_uri = from_object(&object, "").proof_uri;
            found.fill_from(Found { proof_uri, legacy_manifest: Some(text), notes: Vec::new() });
        }
        if found.proof_uri.is_none() {
            found.proof_uri = self.provenance.as_deref().and_then(bare_proof_uri);
        }
        found
    }
}

/// The JSON of an old manifest, and its text. Some writers escaped it once more than XML asks for.
fn manifest_object(text: &str) -> Option<(Map<String, Value>, String)> {
    let once_more = || {
        let unescaped = unescape(text).ok()?;
        Some((object(unescaped.trim())?, unescaped.trim().to_owned()))
    };
    object(text).map(|object| (object, text.to_owned())).or_else(once_more)
}

fn collect(open: &mut Option<Open>, text: &str) {
    if let Some(open) = open {
        open.text.push_str(text);
    }
}

/// The character that a reference stands for; nothing for an entity that XML does not define itself.
fn resolve(reference: &BytesRef<'_>) -> Option<String> {
    if let Some(character) = reference.resolve_char_ref().ok()? {
        return Some(character.to_string());
    }
    let name = reference.decode().ok()?;
    Some(resolve_predefined_entity(&name).unwrap_or_default().to_owned())
}

fn property(reader: &NsReader<&[u8]>, name: QName<'_>) -> Option<Property> {
    property_named(name, || reader.resolver().resolve_element(name).0)
}

/// An attribute without a prefix belongs to no namespace, not to the default one.
fn attribute_property(reader: &NsReader<&[u8]>, name: QName<'_>) -> Option<Property> {
    property_named(name, || reader.resolver().resolve_attribute(name).0)
}

/// Prefixes are resolved only for the local names that matter: a look-up walks all bindings in scope.
fn property_named<'n>(name: QName<'_>, resolve: impl FnOnce() -> ResolveResult<'n>) -> Option<Property> {
    let (property, namespace) = match name.local_name().into_inner() {
        b"proofUri" => (Property::ProofUri, CREDLINK),
        b"manifest" => (Property::Manifest, CREDLINK),
        b"provenance" => (Property::Provenance, DCTERMS),
        _ => return None,
    };
    let resolved = resolve();
    // What namespace the first system's prefix was bound to is not on record, so its name is enough.
    let old = namespace == CREDLINK && name.prefix().is_some_and(|prefix| prefix.into_inner() == b"credlink");
    (old || resolved == ResolveResult::Bound(Namespace(namespace.as_bytes()))).then_some(property)
}

fn is_rdf_resource(reader: &NsReader<&[u8]>, name: QName<'_>) -> bool {
    name.local_name().into_inner() == b"resource"
        && reader.resolver().resolve_attribute(name).0 == ResolveResult::Bound(Namespace(RDF.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;

    const URI: &str = "https://proofs.example.com/0f0e0d0c-0b0a-4908-8706-050403020100";
    const OTHER: &str = "https://proofs.example.com/11111111-2222-4333-8444-555555555555";

    fn rdf(description: &str) -> String {
        format!(
            "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"{RDF}\">{description}</rdf:RDF></x:xmpmeta>"
        )
    }

    fn uri_in(description: &str) -> Option<String> {
        from_xmp(rdf(description).as_bytes()).proof_uri
    }

    #[test]
    fn attribute_and_element_form_with_any_prefix() {
        for description in [
            format!("<rdf:Description xmlns:c=\"{CREDLINK}\" c:proofUri=\"{URI}\"/>"),
            format!("<rdf:Description xmlns:c='{CREDLINK}' c:proofUri='{URI}'></rdf:Description>"),
            format!(
                "<rdf:Description xmlns:c=\"{CREDLINK}\"><c:proofUri>\n {URI}\n</c:proofUri></rdf:Description>"
            ),
            format!(
                "<rdf:Description><proofUri xmlns=\"{CREDLINK}\"><![CDATA[{URI}]]></proofUri></rdf:Description>"
            ),
            format!(
                "<rdf:Description xmlns:c=\"{CREDLINK}\"><c:proofUri rdf:resource=\"{URI}\"/></rdf:Description>"
            ),
            format!("<rdf:Description xmlns:d=\"{DCTERMS}\" d:provenance=\"{URI}\"/>"),
            format!(
                "<rdf:Description xmlns:d=\"{DCTERMS}\"><d:provenance>{URI}</d:provenance></rdf:Description>"
            ),
            format!(
                "<rdf:Description xmlns:d=\"{DCTERMS}\"><d:provenance><rdf:Bag><rdf:li>{URI}</rdf:li></rdf:Bag></d:provenance></rdf:Description>"
            ),
            format!("<rdf:Description credlink:proofUri=\"{URI}\"/>"),
            format!(
                "<rdf:Description xmlns:credlink=\"urn:x\"><credlink:proofUri>{URI}</credlink:proofUri></rdf:Description>"
            ),
            format!(
                "<rdf:Description xmlns:c=\"{CREDLINK}\"><c:proofUri>{}</c:proofUri></rdf:Description>",
                URI.replace('/', "&#47;")
            ),
        ] {
            assert_eq!(uri_in(&description).as_deref(), Some(URI), "{description}");
        }
    }

    #[test]
    fn names_of_other_namespaces_are_not_ours() {
        for description in [
            format!("<rdf:Description xmlns:c=\"urn:other\" c:proofUri=\"{URI}\"/>"),
            format!("<rdf:Description proofUri=\"{URI}\" xmlns=\"{CREDLINK}\"/>"),
            format!("<rdf:Description c:proofUri=\"{URI}\"/>"),
            format!("<rdf:Description dcterms:provenance=\"{URI}\"/>"),
            format!("<!-- <x credlink:proofUri=\"{URI}\"/> -->"),
            format!("<rdf:Description xmlns:d=\"{DCTERMS}\" d:provenance=\"self#jumbf=/c2pa/urn:c2pa:x\"/>"),
            format!(
                "<rdf:Description xmlns:d=\"{DCTERMS}\" d:provenance=\"https://manifests.example.com/a.c2pa\"/>"
            ),
        ] {
            assert_eq!(uri_in(&description), None, "{description}");
        }
    }

    #[test]
    fn the_namespaced_uri_goes_before_provenance_and_the_last_one_wins() {
        let both = format!(
            "<rdf:Description xmlns:d=\"{DCTERMS}\" xmlns:c=\"{CREDLINK}\" c:proofUri=\"{URI}\" d:provenance=\"{OTHER}\"/>"
        );
        assert_eq!(uri_in(&both).as_deref(), Some(URI));
        let twice = format!(
            "<rdf:Description xmlns:c=\"{CREDLINK}\" c:proofUri=\"{OTHER}\"/>\
             <rdf:Description xmlns:c=\"{CREDLINK}\" c:proofUri=\"{URI}\"/>"
        );
        assert_eq!(uri_in(&twice).as_deref(), Some(URI));
    }

    #[test]
    fn old_manifests_are_read_however_they_are_escaped() {
        let manifest = json!({ "proofUri": URI, "title": "A & B <c>", "assertions": [] });
        let text = manifest.to_string();
        let once = escape(&text).into_owned();
        let twice = escape(&once).into_owned();
        for description in [
            format!("<rdf:Description xmlns:c=\"{CREDLINK}\" c:manifest=\"{once}\"/>"),
            format!("<rdf:Description xmlns:c=\"{CREDLINK}\" c:manifest=\"{twice}\"/>"),
            format!("<rdf:Description><credlink:manifest>{once}</credlink:manifest></rdf:Description>"),
            format!("<rdf:Description><credlink:manifest>{twice}</credlink:manifest></rdf:Description>"),
            format!(
                "<rdf:Description><credlink:manifest><![CDATA[{text}]]></credlink:manifest></rdf:Description>"
            ),
        ] {
            let found = from_xmp(rdf(&description).as_bytes());
            assert_eq!(found.legacy_manifest.as_ref(), Some(&text), "{description}");
            assert_eq!(found.proof_uri.as_deref(), Some(URI));
        }
    }

    #[test]
    fn utf_16_with_a_byte_order_mark() {
        let xml = format!(
            "\u{feff}{}",
            rdf(&format!("<rdf:Description xmlns:c=\"{CREDLINK}\" c:proofUri=\"{URI}\"/>"))
        );
        let big: Vec<u8> = xml.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let little: Vec<u8> = xml.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(from_xmp(&big).proof_uri.as_deref(), Some(URI));
        assert_eq!(from_xmp(&little).proof_uri.as_deref(), Some(URI));
    }

    #[test]
    fn the_packet_is_well_formed_and_read_only() {
        let packet = String::from_utf8(packet(URI)).unwrap();
        assert!(packet.starts_with("<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>"));
        assert!(packet.ends_with("<?xpacket end=\"r\"?>"));
        assert!(Properties::default().read(&packet).is_some());
    }

    #[test]
    fn a_truncated_packet_gives_what_came_before_and_says_so() {
        let packet = packet(URI);
        let end = packet.windows(10).position(|w| w == b"</rdf:RDF>").unwrap();
        let found = from_xmp(&packet[..end]);
        assert_eq!(found.proof_uri.as_deref(), Some(URI));
        assert_eq!(found.notes.len(), 1);
    }

    #[test]
    fn entities_are_not_expanded() {
        let laughs: String =
            (1..20).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
        let bomb = format!(
            "<!DOCTYPE x [<!ENTITY l0 \"lol\">{laughs}]><x xmlns:c=\"{CREDLINK}\" c:manifest=\"&l19;\">\
             <c:manifest>&l19;</c:manifest><c:proofUri>&l19;{URI}</c:proofUri></x>"
        );
        let found = from_xmp(bomb.as_bytes());
        assert_eq!(found.proof_uri.as_deref(), Some(URI));
        assert_eq!(found.legacy_manifest, None);
        let external = format!(
            "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><x xmlns:c=\"{CREDLINK}\"><c:proofUri>&e;</c:proofUri></x>"
        );
        assert!(from_xmp(external.as_bytes()).is_empty());
    }

    #[test]
    fn hostile_xml_is_read_in_bounded_time() {
        let start = Instant::now();
        let deep = "<a>".repeat(400_000);
        let nested_namespaces: String = (0..40)
            .map(|level| {
                let names: String = (0..64).map(|n| format!(" xmlns:p{level}_{n}='u'")).collect();
                format!("<a{names}>")
            })
            .take(31)
            .collect();
        let attributes = format!("<a{}/>", " q:manifest='{'".repeat(100_000));
        let look_ups = format!("{nested_namespaces}{}", "<q:manifest/>".repeat(60_000));
        let many_namespaces: String = (0..100_000).map(|n| format!(" xmlns:p{n}='u'")).collect();
        for xml in [
            deep,
            attributes,
            look_ups,
            format!("<a{many_namespaces}/>"),
            "<".repeat(MAX_PAYLOAD),
            "&amp;".repeat(200_000),
            format!("<c:manifest xmlns:c='{CREDLINK}'>{}", "&lt;".repeat(250_000)),
            "<![CDATA[".repeat(100_000),
        ] {
            assert!(from_xmp(xml.as_bytes()).is_empty());
        }
        assert!(start.elapsed() < Duration::from_secs(10), "took {:?}", start.elapsed());
    }

    #[test]
    fn too_deep_is_not_read() {
        let deep =
            format!("{}<c:proofUri xmlns:c=\"{CREDLINK}\">{URI}</c:proofUri>", "<a>".repeat(MAX_DEPTH));
        assert!(from_xmp(deep.as_bytes()).is_empty());
    }
}
