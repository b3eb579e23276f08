//! The report of a run. Rows are written as files end, so that it takes no memory however many there are.

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use tempfile::NamedTempFile;

use super::{drafts::Drafts, front::Format, summary::Summary};
use crate::files::FileError;

/// What is told of one file.
pub(crate) trait Row: Serialize {
    /// The names of the columns of a table.
    const COLUMNS: &'static [&'static str];

    /// The cells of its row.
    fn cells(&self) -> Vec<String>;

    /// What people are told of it at once; `None` when the summary tells enough.
    fn line(&self) -> Option<String>;
}

/// A report that is being written.
pub(crate) struct Report {
    format: Format,
    out: Out,
    is_first: bool,
}

enum Out {
    Standard(BufWriter<io::Stdout>),
    /// The file appears under its name when it is whole.
    File(BufWriter<NamedTempFile>, Place),
}

struct Place {
    path: PathBuf,
    replace: bool,
}

impl Report {
    /// A report to standard output, or into the file `path`, which may be replaced when that is said.
    ///
    /// # Errors
    /// When the file cannot be written, or is there already.
    pub(crate) fn begin<R: Row>(
        format: Format,
        path: Option<&Path>,
        replace: bool,
    ) -> Result<Self, FileError> {
        let out = match path {
            None => Out::Standard(BufWriter::new(io::stdout())),
            Some(path) => {
                let failed = |cause| FileError::Write { path: path.to_owned(), cause };
                if !replace && path.symlink_metadata().is_ok() {
                    return Err(FileError::Exists { path: path.to_owned() });
                }
                let draft = Drafts::default().begin(path).map_err(failed)?;
                Out::File(BufWriter::new(draft), Place { path: path.to_owned(), replace })
            }
        };
        let mut report = Self { format, out, is_first: true };
        report
            .head(R::COLUMNS)
            .map_err(|cause| FileError::Write { path: path.unwrap_or(Path::new("-")).to_owned(), cause })?;
        Ok(report)
    }

    /// Tells of a file.
    ///
    /// # Errors
    /// Those of the writer.
    pub(crate) fn row<R: Row>(&mut self, row: &R) -> io::Result<()> {
        let out = self.out.writer();
        match self.format {
            Format::Text => match row.line() {
                Some(line) => {
                    writeln!(out, "{line}")?;
                    out.flush()
                }
                None => Ok(()),
            },
            Format::Jsonl => {
                json(out, row)?;
                writeln!(out)?;
                // Whoever reads along sees whole lines.
                out.flush()
            }
            Format::Json => {
                write!(out, "{}", if self.is_first { "\n" } else { ",\n" })?;
                self.is_first = false;
                json(out, row)
            }
            Format::Csv => cells(out, row.cells().iter().map(String::as_str)),
        }
    }

    /// Ends the report.
    ///
    /// # Errors
    /// Those of the writer; a file does not appear then.
    pub(crate) fn end(mut self, summary: &Summary) -> io::Result<()> {
        let out = self.out.writer();
        match self.format {
            Format::Text => summary.write(out)?,
            Format::Csv => summary.write(&mut io::stderr().lock())?,
            Format::Jsonl => {
                json(out, &Last { summary })?;
                writeln!(out)?;
            }
            Format::Json => {
                write!(out, "\n],\"summary\":")?;
                json(out, summary)?;
                writeln!(out, "}}")?;
            }
        }
        self.out.finish()
    }

    fn head(&mut self, columns: &[&str]) -> io::Result<()> {
        let out = self.out.writer();
        match self.format {
            Format::Text | Format::Jsonl => Ok(()),
            Format::Json => write!(out, "{{\"files\":["),
            Format::Csv => cells(out, columns.iter().copied()),
        }
    }
}

impl Out {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Standard(out) => out,
            Self::File(out, _) => out,
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Standard(mut out) => out.flush(),
            Self::File(out, place) => {
                let draft = out.into_inner().map_err(io::IntoInnerError::into_error)?;
                draft.as_file().sync_all()?;
                let placed = if place.replace {
                    draft.persist(&place.path)
                } else {
                    draft.persist_noclobber(&place.path)
                };
                placed.map(drop).map_err(|error| error.error)
            }
        }
    }
}

/// The last line of a report in lines.
#[derive(Serialize)]
struct Last<'a> {
    summary: &'a Summary,
}

fn json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(out, value).map_err(io::Error::from)
}

fn cells<'a>(out: &mut dyn Write, cells: impl Iterator<Item = &'a str>) -> io::Result<()> {
    let mut row = csv::WriterBuilder::new().from_writer(Vec::new());
    row.write_record(cells).map_err(io::Error::other)?;
    let bytes = row.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    out.write_all(&bytes)
}
