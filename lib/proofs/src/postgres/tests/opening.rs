//! What stands in the way of opening a database, and tables that come to be.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn many_who_open_an_empty_database_at_once_make_the_tables_once() {
    let place = Place::fresh().await;
    let openings: Vec<_> = (0..12)
        .map(|n| {
            let url = place.url.clone();
            tokio::spawn(async move {
                let store = Place { url }.store().await;
                store.put(&sample(format!("image {n}").as_bytes(), "2026-01-01T00:00:00Z")).await.unwrap();
            })
        })
        .collect();
    for opening in openings {
        opening.await.unwrap();
    }
    assert_eq!((place.rows("schema_versions").await, place.rows("proofs").await), (1, 12));
}

#[tokio::test]
async fn what_is_opened_later_is_opened_by_the_first_call_that_can() {
    let place = Place::fresh().await;
    place.execute("CREATE SCHEMA credlink; CREATE TABLE credlink.manifest_stores (a int)").await;
    let store = PostgresProofStore::open_later(&PostgresSettings::parse(&place.url).unwrap()).unwrap();
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    let refused = [store.check().await, store.put(&proof).await];
    assert!(refused.iter().all(Result::is_err), "{refused:?}");
    place.execute("DROP TABLE credlink.manifest_stores").await;
    store.put(&proof).await.unwrap();
    assert_eq!(place.rows("schema_versions").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_not_waited_for_longer_when_opened_later() {
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("postgres://me@{}/credlink?sslmode=disable", silent.local_addr().unwrap());
    let store = PostgresProofStore::open_later(&PostgresSettings::parse(&url).unwrap()).unwrap();
    let began = tokio::time::Instant::now();
    store.record(ProofId::random(), time(NOW)).await.unwrap_err();
    assert!(began.elapsed().as_secs() <= limits::MAX_CALL.as_secs(), "{:?}", began.elapsed());
}

#[tokio::test]
async fn tables_of_a_newer_version_are_refused_and_left_alone() {
    let place = Place::fresh().await;
    place.store().await;
    place.execute("INSERT INTO credlink.schema_versions (version) VALUES (7)").await;
    let reason = place.refusal().await;
    assert!(reason.contains("version 7") && reason.contains("update it"), "{reason}");
}

#[tokio::test]
async fn a_change_that_fails_leaves_nothing() {
    let place = Place::fresh().await;
    // Somebody else's table is in the way of the second one.
    place.execute("CREATE SCHEMA credlink; CREATE TABLE credlink.manifest_stores (a int)").await;
    let reason = place.refusal().await;
    assert!(reason.contains("42P07"), "{reason}");
    let there = connect(&place.url).await;
    let there = there.query("SELECT FROM pg_tables WHERE schemaname = 'credlink'", &[]).await.unwrap();
    assert_eq!(there.len(), 1);
}

#[tokio::test]
async fn a_database_that_takes_not_every_text_is_refused() {
    let postgres = LocalPostgres::shared();
    let name = format!("test_{}", Uuid::new_v4().simple());
    let place = Place { url: postgres.url("postgres") };
    place.execute(&format!("CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0")).await;
    let reason = Place { url: postgres.url(&name) }.refusal().await;
    assert!(reason.contains("LATIN1") && reason.contains("ENCODING 'UTF8'"), "{reason}");
}

#[tokio::test]
async fn what_is_wrong_with_the_url_is_said_without_the_password() {
    let postgres = LocalPostgres::shared();
    let address = postgres.address();
    for (url, sentence) in [
        (format!("postgres://credlink:s3cret@{address}/postgres"), "correct the user or the password"),
        (format!("postgres://nobody:s3cret@{address}/postgres"), "correct the user or the password"),
        (postgres.url("no_such_database"), "create it, or correct its name"),
        (format!("{}?sslmode=require", postgres.url("postgres")), "sslmode=disable"),
        ("postgres://credlink:s3cret@127.0.0.1:1/postgres".to_owned(), "Connection refused"),
        ("postgres://credlink:s3cret@nowhere.invalid/postgres".to_owned(), "nowhere.invalid"),
        (format!("{}?sslmode=verify-full&sslrootcert=missing.pem", postgres.url("postgres")), "missing.pem"),
    ] {
        let reason = Place { url: url.clone() }.refusal().await;
        assert!(reason.contains(sentence), "{url}: {reason}");
        assert!(!reason.contains("s3cret") && !reason.contains(postgres.password()), "{reason}");
    }
}

#[tokio::test]
async fn who_may_only_use_the_tables_needs_no_right_to_make_them() {
    let place = Place::fresh().await;
    let user = format!("user_{}", Uuid::new_v4().simple());
    place.execute(&format!("CREATE ROLE {user} LOGIN PASSWORD 's3cret'")).await;
    let other = Place { url: place.url_of(&user, "s3cret") };
    let reason = other.refusal().await;
    assert!(reason.contains("42501") && reason.contains("own the schema credlink"), "{reason}");

    place.store().await;
    place
        .execute(&format!(
            "GRANT USAGE ON SCHEMA credlink TO {user};
            GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA credlink TO {user}"
        ))
        .await;
    let (store, proof) = (other.store().await, sample(b"image", "2026-01-01T00:00:00Z"));
    store.put(&proof).await.unwrap();
    store.check().await.unwrap();
    assert!(store.delete(proof.record.id).await.unwrap());
}

#[tokio::test]
async fn a_schema_that_an_administrator_made_is_used() {
    let place = Place::fresh().await;
    let user = format!("user_{}", Uuid::new_v4().simple());
    place
        .execute(&format!(
            "CREATE ROLE {user} LOGIN PASSWORD 's3cret'; CREATE SCHEMA credlink AUTHORIZATION {user}"
        ))
        .await;
    Place { url: place.url_of(&user, "s3cret") }.store().await.check().await.unwrap();
}

#[tokio::test]
async fn a_server_that_only_reads_fails_the_check_and_is_read() {
    let place = Place::fresh().await;
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    place.store().await.put(&proof).await.unwrap();
    let store = place.store_with("&options=-c%20default_transaction_read_only=on").await;
    assert_eq!(store.proof(proof.record.id, time(NOW)).await.unwrap(), Some(proof));
    for failed in [store.check().await, store.put(&sample(b"image", "2026-01-01T00:00:00Z")).await] {
        let Err(ProofStoreError::Unavailable(reason)) = failed else { panic!("{failed:?}") };
        assert!(reason.contains("name the primary"), "{reason}");
    }
}

#[tokio::test]
async fn a_server_without_a_connection_left_says_so() {
    let place = Place::fresh().await;
    let store = place.store_with("&max_connections=1").await;
    let user = format!("user_{}", Uuid::new_v4().simple());
    place.execute(&format!("CREATE ROLE {user} LOGIN PASSWORD 's3cret' CONNECTION LIMIT 0")).await;
    let reason = Place { url: place.url_of(&user, "s3cret") }.refusal().await;
    assert!(reason.contains("max_connections"), "{reason}");
    store.check().await.unwrap();
}

impl Place {
    /// Why the store cannot be opened.
    async fn refusal(&self) -> String {
        match PostgresProofStore::open(&PostgresSettings::parse(&self.url).unwrap()).await {
            Err(ProofStoreError::Unavailable(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    /// The URL for another user.
    fn url_of(&self, user: &str, password: &str) -> String {
        let (_, place) = self.url.split_once('@').unwrap();
        format!("postgres://{user}:{password}@{place}")
    }
}
