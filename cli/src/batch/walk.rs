//! Going through folders, along links, and through each folder once.

use std::{
    collections::HashSet,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use walkdir::{DirEntry, Error, WalkDir};

use super::{inputs::Oddity, name};

/// A walk through the folder `base`.
pub(super) struct Walk<'a> {
    /// Where it begins.
    pub(super) base: &'a Path,
    /// The folder that is left out, as its canonical path.
    pub(super) leave_out: Option<&'a Path>,
    /// How deep it goes; 1 means the folder itself alone.
    pub(super) depth: Option<usize>,
    /// Which files are wanted, by their names below `base`.
    pub(super) takes: &'a dyn Fn(&Path) -> bool,
}

impl Walk<'_> {
    /// Gives every file to `found`, in the order of names.
    pub(super) fn go(&self, mut found: impl FnMut(&Path), oddities: &mut Vec<Oddity>) {
        let mut seen = HashSet::new();
        let walk = WalkDir::new(self.base).follow_links(true).sort_by_file_name();
        let mut walk = walk.max_depth(self.depth.unwrap_or(usize::MAX)).into_iter();
        while let Some(entry) = walk.next() {
            match entry {
                Err(error) => oddities.extend(self.oddity(&error)),
                Ok(entry) if entry.file_type().is_dir() => match self.judge(&entry, &mut seen) {
                    Judgement::GoIn => {}
                    Judgement::LeaveOut => walk.skip_current_dir(),
                    Judgement::Again(canonical) => {
                        walk.skip_current_dir();
                        let reason =
                            format!("leads to the folder {}, which is there already", name::text(&canonical));
                        oddities.push(Oddity { path: entry.into_path(), reason, is_failure: false });
                    }
                },
                Ok(entry) => {
                    let relative = self.relative(entry.path());
                    if (self.takes)(relative) {
                        found(relative);
                    }
                }
            }
        }
    }

    fn judge(&self, entry: &DirEntry, seen: &mut HashSet<PathBuf>) -> Judgement {
        // A folder that cannot be found now cannot be read either, which is told then.
        let Ok(canonical) = entry.path().canonicalize() else { return Judgement::GoIn };
        if self.leave_out == Some(canonical.as_path()) {
            return Judgement::LeaveOut;
        }
        if seen.insert(canonical.clone()) { Judgement::GoIn } else { Judgement::Again(canonical) }
    }

    /// What is wrong, unless it is a name that nobody asked for.
    fn oddity(&self, error: &Error) -> Option<Oddity> {
        let path = error.path().unwrap_or(self.base).to_owned();
        if let Some(ancestor) = error.loop_ancestor() {
            let reason = format!(
                "leads back to the folder {} that it is in: a link in a circle",
                name::text(ancestor)
            );
            return Some(Oddity { path, reason, is_failure: false });
        }
        let cause = error.io_error()?;
        let is_dead_link = cause.kind() == ErrorKind::NotFound;
        if is_dead_link && !(self.takes)(self.relative(&path)) {
            return None;
        }
        let reason = if is_dead_link {
            "a link that leads nowhere".to_owned()
        } else {
            format!("cannot be read: {cause}")
        };
        Some(Oddity { path, reason, is_failure: true })
    }

    fn relative<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(self.base).unwrap_or(path)
    }
}

/// What is done with a folder.
enum Judgement {
    GoIn,
    LeaveOut,
    /// It was gone through under another name.
    Again(PathBuf),
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn links_are_followed_and_circles_are_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        fs::create_dir_all(base.join("a/b")).unwrap();
        fs::write(base.join("a/b/1.jpg"), "").unwrap();
        symlink(base, base.join("a/b/back")).unwrap();
        symlink(base.join("a"), base.join("twice")).unwrap();
        symlink("1.jpg", base.join("a/b/2.jpg")).unwrap();
        symlink("nowhere", base.join("a/3.jpg")).unwrap();
        symlink("nowhere", base.join("a/unasked")).unwrap();
        let takes = |relative: &Path| relative.extension().is_some_and(|ending| ending == "jpg");
        let walk = Walk { base, leave_out: None, depth: None, takes: &takes };
        let (mut files, mut oddities) = (Vec::new(), Vec::new());
        walk.go(|relative| files.push(name::text(relative)), &mut oddities);
        assert_eq!(files, ["a/b/1.jpg", "a/b/2.jpg"]);
        let told: Vec<_> = oddities
            .iter()
            .map(|odd| (name::text(odd.path.strip_prefix(base).unwrap()), odd.is_failure))
            .collect();
        let expected = [("a/3.jpg", true), ("a/b/back", false), ("twice", false)];
        assert_eq!(told, expected.map(|(path, is_failure)| (path.to_owned(), is_failure)));
    }
}
