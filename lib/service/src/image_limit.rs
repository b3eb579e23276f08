//! How long an image may be, and what a caller with a longer one is told.

use serde_json::json;

use crate::error::{ApiError, ErrorCode};

/// Lengths in bytes. Between the two, an image comes as an upload, where the service takes uploads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageLimit {
    longest: usize,
    inline: usize,
    uploads: bool,
}

impl ImageLimit {
    /// Images of at most `longest` bytes, and of at most `inline` inside of a request.
    pub(crate) fn new(longest: usize, inline: Option<usize>, uploads: bool) -> Self {
        Self { longest, inline: inline.unwrap_or(longest).min(longest), uploads }
    }

    /// The longest image that may stand in a request.
    pub(crate) fn inline(self) -> usize {
        self.inline
    }

    /// The failure of a request with an image of `length` bytes, or more, as far as is known.
    pub(crate) fn exceeded_by(self, length: usize) -> ApiError {
        let fits_an_upload = self.uploads && self.inline < self.longest && length <= self.longest;
        if !fits_an_upload {
            return file_too_large(if self.uploads { self.longest } else { self.inline });
        }
        let message = format!(
            "The image is longer than {}, the most that fits into a request. Announce it with POST /uploads \
             {{\"contentType\", \"contentLength\"}}, send it as the answer says, and send {{\"uploadId\"}} \
             as application/json to this address.",
            shown(self.inline)
        );
        ApiError::new(ErrorCode::FileTooLarge, message).with_detail("limitBytes", self.inline).with_detail(
            "uploads",
            json!({
                "method": "POST",
                "path": "/uploads",
                "fields": ["contentType", "contentLength", "sha256"],
                "limitBytes": self.longest,
            }),
        )
    }
}

/// The failure of an image that is longer than any may be.
pub(crate) fn file_too_large(limit: usize) -> ApiError {
    let message = format!("The image is longer than {}. Send a smaller one.", shown(limit));
    ApiError::new(ErrorCode::FileTooLarge, message).with_detail("limitBytes", limit)
}

fn shown(bytes: usize) -> String {
    const MB: usize = 1 << 20;
    if bytes >= MB && bytes.is_multiple_of(MB) {
        format!("{} MB", bytes / MB)
    } else {
        format!("{bytes} bytes")
    }
}
