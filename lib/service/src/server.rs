//! From a socket to the router, and an orderly end.

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use axum::Router;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time,
};
use tower::ServiceExt as _;

use crate::{
    connections::{Connections, Seat},
    middleware::Caller,
    write_timeout::WriteTimeout,
};

/// How long a caller has for the head of a request, and how long a connection may be idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a caller may leave an answer unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long what runs at the end may still take.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// The most connections at once; for one more, whoever has been idle for the longest must leave.
const MAX_CONNECTIONS: usize = 1024;

/// A socket that listens already.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

/// How the service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything that ran came to its end.
    Finished,
    /// After 30 seconds something still ran, and was cut off.
    CutOff,
}

impl Server {
    /// Listens at `address`; port 0 takes any free one.
    ///
    /// # Errors
    /// When the address is taken or not of this machine.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the service on this machine, with the real port.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves until `stop` is ready, then accepts nobody any more and lets what runs finish, for at most 30
    /// seconds. Idle connections are closed at once.
    pub async fn run(self, router: Router, stop: impl Future<Output = ()>) -> Ending {
        let connections = GracefulShutdown::new();
        tokio::select! {
            () = accept(&self.listener, &router, &connections) => {}
            () = stop => {}
        }
        drop(self.listener);
        tracing::info!(connections = connections.count(), "stopping");
        match time::timeout(SHUTDOWN_TIMEOUT, connections.shutdown()).await {
            Ok(()) => Ending::Finished,
            Err(_) => Ending::CutOff,
        }
    }
}

async fn accept(listener: &TcpListener, router: &Router, connections: &GracefulShutdown) {
    let places = Connections::new(MAX_CONNECTIONS);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                serve_connection(stream, peer, router.clone(), connections, places.enter().await);
            }
            Err(error) => {
                // Out of file descriptors, most likely: connections must end before another can begin.
                tracing::warn!(%error, "a connection could not be accepted");
                time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    connections: &GracefulShutdown,
    seat: Seat,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection sends with delay");
    }
    let watch = seat.watch();
    let answer = move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Caller::Connected(peer.ip()));
        let (busy, answer) = (watch.begin(), router.clone().oneshot(request));
        async move { Ok::<_, Infallible>(answer.await?.map(|body| busy.until_sent(body))) }
    };
    let io = TokioIo::new(WriteTimeout::new(stream, WRITE_TIMEOUT));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(io, service_fn(answer));
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        tokio::select! {
            ended = connection => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection broke");
                }
            }
            () = seat.sent_away() => tracing::debug!("an idle connection made room for another"),
        }
        drop(seat);
    });
}
