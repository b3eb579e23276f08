//! Connections to addresses that were judged, and to no others.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::Uri;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::{net::TcpStream, time};
use tower::Service;

use super::{
    network::Network,
    reach::{PrivateHosts, judge_addresses},
    target::{Host, Refusal, Target},
};

/// Addresses of one name that are tried, and how long each may take.
const MAX_ATTEMPTS: usize = 4;
const MAX_CONNECT_TIME: Duration = Duration::from_millis(400);

/// Makes connections. A name is resolved once, all its addresses are judged, and the connection is made to one of
/// these: a second look-up might answer otherwise (DNS rebinding).
#[derive(Clone)]
pub(super) struct Connector {
    network: Arc<dyn Network>,
    private: Arc<PrivateHosts>,
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub(super) enum ConnectError {
    /// The address may not be asked.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Nobody is there.
    #[error("{0}")]
    Failed(#[from] io::Error),
}

impl Connector {
    /// Connects over `network` to public addresses, and to `private` hosts wherever they are.
    pub(super) fn new(network: Arc<dyn Network>, private: PrivateHosts) -> Self {
        Self { network, private: Arc::new(private) }
    }

    /// Whether `target` may be asked, as far as its spelling tells.
    ///
    /// # Errors
    /// When it may not.
    pub(super) fn judge(&self, target: &Target) -> Result<(), Refusal> {
        self.private.judge(target)
    }

    async fn connect(self, uri: Uri) -> Result<TokioIo<TcpStream>, ConnectError> {
        let target = Target::of(uri)?;
        self.judge(&target)?;
        let addresses = self.addresses(&target).await?;
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses.into_iter().take(MAX_ATTEMPTS) {
            let connecting = self.network.connect(SocketAddr::new(address, target.port));
            match time::timeout(MAX_CONNECT_TIME, connecting).await {
                Ok(Ok(stream)) => return Ok(TokioIo::new(stream)),
                Ok(Err(error)) => failure = error,
                Err(elapsed) => failure = elapsed.into(),
            }
        }
        Err(failure.into())
    }

    async fn addresses(&self, target: &Target) -> Result<Vec<IpAddr>, ConnectError> {
        let addresses = match &target.host {
            Host::Address(address) => return Ok(vec![*address]),
            Host::Name(name) => self.network.resolve(name).await?,
        };
        if !self.private.include(target) {
            judge_addresses(&addresses)?;
        }
        Ok(addresses)
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}
