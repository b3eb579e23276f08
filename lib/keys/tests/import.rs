//! Keys and chains from elsewhere: what is taken, and what each refusal says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "support/issuer.rs"]
mod issuer;
mod support;

use std::{fs, path::Path};

use credlink_keys::{Imported, KeyKind, KeysError, KeysSummary, LocalKeys, TrustHere, import, trust_anchors};
use credlink_pipeline::signer::Signer;
use issuer::{Authority, Leaf, pem, uncritical_key_usage, unknown_critical_extension};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SubjectPublicKeyInfo,
};
use support::{files, now, openssl_ok, path, signer_contract};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

fn take(folder: &Path, chain: &str, key: &str) -> Result<Imported, KeysError> {
    import(folder, &pem("chain.pem", chain), &pem("key.pem", key), None, now())
}

/// The sentence that an import is refused with; nothing is changed by it.
fn refusal(chain: &str, key: &str) -> String {
    let folder = TempDir::new().unwrap();
    let error = take(folder.path(), chain, key).unwrap_err().to_string();
    assert_eq!(files(folder.path()), Vec::<String>::new(), "a refused import leaves nothing");
    assert!(!error.contains('\n') && error.len() < 500, "one sentence: {error}");
    error
}

fn assert_refused(chain: &str, key: &str, parts: &[&str]) {
    let error = refusal(chain, key);
    for part in parts {
        assert!(error.contains(part), "no {part:?} in: {error}");
    }
}

/// What is said of a leaf that meets the profile but for `change`.
fn assert_leaf_refused(change: impl FnOnce(&mut CertificateParams), parts: &[&str]) {
    let root = Authority::root("Root");
    let issuer = root.intermediate("Issuing");
    let leaf = issuer.leaf_with(change);
    assert_refused(&(leaf.pem + &issuer.pem), &leaf.key, parts);
}

struct Foreign {
    root: Authority,
    issuer: Authority,
    leaf: Leaf,
}

fn foreign() -> Foreign {
    let root = Authority::root("Foreign Root");
    let issuer = root.intermediate("Foreign Issuing");
    let leaf = issuer.leaf();
    Foreign { root, issuer, leaf }
}

impl Foreign {
    fn chain(&self) -> String {
        self.leaf.pem.clone() + &self.issuer.pem
    }
}

#[tokio::test]
async fn an_imported_signer_signs_and_the_earlier_one_is_kept() {
    let folder = TempDir::new().unwrap();
    let own = LocalKeys::open_or_create(folder.path(), KeyKind::P384, now()).unwrap();
    let before = fs::read(folder.path().join("signer.pem")).unwrap();
    let foreign = foreign();

    let imported = take(folder.path(), &foreign.chain(), &foreign.leaf.key).unwrap();
    signer_contract(&*imported.keys.signer()).await;
    assert_eq!(fs::read(imported.previous.unwrap()).unwrap(), before);
    assert_eq!(imported.trust, TrustHere::None);
    let notes = imported.notes.join(" ");
    assert!(notes.contains("\"valid\" but not \"trusted\"") && notes.contains("--root"), "{notes}");

    let opened = LocalKeys::open(folder.path(), now()).unwrap();
    assert_eq!(opened.signer().chain(), imported.keys.signer().chain());
    assert_ne!(opened.signer().chain(), own.signer().chain());
    assert!(!opened.describe(now()).unwrap().trusted_here);
}

#[test]
fn a_root_given_with_the_chain_becomes_a_trust_anchor() {
    let folder = TempDir::new().unwrap();
    let (foreign, other) = (foreign(), Authority::root("Other"));
    let import_with = |root: &str| {
        let (chain, key) = (pem("chain.pem", &foreign.chain()), pem("key.pem", &foreign.leaf.key));
        import(folder.path(), &chain, &key, Some(&pem("root.pem", root)), now())
    };
    let error = import_with(&other.pem).unwrap_err().to_string();
    assert!(error.contains("root.pem") && error.contains("CN=Foreign Root"), "{error}");
    assert_eq!(trust_anchors(folder.path()).unwrap(), "");

    // Of several roots only that of the chain is taken.
    let imported = import_with(&(other.pem.clone() + &foreign.root.pem)).unwrap();
    assert_eq!(imported.trust, TrustHere::Added);
    assert!(imported.previous.is_none());
    let anchors = trust_anchors(folder.path()).unwrap();
    assert_eq!(anchors.lines().collect::<Vec<_>>(), foreign.root.pem.lines().collect::<Vec<_>>());
    assert!(imported.keys.describe(now()).unwrap().trusted_here);

    assert_eq!(import_with(&foreign.root.pem).unwrap().trust, TrustHere::Known);
    assert_eq!(trust_anchors(folder.path()).unwrap(), anchors, "each anchor stands there once");
    assert_eq!(take(folder.path(), &foreign.chain(), &foreign.leaf.key).unwrap().trust, TrustHere::Known);
}

#[test]
fn an_expired_root_or_one_that_is_no_authority_is_refused() {
    let expired = Authority::root_with("Expired Root", |root| {
        root.not_after = OffsetDateTime::now_utc() - Duration::days(1);
    });
    let no_authority = Authority::root_with("No Authority", |root| root.is_ca = IsCa::NoCa);
    for (root, part) in [(expired, "expired on"), (no_authority, "not a certificate authority")] {
        let folder = TempDir::new().unwrap();
        let leaf = root.leaf();
        let files = [pem("chain.pem", &leaf.pem), pem("key.pem", &leaf.key), pem("root.pem", &root.pem)];
        let error = import(folder.path(), &files[0], &files[1], Some(&files[2]), now()).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("root.pem") && error.contains(part), "{error}");
    }
}

#[test]
fn the_root_is_left_out_of_the_chain_with_a_note() {
    let folder = TempDir::new().unwrap();
    let foreign = foreign();
    let chain = foreign.chain() + &foreign.issuer.pem + &foreign.root.pem;
    let imported = take(folder.path(), &chain, &foreign.leaf.key).unwrap();
    assert_eq!(imported.keys.signer().chain().len(), 2);
    let notes = imported.notes.join("; ");
    assert!(notes.contains("root") && notes.contains("CN=Foreign Root"), "{notes}");
    assert!(notes.contains("more than once"), "{notes}");
}

#[test]
fn a_leaf_right_below_the_root_is_taken() {
    let (folder, root) = (TempDir::new().unwrap(), Authority::root("Root"));
    let leaf = root.leaf();
    assert_eq!(take(folder.path(), &leaf.pem, &leaf.key).unwrap().keys.signer().chain().len(), 1);
}

#[tokio::test]
async fn keys_are_taken_in_every_usual_form() {
    let folder = TempDir::new().unwrap();
    let root = Authority::root("Root");
    let ec = |curve: &str, name: &str| {
        let key = path(&folder, name);
        openssl_ok(&["ecparam", "-name", curve, "-genkey", "-out", &key]);
        key
    };
    let rsa = |arguments: &[&str], name: &str| {
        let key = path(&folder, name);
        openssl_ok(&[arguments, &["-out", &key]].concat());
        key
    };
    let pkcs8 = |kind: &[&str], name: &str| rsa(&[&["genpkey", "-algorithm"], kind].concat(), name);
    let traditional = path(&folder, "pkcs1.pem");
    let whole = pkcs8(&["RSA", "-pkeyopt", "rsa_keygen_bits:3072"], "rsa8.pem");
    openssl_ok(&["rsa", "-in", &whole, "-traditional", "-out", &traditional]);
    for (key, kind, header) in [
        (ec("prime256v1", "sec1-256.pem"), KeyKind::P256, "BEGIN EC PRIVATE KEY"),
        (ec("secp384r1", "sec1-384.pem"), KeyKind::P384, "BEGIN EC PRIVATE KEY"),
        (traditional, KeyKind::Rsa3072, "BEGIN RSA PRIVATE KEY"),
        (whole, KeyKind::Rsa3072, "BEGIN PRIVATE KEY"),
        (pkcs8(&["ED25519"], "ed.pem"), KeyKind::Ed25519, "BEGIN PRIVATE KEY"),
    ] {
        let text = fs::read_to_string(&key).unwrap();
        assert!(text.contains(header), "{key}");
        let public = openssl_ok(&["pkey", "-in", &key, "-pubout"]);
        let leaf = root.leaf_for(&SubjectPublicKeyInfo::from_pem(&public).unwrap(), |_| {});
        let target = TempDir::new().unwrap();
        let imported = take(target.path(), &leaf, &text).unwrap();
        assert_eq!(imported.keys.signer().kind(), kind);
        signer_contract(&*imported.keys.signer()).await;
        LocalKeys::open(target.path(), now()).unwrap();
    }
}

#[tokio::test]
async fn a_key_restricted_to_pss_is_taken() {
    let folder = TempDir::new().unwrap();
    let [key, root_key, root, request, leaf, extensions] =
        ["key", "root-key", "root", "request", "leaf", "ext"].map(|name| path(&folder, name));
    openssl_ok(&["genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-out", &key]);
    let subject = ["-subj", "/O=Example/CN=PSS"];
    let make_root =
        ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "100", "-subj", "/CN=PSS Root"];
    openssl_ok(&[&make_root[..], &["-keyout", &root_key, "-out", &root]].concat());
    openssl_ok(&[&["req", "-new", "-key", &key, "-out", &request][..], &subject].concat());
    let profile = "keyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\n\
                   basicConstraints=critical,CA:FALSE\nauthorityKeyIdentifier=keyid\n";
    fs::write(&extensions, profile).unwrap();
    let sign = ["x509", "-req", "-in", &request, "-CA", &root, "-CAkey", &root_key, "-days", "100"];
    openssl_ok(&[&sign[..], &["-extfile", &extensions, "-CAcreateserial", "-out", &leaf]].concat());
    let target = TempDir::new().unwrap();
    let [leaf, key] = [leaf, key].map(|path| fs::read_to_string(path).unwrap());
    let imported = take(target.path(), &leaf, &key).unwrap();
    assert_eq!(imported.keys.signer().kind(), KeyKind::Rsa2048);
    signer_contract(&*imported.keys.signer()).await;
}

#[test]
fn dates_are_checked_all_along_the_chain() {
    let now = OffsetDateTime::now_utc();
    assert_leaf_refused(
        |leaf| (leaf.not_before, leaf.not_after) = (now - Duration::days(200), now - Duration::days(2)),
        &["chain.pem", "certificate 1", "CN=A Newsroom", "expired on", "import a new chain"],
    );
    assert_leaf_refused(
        |leaf| (leaf.not_before, leaf.not_after) = (now + Duration::days(2), now + Duration::days(200)),
        &["certificate 1", "is not valid before", "clock"],
    );
    let issuer = Authority::root("Root").intermediate_with("Old", |params| {
        params.not_after = now - Duration::days(1);
    });
    let leaf = issuer.leaf();
    assert_refused(&(leaf.pem + &issuer.pem), &leaf.key, &["certificate 2", "CN=Old", "expired on"]);
}

#[test]
fn every_rule_of_the_leaf_profile_has_its_sentence() {
    let day = Duration::days;
    let authority = IsCa::Ca(BasicConstraints::Unconstrained);
    assert_leaf_refused(|leaf| leaf.is_ca = authority, &["certificate 1", "end-entity"]);
    assert_leaf_refused(|leaf| leaf.key_usages.clear(), &["key usage extension marked critical"]);
    assert_leaf_refused(
        |leaf| {
            leaf.key_usages.clear();
            leaf.custom_extensions.push(uncritical_key_usage());
        },
        &["marked critical"],
    );
    assert_leaf_refused(
        |leaf| leaf.key_usages = vec![KeyUsagePurpose::KeyEncipherment],
        &["must contain digitalSignature"],
    );
    assert_leaf_refused(
        |leaf| leaf.key_usages.push(KeyUsagePurpose::KeyCertSign),
        &["must not contain keyCertSign"],
    );
    assert_leaf_refused(|leaf| leaf.extended_key_usages.clear(), &["must have an extended key usage"]);
    assert_leaf_refused(
        |leaf| leaf.extended_key_usages.push(ExtendedKeyUsagePurpose::Any),
        &["anyExtendedKeyUsage"],
    );
    assert_leaf_refused(
        |leaf| leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
        &["must contain C2PA claim signing", "emailProtection"],
    );
    assert_leaf_refused(
        |leaf| leaf.extended_key_usages.push(ExtendedKeyUsagePurpose::TimeStamping),
        &["must not contain timeStamping"],
    );
    assert_leaf_refused(
        |leaf| leaf.use_authority_key_identifier_extension = false,
        &["authority key identifier"],
    );
    assert_leaf_refused(
        |leaf| {
            leaf.distinguished_name = DistinguishedName::new();
            leaf.distinguished_name.push(DnType::CommonName, "alone");
        },
        &["organization (O)"],
    );
    assert_leaf_refused(|leaf| leaf.not_after = leaf.not_before + day(367), &["90 to 366 days"]);
    assert_leaf_refused(|leaf| leaf.not_after = leaf.not_before + day(89), &["90 to 366 days"]);
    assert_leaf_refused(
        |leaf| leaf.custom_extensions.push(unknown_critical_extension()),
        &["critical extension"],
    );
    assert_leaf_refused(
        |leaf| leaf.custom_extensions.push(uncritical_key_usage()),
        &["none may occur twice"],
    );
}

#[test]
fn every_rule_of_the_issuer_profile_has_its_sentence() {
    let root = Authority::root("Root");
    let refused = |issuer: Authority, part: &str| {
        let leaf = issuer.leaf();
        assert_refused(&(leaf.pem + &issuer.pem), &leaf.key, &["certificate 2", part]);
    };
    refused(root.intermediate_with("I", |params| params.is_ca = IsCa::ExplicitNoCa), "CA=true");
    refused(root.intermediate_with("I", |params| params.key_usages.clear()), "must contain keyCertSign");
    refused(
        root.intermediate_with("I", |params| params.use_authority_key_identifier_extension = false),
        "authority key identifier",
    );
    let short = root.intermediate_with("Short", |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    });
    let below = short.intermediate("Below");
    let leaf = below.leaf();
    let chain = leaf.pem.clone() + &below.pem + &short.pem;
    assert_refused(&chain, &leaf.key, &["certificate 3", "path length"]);
}

#[test]
fn order_and_links_are_checked() {
    let root = Authority::root("Root");
    let [upper, other] = ["Upper", "Other"].map(|name| root.intermediate(name));
    let lower = upper.intermediate("Lower");
    let leaf = lower.leaf();
    let key = &leaf.key;
    let [l, m, u] = [&leaf.pem, &lower.pem, &upper.pem].map(String::as_str);
    let folder = TempDir::new().unwrap();
    take(folder.path(), &[l, m, u].concat(), key).unwrap();

    let wrong = "wrong order";
    assert_refused(&[m, l, u].concat(), key, &["chain.pem", wrong, "its issuer is certificate 3"]);
    assert_refused(&[l, u, m].concat(), key, &[wrong, "certificate 1", "its issuer is certificate 3"]);
    assert_refused(&[m, l].concat(), key, &[wrong, "stands before one that it issued"]);
    assert_refused(&[u, m, l].concat(), key, &[wrong, "leaf first"]);
    assert_refused(
        &[l, u].concat(),
        key,
        &["certificate 1 (", "was not issued by certificate 2 (", "CN=Upper", "CN=Lower, so put"],
    );
    assert_refused(&[l, m, &other.pem].concat(), key, &["certificate 2", "its issuer is", "CN=Upper"]);

    let impostor = root.intermediate("Lower");
    assert_refused(&[l, &impostor.pem].concat(), key, &["signature on certificate 1", "does not match"]);
}

#[test]
fn a_key_must_belong_to_the_leaf() {
    let foreign = foreign();
    let other = foreign.issuer.leaf();
    let parts = ["key.pem", "does not belong to the first certificate in chain.pem"];
    assert_refused(&foreign.chain(), &other.key, &parts);
    let rsa = openssl_ok(&["genrsa", "2048"]);
    assert_refused(&foreign.chain(), &rsa, &parts);
}

#[test]
fn self_signed_certificates_are_refused() {
    let root = Authority::root("Root");
    let own = rcgen::KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name = issuer::name("Mine");
    let alone = params.self_signed(&own).unwrap().pem();
    let parts = ["self-signed", "credlink keys init"];
    assert_refused(&alone, &own.serialize_pem(), &parts);
    assert_refused(&root.pem, &own.serialize_pem(), &parts);
    assert_refused(&(alone + &root.pem), &own.serialize_pem(), &parts);
}

#[test]
fn weak_and_unsupported_keys_are_named() {
    let folder = TempDir::new().unwrap();
    let foreign = foreign();
    let chain = foreign.chain();
    let weak = openssl_ok(&["genrsa", "1024"]);
    assert_refused(&chain, &weak, &["key.pem", "1024 bits", "2048"]);
    let certificate = path(&folder, "weak.pem");
    let key = path(&folder, "weak.key");
    let arguments = ["req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/O=A/CN=B", "-days", "100"];
    openssl_ok(&[&arguments[..], &["-keyout", &key, "-out", &certificate]].concat());
    assert_refused(&fs::read_to_string(&certificate).unwrap(), &weak, &["chain.pem", "1024 bits"]);

    assert_refused(&chain, &openssl_ok(&["genrsa", "2560"]), &["not supported (RSA of 2560 bits)", "P-256"]);
    let p521 = openssl_ok(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"]);
    assert_refused(&chain, &p521, &["not supported (P-521)"]);
    let sec1 = openssl_ok(&["ecparam", "-name", "secp521r1", "-genkey", "-noout"]);
    assert_refused(&chain, &sec1, &["not supported", "P-521"]);
    let curve = openssl_ok(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"]);
    assert_refused(&chain, &curve, &["not supported (elliptic curve 1.3.132.0.10)"]);
    let parameters = path(&folder, "dsa");
    openssl_ok(&["dsaparam", "-out", &parameters, "1024"]);
    let dsa = openssl_ok(&["genpkey", "-paramfile", &parameters]);
    assert_refused(&chain, &dsa, &["not supported (DSA)"]);
    let ssh = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
    assert_refused(&chain, ssh, &["not supported (OPENSSH PRIVATE KEY)"]);
}

#[test]
fn files_of_another_kind_are_named() {
    let folder = TempDir::new().unwrap();
    let foreign = foreign();
    let (chain, key) = (foreign.chain(), foreign.leaf.key.as_str());
    assert_refused(&chain, &chain, &["key.pem holds no private key", "PKCS#8"]);
    assert_refused(key, key, &["chain.pem holds no certificate", "leaf first"]);
    assert_refused("", key, &["chain.pem is not PEM", "empty"]);
    assert_refused("hello", key, &["chain.pem is not PEM", "BEGIN"]);
    assert_refused(&chain, &format!("{key}{key}"), &["more than one private key"]);
    assert_refused(&chain[..chain.len() - 30], key, &["damaged or cut off"]);
    assert_refused(&foreign.leaf.pem.repeat(65), key, &["more than 64 certificates"]);
    let nonsense = pem::encode(&pem::Pem::new("CERTIFICATE", vec![0x30, 1, 2]));
    assert_refused(&(foreign.leaf.pem.clone() + &nonsense), key, &["certificate 2 in chain.pem"]);
    let nonsense = pem::encode(&pem::Pem::new("PRIVATE KEY", vec![0x30, 1, 2]));
    assert_refused(&chain, &nonsense, &["private key in key.pem is damaged"]);

    let [plain, encrypted] = ["plain", "encrypted"].map(|name| path(&folder, name));
    fs::write(&plain, key).unwrap();
    let parts = ["key.pem is encrypted", "openssl pkey"];
    openssl_ok(&["pkey", "-in", &plain, "-aes128", "-passout", "pass:x", "-out", &encrypted]);
    assert_refused(&chain, &fs::read_to_string(&encrypted).unwrap(), &parts);
    let old = ["pkey", "-in", &plain, "-traditional", "-aes128", "-passout", "pass:x", "-out", &encrypted];
    openssl_ok(&old);
    let text = fs::read_to_string(&encrypted).unwrap();
    assert!(text.contains("Proc-Type: 4,ENCRYPTED"));
    assert_refused(&chain, &text, &parts);
}

#[test]
fn a_refused_import_leaves_the_active_signer_alone() {
    let folder = TempDir::new().unwrap();
    LocalKeys::open_or_create(folder.path(), KeyKind::P256, now()).unwrap();
    let before = files(folder.path());
    let signer = fs::read(folder.path().join("signer.pem")).unwrap();
    let foreign = foreign();
    take(folder.path(), &foreign.chain(), &foreign.issuer.leaf().key).unwrap_err();
    assert_eq!(files(folder.path()), before);
    assert_eq!(fs::read(folder.path().join("signer.pem")).unwrap(), signer);
}

#[test]
fn an_unreadable_signer_can_be_replaced_and_is_kept() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("signer.pem"), "rubbish").unwrap();
    let foreign = foreign();
    let imported = take(folder.path(), &foreign.chain(), &foreign.leaf.key).unwrap();
    assert_eq!(fs::read_to_string(imported.previous.unwrap()).unwrap(), "rubbish");
    LocalKeys::open(folder.path(), now()).unwrap();
}

#[test]
fn control_characters_in_names_do_not_reach_the_terminal() {
    let folder = TempDir::new().unwrap();
    let issuer = Authority::root("Root");
    let leaf = issuer.leaf_with(|leaf| {
        leaf.distinguished_name.push(DnType::OrganizationalUnitName, "a\u{1b}[31m\nb");
    });
    take(folder.path(), &leaf.pem, &leaf.key).unwrap();
    let summary = KeysSummary::read(folder.path(), now()).unwrap();
    assert!(!summary.leaf.subject.chars().any(char::is_control), "{:?}", summary.leaf.subject);
    assert!(!summary.to_string().contains('\u{1b}'));
}

#[test]
fn the_summary_tells_everything_but_secrets() {
    let folder = TempDir::new().unwrap();
    let keys = LocalKeys::open_or_create(folder.path(), KeyKind::Rsa2048, now()).unwrap();
    let summary = keys.describe(now()).unwrap();
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json["algorithm"], "ps256");
    assert_eq!(json["keyKind"], "rsa-2048");
    assert_eq!(json["trustedHere"], true);
    assert_eq!(json["problem"], serde_json::Value::Null);
    assert_eq!(json["chain"].as_array().unwrap().len(), 2);
    for field in ["subject", "issuer", "serialNumber", "notBefore", "notAfter", "sha256", "daysLeft"] {
        assert!(!json[field].is_null(), "{field}");
    }
    let root = path(&folder, "root.pem");
    assert_eq!(json["files"]["root"], root.as_str());
    let printed = openssl_ok(&["x509", "-in", &root, "-noout", "-fingerprint", "-sha256"]);
    let fingerprint = printed.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase();
    assert_eq!(json["localRoot"]["sha256"], fingerprint.as_str());
    let signer = path(&folder, "signer.pem");
    let serial = openssl_ok(&["x509", "-in", &signer, "-noout", "-serial"]).trim().to_lowercase();
    assert_eq!(serial, format!("serial={}", json["serialNumber"].as_str().unwrap()));
    for text in [json.to_string(), summary.to_string()] {
        assert!(!text.contains("PRIVATE") && !text.contains("BEGIN"));
    }

    let later = KeysSummary::read(folder.path(), now().plus_days(400)).unwrap();
    assert!(later.days_left < 0 && later.problem.unwrap().contains("expired on"));
}
