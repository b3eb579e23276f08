//! Whose pages may call the service from a browser (Fetch standard, CORS protocol).

use std::{
    pin::Pin,
    str::FromStr,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, Method, header},
};
use thiserror::Error;
use tower::{Layer, Service};
use tower_http::cors::{AllowOrigin, Cors, CorsLayer};
use url::Url;

use super::request_id::REQUEST_ID_HEADER;

/// How long a browser may keep the answer to a preflight; no browser keeps it longer.
const MAX_AGE: Duration = Duration::from_secs(7200);

/// The most origins in one setting.
const MAX_ORIGINS: usize = 64;

/// What a page may send besides what every page may.
const REQUEST_HEADERS: [HeaderName; 8] = [
    header::CONTENT_TYPE,
    header::IF_NONE_MATCH,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-amz-checksum-sha256"),
    HeaderName::from_static("x-api-key"),
    REQUEST_ID_HEADER,
];

/// What a page may read besides what every page may.
const ANSWER_HEADERS: [HeaderName; 14] = [
    header::CONTENT_DISPOSITION,
    header::ETAG,
    header::LINK,
    header::LOCATION,
    header::RETRY_AFTER,
    HeaderName::from_static("ratelimit-limit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("ratelimit-remaining"),
    HeaderName::from_static("ratelimit-reset"),
    HeaderName::from_static("x-manifest-hash"),
    HeaderName::from_static("x-processing-time"),
    HeaderName::from_static("x-proof-uri"),
    HeaderName::from_static("x-time-stamp"),
    REQUEST_ID_HEADER,
];

/// Whose pages may call, and whether they may send what the browser knows of its user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsSettings {
    /// `None` means nobody's but the service's own.
    pub origins: Option<AllowedOrigins>,
    /// Whether requests may carry cookies and the like. The service sets none; a proxy before it may.
    pub credentials: bool,
}

/// Whose pages may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// Everybody's.
    All,
    /// Those of these origins, as browsers write them: `https://www.example.com`.
    These(Vec<HeaderValue>),
}

/// A list of origins that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AllowedOriginsError {
    /// An entry is no origin.
    #[error(
        "{0:?} is no origin; allowed is an asterisk alone, or entries such as https://www.example.com with commas between them"
    )]
    Entry(String),
    /// More than anybody needs.
    #[error("there are more than {MAX_ORIGINS} origins")]
    TooMany,
}

impl FromStr for AllowedOrigins {
    type Err = AllowedOriginsError;

    fn from_str(text: &str) -> Result<Self, AllowedOriginsError> {
        if text.trim() == "*" {
            return Ok(Self::All);
        }
        let entries: Vec<&str> = text.split(',').map(str::trim).collect();
        if entries.len() > MAX_ORIGINS {
            return Err(AllowedOriginsError::TooMany);
        }
        let origin =
            |entry: &&str| origin(entry).ok_or_else(|| AllowedOriginsError::Entry((*entry).to_owned()));
        entries.iter().map(origin).collect::<Result<_, _>>().map(Self::These)
    }
}

fn origin(entry: &str) -> Option<HeaderValue> {
    let url = Url::parse(entry).ok()?;
    let bare = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && !entry.ends_with('/')
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let origin = url.origin();
    (bare && origin.is_tuple()).then(|| HeaderValue::try_from(origin.ascii_serialization()).ok()).flatten()
}

/// The layer for these settings.
pub(super) fn shared_with(settings: &CorsSettings) -> Preflights {
    let Some(origins) = &settings.origins else { return Preflights(None) };
    let (allowed, credentials) = match origins {
        // A wildcard with credentials would let every page act for every user. The configuration refuses it.
        AllowedOrigins::All => (AllowOrigin::any(), false),
        AllowedOrigins::These(origins) => (AllowOrigin::list(origins.iter().cloned()), settings.credentials),
    };
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_credentials(credentials)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT])
        .allow_headers(REQUEST_HEADERS)
        .expose_headers(ANSWER_HEADERS)
        .max_age(MAX_AGE);
    Preflights(Some(layer))
}

/// The layer of tower-http, but for requests with the method OPTIONS that are no preflights: it would answer these too.
#[derive(Clone)]
pub(super) struct Preflights(Option<CorsLayer>);

impl<S: Clone> Layer<S> for Preflights {
    type Service = SharedService<S>;

    fn layer(&self, inner: S) -> SharedService<S> {
        SharedService { shared: self.0.as_ref().map(|layer| layer.layer(inner.clone())), inner }
    }
}

/// A service behind [`Preflights`].
#[derive(Clone)]
pub(super) struct SharedService<S> {
    /// `None` when no other origin's pages may call.
    shared: Option<Cors<S>>,
    inner: S,
}

impl<S> Service<Request> for SharedService<S>
where
    S: Service<Request, Response = axum::response::Response>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        match &mut self.shared {
            Some(shared) => Service::<Request>::poll_ready(shared, cx),
            None => self.inner.poll_ready(cx),
        }
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let preflight = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        match &mut self.shared {
            Some(shared) if preflight || request.method() != Method::OPTIONS => {
                Box::pin(shared.call(request))
            }
            _ => Box::pin(self.inner.call(request)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        let read: AllowedOrigins = "https://WWW.Example.com:443, http://localhost:3000".parse().unwrap();
        let expected = ["https://www.example.com", "http://localhost:3000"].map(HeaderValue::from_static);
        assert_eq!(read, AllowedOrigins::These(expected.to_vec()));
        assert_eq!(" * ".parse(), Ok(AllowedOrigins::All));
    }

    #[test]
    fn what_is_no_origin_is_named() {
        for (text, entry) in [
            ("https://a.example,,", ""),
            ("https://a.example,*", "*"),
            ("https://a.example/", "https://a.example/"),
            ("https://a.example/path", "https://a.example/path"),
            ("https://user@a.example", "https://user@a.example"),
            ("https://a.example?", "https://a.example?"),
            ("ftp://a.example", "ftp://a.example"),
            ("null", "null"),
            ("a.example", "a.example"),
        ] {
            assert_eq!(
                text.parse::<AllowedOrigins>(),
                Err(AllowedOriginsError::Entry(entry.to_owned())),
                "{text}"
            );
        }
        let many = vec!["https://a.example"; 65].join(",");
        assert_eq!(many.parse::<AllowedOrigins>(), Err(AllowedOriginsError::TooMany));
    }
}
