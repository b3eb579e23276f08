//! What is told of a fault, and what is not: against a server that takes it as Sentry does.

use axum::http::Request;
use credlink_pipeline::signer::SignerError;
use credlink_service::{
    Entrance, Ports,
    outbound::{Delivery, FaultReports},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::support::{form, form_type, get, png, ports_with_proofs, ports_with_signer, send, service_with};

const SECRET: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";

/// Takes one request and answers as Sentry does; its head and its body.
pub(super) async fn take(listener: &TcpListener) -> (String, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut received = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece).await.unwrap();
        received.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&received).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let announced = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if announced.is_some_and(|announced: usize| body.len() >= announced) {
            let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
            stream.write_all(answer.as_bytes()).await.unwrap();
            return (head.to_owned(), body.to_owned());
        }
    }
}

async fn sentry() -> (TcpListener, FaultReports) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dsn = format!("http://publickey@{}/42", listener.local_addr().unwrap());
    (listener, FaultReports::new(dsn.parse().unwrap(), Delivery::Before))
}

fn told(reports: FaultReports, ports: Ports) -> Ports {
    let entrance = Entrance { fault_reports: Some(reports), ..Entrance::default() };
    Ports { entrance, ..ports }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_told_without_anything_of_the_request() {
    let (listener, reports) = sentry().await;
    let broken = ports_with_signer(|| Err(SignerError::Unusable(format!("bad key {SECRET}"))));
    let service = service_with(told(reports, broken), &[]);
    let body = form(&[("image", Some("holiday.png"), &png(40, 40)), ("creator", None, b"Jane-the-creator")]);
    let request = Request::post("/sign?token=query-token")
        .header("content-type", form_type())
        .header("x-api-key", "credlink_0123456789abcdef")
        .header("authorization", "Bearer bearer-token")
        .header("cookie", "session=cookie-value")
        .header("user-agent", "some-agent")
        .header("x-request-id", "request-1");
    let request = request.body(body.into()).unwrap();
    let ((head, envelope), answer) = tokio::join!(take(&listener), send(&service, request));
    answer.error("CERTIFICATE_INVALID");

    assert!(head.starts_with("POST /api/42/envelope/?sentry_version=7&sentry_key=publickey&"), "{head}");
    let lines: Vec<Value> = envelope.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [header, item, event] = &lines[..] else { panic!("{envelope}") };
    assert_eq!((&item["type"], &header["event_id"]), (&Value::from("event"), &event["event_id"]));
    assert_eq!(event["transaction"], "POST /sign");
    assert_eq!(event["tags"]["request_id"], "request-1");
    assert_eq!(event["tags"]["status"], "500");
    let exception = &event["exception"]["values"][0];
    assert_eq!(exception["type"], "CERTIFICATE_INVALID");
    assert!(exception["value"].as_str().unwrap().contains("bad key [removed]"), "{exception}");
    let everything = format!("{head}{envelope}");
    for kept_back in
        [SECRET, "Jane", "holiday", "token", "credlink_0", "session", "some-agent", "PNG", "IHDR"]
    {
        assert!(!everything.contains(kept_back), "{kept_back}: {everything}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_fault_is_not_told() {
    let (listener, reports) = sentry().await;
    let down =
        ports_with_proofs(|| credlink_pipeline::proof::ProofStoreError::Unavailable("down".to_owned()));
    let service = service_with(told(reports, down), &[]);
    get(&service, "/nothing", &[]).await.error("NOT_FOUND");
    get(&service, "/proofs/0f0e0d0c-0b0a-4908-8706-050403020100", &[]).await.error("SERVICE_UNAVAILABLE");
    let waiting =
        std::future::poll_fn(|cx| std::task::Poll::Ready(listener.poll_accept(cx).is_ready())).await;
    assert!(!waiting, "somebody was told");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_changes_nothing() {
    let (listener, reports) = sentry().await;
    drop(listener);
    let broken = ports_with_signer(|| Err(SignerError::Unusable("bad".to_owned())));
    let service = service_with(told(reports, broken), &[]);
    let body = form(&[("image", None, &png(4, 4))]);
    let request = Request::post("/sign").header("content-type", form_type()).body(body.into()).unwrap();
    send(&service, request).await.error("CERTIFICATE_INVALID");
}
