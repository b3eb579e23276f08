//! An authority elsewhere: OpenSSL, which gets the request out of the bucket and brings the certificate back.

use std::fs;

use credlink_keys::{
    PemFile,
    rotation::{AuthorityChoice, Outcome, Trigger, ports::RotationId},
};
use tempfile::TempDir;

use super::deployment::Deployment;
use crate::support::{now, openssl_ok, path};

/// An authority made with OpenSSL.
struct OpensslAuthority {
    folder: TempDir,
}

impl OpensslAuthority {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let (key, root) = (path(&folder, "root.key"), path(&folder, "root.pem"));
        let subject = "/O=Example Trust Services/CN=Example Root";
        openssl_ok(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &root,
            "-subj",
            subject,
            "-days",
            "3650",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        ]);
        Self { folder }
    }

    fn issue(&self, request: &PemFile, days: &str) -> (PemFile, PemFile) {
        let pem = pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", request.request().unwrap().unwrap()));
        let [csr, extensions, leaf, root, key] =
            ["csr.pem", "extensions", "leaf.pem", "root.pem", "root.key"]
                .map(|name| path(&self.folder, name));
        fs::write(&csr, pem).unwrap();
        openssl_ok(&["req", "-in", &csr, "-verify", "-noout"]);
        let wanted = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
                      extendedKeyUsage=emailProtection,1.3.6.1.4.1.62558.2.1\nauthorityKeyIdentifier=keyid\n\
                      subjectKeyIdentifier=hash\n";
        fs::write(&extensions, wanted).unwrap();
        openssl_ok(&[
            "x509",
            "-req",
            "-in",
            &csr,
            "-CA",
            &root,
            "-CAkey",
            &key,
            "-CAcreateserial",
            "-days",
            days,
            "-extfile",
            &extensions,
            "-out",
            &leaf,
        ]);
        let read = |path: &String| PemFile::read(path.as_ref()).unwrap();
        (read(&leaf), read(&root))
    }
}

async fn objects(deployment: &Deployment) -> Vec<String> {
    let s3 = credlink_aws::s3(&Deployment::config());
    let listed = s3.list_objects_v2().bucket(&deployment.settings.bucket).send().await.unwrap();
    listed.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
}

/// The rotation that waits.
async fn waiting(deployment: &Deployment, trigger: Trigger) -> RotationId {
    let report = deployment.run(trigger).await;
    match report.outcome {
        Outcome::Waiting { rotation, reason, .. } => {
            let place = format!("s3://{}/rotation/{rotation}.csr.pem", deployment.settings.bucket);
            assert!(reason.contains(&place) && reason.contains("credlink keys import"), "{reason}");
            rotation
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_certificate_that_openssl_issued_is_taken_days_later() {
    let deployment = Deployment::new(AuthorityChoice::External).await;
    let bucket = deployment.settings.drop_box(&Deployment::config());
    let rotation = waiting(&deployment, Trigger::WhenDue).await;
    assert_eq!(waiting(&deployment, Trigger::WhenDue).await, rotation, "the next day it is the same request");
    assert_eq!(objects(&deployment).await, [format!("rotation/{rotation}.csr.pem")]);

    let elsewhere = OpensslAuthority::new();
    let (chain, root) = elsewhere.issue(&bucket.published(rotation).await.unwrap().unwrap(), "365");
    deployment.clock.set(now());
    let checked = deployment.rotation().check_certificate(&chain, &root).await.unwrap();
    assert_eq!(checked, rotation);
    bucket.bring(rotation, &chain, Some(&root)).await.unwrap();
    let first = deployment.rotate(Trigger::WhenDue).await;
    assert!(first.certificates()[0].issuer.contains("Example Root"));
    assert_eq!(objects(&deployment).await, Vec::<String>::new(), "nothing is left lying there");

    // The second time the root is known: the chain alone is enough.
    let rotation = waiting(&deployment, Trigger::Forced).await;
    let (chain, _) = elsewhere.issue(&bucket.published(rotation).await.unwrap().unwrap(), "200");
    deployment.clock.set(now());
    bucket.bring(rotation, &chain, None).await.unwrap();
    let second = deployment.rotate(Trigger::WhenDue).await;
    assert_eq!(second.version(), 2);
    assert_eq!(second.anchors(), first.anchors());
    deployment.assert_record_matches_its_key().await;
}

#[tokio::test]
async fn a_chain_without_its_root_is_waited_for_and_one_for_another_key_is_refused() {
    let deployment = Deployment::new(AuthorityChoice::External).await;
    let bucket = deployment.settings.drop_box(&Deployment::config());
    let rotation = waiting(&deployment, Trigger::WhenDue).await;
    let elsewhere = OpensslAuthority::new();
    let request = bucket.published(rotation).await.unwrap().unwrap();
    let (chain, root) = elsewhere.issue(&request, "365");
    bucket.bring(rotation, &chain, None).await.unwrap();
    let text = deployment.run(Trigger::WhenDue).await.to_string();
    assert!(text.contains("without its root") && text.contains("root.pem"), "{text}");

    let other = waiting(&deployment, Trigger::Forced).await;
    assert_ne!(other, rotation);
    let error = deployment.rotation().check_certificate(&chain, &root).await.unwrap_err();
    assert!(error.to_string().contains("does not belong"), "{error}");
    bucket.bring(other, &chain, Some(&root)).await.unwrap();
    let error = deployment.rotation().run(Trigger::WhenDue, &|| false).await.unwrap_err();
    assert!(
        error.to_string().contains("validate") && error.to_string().contains("does not belong"),
        "{error}"
    );
    assert!(deployment.records().active().await.unwrap().is_none());
    assert_eq!(objects(&deployment).await, Vec::<String>::new(), "the request was given up");
    assert_eq!(deployment.keeper_candidates().await, 0);
}
