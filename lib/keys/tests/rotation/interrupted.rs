//! A rotation that is killed anywhere, and whose calls fail anywhere.

use credlink_keys::{
    KeyKind,
    rotation::{
        AuthorityChoice,
        contract::{self, survive_interruption},
        memory::interruption::Strike,
    },
};

use crate::{
    places::{InFolder, InMemory, policy},
    support::files,
};

#[tokio::test(flavor = "multi_thread")]
async fn ports_in_memory_keep_the_contract() {
    contract::verify(&KeyKind::ALL, async || InMemory::empty().ports).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_in_a_folder_keep_the_contract() {
    contract::verify(&KeyKind::ALL, async || {
        // The folder has to outlive the ports, so it is left to the system's temporary folder.
        let place = InFolder::empty(AuthorityChoice::Auto);
        let ports = place.ports.clone();
        let _kept = place.data.keep();
        ports
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_memory_a_rotation_survives_everything() {
    for strike in Strike::ALL {
        let mut calls = 0;
        loop {
            let place = InMemory::new().await;
            if !survive_interruption(&place.ports, &policy(), calls, strike).await {
                break;
            }
            assert_eq!(place.authority.open_requests(), 0, "call {calls}, {strike:?}");
            calls += 1;
        }
        assert!(calls > 25, "a rotation makes more than {calls} calls");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_folder_a_rotation_survives_everything() {
    for strike in [Strike::DiesBefore, Strike::DiesAfter] {
        let mut calls = 0;
        loop {
            let place = InFolder::new(AuthorityChoice::Auto);
            if !survive_interruption(&place.ports, &policy(), calls, strike).await {
                break;
            }
            let left = files(&place.keys());
            let left: Vec<_> = left
                .iter()
                .filter(|name| name.starts_with("candidates/") || name.starts_with("requests/"))
                .collect();
            assert!(left.is_empty(), "call {calls}, {strike:?}: {left:?}");
            calls += 1;
        }
        assert!(calls > 25, "a rotation makes more than {calls} calls");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_key_survives_everything_too() {
    for strike in [Strike::DiesBefore, Strike::DiesAfter] {
        let mut calls = 0;
        loop {
            let place = InFolder::empty(AuthorityChoice::Auto);
            if !survive_interruption(&place.ports, &policy(), calls, strike).await {
                break;
            }
            calls += 1;
        }
        assert!(calls > 20, "a rotation makes more than {calls} calls");
    }
}
