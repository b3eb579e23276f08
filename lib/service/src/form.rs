//! The fields of a form, each at most once, and none that the route does not know.

use std::collections::HashSet;

use axum::body::Body;
use bytes::Bytes;

use crate::{
    body::{self, BodyMemory},
    error::{ApiError, ErrorCode},
    image_limit::ImageLimit,
    media_type::Parameterised,
    multipart::{self, MultipartError, Part},
};

/// The longest text of a field, in bytes.
const MAX_TEXT_LENGTH: usize = 512 << 10;

/// An uploaded image as it arrived.
pub(crate) struct Upload {
    pub(crate) bytes: Bytes,
    /// The name that the file had at the caller's; not to be trusted.
    pub(crate) file_name: Option<String>,
}

/// A form whose fields are all known and all different.
pub(crate) struct Form(Vec<Part>);

impl Form {
    /// Reads a body of `multipart/form-data` with no other fields than `known`.
    pub(crate) async fn read(
        content_type: &Parameterised,
        request_body: Body,
        known: &'static [&'static str],
        limit: ImageLimit,
        memory: &BodyMemory,
    ) -> Result<Self, ApiError> {
        let bytes = body::read(request_body, limit, memory).await?;
        let boundary = multipart::boundary(content_type).map_err(|error| malformed(&error))?;
        Self::new(multipart::parse(&bytes, boundary).map_err(|error| malformed(&error))?, known)
    }

    fn new(parts: Vec<Part>, known: &'static [&'static str]) -> Result<Self, ApiError> {
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        check_names(&names, known)?;
        Ok(Self(parts))
    }

    /// The field `image`, whose length must be from 1 to the limit.
    pub(crate) fn image(&mut self, limit: ImageLimit) -> Result<Upload, ApiError> {
        let part = self.take("image").ok_or_else(no_file)?;
        Ok(Upload { bytes: bounded_image(part.content, limit)?, file_name: part.file_name })
    }

    /// The text of a field; `None` when the field is missing.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let Some(part) = self.take(name) else { return Ok(None) };
        if part.content.len() > MAX_TEXT_LENGTH {
            return Err(field_error(name, format!("The field is longer than {MAX_TEXT_LENGTH} bytes.")));
        }
        if !part.is_utf8 {
            return Err(field_error(
                name,
                "The field has another charset than UTF-8. Send UTF-8, and leave the charset out.".to_owned(),
            ));
        }
        String::from_utf8(part.content.to_vec())
            .map(Some)
            .map_err(|_| field_error(name, "The field is not UTF-8 text.".to_owned()))
    }

    fn take(&mut self, name: &str) -> Option<Part> {
        let index = self.0.iter().position(|part| part.name == name)?;
        Some(self.0.swap_remove(index))
    }
}

/// Names that are all known and all different.
pub(crate) fn check_names(names: &[&str], known: &[&str]) -> Result<(), ApiError> {
    let mut seen = HashSet::new();
    for name in names {
        if !known.contains(name) {
            let message = format!("There is no field of this name. Fields are: {}.", known.join(", "));
            return Err(field_error(name, message));
        }
        if !seen.insert(*name) {
            return Err(field_error(name, "The field is there twice. Send it once.".to_owned()));
        }
    }
    Ok(())
}

/// `bytes` as an image inside of a request: not empty, and not too long.
pub(crate) fn bounded_image(bytes: Bytes, limit: ImageLimit) -> Result<Bytes, ApiError> {
    match bytes.len() {
        0 => Err(no_file()),
        length if length > limit.inline() => Err(limit.exceeded_by(length)),
        _ => Ok(bytes),
    }
}

/// A fault of one field.
pub(crate) fn field_error(field: &str, message: String) -> ApiError {
    let shown: String = field.chars().take(64).collect();
    ApiError::new(ErrorCode::InvalidRequest, message).with_detail("field", shown)
}

/// No image came.
pub(crate) fn no_file() -> ApiError {
    ApiError::new(ErrorCode::NoFileProvided, "No image was sent. Send it as the field \"image\" of a form.")
}

/// A request in JSON speaks of an upload, and there are none.
pub(crate) fn no_uploads() -> ApiError {
    ApiError::new(
        ErrorCode::InvalidRequest,
        "This service has no uploads that JSON could name. Send the image itself, as the field \"image\" of a form.",
    )
}

fn malformed(error: &MultipartError) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, format!("The form cannot be read: {error}."))
}
