//! Where results go. All places are known, and found to be different, before the first file is signed.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use thiserror::Error;

use super::{
    inputs::{Input, Inputs},
    name,
};

/// Where results go.
#[derive(Debug)]
pub(crate) enum Outputs {
    /// Below a folder, in a tree like that of the files.
    Tree(Tree),
    /// To where the files are, which are kept beside it.
    InPlace(KeptSuffix),
}

/// The folder of results.
#[derive(Debug)]
pub(crate) struct Tree {
    folder: PathBuf,
    canonical: PathBuf,
    identity: Identity,
}

/// What tells a folder from another one that came into its place.
type Identity = Option<(u64, u64)>;

/// The end that names of files get when signed ones take their places, such as `.orig`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptSuffix(OsString);

/// The place of one result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file.
    pub(crate) path: PathBuf,
    /// What the journal calls it: the name below the folder of results, or the whole name.
    pub(crate) key: PathBuf,
    /// Where the file goes that was there before.
    pub(crate) kept: Option<PathBuf>,
}

/// Why results have no places. Nothing was signed then.
#[derive(Debug, Error)]
pub(crate) enum OutputError {
    /// The folder cannot be used.
    #[error("the folder {folder} cannot be used for results: {cause}")]
    Folder {
        /// Which folder.
        folder: String,
        /// Why.
        cause: io::Error,
    },
    /// Two results would have one place.
    #[error(
        "{first} and {second} would both become {output}; name a folder that both are below, or sign them into \
         different folders"
    )]
    OnePlace {
        /// A file.
        first: String,
        /// Another one.
        second: String,
        /// The place.
        output: String,
    },
    /// A result would take the place of a file that is to be signed.
    #[error(
        "{0} is a file to be signed, and a result would take its place; choose another folder, or --in-place"
    )]
    Itself(String),
}

/// A suffix that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a suffix has 1 to 32 characters without a slash, and is none that images have; such as .orig")]
pub(crate) struct SuffixError;

impl FromStr for KeptSuffix {
    type Err = SuffixError;

    fn from_str(text: &str) -> Result<Self, SuffixError> {
        const OF_IMAGES: [&str; 5] = [".jpg", ".jpeg", ".jpe", ".png", ".webp"];
        let is_plain = (1..=32).contains(&text.len()) && !text.contains(['/', '\\', '\0']);
        let is_of_images = OF_IMAGES.iter().any(|ending| ending.ends_with(&text.to_ascii_lowercase()));
        if is_plain && !is_of_images { Ok(Self(text.into())) } else { Err(SuffixError) }
    }
}

impl KeptSuffix {
    /// The suffix.
    pub(crate) fn as_os_str(&self) -> &OsStr {
        &self.0
    }
}

impl Outputs {
    /// Results go below `folder`, which is made if need be.
    ///
    /// # Errors
    /// When it cannot be.
    pub(crate) fn tree(folder: &Path) -> Result<Self, OutputError> {
        let failed = |cause| OutputError::Folder { folder: name::text(folder), cause };
        fs::create_dir_all(folder).map_err(failed)?;
        let canonical = folder.canonicalize().map_err(failed)?;
        let identity = identity(folder).map_err(failed)?;
        Ok(Self::Tree(Tree { folder: folder.to_owned(), canonical, identity }))
    }

    /// The folder that holds no files to sign, as its canonical path.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Tree(tree) => Some(&tree.canonical),
            Self::InPlace(_) => None,
        }
    }

    /// Where results go, in words that are the same for the same place.
    pub(crate) fn describe(&self) -> PathBuf {
        match self {
            Self::Tree(tree) => tree.canonical.clone(),
            Self::InPlace(suffix) => PathBuf::from(&suffix.0),
        }
    }

    /// The place of the result of `input`.
    pub(crate) fn place(&self, input: Input<'_>) -> Place {
        match self {
            Self::Tree(tree) => {
                let path = tree.folder.join(input.relative);
                Place { path, key: input.relative.to_owned(), kept: None }
            }
            Self::InPlace(suffix) => {
                // A link stays a link: what it leads to is replaced.
                let path = input.path().canonicalize().unwrap_or_else(|_| input.path());
                let mut kept = path.clone().into_os_string();
                kept.push(&suffix.0);
                Place { key: path.clone(), path, kept: Some(kept.into()) }
            }
        }
    }

    /// That results still go where they went at first: not to another folder because a disk was taken away.
    ///
    /// # Errors
    /// When the folder is gone.
    pub(crate) fn check(&self) -> io::Result<()> {
        let Self::Tree(tree) = self else { return Ok(()) };
        if identity(&tree.folder)? == tree.identity {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::NotFound, "another folder came into its place"))
    }

    /// Finds out that no two files have one place. A file that was named twice is forgotten once.
    ///
    /// # Errors
    /// When two have.
    pub(crate) fn settle(&self, inputs: &mut Inputs) -> Result<(), OutputError> {
        let mut places: Vec<(PathBuf, usize)> =
            inputs.iter().enumerate().map(|(number, input)| (self.place(input).key, number)).collect();
        places.sort_unstable();
        let mut again = Vec::new();
        for pair in places.windows(2) {
            let [(key, first), (same, second)] = pair else { continue };
            if key != same {
                continue;
            }
            let (Some(one), Some(other)) = (inputs.get(*first), inputs.get(*second)) else { continue };
            if !self.is_one_file(one, other) {
                return Err(OutputError::OnePlace {
                    first: name::text(&one.path()),
                    second: name::text(&other.path()),
                    output: name::text(&self.place(one).path),
                });
            }
            again.push(*second);
        }
        drop(places);
        again.sort_unstable();
        inputs.remove(&again);
        self.refuse_own_inputs(inputs)
    }

    fn is_one_file(&self, one: Input<'_>, other: Input<'_>) -> bool {
        let canonical = |input: Input<'_>| input.path().canonicalize().unwrap_or_else(|_| input.path());
        matches!(self, Self::InPlace(_)) || canonical(one) == canonical(other)
    }

    /// Files inside of the folder of results may be signed into it, but none in the place of another.
    fn refuse_own_inputs(&self, inputs: &Inputs) -> Result<(), OutputError> {
        let Self::Tree(tree) = self else { return Ok(()) };
        let canonical = |path: &Path| {
            if path.as_os_str().is_empty() { Path::new(".").canonicalize() } else { path.canonicalize() }
        };
        let is_inside = |root: &PathBuf| canonical(root).is_ok_and(|root| root.starts_with(&tree.canonical));
        if !inputs.roots().iter().any(is_inside) {
            return Ok(());
        }
        let files: HashSet<PathBuf> =
            inputs.iter().filter_map(|input| input.path().canonicalize().ok()).collect();
        let taken = inputs
            .iter()
            .map(|input| tree.canonical.join(input.relative))
            .find(|place| files.contains(place));
        taken.map_or(Ok(()), |place| Err(OutputError::Itself(name::text(&place))))
    }
}

#[cfg(unix)]
fn identity(folder: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt as _;

    let metadata = fs::metadata(folder)?;
    Ok(Some((metadata.dev(), metadata.ino())))
}

#[cfg(not(unix))]
fn identity(folder: &Path) -> io::Result<Identity> {
    fs::metadata(folder).map(|_| None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{front::InputArgs, inputs::Scope};

    fn inputs(paths: &[&Path]) -> Inputs {
        let args = InputArgs {
            input: paths.iter().map(|path| path.as_os_str().to_owned()).collect(),
            input_list: Vec::new(),
            root: None,
        };
        Inputs::find(&args, &Scope::default()).unwrap()
    }

    #[test]
    fn two_files_with_one_place_are_named_and_one_file_twice_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two, out] = ["one", "two", "out"].map(|name| folder.path().join(name));
        for dir in [&one, &two] {
            fs::create_dir(dir).unwrap();
            fs::write(dir.join("a.jpg"), "").unwrap();
        }
        let outputs = Outputs::tree(&out).unwrap();
        let error = outputs.settle(&mut inputs(&[&one, &two])).unwrap_err().to_string();
        assert!(
            error.contains("one/a.jpg") && error.contains("two/a.jpg") && error.contains("out/a.jpg"),
            "{error}"
        );
        let mut twice = inputs(&[&one, &one.join("a.jpg")]);
        outputs.settle(&mut twice).unwrap();
        assert_eq!(twice.len(), 1);
        let place = outputs.place(twice.get(0).unwrap());
        assert_eq!((place.path, place.key), (out.join("a.jpg"), PathBuf::from("a.jpg")));
    }

    #[test]
    fn no_result_takes_the_place_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.jpg"), "").unwrap();
        let outputs = Outputs::tree(folder.path()).unwrap();
        let error = outputs.settle(&mut inputs(&[&folder.path().join("a.jpg")])).unwrap_err().to_string();
        assert!(error.contains("--in-place"), "{error}");
    }

    #[test]
    fn a_folder_that_was_exchanged_is_not_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let outputs = Outputs::tree(&out).unwrap();
        assert!(outputs.check().is_ok());
        fs::rename(&out, folder.path().join("moved")).unwrap();
        assert!(outputs.check().is_err());
        fs::create_dir(&out).unwrap();
        assert_eq!(outputs.check().is_err(), cfg!(unix));
    }

    #[test]
    fn a_suffix_is_none_of_an_image() {
        assert!(".orig".parse::<KeptSuffix>().is_ok() && "~".parse::<KeptSuffix>().is_ok());
        for bad in ["", ".jpg", ".PNG", "g", "/x", "peg"] {
            assert_eq!(bad.parse::<KeptSuffix>(), Err(SuffixError), "{bad}");
        }
    }
}
