//! What a rotation needs, in the key folder of one machine.
//!
//! Keys that sign nothing yet stand in `candidates/`, the journal in `rotation.json`, requests and their certificates in
//! `requests/`, all named after their rotation. Who signs is `signer.pem`; who did before stands in `previous/`.

mod announcer;
mod authority;
mod blocking;
mod journal;
mod keys;
mod versions;

use std::{path::Path, sync::Arc};

use credlink_pipeline::timestamp::Clock;

pub use announcer::LogAnnouncer;
pub use authority::{FolderAuthority, deliver, root_for};
pub use journal::FolderJournal;
pub use keys::FolderKeys;
pub use versions::FolderVersions;

use super::{AuthorityChoice, RotationPorts};

/// All of it for the key folder `folder`, which need not exist yet.
pub fn ports(folder: &Path, choice: AuthorityChoice, clock: Arc<dyn Clock>) -> RotationPorts {
    RotationPorts {
        keys: Arc::new(FolderKeys::new(folder)),
        authority: Arc::new(FolderAuthority::new(folder, choice)),
        versions: Arc::new(FolderVersions::new(folder)),
        journal: Arc::new(FolderJournal::new(folder)),
        announcer: Arc::new(LogAnnouncer),
        clock,
    }
}
