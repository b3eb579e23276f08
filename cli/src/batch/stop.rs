//! The wish that a run ends.

use std::{convert::Infallible, process};

use tokio::sync::watch;

use crate::stop_signal::StopSignals;

/// Whether a run is to end. Clones speak of the same run.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Sender<bool>);

impl Stop {
    /// Nobody wants it to end yet.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Asks the run to end.
    pub(crate) fn set(&self) {
        self.0.send_replace(true);
    }

    /// Whether that was asked.
    pub(crate) fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is.
    pub(crate) async fn wait(&self) {
        // The sender lives in this very value.
        drop(self.0.subscribe().wait_for(|stop| *stop).await);
    }

    /// The first signal asks the run for an orderly end, the second ends it.
    pub(crate) async fn obey(&self, mut signals: StopSignals) -> Infallible {
        signals.next().await;
        self.set();
        process::exit(128 + signals.next().await)
    }
}
