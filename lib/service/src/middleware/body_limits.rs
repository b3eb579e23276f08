//! Watching the body of a request on its way to the handler: how much of it came, and what becomes of the
//! rest when the handler does not want it.

use std::{
    mem,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, HttpBody},
    extract::Request,
    http::{HeaderValue, header},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use tokio::time;

/// How long, how quiet and how much of a body that nobody wants is still read and thrown away. Without it, a
/// caller that sends everything before it reads gets a reset connection in place of the answer.
const MAX_DRAIN_TIME: Duration = Duration::from_secs(5);
const MAX_DRAIN_PAUSE: Duration = Duration::from_millis(500);
const MAX_DRAIN_BYTES: usize = 128 << 20;

/// What was seen of a body.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    bytes: AtomicU64,
    /// What the handler left, once it is done with it.
    rest: Mutex<Rest>,
}

/// What is left of a body.
#[derive(Debug, Default)]
enum Rest {
    /// It came to its end.
    #[default]
    Nothing,
    /// It was not read to its end.
    Unread(Body),
    /// It broke off, and must not be touched again.
    Broken,
}

impl Seen {
    /// Bytes that were read so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Puts down what is left; gives what was left before.
    fn leave(&self, rest: Rest) -> Rest {
        mem::replace(&mut *self.rest.lock().unwrap_or_else(PoisonError::into_inner), rest)
    }
}

/// Middleware: reads on what the handler left of a body, within bounds. When even then it did not end, the
/// answer announces the end of the connection, because nothing else can follow on it.
pub(super) async fn watch(request: Request, next: Next) -> Response {
    let seen = Arc::new(Seen::default());
    // Who sent `Expect: 100-continue` waits for the answer, and sends nothing before.
    let waits = request.headers().contains_key(header::EXPECT);
    let mut request = request.map(|body| Body::new(Watched { body: Some(body), seen: Arc::clone(&seen) }));
    request.extensions_mut().insert(Arc::clone(&seen));
    let mut response = next.run(request).await;
    let ended = match seen.leave(Rest::Nothing) {
        Rest::Nothing => true,
        Rest::Unread(rest) => !waits && drained(rest).await,
        Rest::Broken => false,
    };
    if !ended {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Whether the body came to its end within bounds.
async fn drained(mut body: Body) -> bool {
    let drain = async {
        let mut bytes = 0;
        while bytes < MAX_DRAIN_BYTES {
            match time::timeout(MAX_DRAIN_PAUSE, body.frame()).await {
                Ok(None) => return true,
                Ok(Some(Ok(frame))) => bytes += frame.data_ref().map_or(0, Bytes::len),
                Ok(Some(Err(_))) | Err(_) => return false,
            }
        }
        false
    };
    time::timeout(MAX_DRAIN_TIME, drain).await.unwrap_or(false)
}

/// A body that is watched. It keeps the announced length, which decides whether a body is read at all.
struct Watched {
    /// `None` when it has ended or broken off.
    body: Option<Body>,
    seen: Arc<Seen>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(&mut *body).poll_frame(cx);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                self.seen.bytes.fetch_add(length as u64, Ordering::Relaxed);
            }
            Poll::Ready(None) => self.body = None,
            Poll::Ready(Some(Err(_))) => {
                self.body = None;
                self.seen.leave(Rest::Broken);
            }
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            self.seen.leave(Rest::Unread(body));
        }
    }
}
