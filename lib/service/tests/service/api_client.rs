//! A client of the API, and the service that it speaks to.

use std::sync::Arc;

use bytes::Bytes;
use credlink_pipeline::{
    asset::Format,
    manifest::SignOptions,
    proof::{ProofId, ProofStore},
    timestamp::Clock as _,
};
use credlink_service::{
    Ports, Service,
    api_client::{ApiClient, ApiClientError, ApiKeyError, INLINE_LENGTH, SignedElsewhere},
    clock::SystemClock,
    local_uploads::LocalUploads,
    router,
    server::Server,
};
use tempfile::TempDir;

use crate::support::{measured, noise_png, png, ports, settings};

/// A service that takes short images only inside of requests, and a client of it.
struct Pair {
    client: ApiClient,
    proofs: Arc<dyn ProofStore>,
    _folder: TempDir,
}

impl Pair {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let uploads = Arc::new(LocalUploads::open(folder.path().join("uploads"), SystemClock.now()).unwrap());
        let ports = Ports { uploads: Some(Arc::clone(&uploads) as _), ..ports() };
        let proofs = Arc::clone(&ports.proofs);
        let service = Arc::new(Service::new(ports, settings(&[("INLINE_LIMIT_BYTES", "65536")])));
        let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let client = ApiClient::new(server.url().parse().unwrap(), None).unwrap();
        tokio::spawn(server.run(router::local(service, uploads, measured()), std::future::pending()));
        Self { client, proofs, _folder: folder }
    }

    async fn sign(&self, image: &Bytes, key: &str) -> Result<SignedElsewhere, ApiClientError> {
        let options = SignOptions { creator: Some("Zoë".parse().unwrap()), ..SignOptions::default() };
        self.client.sign(image, &options, key).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_any_length_are_signed_once_under_their_key() {
    let pair = Pair::new().await;
    let images = [png(40, 30), noise_png(300, 300), noise_png(2200, 2200)].map(Bytes::from);
    assert!(images[1].len() > 65_536 && images[2].len() > INLINE_LENGTH);
    for (number, image) in images.iter().enumerate() {
        let key = format!("key-{number}");
        let signed = pair.sign(image, &key).await.unwrap();
        assert_eq!(Format::detect(&signed.image), Some(Format::Png));
        let again = pair.sign(image, &key).await.unwrap();
        assert_eq!((again.image, &again.proof_uri), (signed.image.clone(), &signed.proof_uri));
        let id: ProofId = signed.proof_uri.rsplit('/').next().unwrap().parse().unwrap();
        assert!(pair.proofs.record(id, SystemClock.now()).await.unwrap().is_some());
        assert!(pair.client.verify(&signed.image).await.unwrap().valid);
    }
    let conflict = pair.sign(&images[0], "key-1").await.unwrap_err();
    assert!(matches!(conflict, ApiClientError::Refused { status: 409, .. }), "{conflict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_image_is_refused_and_what_is_not_there_is_told() {
    let pair = Pair::new().await;
    let refused = pair.sign(&Bytes::from_static(b"text"), "a").await.unwrap_err();
    assert!(matches!(refused, ApiClientError::Refused { status: 400, .. }), "{refused}");
    let torn = Bytes::from(png(40, 30)).slice(..60);
    let refused = pair.sign(&torn, "b").await.unwrap_err();
    assert!(
        matches!(&refused, ApiClientError::Refused { code, .. } if code == "VALIDATION_FAILED"),
        "{refused}"
    );
    let nobody = ApiClient::new("http://127.0.0.1:9".parse().unwrap(), None).unwrap();
    nobody.end();
    let ended = nobody.verify(&Bytes::from(png(40, 30))).await.unwrap_err();
    assert!(matches!(ended, ApiClientError::Ended(_)), "{ended}");
}

#[test]
fn a_key_is_not_sent_where_others_listen() {
    let client = |url: &str, key| ApiClient::new(url.parse().unwrap(), Some(key)).map(drop);
    assert_eq!(client("http://credlink.example.com", "key"), Err(ApiKeyError::InTheClear));
    assert_eq!(client("https://credlink.example.com", "ke\ny"), Err(ApiKeyError::Characters));
    assert_eq!(client("https://credlink.example.com", "key"), Ok(()));
}
