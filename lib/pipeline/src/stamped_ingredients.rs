//! Manifests among the ingredients whose certificate has expired, but not before a time-stamp that counts: in the
//! signature, or added later by an update manifest (C2PA 2.4, section 15.8.1.2).
//!
//! The C2PA library judges ingredients by one list of trust anchors, that of signers. So it calls expired what a
//! time-stamp authority vouches for. Here it is judged again, as the active manifest is: by both lists.

use std::collections::BTreeSet;

use crate::{
    certificate::{self, Question},
    credential::{
        ClaimSignature, Status, StatusKind, judge_later_stamps, judge_stamps, later_stamps, names_one_signer,
    },
    timestamp::Timestamp,
    trust::TrustAnchors,
};

/// What the library says of a certificate that is not valid any more (C2PA 2.4, section 15.2.2.3).
const EXPIRED: [&str; 2] = ["signingCredential.expired", "claimSignature.outsideValidity"];

/// What it says of the same certificate besides, because it looks for a path that is valid now.
const UNTRUSTED: &str = "signingCredential.untrusted";

/// The most manifests that are judged again.
const MAX_JUDGED: usize = 16;

/// Takes back from `status`, which is about `store`, that a certificate has expired, where a stamp shows that the
/// signature was there before.
pub(crate) async fn excuse_expired(
    status: &mut Vec<Status>,
    store: &[u8],
    trust: &TrustAnchors,
    now: Timestamp,
) {
    let expired: BTreeSet<String> = status
        .iter()
        .filter(|status| is_failure_of_ingredient(status, &EXPIRED))
        .filter_map(|status| manifest_in(status).map(str::to_owned))
        .take(MAX_JUDGED)
        .collect();
    for label in expired {
        let Some(successes) = outlived(&label, store, trust, now).await else { continue };
        let is_excused = |status: &Status| {
            manifest_in(status) == Some(&label)
                && (is_failure_of_ingredient(status, &EXPIRED)
                    || is_failure_of_ingredient(status, &[UNTRUSTED]))
        };
        let excused: Vec<Status> = status.extract_if(.., |status| is_excused(status)).collect();
        let Some(place) = excused.first() else { continue };
        status.extend(successes.into_iter().map(|success| Status {
            uri: place.uri.clone(),
            ingredient: place.ingredient.clone(),
            ..success
        }));
    }
}

/// What is to be said of the manifest `label` if its signature has outlived its certificate by a time-stamp.
async fn outlived(label: &str, store: &[u8], trust: &TrustAnchors, now: Timestamp) -> Option<Vec<Status>> {
    // Of two manifests with one label, or two signers, nobody knows which one the library judged.
    if !names_one_signer(store, label) {
        return None;
    }
    let signature = ClaimSignature::of_manifest(store, label)?;
    let anchors = trust.time_stamps();
    let mut stamps = judge_stamps(&signature, anchors, now);
    if stamps.time.is_none() {
        stamps = judge_later_stamps(&signature, &later_stamps(store, label), anchors, now);
    }
    let question = Question {
        signature: &signature,
        anchors: trust.signers(),
        stamped: Some(stamps.time?),
        now,
        // Nobody is asked about ingredients; what is stapled counts.
        revocation: None,
    };
    let judgement = certificate::judge(question).await;
    if !judgement.report?.is_valid() {
        return None;
    }
    let all = stamps.status.into_iter().chain(judgement.status);
    Some(all.filter(|status| status.kind == StatusKind::Success).collect())
}

fn is_failure_of_ingredient(status: &Status, codes: &[&str]) -> bool {
    status.kind == StatusKind::Failure && status.ingredient.is_some() && codes.contains(&status.code.as_str())
}

/// The label of the manifest that a status speaks of (C2PA 2.4, section 8.4.2).
fn manifest_in(status: &Status) -> Option<&str> {
    status.uri.as_deref()?.strip_prefix("self#jumbf=/c2pa/")?.split('/').next()
}
