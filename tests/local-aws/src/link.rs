//! A line to the local AWS that breaks when a test wants it to.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    thread,
};

use bytes::Bytes;
use credlink_aws::SdkConfig;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body, Frame, Incoming},
    client,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue},
    http::request::Parts,
    server,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime, select,
    sync::oneshot,
};

use crate::LocalAws;

/// A line between clients and the local AWS. A test decides what becomes of each request, the SDK's own repetitions
/// included. It ends when it is dropped.
pub struct FaultyLink {
    address: SocketAddr,
    _end: oneshot::Sender<Infallible>,
}

/// A request on its way to AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The HTTP method.
    pub method: Method,
    /// The path, without the query.
    pub path: String,
    /// What the header `x-amz-target` names, without the service: `GetItem`. Empty for S3.
    pub operation: String,
    /// The body.
    pub body: Bytes,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes through.
    Pass,
    /// It never arrives; an error answers, with this HTTP status and code.
    Fail(u16, &'static str),
    /// It never arrives; this JSON answers, with this HTTP status.
    Answer(u16, String),
    /// It never arrives; the connection breaks.
    Lose,
    /// It arrives and is done, but the connection breaks before the answer.
    LoseAnswer,
    /// It arrives and is done, but the connection breaks in the middle of the answer's body.
    CutAnswer,
}

impl Fate {
    /// The service has a fault: status 500.
    pub fn server_fault() -> Self {
        Self::Fail(500, "InternalError")
    }

    /// DynamoDB has no capacity left: status 400.
    pub fn throttled() -> Self {
        Self::Fail(400, "ProvisionedThroughputExceededException")
    }
}

impl FaultyLink {
    /// Opens a line to `aws`; `decide` is asked about each request, in the order of their arrival.
    pub fn to(aws: &LocalAws, decide: impl FnMut(&Call) -> Fate + Send + 'static) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let line = Line { upstream: aws.address, decide: Arc::new(Mutex::new(decide)) };
        let (end, ended) = oneshot::channel();
        // With a runtime of its own, so that it works whatever the test does on its threads.
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                select! {
                    _ = ended => {}
                    () = line.serve(listener) => {}
                }
            });
        });
        Self { address, _end: end }
    }

    /// What clients on this side of the line are made with.
    pub fn sdk_config(&self) -> SdkConfig {
        crate::sdk_config_at(&format!("http://{}", self.address))
    }
}

type Decide = dyn FnMut(&Call) -> Fate + Send;

#[derive(Clone)]
struct Line {
    upstream: SocketAddr,
    decide: Arc<Mutex<Decide>>,
}

impl Line {
    async fn serve(&self, listener: TcpListener) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let line = self.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| line.carry(request));
                // An error is what breaks a connection; it is wanted then.
                drop(
                    server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await,
                );
            });
        }
    }

    async fn carry(&self, request: Request<Incoming>) -> Result<Response<Answer>, io::Error> {
        let (head, body) = request.into_parts();
        // Read to its end in any case, as AWS does.
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let call = Call::of(&head, body.clone());
        let fate = (self.decide.lock().unwrap())(&call);
        let forwarded = Request::from_parts(head, Full::new(body));
        match fate {
            Fate::Pass => self.forward(forwarded).await,
            Fate::Fail(status, code) => Ok(call.error(status, code)),
            Fate::Answer(status, json) => Ok(answer(status, "application/x-amz-json-1.0", json)),
            Fate::Lose => Err(io::Error::other("lost")),
            Fate::LoseAnswer => {
                self.forward(forwarded).await?;
                Err(io::Error::other("lost"))
            }
            Fate::CutAnswer => {
                let mut answer = self.forward(forwarded).await?;
                answer.body_mut().cut();
                Ok(answer)
            }
        }
    }

    async fn forward(&self, request: Request<Full<Bytes>>) -> Result<Response<Answer>, io::Error> {
        let stream = TcpStream::connect(self.upstream).await?;
        let (mut sender, connection) =
            client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(io::Error::other)?;
        let (mut head, body) = answer.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        state_length(&mut head.headers, &body);
        Ok(Response::from_parts(head, Answer { body: Some(body), is_cut: false }))
    }
}

impl Call {
    fn of(request: &Parts, body: Bytes) -> Self {
        let target = request.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        Self {
            method: request.method.clone(),
            path: request.uri.path().to_owned(),
            operation: target.and_then(|target| target.rsplit('.').next()).unwrap_or_default().to_owned(),
            body,
        }
    }

    fn error(&self, status: u16, code: &str) -> Response<Answer> {
        if self.operation.is_empty() {
            let xml = format!("<Error><Code>{code}</Code><Message>as the test wants it</Message></Error>");
            return answer(status, "application/xml", xml);
        }
        let json = format!(r#"{{"__type":"com.amazonaws#{code}","message":"as the test wants it"}}"#);
        answer(status, "application/x-amz-json-1.0", json)
    }
}

/// The body of an answer, which may end before its time.
struct Answer {
    body: Option<Bytes>,
    is_cut: bool,
}

impl Answer {
    /// Leaves half of it, and then breaks the connection.
    fn cut(&mut self) {
        self.is_cut = true;
        self.body = self.body.take().map(|body| body.slice(..body.len() / 2));
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(match self.body.take() {
            Some(body) => Some(Ok(Frame::data(body))),
            None if self.is_cut => Some(Err(io::Error::other("cut"))),
            None => None,
        })
    }
}

fn answer(status: u16, content_type: &'static str, body: String) -> Response<Answer> {
    let body = Bytes::from(body);
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
    state_length(&mut headers, &body);
    let mut answer = Response::new(Answer { body: Some(body), is_cut: false });
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    *answer.headers_mut() = headers;
    answer
}

/// The answer to a HEAD request states the length of a body that it has not.
fn state_length(headers: &mut HeaderMap, body: &Bytes) {
    headers.entry(CONTENT_LENGTH).or_insert(body.len().into());
}
