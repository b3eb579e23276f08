//! A client with as many connections as requests are on their way; they are kept for the next ones.

use std::{cell::RefCell, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, StatusCode,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task, time};

use crate::request::Request;

/// The longest that a caller waits.
const PATIENCE: Duration = Duration::from_secs(30);

type Connection = SendRequest<Full<Bytes>>;

/// Sends requests to one server.
pub struct Client {
    address: SocketAddr,
    idle: RefCell<Vec<Connection>>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200, read to its end.
    Done,
    /// 429 or 503.
    Refused { says_when_to_retry: bool },
    /// Any other status.
    Status(StatusCode),
    /// No connection, one that broke, or no answer in 30 seconds.
    Broken,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, idle: RefCell::default() }
    }

    /// Sends it and waits for the whole answer.
    pub async fn send(&self, request: &Request) -> Answer {
        time::timeout(PATIENCE, self.exchange(request)).await.ok().flatten().unwrap_or(Answer::Broken)
    }

    /// The body of the answer 200.
    pub async fn fetch(&self, request: &Request) -> Bytes {
        let mut connection = self.connect().await.expect("the server takes a connection");
        let response = connection.send_request(self.http(request)).await.expect("the server answers");
        let status = response.status();
        let body = response.into_body().collect().await.expect("the answer has an end").to_bytes();
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
        body
    }

    async fn exchange(&self, request: &Request) -> Option<Answer> {
        let (mut connection, response) = self.begin(request).await?;
        let status = response.status();
        let answer = match status {
            StatusCode::OK => Answer::Done,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Answer::Refused { says_when_to_retry: response.headers().contains_key(header::RETRY_AFTER) }
            }
            other => Answer::Status(other),
        };
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            frame.ok()?;
        }
        if connection.ready().await.is_ok() {
            self.idle.borrow_mut().push(connection);
        }
        Some(answer)
    }

    /// On a connection that was kept, or else on a new one. A server may close one while it is idle; then nothing was
    /// sent on it.
    async fn begin(&self, request: &Request) -> Option<(Connection, hyper::Response<Incoming>)> {
        loop {
            let kept = self.idle.borrow_mut().pop().filter(|connection| !connection.is_closed());
            let (mut connection, is_kept) = match kept {
                Some(connection) => (connection, true),
                None if self.idle.borrow().is_empty() => (self.connect().await?, false),
                None => continue,
            };
            match connection.send_request(self.http(request)).await {
                Ok(response) => return Some((connection, response)),
                Err(error) if is_kept && (error.is_canceled() || error.is_closed()) => {}
                Err(_) => return None,
            }
        }
    }

    async fn connect(&self) -> Option<Connection> {
        let stream = TcpStream::connect(self.address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (connection, driver) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        task::spawn_local(async move { drop(driver.await) });
        Some(connection)
    }

    fn http(&self, request: &Request) -> hyper::Request<Full<Bytes>> {
        hyper::Request::builder()
            .method(Method::POST)
            .uri(request.path)
            .header(header::HOST, self.address.to_string())
            .header(header::CONTENT_TYPE, &request.content_type)
            .body(Full::new(request.body.clone()))
            .expect("a request")
    }
}
