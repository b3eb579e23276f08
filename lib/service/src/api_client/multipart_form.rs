//! A form with an image (RFC 7578), in pieces: the image is not copied.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::{Map, Value};
use uuid::Uuid;

/// A form with the part `image` and text fields. Made once, sent as often as needed.
pub(super) struct MultipartForm {
    content_type: String,
    head: Bytes,
    image: Bytes,
    tail: Bytes,
}

impl MultipartForm {
    /// The form. The boundary is random, so no image contains it.
    pub(super) fn new(image: &Bytes, fields: &Map<String, Value>) -> Self {
        let boundary = format!("credlink-{}", Uuid::new_v4().simple());
        let mut head = String::new();
        for (name, value) in fields {
            let text = value.as_str().unwrap_or_default();
            // Writing into a string never fails.
            write!(head, "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
                .ok();
        }
        write!(
            head,
            "--{boundary}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"image\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        )
        .ok();
        Self {
            content_type: format!("multipart/form-data; boundary={boundary}"),
            head: head.into(),
            image: image.clone(),
            tail: format!("\r\n--{boundary}--\r\n").into(),
        }
    }

    /// Its media type.
    pub(super) fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The body.
    pub(super) fn pieces(&self) -> Vec<Bytes> {
        vec![self.head.clone(), self.image.clone(), self.tail.clone()]
    }
}
