//! The service on a real socket, from its start to its end.

use std::{
    sync::{Mutex, mpsc},
    time::Duration,
};

use credlink_pipeline::digest::Sha256Hash;
use credlink_service::server::{Ending, Server};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time,
};

use crate::support::{form, form_type, png, ports, ports_with_signer, service_with};

/// A service on a free port.
struct Running {
    url: String,
    stop: oneshot::Sender<()>,
    ending: JoinHandle<Ending>,
}

impl Running {
    async fn start(router: axum::Router) -> Self {
        let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let url = server.url();
        let (stop, stopped) = oneshot::channel();
        let ending = tokio::spawn(server.run(router, async { drop(stopped.await) }));
        Self { url, stop, ending }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.url.strip_prefix("http://").unwrap()).await.unwrap()
    }

    async fn finish(self) -> Ending {
        self.stop.send(()).unwrap();
        time::timeout(Duration::from_secs(20), self.ending).await.expect("the service ends").unwrap()
    }
}

fn post(path: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Head and body of the next answer; its length must be announced.
async fn answer(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    (head, body)
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn signs_and_verifies_over_one_connection() {
    let running = Running::start(service_with(ports(), &[])).await;
    let mut stream = running.connect().await;
    let image = png(300, 200);
    stream.write_all(&post("/sign", &form_type(), &form(&[("image", None, &image)]))).await.unwrap();
    let (head, signed) = answer(&mut stream).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(signed.len() > image.len());
    let path = header(&head, "x-proof-uri").strip_prefix("http://127.0.0.1:3001").unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
    let (_, record) = answer(&mut stream).await;
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["imageHash"], Sha256Hash::of(&image).to_string());
    stream.write_all(&post("/verify", "image/png", &signed)).await.unwrap();
    let (_, report) = answer(&mut stream).await;
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["confidence"], 100, "{report}");
    assert_eq!(running.finish().await, Ending::Finished, "the idle connection is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_at_the_end_is_finished() {
    let (entered, has_entered) = oneshot::channel();
    let (release, released) = mpsc::channel::<()>();
    let gate = Mutex::new((Some(entered), released));
    let ports = ports_with_signer(move || {
        let mut gate = gate.lock().unwrap();
        if let Some(entered) = gate.0.take() {
            entered.send(()).unwrap();
        }
        let _released = gate.1.recv();
        Ok(())
    });
    let running = Running::start(service_with(ports, &[])).await;
    let (mut busy, mut idle) = (running.connect().await, running.connect().await);
    busy.write_all(&post("/sign", &form_type(), &form(&[("image", None, &png(4, 4))]))).await.unwrap();
    has_entered.await.unwrap();

    let url = running.url.clone();
    let ending = tokio::spawn(running.finish());
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0, "an idle connection is closed at once");
    assert!(TcpStream::connect(url.strip_prefix("http://").unwrap()).await.is_err(), "nobody is accepted");
    drop(release);
    let (head, _) = answer(&mut busy).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(ending.await.unwrap(), Ending::Finished);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_arrives_during_the_end_is_still_served() {
    let running = Running::start(service_with(ports(), &[])).await;
    let mut stream = running.connect().await;
    let request = post("/verify", "image/png", &png(40, 40));
    let (first, second) = request.split_at(request.len() - 10);
    stream.write_all(first).await.unwrap();
    // The same connection is served in order, so an answer on another one says nothing; but this expectation
    // is answered as soon as the service reads the body.
    let mut other = running.connect().await;
    other
        .write_all(b"POST /verify HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
        .await
        .unwrap();
    let mut interim = [0; 25];
    other.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    let ending = tokio::spawn(running.finish());
    stream.write_all(second).await.unwrap();
    other.write_all(b"x").await.unwrap();
    assert!(answer(&mut other).await.0.starts_with("http/1.1 400"));
    assert!(answer(&mut stream).await.0.starts_with("http/1.1 200"));
    assert_eq!(ending.await.unwrap(), Ending::Finished);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_before_sending_too_much_is_told_at_once() {
    let running = Running::start(service_with(ports(), &[])).await;
    let mut stream = running.connect().await;
    let head = "POST /verify HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (head, body) = answer(&mut stream).await;
    assert!(head.starts_with("http/1.1 413"), "{head}");
    assert_eq!(header(&head, "connection"), "close");
    assert!(String::from_utf8(body).unwrap().contains("FILE_TOO_LARGE"));
    assert_eq!(running.finish().await, Ending::Finished);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_much_first_gets_the_answer_all_the_same() {
    let running = Running::start(service_with(ports(), &[("MAX_FILE_SIZE_MB", "1")])).await;
    let mut stream = running.connect().await;
    stream.write_all(&post("/verify", "image/png", &vec![0; 40 << 20])).await.unwrap();
    let (head, _) = answer(&mut stream).await;
    assert!(head.starts_with("http/1.1 413"), "{head}");
    assert_eq!(running.finish().await, Ending::Finished);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_megabytes_are_taken_and_one_byte_more_is_not() {
    let running = Running::start(service_with(ports(), &[])).await;
    let mut image = png(16, 16);
    image.resize(50 << 20, 0);
    let mut stream = running.connect().await;
    stream.write_all(&post("/verify", "image/png", &image)).await.unwrap();
    assert!(answer(&mut stream).await.0.starts_with("http/1.1 200"));
    image.push(0);
    stream.write_all(&post("/sign", &form_type(), &form(&[("image", None, &image)]))).await.unwrap();
    let (head, body) = answer(&mut stream).await;
    assert!(head.starts_with("http/1.1 413"), "{head}");
    assert!(String::from_utf8(body).unwrap().contains("50 MB"));
    assert_eq!(running.finish().await, Ending::Finished);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_does_no_harm() {
    let running = Running::start(service_with(ports(), &[])).await;
    let request = post("/sign", &form_type(), &form(&[("image", None, &png(50, 50))]));
    for length in [0, 1, 20, 150, request.len() - 1, request.len()] {
        let mut stream = running.connect().await;
        stream.write_all(&request[..length]).await.unwrap();
        drop(stream);
    }
    let mut stream = running.connect().await;
    stream.write_all(&request).await.unwrap();
    assert!(answer(&mut stream).await.0.starts_with("http/1.1 200"));
    drop(stream);
    assert_eq!(running.finish().await, Ending::Finished);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_refused_unread_does_not_break_the_next_one() {
    let running = Running::start(service_with(ports(), &[])).await;
    let body = vec![b'x'; 300_000];
    for (path, kind, status) in [
        ("/verify", "text/plain", "415"),
        ("/sign", "image/png", "415"),
        ("/sign", "application/json", "400"),
        ("/nothing", "text/plain", "404"),
        ("/health", "text/plain", "405"),
    ] {
        let mut stream = running.connect().await;
        for _ in 0..3 {
            stream.write_all(&post(path, kind, &body)).await.unwrap();
            let (head, _) = answer(&mut stream).await;
            assert!(head.starts_with(&format!("http/1.1 {status}")), "{head}");
            assert!(!head.contains("connection: close"), "{head}");
        }
    }
    assert_eq!(running.finish().await, Ending::Finished);
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error() {
    let first = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    assert!(first.url().starts_with("http://127.0.0.1:"));
    assert!(Server::bind(first.address()).await.is_err());
}
