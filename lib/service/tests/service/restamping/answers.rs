//! What is answered of a proof that got a time-stamp later.

use std::sync::Arc;

use credlink_service::Ports;

use super::Scene;
use crate::support::{Answer, get, ports, service_with};

const C2PA: [(&str, &str); 1] = [("accept", "application/c2pa")];

#[tokio::test]
async fn the_stamped_store_is_answered_and_the_embedded_one_on_demand() {
    let scene = Scene::new();
    let (_, record) = scene.sign(8).await;
    let proof = scene.proof(record.id).await;
    let router = service_with(Ports { proofs: Arc::clone(&scene.proofs) as _, ..ports() }, &[]);
    let path = format!("/proofs/{}", record.id);
    let embedded = format!("{path}?store=embedded");
    for path in [&path, &embedded] {
        assert_eq!(get(&router, path, &C2PA).await.body, proof.manifest_store);
    }

    let stamped = scene.restamp(&proof).await.unwrap();
    scene.keep(&record, stamped.clone()).await;
    let answer: Answer = get(&router, &path, &C2PA).await;
    assert_eq!((answer.header("content-type"), &answer.body), ("application/c2pa", &stamped.store));
    let original = get(&router, &embedded, &C2PA).await;
    assert_eq!(original.body, proof.manifest_store);
    assert_ne!(answer.header("etag"), original.header("etag"));

    let json = get(&router, &path, &[]).await.json();
    assert_eq!(json["manifestHash"], record.manifest_hash.to_string());
    assert_eq!(json["stamped"]["manifestHash"], stamped.copy.manifest_hash.to_string());
    assert_eq!(json["stamped"]["time"], stamped.copy.time.to_string());
    assert_eq!(json["signature"]["stamped"], false);
    let page = get(&router, &path, &[("accept", "text/html")]).await;
    let page = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(
        page.contains("Time-stamp, added later") && page.contains(&stamped.copy.time.to_string()),
        "{page}"
    );
}
