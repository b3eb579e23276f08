mod damage;
mod encryption;
mod faults;
mod killed;
mod link;
mod opening;
mod reading;

use std::sync::Arc;

use credlink_local_postgres::{LocalPostgres, connect};
use credlink_pipeline::proof::ProofCatalogue;

use super::*;
use crate::contract::{self, sample, time};

const NOW: &str = "2026-03-01T00:00:00Z";

/// A database of a test's own, and a look past the store at what lies there.
struct Place {
    url: String,
}

impl Place {
    async fn fresh() -> Self {
        Self { url: LocalPostgres::shared().make_database().await }
    }

    async fn store(&self) -> PostgresProofStore {
        self.store_with("").await
    }

    /// With these parameters in the URL.
    async fn store_with(&self, parameters: &str) -> PostgresProofStore {
        let settings = PostgresSettings::parse(&format!("{}?sslmode=disable{parameters}", self.url)).unwrap();
        PostgresProofStore::open(&settings).await.unwrap()
    }

    async fn execute(&self, sql: &str) {
        connect(&self.url).await.batch_execute(sql).await.unwrap();
    }

    /// How many rows a table has.
    async fn rows(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM credlink.{table}");
        connect(&self.url).await.query_one(&sql, &[]).await.unwrap().get(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract() {
    contract::verify(async || Arc::new(Place::fresh().await.store().await) as Arc<dyn ProofStore>).await;
}

#[tokio::test]
async fn keeps_the_contract_of_a_catalogue() {
    contract::verify_catalogue(async || {
        Arc::new(Place::fresh().await.store().await) as Arc<dyn ProofCatalogue>
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_of_upkeep() {
    contract::verify_upkeep(async || {
        let store = Place::fresh().await.store().await;
        let again = store.clone();
        contract::Kept { proofs: Arc::new(store), upkeep: Box::new(move || Arc::new(again.clone())) }
    })
    .await;
}

#[tokio::test]
async fn keeps_the_contract_of_statistics() {
    let store = Arc::new(Place::fresh().await.store().await);
    contract::verify_statistics(Arc::clone(&store) as Arc<dyn ProofStore>, store).await;
}
