//! Clocks that jump by an hour, forth and back, in the middle of a rotation.

use credlink_keys::rotation::{
    Outcome, Trigger,
    contract::assert_sound,
    memory::interruption::{Interruption, Strike},
};
use time::Duration;

use crate::places::{InMemory, policy};

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_an_hour_does_no_harm() {
    for hours in [1, -1] {
        let mut call = 0;
        loop {
            let place = InMemory::new().await;
            place.clock.advance_days(350);
            let interruption = Interruption::new(call, Strike::DiesAfter);
            drop(interruption.run(&place.ports, &policy(), Trigger::WhenDue).await);
            if !interruption.happened() {
                break;
            }
            place.clock.move_by(Duration::hours(hours));
            if let Err(error) = place.run(Trigger::WhenDue).await {
                // Issued before the clock went back: not valid yet, and not given up for it.
                assert!(error.fault.passing && hours < 0, "call {call}: {error}");
            }
            place.clock.move_by(Duration::hours(-hours));
            place.run(Trigger::WhenDue).await.unwrap();
            assert_sound(&place.ports, &policy()).await;
            let versions = place.ports.versions.all().await.unwrap();
            assert_eq!(versions.len(), 2, "call {call}: rotated once");
            call += 1;
        }
    }
}

#[tokio::test]
async fn it_is_due_when_fewer_days_than_chosen_remain() {
    let place = InMemory::new().await;
    for (days, left) in [(334, 30), (0, 30)] {
        place.clock.advance_days(days);
        let Outcome::NotDue { days_left } = place.run(Trigger::WhenDue).await.unwrap().outcome else {
            panic!("not due")
        };
        assert_eq!(days_left, left);
    }
    place.clock.advance_days(1);
    let outlook = place.rotation().look().await.unwrap();
    assert!(outlook.due && outlook.days_left == Some(29) && outlook.next.is_none(), "{outlook:?}");
    assert!(matches!(place.run(Trigger::WhenDue).await.unwrap().outcome, Outcome::Rotated { .. }));
    let stopped = place.rotation().run(Trigger::Forced, &|| true).await.unwrap();
    assert!(matches!(stopped.outcome, Outcome::Stopped { .. }), "{stopped}");
    assert!(
        matches!(place.run(Trigger::WhenDue).await.unwrap().outcome, Outcome::Rotated { .. }),
        "and it goes on"
    );
}
