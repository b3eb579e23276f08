//! How certificates are called in reports.

use x509_parser::{num_bigint::BigUint, x509::X509Name};

/// The longest name that is shown, in characters: names come from whoever made the image.
const MAX_NAME_LENGTH: usize = 300;

/// A name as RFC 4514 writes it, cut where it is longer than anybody reads.
pub(super) fn name(name: &X509Name<'_>) -> String {
    let whole = name.to_string();
    match whole.char_indices().nth(MAX_NAME_LENGTH) {
        None if whole.is_empty() => "a certificate without a name".into(),
        None => whole,
        Some((end, _)) => format!("{}…", whole.get(..end).unwrap_or_default()),
    }
}

/// A serial number, hexadecimal. At most 20 bytes are allowed (RFC 5280, section 4.1.2.2); a few more are shown.
pub(super) fn serial_number(serial: &BigUint) -> String {
    let bytes = serial.to_bytes_be();
    match bytes.get(..MAX_SERIAL_BYTES) {
        Some(shown) if bytes.len() > MAX_SERIAL_BYTES => format!("{}…", hex::encode(shown)),
        _ => hex::encode(bytes),
    }
}

const MAX_SERIAL_BYTES: usize = 64;
