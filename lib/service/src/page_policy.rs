//! What a page may load.

use axum::http::HeaderValue;

use crate::uploads::UploadOrigin;

/// The `Content-Security-Policy` of every page: its own scripts and style, this service, pictures that were given to it, and
/// nothing else. Where long images go elsewhere, there too, and to no other place.
pub(crate) struct PagePolicy(HeaderValue);

impl PagePolicy {
    /// The policy of pages whose uploads go to `uploads`; `None` when the service takes them itself.
    pub(crate) fn new(uploads: Option<&UploadOrigin>) -> Self {
        let uploads = uploads.map(|origin| format!(" {origin}")).unwrap_or_default();
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
             connect-src 'self'{uploads}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        // A host has visible ASCII only; without one the pages still do what is most of their work.
        let policy = HeaderValue::try_from(policy);
        Self(policy.unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'")))
    }

    /// As the value of the header.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connects(uploads: Option<&str>) -> String {
        let origin = uploads.map(|url| UploadOrigin::of(url).unwrap());
        let policy = PagePolicy::new(origin.as_ref()).header();
        let policy = policy.to_str().unwrap();
        policy.split("; ").find(|part| part.starts_with("connect-src")).unwrap().to_owned()
    }

    #[test]
    fn pages_speak_to_the_service_and_to_where_uploads_go() {
        assert_eq!(connects(None), "connect-src 'self'");
        let url = "https://bucket.s3.eu-central-1.amazonaws.com/uploads/1?X-Amz-Signature=ab";
        assert_eq!(connects(Some(url)), "connect-src 'self' https://bucket.s3.eu-central-1.amazonaws.com");
        assert_eq!(
            connects(Some("http://127.0.0.1:4566/bucket/a")),
            "connect-src 'self' http://127.0.0.1:4566"
        );
        assert_eq!(UploadOrigin::of("/uploads/1"), None);
    }
}
