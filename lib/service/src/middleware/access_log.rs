//! One log line for every request, with the fields of the combined log format: who asked what, how it ended, how long
//! it took, how many bytes moved. Never what was in them.

use std::{sync::Arc, time::Instant};

use axum::{
    body::HttpBody as _,
    extract::{MatchedPath, Request, State},
    http::{HeaderName, header},
    middleware::Next,
    response::Response,
};

use super::{api_keys::KnownCaller, body_limits::Seen, client_address::ClientAddress};
use crate::service::Service;

/// The longest text that is taken over from a caller, in bytes.
const MAX_TEXT_LENGTH: usize = 256;

/// Middleware: writes the line when the answer is ready, or when the caller went away before.
pub(super) async fn write(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let mut line = Line {
        client: ClientAddress::of(&request, service.settings.http.trusted_proxies),
        method: request.method().to_string(),
        path: path(&request, route.as_deref()),
        protocol: format!("{:?}", request.version()),
        referer: text(&request, &header::REFERER),
        user_agent: text(&request, &header::USER_AGENT),
        route,
        api_key: None,
        started: Instant::now(),
        body: request.extensions().get::<Arc<Seen>>().cloned().unwrap_or_default(),
        outcome: None,
    };
    let response = next.run(request).await;
    line.api_key = response.extensions().get::<KnownCaller>().map(|KnownCaller(id)| id.to_string());
    line.outcome = Some((response.status().as_u16(), response.body().size_hint().exact().unwrap_or(0)));
    response
}

/// Written when it is dropped, so that a request whose caller hung up leaves its line as well.
struct Line {
    client: ClientAddress,
    method: String,
    path: String,
    protocol: String,
    referer: String,
    user_agent: String,
    route: Option<String>,
    /// The id of the key that came with it.
    api_key: Option<String>,
    started: Instant,
    body: Arc<Seen>,
    /// Status and length of the answer; `None` when there was nobody left to answer.
    outcome: Option<(u16, u64)>,
}

impl Drop for Line {
    fn drop(&mut self) {
        let duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (status, bytes_out) = self.outcome.unzip();
        tracing::info!(
            client = %self.client,
            api_key = self.api_key,
            method = self.method,
            path = self.path,
            protocol = self.protocol,
            route = self.route.as_deref().unwrap_or("unmatched"),
            status,
            duration_ms,
            bytes_in = self.body.bytes(),
            bytes_out,
            referer = self.referer,
            user_agent = self.user_agent,
            "{}",
            if self.outcome.is_some() { "request" } else { "caller went away" }
        );
    }
}

/// The path without its query. Who knows the name of an upload or of a result may use it, so of these the log has
/// the route only.
fn path(request: &Request, route: Option<&str>) -> String {
    match route {
        Some(route @ ("/uploads/{id}" | "/results/{name}")) => route.to_owned(),
        _ => cut(request.uri().path()),
    }
}

/// A header's text. What stands in the query of a referring page is no business of this service.
fn text(request: &Request, name: &HeaderName) -> String {
    let value = request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let value = value.unwrap_or_default();
    cut(if *name == header::REFERER { value.split(['?', '#']).next().unwrap_or_default() } else { &value })
}

fn cut(text: &str) -> String {
    text.get(..text.floor_char_boundary(MAX_TEXT_LENGTH)).unwrap_or_default().to_owned()
}
