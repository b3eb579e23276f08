//! The trace that a request belongs to, across services: W3C Trace Context (<https://www.w3.org/TR/trace-context/>), or
//! the header of AWS X-Ray.

use std::fmt;

use axum::http::HeaderMap;
use credlink_pipeline::timestamp::Timestamp;
use uuid::Uuid;

const TRACEPARENT: &str = "traceparent";
/// Set by API Gateway and load balancers of AWS.
const AMAZON_TRACE_ID: &str = "x-amzn-trace-id";

/// One request within a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceContext {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    /// Who caused it; `None` when the trace begins here.
    pub(crate) parent: Option<SpanId>,
    /// Whether whoever began the trace wants it recorded.
    pub(crate) is_sampled: bool,
}

/// 32 hexadecimal digits. Those that begin here begin with the time in seconds, as X-Ray wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceId(u128);

/// 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpanId(u64);

impl TraceContext {
    /// The trace that the headers name, or a new one.
    pub(crate) fn of(headers: &HeaderMap, now: Timestamp) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let came = text(TRACEPARENT).and_then(traceparent).or_else(|| text(AMAZON_TRACE_ID).and_then(amazon));
        let (trace, parent, is_sampled) = came.unwrap_or_else(|| (TraceId::new(now), None, true));
        Self { trace, span: SpanId::new(), parent, is_sampled }
    }
}

type Came = (TraceId, Option<SpanId>, bool);

/// `00-<trace>-<parent>-<flags>`; later versions may have more behind that.
fn traceparent(text: &str) -> Option<Came> {
    let mut parts = text.trim().split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_known = digits(version, 2)? != 0xFF && (version != "00" || parts.next().is_none());
    let (trace, parent, flags) = (digits(trace, 32)?, digits(parent, 16)?, digits(flags, 2)?);
    let parent = u64::try_from(parent).ok()?;
    (is_known && trace != 0 && parent != 0).then_some((TraceId(trace), Some(SpanId(parent)), flags & 1 == 1))
}

/// `Root=1-<8 digits>-<24 digits>;Parent=<16 digits>;Sampled=1`.
fn amazon(text: &str) -> Option<Came> {
    let field = |name| text.split(';').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
    let (seconds, rest) = field("Root")?.strip_prefix("1-")?.split_once('-')?;
    let trace = digits(seconds, 8)? << 96 | digits(rest, 24)?;
    let parent = field("Parent").and_then(|parent| u64::try_from(digits(parent, 16)?).ok());
    Some((TraceId(trace), parent.map(SpanId), field("Sampled") != Some("0")))
}

/// So many hexadecimal digits in lower case.
fn digits(text: &str, count: usize) -> Option<u128> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let whole = text.len() == count && text.bytes().all(lower);
    whole.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

impl TraceId {
    fn new(now: Timestamp) -> Self {
        let seconds = u32::try_from(now.unix_seconds()).unwrap_or(0);
        Self(u128::from(seconds) << 96 | Uuid::new_v4().as_u128() >> 32)
    }
}

impl SpanId {
    fn new() -> Self {
        Self(Uuid::new_v4().as_u64_pair().1)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(name: &'static str, value: &'static str) -> TraceContext {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        TraceContext::of(&headers, Timestamp::parse("2026-03-01T00:00:00Z").unwrap())
    }

    #[test]
    fn a_trace_goes_on() {
        let ours = context(TRACEPARENT, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        assert_eq!(ours.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(ours.parent.unwrap().to_string(), "00f067aa0ba902b7");
        assert!(ours.is_sampled);
        assert!(
            !context(TRACEPARENT, "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-what").is_sampled
        );
        let ours = context(
            AMAZON_TRACE_ID,
            "Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=0",
        );
        assert_eq!(ours.trace.to_string(), "67891233abcdef012345678912345678");
        assert_eq!(ours.parent.unwrap().to_string(), "463ac35c9f6413ad");
        assert!(!ours.is_sampled);
    }

    #[test]
    fn what_cannot_be_read_begins_a_new_one() {
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            let ours = context(TRACEPARENT, wrong);
            assert_eq!(ours.parent, None, "{wrong}");
            // Seconds of 2026-03-01.
            assert!(ours.trace.to_string().starts_with("69a38180"), "{}", ours.trace);
        }
    }
}
