//! Where chains lead, whether they are valid in time, and who signed them.

use std::time::{Duration, Instant};

use credlink_pipeline::{
    certificate::{CheckName, CheckResult, TimeSource},
    credential::StatusKind,
    trust::AnchorList,
};
use rcgen::{
    BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyIdMethod, KeyPair,
    KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA256,
    PKCS_ECDSA_P521_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519, PKCS_RSA_SHA256, PKCS_RSA_SHA384,
    PKCS_RSA_SHA512, SanType,
};
use x509_parser::pem::Pem;

use crate::{
    authority::{Authority, date, time},
    judging::{asked, check, codes, failed, failures},
};

#[test]
fn a_sound_chain_passes_every_check_that_is_made() {
    let root = Authority::root("Root");
    let middle = root.authority("Middle");
    let leaf = middle.leaf();
    let judgement = asked(&[&leaf.der, &middle.der()], root.as_anchor()).judged();
    let report = judgement.report.as_ref().unwrap();
    let names: Vec<CheckName> = report.checks.iter().map(|check| check.name).collect();
    assert_eq!(
        names,
        [
            CheckName::Chain,
            CheckName::Validity,
            CheckName::Signature,
            CheckName::KeyUsage,
            CheckName::ExtendedKeyUsage,
            CheckName::BasicConstraints,
            CheckName::Revocation
        ]
    );
    assert!(report.is_valid() && report.first_objection().is_none(), "{report:?}");
    assert_eq!(check(&judgement, CheckName::Revocation).result, CheckResult::NotChecked);
    assert_eq!(report.time_source, TimeSource::Now);
    assert_eq!(
        codes(&judgement, StatusKind::Success),
        ["claimSignature.insideValidity", "signingCredential.trusted"]
    );
    assert_eq!(failures(&judgement), [""; 0]);
}

#[test]
fn the_order_of_a_chain_does_not_matter() {
    let root = Authority::root("Root");
    let upper = root.authority("Upper");
    let lower = upper.authority("Lower");
    let stranger = Authority::root("Stranger").authority("Stranger's");
    let leaf = lower.leaf();
    let chain = [&leaf.der[..], &stranger.der(), &upper.der(), &root.der(), &lower.der(), &upper.der()];
    assert!(asked(&chain, root.as_anchor()).judged().report.unwrap().is_valid());
}

#[test]
fn what_is_wrong_with_a_chain_is_named() {
    let root = Authority::root("Root");
    let middle = root.authority("Middle");
    let leaf = middle.leaf();
    let stranger = Authority::root("Stranger");
    let cases = [
        (
            vec![leaf.der.clone()],
            root.as_anchor(),
            "CN=Middle, which issued CN=Signer, O=Example, is missing",
        ),
        (
            vec![leaf.der.clone(), middle.der()],
            stranger.as_anchor(),
            "CN=Root, which issued CN=Middle, is missing",
        ),
        (
            vec![leaf.der.clone(), middle.der(), root.der()],
            stranger.as_anchor(),
            "it ends at CN=Root, which is not a configured trust anchor",
        ),
        (vec![leaf.der.clone(), middle.der()], AnchorList::default(), "no trust anchor is configured"),
    ];
    for (chain, anchors, reason) in cases {
        let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
        let judgement = asked(&chain, anchors).judged();
        let chain = check(&judgement, CheckName::Chain);
        assert_eq!(chain.result, CheckResult::Failed);
        assert!(chain.detail.ends_with(reason), "{} does not end with {reason}", chain.detail);
        assert_eq!(check(&judgement, CheckName::Signature).result, CheckResult::NotChecked);
        assert_eq!(failures(&judgement), ["signingCredential.untrusted"]);
        assert!(!judgement.report.unwrap().is_valid());
    }
}

#[test]
fn cross_signed_authorities_lead_to_whichever_anchor_is_trusted() {
    let (first, second) = (Authority::root("First"), Authority::root("Second"));
    let key = KeyPair::generate().unwrap();
    let again = KeyPair::try_from(key.serialize_der()).unwrap();
    let by_first = first.authority_for("Middle", key, |_| {});
    let by_second =
        second.authority_for("Middle", again, |params| params.not_after = date("2026-02-01T00:00:00Z"));
    let leaf = by_first.leaf();
    let chain = [&leaf.der[..], &by_second.der(), &by_first.der()];
    assert!(asked(&chain, first.as_anchor()).judged().report.unwrap().is_valid());
    let through_expired = asked(&chain, second.as_anchor()).judged();
    assert_eq!(failed(&through_expired), [CheckName::Validity]);
    let both = format!("{}{}", second.issuer.pem(), first.issuer.pem());
    let both = AnchorList::from_pem(&both).unwrap();
    assert!(asked(&chain, both).judged().report.unwrap().is_valid(), "the valid path is taken");
}

#[test]
fn a_circle_ends() {
    let key = KeyPair::generate().unwrap().serialize_der();
    let key = || KeyPair::try_from(key.clone()).unwrap();
    let other = KeyPair::generate().unwrap();
    let first = Authority::root("Root").authority_for("First", key(), |_| {});
    let second = first.authority_for("Second", other, |_| {});
    let first_again = second.authority_for("First", key(), |_| {});
    let leaf = first_again.leaf();
    let chain = [&leaf.der[..], &first_again.der(), &second.der()];
    let judgement = asked(&chain, Authority::root("Another").as_anchor()).judged();
    let detail = check(&judgement, CheckName::Chain).detail;
    assert!(detail.contains("in a circle"), "{detail}");
}

#[test]
fn thousands_of_certificates_cost_little() {
    let root = Authority::root("Root");
    let mut issuer = root.authority("A0");
    let mut all = vec![issuer.der()];
    for number in 1..200 {
        issuer = issuer.authority(&format!("A{number}"));
        all.push(issuer.der());
    }
    let leaf = issuer.leaf();
    // The same authorities again and again, the leaf's own last.
    let many: Vec<&[u8]> =
        [&leaf.der[..]].into_iter().chain(all.iter().map(Vec::as_slice).cycle().take(1_000)).collect();
    let started = Instant::now();
    let judgement = asked(&many, root.as_anchor()).judged();
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(check(&judgement, CheckName::Chain).result, CheckResult::Failed);

    let mut same_name = vec![leaf.der.clone()];
    for _ in 0..31 {
        same_name.push(root.authority("A199").der());
    }
    let same_name: Vec<&[u8]> = same_name.iter().map(Vec::as_slice).collect();
    let started = Instant::now();
    let judgement = asked(&same_name, root.as_anchor()).judged();
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(failed(&judgement)[..], [CheckName::Chain, CheckName::Signature]);
}

#[test]
fn authorities_of_one_name_do_not_multiply_paths() {
    let root = Authority::root("X");
    let all: Vec<Authority> = (0..31).map(|_| root.authority("X")).collect();
    let leaf = all[30].leaf();
    let chain: Vec<Vec<u8>> = std::iter::once(leaf.der).chain(all.iter().map(Authority::der)).collect();
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    for anchors in [Authority::root("X").as_anchor(), Authority::root("Another").as_anchor()] {
        let started = Instant::now();
        let judgement = asked(&chain, anchors).judged();
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        assert_eq!(check(&judgement, CheckName::Chain).result, CheckResult::Failed);
    }
}

#[test]
fn rules_of_authorities_bind_those_below() {
    let root = Authority::root("Root");
    let strict = |change: &dyn Fn(&mut rcgen::CertificateParams)| {
        let upper = root.authority_with("Upper", change);
        let lower = upper.authority("Lower");
        (upper, lower)
    };
    let of_length_zero = strict(&|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let for_servers =
        strict(&|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    let no_authority = strict(&|params| params.is_ca = IsCa::ExplicitNoCa);
    let only_lists = strict(&|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]);
    let for_names = strict(&|params| {
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("example.org".into())],
            excluded_subtrees: Vec::new(),
        });
    });
    let strange = strict(&|params| {
        let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
    });
    let cases = [
        (of_length_zero, "path length constraint"),
        (for_servers, "must not issue certificates for this purpose"),
        (no_authority, "issued by one that is not an authority's"),
        (only_lists, "the key usage of CN=Upper does not allow issuing certificates"),
        (for_names, "name constraints"),
        (strange, "critical extension is unknown"),
    ];
    for ((upper, lower), reason) in cases {
        let leaf = lower.leaf_with(|params| {
            params.subject_alt_names = vec![SanType::DnsName("example.com".try_into().unwrap())];
        });
        let judgement = asked(&[&leaf.der, &lower.der(), &upper.der()], root.as_anchor()).judged();
        let chain = check(&judgement, CheckName::Chain);
        assert_eq!(chain.result, CheckResult::Failed, "{reason}");
        assert!(chain.detail.contains(reason), "{} does not say {reason}", chain.detail);
        assert_eq!(failures(&judgement), ["signingCredential.untrusted"], "{reason}");
    }
    let allowed = root.authority_with("Upper", |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("example.com".into())],
            excluded_subtrees: Vec::new(),
        });
    });
    let lower = allowed.authority("Lower");
    let leaf = lower.leaf_with(|params| {
        params.subject_alt_names = vec![SanType::DnsName("a.example.com".try_into().unwrap())];
    });
    let judgement = asked(&[&leaf.der, &lower.der(), &allowed.der()], root.as_anchor()).judged();
    assert!(judgement.report.as_ref().unwrap().is_valid(), "{judgement:?}");
}

#[test]
fn key_identifiers_of_neighbours_agree() {
    let root = Authority::root("Root");
    let key = KeyPair::generate().unwrap().serialize_der();
    let key = || KeyPair::try_from(key.clone()).unwrap();
    let signing = root.authority_for("Middle", key(), |_| {});
    let shown = root.authority_for("Middle", key(), |params| {
        params.key_identifier_method = KeyIdMethod::PreSpecified(vec![1, 2, 3, 4]);
    });
    let leaf = signing.leaf();
    let judgement = asked(&[&leaf.der, &shown.der()], root.as_anchor()).judged();
    let detail = check(&judgement, CheckName::Chain).detail;
    assert!(detail.contains("the authority key identifier of CN=Signer"), "{detail}");
    let both = [&leaf.der[..], &shown.der(), &signing.der()];
    assert!(asked(&both, root.as_anchor()).judged().report.unwrap().is_valid(), "the next path is tried");
}

#[test]
fn time_is_one_question_and_trust_another() {
    let root = Authority::root("Root");
    let middle = root.authority_with("Middle", |params| params.not_after = date("2026-08-01T00:00:00Z"));
    let leaf = middle.leaf();
    let cases = [
        ("2025-12-31T23:59:59Z", Some("the certificate is not valid before 2026-01-01T00:00:00.000Z")),
        ("2026-01-01T00:00:00Z", None),
        ("2026-08-01T00:00:00Z", None),
        ("2026-08-01T00:00:01Z", Some("the issuer CN=Middle expired on 2026-08-01T00:00:00.000Z")),
        ("2027-01-01T00:00:01Z", Some("the certificate expired on 2027-01-01T00:00:00.000Z")),
    ];
    for (at, objection) in cases {
        for stamped in [false, true] {
            let mut question = asked(&[&leaf.der, &middle.der()], root.as_anchor());
            question.now = if stamped { time("2035-01-01T00:00:00Z") } else { time(at) };
            question.stamped = stamped.then(|| time(at));
            let judgement = question.judged();
            let report = judgement.report.as_ref().unwrap();
            assert_eq!(report.evaluated_at, time(at));
            assert_eq!(check(&judgement, CheckName::Chain).result, CheckResult::Passed, "{at}");
            assert_eq!(check(&judgement, CheckName::Signature).result, CheckResult::Passed, "{at}");
            let validity = check(&judgement, CheckName::Validity);
            match objection {
                None => {
                    assert_eq!(validity.result, CheckResult::Passed, "{at}");
                    assert!(
                        codes(&judgement, StatusKind::Success).contains(&"claimSignature.insideValidity")
                    );
                }
                Some(reason) => {
                    assert_eq!(failed(&judgement), [CheckName::Validity], "{at}");
                    assert!(validity.detail.contains(reason), "{} does not say {reason}", validity.detail);
                    assert_eq!(failures(&judgement), ["claimSignature.outsideValidity"]);
                }
            }
        }
    }
}

#[test]
fn certificates_that_never_were_valid_together_are_no_chain() {
    let root = Authority::root("Root");
    let middle = root.authority_with("Middle", |params| params.not_after = date("2025-01-01T00:00:00Z"));
    let leaf = middle.leaf();
    let judgement = asked(&[&leaf.der, &middle.der()], root.as_anchor()).judged();
    let detail = check(&judgement, CheckName::Chain).detail;
    assert!(detail.contains("never valid all at the same time"), "{detail}");
}

#[test]
fn a_signature_by_another_key_is_called_so() {
    let root = Authority::root("Root");
    let impostor = Authority::root("Root");
    let middle = root.authority("Middle");
    let false_middle = root.authority("Middle");
    let cases = [
        (
            vec![impostor.leaf().der],
            "the certificate of CN=Signer, O=Example was not made with the key of its issuer CN=Root",
        ),
        (vec![false_middle.leaf().der, middle.der()], "was not made with the key of its issuer CN=Middle"),
        (
            vec![impostor.authority("Middle").leaf().der, impostor.authority("Middle").der()],
            "was not made with the key of its issuer",
        ),
    ];
    for (chain, reason) in cases {
        let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
        let judgement = asked(&chain, root.as_anchor()).judged();
        assert_eq!(failed(&judgement), [CheckName::Chain, CheckName::Signature]);
        let detail = check(&judgement, CheckName::Signature).detail;
        assert!(detail.contains(reason), "{detail} does not say {reason}");
        assert_eq!(failures(&judgement), ["signingCredential.untrusted"]);
    }
}

#[test]
fn every_accepted_algorithm_is_verified() {
    let algorithms = [
        &PKCS_ECDSA_P256_SHA256,
        &PKCS_ECDSA_P384_SHA384,
        &PKCS_ECDSA_P521_SHA256,
        &PKCS_ECDSA_P521_SHA384,
        &PKCS_ECDSA_P521_SHA512,
        &PKCS_ED25519,
        &PKCS_RSA_SHA256,
        &PKCS_RSA_SHA384,
        &PKCS_RSA_SHA512,
    ];
    for algorithm in algorithms {
        let root = Authority::root_with("Root", algorithm, |_| {});
        let leaf = root.leaf_for(&KeyPair::generate_for(algorithm).unwrap(), |_| {});
        let judgement = asked(&[&leaf.der], root.as_anchor()).judged();
        assert!(judgement.report.as_ref().unwrap().is_valid(), "{algorithm:?}: {judgement:?}");
        let impostor = Authority::root_with("Root", algorithm, |_| {}).leaf();
        let judgement = asked(&[&impostor.der], root.as_anchor()).judged();
        assert_eq!(failed(&judgement), [CheckName::Chain, CheckName::Signature], "{algorithm:?}");
    }
}

#[test]
fn rsa_with_probabilistic_padding_is_verified() {
    let fixtures = [
        include_str!("fixtures/pss-signed-256.pem"),
        include_str!("fixtures/pss-signed-384.pem"),
        include_str!("fixtures/pss-signed-512.pem"),
        include_str!("fixtures/pss-any-key.pem"),
        include_str!("fixtures/pss-bound-key.pem"),
    ];
    for fixture in fixtures {
        let blocks: Vec<Pem> = Pem::iter_from_buffer(fixture.as_bytes()).map(Result::unwrap).collect();
        let (leaf, root) = (&blocks[0].contents, &fixture[fixture.rfind("-----BEGIN").unwrap()..]);
        let anchors = AnchorList::from_pem(root).unwrap();
        let judgement = asked(&[leaf], anchors.clone()).judged();
        assert!(judgement.report.as_ref().unwrap().is_valid(), "{judgement:?}");
        let mut changed = leaf.clone();
        *changed.last_mut().unwrap() ^= 1;
        let judgement = asked(&[&changed], anchors).judged();
        assert_eq!(failed(&judgement), [CheckName::Chain, CheckName::Signature]);
    }
}

#[test]
fn only_the_list_for_signers_counts_for_signers() {
    let (signers, stamps) = (Authority::root("Signers"), Authority::root("Stamps"));
    let leaf = stamps.leaf();
    let judgement = asked(&[&leaf.der, &stamps.der()], signers.as_anchor()).judged();
    assert_eq!(failures(&judgement), ["signingCredential.untrusted"]);
}
