//! Signatures of KMS as X.509 and PKCS#10 want them.

use std::time::Duration;

use aws_lc_rs::digest::{self, SHA256, SHA384};
use aws_sdk_kms::{
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use tokio::time::{self, Instant};

use super::{
    call::{self, Call},
    pause::jitter,
    tagged_keys::{self, TaggedKeys},
};
use crate::{algorithm::KeyKind, rotation::ports::Fault};

/// Between two attempts with a key that may not be used yet.
const PAUSE: Duration = Duration::from_secs(5);

/// Signs `message` with the key `arn`. KMS gets the digest only, so a message may have any length.
///
/// Roles know their keys by tags, and it may take KMS some minutes until those of a new key count. So a denial is
/// tried again for a while, and does not end a rotation.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/tag-authorization.html>
pub(super) async fn sign_as_x509(
    keys: &TaggedKeys,
    arn: &str,
    kind: KeyKind,
    message: &[u8],
) -> Result<Vec<u8>, Fault> {
    let resource = tagged_keys::resource(arn);
    let call = Call { resource: &resource, permission: "kms:Sign" };
    let (name, algorithm) = match kind {
        KeyKind::Rsa2048 | KeyKind::Rsa3072 | KeyKind::Rsa4096 => {
            (SigningAlgorithmSpec::RsassaPkcs1V15Sha256, &SHA256)
        }
        KeyKind::P256 => (SigningAlgorithmSpec::EcdsaSha256, &SHA256),
        KeyKind::P384 => (SigningAlgorithmSpec::EcdsaSha384, &SHA384),
        KeyKind::Ed25519 => {
            let fix = "choose another kind of key";
            return Err(Fault::lasting(resource, "KMS signs no digests with Ed25519", fix));
        }
    };
    let digest = Blob::new(digest::digest(algorithm, message).as_ref());
    let end = Instant::now() + keys.patience();
    loop {
        let request = keys.client().sign().key_id(arn).message_type(MessageType::Digest);
        let request = request.signing_algorithm(name.clone()).message(digest.clone());
        match request.send().await {
            Ok(answer) => {
                let signature = answer.signature.map(Blob::into_inner);
                let signature = signature.filter(|signature| !signature.is_empty());
                return signature.ok_or_else(|| call.answered_without("signature"));
            }
            Err(error) if !call::is_denied(&error) => return Err(call.failed(&error)),
            Err(error) if Instant::now() + PAUSE > end => {
                return Err(Fault { passing: true, ..call.failed(&error) });
            }
            Err(_) => time::sleep(PAUSE.mul_f64(jitter())).await,
        }
    }
}
