//! What is said about single files: a table in CSV (RFC 4180), with a row for each of them.

use std::{
    collections::HashMap,
    fmt::Display,
    path::{Path, PathBuf},
    str::FromStr,
};

use bytes::Bytes;
use credlink_pipeline::manifest::{
    Creator, CustomAssertion, DigitalSourceType, SignOptions, Title, TrainingUse,
};
use csv::{ByteRecord, Position, ReaderBuilder};
use thiserror::Error;

use super::{
    inputs::{Input, Inputs},
    name,
};
use crate::files::{self, FileError};

/// The longest table, in bytes.
const MAX_LENGTH: usize = 512 << 20;

/// The columns that a table may have; the first it must.
const COLUMNS: [&str; 6] = ["file", "creator", "title", "digitalSourceType", "training", "customAssertions"];

/// The rows of a table, by the names of their files.
#[derive(Debug, Default)]
pub(crate) struct Values {
    rows: HashMap<PathBuf, Row>,
}

/// What a row says. What it leaves empty is said for all files.
#[derive(Debug, Default)]
struct Row {
    line: u64,
    creator: Option<Creator>,
    title: Option<Title>,
    digital_source_type: Option<DigitalSourceType>,
    training: Option<TrainingUse>,
    custom_assertions: Option<Vec<CustomAssertion>>,
}

/// Why a table cannot be used. Nothing was signed then.
#[derive(Debug, Error)]
pub(crate) enum TableError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is no table.
    #[error("{table}: {cause}")]
    NoTable {
        /// Which table.
        table: String,
        /// What is wrong with it.
        cause: csv::Error,
    },
    /// A column that means nothing here.
    #[error(
        "{table} has the column {column:?}; columns are file, creator, title, digitalSourceType, training and customAssertions"
    )]
    UnknownColumn {
        /// Which table.
        table: String,
        /// The column.
        column: String,
    },
    /// A column is there twice.
    #[error("{table} has the column {column:?} twice")]
    ColumnTwice {
        /// Which table.
        table: String,
        /// The column.
        column: &'static str,
    },
    /// Nothing says which file a row is of.
    #[error("{0} has no column \"file\"; its first line must name the columns")]
    NoFileColumn(String),
    /// A cell cannot be used.
    #[error("line {line} of {table}: {reason}")]
    Cell {
        /// Which table.
        table: String,
        /// Which line, counted from one.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

impl Values {
    /// Reads the table at `path`; also gives its bytes.
    ///
    /// # Errors
    /// [`TableError`].
    pub(crate) fn read(path: &Path) -> Result<(Self, Bytes), TableError> {
        let content = files::read(path, MAX_LENGTH)?;
        Ok((Self::parse(&content, &files::name(path))?, content))
    }

    /// What is said about the file: by its row, and where that is silent, by `common`.
    pub(crate) fn options(&self, input: Input<'_>, common: &SignOptions) -> SignOptions {
        let Some((_, row)) = self.row(input) else { return common.clone() };
        SignOptions {
            creator: row.creator.clone().or_else(|| common.creator.clone()),
            title: row.title.clone().or_else(|| common.title.clone()),
            digital_source_type: row.digital_source_type.or(common.digital_source_type),
            training: row.training.or(common.training),
            custom_assertions: row.custom_assertions.as_ref().unwrap_or(&common.custom_assertions).clone(),
        }
    }

    /// The rows of files that are not among these, as line and name, in the order of the table.
    pub(crate) fn unused(&self, inputs: &Inputs) -> Vec<(u64, String)> {
        let mut left: HashMap<&Path, u64> =
            self.rows.iter().map(|(path, row)| (path.as_path(), row.line)).collect();
        if !left.is_empty() {
            for (path, _) in inputs.iter().filter_map(|input| self.row(input)) {
                left.remove(path);
            }
        }
        let mut unused: Vec<_> = left.into_iter().map(|(path, line)| (line, name::text(path))).collect();
        unused.sort_unstable();
        unused
    }

    /// A row names its file as it is below the folder that it was found in, or as it was given.
    fn row(&self, input: Input<'_>) -> Option<(&Path, &Row)> {
        if self.rows.is_empty() {
            return None;
        }
        let found = self.rows.get_key_value(input.relative);
        let found = found.or_else(|| self.rows.get_key_value(&name::without_dots(&input.path())));
        found.map(|(path, row)| (path.as_path(), row))
    }

    fn parse(content: &[u8], table: &str) -> Result<Self, TableError> {
        let no_table = |cause| TableError::NoTable { table: table.to_owned(), cause };
        // Spreadsheets put a byte order mark before UTF-8.
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        let mut reader = ReaderBuilder::new().from_reader(content);
        let columns = columns(reader.byte_headers().map_err(no_table)?, table)?;
        let mut rows = HashMap::new();
        for record in reader.byte_records() {
            let record = record.map_err(no_table)?;
            let line = record.position().map_or(0, |position| line_at(content, position));
            let refused = |reason| TableError::Cell { table: table.to_owned(), line, reason };
            let (path, row) = Cells { record: &record, columns: &columns, line }.row().map_err(refused)?;
            let shown = name::text(&path);
            if rows.insert(path, row).is_some() {
                return Err(refused(format!("there is another row for {shown}")));
            }
        }
        Ok(Self { rows })
    }
}

/// The line that a record begins on. The reader counts the end of a line of two characters to the next one.
fn line_at(content: &[u8], position: &Position) -> u64 {
    let byte = usize::try_from(position.byte()).ok().and_then(|byte| content.get(byte));
    position.line() + u64::from(byte == Some(&b'\n'))
}

/// Which columns there are, in their order.
fn columns(head: &ByteRecord, table: &str) -> Result<Vec<&'static str>, TableError> {
    let mut columns = Vec::new();
    for name in head {
        let known = COLUMNS.into_iter().find(|known| known.as_bytes() == name.trim_ascii());
        let column = known.ok_or_else(|| TableError::UnknownColumn {
            table: table.to_owned(),
            column: String::from_utf8_lossy(name).into_owned(),
        })?;
        if columns.contains(&column) {
            return Err(TableError::ColumnTwice { table: table.to_owned(), column });
        }
        columns.push(column);
    }
    if columns.contains(&"file") { Ok(columns) } else { Err(TableError::NoFileColumn(table.to_owned())) }
}

/// The cells of one row.
struct Cells<'a> {
    record: &'a ByteRecord,
    columns: &'a [&'static str],
    line: u64,
}

impl Cells<'_> {
    fn row(&self) -> Result<(PathBuf, Row), String> {
        let file = self.bytes("file").ok_or("the column \"file\" is empty")?;
        let file =
            name::from_bytes(file.to_vec()).ok_or("the file has a name that none has on this system")?;
        let assertions = self.text("customAssertions")?.map(CustomAssertion::parse_list).transpose();
        let row = Row {
            line: self.line,
            creator: self.parsed("creator")?,
            title: self.parsed("title")?,
            digital_source_type: self.parsed("digitalSourceType")?,
            training: self.parsed("training")?,
            custom_assertions: assertions.map_err(|error| error.to_string())?,
        };
        Ok((name::without_dots(Path::new(&file)), row))
    }

    fn parsed<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, String> {
        let text = self.text(column)?;
        text.map(|text| text.parse().map_err(|error: T::Err| error.to_string())).transpose()
    }

    fn text(&self, column: &str) -> Result<Option<&str>, String> {
        let bytes = self.bytes(column);
        bytes.map(|bytes| str::from_utf8(bytes).map_err(|_| format!("{column} is no UTF-8 text"))).transpose()
    }

    /// The cell, unless it is empty or there is no such column.
    fn bytes(&self, column: &str) -> Option<&[u8]> {
        let index = self.columns.iter().position(|known| *known == column)?;
        self.record.get(index).filter(|cell| !cell.trim_ascii().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input<'a>(root: &'a str, relative: &'a str) -> Input<'a> {
        Input { root: Path::new(root), relative: Path::new(relative) }
    }

    fn refused(table: &str) -> String {
        Values::parse(table.as_bytes(), "t.csv").unwrap_err().to_string()
    }

    #[test]
    fn a_row_says_more_than_what_is_said_for_all() {
        let table = "\u{feff}file,title,customAssertions,training\r\n\
                     ./sub/a.jpg,\"Harbour, \"\"old\"\"\",\"[{\"\"label\"\":\"\"com.example.a\"\",\"\"data\"\":{}}]\",\r\n\
                     photos/b.jpg,,,notAllowed\r\n";
        let values = Values::parse(table.as_bytes(), "t.csv").unwrap();
        let common = SignOptions {
            creator: Some("Jane".parse().unwrap()),
            title: Some("All".parse().unwrap()),
            ..SignOptions::default()
        };
        let a = values.options(input("photos", "sub/a.jpg"), &common);
        assert_eq!(a.title.unwrap().as_str(), "Harbour, \"old\"");
        assert_eq!((a.creator.unwrap().as_str(), a.custom_assertions.len()), ("Jane", 1));
        let b = values.options(input("./photos", "b.jpg"), &common);
        assert_eq!((b.title.unwrap().as_str(), b.training), ("All", Some(TrainingUse::NotAllowed)));
        assert_eq!(values.options(input("photos", "c.jpg"), &common).title.unwrap().as_str(), "All");
        let unused = values.unused(&Inputs::default());
        assert_eq!(unused, [(2, "sub/a.jpg".to_owned()), (3, "photos/b.jpg".to_owned())]);
    }

    #[test]
    fn a_table_that_may_be_misunderstood_is_refused() {
        assert!(refused("file,author\na.jpg,Jane\n").contains("\"author\""));
        assert!(refused("file,title,title\n").contains("twice"));
        assert!(refused("title\nHarbour\n").contains("no column \"file\""));
        assert!(refused("file,training\na.jpg,maybe\n").contains("line 2"));
        assert!(refused("file,creator\na.jpg\n").contains("t.csv"));
        assert!(refused("file,creator\n,Jane\n").contains("line 2"));
        assert!(refused("file,creator\na.jpg,Jane\n./a.jpg,John\n").contains("another row"));
        assert!(refused("file,customAssertions\na.jpg,{}\n").contains("line 2"));
    }
}
