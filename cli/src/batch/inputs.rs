//! The files of a batch: found before anything is done with one of them.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
};

use globset::GlobBuilder;
use thiserror::Error;

use super::{
    front::InputArgs,
    lists::{self, ListError},
    name::{self, OWN_PREFIX},
    walk::Walk,
};

/// The files, in the order in which they were found, and what was found beside them.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    /// Folders that names are relative to.
    roots: Vec<PathBuf>,
    files: Vec<File>,
    /// What is no file to work on, but must be told.
    pub(crate) oddities: Vec<Oddity>,
}

/// A file, in little memory: there may be a million.
#[derive(Debug)]
struct File {
    root: usize,
    relative: Box<Path>,
}

/// One file of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    /// The folder that it was found in.
    pub(crate) root: &'a Path,
    /// Its name below that folder.
    pub(crate) relative: &'a Path,
}

impl Input<'_> {
    /// Its name, as far as it was given.
    pub(crate) fn path(&self) -> PathBuf {
        self.root.join(self.relative)
    }
}

/// A name that leads to no file.
#[derive(Debug)]
pub(crate) struct Oddity {
    /// Which name.
    pub(crate) path: PathBuf,
    /// What is the matter with it.
    pub(crate) reason: String,
    /// Whether a file may be missing for it.
    pub(crate) is_failure: bool,
}

/// What is looked for.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// Whether results are put into a tree like the one of the files, so that each name must be below a folder.
    pub(crate) needs_tree: bool,
    /// The folder that results go to, which holds no files to work on.
    pub(crate) output: Option<PathBuf>,
    /// The end of the names of files that were kept when signed ones took their places.
    pub(crate) kept_suffix: Option<OsString>,
}

/// Why the files cannot be told. Nothing was done then.
#[derive(Debug, Error)]
pub(crate) enum InputError {
    /// There is nothing under this name.
    #[error("--input {0}: there is no such file or folder")]
    Missing(String),
    /// The pattern cannot be read.
    #[error("--input {pattern} is no pattern: {reason}")]
    Pattern {
        /// As it was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing has a name like this.
    #[error("--input {0}: no file has such a name")]
    NoMatch(String),
    /// A list cannot be used.
    #[error(transparent)]
    List(#[from] ListError),
    /// The current folder is gone.
    #[error("the current folder cannot be found: {0}")]
    Here(io::Error),
}

/// The endings of names that a folder is searched for. What is in the files decides later.
const ENDINGS: [&str; 5] = ["jpg", "jpeg", "jpe", "png", "webp"];

impl Inputs {
    /// Finds the files that `args` name.
    ///
    /// # Errors
    /// [`InputError`]; what cannot be read below a folder is an [`Oddity`].
    pub(crate) fn find(args: &InputArgs, scope: &Scope) -> Result<Self, InputError> {
        let mut found = Self::default();
        for input in &args.input {
            match Named::of(input) {
                Named::List(path) => found.take_list(&path, args, scope)?,
                Named::Folder(path) => found.walk(&path, scope, None, &has_ending),
                Named::File(path) => found.take_file(&path),
                Named::Pattern => found.take_pattern(input, scope)?,
                Named::Nothing => return Err(InputError::Missing(name::text(Path::new(input)))),
            }
        }
        for list in &args.input_list {
            found.take_list(list, args, scope)?;
        }
        Ok(found)
    }

    /// How many files there are.
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// The file of this number.
    pub(crate) fn get(&self, number: usize) -> Option<Input<'_>> {
        let file = self.files.get(number)?;
        Some(Input { root: self.roots.get(file.root)?, relative: &file.relative })
    }

    /// All files.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Input<'_>> {
        (0..self.len()).filter_map(|number| self.get(number))
    }

    /// The folders that the files were found in.
    pub(crate) fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    /// Forgets the files of these numbers, which ascend.
    pub(crate) fn remove(&mut self, numbers: &[usize]) {
        let mut gone = numbers.iter().copied().peekable();
        let mut number = 0;
        self.files.retain(|_| {
            let stays = gone.next_if_eq(&number).is_none();
            number += 1;
            stays
        });
    }

    fn take_file(&mut self, path: &Path) {
        let Some(file) = path.file_name() else { return };
        let root = self.root(path.parent().unwrap_or(Path::new("")));
        self.files.push(File { root, relative: Path::new(file).into() });
    }

    fn take_list(&mut self, path: &Path, args: &InputArgs, scope: &Scope) -> Result<(), InputError> {
        let below = args.root.as_deref().unwrap_or(Path::new("."));
        let absolute = std::path::absolute(below).map_err(InputError::Here)?;
        let root = self.root(if args.root.is_some() { below } else { Path::new("") });
        for entry in lists::read(path)? {
            match entry.below(&absolute) {
                Some(relative) => self.files.push(File { root, relative: relative.into() }),
                None if !scope.needs_tree => self.take_file(&entry.path),
                None => return Err(entry.outside(path, below).into()),
            }
        }
        Ok(())
    }

    fn take_pattern(&mut self, input: &OsStr, scope: &Scope) -> Result<(), InputError> {
        let shown = || name::text(Path::new(input));
        let refused = |reason: String| InputError::Pattern { pattern: shown(), reason };
        let pattern = input.to_str().ok_or_else(|| refused("it is no UTF-8 text".to_owned()))?;
        let (base, rest) = base_of(pattern);
        let glob = GlobBuilder::new(rest)
            .literal_separator(true)
            .build()
            .map_err(|error| refused(error.kind().to_string()))?
            .compile_matcher();
        let depth = (!rest.contains("**")).then(|| rest.split('/').count());
        let before = (self.files.len(), self.oddities.len());
        self.walk(Path::new(base), scope, depth, &|relative| glob.is_match(relative));
        if before == (self.files.len(), self.oddities.len()) {
            return Err(InputError::NoMatch(shown()));
        }
        Ok(())
    }

    fn walk(&mut self, base: &Path, scope: &Scope, depth: Option<usize>, takes: &dyn Fn(&Path) -> bool) {
        let root = self.root(base);
        let takes = |relative: &Path| takes(relative) && !is_own(relative, scope);
        let walk = Walk { base, leave_out: scope.output.as_deref(), depth, takes: &takes };
        let files = &mut self.files;
        walk.go(|relative| files.push(File { root, relative: relative.into() }), &mut self.oddities);
    }

    fn root(&mut self, path: &Path) -> usize {
        match self.roots.iter().rposition(|root| root == path) {
            Some(known) => known,
            None => {
                self.roots.push(path.to_owned());
                self.roots.len() - 1
            }
        }
    }
}

/// What an argument names.
enum Named {
    List(PathBuf),
    Folder(PathBuf),
    File(PathBuf),
    Pattern,
    Nothing,
}

impl Named {
    /// What is there under exactly this name comes first: names may contain what means something in patterns.
    fn of(input: &OsStr) -> Self {
        let (path, bytes) = (PathBuf::from(input), input.as_encoded_bytes());
        if bytes == b"-" {
            return Self::List(path);
        }
        if path.is_dir() {
            return Self::Folder(path);
        }
        if path.symlink_metadata().is_ok() {
            return Self::File(path);
        }
        if let Some(list) = bytes.strip_prefix(b"@").and_then(|list| name::from_bytes(list.to_vec())) {
            return Self::List(list.into());
        }
        if bytes.iter().any(|byte| MEANINGFUL.contains(byte)) { Self::Pattern } else { Self::Nothing }
    }
}

/// Characters that mean something in patterns.
const MEANINGFUL: &[u8] = b"*?[{";

/// The folder that a pattern begins with, and the pattern below it.
fn base_of(pattern: &str) -> (&str, &str) {
    let first = pattern.find(['*', '?', '[', '{']).unwrap_or(pattern.len());
    match pattern.get(..first).and_then(|plain| plain.rfind('/')) {
        Some(0) => ("/", pattern.get(1..).unwrap_or_default()),
        Some(slash) => pattern
            .split_at_checked(slash)
            .map_or(("", pattern), |(base, rest)| (base, rest.trim_start_matches('/'))),
        None => (".", pattern),
    }
}

fn has_ending(relative: &Path) -> bool {
    let ending = relative.extension().and_then(OsStr::to_str);
    ending.is_some_and(|ending| ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending)))
}

/// Whether the file was made by a batch.
fn is_own(relative: &Path, scope: &Scope) -> bool {
    let file = relative.file_name().unwrap_or_default().as_encoded_bytes();
    file.starts_with(OWN_PREFIX.as_bytes())
        || scope.kept_suffix.as_ref().is_some_and(|suffix| file.ends_with(suffix.as_encoded_bytes()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn tree() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.jpg", "b.PNG", "notes.txt", "sub/c.webp", "sub/deep/d.jpeg", "[x].jpg"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        folder
    }

    fn found(args: &InputArgs, scope: &Scope) -> Vec<String> {
        let inputs = Inputs::find(args, scope).unwrap();
        let mut names: Vec<String> = inputs.iter().map(|input| name::text(input.relative)).collect();
        names.sort();
        names
    }

    fn input(text: impl Into<OsString>) -> InputArgs {
        InputArgs { input: vec![text.into()], input_list: Vec::new(), root: None }
    }

    #[test]
    fn a_folder_gives_its_images() {
        let tree = tree();
        let names = found(&input(tree.path()), &Scope::default());
        assert_eq!(names, ["[x].jpg", "a.jpg", "b.PNG", "sub/c.webp", "sub/deep/d.jpeg"]);
    }

    #[test]
    fn a_pattern_gives_what_it_matches_and_an_exact_name_comes_first() {
        let tree = tree();
        let pattern = |rest: &str| input(format!("{}/{rest}", tree.path().display()));
        assert_eq!(found(&pattern("*.jpg"), &Scope::default()), ["[x].jpg", "a.jpg"]);
        assert_eq!(found(&pattern("**/*.{webp,jpeg}"), &Scope::default()), ["sub/c.webp", "sub/deep/d.jpeg"]);
        assert_eq!(found(&pattern("s?b/*"), &Scope::default()), ["sub/c.webp"]);
        assert_eq!(found(&pattern("[x].jpg"), &Scope::default()), ["[x].jpg"]);
        let error = Inputs::find(&pattern("*.tiff"), &Scope::default()).unwrap_err().to_string();
        assert!(error.contains("*.tiff"), "{error}");
        assert!(Inputs::find(&pattern("a[.jpg"), &Scope::default()).is_err());
        assert!(Inputs::find(&pattern("none.jpg"), &Scope::default()).is_err());
    }

    #[test]
    fn what_a_batch_made_is_no_input() {
        let tree = tree();
        fs::write(tree.path().join(".credlink-1.jpg"), "").unwrap();
        fs::write(tree.path().join("a.jpg.orig"), "").unwrap();
        let scope = Scope {
            output: Some(tree.path().join("sub").canonicalize().unwrap()),
            kept_suffix: Some(".orig".into()),
            ..Scope::default()
        };
        assert_eq!(found(&input(tree.path()), &scope), ["[x].jpg", "a.jpg", "b.PNG"]);
        let all = format!("{}/*", tree.path().display());
        assert_eq!(found(&input(all), &scope), ["[x].jpg", "a.jpg", "b.PNG", "notes.txt"]);
    }

    #[test]
    fn names_in_a_list_are_below_its_root() {
        let tree = tree();
        let list = tree.path().join("list.txt");
        fs::write(&list, format!("a.jpg\n\n./sub/c.webp\r\n{}\n", tree.path().join("b.PNG").display()))
            .unwrap();
        let scope = Scope { needs_tree: true, ..Scope::default() };
        let at = |list: &Path| InputArgs {
            input: Vec::new(),
            input_list: vec![list.to_owned()],
            root: Some(tree.path().to_owned()),
        };
        assert_eq!(found(&at(&list), &scope), ["a.jpg", "b.PNG", "sub/c.webp"]);
        fs::write(&list, b"a.jpg\0with\nline.jpg\0").unwrap();
        assert_eq!(found(&at(&list), &scope), ["a.jpg", "with\nline.jpg"]);
        fs::write(&list, "a.jpg\n/elsewhere/e.jpg\n").unwrap();
        let error = Inputs::find(&at(&list), &scope).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("--root"), "{error}");
        assert_eq!(found(&at(&list), &Scope::default()), ["a.jpg", "e.jpg"]);
    }

    #[test]
    fn some_can_be_forgotten() {
        let tree = tree();
        let mut inputs = Inputs::find(&input(tree.path()), &Scope::default()).unwrap();
        let last = inputs.get(4).unwrap().path();
        inputs.remove(&[0, 2, 3]);
        assert_eq!(inputs.len(), 2);
        assert_eq!(inputs.get(1).unwrap().path(), last);
    }
}
