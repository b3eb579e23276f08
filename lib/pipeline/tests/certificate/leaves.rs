//! What is demanded of the signer's certificate itself.

use credlink_pipeline::{
    certificate::{CertificateReport, CheckName, CheckResult},
    credential::StatusKind,
    trust::AnchorList,
};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose as Purpose, IsCa, KeyPair,
    KeyUsagePurpose as Usage,
};

use crate::{
    authority::{Authority, content, elements, wrap},
    judging::{asked, check, codes, failed, failures},
    random::pseudo_random,
};

const CLAIM_SIGNING: &[u64] = &[1, 3, 6, 1, 4, 1, 62_558, 2, 1];
const CLAIM_SIGNING_MICROSOFT: &[u64] = &[1, 3, 6, 1, 4, 1, 311, 76, 59, 1, 9];
const DOCUMENT_SIGNING: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 36];

#[test]
fn usages_that_pass() {
    let root = Authority::root("Root");
    let usages: [&dyn Fn(&mut CertificateParams); 7] = [
        &|params| params.key_usages = vec![Usage::DigitalSignature, Usage::ContentCommitment],
        &|params| params.is_ca = IsCa::NoCa,
        &|params| params.extended_key_usages = vec![Purpose::Other(CLAIM_SIGNING.to_vec())],
        &|params| params.extended_key_usages = vec![Purpose::Other(CLAIM_SIGNING_MICROSOFT.to_vec())],
        &|params| params.extended_key_usages = vec![Purpose::Other(DOCUMENT_SIGNING.to_vec())],
        &|params| params.extended_key_usages = vec![Purpose::EmailProtection, Purpose::ClientAuth],
        &|params| {
            params.extended_key_usages = vec![Purpose::CodeSigning, Purpose::Other(CLAIM_SIGNING.to_vec())];
        },
    ];
    for (number, change) in usages.iter().enumerate() {
        let judgement = asked(&[&root.leaf_with(change).der], root.as_anchor()).judged();
        assert!(judgement.report.as_ref().unwrap().is_valid(), "{number}: {judgement:?}");
    }
}

#[test]
fn usages_that_fail() {
    type Change<'a> = &'a dyn Fn(&mut CertificateParams);
    let key_usages: [(Change<'_>, &str); 3] = [
        (&|params| params.key_usages = Vec::new(), "has no key usage"),
        (&|params| params.key_usages = vec![Usage::KeyEncipherment], "does not allow digital signatures"),
        (
            &|params| params.key_usages = vec![Usage::DigitalSignature, Usage::KeyCertSign],
            "allows issuing certificates",
        ),
    ];
    let purposes: [(Change<'_>, &str); 7] = [
        (&|params| params.extended_key_usages = Vec::new(), "has no extended key usage"),
        (&|params| params.extended_key_usages = vec![Purpose::Any], "any purpose"),
        (&|params| params.extended_key_usages = vec![Purpose::EmailProtection, Purpose::Any], "any purpose"),
        (&|params| params.extended_key_usages = vec![Purpose::ServerAuth], "another purpose"),
        (&|params| params.extended_key_usages = vec![Purpose::TimeStamping], "time-stamps"),
        (&|params| params.extended_key_usages = vec![Purpose::OcspSigning], "time-stamps or OCSP"),
        (
            &|params| params.extended_key_usages = vec![Purpose::EmailProtection, Purpose::TimeStamping],
            "excludes signing anything else",
        ),
    ];
    let root = Authority::root("Root");
    let key_usages = key_usages.into_iter().map(|(change, reason)| (CheckName::KeyUsage, change, reason));
    let purposes = purposes.into_iter().map(|(change, reason)| (CheckName::ExtendedKeyUsage, change, reason));
    for (name, change, reason) in key_usages.chain(purposes) {
        let judgement = asked(&[&root.leaf_with(change).der], root.as_anchor()).judged();
        assert_eq!(failed(&judgement), [name], "{reason}");
        let detail = check(&judgement, name).detail;
        assert!(detail.contains(reason), "{detail} does not say {reason}");
        assert_eq!(failures(&judgement), ["signingCredential.invalid"], "{reason}");
        assert_eq!(codes(&judgement, StatusKind::Success).len(), 2, "trust and time hold: {reason}");
    }
}

#[test]
fn an_authority_must_not_sign_images() {
    let root = Authority::root("Root");
    let change = |params: &mut CertificateParams| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![Usage::DigitalSignature, Usage::KeyCertSign];
    };
    let judgement = asked(&[&root.leaf_with(change).der], root.as_anchor()).judged();
    assert_eq!(check(&judgement, CheckName::BasicConstraints).result, CheckResult::Failed);
    assert!(failures(&judgement).contains(&"signingCredential.invalid"));
}

#[test]
fn a_signer_is_not_its_own_authority() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![Usage::DigitalSignature];
    params.extended_key_usages = vec![Purpose::EmailProtection];
    let own = params.self_signed(&key).unwrap();
    for anchors in [AnchorList::from_pem(&own.pem()).unwrap(), Authority::root("Root").as_anchor()] {
        let judgement = asked(&[own.der()], anchors).judged();
        assert_eq!(failed(&judgement), [CheckName::Chain]);
        assert!(check(&judgement, CheckName::Chain).detail.contains("must not be its own authority"));
        assert_eq!(failures(&judgement), ["signingCredential.untrusted"]);
    }
}

#[test]
fn the_form_of_a_certificate_is_looked_at() {
    let root = Authority::root("Root");
    let leaf = root.leaf().der;
    let nameless = root.leaf_with(|params| params.use_authority_key_identifier_extension = false).der;
    let strange = root.leaf_with(|params| {
        let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
    });
    let long_form = root.reissue(&leaf, |body| {
        // The same serial number, its length in two bytes instead of one.
        let serial = content(&body[1]).to_vec();
        body[1] = [&[0x02, 0x81, u8::try_from(serial.len()).unwrap()], serial.as_slice()].concat();
    });
    let deep_long_form = root.reissue(&leaf, |body| {
        // The signer's name again, the length of an attribute's value in two bytes instead of one.
        let mut name = elements(content(&body[5]));
        let attribute = elements(content(&elements(content(&name[0]))[0]));
        let value = content(&attribute[1]).to_vec();
        let value = [&[0x0c, 0x81, u8::try_from(value.len()).unwrap()], value.as_slice()].concat();
        name[0] = wrap(0x31, &wrap(0x30, &[attribute[0].clone(), value].concat()));
        body[5] = wrap(0x30, &name.concat());
    });
    let cases = [
        ([leaf.as_slice(), &[0]].concat(), "bytes follow the certificate"),
        (long_form, "not encoded in DER"),
        (deep_long_form, "not encoded in DER"),
        (root.reissue(&leaf, |body| body[0] = vec![0xa0, 3, 2, 1, 1]), "not of version 3"),
        (root.reissue(&leaf, |body| body.insert(7, vec![0x81, 2, 0, 7])), "unique identifier"),
        (root.reissue(&leaf, |body| body.insert(7, vec![0x82, 2, 0, 7])), "unique identifier"),
        (nameless, "no authority key identifier"),
        (strange.der, "critical extension is unknown"),
    ];
    for (der, reason) in cases {
        let judgement = asked(&[&der], root.as_anchor()).judged();
        let chain = check(&judgement, CheckName::Chain);
        assert_eq!(chain.result, CheckResult::Failed, "{reason}");
        assert!(chain.detail.contains(reason), "{} does not say {reason}", chain.detail);
        assert_eq!(failures(&judgement), ["signingCredential.invalid"], "{reason}");
    }
}

#[test]
fn weak_keys_and_signatures_are_worth_nothing() {
    let root = Authority::root("Root");
    let leaf = root.leaf().der;
    let short_rsa = rsa_key(1024);
    let koblitz =
        key(&[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x06, 5, 0x2b, 0x81, 4, 0, 0x0a], &[4; 65]);
    let dsa = key(&[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1], &[2, 1, 3]);
    let keys = [
        (short_rsa, "an RSA key of 1024 bits is too short"),
        (rsa_key(2047), "an RSA key of 2047 bits is too short"),
        (koblitz, "a curve other than"),
        (dsa, "1.2.840.10040.4.1 is not allowed"),
    ];
    for (key, reason) in keys {
        let weak = root.reissue(&leaf, |body| body[6] = key.clone());
        // With a path to an anchor and without.
        for anchors in [root.as_anchor(), Authority::root("Another").as_anchor()] {
            let judgement = asked(&[&weak], anchors).judged();
            let detail = check(&judgement, CheckName::Signature).detail;
            assert!(detail.contains(reason), "{detail} does not say {reason}");
            assert!(failures(&judgement).contains(&"signingCredential.invalid"));
        }
    }
    let strong = root.reissue(&leaf, |body| body[6] = rsa_key(2048));
    assert!(asked(&[&strong], root.as_anchor()).judged().report.unwrap().is_valid());

    let with_sha_1 = [0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1];
    let with_md5 = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4];
    for (algorithm, reason) in [(&with_sha_1[..], "ECDSA and SHA-1"), (&with_md5, "RSA and MD5")] {
        let mut parts = elements(content(&leaf));
        let mut body = elements(content(&parts[0]));
        body[2] = wrap(0x30, algorithm);
        parts[0] = wrap(0x30, &body.concat());
        parts[1] = wrap(0x30, algorithm);
        let judgement = asked(&[&wrap(0x30, &parts.concat())], root.as_anchor()).judged();
        let detail = check(&judgement, CheckName::Signature).detail;
        assert!(detail.contains(reason), "{detail} does not say {reason}");
        assert_eq!(failures(&judgement), ["signingCredential.invalid", "signingCredential.untrusted"]);
    }
}

fn key(algorithm: &[u8], bits: &[u8]) -> Vec<u8> {
    wrap(0x30, &[wrap(0x30, algorithm), wrap(0x03, &[&[0], bits].concat())].concat())
}

/// A key for RSA with a modulus of so many bits; nobody has the other half.
fn rsa_key(bits: usize) -> Vec<u8> {
    let mut modulus = vec![0xff_u8; bits.div_ceil(8)];
    modulus[0] >>= (8 - bits % 8) % 8;
    if bits.is_multiple_of(8) {
        modulus.insert(0, 0);
    }
    let numbers = wrap(0x30, &[wrap(0x02, &modulus), vec![2, 3, 1, 0, 1]].concat());
    key(&[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0], &numbers)
}

#[test]
fn what_cannot_be_read_is_answered_all_the_same() {
    let root = Authority::root("Root");
    let long = wrap(0x30, &vec![0; 100_000]);
    for chain in
        [vec![], vec![&b""[..]], vec![&b"\x30\x03\x02\x01\x05"[..]], vec![&[0x30, 0x84][..]], vec![&long[..]]]
    {
        let judgement = asked(&chain, root.as_anchor()).judged();
        assert!(judgement.report.is_none());
        assert_eq!(failures(&judgement), ["signingCredential.invalid"]);
    }
}

#[test]
fn changed_bytes_never_make_a_panic_nor_a_valid_certificate() {
    let root = Authority::root("Root");
    let middle = root.authority("Middle");
    let leaf = middle.leaf().der;
    let chain = [leaf.clone(), middle.der()].concat();
    let mut next = pseudo_random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..3_000 {
        let mut changed = chain.clone();
        for _ in 0..=next(3) {
            let at = next(changed.len());
            changed[at] = changed[at].wrapping_add(u8::try_from(1 + next(255)).unwrap());
        }
        if changed == chain {
            continue;
        }
        let (leaf, middle) = changed.split_at(leaf.len());
        let judgement = asked(&[leaf, middle], root.as_anchor()).judged();
        let is_valid = judgement.report.as_ref().is_some_and(CertificateReport::is_valid);
        assert!(!is_valid, "{judgement:?}");
    }
}
