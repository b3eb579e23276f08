//! State that was edited by hand, is of another version, or cannot be written: named, and left alone.

use std::fs;

use credlink_keys::rotation::{AuthorityChoice, Outcome, Step, Trigger, memory::Behaviour};

use crate::{
    places::{InFolder, InMemory},
    support::files,
};

#[tokio::test]
async fn a_state_that_cannot_be_read_is_named_and_nothing_is_touched() {
    let place = InMemory::new().await;
    place.authority.behave(Behaviour::Waits);
    place.run(Trigger::Forced).await.unwrap();
    let (_, good) = place.ports.journal.read().await.unwrap().unwrap();
    let (active, candidates) =
        (place.ports.versions.active().await.unwrap(), place.ports.keys.candidates().await.unwrap());
    let cases = [
        (String::new(), "cannot be read"),
        ("garbage".to_owned(), "cannot be read"),
        ("[]".to_owned(), "no number of a schema"),
        (good[..good.len() / 2].to_owned(), "cannot be read"),
        (good.replace("\"schema\": 1", "\"schema\": 2"), "has the schema 2, and this version knows 1"),
        (good.replace("\"schema\": 1", "\"schema\": \"1\""), "no number of a schema"),
        (good.replace("\"step\": \"collect\"", "\"step\": \"sawp\""), "sawp"),
        (good.replace("\"receipt\"", "\"recipe\""), "recip"),
        (good.replace("\"kind\": \"p-256\"", "\"kind\": \"rsa-512\""), "rsa-512"),
        (good.replace("\"toForget\"", "\"forget\""), "forget"),
    ];
    for (edited, part) in cases {
        place.memory.edit_journal(&edited);
        for trigger in [Trigger::WhenDue, Trigger::Forced] {
            let error = place.run(trigger).await.unwrap_err();
            let line = error.to_string();
            assert!(error.step == Step::State && !error.fault.passing, "{line}");
            assert!(line.contains("the journal in memory") && line.contains(part), "{edited}: {line}");
            assert!(line.contains("delete it") && !line.contains('\n'), "{line}");
            assert_eq!(place.ports.journal.read().await.unwrap().unwrap().1, edited);
            assert_eq!(place.ports.versions.active().await.unwrap(), active);
            assert_eq!(place.ports.keys.candidates().await.unwrap(), candidates);
        }
    }
    place.memory.edit_journal(&good);
    assert!(matches!(place.run(Trigger::WhenDue).await.unwrap().outcome, Outcome::Waiting { .. }));
}

#[tokio::test]
async fn a_state_that_was_deleted_begins_afresh_and_leaves_no_key() {
    let place = InFolder::new(AuthorityChoice::External);
    place.run(Trigger::Forced).await.unwrap();
    let [candidate] = &place.ports.keys.candidates().await.unwrap()[..] else { panic!("one key") };
    fs::remove_file(place.keys().join("rotation.json")).unwrap();
    let report = place.run(Trigger::WhenDue).await.unwrap();
    assert!(matches!(report.outcome, Outcome::NotDue { .. }), "{report}");
    assert_eq!(report.upkeep.discarded, std::slice::from_ref(&candidate.name));
    assert_eq!(place.ports.keys.candidates().await.unwrap(), []);
}

#[tokio::test]
async fn a_state_that_names_another_key_is_given_up() {
    let place = InMemory::new().await;
    place.authority.behave(Behaviour::Waits);
    place.run(Trigger::Forced).await.unwrap();
    let (_, good) = place.ports.journal.read().await.unwrap().unwrap();
    let key = place.ports.keys.candidates().await.unwrap()[0].name.to_string();
    place.memory.edit_journal(&good.replace(&key, "sha256:00"));
    place.authority.behave(Behaviour::Issues);
    let error = place.run(Trigger::WhenDue).await.unwrap_err();
    assert!(error.to_string().contains("key sha256:00: the new key is not there any more"), "{error}");
    assert_eq!(place.ports.keys.candidates().await.unwrap(), []);
    assert!(matches!(place.run(Trigger::WhenDue).await.unwrap().outcome, Outcome::NotDue { .. }));
}

/// A folder that is a file, or a file that is a folder, cannot be written by anybody, whoever runs the tests.
#[tokio::test]
async fn what_cannot_be_written_names_its_step_and_its_place() {
    for (blocked, step) in [
        ("rotation.json", Step::State),
        ("candidates", Step::MakeKey),
        ("requests", Step::Ask),
        ("previous", Step::Ask),
    ] {
        let place = InFolder::new(AuthorityChoice::Auto);
        let (before, path) = (place.ports.versions.active().await.unwrap(), place.keys().join(blocked));
        if step == Step::State {
            fs::create_dir(&path).unwrap();
        } else {
            fs::write(&path, "in the way").unwrap();
        }
        let error = place.run(Trigger::Forced).await.unwrap_err();
        assert_eq!(error.step, step, "{error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        assert_eq!(place.ports.versions.active().await.unwrap(), before);
        let left = files(&place.keys());
        assert!(left.iter().all(|name| !name.starts_with("candidates/")), "{blocked}: {left:?}");
        if step == Step::State {
            fs::remove_dir(&path).unwrap();
        } else {
            fs::remove_file(&path).unwrap();
        }
        let report = place.run(Trigger::Forced).await.unwrap();
        assert!(matches!(report.outcome, Outcome::Rotated { .. }), "{blocked}: {report}");
    }
}
