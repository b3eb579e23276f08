//! What a run wrote, line by line, so that a kill at any moment leaves no doubt.
//!
//! ```text
//! <first 8 hexadecimal digits of the SHA-256 of the rest> <rest>
//! ```
//!
//! Lines are only ever added. A process that is killed may leave the last one torn; it is cut off.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use credlink_pipeline::{digest::Sha256Hash, proof::ProofId};

use super::{buckets::BucketWriter, error::MigrationError, mark::Mark, work::Why};

/// How many hexadecimal digits guard a line.
const GUARD: usize = 8;

/// The longest reason that is written down, in characters.
const MAX_REASON: usize = 1000;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Something is about to be written under this id.
    Intent { id: ProofId, round: u32, why: Why, mark: Mark },
    /// It was written, read back, and is right.
    Written { id: ProofId, bytes: u64, replaced: bool },
    /// It was not written after all.
    Withdrawn { id: ProofId },
    /// It could not be done, for the proof with this mark in the source.
    Failed { id: ProofId, is_lasting: bool, mark: Mark, reason: String },
    /// The destination's proof was left as it is.
    Left { id: ProofId, source: Mark, destination: Mark, reason: String },
    /// A rollback is done with this id.
    RolledBack { id: ProofId, how: Undone },
}

/// What a rollback did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undone {
    /// It removed the proof.
    Removed,
    /// It put back what the proof had overwritten.
    Restored,
    /// The proof was gone.
    Gone,
    /// The proof is not as the run wrote it, and was left.
    Left,
    /// The run had written nothing.
    Nothing,
}

impl Undone {
    const ALL: [(&'static str, Self); 5] = [
        ("removed", Self::Removed),
        ("restored", Self::Restored),
        ("gone", Self::Gone),
        ("left", Self::Left),
        ("nothing", Self::Nothing),
    ];
}

impl fmt::Display for Undone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(_, how)| how == self).map_or("", |(name, _)| name))
    }
}

impl FromStr for Undone {
    type Err = InvalidLine;

    fn from_str(text: &str) -> Result<Self, InvalidLine> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, how)| *how).ok_or(InvalidLine)
    }
}

impl Line {
    /// Whose line it is.
    pub(super) fn id(&self) -> ProofId {
        match self {
            Self::Intent { id, .. }
            | Self::Written { id, .. }
            | Self::Withdrawn { id }
            | Self::Failed { id, .. }
            | Self::Left { id, .. }
            | Self::RolledBack { id, .. } => *id,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intent { id, round, why, mark } => write!(f, "intent {id} {round} {why} {mark}"),
            Self::Written { id, bytes, replaced } => write!(f, "written {id} {bytes} {replaced}"),
            Self::Withdrawn { id } => write!(f, "withdrawn {id}"),
            Self::Failed { id, is_lasting, mark, reason } => {
                write!(f, "failed {id} {is_lasting} {mark} {}", one_line(reason))
            }
            Self::Left { id, source, destination, reason } => {
                write!(f, "left {id} {source} {destination} {}", one_line(reason))
            }
            Self::RolledBack { id, how } => write!(f, "rolled-back {id} {how}"),
        }
    }
}

/// The text is no line of a journal.
#[derive(Debug)]
pub(super) struct InvalidLine;

impl FromStr for Line {
    type Err = InvalidLine;

    fn from_str(text: &str) -> Result<Self, InvalidLine> {
        let mut words = text.splitn(3, ' ');
        let (kind, id) = (words.next().ok_or(InvalidLine)?, parsed(words.next())?);
        let rest = words.next().unwrap_or_default();
        let mut words = rest.splitn(3, ' ');
        Ok(match kind {
            "intent" => Self::Intent {
                id,
                round: parsed(words.next())?,
                why: parsed(words.next())?,
                mark: parsed(words.next())?,
            },
            "written" => Self::Written { id, bytes: parsed(words.next())?, replaced: parsed(words.next())? },
            "withdrawn" => Self::Withdrawn { id },
            "failed" => Self::Failed {
                id,
                is_lasting: parsed(words.next())?,
                mark: parsed(words.next())?,
                reason: words.next().unwrap_or_default().to_owned(),
            },
            "left" => Self::Left {
                id,
                source: parsed(words.next())?,
                destination: parsed(words.next())?,
                reason: words.next().unwrap_or_default().to_owned(),
            },
            "rolled-back" => Self::RolledBack { id, how: parsed(words.next())? },
            _ => return Err(InvalidLine),
        })
    }
}

fn parsed<T: FromStr>(word: Option<&str>) -> Result<T, InvalidLine> {
    word.ok_or(InvalidLine)?.parse().map_err(|_| InvalidLine)
}

fn one_line(reason: &str) -> String {
    let words: Vec<&str> = reason.split_whitespace().collect();
    words.join(" ").chars().take(MAX_REASON).collect()
}

/// An open journal, to which lines are added.
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    length: u64,
}

impl Journal {
    /// Opens the journal, which need not exist, and cuts off a torn end.
    ///
    /// # Errors
    /// [`MigrationError::Damaged`] when a line in the middle cannot be trusted.
    pub(super) fn open(path: &Path) -> Result<Self, MigrationError> {
        let failed = || MigrationError::folder("open", path);
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(path)
            .map_err(failed())?;
        let length = trusted_length(path)?;
        file.set_len(length).map_err(failed())?;
        file.seek(SeekFrom::Start(length)).map_err(failed())?;
        Ok(Self { file, path: path.to_owned(), length })
    }

    /// How long it is, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Adds lines. They are durable when this returns.
    pub(super) fn add_durably(&mut self, lines: &[Line]) -> Result<(), MigrationError> {
        self.add(lines)?;
        self.file.sync_data().map_err(MigrationError::folder("flush", &self.path))
    }

    /// Adds lines. A kill does not take them away; a power cut may, until the next line is durable.
    pub(super) fn add(&mut self, lines: &[Line]) -> Result<(), MigrationError> {
        let text: String = lines.iter().map(|line| guarded(&line.to_string())).collect();
        self.file.write_all(text.as_bytes()).map_err(MigrationError::folder("write to", &self.path))?;
        self.length += text.len() as u64;
        Ok(())
    }
}

/// Reads the lines from byte `from` on, one after the other.
pub(super) fn replay(
    path: &Path,
    from: u64,
    mut each: impl FnMut(Line) -> Result<(), MigrationError>,
) -> Result<(), MigrationError> {
    let failed = || MigrationError::folder("read", path);
    let mut file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(failed())?,
    };
    file.seek(SeekFrom::Start(from)).map_err(failed())?;
    for text in BufReader::new(file).split(b'\n') {
        let line = parse(&text.map_err(failed())?);
        each(line.map_err(|_| MigrationError::damaged(path, &"one of its lines is not as it was written"))?)?;
    }
    Ok(())
}

/// Spreads the lines over the parts of `folder`.
pub(super) fn spread(path: &Path, folder: &Path) -> Result<(), MigrationError> {
    let mut parts = BucketWriter::create(folder)?;
    replay(path, 0, |line| parts.add(line.id(), guarded(&line.to_string()).as_bytes()))?;
    parts.finish()
}

/// The lines in `bytes`, which [`spread`] wrote.
pub(super) fn lines_in(bytes: &[u8]) -> impl Iterator<Item = Line> {
    bytes.split(|byte| *byte == b'\n').filter_map(|text| parse(text).ok())
}

fn guarded(rest: &str) -> String {
    format!("{} {rest}\n", guard_of(rest))
}

fn guard_of(rest: &str) -> String {
    Sha256Hash::of(rest.as_bytes()).to_string().chars().take(GUARD).collect()
}

fn parse(text: &[u8]) -> Result<Line, InvalidLine> {
    let text = str::from_utf8(text).map_err(|_| InvalidLine)?;
    let (guard, rest) = text.split_once(' ').ok_or(InvalidLine)?;
    if guard == guard_of(rest) { rest.parse() } else { Err(InvalidLine) }
}

/// Up to where the lines can be trusted. What follows must be torn, all of it.
fn trusted_length(path: &Path) -> Result<u64, MigrationError> {
    let failed = || MigrationError::folder("read", path);
    let mut reader = BufReader::new(File::open(path).map_err(failed())?);
    let (mut length, mut trusted, mut text) = (0, 0, Vec::new());
    loop {
        text.clear();
        let read = reader.read_until(b'\n', &mut text).map_err(failed())?;
        if read == 0 {
            return Ok(trusted);
        }
        let begins = length;
        length += read as u64;
        let is_whole = text.pop() == Some(b'\n') && parse(&text).is_ok();
        if is_whole && begins == trusted {
            trusted = length;
        } else if is_whole {
            return Err(MigrationError::damaged(
                path,
                &format!("byte {trusted} and what follows was changed"),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::contract::sample;

    fn lines() -> Vec<Line> {
        let mark = Mark::of(&sample(b"image", "2026-01-01T00:00:00Z").record);
        let id = ProofId::random();
        vec![
            Line::Intent { id, round: 2, why: Why::Changed, mark },
            Line::Written { id, bytes: 4096, replaced: true },
            Line::Withdrawn { id },
            Line::Failed {
                id,
                is_lasting: true,
                mark: Mark::UNKNOWN,
                reason: "a reason of words".to_owned(),
            },
            Line::Left { id, source: mark, destination: mark, reason: String::new() },
            Line::RolledBack { id, how: Undone::Restored },
        ]
    }

    fn read(path: &Path) -> Vec<Line> {
        let mut read = Vec::new();
        replay(path, 0, |line| {
            read.push(line);
            Ok(())
        })
        .unwrap();
        read
    }

    #[test]
    fn lines_come_back_and_a_torn_end_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let lines = lines();
        Journal::open(&path).unwrap().add_durably(&lines).unwrap();
        assert_eq!(read(&path), lines);
        let whole = fs::read(&path).unwrap();
        let last = guarded(&lines[5].to_string()).len();
        for cut in 1..=last {
            fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let mut journal = Journal::open(&path).unwrap();
            assert_eq!(journal.length(), (whole.len() - last) as u64, "{cut} bytes are missing");
            journal.add(&lines[5..]).unwrap();
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
    }

    #[test]
    fn a_change_in_the_middle_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        Journal::open(&path).unwrap().add_durably(&lines()).unwrap();
        let whole = fs::read(&path).unwrap();
        for at in [0, 9, 20, whole.len() / 2] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            assert!(matches!(Journal::open(&path), Err(MigrationError::Damaged { .. })), "byte {at}");
        }
    }

    #[test]
    fn a_reason_is_one_line_of_bounded_length() {
        let Line::Failed { id, is_lasting, mark, .. } = lines()[3].clone() else { panic!() };
        let line = Line::Failed { id, is_lasting, mark, reason: "two\nlines ".repeat(1000) };
        let text = line.to_string();
        assert!(!text.contains('\n') && text.len() < 1200, "{}", text.len());
    }
}
