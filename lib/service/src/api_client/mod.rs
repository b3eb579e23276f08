//! A client of another CredLink's HTTP API, for tools that work on many images: it sends long images as uploads, fetches
//! long results, tries again what may pass, and keeps to the pace that the service asks for.
//!
//! The address is the operator's choice and may be anywhere. Where uploads go and results lie, the service says; the API
//! key is sent to the service alone.

mod address;
mod answer;
mod exchange;
mod multipart_form;
mod patience;

use std::{sync::OnceLock, time::Duration};

use bytes::Bytes;
use credlink_pipeline::{
    asset::Format,
    digest::Sha256Hash,
    manifest::{CustomAssertion, DigitalSourceType, SignOptions},
    verdict::VerificationReport,
};
use hyper::{
    HeaderMap, Method, Request, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue, InvalidHeaderValue, LOCATION, USER_AGENT},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::pieces::Pieces;
pub use address::{ServiceUrl, ServiceUrlError};
use answer::Answer;
use exchange::Exchange;
use multipart_form::MultipartForm;
pub use patience::MAX_TRIES;
use patience::{Patience, Trial};

/// From this length on, in bytes, an image goes as an upload where the service takes them: what stands in requests on AWS
/// is shorter.
pub const INLINE_LENGTH: usize = 4 << 20;

/// The longest answer that is taken, in bytes: the longest image, and room for its credential.
const MAX_ANSWER_LENGTH: usize = (50 << 20) + (16 << 20);

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PROOF_URI: &str = "x-proof-uri";
const TIME_STAMP: &str = "x-time-stamp";

/// Asks one service. Connections are kept; several callers may ask at once, and wait together when the service asks for
/// a pause.
pub struct ApiClient {
    url: ServiceUrl,
    key: Option<HeaderValue>,
    exchange: Exchange,
    patience: Patience,
    /// What the service said to the key, once it did not take it.
    unauthorized: OnceLock<ApiClientError>,
}

/// An image that the service signed.
#[derive(Clone, Debug)]
pub struct SignedElsewhere {
    /// The signed image.
    pub image: Bytes,
    /// Where its proof can be read.
    pub proof_uri: String,
    /// Whether the service wanted a time-stamp and got none.
    pub stamp_is_missing: bool,
}

/// Why the service did not do it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApiClientError {
    /// The service said no; asking again brings the same answer.
    #[error("the service refused it ({code}): {message}")]
    Refused {
        /// The status of the answer.
        status: u16,
        /// The name of the failure.
        code: String,
        /// What the service says to it.
        message: String,
    },
    /// The service does not know this API key, or it may not do this.
    #[error("the service takes no such API key: {0} Set CREDLINK_API_KEY to one that it knows")]
    Unauthorized(String),
    /// It did not work however often it was tried.
    #[error("it was tried {tries} times, in vain: {reason}")]
    GaveUp {
        /// How often.
        tries: u32,
        /// What was in the way the last time.
        reason: String,
    },
    /// The caller wants no more tries.
    #[error("it is not tried again, because the run ends: {0}")]
    Ended(String),
    /// What came back is not what the API promises.
    #[error("the answer is not that of a CredLink service: {0}")]
    NotUnderstood(String),
    /// This machine cannot ask it.
    #[error("{0}")]
    Unable(String),
}

/// The text cannot be sent as an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ApiKeyError {
    /// It has characters that a header cannot have.
    #[error("CREDLINK_API_KEY has characters that no API key has; copy it anew")]
    Characters,
    /// Everybody on the way could read it.
    #[error("CREDLINK_API_KEY would be sent in the clear; use https, or unset it")]
    InTheClear,
}

impl From<InvalidHeaderValue> for ApiKeyError {
    fn from(_: InvalidHeaderValue) -> Self {
        Self::Characters
    }
}

impl ApiClient {
    /// Asks the service at `url`, with this API key if there is one. Nothing is sent yet.
    ///
    /// # Errors
    /// When the key cannot be sent.
    pub fn new(url: ServiceUrl, key: Option<&str>) -> Result<Self, ApiKeyError> {
        let key = key.map(|text| sensitive(text, &url)).transpose()?;
        Ok(Self {
            url,
            key,
            exchange: Exchange::new(),
            patience: Patience::new(),
            unauthorized: OnceLock::new(),
        })
    }

    /// Lets every call end with what it has: nothing is tried again, and nobody waits.
    pub fn end(&self) {
        self.patience.end();
    }

    /// Signs `image`. The same `idempotency_key` with the same image and options gives the same proof, for a day.
    ///
    /// # Errors
    /// [`ApiClientError`]. When nobody knows how it ended, the same call again brings it to an end.
    pub async fn sign(
        &self,
        image: &Bytes,
        options: &SignOptions,
        idempotency_key: &str,
    ) -> Result<SignedElsewhere, ApiClientError> {
        let format = format_of(image)?;
        let fields = fields_of(options);
        let key = HeaderValue::try_from(idempotency_key).map_err(|error| unable(&error))?;
        let answer = self.with_image("/sign", image, &fields, Some(&key)).await?;
        let header = |name: &str| answer.header(name).map(str::to_owned);
        let proof_uri = header(PROOF_URI).ok_or_else(|| not_understood("it names no proof"))?;
        let stamp_is_missing = header(TIME_STAMP).as_deref() == Some("missing");
        let image = match answer.status {
            StatusCode::SEE_OTHER => {
                let place = header(LOCATION.as_str());
                self.fetch(&place.ok_or_else(|| not_understood("it does not say where the image is"))?)
                    .await?
            }
            _ => answer.body,
        };
        if Format::detect(&image) != Some(format) {
            return Err(not_understood("what came is no image of this format"));
        }
        Ok(SignedElsewhere { image, proof_uri, stamp_is_missing })
    }

    /// What the service says of `image`.
    ///
    /// # Errors
    /// [`ApiClientError`].
    pub async fn verify(&self, image: &Bytes) -> Result<VerificationReport, ApiClientError> {
        let answer = self.with_image("/verify", image, &Map::new(), None).await?;
        serde_json::from_slice(&answer.body).map_err(|error| not_understood(&error.to_string()))
    }

    /// Sends the image to `route`: inside of the request, or as an upload when it is long.
    async fn with_image(
        &self,
        route: &str,
        image: &Bytes,
        fields: &Map<String, Value>,
        key: Option<&HeaderValue>,
    ) -> Result<Answer, ApiClientError> {
        if image.len() > INLINE_LENGTH {
            match self.uploaded(route, image, fields, key).await {
                // This service takes no uploads.
                Err(ApiClientError::Refused { status: 404, code, .. }) if code == "NOT_FOUND" => {}
                answer => return answer,
            }
        }
        match self.inline(route, image, fields, key).await {
            Err(ApiClientError::Refused { status: 413, .. }) if image.len() <= INLINE_LENGTH => {
                self.uploaded(route, image, fields, key).await
            }
            answer => answer,
        }
    }

    async fn inline(
        &self,
        route: &str,
        image: &Bytes,
        fields: &Map<String, Value>,
        key: Option<&HeaderValue>,
    ) -> Result<Answer, ApiClientError> {
        let form = MultipartForm::new(image, fields);
        let make = || {
            let mut request = Request::new(Pieces::new(form.pieces()));
            self.describe(&mut request, route, form.content_type(), key)?;
            Ok(request)
        };
        self.ask(image.len(), make).await
    }

    async fn uploaded(
        &self,
        route: &str,
        image: &Bytes,
        fields: &Map<String, Value>,
        key: Option<&HeaderValue>,
    ) -> Result<Answer, ApiClientError> {
        // An upload lasts for minutes: when it is gone, it is begun once more.
        match self.upload_and_ask(route, image, fields, key).await {
            Err(ApiClientError::Refused { code, .. }) if code == "UPLOAD_NOT_FOUND" => {
                self.upload_and_ask(route, image, fields, key).await
            }
            answer => answer,
        }
    }

    async fn upload_and_ask(
        &self,
        route: &str,
        image: &Bytes,
        fields: &Map<String, Value>,
        key: Option<&HeaderValue>,
    ) -> Result<Answer, ApiClientError> {
        let announced = json!({
            "contentType": format_of(image)?.mime(),
            "contentLength": image.len(),
            "sha256": Sha256Hash::of(image).to_string(),
        });
        let answer = self.ask(0, || self.json_request("/uploads", &announced, None)).await?;
        let ticket: Ticket =
            serde_json::from_slice(&answer.body).map_err(|error| not_understood(&error.to_string()))?;
        self.ask(image.len(), || ticket.request(image)).await?;
        let mut wanted = fields.clone();
        wanted.insert("uploadId".into(), ticket.upload_id.clone().into());
        let wanted = Value::Object(wanted);
        self.ask(image.len(), || self.json_request(route, &wanted, key)).await
    }

    async fn fetch(&self, place: &str) -> Result<Bytes, ApiClientError> {
        let make = || {
            let request = Request::builder().uri(place).header(USER_AGENT, AGENT);
            request.body(Pieces::new(Vec::new())).map_err(|_| not_understood("the image is at no address"))
        };
        Ok(self.ask(MAX_ANSWER_LENGTH, make).await?.body)
    }

    fn json_request(
        &self,
        route: &str,
        body: &Value,
        key: Option<&HeaderValue>,
    ) -> Result<Request<Pieces>, ApiClientError> {
        let mut request = Request::new(Pieces::new(vec![Bytes::from(body.to_string())]));
        self.describe(&mut request, route, "application/json", key)?;
        Ok(request)
    }

    fn describe(
        &self,
        request: &mut Request<Pieces>,
        route: &str,
        content_type: &str,
        key: Option<&HeaderValue>,
    ) -> Result<(), ApiClientError> {
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.route(route).map_err(|error| unable(&error))?;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(CONTENT_TYPE, HeaderValue::try_from(content_type).map_err(|error| unable(&error))?);
        add(headers, API_KEY, self.key.as_ref());
        add(headers, IDEMPOTENCY_KEY, key);
        Ok(())
    }

    /// Asks until there is an answer that will not get better. `length` bytes are on their way.
    async fn ask(
        &self,
        length: usize,
        make: impl Fn() -> Result<Request<Pieces>, ApiClientError>,
    ) -> Result<Answer, ApiClientError> {
        let mut trial = Trial::new();
        loop {
            self.patience.wait_for_all(&mut trial).await?;
            if let Some(error) = self.unauthorized.get() {
                return Err(error.clone());
            }
            let asked = self.exchange.send(make()?, time_for(length), MAX_ANSWER_LENGTH).await?;
            let judged = match asked {
                Ok(answer) => answer.judge(&self.patience).inspect_err(|error| self.remember(error))?,
                Err(failure) => Err(failure),
            };
            let failure = match judged {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            self.patience.wait_after(failure, &mut trial).await?;
        }
    }

    /// A key that is not taken is not sent again and again.
    fn remember(&self, error: &ApiClientError) {
        if matches!(error, ApiClientError::Unauthorized(_)) {
            self.unauthorized.get_or_init(|| error.clone());
        }
    }
}

const AGENT: &str = concat!("credlink/", env!("CARGO_PKG_VERSION"));

/// How long one exchange may take: the time that a service may take for an image, and that of a slow line.
fn time_for(length: usize) -> Duration {
    const PER_MEGABYTE: u64 = 4;
    Duration::from_secs(60 + PER_MEGABYTE * (length as u64 >> 20))
}

/// A key goes over lines where others listen only to this machine.
fn sensitive(text: &str, url: &ServiceUrl) -> Result<HeaderValue, ApiKeyError> {
    if !url.keeps_secrets() {
        return Err(ApiKeyError::InTheClear);
    }
    let mut key = HeaderValue::try_from(text.trim())?;
    key.set_sensitive(true);
    Ok(key)
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: Option<&HeaderValue>) {
    if let Some(value) = value {
        headers.insert(name, value.clone());
    }
}

fn format_of(image: &Bytes) -> Result<Format, ApiClientError> {
    let refused = || ApiClientError::Refused {
        status: 400,
        code: "INVALID_FILE_TYPE".to_owned(),
        message: "the file is not a JPEG, PNG or WebP image".to_owned(),
    };
    Format::detect(image).ok_or_else(refused)
}

/// The fields of a request, all of them text: the same in a form and in JSON.
fn fields_of(options: &SignOptions) -> Map<String, Value> {
    let assertion = |own: &CustomAssertion| json!({"label": own.label(), "data": own.data()});
    let assertions: Vec<Value> = options.custom_assertions.iter().map(assertion).collect();
    let texts = [
        ("creator", options.creator.as_ref().map(|creator| creator.as_str().to_owned())),
        ("title", options.title.as_ref().map(|title| title.as_str().to_owned())),
        ("digitalSourceType", options.digital_source_type.map(DigitalSourceType::uri)),
        ("training", options.training.map(|training| training.name().to_owned())),
        ("customAssertions", (!assertions.is_empty()).then(|| Value::from(assertions).to_string())),
    ];
    texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into()))).collect()
}

fn not_understood(reason: &str) -> ApiClientError {
    ApiClientError::NotUnderstood(reason.to_owned())
}

fn unable(error: &dyn std::error::Error) -> ApiClientError {
    ApiClientError::Unable(error.to_string())
}

/// Where an image is to be sent. Never shown: who knows it may send there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ticket {
    upload_id: String,
    url: String,
    headers: Map<String, Value>,
}

impl Ticket {
    fn request(&self, image: &Bytes) -> Result<Request<Pieces>, ApiClientError> {
        let mut request = Request::builder().method(Method::PUT).uri(&self.url).header(USER_AGENT, AGENT);
        for (name, value) in &self.headers {
            request = request.header(name, value.as_str().unwrap_or_default());
        }
        let sent = request.body(Pieces::new(vec![image.clone()]));
        sent.map_err(|_| not_understood("it does not say how to send an upload"))
    }
}
