//! Earlier keys: kept while they may be needed, disabled and deleted afterwards; and the way back.

use std::fs;

use credlink_keys::rotation::{AuthorityChoice, Outcome, Step, Trigger, ports::RotationId};

use crate::places::{InFolder, InMemory};

#[tokio::test]
async fn keys_whose_certificates_expired_are_disabled_then_deleted() {
    let place = InMemory::new().await;
    let first = place.ports.versions.active().await.unwrap().unwrap();
    place.clock.advance_days(345);
    place.run(Trigger::WhenDue).await.unwrap();
    for (days, disabled, deleted) in [(20, 0, 0), (1, 1, 0), (10, 0, 0), (20, 0, 1), (5, 0, 0)] {
        place.clock.advance_days(days);
        let upkeep = place.run(Trigger::WhenDue).await.unwrap().upkeep;
        assert_eq!((upkeep.disabled.len(), upkeep.deleted.len()), (disabled, deleted), "{upkeep:?}");
        assert!(upkeep.disabled.iter().chain(&upkeep.deleted).all(|key| *key == first.key));
        assert_eq!(upkeep.problems, []);
    }
    assert!(!place.memory.is_usable(&first.key));
    let active = place.ports.versions.active().await.unwrap().unwrap();
    assert!(place.memory.is_usable(&active.key));
}

#[tokio::test]
async fn a_run_removes_what_a_killed_one_left_half_written() {
    let place = InFolder::new(AuthorityChoice::Auto);
    let left = ["", "candidates", "requests", "previous"]
        .map(|folder| place.keys().join(folder).join(".new-killed"));
    for path in &left {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "half of a key").unwrap();
    }
    assert!(matches!(place.run(Trigger::WhenDue).await.unwrap().outcome, Outcome::NotDue { .. }));
    assert!(left.iter().all(|path| !path.exists()));
}

#[tokio::test]
async fn in_a_folder_the_chain_outlives_its_key() {
    let place = InFolder::new(AuthorityChoice::Auto);
    place.clock.advance_days(345);
    place.run(Trigger::WhenDue).await.unwrap();
    let name = fs::read_dir(place.keys().join("previous")).unwrap().next().unwrap().unwrap().path();
    assert!(fs::read_to_string(&name).unwrap().contains("PRIVATE KEY"));
    place.clock.advance_days(60);
    let upkeep = place.run(Trigger::WhenDue).await.unwrap().upkeep;
    assert_eq!((upkeep.disabled.len(), upkeep.deleted.len()), (1, 1));
    let left = fs::read_to_string(&name).unwrap();
    assert!(!left.contains("PRIVATE KEY") && left.matches("BEGIN CERTIFICATE").count() == 2, "{left}");
    assert_eq!(place.rotation().history().await.unwrap().len(), 2);
    let error = place.rotation().roll_back(None).await.unwrap_err();
    assert!(error.to_string().contains("no earlier signer whose certificates are valid"), "{error}");
}

#[tokio::test]
async fn a_key_without_a_rotation_is_given_up_and_reported() {
    let place = InMemory::new().await;
    let orphan = place.ports.keys.make(RotationId::random(), credlink_keys::KeyKind::P256).await.unwrap();
    let upkeep = place.run(Trigger::WhenDue).await.unwrap().upkeep;
    assert_eq!(upkeep.discarded, [orphan.name]);
    assert_eq!(place.ports.keys.candidates().await.unwrap(), []);
}

#[tokio::test]
async fn a_key_that_cannot_sign_is_reported_before_an_image_fails() {
    let place = InMemory::new().await;
    let active = place.ports.versions.active().await.unwrap().unwrap();
    place.ports.keys.disable(&active.key).await.unwrap();
    for _ in 0..2 {
        let report = place.run(Trigger::WhenDue).await.unwrap();
        let [problem] = &report.upkeep.problems[..] else { panic!("{report}") };
        assert!(
            problem.step == Step::Check && problem.to_string().contains(&active.key.to_string()),
            "{problem}"
        );
    }
    assert_eq!(place.subjects().len(), 1, "told once");
    assert!(matches!(place.run(Trigger::Forced).await.unwrap().outcome, Outcome::Rotated { .. }));
}

#[tokio::test]
async fn the_way_back_leads_to_the_signer_before() {
    let place = InFolder::new(AuthorityChoice::Auto);
    for _ in 0..2 {
        place.run(Trigger::Forced).await.unwrap();
    }
    let history = place.rotation().history().await.unwrap();
    let versions: Vec<_> = history.iter().map(|entry| entry.signer.version.clone()).collect();
    assert_eq!(history.iter().map(|entry| entry.active).collect::<Vec<_>>(), [true, false, false]);
    let back = place.rotation().roll_back(None).await.unwrap();
    assert_eq!((back.from.unwrap().version, back.to.version), (versions[0].clone(), versions[1].clone()));
    let back = place.rotation().roll_back(Some(&versions[2][..8])).await.unwrap();
    assert_eq!(back.to.version, versions[2]);
    for (wanted, part) in
        [("nothing", "`credlink keys history`"), (&versions[2], "no earlier signer"), ("", "no earlier")]
    {
        let error = place.rotation().roll_back(Some(wanted)).await.unwrap_err();
        assert!(error.step == Step::Restore && error.to_string().contains(part), "{error}");
    }
    assert_eq!(place.ports.versions.all().await.unwrap().len(), 3);
    assert!(matches!(place.run(Trigger::WhenDue).await.unwrap().outcome, Outcome::NotDue { .. }));
}

#[tokio::test]
async fn a_rotation_for_a_signer_that_was_replaced_by_hand_is_given_up() {
    let place = InFolder::new(AuthorityChoice::External);
    place.run(Trigger::Forced).await.unwrap();
    credlink_keys::LocalKeys::create(
        &place.keys(),
        credlink_keys::KeyKind::P256,
        credlink_keys::Replacement::KeepPrevious,
        credlink_pipeline::timestamp::Clock::now(&*place.clock),
    )
    .unwrap();
    let report = place.run(Trigger::WhenDue).await.unwrap();
    assert!(matches!(report.outcome, Outcome::NotDue { .. }), "{report}");
    assert_eq!(place.ports.keys.candidates().await.unwrap(), []);
}
