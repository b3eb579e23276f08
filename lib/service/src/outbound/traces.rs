//! Spans for a collector of OpenTelemetry: OTLP over HTTP, in JSON.
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>
//!
//! One span for each request is all that the service has to say, so it writes the message itself. On AWS Lambda nothing
//! is sent: Lambda reports its own spans to X-Ray, and log lines name the same trace.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use credlink_pipeline::timestamp::Timestamp;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    time,
};

use super::{
    client::{Client, Limits, Question},
    network::SystemNetwork,
    reach::PrivateHosts,
    target::{Refusal, Target},
};
use crate::middleware::TraceContext;

/// How long one message may take, and the longest answer, in bytes.
const MAX_TIME: Duration = Duration::from_secs(10);
const MAX_ANSWER_LENGTH: usize = 64 << 10;

/// The most spans in one message, and how long the first one waits for others.
const MAX_SPANS: usize = 256;
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The most spans that wait; others are dropped.
const MAX_WAITING: usize = 4096;

/// Where a collector is: the address before `/v1/traces`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceCollector {
    url: String,
    target: Target,
}

/// An address that no collector has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}; allowed is a URL such as http://127.0.0.1:4318")]
pub struct TraceCollectorError(#[from] Refusal);

impl FromStr for TraceCollector {
    type Err = TraceCollectorError;

    fn from_str(text: &str) -> Result<Self, TraceCollectorError> {
        let url = format!("{}/v1/traces", text.trim_end_matches('/'));
        Ok(Self { target: url.parse()?, url })
    }
}

impl fmt::Display for TraceCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// One request that was answered.
#[derive(Clone, Debug)]
pub(crate) struct SpanReport {
    pub(crate) context: TraceContext,
    pub(crate) method: String,
    pub(crate) route: String,
    pub(crate) status: u16,
    pub(crate) began: Timestamp,
    pub(crate) took: Duration,
}

/// Sends spans, behind the answers. At the end of the process, those of the last seconds are lost.
#[derive(Clone)]
pub struct Traces(Sender<SpanReport>);

impl Traces {
    /// To this collector, which may be anywhere, because the operator chose it. Needs a runtime.
    pub fn to(collector: TraceCollector) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        tokio::spawn(send_all(collector, receiver));
        Self(sender)
    }

    /// Puts a span down to be sent; drops it when too many wait.
    pub(crate) fn note(&self, span: SpanReport) {
        if self.0.try_send(span).is_err() {
            tracing::debug!("too many spans wait to be sent; one is dropped");
        }
    }
}

async fn send_all(collector: TraceCollector, mut spans: Receiver<SpanReport>) {
    let limits = Limits { time: MAX_TIME, answer: MAX_ANSWER_LENGTH, at_once: 1 };
    let client = Client::new(Arc::new(SystemNetwork::new()), PrivateHosts::only(&collector.target), limits);
    let mut is_down = false;
    while let Some(first) = spans.recv().await {
        let mut batch = vec![span(&first)];
        let gather = async {
            while batch.len() < MAX_SPANS
                && let Some(next) = spans.recv().await
            {
                batch.push(span(&next));
            }
        };
        // Either way, what came is sent.
        let _timed_out = time::timeout(MAX_WAIT, gather).await;
        let question = Question::Post {
            content_type: "application/json",
            body: message(&batch).to_string().into_bytes(),
            answer_type: "application/json",
        };
        let sent = client.ask(&collector.url, question).await;
        // One line when it begins, not one for each message.
        if let Err(error) = &sent
            && !is_down
        {
            tracing::warn!(%error, %collector, "traces cannot be sent");
        }
        is_down = sent.is_err();
    }
}

fn message(spans: &[Value]) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    json!({ "resourceSpans": [{
        "resource": { "attributes": [text("service.name", "credlink"), text("service.version", version)] },
        "scopeSpans": [{ "scope": { "name": "credlink", "version": version }, "spans": spans }],
    }] })
}

fn span(report: &SpanReport) -> Value {
    let SpanReport { context, method, route, status, began, took } = report;
    let start = began.as_offset_date_time().unix_timestamp_nanos();
    let end = start.saturating_add(i128::try_from(took.as_nanos()).unwrap_or(0));
    let mut span = json!({
        "traceId": context.trace.to_string(),
        "spanId": context.span.to_string(),
        "name": format!("{method} {route}"),
        // A server's.
        "kind": 2,
        "startTimeUnixNano": start.to_string(),
        "endTimeUnixNano": end.to_string(),
        "attributes": [
            text("http.request.method", method),
            text("http.route", route),
            { "key": "http.response.status_code", "value": { "intValue": status.to_string() } },
        ],
        // An error is what is the server's fault.
        "status": if *status >= 500 { json!({ "code": 2 }) } else { json!({}) },
    });
    if let (Some(parent), Some(fields)) = (context.parent, span.as_object_mut()) {
        fields.insert("parentSpanId".to_owned(), parent.to_string().into());
    }
    span
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}
