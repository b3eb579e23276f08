//! A rotation that is killed before or after each call that changes something: the next run completes it or begins anew,
//! no key is left without an owner, and the record matches its key.

use std::sync::{Arc, Mutex};

use credlink_keys::{
    aws::rotation::{AUTHORITY_TAG, ROTATION_TAG},
    rotation::{AuthorityChoice, Outcome, Trigger},
};
use credlink_local_aws::{Call, Fate, FaultyLink, LocalAws};
use tokio::{select, sync::oneshot};

use super::deployment::Deployment;

/// When the process dies.
#[derive(Clone, Copy, Debug)]
enum Death {
    /// The call is never made.
    Before(usize),
    /// The call is made, and its answer never read.
    After(usize),
}

/// Lets the process die.
fn end(die: &mut Option<oneshot::Sender<()>>) {
    if let Some(die) = die.take() {
        die.send(()).ok();
    }
}

/// Whether a call changes something.
fn changes(call: &Call) -> bool {
    let operations =
        ["CreateKey", "Sign", "PutItem", "TransactWriteItems", "ScheduleKeyDeletion", "DisableKey"];
    operations.contains(&call.operation.as_str())
}

/// Runs until it dies there; how many changes were made, and whether it died.
async fn run_until(deployment: &Deployment, trigger: Trigger, death: Death) -> (usize, bool) {
    let (die, dead) = oneshot::channel();
    let (mut die, made) = (Some(die), Arc::new(Mutex::new(0)));
    let count = Arc::clone(&made);
    let line = FaultyLink::to(LocalAws::shared(), move |call| {
        let mut made = count.lock().unwrap();
        let at = match death {
            // Whatever comes next shows that the answer did not arrive.
            Death::After(at) if *made > at => {
                end(&mut die);
                return Fate::Lose;
            }
            Death::Before(at) | Death::After(at) => at,
        };
        if !changes(call) {
            return Fate::Pass;
        }
        *made += 1;
        match death {
            _ if *made != at + 1 => Fate::Pass,
            Death::Before(_) => {
                end(&mut die);
                Fate::Lose
            }
            Death::After(_) => Fate::LoseAnswer,
        }
    });
    let rotation = deployment.rotation_over(&line.sdk_config());
    let died = select! {
        _ = rotation.run(trigger, &|| false) => false,
        _ = dead => true,
    };
    let made = *made.lock().unwrap();
    (made, died)
}

async fn assert_next_run_heals(deployment: &Deployment, expected: u64, death: Death) {
    let report = deployment.run(Trigger::WhenDue).await;
    let healed = matches!(report.outcome, Outcome::Rotated { .. } | Outcome::NotDue { .. });
    assert!(healed, "{death:?}: {report}");
    if deployment.active().await.version() < expected {
        // It died before the rotation was written down, so nothing was begun.
        deployment.rotate(Trigger::Forced).await;
    }
    let active = deployment.active().await;
    assert_eq!(active.version(), expected, "{death:?}");
    deployment.run(Trigger::WhenDue).await;
    deployment.assert_record_matches_its_key().await;
    let signers: Vec<String> =
        deployment.records().versions().await.unwrap().iter().map(|one| one.key_arn().to_owned()).collect();
    for key in deployment.enabled(ROTATION_TAG).await {
        assert!(signers.contains(&key), "{death:?}: {key} has no owner");
    }
    assert_eq!(deployment.enabled(AUTHORITY_TAG).await.len(), 2, "{death:?}");
}

#[tokio::test]
async fn the_first_rotation_of_all_may_be_killed_anywhere() {
    let whole = Deployment::new(AuthorityChoice::Internal).await;
    let (changes, died) = run_until(&whole, Trigger::WhenDue, Death::Before(1000)).await;
    assert!(!died && changes > 15, "{changes}");
    // Every third call, before and after it by turns; the contract is what strikes all calls of the ports.
    for at in (0..changes).step_by(3) {
        let death = if at % 2 == 0 { Death::Before(at) } else { Death::After(at) };
        let deployment = Deployment::new(AuthorityChoice::Internal).await;
        run_until(&deployment, Trigger::WhenDue, death).await;
        assert_next_run_heals(&deployment, 1, death).await;
    }
}

#[tokio::test]
async fn a_later_rotation_may_be_killed_over_and_over() {
    let deployment = Deployment::new(AuthorityChoice::Internal).await;
    deployment.rotate(Trigger::WhenDue).await;
    for at in 0..6 {
        run_until(&deployment, Trigger::Forced, Death::Before(at)).await;
        run_until(&deployment, Trigger::Forced, Death::After(at)).await;
    }
    run_until(&deployment, Trigger::WhenDue, Death::After(1)).await;
    assert_next_run_heals(&deployment, 2, Death::After(1)).await;
}
