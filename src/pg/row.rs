//! A row of text values, read by column name.
//!
//! Catalog queries go over the simple protocol, so every value is text or null; the accessors
//! parse and name the column and the query when a value is not what the query promised.
//! Arrays come as JSON (`to_json(array)`), so no array parser is needed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// Bytes of text after which a batch is closed, so that rows that were read let their memory go.
const BATCH_BYTES: usize = 1 << 18;

/// Bytes of text that a result may have: more than any catalog holds, less than would exhaust a machine. A
/// server that sends rows without end is left.
const MOST_BYTES: usize = 1 << 30;

/// Marks a null among the ends of values; a value's text stays far below 2 GiB.
const NULL: u32 = 1 << 31;

/// One row of a result.
#[derive(Debug, Clone)]
pub struct Row {
    batch: Arc<Batch>,
    /// Its first value's place in the batch.
    first: u32,
}

/// Rows of one result, their values in one text: catalogs have hundreds of thousands of small ones.
#[derive(Debug, Default)]
struct Batch {
    columns: Arc<[String]>,
    text: Box<str>,
    /// Where each value ends; it starts where the one before it ends.
    ends: Box<[u32]>,
    /// The column after the one that was asked for last: readers ask in the query's order.
    next_column: AtomicUsize,
}

/// Rows while they arrive.
pub(super) struct Rows {
    columns: Arc<[String]>,
    text: String,
    ends: Vec<u32>,
    /// Rows in the open batch. A row may have no column at all (`SELECT FROM t`), so values do not tell.
    open: usize,
    done: Vec<Row>,
    /// Memory of the batches that were closed, and of their rows.
    closed_bytes: usize,
    /// Rows that are kept; those beyond are counted alone.
    keep: usize,
    count: u64,
}

impl Default for Rows {
    fn default() -> Self {
        Self::first(usize::MAX)
    }
}

/// Some rows of a result, and how many it had.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// The first ones.
    pub rows: Vec<Row>,
    /// All of them.
    pub count: u64,
}

impl Rows {
    /// Keeps so many rows and counts the others.
    pub fn first(keep: usize) -> Self {
        Self {
            columns: Arc::default(),
            text: String::new(),
            ends: Vec::new(),
            open: 0,
            done: Vec::new(),
            closed_bytes: 0,
            keep,
            count: 0,
        }
    }

    /// A new result, with these columns.
    pub fn start(&mut self, columns: impl Iterator<Item = String>) {
        self.close();
        self.columns = columns.collect();
    }

    /// One more row of the result.
    pub fn add<'a>(&mut self, values: impl Iterator<Item = Option<&'a str>>) -> Result<()> {
        self.count += 1;
        if self.done.len() + self.open >= self.keep {
            return Ok(());
        }
        self.open += 1;
        for value in values {
            self.text.push_str(value.unwrap_or_default());
            let end = u32::try_from(self.text.len())
                .ok()
                .filter(|end| end & NULL == 0);
            let end = end.ok_or_else(|| {
                Error::operation("read a query's result").because("a row of it is too long")
            })?;
            self.ends
                .push(if value.is_some() { end } else { end | NULL });
        }
        let bytes =
            self.text.len() + size_of::<u32>() * self.ends.len() + size_of::<Row>() * self.open;
        if self.closed_bytes + bytes > MOST_BYTES {
            return Err(Error::operation("read a query's result")
                .because("its rows do not end: they have more than 1 GiB already"));
        }
        if bytes >= BATCH_BYTES {
            self.closed_bytes += bytes;
            self.close();
        }
        Ok(())
    }

    /// All rows of all results.
    pub fn finish(self) -> Vec<Row> {
        self.sample().rows
    }

    /// What was kept, and the count of all.
    pub fn sample(mut self) -> Sample {
        self.close();
        Sample {
            rows: self.done,
            count: self.count,
        }
    }

    fn close(&mut self) {
        if self.open == 0 {
            return;
        }
        let width = self.columns.len();
        let batch = Arc::new(Batch {
            columns: Arc::clone(&self.columns),
            text: std::mem::take(&mut self.text).into_boxed_str(),
            ends: std::mem::take(&mut self.ends).into_boxed_slice(),
            next_column: AtomicUsize::new(0),
        });
        let rows = 0..std::mem::take(&mut self.open);
        self.done.extend(rows.map(|row| Row {
            batch: Arc::clone(&batch),
            first: u32::try_from(row * width).unwrap_or(u32::MAX),
        }));
    }
}

impl Row {
    /// A row made by hand, for tests of code that reads rows.
    pub fn from_pairs(pairs: &[(&str, Option<&str>)]) -> Self {
        let mut rows = Rows::default();
        rows.start(pairs.iter().map(|(name, _)| (*name).to_owned()));
        let values = pairs.iter().map(|(_, value)| *value);
        let added = rows.add(values).map(|()| rows.finish().pop());
        added.ok().flatten().unwrap_or_else(|| Self {
            batch: Arc::default(),
            first: 0,
        })
    }

    /// All values with their columns' names, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let names = self.batch.columns.iter().map(String::as_str);
        names
            .enumerate()
            .map(|(place, name)| (name, self.value(place)))
    }

    /// Whether the query gives this column at all.
    pub fn has(&self, column: &str) -> bool {
        self.batch.columns.iter().any(|name| name == column)
    }

    /// The value, null as `None`.
    pub fn opt(&self, column: &str) -> Result<Option<&str>> {
        let place = self
            .place(column)
            .ok_or_else(|| broken(column, "there is no such column"))?;
        Ok(self.value(place))
    }

    fn place(&self, column: &str) -> Option<usize> {
        let columns = &self.batch.columns;
        let next = self.batch.next_column.load(Ordering::Relaxed);
        let place = match columns.get(next) {
            Some(name) if name == column => next,
            _ => columns.iter().position(|name| name == column)?,
        };
        let next = (place + 1) % columns.len();
        self.batch.next_column.store(next, Ordering::Relaxed);
        Some(place)
    }

    fn value(&self, place: usize) -> Option<&str> {
        let at = usize::try_from(self.first).ok()? + place;
        let ends = &self.batch.ends;
        let end = *ends.get(at)?;
        let start = match at.checked_sub(1) {
            None => 0,
            Some(before) => ends.get(before)? & !NULL,
        };
        let range = usize::try_from(start).ok()?..usize::try_from(end & !NULL).ok()?;
        match end & NULL {
            0 => self.batch.text.get(range),
            _ => None,
        }
    }

    /// The value as text.
    pub fn text(&self, column: &str) -> Result<&str> {
        self.opt(column)?
            .ok_or_else(|| broken(column, "it is null"))
    }

    /// The value as owned text.
    pub fn string(&self, column: &str) -> Result<String> {
        self.text(column).map(str::to_owned)
    }

    /// The value as owned text, null as `None`.
    pub fn opt_string(&self, column: &str) -> Result<Option<String>> {
        Ok(self.opt(column)?.map(str::to_owned))
    }

    /// A boolean (`t` or `f`).
    pub fn bool(&self, column: &str) -> Result<bool> {
        match self.text(column)? {
            "t" | "true" => Ok(true),
            "f" | "false" => Ok(false),
            other => Err(broken(column, &format!("{other:?} is no boolean"))),
        }
    }

    /// A one-character code (`"char"` columns).
    pub fn letter(&self, column: &str) -> Result<char> {
        let text = self.text(column)?;
        text.chars()
            .next()
            .ok_or_else(|| broken(column, "it is empty"))
    }

    /// A number of any parsable type: `row.number::<u32>("oid")`.
    pub fn number<T: std::str::FromStr>(&self, column: &str) -> Result<T> {
        let text = self.text(column)?;
        text.parse()
            .map_err(|_| broken(column, &format!("{text:?} is not the number expected")))
    }

    /// A number, null as `None`.
    pub fn opt_number<T: std::str::FromStr>(&self, column: &str) -> Result<Option<T>> {
        match self.opt(column)? {
            None => Ok(None),
            Some(_) => self.number(column).map(Some),
        }
    }

    /// A JSON value: arrays and records that the query wrapped with `to_json`.
    pub fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T> {
        let text = self.text(column)?;
        serde_json::from_str(text).map_err(|error| broken(column, &error.to_string()))
    }

    /// A JSON array of strings; null is the empty list.
    pub fn list(&self, column: &str) -> Result<Vec<String>> {
        match self.opt(column)? {
            None => Ok(Vec::new()),
            Some(_) => self.json(column),
        }
    }
}

fn broken(column: &str, why: &str) -> Error {
    Error::operation(format!("read the column {column:?} of a query's result")).because(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_end_are_left() {
        let mut rows = Rows::default();
        rows.start(["a".to_owned()].into_iter());
        rows.closed_bytes = MOST_BYTES - (1 << 20);
        let long = "x".repeat(1000);
        let added = (0..2000).map(|_| rows.add([Some(long.as_str())].into_iter()));
        let failed = added.filter(Result::is_err).count();
        assert!((900..1000).contains(&failed), "{failed}");
        for width in [0, 1] {
            let memory = size_of::<Row>() + width * size_of::<u32>();
            let mut rows = Rows {
                closed_bytes: MOST_BYTES - 1000 * memory,
                ..Rows::default()
            };
            let added = (0..2000).map(|_| rows.add(std::iter::repeat_n(None, width)));
            assert_eq!(added.filter(Result::is_ok).count(), 1000);
        }
    }

    #[test]
    fn rows_without_columns_are_rows() {
        let mut rows = Rows::default();
        rows.start(std::iter::empty());
        for _ in 0..3 {
            rows.add(std::iter::empty()).unwrap();
        }
        let rows = rows.finish();
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[2].pairs().count(), 0);
        assert!(rows[2].text("a").is_err());
    }

    #[test]
    fn rows_beyond_the_first_are_counted_alone() {
        let mut rows = Rows::first(2);
        let long = "x".repeat(BATCH_BYTES);
        for _ in 0..2 {
            rows.start(["a".to_owned()].into_iter());
            for _ in 0..1000 {
                rows.add([Some(long.as_str())].into_iter()).unwrap();
            }
        }
        let sample = rows.sample();
        assert_eq!((sample.rows.len(), sample.count), (2, 2000));
        assert_eq!(sample.rows[1].text("a").unwrap(), long);
    }

    #[test]
    fn batches_keep_rows_and_results_apart() {
        let long = "x".repeat(BATCH_BYTES);
        let mut rows = Rows::default();
        rows.start(["a", "b"].map(str::to_owned).into_iter());
        rows.add([Some("1"), None].into_iter()).unwrap();
        rows.add([None, Some(long.as_str())].into_iter()).unwrap();
        rows.add([Some(""), Some("ä")].into_iter()).unwrap();
        rows.start(std::iter::once("c".to_owned()));
        rows.add([Some("2")].into_iter()).unwrap();
        let rows = rows.finish();
        let shown = |row: &Row| -> Vec<(String, Option<String>)> {
            let pairs = row.pairs();
            pairs
                .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)))
                .collect()
        };
        let pair = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
        assert_eq!(shown(&rows[0]), [pair("a", Some("1")), pair("b", None)]);
        assert_eq!(shown(&rows[1]), [pair("a", None), pair("b", Some(&long))]);
        assert_eq!(shown(&rows[2]), [pair("a", Some("")), pair("b", Some("ä"))]);
        assert_eq!(shown(&rows[3]), [pair("c", Some("2"))]);
        assert_eq!(rows[2].text("b").unwrap(), "ä");
        assert_eq!(rows[2].text("a").unwrap(), "");
        assert_eq!(rows[2].text("b").unwrap(), "ä");
    }

    #[test]
    fn reads_by_name() {
        let row = Row::from_pairs(&[
            ("oid", Some("16384")),
            ("acl", Some("[\"a=r/b\"]")),
            ("x", None),
        ]);
        assert_eq!(row.number::<u32>("oid").unwrap(), 16384);
        assert_eq!(row.list("acl").unwrap(), ["a=r/b"]);
        assert_eq!(row.opt("x").unwrap(), None);
        assert!(row.text("x").is_err());
        assert!(row.text("missing").is_err());
    }
}
