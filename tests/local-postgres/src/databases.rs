//! Databases of a test's own.

use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use crate::{LocalPostgres, USER};

impl LocalPostgres {
    /// The URL of a database for [`USER`].
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@{}/{database}", self.password(), self.address())
    }

    /// Makes an empty database; its URL.
    pub async fn make_database(&self) -> String {
        let name = format!("test_{}", Uuid::new_v4().simple());
        let client = connect(&self.url("postgres")).await;
        client.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).await.unwrap();
        self.url(&name)
    }
}

/// A connection past everything that is tested.
pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    // It fails when the server ends, which some tests want.
    tokio::spawn(async move { drop(connection.await) });
    client
}
