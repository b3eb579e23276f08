//! One log line for every request: what was asked, how it ended, how long it took, how many bytes moved.
//! Never what was in them.

use std::{sync::Arc, time::Instant};

use axum::{
    body::HttpBody as _,
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};

use crate::request_body::Seen;

/// Middleware: writes the line when the answer is ready, or when the caller went away before.
pub(crate) async fn write(request: Request, next: Next) -> Response {
    let mut line = Line {
        method: request.method().to_string(),
        route: request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()),
        started: Instant::now(),
        body: request.extensions().get::<Arc<Seen>>().cloned().unwrap_or_default(),
        outcome: None,
    };
    let response = next.run(request).await;
    line.outcome = Some((response.status().as_u16(), response.body().size_hint().exact().unwrap_or(0)));
    response
}

/// Written when it is dropped, so that a request whose caller hung up leaves its line as well.
struct Line {
    method: String,
    route: Option<String>,
    started: Instant,
    body: Arc<Seen>,
    /// Status and length of the answer; `None` when there was nobody left to answer.
    outcome: Option<(u16, u64)>,
}

impl Drop for Line {
    fn drop(&mut self) {
        let route = self.route.as_deref().unwrap_or("unmatched");
        let duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let bytes_in = self.body.bytes();
        let method = self.method.as_str();
        match self.outcome {
            Some((status, bytes_out)) => {
                tracing::info!(method, route, status, duration_ms, bytes_in, bytes_out, "request");
            }
            None => tracing::info!(method, route, duration_ms, bytes_in, "caller went away"),
        }
    }
}
