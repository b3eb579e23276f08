//! The tables, and how they come to be what this version of CredLink needs.

use credlink_pipeline::proof::ProofStoreError;
use deadpool_postgres::{Client, GenericClient};
use tokio::time::{sleep, timeout};

use super::{
    connections::Connections,
    fault::Fault,
    limits::{ATTEMPTS, MAX_MIGRATION},
};
use crate::pause::pause_before;

/// The version of the tables that this program works with.
const VERSION: i32 = 1;

/// What was ever changed in the tables, with the version that they have then, in order. What is here stays as it is: a
/// later change is one more file.
const CHANGES: [(i32, &str); 1] = [(VERSION, include_str!("schema/0001_proofs.sql"))];

/// The lock that whoever changes the tables holds: "credlink" in ASCII.
const LOCK: i64 = 0x6372_6564_6c69_6e6b;

const WHAT: &str = "prepare the tables";

/// Makes the tables, or changes them as this version needs them, all at once or not at all. Of several processes that
/// begin at once, one does it and the others wait. Where nothing is to be done, no right to do it is needed.
///
/// # Errors
/// [`ProofStoreError::Unavailable`] when the server cannot do it, or when a newer CredLink changed the tables.
pub(super) async fn bring_up_to_date(connections: &Connections) -> Result<(), ProofStoreError> {
    let mut attempt = 0;
    let found = loop {
        sleep(pause_before(attempt)).await;
        attempt += 1;
        let changed = timeout(MAX_MIGRATION, change_if_old(connections)).await;
        match changed.unwrap_or_else(|_| Err(Fault::silence(MAX_MIGRATION))) {
            Ok(found) => break found,
            Err(fault) if fault.passes && attempt < ATTEMPTS => {}
            Err(fault) => return Err(connections.unavailable(WHAT, &fault.reason)),
        }
    };
    refuse_if_newer(connections, found)
}

/// Looks whether the tables are as this version needs them. Nothing is changed.
///
/// # Errors
/// [`ProofStoreError::Unavailable`] when they are not, or the server cannot tell.
pub(super) async fn must_be_up_to_date(connections: &Connections) -> Result<(), ProofStoreError> {
    let looking = async {
        let client = connections.connection().await?;
        version(&client).await.map_err(|error| Fault::of(&error))
    };
    let found = timeout(MAX_MIGRATION, looking).await.unwrap_or_else(|_| Err(Fault::silence(MAX_MIGRATION)));
    let found = found.map_err(|fault| connections.unavailable(WHAT, &fault.reason))?;
    match found {
        0 => Err(connections.unavailable(WHAT, "there are none; name a database that has proofs")),
        found if found < VERSION => {
            let reason = format!(
                "they are of version {found}, and this CredLink needs {VERSION}; let it use the database once"
            );
            Err(connections.unavailable(WHAT, &reason))
        }
        found => refuse_if_newer(connections, found),
    }
}

fn refuse_if_newer(connections: &Connections, found: i32) -> Result<(), ProofStoreError> {
    if found > VERSION {
        let reason = format!(
            "they are of version {found}, and this CredLink knows {VERSION}; update it, or name another database"
        );
        return Err(connections.unavailable(WHAT, &reason));
    }
    Ok(())
}

/// The version that the tables have then.
async fn change_if_old(connections: &Connections) -> Result<i32, Fault> {
    let mut client = connections.connection().await?;
    let found = version(&client).await.map_err(|error| Fault::of(&error))?;
    if found < VERSION { change(&mut client).await.map_err(|error| Fault::of(&error)) } else { Ok(found) }
}

/// Changes the tables in one transaction; the version that they have then.
async fn change(client: &mut Client) -> Result<i32, tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    let limit = MAX_MIGRATION.as_millis();
    transaction
        .batch_execute(&format!("SET LOCAL statement_timeout = {limit}; SET LOCAL lock_timeout = {limit}"))
        .await?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    // Somebody may have done it meanwhile.
    let found = version(&transaction).await?;
    if found == 0 {
        transaction.batch_execute(FIRST).await?;
    }
    for (version, change) in CHANGES.into_iter().filter(|(version, _)| *version > found) {
        transaction.batch_execute(change).await?;
        transaction
            .execute("INSERT INTO credlink.schema_versions (version) VALUES ($1)", &[&version])
            .await?;
    }
    transaction.commit().await?;
    Ok(found.max(VERSION))
}

/// Makes the place where versions are written down, in a database that takes every text. An administrator may have made the schema, because the user may not.
const FIRST: &str = "
    DO $$ BEGIN
        IF current_setting('server_encoding') <> 'UTF8' THEN
            RAISE 'the database has the encoding %; create it with ENCODING ''UTF8''',
                current_setting('server_encoding');
        END IF;
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'credlink') THEN
            CREATE SCHEMA credlink;
        END IF;
    END $$;
    CREATE TABLE credlink.schema_versions (
        version integer PRIMARY KEY,
        since timestamptz NOT NULL DEFAULT now()
    )";

/// The version of the tables; 0 when there are none. Asks the catalogue as a table: `to_regclass` answers out of a cache that
/// need not have heard yet of what others did.
async fn version(client: &impl GenericClient) -> Result<i32, tokio_postgres::Error> {
    let is_there = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'credlink' AND c.relname = 'schema_versions')";
    if !client.query_one(is_there, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM credlink.schema_versions";
    client.query_one(newest, &[]).await?.try_get(0)
}
