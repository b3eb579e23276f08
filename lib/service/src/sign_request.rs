//! What a caller of `POST /sign` sent: a form with the image, or JSON that names an upload.

use std::str::FromStr;

use axum::{body::Body, extract::Request};
use bytes::Bytes;
use credlink_pipeline::digest::Sha256Hash;
use credlink_pipeline::manifest::{CustomAssertion, OptionError, SignOptions};
use serde_json::Value;

use crate::{
    error::{ApiError, ErrorCode},
    form::{self, Form},
    json_fields::JsonFields,
    media_type::{self, Parameterised},
    routes::uploads::uploaded_image,
    service::Service,
};

const CUSTOM_ASSERTIONS: &str = "customAssertions";

/// The fields of a form.
pub(crate) const FORM_FIELDS: &[&str] =
    &["image", "creator", "title", "digitalSourceType", CUSTOM_ASSERTIONS, "training"];

/// The fields of JSON.
pub(crate) const JSON_FIELDS: &[&str] =
    &["uploadId", "creator", "title", "digitalSourceType", CUSTOM_ASSERTIONS, "training"];

/// An image to sign, and what the caller says about it.
pub(crate) struct SignRequest {
    pub(crate) image: Bytes,
    /// The name that the file had at the caller's; not to be trusted.
    pub(crate) file_name: Option<String>,
    pub(crate) options: SignOptions,
    /// The hash of what the other fields say.
    said: Sha256Hash,
}

impl SignRequest {
    /// What makes it the same request when it comes again: the image, and what all other fields say. The name of the
    /// file is none of it.
    pub(crate) fn digest(&self) -> Sha256Hash {
        let image = Sha256Hash::of(&self.image);
        Sha256Hash::of_pieces(&[image.as_bytes(), self.said.as_bytes()])
    }

    /// Reads the request, and the upload that it names.
    pub(crate) async fn read(service: &Service, request: Request) -> Result<Self, ApiError> {
        let (head, body) = request.into_parts();
        match media_type::readable_content_type(&head.headers)? {
            Some(kind) if kind.value == "multipart/form-data" => Self::from_form(service, &kind, body).await,
            Some(kind) if kind.value == "application/json" => Self::from_json(service, body).await,
            _ => Err(ApiError::new(
                ErrorCode::UnsupportedMediaType,
                "Send the image as the field \"image\" of a multipart/form-data request.",
            )),
        }
    }

    async fn from_form(service: &Service, kind: &Parameterised, body: Body) -> Result<Self, ApiError> {
        let limit = service.image_limit();
        let mut form = Form::read(kind, body, FORM_FIELDS, limit, &service.body_memory).await?;
        let upload = form.image(limit)?;
        // Forms send an empty text for what nobody filled in.
        let mut filled = |name| form.text(name).map(|text| text.filter(|text| !text.is_empty()));
        let texts = Texts {
            creator: filled("creator")?,
            title: filled("title")?,
            digital_source_type: filled("digitalSourceType")?,
            training: filled("training")?,
            custom_assertions: form.text(CUSTOM_ASSERTIONS)?,
        };
        let said = texts.digest();
        Ok(Self { image: upload.bytes, file_name: upload.file_name, options: texts.options()?, said })
    }

    async fn from_json(service: &Service, body: Body) -> Result<Self, ApiError> {
        if service.ports.uploads.is_none() {
            return Err(form::no_uploads());
        }
        let mut fields = JsonFields::read(body, JSON_FIELDS, &service.body_memory).await?;
        let texts = Texts {
            creator: fields.text("creator")?,
            title: fields.text("title")?,
            digital_source_type: fields.text("digitalSourceType")?,
            training: fields.text("training")?,
            custom_assertions: assertions_text(fields.value(CUSTOM_ASSERTIONS))?,
        };
        let said = texts.digest();
        // What is cheap to refuse is refused before the upload is read.
        let options = texts.options()?;
        let image = uploaded_image(service, &mut fields).await?;
        Ok(Self { image, file_name: None, options, said })
    }
}

/// What the fields say, before it is understood.
struct Texts {
    creator: Option<String>,
    title: Option<String>,
    digital_source_type: Option<String>,
    training: Option<String>,
    custom_assertions: Option<String>,
}

impl Texts {
    /// Each text with its length, so that no two requests look the same.
    fn digest(&self) -> Sha256Hash {
        let fields =
            [&self.creator, &self.title, &self.digital_source_type, &self.training, &self.custom_assertions];
        let mut said = Vec::new();
        for field in fields {
            let length = field.as_ref().map_or(u64::MAX, |text| text.len() as u64);
            said.extend_from_slice(&length.to_be_bytes());
            said.extend_from_slice(field.as_deref().unwrap_or_default().as_bytes());
        }
        Sha256Hash::of(&said)
    }

    fn options(self) -> Result<SignOptions, ApiError> {
        Ok(SignOptions {
            creator: parsed("creator", self.creator)?,
            title: parsed("title", self.title)?,
            digital_source_type: parsed("digitalSourceType", self.digital_source_type)?,
            custom_assertions: custom_assertions(self.custom_assertions)?,
            training: parsed("training", self.training)?,
        })
    }
}

fn parsed<T: FromStr<Err = OptionError>>(field: &str, text: Option<String>) -> Result<Option<T>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    text.parse().map(Some).map_err(|error: OptionError| form::field_error(field, format!("{error}.")))
}

fn custom_assertions(json: Option<String>) -> Result<Vec<CustomAssertion>, ApiError> {
    let Some(json) = json else { return Ok(Vec::new()) };
    CustomAssertion::parse_list(&json)
        .map_err(|error| form::field_error(CUSTOM_ASSERTIONS, format!("{error}.")))
}

/// In JSON it is an array, or a string that holds one, as in a form.
fn assertions_text(value: Option<Value>) -> Result<Option<String>, ApiError> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(array @ Value::Array(_)) => Ok(Some(array.to_string())),
        Some(_) => {
            let message =
                "The field is neither an array nor a string that holds one. Send an array, or leave it out.";
            Err(form::field_error(CUSTOM_ASSERTIONS, message.to_owned()))
        }
    }
}
