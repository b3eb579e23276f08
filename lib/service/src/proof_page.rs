//! The page of one proof, for people. Everything that stands in it is escaped.

use std::fmt::{self, Write as _};

use credlink_pipeline::proof::ProofRecord;

/// The whole page.
pub(crate) fn html(record: &ProofRecord) -> String {
    let mut page = String::from(HEAD);
    let length = format!("{} bytes", record.image_length);
    let format = format!("{:?}", record.format);
    let rows: [(&str, &dyn fmt::Display); 8] = [
        ("Proof", &record.id),
        ("Address", &record.uri),
        ("Signed", &record.created_at),
        ("Expires", &record.expires_at),
        ("Format", &format),
        ("Length before signing", &length),
        ("SHA-256 before signing", &record.image_hash),
        ("SHA-256 of the manifest store", &record.manifest_hash),
    ];
    for (name, value) in rows {
        row(&mut page, name, value);
    }
    if let Some(life) = &record.signature {
        row(&mut page, "Certificate valid until", &life.valid_until);
    }
    if let Some(stamped) = &record.stamped {
        row(&mut page, "Time-stamp, added later", &stamped.time);
        row(&mut page, "SHA-256 of the stamped copy", &stamped.manifest_hash);
    }
    if let Some(fingerprint) = &record.fingerprint {
        row(&mut page, "Fingerprint (ISCC)", fingerprint);
    }
    page.push_str(TAIL);
    page
}

fn row(page: &mut String, name: &str, value: &dyn fmt::Display) {
    // Writing to a String cannot fail.
    let _infallible = write!(page, "<dt>{name}</dt><dd>");
    escape(page, &value.to_string());
    page.push_str("</dd>\n");
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

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Proof of a signature – CredLink</title>
<link rel="icon" href="../icon.svg">
<link rel="stylesheet" href="../style.css">
</head>
<body>
<main>
<h1>Proof of a signature</h1>
<p>This service signed an image and keeps this record of it. The record says nothing about a picture that
you have before you: to learn what that picture can prove, <a href="../">verify it</a>.</p>
<dl class="facts">
"#;

const TAIL: &str = r"</dl>
</main>
</body>
</html>
";

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
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&quot;&gt;&lt;script&gt;alert(&#39;x&amp;y&#39;)&lt;/script&gt;"));
        assert!(page.contains("2027-01-31T08:15:30.000Z"));
    }
}
