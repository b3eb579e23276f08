//! Installations to rotate in.

use std::{path::PathBuf, sync::Arc};

use credlink_keys::{
    KeyKind, LocalKeys,
    rotation::{
        AuthorityChoice, Outcome, Rotation, RotationError, RotationPolicy, RotationPorts, RotationReport,
        Trigger, local,
        memory::{Memory, MovedClock, ScriptedAuthority},
    },
};
use credlink_pipeline::timestamp::Clock as _;
use tempfile::TempDir;

/// P-256, which is made in no time.
pub(crate) fn policy() -> RotationPolicy {
    RotationPolicy { kind: Some(KeyKind::P256), ..RotationPolicy::default() }
}

/// The C2PA library makes no signature with a certificate that the machine's clock finds expired or not yet valid. So what
/// is simulated begins in the past: the first certificate is still valid today, and the next one is already.
fn clock() -> Arc<MovedClock> {
    let clock = MovedClock::default();
    clock.advance_days(-356);
    Arc::new(clock)
}

/// In memory.
pub(crate) struct InMemory {
    pub(crate) memory: Arc<Memory>,
    pub(crate) authority: Arc<ScriptedAuthority>,
    pub(crate) clock: Arc<MovedClock>,
    pub(crate) ports: RotationPorts,
}

impl InMemory {
    /// Nobody signs.
    pub(crate) fn empty() -> Self {
        let clock = clock();
        let (memory, authority) =
            (Arc::new(Memory::default()), Arc::new(ScriptedAuthority::new(clock.now())));
        let ports = memory.ports(Arc::clone(&authority), Arc::clone(&clock) as _);
        Self { memory, authority, clock, ports }
    }

    /// Somebody signs, since a rotation that was announced.
    pub(crate) async fn new() -> Self {
        let place = Self::empty();
        assert!(matches!(
            place.run(Trigger::WhenDue).await.unwrap().outcome,
            Outcome::Rotated { from: None, .. }
        ));
        place
    }

    pub(crate) fn rotation(&self) -> Rotation {
        Rotation::new(self.ports.clone(), policy())
    }

    pub(crate) async fn run(&self, trigger: Trigger) -> Result<RotationReport, RotationError> {
        self.rotation().run(trigger, &|| false).await
    }

    /// The subjects of what was announced after the first rotation.
    pub(crate) fn subjects(&self) -> Vec<String> {
        self.memory.told().into_iter().skip(1).map(|(subject, _)| subject).collect()
    }
}

/// In a key folder.
pub(crate) struct InFolder {
    pub(crate) data: TempDir,
    pub(crate) clock: Arc<MovedClock>,
    pub(crate) ports: RotationPorts,
}

impl InFolder {
    /// Nobody signs.
    pub(crate) fn empty(choice: AuthorityChoice) -> Self {
        let (data, clock) = (TempDir::new().unwrap(), clock());
        let ports = local::ports(&data.path().join("keys"), choice, Arc::clone(&clock) as _);
        Self { data, clock, ports }
    }

    /// A key with a certificate of the local authority.
    pub(crate) fn new(choice: AuthorityChoice) -> Self {
        let place = Self::empty(choice);
        LocalKeys::open_or_create(&place.keys(), KeyKind::P256, place.clock.now()).unwrap();
        place
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.data.path().join("keys")
    }

    pub(crate) fn rotation(&self) -> Rotation {
        Rotation::new(self.ports.clone(), policy())
    }

    pub(crate) async fn run(&self, trigger: Trigger) -> Result<RotationReport, RotationError> {
        self.rotation().run(trigger, &|| false).await
    }
}
