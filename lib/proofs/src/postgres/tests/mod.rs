use std::sync::Arc;

use credlink_local_postgres::LocalPostgres;
use credlink_pipeline::proof::ProofCatalogue;

use super::*;
use crate::contract;

/// A database of a test's own, and a look past the store at what lies there.
struct Place {
    url: String,
}

impl Place {
    async fn fresh() -> Self {
        Self { url: LocalPostgres::shared().make_database().await }
    }

    async fn store(&self) -> PostgresProofStore {
        let settings = PostgresSettings::parse(&self.url).unwrap();
        PostgresProofStore::open(&settings).await.unwrap()
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
