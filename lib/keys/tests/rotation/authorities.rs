//! Authorities that do not do what they should: who signs is untouched, and people are told once.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use credlink_keys::{
    KeyKind, PemFile,
    rotation::{
        Outcome, Rotation, RotationPorts, Step, Trigger,
        contract::assert_sound,
        memory::Behaviour,
        ports::{CandidateKey, Fault, KeyKeeper, KeyName, RotationId},
    },
};
use credlink_pipeline::signer::Signer;

use crate::places::{InMemory, policy};

/// What gives a rotation up, at which step, and a part of what is said.
const REFUSED: [(Behaviour, Step, &str); 10] = [
    (Behaviour::Refuses, Step::Collect, "it says no"),
    (Behaviour::OtherKey, Step::Validate, "does not belong to the first certificate"),
    (Behaviour::OtherPurpose, Step::Validate, "extended key usage"),
    (Behaviour::Expired, Step::Validate, "expired on"),
    (Behaviour::ChainMissing, Step::Validate, "issued the last one"),
    (Behaviour::Garbage, Step::Validate, "not PEM"),
    (Behaviour::IsAuthority, Step::Validate, "certificate authority (CA=true)"),
    (Behaviour::TooLong, Step::Validate, "90 to 366 days"),
    (Behaviour::Days(90), Step::Validate, "replaced at once"),
    (Behaviour::OtherRoot, Step::Validate, "issued the last one"),
];

#[tokio::test]
async fn what_is_refused_for_good_is_given_up_and_tried_anew() {
    for (behaviour, step, part) in REFUSED {
        let place = InMemory::new().await;
        let mut policy = policy();
        policy.before_days = 90;
        let rotation = Rotation::new(place.ports.clone(), policy);
        let before = place.ports.versions.active().await.unwrap();
        place.clock.advance_days(300);
        place.authority.behave(behaviour.clone());
        for _ in 0..3 {
            let error = rotation.run(Trigger::WhenDue, &|| false).await.unwrap_err();
            assert_eq!((error.step, error.fault.passing), (step, false), "{behaviour:?}: {error}");
            assert!(error.to_string().contains(part), "{behaviour:?}: {error}");
            assert_eq!(place.ports.versions.active().await.unwrap(), before, "{behaviour:?}");
            assert_eq!(place.ports.keys.candidates().await.unwrap(), [], "{behaviour:?}");
            assert_eq!(place.authority.open_requests(), 0, "{behaviour:?}");
            let told = format!("CredLink: the signing key was not replaced ({step})");
            assert_eq!(place.subjects(), [told], "{behaviour:?}: told once");
        }
        place.authority.behave(Behaviour::Issues);
        let report = rotation.run(Trigger::WhenDue, &|| false).await.unwrap();
        assert!(matches!(report.outcome, Outcome::Rotated { .. }), "{behaviour:?}: {report}");
        assert_sound(&place.ports, &crate::places::policy()).await;
    }
}

#[tokio::test]
async fn what_may_pass_is_waited_for_with_the_same_key() {
    for (behaviour, step) in [(Behaviour::Fails, Step::Collect), (Behaviour::NotYet, Step::Validate)] {
        let place = InMemory::new().await;
        place.clock.advance_days(350);
        place.authority.behave(behaviour.clone());
        let error = place.run(Trigger::WhenDue).await.unwrap_err();
        assert_eq!((error.step, error.fault.passing), (step, true), "{behaviour:?}: {error}");
        let candidates = place.ports.keys.candidates().await.unwrap();
        assert_eq!(candidates.len(), 1);
        place.run(Trigger::WhenDue).await.unwrap_err();
        assert_eq!(place.subjects().len(), 1, "{behaviour:?}: told once");
        place.authority.behave(Behaviour::Issues);
        place.clock.move_by(time::Duration::hours(1));
        let report = place.run(Trigger::WhenDue).await.unwrap();
        let Outcome::Rotated { to, .. } = report.outcome else { panic!("{behaviour:?}: {report}") };
        assert_eq!(to.key, candidates[0].name, "{behaviour:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_authority_that_never_answers_holds_nobody_up_for_ever() {
    let place = InMemory::new().await;
    place.clock.advance_days(350);
    place.authority.behave(Behaviour::IsSilent);
    let begun = tokio::time::Instant::now();
    let error = place.run(Trigger::WhenDue).await.unwrap_err();
    assert!(error.step == Step::Collect && error.fault.passing, "{error}");
    assert!(error.to_string().contains("the scripted authority: no answer within 120 seconds"), "{error}");
    assert_eq!(begun.elapsed().as_secs(), 120);
    place.authority.behave(Behaviour::Issues);
    assert!(matches!(place.run(Trigger::WhenDue).await.unwrap().outcome, Outcome::Rotated { .. }));
}

#[tokio::test]
async fn who_waits_is_reminded_once_a_day_until_the_certificate_comes() {
    let place = InMemory::new().await;
    place.clock.advance_days(340);
    place.authority.behave(Behaviour::Waits);
    let mut keys = Vec::new();
    for day in 1..=3 {
        for _ in 0..2 {
            let report = place.run(Trigger::WhenDue).await.unwrap();
            let Outcome::Waiting { reason, days_left, .. } = &report.outcome else { panic!("{report}") };
            assert_eq!((reason.as_str(), *days_left), ("somebody must say yes", Some(25 - day)));
        }
        keys.extend(place.ports.keys.candidates().await.unwrap());
        assert_eq!(place.subjects().len(), usize::try_from(day).unwrap());
        place.clock.advance_days(1);
    }
    keys.dedup();
    assert_eq!(keys.len(), 1, "one key for all days");
    place.authority.behave(Behaviour::Issues);
    assert!(matches!(place.run(Trigger::WhenDue).await.unwrap().outcome, Outcome::Rotated { .. }));
    assert_eq!(place.subjects().last().unwrap(), "CredLink: the signing key was replaced");
}

#[tokio::test]
async fn a_rotation_that_waits_can_be_given_up() {
    let place = InMemory::new().await;
    place.authority.behave(Behaviour::Waits);
    place.run(Trigger::Forced).await.unwrap();
    assert!(place.rotation().cancel().await.unwrap());
    assert_eq!((place.ports.keys.candidates().await.unwrap().len(), place.authority.open_requests()), (0, 0));
    assert!(!place.rotation().cancel().await.unwrap(), "there is none any more");

    place.run(Trigger::Forced).await.unwrap();
    let first = place.ports.keys.candidates().await.unwrap();
    place.run(Trigger::Forced).await.unwrap();
    let second = place.ports.keys.candidates().await.unwrap();
    assert!(first.len() == 1 && second.len() == 1 && first != second, "{first:?} {second:?}");
    assert_eq!(place.authority.open_requests(), 1);
}

#[tokio::test]
async fn a_key_that_signed_before_gets_no_second_certificate() {
    let place = InMemory::new().await;
    let active = place.ports.versions.active().await.unwrap().unwrap();
    let old = CandidateKey {
        name: active.key.clone(),
        rotation: RotationId::random(),
        kind: KeyKind::P256,
        public_key_info: public_key_info(&active.chain[0]),
    };
    let keys = Arc::new(OldKey { keys: Arc::clone(&place.ports.keys), old, asked: Mutex::default() });
    let ports = RotationPorts { keys, ..place.ports.clone() };
    let error = Rotation::new(ports, policy()).run(Trigger::Forced, &|| false).await.unwrap_err();
    assert!(
        error.step == Step::Validate && error.to_string().contains("signed before, as version 1"),
        "{error}"
    );
    assert_eq!(place.ports.versions.active().await.unwrap(), Some(active.clone()));
    place.ports.keys.check(&active.key).await.unwrap();
}

fn public_key_info(certificate: &[u8]) -> Vec<u8> {
    use x509_parser::prelude::FromDer as _;
    let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(certificate).unwrap();
    certificate.public_key().raw.to_vec()
}

/// A keeper that hands out a key that signs already.
struct OldKey {
    keys: Arc<dyn KeyKeeper>,
    old: CandidateKey,
    asked: Mutex<Option<RotationId>>,
}

#[async_trait]
impl KeyKeeper for OldKey {
    async fn make(&self, rotation: RotationId, _: KeyKind) -> Result<CandidateKey, Fault> {
        *self.asked.lock().unwrap() = Some(rotation);
        Ok(CandidateKey { rotation, ..self.old.clone() })
    }

    async fn candidates(&self) -> Result<Vec<CandidateKey>, Fault> {
        let asked = *self.asked.lock().unwrap();
        Ok(asked.map(|rotation| CandidateKey { rotation, ..self.old.clone() }).into_iter().collect())
    }

    async fn sign_request(&self, key: &CandidateKey, message: &[u8]) -> Result<Vec<u8>, Fault> {
        self.keys.sign_request(key, message).await
    }

    async fn signer(&self, key: &CandidateKey, chain: &PemFile) -> Result<Arc<dyn Signer>, Fault> {
        self.keys.signer(key, chain).await
    }

    async fn discard(&self, key: &CandidateKey) -> Result<(), Fault> {
        self.keys.discard(key).await
    }

    async fn disable(&self, key: &KeyName) -> Result<(), Fault> {
        self.keys.disable(key).await
    }

    async fn delete(&self, key: &KeyName) -> Result<(), Fault> {
        self.keys.delete(key).await
    }

    async fn check(&self, key: &KeyName) -> Result<(), Fault> {
        self.keys.check(key).await
    }
}
