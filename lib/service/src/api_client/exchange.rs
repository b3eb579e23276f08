//! One request and its answer.

use std::{error::Error, fmt::Write as _, io, time::Duration};

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::Request;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HyperClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::{sync::OnceCell, task, time};

use super::{ApiClientError, answer::Answer, not_understood, patience::Failure};
use crate::pieces::Pieces;

/// How long connecting may take.
const MAX_CONNECT_TIME: Duration = Duration::from_secs(10);

/// How long an unused connection is kept: less than load balancers keep theirs.
const MAX_IDLE_TIME: Duration = Duration::from_secs(20);

/// Sends requests. No redirects, no cookies, no proxies.
pub(super) struct Exchange {
    plain: HyperClient<HttpConnector, Pieces>,
    /// Made when it is first needed: reading the platform's roots takes milliseconds, and there may be none.
    secure: OnceCell<HyperClient<HttpsConnector<HttpConnector>, Pieces>>,
}

impl Exchange {
    /// No connection is made yet.
    pub(super) fn new() -> Self {
        Self { plain: builder().build(connector()), secure: OnceCell::new() }
    }

    /// The answer, whatever its status is; or what was in the way, which may pass.
    ///
    /// # Errors
    /// What does not pass.
    pub(super) async fn send(
        &self,
        request: Request<Pieces>,
        limit: Duration,
        longest: usize,
    ) -> Result<Result<Answer, Failure>, ApiClientError> {
        let is_secure = request.uri().scheme_str() == Some("https");
        let asked = async {
            let answer = if is_secure {
                self.secure().await?.request(request).await
            } else {
                self.plain.request(request).await
            };
            let (head, body) = match answer {
                Ok(answer) => answer.into_parts(),
                Err(error) => return Ok(Err(Failure::passing(described(&error)))),
            };
            match Limited::new(body, longest).collect().await {
                Ok(body) => {
                    Ok(Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() }))
                }
                Err(error) if error.is::<LengthLimitError>() => Err(not_understood("it is too long")),
                Err(error) => Ok(Err(Failure::passing(described(&*error)))),
            }
        };
        let late = |_| Ok(Err(Failure::passing(format!("there was no whole answer within {limit:?}"))));
        time::timeout(limit, asked).await.unwrap_or_else(late)
    }

    async fn secure(&self) -> Result<&HyperClient<HttpsConnector<HttpConnector>, Pieces>, ApiClientError> {
        let make = || async {
            let made = task::spawn_blocking(secure_client).await;
            made.map_err(io::Error::other).flatten()
        };
        self.secure.get_or_try_init(make).await.map_err(|error| {
            ApiClientError::Unable(format!("this machine has no certificates to check https with: {error}"))
        })
    }
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = HyperClient::builder(TokioExecutor::new());
    builder.pool_idle_timeout(MAX_IDLE_TIME).pool_timer(TokioTimer::new());
    builder
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(MAX_CONNECT_TIME));
    connector.set_nodelay(true);
    connector
}

fn secure_client() -> io::Result<HyperClient<HttpsConnector<HttpConnector>, Pieces>> {
    let mut connector = connector();
    connector.enforce_http(false);
    let tls = HttpsConnectorBuilder::new().with_native_roots()?;
    Ok(builder().build(tls.https_only().enable_http1().wrap_connector(connector)))
}

/// The error with its causes. No URL is among them.
fn described(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing into a string never fails.
        write!(text, ": {error}").ok();
        cause = error.source();
    }
    text
}
