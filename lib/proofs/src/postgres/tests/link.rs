//! A line to the server that breaks when a test wants it to.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What becomes of a message that is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It never arrives; the connection breaks.
    Lose,
    /// It arrives and is done, but the connection breaks before the answer.
    LoseAnswer,
    /// It arrives, and nobody ever answers.
    Silence,
}

/// A line between clients and the server. The first `times` messages with `mark` in them are struck.
pub(super) struct FaultyLink {
    pub(super) address: SocketAddr,
    struck: Arc<AtomicUsize>,
}

#[derive(Clone)]
struct Strike {
    fate: Fate,
    times: usize,
    mark: Vec<u8>,
    struck: Arc<AtomicUsize>,
}

impl FaultyLink {
    pub(super) async fn to(server: SocketAddr, fate: Fate, times: usize, mark: &[u8]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let struck = Arc::new(AtomicUsize::new(0));
        let strike = Strike { fate, times, mark: mark.to_owned(), struck: Arc::clone(&struck) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let strike = strike.clone();
                tokio::spawn(async move {
                    if let Ok(server) = TcpStream::connect(server).await {
                        carry(client, server, &strike).await;
                    }
                });
            }
        });
        Self { address, struck }
    }

    /// How many messages had the mark.
    pub(super) fn struck(&self) -> usize {
        self.struck.load(Ordering::SeqCst)
    }
}

/// Carries both ways until one side ends or the line is broken.
async fn carry(mut client: TcpStream, mut server: TcpStream, strike: &Strike) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut is_struck = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let message = &asked[..length];
                if contains(message, &strike.mark)
                    && strike.struck.fetch_add(1, Ordering::SeqCst) < strike.times
                {
                    is_struck = true;
                    if strike.fate == Fate::Lose {
                        return;
                    }
                }
                if server.write_all(message).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                let answer = &answered[..length];
                match strike.fate {
                    Fate::LoseAnswer if is_struck && is_ready_for_more(answer) => return,
                    _ if is_struck => {}
                    _ => {
                        if client.write_all(answer).await.is_err() {
                            return;
                        }
                    }
                }
            }
        }
    }
}

/// Whether the answer ends with `ReadyForQuery`: what was asked is done then.
fn is_ready_for_more(answer: &[u8]) -> bool {
    answer.ends_with(b"Z\0\0\0\x05I")
}

fn contains(message: &[u8], mark: &[u8]) -> bool {
    message.windows(mark.len()).any(|window| window == mark)
}
