//! Filling a store.

use std::{sync::Arc, time::Instant};

use credlink_local_postgres::connect;
use credlink_pipeline::digest::Sha256Hash;
use credlink_proofs::ProofArchive;
use uuid::Uuid;

use crate::{Result, look_ups::print_memory, proofs::proof};

const WRITERS: usize = 16;

/// How many proofs are put into a database one by one, as a service does.
const PUT: usize = 10_000;

/// How many of the others one statement adds.
const AT_ONCE: usize = 1000;

/// Fills the local store, as a service does: each proof is durable before its writer puts the next one.
pub(crate) async fn run(store: Arc<dyn ProofArchive>, proofs: usize) -> Result<()> {
    put_all(store, proofs).await?;
    print_memory()
}

/// Fills a database: the first proofs as a service does, the others as somebody would who loads a backup.
pub(crate) async fn run_in_bulk(store: Arc<dyn ProofArchive>, url: &str, proofs: usize) -> Result<()> {
    let put = PUT.min(proofs);
    put_all(store, put).await?;
    let start = Instant::now();
    add_all(url, put, proofs).await?;
    println!("{:<7} proofs added     {:>9.1?} {AT_ONCE} at once", proofs - put, start.elapsed());
    print_memory()
}

async fn put_all(store: Arc<dyn ProofArchive>, proofs: usize) -> Result<()> {
    let start = Instant::now();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for number in (writer..proofs).step_by(WRITERS) {
                    store.put(&proof(number)?).await?;
                }
                Result::Ok(())
            })
        })
        .collect();
    for writer in writers {
        writer.await??;
    }
    println!("{proofs:<7} proofs put       {:>9.1?} {WRITERS} at a time", start.elapsed());
    Ok(())
}

/// Adds the proofs of these numbers to the tables that the store made, and has the server look at what it got, as its
/// vacuum does by and by.
async fn add_all(url: &str, from: usize, until: usize) -> Result<()> {
    let client = connect(url).await;
    let records = client
        .prepare(
            "INSERT INTO credlink.proofs
                (id, put, version, image_hash, created_at, expires_at, length, record)
            SELECT id, gen_random_uuid(), 1, image_hash, created_at, expires_at, length, record
            FROM unnest($1::uuid[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])
                AS of (id, image_hash, created_at, expires_at, length, record)",
        )
        .await?;
    let stores = client
        .prepare(
            "INSERT INTO credlink.manifest_stores (proof, sha256, bytes)
            SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bytea[])",
        )
        .await?;
    for begin in (from..until).step_by(AT_ONCE) {
        let proofs = (begin..until.min(begin + AT_ONCE)).map(proof).collect::<Result<Vec<_>>>()?;
        let ids: Vec<Uuid> = proofs.iter().map(|proof| proof.record.id.into()).collect();
        let hashes: Vec<Vec<u8>> =
            proofs.iter().map(|proof| proof.record.image_hash.as_bytes().to_vec()).collect();
        let created: Vec<i64> =
            proofs.iter().map(|proof| proof.record.created_at.unix_milliseconds()).collect();
        let expires: Vec<i64> =
            proofs.iter().map(|proof| proof.record.expires_at.unix_milliseconds()).collect();
        let json = proofs.iter().map(|proof| serde_json::to_string(&proof.record));
        let json = json.collect::<serde_json::Result<Vec<String>>>()?;
        let lengths = proofs.iter().zip(&json).map(|(proof, json)| proof.manifest_store.len() + json.len());
        let lengths = lengths.map(i64::try_from).collect::<std::result::Result<Vec<i64>, _>>()?;
        client.execute(&records, &[&ids, &hashes, &created, &expires, &lengths, &json]).await?;
        let digests: Vec<Vec<u8>> =
            proofs.iter().map(|proof| Sha256Hash::of(&proof.manifest_store).as_bytes().to_vec()).collect();
        let bytes: Vec<&[u8]> = proofs.iter().map(|proof| &proof.manifest_store[..]).collect();
        client.execute(&stores, &[&ids, &digests, &bytes]).await?;
    }
    client.batch_execute("VACUUM ANALYZE credlink.proofs, credlink.manifest_stores").await?;
    Ok(())
}
