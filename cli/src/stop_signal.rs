//! The signals that end the service.

use std::{io, process};

/// Listens for SIGINT and SIGTERM from now on. What it returns is ready when the first one came; from then
/// on, a second one ends the process at once, with status 128 plus the number of the signal.
///
/// # Errors
/// When the system refuses.
#[cfg(unix)]
pub(crate) fn first() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut next = async move || {
        tokio::select! {
            _ = interrupt.recv() => SignalKind::interrupt(),
            _ = terminate.recv() => SignalKind::terminate(),
        }
    };
    Ok(async move {
        next().await;
        tokio::spawn(async move { process::exit(128 + next().await.as_raw_value()) });
    })
}

/// As on Unix, with Ctrl-C.
///
/// # Errors
/// None here.
#[cfg(not(unix))]
pub(crate) fn first() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        drop(tokio::signal::ctrl_c().await);
        tokio::spawn(async {
            drop(tokio::signal::ctrl_c().await);
            process::exit(130)
        });
    })
}
