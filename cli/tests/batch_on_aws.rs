//! `credlink batch-sign --table`: many images signed with the key in KMS that is active, against a local AWS.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::{fs, path::Path, process::Output};

use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use credlink_local_aws::LocalAws;
use jpeg_encoder::{ColorType, Encoder};
use serde_json::Value;

fn run(data: &Path, arguments: &[&str]) -> Output {
    support::credlink().args(arguments).arg("--data").arg(data).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// So many small images, all different.
fn images(folder: &Path, count: u8) {
    fs::create_dir(folder).unwrap();
    for number in 0..count {
        let mut jpeg = Vec::new();
        Encoder::new(&mut jpeg, 80).encode(&[number * 16; 32 * 32], 32, 32, ColorType::Luma).unwrap();
        fs::write(folder.join(format!("{number}.jpg")), jpeg).unwrap();
    }
}

#[tokio::test]
async fn the_active_key_signs_in_time_and_once() {
    let aws = LocalAws::shared();
    let kms = aws_sdk_kms::Client::new(&aws.sdk_config());
    let table = aws.make_table().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let [source, out] = ["in", "out"].map(|name| folder.path().join(name));
    images(&source, 6);
    let (from, to) = (source.to_str().unwrap(), out.to_str().unwrap());
    let batch = ["batch-sign", "--input", from, "--output", to, "--table", &table, "--format", "json"];
    let nobody = run(&data, &batch);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("credlink keys activate"), "{nobody:?}");

    let made = kms.create_key().key_spec(KeySpec::EccNistP256).key_usage(KeyUsageType::SignVerify);
    let key = made.send().await.unwrap().key_metadata.unwrap().arn.unwrap();
    let activated = run(&data, &["keys", "activate", "--kms-key", &key, "--table", &table]);
    assert!(activated.status.success(), "{activated:?}");
    let began = std::time::Instant::now();
    let signed = run(&data, &[&batch[..], &["--max-rate", "10"]].concat());
    assert_eq!(signed.status.code(), Some(0), "{signed:?}");
    assert!(began.elapsed().as_millis() >= 500, "six signatures, ten a second");
    assert_eq!(json(&signed)["summary"]["success"], 6);
    let judged = run(&data, &["batch-verify", "--input", to, "--format", "json"]);
    assert_eq!(json(&judged)["summary"]["states"], serde_json::json!({"trusted": 6}), "{judged:?}");
    let again = run(&data, &[&batch[..], &["--resume"]].concat());
    assert_eq!(json(&again)["summary"]["skipped"], 6);

    kms.disable_key().key_id(&key).send().await.unwrap();
    fs::remove_file(out.join("0.jpg")).unwrap();
    images(&source.join("more"), 2);
    let rest = json(&run(&data, &[&batch[..], &["--resume"]].concat()));
    let summary = &rest["summary"];
    assert_eq!((&summary["success"], &summary["failed"]), (&1.into(), &2.into()), "{rest}");
    let reasons = rest["files"].as_array().unwrap().iter().filter(|row| row["status"] == "failed");
    assert!(
        reasons.into_iter().all(|row| row["reason"].as_str().unwrap().contains("enable the key")),
        "{rest}"
    );
}
