//! OCSP responses: which count, and what they say of a signature.

use credlink_pipeline::{
    certificate::{CheckName, CheckResult},
    credential::StatusKind,
    timestamp::Timestamp,
};
use rasn_ocsp::CertStatus;
use rasn_pkix::CrlReason;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair};

use crate::{
    authority::{Authority, time},
    judging::{asked, check, codes},
    random::pseudo_random,
    responder::{Response, id, moment, refusal, successful},
};

const NOT_REVOKED: &str = "signingCredential.ocsp.notRevoked";
const REVOKED: &str = "signingCredential.ocsp.revoked";
const UNKNOWN: &str = "signingCredential.ocsp.unknown";
const SKIPPED: &str = "signingCredential.ocsp.skipped";

/// Judges a leaf with staples: how the check went, its words and its status.
fn judged(
    root: &Authority,
    leaf: &[u8],
    staples: Vec<Vec<u8>>,
    stamped: Option<Timestamp>,
) -> (CheckResult, String, String) {
    let mut question = asked(&[leaf], root.as_anchor());
    question.staples = staples;
    question.stamped = stamped;
    let judgement = question.judged();
    let check = check(&judgement, CheckName::Revocation);
    let kind = match check.result {
        CheckResult::Passed => StatusKind::Success,
        CheckResult::Failed => StatusKind::Failure,
        CheckResult::NotChecked => StatusKind::Informational,
    };
    let status = codes(&judgement, kind).into_iter().find(|code| code.contains(".ocsp.")).unwrap();
    assert_eq!(judgement.report.as_ref().unwrap().is_valid(), check.result != CheckResult::Failed);
    (check.result, check.detail, status.to_owned())
}

#[test]
fn answers_that_count() {
    let root = Authority::root("Root");
    let leaf = root.leaf().der;
    let revoked = |at: &str, reason| Response::revoked(&root, &leaf, at, reason);
    let good = || Response::good(&root, &leaf);
    let unknown = || good().with(|single| single.cert_status = CertStatus::Unknown(()));
    let by_sha_256 = good().with(|single| single.cert_id = id(&root, &leaf, true));
    let without_end = good().with(|single| {
        single.this_update = moment("2026-05-31T00:10:00Z");
        single.next_update = None;
    });
    let several = |mut first: Response, second: Response| {
        first.data.responses.extend(second.data.responses);
        first
    };
    let another = root.leaf().der;
    let stamp = Some(time("2026-05-20T00:00:00Z"));
    let (passed, failed) = (CheckResult::Passed, CheckResult::Failed);
    let cases = [
        (good(), None, passed, NOT_REVOKED, "not revoked, says the stapled OCSP response of 2026-05-01"),
        (good(), stamp, passed, NOT_REVOKED, "not revoked"),
        (by_sha_256, None, passed, NOT_REVOKED, "not revoked"),
        (without_end, None, passed, NOT_REVOKED, "not revoked"),
        (several(Response::good(&root, &another), good()), None, passed, NOT_REVOKED, "not revoked"),
        (good().with_nonce(b"somebody else's"), None, passed, NOT_REVOKED, "not revoked"),
        (revoked("2026-05-10T00:00:00Z", None), None, failed, REVOKED, "revoked on 2026-05-10"),
        (
            revoked("2026-05-10T00:00:00Z", Some(CrlReason::KeyCompromise)),
            stamp,
            failed,
            REVOKED,
            "(its key was compromised)",
        ),
        (revoked("2026-05-20T00:00:00Z", None), stamp, failed, REVOKED, "revoked on 2026-05-20"),
        (revoked("2026-05-21T00:00:00Z", None), stamp, passed, NOT_REVOKED, "signed before that"),
        (
            revoked("2026-05-10T00:00:00Z", Some(CrlReason::RemoveFromCRL)),
            None,
            passed,
            NOT_REVOKED,
            "not revoked",
        ),
        (unknown(), None, failed, UNKNOWN, "does not know it"),
    ];
    for (response, stamped, result, code, words) in cases {
        let found = judged(&root, &leaf, vec![response.signed_by(root.key())], stamped);
        assert_eq!((found.0, found.2.as_str()), (result, code), "{words}: {}", found.1);
        assert!(found.1.contains(words), "{} does not say {words}", found.1);
    }
}

#[test]
fn answers_that_do_not_count() {
    let root = Authority::root("Root");
    let leaf = root.leaf().der;
    let another = root.leaf().der;
    let stranger = Authority::root("Root");
    let good = || Response::good(&root, &leaf);
    let signed = |response: Response| response.signed_by(root.key());
    let window = |from: &'static str, until: Option<&'static str>| {
        signed(good().with(|single| {
            single.this_update = moment(from);
            single.next_update = until.map(moment);
        }))
    };
    let mut critical = good().with_nonce(b"1");
    if let Some(extensions) = &mut critical.data.response_extensions {
        let mut list = extensions.to_vec();
        list[0].critical = true;
        list[0].extn_id = rasn::types::ObjectIdentifier::new(vec![1, 2, 3, 4]).unwrap();
        *extensions = list.into();
    }
    let mut bad_signature = signed(good());
    *bad_signature.last_mut().unwrap() ^= 1;
    let cases = [
        (window("2026-01-01T00:00:00Z", Some("2026-05-31T23:54:59Z")), "it counted until 2026-05-31"),
        (window("2026-06-01T00:05:01Z", Some("2026-07-01T00:00:00Z")), "it counts from 2026-06-01"),
        (window("2026-05-30T23:54:59Z", None), "more than a day before"),
        (signed(Response::good(&root, &another)), "about another certificate"),
        (signed(Response::good(&stranger, &leaf)), "about another certificate"),
        (good().signed_by(stranger.key()), "its signature is neither the issuer's"),
        (good().with_certificate(&stranger.der()).signed_by(stranger.key()), "not meant for OCSP responses"),
        (bad_signature, "its signature is neither the issuer's"),
        (signed(critical), "critical extension"),
        ([signed(good()), vec![0]].concat(), "not one structure"),
        (successful(&[5, 0]), "not one structure"),
        (successful(&[0x30, 0]), "not one structure"),
        (refusal(1), "does not understand"),
        (refusal(3), "try again later"),
        (refusal(6), "does not answer for this certificate"),
        (refusal(0), "it is empty"),
        (Vec::new(), "not one structure"),
        (b"hello".to_vec(), "not one structure"),
        (vec![0x30; 50_000_000], "more than 1048576 bytes"),
    ];
    for (staple, words) in cases {
        let found = judged(&root, &leaf, vec![staple.clone()], None);
        assert_eq!((found.0, found.2.as_str()), (CheckResult::NotChecked, SKIPPED), "{words}: {}", found.1);
        assert!(found.1.contains(words), "{} does not say {words}", found.1);
        // The next one counts all the same.
        let found = judged(&root, &leaf, vec![staple, signed(good())], None);
        assert_eq!(found.0, CheckResult::Passed, "{words}");
    }
    // Five minutes of difference between clocks are nothing.
    let nearly = window("2026-06-01T00:05:00Z", Some("2026-07-01T00:00:00Z"));
    assert_eq!(judged(&root, &leaf, vec![nearly], None).0, CheckResult::Passed);
    let nearly = window("2026-01-01T00:00:00Z", Some("2026-05-31T23:55:00Z"));
    assert_eq!(judged(&root, &leaf, vec![nearly], None).0, CheckResult::Passed);
    // What counts is the stamped time.
    let old = window("2026-02-01T00:00:00Z", Some("2026-02-08T00:00:00Z"));
    let stamped = Some(time("2026-02-03T00:00:00Z"));
    assert_eq!(judged(&root, &leaf, vec![old.clone()], stamped).0, CheckResult::Passed);
    assert_eq!(
        judged(&root, &leaf, vec![old], Some(time("2026-03-03T00:00:00Z"))).0,
        CheckResult::NotChecked
    );
}

#[test]
fn of_several_answers_the_worst_counts() {
    let root = Authority::root("Root");
    let leaf = root.leaf().der;
    let good = Response::good(&root, &leaf).signed_by(root.key());
    let unknown = Response::good(&root, &leaf).with(|single| single.cert_status = CertStatus::Unknown(()));
    let unknown = unknown.signed_by(root.key());
    let revoked = Response::revoked(&root, &leaf, "2026-05-10T00:00:00Z", None).signed_by(root.key());
    let staples = vec![unknown.clone(), good.clone(), revoked];
    assert_eq!(judged(&root, &leaf, staples.clone(), None).2, REVOKED);
    assert_eq!(judged(&root, &leaf, staples, Some(time("2026-05-05T00:00:00Z"))).2, NOT_REVOKED);
    assert_eq!(judged(&root, &leaf, vec![unknown, good], None).2, NOT_REVOKED);
}

#[test]
fn responders_are_authorised_by_the_issuer_itself() {
    let root = Authority::root("Root");
    let middle = root.authority("Middle");
    let leaf = root.leaf().der;
    let responder = |issuer: &Authority, change: &dyn Fn(&mut CertificateParams)| {
        let key = KeyPair::generate().unwrap();
        let der = issuer.leaf_for(&key, |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
            change(params);
        });
        (der.der, key)
    };
    let cases = [
        (responder(&root, &|_| {}), None),
        (responder(&middle, &|_| {}), Some("did not authorise")),
        (responder(&Authority::root("Root"), &|_| {}), Some("did not authorise")),
        (
            responder(&root, &|params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
            }),
            Some("not meant for OCSP responses"),
        ),
        (
            responder(&root, &|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]),
            Some("not meant for OCSP responses"),
        ),
        (responder(&root, &|params| params.extended_key_usages = Vec::new()), Some("not meant")),
        (
            responder(&root, &|params| params.not_after = crate::authority::date("2026-04-01T00:00:00Z")),
            Some("did not authorise: a certificate of the chain has expired"),
        ),
    ];
    for ((der, key), objection) in cases {
        let response = Response::good(&root, &leaf).with_certificate(&middle.der()).with_certificate(&der);
        let found = judged(&root, &leaf, vec![response.signed_by(&key)], None);
        match objection {
            None => assert_eq!(found.0, CheckResult::Passed, "{}", found.1),
            Some(words) => {
                assert_eq!(found.0, CheckResult::NotChecked, "{words}");
                assert!(found.1.contains(words), "{} does not say {words}", found.1);
            }
        }
        let without = Response::good(&root, &leaf);
        assert_eq!(judged(&root, &leaf, vec![without.signed_by(&key)], None).0, CheckResult::NotChecked);
    }
}

#[test]
fn without_trust_no_answer_counts() {
    let root = Authority::root("Root");
    let leaf = root.leaf().der;
    let mut question = asked(&[&leaf, &root.der()], Authority::root("Another").as_anchor());
    question.staples = vec![Response::good(&root, &leaf).signed_by(root.key())];
    let check = check(&question.judged(), CheckName::Revocation);
    assert_eq!(check.result, CheckResult::NotChecked);
    assert!(check.detail.contains("no trusted issuer"), "{}", check.detail);
}

#[test]
fn changed_bytes_never_make_a_panic_nor_an_answer() {
    let root = Authority::root("Root");
    let leaf = root.leaf().der;
    let key = KeyPair::generate().unwrap();
    let responder = root.leaf_for(&key, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
    });
    let response = Response::good(&root, &leaf).with_nonce(b"nonce").with_certificate(&responder.der);
    let response = response.signed_by(&key);
    assert!(signed_part(&response).is_some());
    let mut next = pseudo_random(0x2545_f491_4f6c_dd1d);
    for _ in 0..3_000 {
        let mut changed = response.clone();
        for _ in 0..=next(3) {
            let at = next(changed.len());
            changed[at] = u8::try_from(next(256)).unwrap();
        }
        if next(10) == 0 {
            changed.truncate(next(changed.len()));
        }
        let (result, detail, _) = judged(&root, &leaf, vec![changed.clone()], None);
        // Only what is signed counts; what stands around it may be written in another way.
        assert!(
            result == CheckResult::NotChecked || signed_part(&changed) == signed_part(&response),
            "{detail}"
        );
    }
}

/// The body of a response; `None` when it cannot be found.
fn signed_part(response: &[u8]) -> Option<&[u8]> {
    let start = response.windows(4).position(|bytes| bytes[..2] == [0x30, 0x81] && bytes[3] == 0xa2)?;
    response.get(start..start + usize::from(response[start + 2]) + 3)
}
