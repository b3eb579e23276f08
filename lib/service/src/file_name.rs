//! The name under which a browser saves a signed image.

use std::fmt::Write as _;

/// The longest name that is taken over, in characters.
const MAX_LENGTH: usize = 100;

/// A `Content-Disposition` (RFC 6266) whose name is made of the upload's own: `photo.jpg` comes back as
/// `photo-signed.jpg`. Nothing of a path, no control or direction character and nothing that a file system
/// reserves is taken over.
pub(crate) fn disposition(upload: Option<&str>, extension: &str) -> String {
    let name = format!("{}-signed.{extension}", stem(upload.unwrap_or_default()));
    let ascii: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    if ascii == name {
        return format!("attachment; filename=\"{ascii}\"");
    }
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{}", percent_encoded(&name))
}

fn stem(upload: &str) -> String {
    let file = upload.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let safe: String = stem.chars().filter(|c| is_safe(*c)).take(MAX_LENGTH).collect();
    let safe = safe.trim_matches(|c: char| c == '.' || c.is_whitespace());
    if safe.is_empty() { "image".to_owned() } else { safe.to_owned() }
}

fn is_safe(c: char) -> bool {
    let reserved = matches!(c, '"' | '\\' | '/' | ':' | '*' | '?' | '<' | '>' | '|' | '%' | ';');
    let invisible = matches!(c, '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}')
        || matches!(c, '\u{2060}'..='\u{206F}' | '\u{FEFF}');
    !(reserved || invisible || c.is_control())
}

/// RFC 8187, section 3.2.1.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _infallible = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(upload: &str) -> String {
        disposition(Some(upload), "jpg")
    }

    #[test]
    fn the_name_says_that_it_is_signed() {
        assert_eq!(plain("photo.jpeg"), "attachment; filename=\"photo-signed.jpg\"");
        assert_eq!(plain("a.b.png"), "attachment; filename=\"a.b-signed.jpg\"");
        assert_eq!(disposition(None, "webp"), "attachment; filename=\"image-signed.webp\"");
    }

    #[test]
    fn nothing_of_a_path_or_a_header_is_taken_over() {
        assert_eq!(plain("../../etc/passwd"), "attachment; filename=\"passwd-signed.jpg\"");
        assert_eq!(plain("C:\\temp\\x.jpg"), "attachment; filename=\"x-signed.jpg\"");
        assert_eq!(plain("a\"; x=\"b\r\nc.jpg"), "attachment; filename=\"a x=bc-signed.jpg\"");
        for nothing in ["", ".", "..", ".jpg", "\u{202E}", "///"] {
            assert_eq!(plain(nothing), "attachment; filename=\"image-signed.jpg\"", "{nothing:?}");
        }
        assert!(plain(&"a".repeat(10_000)).len() < 200);
    }

    #[test]
    fn other_scripts_are_encoded() {
        assert_eq!(
            plain("Zoë 山.jpg"),
            "attachment; filename=\"Zo_ _-signed.jpg\"; filename*=UTF-8''Zo%C3%AB%20%E5%B1%B1-signed.jpg"
        );
    }
}
