//! Asking those who publish revocations: the order, what counts, and what is remembered.

use std::{
    future::{pending, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use async_trait::async_trait;
use bytes::Bytes;
use credlink_pipeline::{
    certificate::{CheckName, CheckResult, revocation::RevocationService},
    credential::StatusKind,
    revocation_source::{Asking, FetchError, RevocationSource},
    timestamp::Timestamp,
};
use rasn_ocsp::CertStatus;
use rcgen::{CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope, KeyUsagePurpose, RevocationReason};

use crate::{
    authority::{Authority, date, now, time},
    judging::{asked, check, codes},
    responder::{
        Canned, LIST, RESPONDER, Response, ask_at, list, list_with, listed_at, moment, nonce_of, refusal,
    },
};

struct Case {
    root: Authority,
    leaf: Vec<u8>,
}

/// A leaf that names a responder and a list.
fn case() -> Case {
    let root = Authority::root("Root");
    let leaf = root.leaf_with(|params| {
        ask_at(params, &[RESPONDER]);
        listed_at(params, LIST);
    });
    Case { leaf: leaf.der, root }
}

/// How the check went, its words and its status.
fn judged(
    case: &Case,
    service: &RevocationService,
    stamped: Option<Timestamp>,
    now: Timestamp,
) -> (CheckResult, String, String) {
    let mut question = asked(&[&case.leaf], case.root.as_anchor());
    question.revocation = Some(service);
    question.stamped = stamped;
    question.now = now;
    let judgement = question.judged();
    let check = check(&judgement, CheckName::Revocation);
    let all = [StatusKind::Success, StatusKind::Failure, StatusKind::Informational];
    let codes: Vec<&str> = all.into_iter().flat_map(|kind| codes(&judgement, kind)).collect();
    let code = codes.into_iter().find(|code| code.contains(".ocsp.")).unwrap();
    (check.result, check.detail, code.to_owned())
}

fn service(source: &Canned) -> RevocationService {
    RevocationService::new(Box::new(source.clone()))
}

fn always(response: Vec<u8>) -> impl Fn(&[u8]) -> Result<Vec<u8>, String> + Send + Sync + 'static {
    move |_| Ok(response.clone())
}

#[test]
fn a_responder_is_asked_and_believed() {
    let case = case();
    let key = rcgen::KeyPair::try_from(case.root.key().serialize_der()).unwrap();
    let good = Response::good(&case.root, &case.leaf).data;
    let source = Canned::default().saying(RESPONDER, move |request| {
        let response = Response { data: good.clone(), certificates: Vec::new() };
        Ok(response.with_nonce(&nonce_of(request)).signed_by(&key))
    });
    let found = judged(&case, &service(&source), None, now());
    assert_eq!((found.0, found.2.as_str()), (CheckResult::Passed, "signingCredential.ocsp.notRevoked"));
    assert_eq!(source.asked(), 1, "the list is not asked");

    let revoked = Response::revoked(&case.root, &case.leaf, "2026-05-10T00:00:00Z", None);
    let source = Canned::default().saying(RESPONDER, always(revoked.signed_by(case.root.key())));
    assert_eq!(judged(&case, &service(&source), None, now()).2, "signingCredential.ocsp.revoked");
    let before = Some(time("2026-05-09T00:00:00Z"));
    assert_eq!(judged(&case, &service(&source), before, now()).2, "signingCredential.ocsp.notRevoked");

    let unknown = Response::good(&case.root, &case.leaf)
        .with(|single| single.cert_status = CertStatus::Unknown(()))
        .signed_by(case.root.key());
    let source = Canned::default().saying(RESPONDER, always(unknown));
    assert_eq!(judged(&case, &service(&source), None, now()).2, "signingCredential.ocsp.unknown");
}

#[test]
fn an_answer_that_does_not_count_leads_to_the_list() {
    let case = case();
    let root = case.root.key();
    let good = || Response::good(&case.root, &case.leaf);
    let expired = good().with(|single| single.next_update = Some(moment("2026-05-02T00:00:00Z")));
    let wrong_nonce = good().with_nonce(&[&[4, 16][..], &[9; 16]].concat());
    let answers = [
        (expired.signed_by(root), "it counted until"),
        (wrong_nonce.signed_by(root), "answers another request"),
        (good().signed_by(Authority::root("Root").key()), "its signature is neither"),
        (Response::good(&case.root, &case.root.leaf().der).signed_by(root), "another certificate"),
        (refusal(3), "try again later"),
        (vec![1; 2_000_000], "more than 1048576 bytes"),
    ];
    for (answer, words) in answers {
        let source = Canned::default().saying(RESPONDER, always(answer.clone()));
        let found = judged(&case, &service(&source), None, now());
        assert_eq!(
            (found.0, found.2.as_str()),
            (CheckResult::NotChecked, "signingCredential.ocsp.inaccessible")
        );
        assert!(found.1.contains(words), "{} does not say {words}", found.1);
        assert!(found.1.contains("nobody is there"), "{}", found.1);
        let source = source.saying(LIST, always(list(&case.root, &[])));
        let found = judged(&case, &service(&source), None, now());
        assert_eq!(found.0, CheckResult::Passed, "{}", found.1);
        assert!(found.1.contains("says the revocation list of 2026-05-01"), "{}", found.1);
    }
}

#[test]
fn revocation_lists_are_judged() {
    let case = case();
    let other = case.root.leaf().der;
    let at = "2026-05-10T00:00:00Z";
    let only_lists = |params: &mut rcgen::CertificateRevocationListParams, scope, uri: &str| {
        params.issuing_distribution_point = Some(CrlIssuingDistributionPoint {
            distribution_point: CrlDistributionPoint { uris: vec![uri.into()] },
            scope,
        });
    };
    let window = |from: &'static str, until: &'static str| {
        list_with(&case.root, &[], |params| {
            params.this_update = date(from);
            params.next_update = date(until);
        })
    };
    let mut bad_signature = list(&case.root, &[]);
    *bad_signature.last_mut().unwrap() ^= 1;
    let (passed, failed, open) = (CheckResult::Passed, CheckResult::Failed, CheckResult::NotChecked);
    let cases = [
        (list(&case.root, &[]), passed, "not revoked"),
        (list(&case.root, &[(&other, at, None)]), passed, "not revoked"),
        (list(&case.root, &[(&other, at, None), (&case.leaf, at, None)]), failed, "revoked on 2026-05-10"),
        (
            list(&case.root, &[(&case.leaf, at, Some(RevocationReason::CertificateHold))]),
            failed,
            "it is on hold",
        ),
        (list(&case.root, &[(&case.leaf, at, Some(RevocationReason::RemoveFromCrl))]), passed, "not revoked"),
        (list_with(&case.root, &[], |params| only_lists(params, None, LIST)), passed, "not revoked"),
        (
            list_with(&case.root, &[], |params| only_lists(params, Some(CrlScope::UserCertsOnly), LIST)),
            passed,
            "not revoked",
        ),
        (
            list_with(&case.root, &[], |params| only_lists(params, Some(CrlScope::CaCertsOnly), LIST)),
            open,
            "for other certificates",
        ),
        (
            list_with(&case.root, &[], |params| only_lists(params, None, "http://elsewhere.example/")),
            open,
            "for other certificates",
        ),
        (window("2026-04-01T00:00:00Z", "2026-05-31T23:54:59Z"), open, "it counted until"),
        (window("2026-06-01T00:05:01Z", "2026-07-01T00:00:00Z"), open, "it counts from"),
        (bad_signature, open, "does not verify"),
        (list(&Authority::root("Root"), &[]), open, "does not verify"),
        (list(&Authority::root("Another"), &[]), open, "for other certificates"),
        (vec![0x30; 1024 * 1024 + 1], open, "more than 1048576 bytes"),
        (b"<html>".to_vec(), open, "not a revocation list"),
    ];
    for (list, result, words) in cases {
        let source = Canned::default().saying(LIST, always(list));
        let found = judged(&case, &service(&source), None, now());
        assert_eq!(found.0, result, "{words}: {}", found.1);
        assert!(found.1.contains(words), "{} does not say {words}", found.1);
    }
    let revoked = list(&case.root, &[(&case.leaf, at, None)]);
    let source = Canned::default().saying(LIST, always(revoked));
    let before = Some(time("2026-05-09T23:59:59Z"));
    assert_eq!(judged(&case, &service(&source), before, now()).0, CheckResult::Passed);

    let root = Authority::root_with("Root", &rcgen::PKCS_ECDSA_P256_SHA256, |params| {
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    });
    let case = Case { leaf: root.leaf_with(|params| listed_at(params, LIST)).der, root };
    let source = Canned::default().saying(LIST, always(b"unread".to_vec()));
    let found = judged(&case, &service(&source), None, now());
    assert!(found.1.contains("does not allow signing lists"), "{}", found.1);
}

#[test]
fn for_an_expired_certificate_silence_means_nothing() {
    let case = case();
    let later = time("2027-06-01T00:00:00Z");
    let stamped = Some(time("2026-05-20T00:00:00Z"));
    let fresh = |response: Response| {
        response
            .with(|single| {
                single.this_update = moment("2027-05-31T00:00:00Z");
                single.next_update = Some(moment("2027-07-01T00:00:00Z"));
            })
            .signed_by(case.root.key())
    };
    let good = fresh(Response::good(&case.root, &case.leaf));
    let found = judged(&case, &service(&Canned::default().saying(RESPONDER, always(good))), stamped, later);
    assert_eq!(found.0, CheckResult::NotChecked);
    assert!(found.1.contains("it has expired since"), "{}", found.1);
    let revoked = fresh(Response::revoked(&case.root, &case.leaf, "2026-05-19T00:00:00Z", None));
    let found =
        judged(&case, &service(&Canned::default().saying(RESPONDER, always(revoked))), stamped, later);
    assert_eq!(found.0, CheckResult::Failed);
}

#[test]
fn only_a_trusted_certificate_has_its_addresses_asked() {
    let case = case();
    let source = Canned::default();
    let mut question = asked(&[&case.leaf, &case.root.der()], Authority::root("Another").as_anchor());
    let service = service(&source);
    question.revocation = Some(&service);
    let check = check(&question.judged(), CheckName::Revocation);
    assert_eq!((check.result, source.asked()), (CheckResult::NotChecked, 0));
}

#[test]
fn few_addresses_are_asked_and_only_those_of_the_web() {
    let root = Authority::root("Root");
    let long = format!("http://{}.example/", "a".repeat(3_000));
    let leaf = root.leaf_with(|params| {
        ask_at(
            params,
            &["ldap://a.example/", &long, "file:///etc/passwd", "http://1", "HTTPS://2", "http://3"],
        );
        for number in 4..9 {
            listed_at(params, &format!("http://{number}"));
        }
    });
    let case = Case { leaf: leaf.der, root };
    let source = Canned::default();
    let found = judged(&case, &service(&source), None, now());
    assert_eq!((found.0, source.asked()), (CheckResult::NotChecked, 4));
    for address in ["http://1 ", "HTTPS://2 ", "http://4 ", "http://5 "] {
        assert!(found.1.contains(address), "{} does not name {address}", found.1);
    }
    let silent = Case { leaf: case.root.leaf().der, root: case.root };
    let found = judged(&silent, &service(&source), None, now());
    assert_eq!((found.0, found.2.as_str()), (CheckResult::NotChecked, "signingCredential.ocsp.skipped"));
}

#[test]
fn answers_are_remembered_while_they_count_and_failures_for_a_minute() {
    let case = case();
    let after = |seconds: i64| {
        Timestamp::new(now().as_offset_date_time() + std::time::Duration::from_secs(seconds as u64))
    };
    let good = Response::good(&case.root, &case.leaf);
    let short = Response::good(&case.root, &case.leaf)
        .with(|single| single.next_update = Some(moment("2026-06-01T00:10:00Z")));
    for (response, kept) in [(good, 3_600), (short, 600)] {
        let source = Canned::default().saying(RESPONDER, always(response.signed_by(case.root.key())));
        let service = service(&source);
        for at in [0, 1, kept - 1] {
            assert_eq!(judged(&case, &service, None, after(at)).0, CheckResult::Passed);
            assert_eq!(source.asked(), 1, "{at}");
        }
        assert_eq!(judged(&case, &service, None, after(kept)).0, CheckResult::Passed);
        assert_eq!(source.asked(), 2, "asked again");
    }

    let source = Canned::default();
    let service = service(&source);
    for at in [0, 1, 59] {
        assert_eq!(judged(&case, &service, None, after(at)).0, CheckResult::NotChecked);
        assert_eq!(source.asked(), 2, "{at}");
    }
    // Another certificate, the same dead addresses.
    let leaf = case.root.leaf_with(|params| ask_at(params, &[RESPONDER]));
    let another = Case { leaf: leaf.der, root: Authority { issuer: case.root.issuer } };
    assert_eq!(judged(&another, &service, None, after(59)).0, CheckResult::NotChecked);
    assert_eq!(source.asked(), 2);
    let good = Response::good(&another.root, &another.leaf).signed_by(another.root.key());
    let source = source.saying(RESPONDER, always(good));
    assert_eq!(judged(&another, &service, None, after(120)).0, CheckResult::Passed);
    assert_eq!(source.asked(), 3);
}

/// A responder that never answers, at a source that gives up at once.
struct Silence(Arc<AtomicUsize>);

#[async_trait]
impl RevocationSource for Silence {
    async fn ocsp(&self, _: &str, _: Vec<u8>) -> Result<Bytes, FetchError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        pending().await
    }

    async fn revocation_list(&self, url: &str) -> Result<Bytes, FetchError> {
        Err(FetchError::Failed { url: url.into(), reason: "nobody is there".into() })
    }

    async fn within_limit(&self, mut asking: Asking<'_>) -> bool {
        poll_fn(|context| Poll::Ready(asking.as_mut().poll(context).is_ready())).await
    }
}

#[test]
fn silence_is_cut_off_and_remembered() {
    let case = case();
    let asked = Arc::new(AtomicUsize::new(0));
    let service = RevocationService::new(Box::new(Silence(asked.clone())));
    let found = judged(&case, &service, None, now());
    assert_eq!((found.0, found.2.as_str()), (CheckResult::NotChecked, "signingCredential.ocsp.inaccessible"));
    assert!(found.1.contains("the time for asking was up"), "{}", found.1);
    let found = judged(&case, &service, None, now());
    assert_eq!((found.0, asked.load(Ordering::SeqCst)), (CheckResult::NotChecked, 1), "{}", found.1);
    assert!(found.1.contains("nobody is there"), "now the list is asked: {}", found.1);
    judged(&case, &service, None, time("2026-06-01T00:01:00Z"));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[test]
fn what_was_refused_is_not_remembered_as_an_answer() {
    let case = case();
    let forged = Response::good(&case.root, &case.leaf).signed_by(Authority::root("Root").key());
    let source = Canned::default().saying(RESPONDER, always(forged));
    let service = service(&source);
    assert_eq!(judged(&case, &service, None, now()).0, CheckResult::NotChecked);
    assert_eq!(judged(&case, &service, None, now()).0, CheckResult::NotChecked);
    let revoked = Response::revoked(&case.root, &case.leaf, "2026-05-10T00:00:00Z", None);
    let _same = source.clone().saying(RESPONDER, always(revoked.signed_by(case.root.key())));
    assert_eq!(judged(&case, &service, None, time("2026-06-01T00:01:00Z")).0, CheckResult::Failed);
}

#[test]
fn a_response_to_staple_is_good_and_fresh() {
    let case = case();
    let block_on = |service: &RevocationService, chain: &[Vec<u8>]| {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(service.staple(chain, now()))
    };
    let chain = [case.leaf.clone(), case.root.der()];
    let good = Response::good(&case.root, &case.leaf).signed_by(case.root.key());
    let source = Canned::default().saying(RESPONDER, always(good.clone()));
    let asked_twice = service(&source);
    assert_eq!(block_on(&asked_twice, &chain).as_deref(), Some(&good[..]));
    assert_eq!(block_on(&asked_twice, &chain).as_deref(), Some(&good[..]));
    assert_eq!(source.asked(), 1);

    let revoked = Response::revoked(&case.root, &case.leaf, "2026-05-10T00:00:00Z", None);
    let expired = Response::good(&case.root, &case.leaf)
        .with(|single| single.next_update = Some(moment("2026-05-02T00:00:00Z")));
    for response in [revoked, expired] {
        let source = Canned::default().saying(RESPONDER, always(response.signed_by(case.root.key())));
        assert_eq!(block_on(&service(&source), &chain), None);
    }
    assert_eq!(block_on(&service(&Canned::default()), &chain), None);
    assert_eq!(block_on(&service(&source), &chain[..1]), None);
    assert_eq!(block_on(&service(&source), &[case.root.leaf().der, case.root.der()]), None);
    assert_eq!(block_on(&service(&source), &[vec![1], vec![2]]), None);
}
