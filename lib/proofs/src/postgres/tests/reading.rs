//! Who only reads changes nothing, and learns what it does not understand.

use super::*;

#[tokio::test]
async fn who_reads_makes_no_tables() {
    let place = Place::fresh().await;
    let settings = PostgresSettings::parse(&place.url).unwrap();
    let refused = PostgresProofStore::open_for_reading(&settings).await;
    assert!(
        matches!(refused, Err(ProofStoreError::Unavailable(reason)) if reason.contains("there are none"))
    );
    let there = connect(&place.url).await;
    assert!(
        there.query("SELECT FROM pg_tables WHERE schemaname = 'credlink'", &[]).await.unwrap().is_empty()
    );

    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    place.store().await.put(&proof).await.unwrap();
    let store = PostgresProofStore::open_for_reading(&settings).await.unwrap();
    assert_eq!(store.proof(proof.record.id, time(NOW)).await.unwrap(), Some(proof));
    place.execute("INSERT INTO credlink.schema_versions (version) VALUES (7)").await;
    assert!(PostgresProofStore::open_for_reading(&settings).await.is_err());
}

#[tokio::test]
async fn a_record_that_says_more_is_listed_as_newer() {
    let place = Place::fresh().await;
    contract::a_record_that_says_more_is_listed_as_newer(&place.store().await, async |id| {
        place
            .execute(&format!(
                "UPDATE credlink.proofs SET record = replace(record, '{{\"id\"', '{{\"watermark\":1,\"id\"') \
                 WHERE id = '{id}'"
            ))
            .await;
    })
    .await;
}
