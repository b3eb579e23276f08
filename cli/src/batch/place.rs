//! Putting a signed image into its place.

use std::{
    fs::{self, File, Permissions},
    io::{self, ErrorKind, Read as _},
    path::Path,
};

use bytes::Bytes;
use credlink_pipeline::embed::Rope;
use tempfile::NamedTempFile;

use super::{drafts::Drafts, name, outputs::Place};

/// What may stand in the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Nothing but this very image.
    SameOnly,
    /// Anything: it is replaced.
    Replace,
}

/// Puts `image` into `place`; true when it stood there already. The file gets the permissions of the one that was signed.
///
/// # Errors
/// In words. Then the place is as it was.
pub(crate) fn put(
    image: &Rope,
    place: &Place,
    permissions: Permissions,
    taken: Taken,
    drafts: &Drafts,
) -> Result<bool, String> {
    let path = &place.path;
    let failed = |error: io::Error| format!("cannot write {}: {error}", name::text(path));
    if holds(path, image).map_err(failed)? {
        return Ok(true);
    }
    let draft = drafts.written(path, image, permissions).map_err(failed)?;
    match (&place.kept, taken) {
        (Some(kept), _) => exchange(draft, path, kept)?,
        (None, Taken::Replace) => draft.persist(path).map(drop).map_err(|error| failed(error.error))?,
        (None, Taken::SameOnly) => match draft.persist_noclobber(path) {
            Ok(_) => {}
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => return Err(exists(path)),
            Err(error) => return Err(failed(error.error)),
        },
    }
    Ok(false)
}

/// What is told of a place that is taken.
pub(crate) fn exists(path: &Path) -> String {
    format!(
        "{} exists already; give --overwrite to replace it, or --skip-existing to leave it",
        name::text(path)
    )
}

/// The file gets its other name, and the draft takes its place. At every moment there is a whole file in the place. That
/// the other name is there already means that a run was killed in between: then it is the same file.
fn exchange(draft: NamedTempFile, path: &Path, kept: &Path) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot keep the file as {}: {error}", name::text(kept));
    match fs::hard_link(path, kept) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if !is_same_file(path, kept).map_err(failed)? {
                return Err(format!(
                    "{} exists already; move it away, or choose another --backup-suffix",
                    name::text(kept)
                ));
            }
        }
        // Not every file system has links.
        Err(_) => copy(path, kept).map_err(failed)?,
    }
    let replaced = draft.persist(path);
    replaced.map(drop).map_err(|error| format!("cannot write {}: {}", name::text(path), error.error))
}

fn copy(path: &Path, kept: &Path) -> io::Result<()> {
    let draft = Drafts::default().begin(kept)?;
    io::copy(&mut File::open(path)?, &mut draft.as_file())?;
    draft.as_file().set_permissions(fs::metadata(path)?.permissions())?;
    draft.as_file().sync_all()?;
    draft.persist_noclobber(kept).map(drop).map_err(|error| error.error)
}

fn is_same_file(one: &Path, other: &Path) -> io::Result<bool> {
    let content = Bytes::from(fs::read(one)?);
    holds(other, &Rope::new([content]))
}

/// Whether the file at `path` has just this content. It is read piece by piece.
fn holds(path: &Path, image: &Rope) -> io::Result<bool> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() != image.len() as u64 {
        return Ok(false);
    }
    let mut read = vec![0; 64 << 10];
    for piece in image.pieces() {
        for part in piece.chunks(64 << 10) {
            let Some(room) = read.get_mut(..part.len()) else { return Ok(false) };
            file.read_exact(room)?;
            if room != part {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rope(text: &'static str) -> Rope {
        let (head, tail) = text.as_bytes().split_at(2);
        Rope::new([Bytes::from_static(head), Bytes::from_static(tail)])
    }

    #[test]
    fn nothing_is_replaced_unless_that_was_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/a.jpg");
        let place = Place { path: path.clone(), key: "a.jpg".into(), kept: None };
        let permissions = || fs::metadata(folder.path()).unwrap().permissions();
        let put = |text, taken| put(&rope(text), &place, permissions(), taken, &Drafts::default());
        assert_eq!(put("signed", Taken::SameOnly), Ok(false));
        assert_eq!(put("signed", Taken::SameOnly), Ok(true));
        let error = put("others", Taken::SameOnly).unwrap_err();
        assert!(error.contains("--overwrite"), "{error}");
        assert_eq!(put("others", Taken::Replace), Ok(false));
        assert_eq!(fs::read(&path).unwrap(), b"others");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn in_its_place_the_file_is_kept_once() {
        let folder = tempfile::tempdir().unwrap();
        let (path, kept) = (folder.path().join("a.jpg"), folder.path().join("a.jpg.orig"));
        fs::write(&path, "before").unwrap();
        let place = Place { path: path.clone(), key: path.clone(), kept: Some(kept.clone()) };
        let permissions = || fs::metadata(&path).unwrap().permissions();
        let put = |text| put(&rope(text), &place, permissions(), Taken::SameOnly, &Drafts::default());
        // As a run left it that was killed between the two steps.
        fs::hard_link(&path, &kept).unwrap();
        assert_eq!(put("signed"), Ok(false));
        assert_eq!(
            (fs::read(&path).unwrap(), fs::read(&kept).unwrap()),
            (b"signed".into(), b"before".into())
        );
        let error = put("signed twice").unwrap_err();
        assert!(error.contains("--backup-suffix"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"signed");
    }
}
