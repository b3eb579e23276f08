//! What every [`Uploads`] promises: that of the local folder, and that of S3 on a local AWS. Uploads are sent and
//! results fetched over HTTP, with the headers of the ticket.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU64,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use credlink_local_aws::{Fate, FaultyLink, LocalAws};
use credlink_pipeline::{
    asset::Format,
    digest::Sha256Hash,
    proof::ProofId,
    timestamp::{Clock as _, Timestamp},
};
use credlink_service::{
    Ports, Service,
    aws::uploads::S3Uploads,
    clock::SystemClock,
    local_uploads::LocalUploads,
    router,
    server::Server,
    uploads::{Address, UploadError, UploadId, UploadRequest, UploadTicket, Uploads},
};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{
    http_client::{Received, exchange},
    support::{measured, ports, settings},
};

const CONTENT: &[u8] = b"twelve bytes";
const MAX: usize = 1 << 20;

#[tokio::test]
async fn the_folder_keeps_the_contract() {
    keeps_the_contract(&local().await).await;
}

#[tokio::test]
async fn s3_keeps_the_contract() {
    keeps_the_contract(&s3().await).await;
}

async fn keeps_the_contract(place: &Place) {
    what_was_announced_can_be_sent_and_read(place).await;
    a_second_put_replaces_the_first(place).await;
    nothing_else_than_announced_is_taken(place).await;
    what_is_unknown_or_past_is_not_there(place).await;
    results_are_served_as_they_were_kept(place).await;
}

async fn what_was_announced_can_be_sent_and_read(place: &Place) {
    for sha256 in [None, Some(Sha256Hash::of(CONTENT))] {
        let now = SystemClock.now();
        let ticket = place.uploads.begin(&announcing(sha256), now).await.unwrap();
        assert_eq!(ticket.expires_at.milliseconds_since(now), 15 * 60 * 1000);
        assert_eq!(place.uploads.read(ticket.id, MAX, now).await, Ok(None), "nothing came yet");
        let put = place.put(&ticket, CONTENT).await;
        assert!(put.is_success(), "{put:?}");
        for _ in 0..2 {
            let read = place.uploads.read(ticket.id, CONTENT.len(), SystemClock.now()).await;
            assert_eq!(read.unwrap().as_deref(), Some(CONTENT), "reading does not use it up");
        }
        let refused = place.uploads.read(ticket.id, CONTENT.len() - 1, now).await;
        assert_eq!(refused, Err(UploadError::TooLarge { limit: CONTENT.len() - 1 }));
    }
}

async fn a_second_put_replaces_the_first(place: &Place) {
    let ticket = place.uploads.begin(&announcing(None), SystemClock.now()).await.unwrap();
    let other: Vec<u8> = CONTENT.iter().rev().copied().collect();
    assert!(place.put(&ticket, CONTENT).await.is_success());
    assert!(place.put(&ticket, &other).await.is_success());
    let read = place.uploads.read(ticket.id, MAX, SystemClock.now()).await;
    assert_eq!(read.unwrap().as_deref(), Some(other.as_slice()));
}

async fn nothing_else_than_announced_is_taken(place: &Place) {
    let now = SystemClock.now();
    let digest = Some(Sha256Hash::of(CONTENT));
    for (what, digest, header, body) in [
        ("another type", None, ("content-type", "image/jpeg"), CONTENT),
        ("a shorter body", None, ("content-length", "11"), &CONTENT[1..]),
        ("a longer body", None, ("content-length", "13"), &b"thirteen byte"[..]),
        ("other bytes", digest, ("content-length", "12"), b"other bytes!"),
    ] {
        let ticket = place.uploads.begin(&announcing(digest), now).await.unwrap();
        let mut changed = ticket.clone();
        changed.headers.retain(|(name, _)| name != header.0);
        changed.headers.push((header.0.to_owned(), header.1.to_owned()));
        let put = place.put(&changed, body).await;
        assert!((400..500).contains(&put.status), "{what}: {put:?}");
        assert_eq!(place.uploads.read(ticket.id, MAX, now).await, Ok(None), "{what}");
        assert!(place.put(&ticket, CONTENT).await.is_success(), "a refusal does not use the ticket up");
    }
}

async fn what_is_unknown_or_past_is_not_there(place: &Place) {
    let now = SystemClock.now();
    assert_eq!(place.uploads.read(UploadId::random(), MAX, now).await, Ok(None));

    let expired = place.uploads.begin(&announcing(None), minutes(now, -16)).await.unwrap();
    let put = place.put(&expired, CONTENT).await;
    assert!((400..500).contains(&put.status), "{put:?}");
    assert_eq!(place.uploads.read(expired.id, MAX, now).await, Ok(None));

    let ticket = place.uploads.begin(&announcing(None), now).await.unwrap();
    assert!(place.put(&ticket, CONTENT).await.is_success());
    assert!(place.uploads.read(ticket.id, MAX, minutes(now, 14)).await.unwrap().is_some());
    assert_eq!(place.uploads.read(ticket.id, MAX, minutes(now, 16)).await, Ok(None));
}

async fn results_are_served_as_they_were_kept(place: &Place) {
    let now = SystemClock.now();
    let disposition = "attachment; filename=\"Zo_-signed.png\"; filename*=UTF-8''Zo%C3%AB-signed.png";
    let keep =
        |pieces, now| place.uploads.keep_result(ProofId::random(), pieces, "image/png", disposition, now);
    // As long as the longest signed image, in pieces as the pipeline makes them.
    let long = Bytes::from((0..60_u32 << 20).map(|i| (i % 251) as u8).collect::<Vec<u8>>());
    let pieces = vec![long.slice(..33), Bytes::from_static(CONTENT), Bytes::new(), long.slice(33..)];
    let whole = [&long[..33], CONTENT, &long[33..]].concat();
    let kept = keep(pieces, now).await.unwrap();
    assert_eq!(kept.expires_at.milliseconds_since(now), 15 * 60 * 1000);
    let got = place.get(&kept.url).await;
    assert_eq!(got.status, 200);
    assert!(got.body == whole, "{} bytes", got.body.len());
    assert_eq!(got.header("content-type"), Some("image/png"));
    assert_eq!(got.header("content-disposition"), Some(disposition));
    assert_eq!(got.header("cache-control"), Some("no-store"));

    let past = keep(vec![Bytes::from_static(CONTENT)], minutes(now, -16)).await.unwrap();
    let refused = place.get(&past.url).await;
    assert!((400..500).contains(&refused.status), "{refused:?}");
}

#[tokio::test]
async fn an_s3_that_is_not_there_is_worth_another_try() {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let endpoint = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let client = credlink_aws::s3(&LocalAws::shared().sdk_config_at(&endpoint));
    let uploads = S3Uploads::new(client, "uploads".to_owned());
    let id = UploadId::random();
    let error = uploads.read(id, MAX, SystemClock.now()).await.unwrap_err();
    assert!(matches!(error, UploadError::Unavailable(_)), "{error}");
    assert!(!error.to_string().contains(&id.to_string()), "{error}");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_for_the_operator() {
    let client = credlink_aws::s3(&LocalAws::shared().sdk_config());
    let uploads = S3Uploads::new(client, "nobodys-bucket".to_owned());
    let error = uploads.read(UploadId::random(), MAX, SystemClock.now()).await.unwrap_err();
    assert!(matches!(error, UploadError::Failed(_)), "{error}");
}

#[tokio::test]
async fn a_result_is_sent_whole_again_after_a_fault() {
    let aws = LocalAws::shared();
    let mut fates = [Fate::server_fault(), Fate::Lose].into_iter();
    let link = FaultyLink::to(aws, move |_| fates.next().unwrap_or(Fate::Pass));
    let bucket = aws.make_bucket().await;
    let uploads = S3Uploads::new(credlink_aws::s3(&link.sdk_config()), bucket.clone());
    let pieces = vec![Bytes::from_static(b"one "), Bytes::from_static(b"two")];
    let proof = ProofId::random();
    uploads.keep_result(proof, pieces, "image/png", "attachment", SystemClock.now()).await.unwrap();
    let direct = credlink_aws::s3(&aws.sdk_config());
    let kept = direct.get_object().bucket(bucket).key(format!("results/{proof}")).send().await.unwrap();
    assert_eq!(kept.body.collect().await.unwrap().to_vec(), b"one two");
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_worth_another_try() {
    let aws = LocalAws::shared();
    let link = FaultyLink::to(aws, |call| if call.method == "GET" { Fate::CutAnswer } else { Fate::Pass });
    let uploads = S3Uploads::new(credlink_aws::s3(&link.sdk_config()), aws.make_bucket().await);
    let place = Place { uploads: Arc::new(uploads), origin: String::new(), _folder: None };
    let ticket = place.uploads.begin(&announcing(None), SystemClock.now()).await.unwrap();
    assert!(place.put(&ticket, CONTENT).await.is_success());
    let error = place.uploads.read(ticket.id, MAX, SystemClock.now()).await.unwrap_err();
    assert!(matches!(error, UploadError::Unavailable(_)), "{error}");
}

/// Uploads, and where a caller finds them.
struct Place {
    uploads: Arc<dyn Uploads>,
    origin: String,
    _folder: Option<TempDir>,
}

impl Place {
    async fn put(&self, ticket: &UploadTicket, body: &[u8]) -> Received {
        let mut headers = ticket.headers.clone();
        if !headers.iter().any(|(name, _)| name == "content-length") {
            headers.push(("content-length".to_owned(), body.len().to_string()));
        }
        exchange("PUT", &self.url(&ticket.url), &headers, body).await
    }

    async fn get(&self, url: &Address) -> Received {
        exchange("GET", &self.url(url), &[], &[]).await
    }

    fn url(&self, address: &Address) -> String {
        match address {
            Address::Absolute(url) => url.clone(),
            Address::Path(path) => format!("{}{path}", self.origin),
        }
    }
}

async fn local() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let uploads = Arc::new(LocalUploads::open(folder.path().join("uploads"), SystemClock.now()).unwrap());
    let ports = Ports { uploads: Some(Arc::clone(&uploads) as _), ..ports() };
    let service = Arc::new(Service::new(ports, settings(&[])));
    let server = Server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let origin = server.url();
    tokio::spawn(
        server.run(router::local(service, Arc::clone(&uploads), measured()), std::future::pending()),
    );
    Place { uploads, origin, _folder: Some(folder) }
}

async fn s3() -> Place {
    let aws = LocalAws::shared();
    let uploads = S3Uploads::new(credlink_aws::s3(&aws.sdk_config()), aws.make_bucket().await);
    Place { uploads: Arc::new(uploads), origin: String::new(), _folder: None }
}

fn announcing(sha256: Option<Sha256Hash>) -> UploadRequest {
    let content_length = NonZeroU64::new(CONTENT.len() as u64).unwrap();
    UploadRequest { format: Format::Png, content_length, sha256 }
}

fn minutes(time: Timestamp, by: i64) -> Timestamp {
    let distance = Duration::from_secs(by.unsigned_abs() * 60);
    let time = time.as_offset_date_time();
    Timestamp::new(if by < 0 { time - distance } else { time + distance })
}
