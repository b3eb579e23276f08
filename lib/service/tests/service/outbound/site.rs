//! A web site on this machine, and a network in which every way leads there.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use credlink_service::outbound::Network;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Answers connections, one after the other or at once, until it is dropped.
pub(super) struct Site {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Site {
    /// Gives each connection to `serve`.
    pub(super) async fn serving<F, S>(serve: S) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
        S: Fn(TcpStream) -> F + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream));
            }
        });
        Self { address, connections, serving }
    }

    /// Answers every request with these bytes, head included.
    pub(super) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        Self::serving(move |mut stream| {
            let answer = Arc::clone(&answer);
            async move {
                read_request(&mut stream).await;
                // The client may have closed already, and is right to.
                drop(stream.write_all(&answer).await);
                drop(stream.shutdown().await);
            }
        })
        .await
    }

    /// How many connections were made to it.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A request: its head as text, and its body.
pub(super) async fn read_request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let head_length = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the request broke off");
    };
    let head = String::from_utf8(bytes[..head_length].to_vec()).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |digits| digits.parse().unwrap());
    while bytes.len() < head_length + length {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the request broke off");
    }
    (head, bytes[head_length..].to_vec())
}

/// An answer with status 200.
pub(super) fn ok(content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// Resolves every name to what was prepared, and leads every connection to one site.
pub(super) struct StagedNetwork {
    /// The answers, one after the other; the last one stays.
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    site: SocketAddr,
    /// The names that were looked up.
    pub(super) resolved: Mutex<Vec<String>>,
    /// The addresses that were connected to.
    pub(super) connected: Mutex<Vec<SocketAddr>>,
}

impl StagedNetwork {
    /// Names lead to these addresses.
    pub(super) fn new(site: &Site, answers: &[&[&str]]) -> Arc<Self> {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self {
            answers: Mutex::new(answers.iter().map(|texts| addresses(texts)).collect()),
            site: site.address,
            resolved: Mutex::default(),
            connected: Mutex::default(),
        })
    }

    /// Names lead to a public address.
    pub(super) fn public(site: &Site) -> Arc<Self> {
        Self::new(site, &[&["8.8.8.8"]])
    }
}

#[async_trait]
impl Network for StagedNetwork {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.resolved.lock().unwrap().push(name.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Ok(answer.unwrap())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.connected.lock().unwrap().push(address);
        TcpStream::connect(self.site).await
    }
}
