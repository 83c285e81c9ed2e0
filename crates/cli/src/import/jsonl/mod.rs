//! A file of events, one JSON object per line: `factum import jsonl FILE|-`.
//!
//! ```text
//!   line 1  cart-1 ┐                       ┌ cart-1   [1, 2]
//!   line 2  cart-1 ├─ one append ─►        ┤ cart-2   [3]
//!   line 3  cart-2 ┘                       └ $import-<name>  LinesImported up to 3
//!   line 4  cart-1 ┐  cart-1 again: a new append, or 4 would stand before 3
//!   line 5  cart-3 ┴─ one append ─► ...
//! ```
//!
//! The events stand in the log in the order of the lines. An append names a
//! stream once, so it ends where a stream comes back after another, and at 256
//! lines or 1 MiB.
//!
//! Each append carries the import's own progress, so a line is recorded exactly
//! once however often the import is killed and run again. A line that is no
//! event, or that the store refuses, is met as [`OnError`] says.

pub mod decode;
pub mod lines;
pub mod park;
pub mod progress;

#[cfg(test)]
mod tests;

use std::collections::{HashSet, VecDeque};
use std::io::{self, BufRead};
use std::path::PathBuf;
use std::time::Instant;

use factum_core::{
    Append, AppendError, Bytes, Durability, ErrorKind, EventStore, EventStoreExt, ExpectedRevision, NewEvent,
    ReadError, Revision, StreamName, StreamWrite,
};

use self::decode::BadLine;
use self::lines::{Found, LINE_BYTES_MAX, Lines, Mark};
use self::park::Park;
use super::git::path::stream_of;
use super::meter::{Meter, Unit};
use super::pipeline::{Pipeline, Refused};

/// What the names of the importers' own streams begin with.
pub const STREAM_PREFIX: &str = "$import-";
/// Most lines in one append.
const LINES_MAX: usize = 256;
/// Most bytes of lines in one append, unless a single one is larger.
const BYTES_MAX: usize = 1024 * 1024;
/// Most bad lines that are listed one by one.
const LISTED_MAX: usize = 20;

/// What to do with a line that is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum OnError {
    /// Stop there; what came before stays, and the next run continues there.
    #[default]
    Stop,
    /// Leave it out and go on; it is listed at the end.
    Skip,
    /// Put it into a file beside the source, to be mended, and go on.
    Park,
}

/// What to import, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the import remembers its progress under.
    pub name: Vec<u8>,
    /// The source in messages.
    pub source: String,
    /// Its size, if it has one.
    pub bytes: Option<u64>,
    /// What to do with bad lines.
    pub on_error: OnError,
    /// Where to park them.
    pub park: PathBuf,
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Imported {
    /// Lines that were recorded by earlier runs.
    pub lines_before: u64,
    /// Lines read now.
    pub lines: u64,
    /// Events appended now, without the import's own.
    pub events: u64,
    /// Events that were in the store already, under the same ids.
    pub repeated: u64,
    /// Lines left out or parked now.
    pub bad: u64,
    /// The first of them.
    pub listed: Vec<(u64, BadLine)>,
    /// How long it took.
    pub seconds: f64,
    /// What the receipts promised; `None` if nothing was appended.
    pub durability: Option<Durability>,
}

/// Why an import ended early. What was appended before stays, and running the
/// import again continues after it.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A line is no event, and the import was to stop at such a line.
    #[error("{place}:{line}:{}: {}", .bad.column, .bad.reason)]
    BadLine {
        /// The source.
        place: String,
        /// The line's number, from 1.
        line: u64,
        /// What is wrong with it.
        bad: BadLine,
    },
    /// The source cannot be read.
    #[error("cannot read {place}")]
    Source {
        #[allow(missing_docs)]
        place: String,
        #[allow(missing_docs)]
        #[source]
        source: io::Error,
    },
    /// The file for parked lines cannot be written.
    #[error("cannot write {place}: choose another file with --park")]
    Park {
        #[allow(missing_docs)]
        place: String,
        #[allow(missing_docs)]
        #[source]
        source: io::Error,
    },
    /// The source is not what was imported from under this name.
    #[error(
        "{place} is not what was imported before: its first {lines} lines ({bytes} bytes) were different or are gone; put them back, or import this source under another --name"
    )]
    Changed {
        #[allow(missing_docs)]
        place: String,
        /// Lines imported before.
        lines: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// The import's own stream was written by someone else.
    #[error(
        "stream {stream:?} holds an event at revision {revision} that no import wrote: choose another --name"
    )]
    ForeignStream {
        #[allow(missing_docs)]
        stream: StreamName,
        #[allow(missing_docs)]
        revision: Revision,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store did not take the lines.
    #[error("lines from {line} on were not recorded")]
    Append {
        /// The first of them.
        line: u64,
        #[allow(missing_docs)]
        #[source]
        source: AppendError,
    },
}

impl ImportError {
    /// See [`ErrorKind`].
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::BadLine { .. } => ErrorKind::Invalid,
            Self::Source { source, .. } if source.kind() == io::ErrorKind::NotFound => ErrorKind::NotFound,
            Self::Source { .. } | Self::Park { .. } => ErrorKind::Storage,
            Self::Changed { .. } | Self::ForeignStream { .. } => ErrorKind::Conflict,
            Self::Read(error) => error.kind(),
            Self::Append { source, .. } => source.kind(),
        }
    }
}

/// Appends the lines that the store does not have yet.
pub fn import(
    store: &dyn EventStore,
    source: impl BufRead,
    options: &Options,
    meter: &mut dyn Meter,
) -> Result<Imported, ImportError> {
    let began = Instant::now();
    let mut importer = Importer::new(store, options)?;
    meter.begin("importing", Unit::Bytes, options.bytes);
    let done = importer.run(&mut Lines::new(source), meter);
    meter.end();
    done?;
    Ok(Imported { seconds: began.elapsed().as_secs_f64(), ..importer.imported })
}

/// A line that is an event.
struct Line {
    stream: StreamName,
    event: NewEvent,
    /// The line itself, kept only where it may have to be parked.
    text: Bytes,
    /// How far the source is read with this line.
    mark: Mark,
    /// Bad lines before it, in this run.
    bad: u64,
}

/// Lines that go into one append.
#[derive(Default)]
struct Batch {
    lines: Vec<Line>,
    bytes: usize,
    /// How far the source is read with this batch, which may end in lines that
    /// are empty or bad.
    mark: Mark,
    bad: u64,
    /// The streams of its lines; an append names each once.
    streams: HashSet<StreamName>,
}

impl Batch {
    fn is_full_for(&self, stream: &StreamName) -> bool {
        let comes_back = !self.ends_in(stream) && self.streams.contains(stream);
        self.lines.len() >= LINES_MAX || self.bytes >= BYTES_MAX || comes_back
    }

    fn ends_in(&self, stream: &StreamName) -> bool {
        self.lines.last().is_some_and(|line| line.stream == *stream)
    }

    fn push(&mut self, line: Line) {
        self.bytes += line.event.data.len() + line.event.metadata.len();
        if !self.ends_in(&line.stream) {
            self.streams.insert(line.stream.clone());
        }
        (self.mark, self.bad) = (line.mark, line.bad);
        self.lines.push(line);
    }
}

struct Importer<'a> {
    store: &'a dyn EventStore,
    options: &'a Options,
    stream: StreamName,
    pipeline: Pipeline<'a, Batch>,
    park: Option<Park>,
    /// Where the import's stream stands when all that is under way is recorded.
    last: Option<Revision>,
    /// How far an earlier run came.
    before: Mark,
    bad_before: u64,
    /// Lines up to which the store was told, or is being told, how far it came.
    told: u64,
    /// Lines the store refused; those that are no events are counted by the reader.
    refused: u64,
    imported: Imported,
}

impl<'a> Importer<'a> {
    fn new(store: &'a dyn EventStore, options: &'a Options) -> Result<Self, ImportError> {
        let stream = stream_of(STREAM_PREFIX, &options.name);
        let reached = progress::reached(store, &stream)?
            .map_err(|revision| ImportError::ForeignStream { stream: stream.clone(), revision })?;
        let park = match options.on_error {
            OnError::Park => {
                Some(Park::open(&options.park, &options.source).map_err(|e| park_error(options, e))?)
            }
            OnError::Stop | OnError::Skip => None,
        };
        Ok(Self {
            store,
            options,
            stream,
            pipeline: Pipeline::new(store),
            park,
            last: reached.map(|reached| reached.revision),
            before: reached.map_or_else(Mark::default, |reached| reached.mark),
            bad_before: reached.map_or(0, |reached| reached.bad),
            told: reached.map_or(0, |reached| reached.mark.lines),
            refused: 0,
            imported: Imported::default(),
        })
    }

    fn run(&mut self, lines: &mut Lines<impl BufRead>, meter: &mut dyn Meter) -> Result<(), ImportError> {
        let before = self.before;
        if before.bytes > 0 && !lines.skip_to(&before).map_err(|source| self.source_error(source))? {
            let place = self.options.source.clone();
            return Err(ImportError::Changed { place, lines: before.lines, bytes: before.bytes });
        }
        self.imported.lines_before = before.lines;
        let (mut batch, mut line, mut bad_lines) = (Batch::default(), Vec::new(), 0);
        batch.mark = lines.mark();
        while let Some(found) = lines.next(&mut line).map_err(|source| self.source_error(source))? {
            let mark = lines.mark();
            match self.decode(found, &line, mark.lines) {
                Ok(Some((stream, event))) => {
                    if batch.is_full_for(&stream) {
                        self.submit(std::mem::take(&mut batch))?;
                        meter.at(mark.bytes, self.pipeline.done.events);
                    }
                    let text = match &self.park {
                        Some(_) => Bytes::copy_from_slice(&line),
                        None => Bytes::new(),
                    };
                    batch.push(Line { stream, event, text, mark, bad: bad_lines });
                }
                Ok(None) => (batch.mark, batch.bad) = (mark, bad_lines),
                Err(bad) => {
                    if self.options.on_error == OnError::Stop {
                        self.submit(std::mem::take(&mut batch))?;
                        self.finish()?;
                    }
                    self.meet(mark.lines, &line, bad)?;
                    bad_lines += 1;
                    (batch.mark, batch.bad) = (mark, bad_lines);
                    // Bad lines alone must not grow without being written down.
                    if batch.lines.is_empty() && bad_lines % LINES_MAX as u64 == 0 {
                        self.submit(std::mem::take(&mut batch))?;
                    }
                }
            }
        }
        self.imported.lines = lines.mark().lines - before.lines;
        // A last batch without events still says that the rest was read.
        (batch.mark, batch.bad) = (lines.mark(), bad_lines);
        self.submit(batch)?;
        self.finish()
    }

    fn decode(
        &self,
        found: Found,
        line: &[u8],
        number: u64,
    ) -> Result<Option<(StreamName, NewEvent)>, BadLine> {
        if let Found::TooLong { bytes } = found {
            let reason = format!(
                "it has {bytes} bytes, and at most {LINE_BYTES_MAX} are taken: store large content elsewhere and record its address"
            );
            return Err(BadLine { column: LINE_BYTES_MAX + 1, reason });
        }
        let decoded = decode::decode(line, decode::id_of_line(&self.stream, number))?;
        match decoded {
            Some((stream, _)) if stream == self.stream => Err(BadLine {
                column: 1,
                reason: format!(
                    "stream {stream:?} is where this import keeps its progress: choose another stream, or another --name"
                ),
            }),
            other => Ok(other),
        }
    }

    /// What happens to a bad line.
    fn meet(&mut self, line: u64, text: &[u8], bad: BadLine) -> Result<(), ImportError> {
        if self.options.on_error == OnError::Stop {
            return Err(ImportError::BadLine { place: self.options.source.clone(), line, bad });
        }
        if let Some(park) = &mut self.park {
            park.put(line, text, &bad).map_err(|source| park_error(self.options, source))?;
        }
        self.imported.bad += 1;
        if self.imported.listed.len() < LISTED_MAX {
            self.imported.listed.push((line, bad));
        }
        Ok(())
    }

    /// Hands over a batch, and again what a refusal took down with it.
    fn submit(&mut self, batch: Batch) -> Result<(), ImportError> {
        if batch.lines.is_empty() && batch.mark.lines <= self.told {
            return Ok(());
        }
        self.told = batch.mark.lines;
        let mut waiting = VecDeque::from([batch]);
        while let Some(batch) = waiting.pop_front() {
            if let Err(refused) = self.hand_over(batch)? {
                for later in self.recover(*refused)?.into_iter().rev() {
                    waiting.push_front(later);
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ImportError> {
        while let Err(refused) = self.pipeline.finish() {
            for later in self.recover(*refused)? {
                self.submit(later)?;
            }
        }
        // Each append holds one event of the import's own.
        let done = self.pipeline.done;
        self.imported.events += done.events - done.appends;
        self.imported.durability = done.durability.or(self.imported.durability);
        self.pipeline.done = Default::default();
        Ok(())
    }

    #[allow(clippy::type_complexity)]
    fn hand_over(&mut self, batch: Batch) -> Result<Result<(), Box<Refused<Batch>>>, ImportError> {
        if let Some(park) = &mut self.park {
            park.sync().map_err(|source| park_error(self.options, source))?;
        }
        let append = self.append_of(&batch.lines, &batch.mark, batch.bad);
        self.last = Some(self.last.map_or(Revision::FIRST, Revision::next));
        Ok(self.pipeline.append(append, batch))
    }

    /// The lines' events, and the progress they make.
    fn append_of(&self, lines: &[Line], mark: &Mark, bad: u64) -> Append {
        let mut append = Append::default();
        for line in lines {
            match append.writes.last_mut().filter(|write| write.stream == line.stream) {
                Some(write) => write.events.push(line.event.clone()),
                None => append.writes.push(StreamWrite {
                    stream: line.stream.clone(),
                    expected: ExpectedRevision::Any,
                    events: vec![line.event.clone()],
                }),
            }
        }
        let expected = self.last.map_or(ExpectedRevision::NoStream, ExpectedRevision::Exact);
        let bad = self.bad_before + bad + self.refused;
        append.and_to(self.stream.clone(), expected, [progress::event(&self.options.source, mark, bad)])
    }

    /// After a refusal: if a line is to blame, finds it by appending the
    /// batch's lines one by one; gives back the batches that came after.
    fn recover(&mut self, refused: Refused<Batch>) -> Result<Vec<Batch>, ImportError> {
        self.last = self.store.last_revision(&self.stream)?;
        let batch = refused.about;
        if !blames_an_event(&refused.error) {
            let line = batch.lines.first().map_or(batch.mark.lines, |line| line.mark.lines);
            return Err(ImportError::Append { line, source: refused.error });
        }
        for line in &batch.lines {
            self.append_one(line)?;
        }
        // The end of the batch may lie behind its last event.
        if batch.lines.last().is_none_or(|line| line.mark != batch.mark) {
            self.append_progress(&batch.mark, batch.bad)?;
        }
        Ok(refused.later)
    }

    fn append_one(&mut self, line: &Line) -> Result<(), ImportError> {
        let number = line.mark.lines;
        let append = self.append_of(std::slice::from_ref(line), &line.mark, line.bad);
        let error = match self.store.append(append) {
            Ok(appended) => {
                self.last = Some(self.last.map_or(Revision::FIRST, Revision::next));
                self.imported.events += 1;
                self.imported.durability = Some(appended.durability);
                return Ok(());
            }
            Err(error) if blames_an_event(&error) => error,
            Err(source) => return Err(ImportError::Append { line: number, source }),
        };
        // An id that is recorded already: the same fact again, or another one?
        let error = match error {
            AppendError::PartlyRepeated { .. } => {
                let alone = Append::to(line.stream.clone(), ExpectedRevision::Any, [line.event.clone()]);
                self.store.append(alone).err()
            }
            error => Some(error),
        };
        match error {
            None => self.imported.repeated += 1,
            Some(error) if blames_an_event(&error) => {
                let bad = BadLine { column: 1, reason: error.to_string() };
                self.meet(number, &line.text, bad)?;
                self.refused += 1;
            }
            Some(source) => return Err(ImportError::Append { line: number, source }),
        }
        self.append_progress(&line.mark, line.bad)
    }

    fn append_progress(&mut self, mark: &Mark, bad: u64) -> Result<(), ImportError> {
        if let Some(park) = &mut self.park {
            park.sync().map_err(|source| park_error(self.options, source))?;
        }
        let append = self.append_of(&[], mark, bad);
        self.store.append(append).map_err(|source| ImportError::Append { line: mark.lines, source })?;
        self.last = Some(self.last.map_or(Revision::FIRST, Revision::next));
        Ok(())
    }

    fn source_error(&self, source: io::Error) -> ImportError {
        ImportError::Source { place: self.options.source.clone(), source }
    }
}

fn park_error(options: &Options, source: io::Error) -> ImportError {
    ImportError::Park { place: options.park.display().to_string(), source }
}

/// Whether the store refused what a line says, rather than failed.
fn blames_an_event(error: &AppendError) -> bool {
    matches!(
        error,
        AppendError::Invalid(_) | AppendError::PartlyRepeated { .. } | AppendError::IdReused { .. }
    )
}
