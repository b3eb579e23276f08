//! One log line for every request: what was asked, how it ended, how long it took, how many bytes moved.
//! Never what was in them.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};

use axum::{
    body::{Body, HttpBody},
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

/// Middleware: writes the line when the answer is ready, or when the caller went away before.
pub(crate) async fn write(request: Request, next: Next) -> Response {
    let mut line = Line {
        method: request.method().to_string(),
        route: request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()),
        started: Instant::now(),
        bytes_in: Arc::default(),
        outcome: None,
    };
    let bytes_in = Arc::clone(&line.bytes_in);
    let request = request.map(|body| Body::new(Counted { body, bytes: bytes_in }));
    let response = next.run(request).await;
    line.outcome = Some((response.status().as_u16(), response.body().size_hint().exact().unwrap_or(0)));
    response
}

/// Written when it is dropped, so that a request whose caller hung up leaves its line as well.
struct Line {
    method: String,
    route: Option<String>,
    started: Instant,
    bytes_in: Arc<AtomicU64>,
    /// Status and length of the answer; `None` when there was nobody left to answer.
    outcome: Option<(u16, u64)>,
}

impl Drop for Line {
    fn drop(&mut self) {
        let route = self.route.as_deref().unwrap_or("unmatched");
        let duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let bytes_in = self.bytes_in.load(Ordering::Relaxed);
        let method = self.method.as_str();
        match self.outcome {
            Some((status, bytes_out)) => {
                tracing::info!(method, route, status, duration_ms, bytes_in, bytes_out, "request");
            }
            None => tracing::info!(method, route, duration_ms, bytes_in, "caller went away"),
        }
    }
}

/// A body that counts what goes through it. It keeps the announced length, which decides whether a body is
/// read at all.
struct Counted {
    body: Body,
    bytes: Arc<AtomicU64>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            let length = frame.data_ref().map_or(0, Bytes::len);
            self.bytes.fetch_add(length as u64, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
