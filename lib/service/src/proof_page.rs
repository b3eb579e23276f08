//! The page of one proof, for people, and the page of a proof that is not there. Everything that stands in them is
//! escaped.

use std::fmt::{self, Write as _};

use credlink_pipeline::{asset::Format, proof::ProofRecord, timestamp::Timestamp};

/// What both pages are made of, with places for a title and for what is shown.
const TEMPLATE: &str = include_str!("../../../web/proof.html");

/// The page of a record.
pub(crate) fn html(record: &ProofRecord) -> String {
    let mut content = format!(
        "<h1>Proof of a signature</h1>\n<p class=\"lead\">This service signed a picture on {}, and keeps this record of \
         it until {}.</p>\n<p>The record says nothing about a picture that you have before you. To learn what that \
         picture can prove, <a href=\"../\">verify it</a>.</p>\n<dl class=\"facts\">\n",
        moment(record.created_at),
        moment(record.expires_at),
    );
    let length = format!("{} bytes", record.image_length);
    let rows: [(&str, &dyn fmt::Display); 7] = [
        ("Proof", &record.id),
        ("Address", &record.uri),
        ("Format", &format_name(record.format)),
        ("Length before signing", &length),
        ("SHA-256 before signing", &record.image_hash),
        ("SHA-256 of the manifest store", &record.manifest_hash),
        (
            "Fingerprint (ISCC)",
            &record.fingerprint.as_deref().unwrap_or("none: the picture could not be read"),
        ),
    ];
    for (name, value) in rows {
        row(&mut content, name, value);
    }
    if let Some(life) = &record.signature {
        row(&mut content, "Certificate valid until", &life.valid_until);
    }
    if let Some(stamped) = &record.stamped {
        row(&mut content, "Time-stamp, added later", &stamped.time);
        row(&mut content, "SHA-256 of the stamped copy", &stamped.manifest_hash);
    }
    content.push_str(DOWNLOAD);
    filled("Proof of a signature", &content)
}

/// The page for an id under which nothing is kept, or not any more.
pub(crate) fn unknown() -> String {
    filled("No such proof", UNKNOWN)
}

fn filled(title: &str, content: &str) -> String {
    TEMPLATE.replacen("{{title}}", title, 1).replacen("{{content}}", content, 1)
}

/// A time in UTC; the page's script adds the reader's own.
fn moment(time: Timestamp) -> String {
    let machine = time.to_string();
    let (shown, _) = machine.split_once('.').unwrap_or((&machine, ""));
    format!("<time datetime=\"{machine}\">{} UTC</time>", shown.replace('T', " "))
}

fn format_name(format: Format) -> &'static str {
    match format {
        Format::Jpeg => "JPEG",
        Format::Png => "PNG",
        Format::WebP => "WebP",
    }
}

fn row(page: &mut String, name: &str, value: &dyn fmt::Display) {
    // Writing to a String cannot fail.
    let _infallible = write!(page, "<div><dt>{name}</dt><dd>");
    escape(page, &value.to_string());
    page.push_str("</dd></div>\n");
}

fn escape(page: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            other => page.push(other),
        }
    }
}

const DOWNLOAD: &str = r#"</dl>
<p>The manifest store is the credential itself, as it was put into the picture. Every C2PA tool reads it.</p>
<div id="download" class="actions"></div>
<noscript><p class="note">Fetch it from this address with <code>curl -H 'Accept: application/c2pa' -O</code>.</p></noscript>"#;

const UNKNOWN: &str = r#"<h1>There is no such proof</h1>
<p class="lead">It may have expired, or its id is wrong, or another service keeps it.</p>
<p>A picture may carry its credential all the same: <a href="../">verify the picture itself</a>.</p>"#;

#[cfg(test)]
mod tests {
    use credlink_pipeline::{asset::Format, digest::Sha256Hash, proof::ProofId, timestamp::Timestamp};

    use super::*;

    #[test]
    fn what_the_record_says_is_escaped() {
        let time = Timestamp::parse("2026-01-31T08:15:30Z").unwrap();
        let page = html(&ProofRecord {
            id: ProofId::random(),
            uri: "https://example.com/\"><script>alert('x&y')</script>".to_owned(),
            image_hash: Sha256Hash::of(b"a"),
            manifest_hash: Sha256Hash::of(b"b"),
            fingerprint: None,
            format: Format::WebP,
            image_length: 7,
            created_at: time,
            expires_at: time.plus_days(365),
            signature: None,
            stamped: None,
        });
        assert!(!page.contains("<script>"), "{page}");
        assert!(page.contains("&quot;&gt;&lt;script&gt;alert(&#39;x&amp;y&#39;)&lt;/script&gt;"));
        assert!(page.contains("2027-01-31T08:15:30.000Z"));
    }
}
