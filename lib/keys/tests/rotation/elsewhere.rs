//! An authority elsewhere: the request goes out as a file, and the certificate comes back as one.

use std::{fs, sync::Arc};

use credlink_keys::{
    KeyKind, PemFile, import,
    rotation::{AuthorityChoice, Outcome, RotationPorts, Step, Trigger, local, memory::ScriptedAuthority},
};
use credlink_pipeline::timestamp::Clock as _;

use crate::{
    places::InFolder,
    support::{files, openssl_ok},
};

fn requests(place: &InFolder) -> Vec<String> {
    files(&place.keys()).into_iter().filter(|name| name.starts_with("requests/")).collect()
}

async fn waiting(place: &InFolder) -> String {
    let report = place.run(Trigger::WhenDue).await.unwrap();
    let Outcome::Waiting { reason, .. } = report.outcome else { panic!("{report}") };
    reason
}

#[tokio::test]
async fn the_certificate_comes_back_and_the_rotation_goes_on() {
    let place = InFolder::new(AuthorityChoice::External);
    place.run(Trigger::Forced).await.unwrap();
    let reason = waiting(&place).await;
    let [request] = &requests(&place)[..] else { panic!("one request") };
    assert!(reason.contains(request) && reason.contains("credlink keys import --chain"), "{reason}");
    openssl_ok(&["req", "-in", place.keys().join(request).to_str().unwrap(), "-noout", "-verify"]);
    let published = fs::read(place.keys().join(request)).unwrap();

    let now = place.clock.now();
    let authority = ScriptedAuthority::new(now);
    let [candidate] = &place.ports.keys.candidates().await.unwrap()[..] else { panic!("one key") };
    let other = ScriptedAuthority::new(now);
    let stranger = InFolder::new(AuthorityChoice::Auto);
    let stranger = stranger.ports.keys.make(candidate.rotation, KeyKind::P256).await.unwrap();
    for (chain, root, part) in [
        (authority.issue(&stranger.public_key_info, now, 360), authority.root(), "does not belong"),
        (authority.issue(&candidate.public_key_info, now, 360), other.root(), "issued the last one"),
        (authority.issue(&candidate.public_key_info, now, 20), authority.root(), "90 to 366 days"),
    ] {
        let error = place.rotation().check_certificate(&chain, &root).await.unwrap_err();
        assert!(error.step == Step::Validate && error.to_string().contains(part), "{error}");
        assert!(error.to_string().contains("nothing was changed"), "{error}");
    }
    assert_eq!(fs::read(place.keys().join(request)).unwrap(), published);

    let chain = authority.issue(&candidate.public_key_info, now, 360);
    let id = place.rotation().check_certificate(&chain, &authority.root()).await.unwrap();
    local::deliver(&place.keys(), id, &chain, &authority.root()).unwrap();
    let report = place.run(Trigger::WhenDue).await.unwrap();
    let Outcome::Rotated { to, .. } = &report.outcome else { panic!("{report}") };
    assert_eq!(to.key, candidate.name);
    assert_eq!(requests(&place), Vec::<String>::new());
    let anchors = fs::read_to_string(place.keys().join("trust/anchors.pem")).unwrap();
    assert_eq!(anchors.matches("BEGIN").count(), 1, "the new root is trusted beside the local one");
}

#[tokio::test]
async fn a_file_that_is_dropped_is_taken_when_it_is_whole() {
    let place = InFolder::new(AuthorityChoice::External);
    place.run(Trigger::Forced).await.unwrap();
    let now = place.clock.now();
    let authority = ScriptedAuthority::new(now);
    let [candidate] = &place.ports.keys.candidates().await.unwrap()[..] else { panic!("one key") };
    let [chain_file, root_file] = ["chain", "root"]
        .map(|kind| place.keys().join(format!("requests/{}.{kind}.pem", candidate.rotation)));
    let chain = text(&authority.issue(&candidate.public_key_info, now, 360));
    fs::write(&chain_file, &chain[..chain.len() - 100]).unwrap();
    assert!(waiting(&place).await.contains("cannot be read yet"));
    fs::write(&chain_file, &chain).unwrap();
    assert!(waiting(&place).await.contains("its root is not"));
    fs::write(&root_file, text(&authority.root())).unwrap();
    let report = place.run(Trigger::WhenDue).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Rotated { .. }), "{report}");
}

fn text(file: &PemFile) -> String {
    let folder = tempfile::tempdir().unwrap();
    // The content of a PEM file is not shown to anybody; so it goes through the folder that takes it.
    local::deliver(folder.path(), credlink_keys::rotation::ports::RotationId::random(), file, file).unwrap();
    let name = files(folder.path()).into_iter().find(|name| name.ends_with("chain.pem")).unwrap();
    fs::read_to_string(folder.path().join(name)).unwrap()
}

#[tokio::test]
async fn a_chain_from_elsewhere_is_not_replaced_by_one_of_the_local_authority() {
    let place = InFolder::empty(AuthorityChoice::Auto);
    let source = InFolder::new(AuthorityChoice::Auto);
    let signer = PemFile::read(&source.keys().join("signer.pem")).unwrap();
    let root = PemFile::read(&source.keys().join("root.pem")).unwrap();
    import(&place.keys(), &signer, &signer, Some(&root), place.clock.now()).unwrap();
    place.clock.advance_days(350);
    assert!(waiting(&place).await.contains(".csr.pem"), "somebody has to ask the authority elsewhere");

    let internal = local::ports(&place.keys(), AuthorityChoice::Internal, Arc::clone(&place.clock) as _);
    let now_internal = InFolder { ports: internal, clock: Arc::clone(&place.clock), data: place.data };
    let error = now_internal.run(Trigger::WhenDue).await.unwrap_err();
    assert!(error.to_string().contains("ROTATION_AUTHORITY"), "{error}");
    let report = now_internal.run(Trigger::WhenDue).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Rotated { .. }), "{report}");
}

#[tokio::test]
async fn private_ca_is_not_for_one_machine() {
    let place = InFolder::new(AuthorityChoice::PrivateCa);
    let error = place.run(Trigger::Forced).await.unwrap_err();
    assert!(error.step == Step::Ask && error.to_string().contains("auto, internal or external"), "{error}");
    let RotationPorts { keys, .. } = &place.ports;
    assert_eq!(keys.candidates().await.unwrap(), []);
}
