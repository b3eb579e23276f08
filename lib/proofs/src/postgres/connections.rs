//! The connections to the server, and how a statement gets its answer.

use std::{fmt, sync::Arc, time::Duration};

use credlink_pipeline::proof::ProofStoreError;
use deadpool_postgres::{
    Client, Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime,
};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_postgres::{Row, types::ToSql};

use super::{
    fault::Fault,
    limits::{ATTEMPTS, MAX_CALL, MAX_CONNECTING, MAX_POOL_WAIT},
    schema,
    settings::PostgresSettings,
    tls,
};
use crate::pause::pause_before;

/// A connection that was idle for longer than this is asked if it still works before it is used: what lies between may
/// have forgotten it.
const LONG_IDLE: Duration = Duration::from_secs(30);

/// A value of a statement.
pub(super) type Value<'a> = &'a (dyn ToSql + Sync);

/// The connections of one store. A clone shares them.
#[derive(Clone)]
pub(super) struct Connections {
    pool: Pool,
    max_connections: usize,
    settings: Arc<PostgresSettings>,
    /// Set once the tables are known to be what this version needs.
    prepared: Arc<OnceCell<()>>,
}

/// What a statement brought.
pub(super) struct Answer {
    pub(super) rows: Vec<Row>,
    /// The line broke during an earlier attempt: the statement may have been done before, by ourselves.
    pub(super) was_lost: bool,
}

impl Connections {
    /// Opens none yet.
    pub(super) fn new(settings: &PostgresSettings) -> Result<Self, ProofStoreError> {
        let max_connections = settings.max_connections;
        let manager = Manager::from_config(
            settings.config.clone(),
            tls::connector(settings)?,
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let pool = Pool::builder(manager)
            .max_size(max_connections)
            .wait_timeout(Some(MAX_POOL_WAIT))
            .create_timeout(Some(MAX_CONNECTING))
            .recycle_timeout(Some(MAX_CONNECTING))
            .pre_recycle(ask_if_long_idle())
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| ProofStoreError::Unavailable(format!("cannot open a pool: {error}")))?;
        Ok(Self { pool, max_connections, settings: Arc::new(settings.clone()), prepared: Arc::default() })
    }

    /// Makes the tables as this version needs them, once. Whoever sends a statement before does it first.
    ///
    /// # Errors
    /// [`ProofStoreError::Unavailable`]; then the next one tries again.
    pub(super) async fn prepare(&self) -> Result<(), ProofStoreError> {
        self.prepared.get_or_try_init(|| schema::bring_up_to_date(self)).await.copied()
    }

    /// Like [`Connections::prepare`], but the tables must be so already.
    ///
    /// # Errors
    /// [`ProofStoreError::Unavailable`] when they are not.
    pub(super) async fn expect_prepared(&self) -> Result<(), ProofStoreError> {
        self.prepared.get_or_try_init(|| schema::must_be_up_to_date(self)).await.copied()
    }

    /// Sends a statement, again and again while its hindrance may pass. It must do no harm when it is done twice.
    pub(super) async fn query(
        &self,
        what: &'static str,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Answer, ProofStoreError> {
        self.send(what, sql, values, ATTEMPTS).await
    }

    /// Sends a statement, which is not done twice. After an error nobody knows if it was done.
    pub(super) async fn query_once(
        &self,
        what: &'static str,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, ProofStoreError> {
        Ok(self.send(what, sql, values, 1).await?.rows)
    }

    /// A connection for work of several statements.
    pub(super) async fn connection(&self) -> Result<Client, Fault> {
        self.pool.get().await.map_err(|error| Fault::of_connecting(&error, self.max_connections))
    }

    /// The error for what cannot be done, with the name of the database.
    pub(super) fn unavailable(&self, what: &str, reason: &str) -> ProofStoreError {
        ProofStoreError::Unavailable(format!("cannot {what} in {}: {reason}", self.settings))
    }

    async fn send(
        &self,
        what: &'static str,
        sql: &'static str,
        values: &[Value<'_>],
        attempts: u32,
    ) -> Result<Answer, ProofStoreError> {
        let until = Instant::now() + MAX_CALL;
        timeout_at(until, self.prepare())
            .await
            .unwrap_or_else(|_| Err(self.unavailable(what, &Fault::silence(MAX_CALL).reason)))?;
        let mut was_lost = false;
        let mut attempt = 0;
        loop {
            sleep(pause_before(attempt)).await;
            attempt += 1;
            match self.send_once(sql, values, until).await {
                Ok(rows) => return Ok(Answer { rows, was_lost }),
                Err(fault) if fault.passes && attempt < attempts && Instant::now() < until => {
                    was_lost |= fault.may_be_done;
                }
                Err(fault) => return Err(self.unavailable(what, &fault.reason)),
            }
        }
    }

    async fn send_once(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
        until: Instant,
    ) -> Result<Vec<Row>, Fault> {
        let silence = || Fault::silence(MAX_CALL);
        let client = timeout_at(until, self.connection()).await.unwrap_or_else(|_| Err(silence()))?;
        let sending = async {
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, values).await
        };
        match timeout_at(until, sending).await {
            Ok(answer) => answer.map_err(|error| Fault::of(&error)),
            Err(_) => {
                // Whoever had it next would wait for the answer that did not come.
                drop(Object::take(client));
                Err(silence())
            }
        }
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connections({})", self.settings)
    }
}

fn ask_if_long_idle() -> Hook {
    Hook::async_fn(|client, metrics| {
        Box::pin(async move {
            if metrics.last_used() > LONG_IDLE {
                let asked = timeout(MAX_CONNECTING, client.simple_query("")).await;
                asked
                    .map_err(|_| HookError::message("an idle connection does not answer"))?
                    .map_err(HookError::Backend)?;
            }
            Ok(())
        })
    })
}
