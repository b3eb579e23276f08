//! The contract of the ports, and interruptions at each of their calls.

use std::sync::Arc;

use credlink_keys::{
    KeyKind,
    rotation::{
        AuthorityChoice,
        contract::{self, survive_interruption},
        memory::interruption::Strike,
    },
};
use credlink_pipeline::timestamp::Clock;

use super::deployment::Deployment;

/// Larger keys take seconds to make in the local AWS.
const KINDS: [KeyKind; 3] = [KeyKind::P256, KeyKind::P384, KeyKind::Rsa2048];

#[tokio::test(flavor = "multi_thread")]
async fn the_ports_keep_the_contract() {
    contract::verify(&KINDS, async || {
        let deployment = Deployment::new(AuthorityChoice::Auto).await;
        deployment.settings.ports(&Deployment::config(), Arc::clone(&deployment.clock) as Arc<dyn Clock>)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_survives_the_death_of_its_process_at_each_call_of_a_port() {
    for strike in [Strike::DiesBefore, Strike::DiesAfter] {
        let mut calls = 0;
        loop {
            let deployment = Deployment::new(AuthorityChoice::Internal).await;
            let clock = Arc::clone(&deployment.clock) as Arc<dyn Clock>;
            let ports = deployment.settings.ports(&Deployment::config(), clock);
            if !survive_interruption(&ports, &deployment.settings.policy(), calls, strike).await {
                break;
            }
            calls += 1;
        }
        assert!(calls > 20, "a rotation makes more than {calls} calls");
    }
}
