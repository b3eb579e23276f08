//! The stores that are measured, and how large they are.

use std::{process::Command, sync::Arc};

use credlink_proofs::{
    LocalProofStore, ProofArchive,
    postgres::{PostgresProofStore, PostgresSettings},
};
use tokio_postgres::Client;

use crate::Result;

/// What opens stores.
pub(crate) struct Place;

impl Place {
    /// `local:DIR`, or the URL of a database.
    pub(crate) async fn open(place: &str) -> Result<Arc<dyn ProofArchive>> {
        match place.strip_prefix("local:") {
            Some(dir) => Ok(Arc::new(LocalProofStore::open(dir)?)),
            None => Ok(Arc::new(PostgresProofStore::open(&PostgresSettings::parse(place)?).await?)),
        }
    }
}

/// What all files in a folder take, hard links once.
pub(crate) fn megabytes_of_folder(dir: &str) -> Result<u64> {
    let du = Command::new("du").args(["-s", "--block-size=1000000", dir]).output()?;
    let said = String::from_utf8(du.stdout)?;
    Ok(said.split_whitespace().next().ok_or("du says nothing")?.parse()?)
}

/// What the tables take, with what belongs to them.
pub(crate) async fn print_sizes_of_database(client: &Client) -> Result<()> {
    client.batch_execute("CHECKPOINT").await?;
    let sql = "SELECT c.relname, pg_total_relation_size(c.oid), pg_indexes_size(c.oid)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'credlink' AND c.relkind = 'r' ORDER BY c.relname";
    let mut all = 0;
    for row in client.query(sql, &[]).await? {
        let (name, total, indexes): (String, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        println!("{name:<22} {:>9} MB, {} MB of them indexes", total / 1_000_000, indexes / 1_000_000);
        all += total;
    }
    println!("on disk                {:>9} MB", all / 1_000_000);
    Ok(())
}
