//! Work on files, off the threads that must not wait; and what its failures mean.

use std::{io::ErrorKind, path::Path};

use tokio::task;

use crate::{error::KeysError, rotation::ports::Fault};

/// Does `work` on a thread of its own.
pub(super) async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    match task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(error) => {
            let fault =
                Fault::passing("the key folder", format!("the work was broken off ({error})"), "try again");
            Err(fault.into())
        }
    }
}

/// What an error in `folder` means.
pub(super) fn fault(folder: &Path) -> impl Fn(KeysError) -> Fault {
    let resource = format!("key folder {}", folder.display());
    move |error| {
        let passing = match &error {
            KeysError::Io { source, .. } => !matches!(
                source.kind(),
                ErrorKind::PermissionDenied
                    | ErrorKind::ReadOnlyFilesystem
                    | ErrorKind::NotADirectory
                    | ErrorKind::IsADirectory
                    | ErrorKind::InvalidInput
            ),
            KeysError::KeyGeneration(_) => true,
            _ => false,
        };
        let (problem, fix) = (error.to_string(), "then run `credlink keys rotate`".to_owned());
        Fault { resource: resource.clone(), problem, fix, passing }
    }
}
