//! What is asked of the servers: the same picture, as each of them takes it.

use bytes::Bytes;
use credlink_bench_pictures as pictures;

const BOUNDARY: &str = "a5e1c0b7-load";

/// A request, as often as it is wanted. Its body is shared, never copied.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: &'static str,
    pub content_type: String,
    pub body: Bytes,
}

impl Request {
    /// Signing at a server that takes the image as the body.
    pub fn sign(image: &Bytes) -> Self {
        Self { path: "/sign", content_type: "image/jpeg".to_owned(), body: image.clone() }
    }

    /// Signing at CredLink, which takes a form.
    pub fn sign_form(image: &Bytes) -> Self {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"photograph.jpg\"\r\n\
             Content-Type: image/jpeg\r\n\r\n"
        );
        let tail = format!("\r\n--{BOUNDARY}--\r\n");
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        Self { path: "/sign", content_type, body: [head.as_bytes(), image, tail.as_bytes()].concat().into() }
    }

    /// Verifying; everybody takes the image as the body.
    pub fn verify(image: &Bytes) -> Self {
        Self { path: "/verify", content_type: "image/jpeg".to_owned(), body: image.clone() }
    }
}

/// A JPEG of about 1 MB and 4 megapixels.
pub fn photograph() -> Bytes {
    pictures::jpeg(&pictures::photograph(2320, 1740, 10), 88).into()
}
