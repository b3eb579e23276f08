//! The one HTTP client for everything that an image can cause.

use std::{error::Error, fmt::Write as _, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HyperClient, Error as HyperError},
    rt::TokioExecutor,
};
use thiserror::Error;
use tokio::{
    sync::{OnceCell, Semaphore},
    task, time,
};

use super::{
    connector::{ConnectError, Connector},
    network::Network,
    reach::PrivateHosts,
    shown::shown,
    target::{Refusal, Target},
};

/// The longest head of an answer, in bytes, and the most fields in it.
const MAX_HEAD_LENGTH: usize = 32 << 10;
const MAX_HEAD_FIELDS: usize = 64;

/// How much one exchange may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// From the start to the last byte of the answer, waiting for a turn included.
    pub(super) time: Duration,
    /// The longest answer, in bytes.
    pub(super) answer: usize,
    /// How many may be under way at once.
    pub(super) at_once: usize,
}

/// Asks over HTTP. No redirects, no cookies, no proxies, no credentials, no connection is used twice.
pub(super) struct Client {
    connector: Connector,
    plain: HyperClient<Connector, Full<Bytes>>,
    /// Made when it is first needed: reading the platform's roots takes milliseconds.
    secure: OnceCell<HyperClient<HttpsConnector<Connector>, Full<Bytes>>>,
    turns: Semaphore,
    limits: Limits,
}

/// What is asked.
pub(super) enum Question {
    /// GET; the answer may be of any type.
    Get,
    /// POST of these bytes.
    Post {
        /// Their media type.
        content_type: &'static str,
        /// The bytes.
        body: Vec<u8>,
        /// The media type that the answer must have.
        answer_type: &'static str,
    },
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum AskError {
    /// The address may not be asked.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It was asked in vain.
    #[error("{0}")]
    Failed(String),
}

impl Client {
    /// Asks public hosts over `network`, and `private` ones wherever they are.
    pub(super) fn new(network: Arc<dyn Network>, private: PrivateHosts, limits: Limits) -> Self {
        let connector = Connector::new(network, private);
        Self {
            plain: builder().build(connector.clone()),
            connector,
            secure: OnceCell::new(),
            turns: Semaphore::new(limits.at_once),
            limits,
        }
    }

    /// The body of the answer of `url`.
    ///
    /// # Errors
    /// [`AskError`]; every status but 200 is a failure.
    pub(super) async fn ask(&self, url: &str, question: Question) -> Result<Bytes, AskError> {
        let target: Target = url.parse()?;
        self.connector.judge(&target)?;
        let limit = self.limits.time;
        let late = |_| AskError::Failed(format!("there was no whole answer within {limit:?}"));
        time::timeout(limit, self.exchange(target, question)).await.map_err(late)?
    }

    async fn exchange(&self, target: Target, question: Question) -> Result<Bytes, AskError> {
        let _turn = self.turns.acquire().await.map_err(|error| failed(&error))?;
        let is_secure = target.uri.scheme_str() == Some("https");
        let (request, answer_type) = request(target, question)?;
        let answer = if is_secure {
            self.secure().await?.request(request).await
        } else {
            self.plain.request(request).await
        };
        let answer = answer.map_err(|error| why(&error))?;
        if answer.status() != StatusCode::OK {
            return Err(AskError::Failed(format!("it answered with status {}", answer.status().as_u16())));
        }
        if let Some(expected) = answer_type {
            check_type(&answer, expected)?;
        }
        self.body(answer).await
    }

    async fn secure(&self) -> Result<&HyperClient<HttpsConnector<Connector>, Full<Bytes>>, AskError> {
        let connector = self.connector.clone();
        let make = || async {
            let made = task::spawn_blocking(move || secure_client(connector)).await;
            made.map_err(io::Error::other).flatten()
        };
        self.secure.get_or_try_init(make).await.map_err(|error| {
            AskError::Failed(format!("this machine has no certificates to check https with: {error}"))
        })
    }

    /// The announced length is believed when it is too long, and never when it is not.
    async fn body(&self, answer: Response<Incoming>) -> Result<Bytes, AskError> {
        let limit = self.limits.answer;
        let too_long = || AskError::Failed(format!("its answer is longer than {limit} bytes"));
        let announced = answer.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        if announced.and_then(|digits| digits.parse::<u64>().ok()).is_some_and(|length| length > limit as u64)
        {
            return Err(too_long());
        }
        let mut body = answer.into_body();
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|error| failed(&error))?.into_data() else { continue };
            if bytes.len() + data.len() > limit {
                return Err(too_long());
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes.into())
    }
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = HyperClient::builder(TokioExecutor::new());
    builder
        .pool_max_idle_per_host(0)
        .retry_canceled_requests(false)
        .http1_max_buf_size(MAX_HEAD_LENGTH)
        .http1_max_headers(MAX_HEAD_FIELDS);
    builder
}

fn secure_client(connector: Connector) -> io::Result<HyperClient<HttpsConnector<Connector>, Full<Bytes>>> {
    let tls = HttpsConnectorBuilder::new().with_native_roots()?;
    Ok(builder().build(tls.https_only().enable_http1().wrap_connector(connector)))
}

fn request(
    target: Target,
    question: Question,
) -> Result<(Request<Full<Bytes>>, Option<&'static str>), AskError> {
    let request = Request::builder().uri(target.uri).header(USER_AGENT, "credlink");
    let (request, answer_type) = match question {
        Question::Get => (request.method(Method::GET).body(Full::default()), None),
        Question::Post { content_type, body, answer_type } => {
            let request = request.method(Method::POST).header(CONTENT_TYPE, content_type);
            (request.header(ACCEPT, answer_type).body(Full::from(body)), Some(answer_type))
        }
    };
    Ok((request.map_err(|error| failed(&error))?, answer_type))
}

fn check_type(answer: &Response<Incoming>, expected: &str) -> Result<(), AskError> {
    let found = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = found.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(AskError::Failed(format!("its answer is of the type {:?}, not {expected}", shown(found))))
}

/// A refusal of the connector lies within the client's error.
fn why(error: &HyperError) -> AskError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(ConnectError::Refused(refusal)) = error.downcast_ref() {
            return AskError::Refused(*refusal);
        }
        cause = error.source();
    }
    failed(error)
}

/// The error with its causes, made fit for a log: parts of it may come from the other side.
fn failed(error: &dyn Error) -> AskError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing into a string never fails.
        write!(text, ": {error}").ok();
        cause = error.source();
    }
    AskError::Failed(shown(&text))
}
