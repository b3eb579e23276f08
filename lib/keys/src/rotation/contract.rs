//! What the ports of a rotation promise, as one suite of assertions, and what has to hold whatever happens to a rotation.
//!
//! The tests of an implementation call [`verify`] with a function that makes fresh ports over an empty installation, and
//! [`survive_interruption`] for as many calls as a rotation makes. Outside this crate the suite comes with the feature
//! `contract`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite of assertions fails by panicking")]

use std::sync::Arc;

use super::{
    Outcome, Rotation, RotationPolicy, RotationPorts, Trigger,
    memory::{
        ScriptedAuthority,
        interruption::{Interrupted, Interruption, Strike},
    },
    ports::{CandidateKey, RotationId, SignerVersion, SwapError},
    verified_public_key,
};
use crate::algorithm::KeyKind;

/// Asserts every promise of the ports, each on fresh ones over an empty installation, with keys of `kinds`; at least one.
/// The authority is only asked to forget what it does not know.
pub async fn verify(kinds: &[KeyKind], fresh: impl AsyncFn() -> RotationPorts) {
    let kind = *kinds.first().unwrap();
    a_key_is_made_once_for_each_rotation(&fresh().await, kind).await;
    a_key_that_is_given_up_is_gone(&fresh().await, kind).await;
    every_kind_signs_its_request(&fresh().await, kinds).await;
    a_journal_is_written_by_who_read_it_last(&fresh().await).await;
    of_writes_at_once_one_wins(&fresh().await).await;
    a_swap_may_be_repeated(&fresh().await, kind).await;
    a_swap_needs_the_expected_version(&fresh().await, kind).await;
    a_chain_for_another_key_never_becomes_active(&fresh().await, kind).await;
    an_earlier_version_can_be_restored(&fresh().await, kind).await;
    a_key_that_signs_is_not_given_up(&fresh().await, kind).await;
    keys_of_earlier_versions_can_be_retired(&fresh().await, kind).await;
    forgetting_twice_is_no_error(&fresh().await).await;
}

/// Begins a forced rotation, strikes one of its calls, and lets the next run go on. Either way, who signs can sign with a
/// chain that belongs to its key, and no key is left without an owner. False when the rotation makes fewer calls.
pub async fn survive_interruption(
    ports: &RotationPorts,
    policy: &RotationPolicy,
    at: usize,
    strike: Strike,
) -> bool {
    let name = format!("call {at}, {strike:?}");
    let before = ports.versions.active().await.unwrap();
    let interruption = Interruption::new(at, strike);
    let ended = interruption.run(ports, policy, Trigger::Forced).await;
    let died = matches!(strike, Strike::DiesBefore | Strike::DiesAfter) && interruption.happened();
    assert_eq!(matches!(ended, Interrupted::Died), died, "{name}: {ended:?}");
    if let Some(active) = ports.versions.active().await.unwrap() {
        ports.keys.check(&active.key).await.unwrap_or_else(|fault| panic!("{name}: {fault}"));
    }

    let rotation = Rotation::new(ports.clone(), policy.clone());
    let next = rotation.run(Trigger::WhenDue, &|| false).await;
    let next = next.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(next.upkeep.problems, [], "{name}");
    assert!(matches!(next.outcome, Outcome::Rotated { .. } | Outcome::NotDue { .. }), "{name}: {next:?}");
    let active = assert_sound(ports, policy).await;
    let rotated = before.as_ref().map(|before| &before.version) != Some(&active.version);
    let versions = ports.versions.all().await.unwrap();
    let expected = before.iter().len() + usize::from(rotated);
    assert_eq!(versions.len(), expected, "{name}: one rotation makes one version");
    if let Outcome::Rotated { to, .. } = &next.outcome {
        assert_eq!(to.version, active.version, "{name}");
    }
    interruption.happened()
}

/// Asserts what holds after a run that came to its end: somebody signs, with a key that can; no rotation is in progress; no
/// key is left over; no version has the key of another.
pub async fn assert_sound(ports: &RotationPorts, policy: &RotationPolicy) -> SignerVersion {
    let active = ports.versions.active().await.unwrap().unwrap_or_else(|| panic!("nobody signs"));
    ports.keys.check(&active.key).await.unwrap();
    assert_eq!(ports.keys.candidates().await.unwrap(), [], "keys without an owner");
    let outlook = Rotation::new(ports.clone(), policy.clone()).look().await.unwrap();
    assert_eq!(outlook.next, None, "a rotation is in progress");
    let versions = ports.versions.all().await.unwrap();
    assert!(versions.iter().any(|version| version.version == active.version));
    for (index, version) in versions.iter().enumerate() {
        let twin = versions.iter().skip(index + 1).find(|other| other.key == version.key);
        assert_eq!(twin.filter(|twin| twin.chain != version.chain), None, "a key with two certificates");
    }
    active
}

async fn a_key_is_made_once_for_each_rotation(ports: &RotationPorts, kind: KeyKind) {
    let (one, two) = (RotationId::random(), RotationId::random());
    let first = ports.keys.make(one, kind).await.unwrap();
    assert_eq!((first.rotation, first.kind), (one, kind));
    assert_eq!(ports.keys.make(one, kind).await.unwrap(), first);
    let second = ports.keys.make(two, kind).await.unwrap();
    assert_ne!(first.name, second.name);
    assert_ne!(first.public_key_info, second.public_key_info);
    assert_eq!(sorted(ports.keys.candidates().await.unwrap()), sorted(vec![first, second]));
}

async fn a_key_that_is_given_up_is_gone(ports: &RotationPorts, kind: KeyKind) {
    let kept = ports.keys.make(RotationId::random(), kind).await.unwrap();
    let discarded = ports.keys.make(RotationId::random(), kind).await.unwrap();
    ports.keys.discard(&discarded).await.unwrap();
    ports.keys.discard(&discarded).await.unwrap();
    assert_eq!(ports.keys.candidates().await.unwrap(), [kept]);
}

async fn every_kind_signs_its_request(ports: &RotationPorts, kinds: &[KeyKind]) {
    for kind in kinds {
        let key = ports.keys.make(RotationId::random(), *kind).await.unwrap();
        let subject = super::Subject::default();
        let request = super::request::make(&*ports.keys, &key, &subject).await.unwrap();
        assert_eq!(verified_public_key(&request).unwrap(), key.public_key_info, "{kind}");
    }
}

async fn a_journal_is_written_by_who_read_it_last(ports: &RotationPorts) {
    let journal = &ports.journal;
    assert_eq!(journal.read().await.unwrap(), None);
    let first = journal.write("{\"a\": 1}", None).await.unwrap();
    assert_eq!(journal.read().await.unwrap(), Some((first, "{\"a\": 1}".to_owned())));
    assert_eq!(journal.write("{}", None).await, Err(SwapError::LostRace));
    let second = journal.write("{\"a\": \"\u{20ac}\"}", Some(first)).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(journal.write("{}", Some(first)).await, Err(SwapError::LostRace));
    assert_eq!(journal.read().await.unwrap(), Some((second, "{\"a\": \"\u{20ac}\"}".to_owned())));
    let large = "x".repeat(100_000);
    let third = journal.write(&large, Some(second)).await.unwrap();
    assert_eq!(journal.read().await.unwrap(), Some((third, large)));
}

async fn of_writes_at_once_one_wins(ports: &RotationPorts) {
    let revision = ports.journal.write("the first", None).await.unwrap();
    let writers = (0..8).map(|number| {
        let journal = Arc::clone(&ports.journal);
        tokio::spawn(async move { journal.write(&format!("writer {number}"), Some(revision)).await })
    });
    let mut won = 0;
    for writer in writers.collect::<Vec<_>>() {
        match writer.await.unwrap() {
            Ok(_) => won += 1,
            Err(error) => assert_eq!(error, SwapError::LostRace),
        }
    }
    assert_eq!(won, 1);
}

async fn a_swap_may_be_repeated(ports: &RotationPorts, kind: KeyKind) {
    let installation = Installation::new(ports);
    assert_eq!(ports.versions.active().await.unwrap(), None);
    assert_eq!(ports.versions.all().await.unwrap(), []);
    let key = ports.keys.make(RotationId::random(), kind).await.unwrap();
    let before = installation.now();
    let first = installation.swap(&key, 200, None).await.unwrap();
    assert_eq!((&first.key, first.kind), (&key.name, kind));
    assert!((before..=installation.now()).contains(&first.activated_at));
    assert_eq!(ports.versions.active().await.unwrap().as_ref(), Some(&first));
    assert_eq!(ports.versions.all().await.unwrap(), std::slice::from_ref(&first));
    assert_eq!(ports.keys.candidates().await.unwrap(), [], "a key that signs is no candidate");
    let again = installation.repeat(&key, &first, None).await.unwrap();
    assert_eq!(again.version, first.version);
    assert_eq!(ports.versions.all().await.unwrap().len(), 1);
}

async fn a_swap_needs_the_expected_version(ports: &RotationPorts, kind: KeyKind) {
    let installation = Installation::new(ports);
    let first = installation.activate(kind, 200).await;
    let key = ports.keys.make(RotationId::random(), kind).await.unwrap();
    assert_eq!(installation.swap(&key, 200, None).await, Err(SwapError::LostRace));
    assert_eq!(installation.swap(&key, 200, Some("another")).await, Err(SwapError::LostRace));
    assert_eq!(ports.versions.active().await.unwrap().as_ref(), Some(&first));
    assert_eq!(ports.keys.candidates().await.unwrap().len(), 1);
    let second = installation.swap(&key, 200, Some(&first.version)).await.unwrap();
    assert_ne!(second.version, first.version);
    let names = |versions: &[SignerVersion]| {
        versions.iter().map(|version| version.version.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&ports.versions.all().await.unwrap()), names(&[second, first]));
}

async fn a_chain_for_another_key_never_becomes_active(ports: &RotationPorts, kind: KeyKind) {
    let installation = Installation::new(ports);
    let first = installation.activate(kind, 200).await;
    let key = ports.keys.make(RotationId::random(), kind).await.unwrap();
    let other = ports.keys.make(RotationId::random(), kind).await.unwrap();
    let (authority, now) = (&installation.authority, installation.now());
    let wrong = authority.issue(&other.public_key_info, now, 200);
    let right = authority.issue(&key.public_key_info, now, 200);
    let foreign = ScriptedAuthority::new(now);
    let expected = Some(first.version.as_str());
    for (chain, root) in [(&wrong, authority.root()), (&right, foreign.root())] {
        let refused = ports.versions.swap(&key, chain, &root, expected, now).await;
        assert!(matches!(&refused, Err(SwapError::Fault(fault)) if !fault.passing), "{refused:?}");
    }
    assert_eq!(ports.versions.active().await.unwrap(), Some(first));
}

async fn an_earlier_version_can_be_restored(ports: &RotationPorts, kind: KeyKind) {
    let installation = Installation::new(ports);
    let first = installation.activate(kind, 200).await;
    let second = installation.activate(kind, 300).await;
    let now = installation.now();
    let stale = ports.versions.restore(&first.version, Some(&first.version), now).await;
    assert_eq!(stale, Err(SwapError::LostRace));
    let unknown = ports.versions.restore("no such version", Some(&second.version), now).await;
    assert!(matches!(unknown, Err(SwapError::Fault(_))), "{unknown:?}");
    let late = now.plus_days(250);
    let expired = ports.versions.restore(&first.version, Some(&second.version), late).await;
    assert!(matches!(expired, Err(SwapError::Fault(_))), "{expired:?}");
    assert_eq!(ports.versions.active().await.unwrap().as_ref(), Some(&second));
    let restored = ports.versions.restore(&first.version, Some(&second.version), now).await.unwrap();
    assert_eq!((&restored.key, &restored.chain), (&first.key, &first.chain));
    assert_eq!(ports.versions.active().await.unwrap(), Some(restored));
    assert!(ports.versions.all().await.unwrap().iter().any(|version| version.key == second.key));
}

async fn a_key_that_signs_is_not_given_up(ports: &RotationPorts, kind: KeyKind) {
    let installation = Installation::new(ports);
    let key = ports.keys.make(RotationId::random(), kind).await.unwrap();
    installation.swap(&key, 200, None).await.unwrap();
    ports.keys.check(&key.name).await.unwrap();
    // Some keepers say so, others do nothing.
    drop(ports.keys.discard(&key).await);
    ports.keys.check(&key.name).await.unwrap();
}

async fn keys_of_earlier_versions_can_be_retired(ports: &RotationPorts, kind: KeyKind) {
    let installation = Installation::new(ports);
    let first = installation.activate(kind, 200).await;
    let second = installation.activate(kind, 300).await;
    for _ in 0..2 {
        ports.keys.disable(&first.key).await.unwrap();
    }
    for _ in 0..2 {
        ports.keys.delete(&first.key).await.unwrap();
    }
    assert!(ports.keys.check(&first.key).await.is_err(), "a key that is deleted cannot sign");
    ports.keys.check(&second.key).await.unwrap();
    assert_eq!(ports.versions.all().await.unwrap().len(), 2, "what signed is known for ever");
    assert_eq!(ports.versions.active().await.unwrap(), Some(second));
}

async fn forgetting_twice_is_no_error(ports: &RotationPorts) {
    let rotation = RotationId::random();
    for receipt in ["", ""] {
        ports.authority.forget(rotation, receipt).await.unwrap();
    }
}

/// Ports, and an authority whose certificates are put there by hand.
struct Installation<'a> {
    ports: &'a RotationPorts,
    authority: ScriptedAuthority,
}

impl<'a> Installation<'a> {
    fn new(ports: &'a RotationPorts) -> Self {
        Self { ports, authority: ScriptedAuthority::new(ports.clock.now()) }
    }

    fn now(&self) -> credlink_pipeline::timestamp::Timestamp {
        self.ports.clock.now()
    }

    async fn activate(&self, kind: KeyKind, days: i64) -> SignerVersion {
        let expected = self.ports.versions.active().await.unwrap().map(|active| active.version);
        let key = self.ports.keys.make(RotationId::random(), kind).await.unwrap();
        self.swap(&key, days, expected.as_deref()).await.unwrap()
    }

    async fn swap(
        &self,
        key: &CandidateKey,
        days: i64,
        expected: Option<&str>,
    ) -> Result<SignerVersion, SwapError> {
        let chain = self.authority.issue(&key.public_key_info, self.now(), days);
        self.ports.versions.swap(key, &chain, &self.authority.root(), expected, self.now()).await
    }

    /// The same swap once more.
    async fn repeat(
        &self,
        key: &CandidateKey,
        done: &SignerVersion,
        expected: Option<&str>,
    ) -> Result<SignerVersion, SwapError> {
        let chain =
            crate::pem_file::PemFile::new("the same chain", crate::trust::encode(&done.chain).into_bytes());
        self.ports.versions.swap(key, &chain.unwrap(), &self.authority.root(), expected, self.now()).await
    }
}

fn sorted(mut keys: Vec<CandidateKey>) -> Vec<CandidateKey> {
    keys.sort_by(|a, b| a.name.cmp(&b.name));
    keys
}
