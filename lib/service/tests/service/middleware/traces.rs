//! Spans, as a collector of OpenTelemetry gets them.

use credlink_service::{Entrance, Ports, outbound::Traces};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::{get, ports, service_with};

use super::error_tracking::take;

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_a_span_of_each_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let collector = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let entrance = Entrance { traces: Some(Traces::to(collector)), ..Entrance::default() };
    let service = service_with(Ports { entrance, ..ports() }, &[]);
    let parent = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
    get(&service, "/proofs/secret-id?token=secret", &parent).await.error("PROOF_NOT_FOUND");
    let unsampled = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")];
    get(&service, "/health", &unsampled).await;

    let (head, body) = take(&listener).await;
    assert!(head.starts_with("POST /v1/traces "), "{head}");
    let message: Value = serde_json::from_str(&body).unwrap();
    let spans = &message["resourceSpans"][0]["scopeSpans"][0]["spans"];
    assert_eq!(spans.as_array().map(Vec::len), Some(1), "{message}");
    let span = &spans[0];
    assert_eq!(span["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(span["parentSpanId"], "00f067aa0ba902b7");
    assert_eq!(span["name"], "GET /proofs/{id}");
    let nanoseconds = |name: &str| span[name].as_str().unwrap().parse::<u128>().unwrap();
    assert!(nanoseconds("startTimeUnixNano") <= nanoseconds("endTimeUnixNano"));
    assert!(!body.contains("secret"), "{body}");
}
