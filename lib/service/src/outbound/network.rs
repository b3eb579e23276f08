//! The port to the network: names to addresses, and connections.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use async_trait::async_trait;
use tokio::{
    net::{TcpStream, lookup_host},
    sync::Semaphore,
};

/// Names that are looked up at once. The system's look-up cannot be stopped: one that nobody waits for any more still
/// counts until it ends.
const LOOK_UPS_AT_ONCE: usize = 8;

/// The network, as far as it is needed here. Whoever calls limits the time.
#[async_trait]
pub trait Network: Send + Sync {
    /// The addresses of a domain name.
    ///
    /// # Errors
    /// When it has none, or they cannot be found out.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;

    /// A connection to exactly this address.
    ///
    /// # Errors
    /// When nobody answers there.
    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(address).await
    }
}

/// The network of this machine.
pub struct SystemNetwork {
    look_ups: Arc<Semaphore>,
}

impl SystemNetwork {
    /// Nothing is looked up yet.
    pub fn new() -> Self {
        Self { look_ups: Arc::new(Semaphore::new(LOOK_UPS_AT_ONCE)) }
    }
}

impl Default for SystemNetwork {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Network for SystemNetwork {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let turn = Arc::clone(&self.look_ups).acquire_owned().await.map_err(io::Error::other)?;
        let name = name.to_owned();
        // A task of its own keeps the turn when the caller goes away.
        let look_up = tokio::spawn(async move {
            let found = lookup_host((name, 0)).await;
            drop(turn);
            found.map(|addresses| addresses.map(|address| address.ip()).collect())
        });
        look_up.await.map_err(io::Error::other)?
    }
}
