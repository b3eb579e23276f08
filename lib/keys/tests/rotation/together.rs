//! Several rotations at once: one wins, and the others leave nothing behind.

use credlink_keys::rotation::{
    AuthorityChoice, Outcome, Rotation, RotationPorts, Trigger, contract::assert_sound,
};
use tokio::task::JoinSet;

use crate::places::{InFolder, InMemory, policy};

async fn at_once(ports: &RotationPorts, trigger: Trigger) -> Vec<Outcome> {
    let mut runs = JoinSet::new();
    for _ in 0..6 {
        let rotation = Rotation::new(ports.clone(), policy());
        runs.spawn(async move { rotation.run(trigger, &|| false).await });
    }
    let ended = runs.join_all().await;
    ended.into_iter().filter_map(|ended| ended.map(|report| report.outcome).ok()).collect()
}

async fn one_wins(ports: &RotationPorts) {
    let before = ports.versions.all().await.unwrap().len();
    let outcomes = at_once(ports, Trigger::WhenDue).await;
    let rotated = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Rotated { .. })).count();
    assert!(rotated >= 1, "{outcomes:?}");
    Rotation::new(ports.clone(), policy()).run(Trigger::WhenDue, &|| false).await.unwrap();
    assert_sound(ports, &policy()).await;
    assert_eq!(ports.versions.all().await.unwrap().len(), before + 1, "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_rotations_that_are_due_one_wins() {
    for _ in 0..10 {
        let place = InMemory::new().await;
        place.clock.advance_days(350);
        one_wins(&place.ports).await;
    }
    let place = InFolder::new(AuthorityChoice::Auto);
    place.clock.advance_days(350);
    one_wins(&place.ports).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rotations_that_are_wanted_at_once_leave_nothing_behind() {
    for _ in 0..5 {
        let place = InMemory::new().await;
        at_once(&place.ports, Trigger::Forced).await;
        place.run(Trigger::WhenDue).await.unwrap();
        assert_sound(&place.ports, &policy()).await;
        assert_eq!(place.authority.open_requests(), 0);
    }
}
