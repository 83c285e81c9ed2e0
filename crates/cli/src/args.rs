//! The command line: the one definition that parsing, help, shell completions,
//! the man page and `docs/cli.md` come from.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::format::Format;

/// Records events, replays them, and shows what was true when.
#[derive(Debug, Parser)]
#[command(
    name = "factum",
    version,
    max_term_width = 80,
    after_help = "Exit codes, state and formats: `factum --help`.",
    after_long_help = Exit::table(),
    long_about = LONG_ABOUT,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Args {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

const LONG_ABOUT: &str = "\
Records events, replays them, and shows what was true when.

A store is a directory that holds one ordered log. Every event has a position in the log, from 0, \
and a revision in its stream, from 0.

State, without any code of yours, is the JSON merge of the events' data: it begins as {} and each \
event's data, if a JSON object, is applied to it as a merge patch (RFC 7396): keys are set, null \
removes one, objects merge, anything else replaces. Data that is no JSON object is put under the \
event's type.

The program also answers to the names event-store, events and projection when it is called by one of \
them, through a link for instance.";

/// What every verb takes.
#[derive(Debug, clap::Args)]
pub struct Global {
    /// Directory of the store
    #[arg(long, global = true, env = "FACTUM_STORE", default_value = ".factum", value_name = "DIR")]
    pub store: PathBuf,
    /// Whether the command line itself names the store.
    #[arg(skip)]
    pub store_is_given: bool,
    /// Whether the environment names the store, and the command line does not.
    #[arg(skip)]
    pub store_is_around: bool,
    /// Server to work on instead, such as factum://127.0.0.1:2113?tls=false
    #[arg(long, global = true, env = "FACTUM_URL", value_name = "URL")]
    pub url: Option<String>,
    /// Whether the command line itself names the server.
    #[arg(skip)]
    pub url_is_given: bool,
    /// How answers are written
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
    /// How long to wait for a store that another process has open
    #[arg(long, global = true, default_value_t = 2, value_name = "SECONDS")]
    pub wait: u64,
}

impl Global {
    /// The server to work on, if it is not a directory. What the command line
    /// says counts before what the environment says.
    pub fn url(&self) -> Result<Option<&str>, Failure> {
        let Some(url) = self.url.as_deref().filter(|url| !url.is_empty()) else { return Ok(None) };
        match (self.url_is_given, self.store_is_given) {
            (true, true) => {
                Err(Failure::new(Exit::Usage, "--store names a directory, and --url names a server")
                    .hint("leave one of them out"))
            }
            (false, true) => Ok(None),
            (false, false) if self.store_is_around => Err(Failure::new(
                Exit::Usage,
                "FACTUM_STORE names a directory, and FACTUM_URL names a server",
            )
            .hint("unset one of them, or say --store or --url")),
            (_, false) => Ok(Some(url)),
        }
    }

    /// Where the store is, for people.
    pub fn place(&self) -> Result<String, Failure> {
        match self.url()? {
            Some(url) => Ok(url.to_owned()),
            None => Ok(self.store_path()?.display().to_string()),
        }
    }

    /// The store's directory, for what works on files.
    pub fn store_path(&self) -> Result<&Path, Failure> {
        if self.url()?.is_some() {
            return Err(Failure::new(
                Exit::Usage,
                "this works on the files of a store, and --url (or FACTUM_URL) names a server",
            )
            .hint("run it where the files are, with --store DIR, while nobody serves them"));
        }
        match self.store.as_os_str().is_empty() {
            true => Err(Failure::new(Exit::Usage, "the store's path is empty")
                .hint("give --store DIR, or set FACTUM_STORE to a directory, or unset it")),
            false => Ok(&self.store),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Import a git repository, travel through its history, and compare with git
    Demo(DemoArgs),
    /// Append events, replay a stream, verify the store
    #[command(subcommand, arg_required_else_help = true)]
    EventStore(EventStoreVerb),
    /// List streams, show one, export them
    #[command(subcommand, arg_required_else_help = true)]
    Stream(StreamVerb),
    /// Look at events and state by time and place
    #[command(subcommand, arg_required_else_help = true)]
    Events(EventsVerb),
    /// Bring a git repository's history, or a file of events, into the store
    #[command(subcommand, arg_required_else_help = true)]
    Import(ImportVerb),
    /// Serve the store to KurrentDB and EventStoreDB clients on this machine
    Serve(ServeArgs),
    /// See and steer the read models that a program keeps in a database
    #[command(subcommand, arg_required_else_help = true)]
    Projection(ProjectionVerb),
    /// Measure this machine: the canonical workload beside the raw disk
    #[command(subcommand, arg_required_else_help = true)]
    Bench(crate::verbs::bench::BenchVerb),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the man page, or write one for every verb
    Man(ManArgs),
    /// Print the exit codes
    ExitCodes,
}

/// Verbs on the store as a whole and on what goes into it.
#[derive(Debug, Subcommand)]
pub enum EventStoreVerb {
    /// Append events to a stream: all of them or none
    Append(AppendArgs),
    /// Show every event of a stream with the state it led to and what it changed
    Replay(ReplayArgs),
    /// Check that the store holds what was written to it
    Verify(VerifyArgs),
    /// Summarise the store: events, streams, bytes, segments
    Stats,
}

/// Verbs on events.
#[derive(Debug, Subcommand)]
pub enum EventsVerb {
    /// Show a stream's state as it was at a time or position
    AtTime(AtTimeArgs),
    /// Show a stream's events in a range, each with what it changed
    Between(BetweenArgs),
    /// Show the events after a position, and those to come
    After(AfterArgs),
}

/// Verbs on streams.
#[derive(Debug, Subcommand)]
pub enum StreamVerb {
    /// List streams by name
    List(StreamListArgs),
    /// Summarise a stream and show its last events
    Show(StreamShowArgs),
    /// Write a stream's events, or all events, as JSON lines that `import jsonl` reads
    Export(StreamExportArgs),
}

/// Verbs that bring in what happened elsewhere.
#[derive(Debug, Subcommand)]
pub enum ImportVerb {
    /// Import a git repository: one append per commit, one stream per path
    Git(ImportGitArgs),
    /// Import a file of events, one JSON object per line
    Jsonl(ImportJsonlArgs),
}

/// `import git`
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Each commit on the first-parent line becomes one atomic append: CommitMade in the stream `commits`, and \
FileAdded, FileModified or FileDeleted in a stream for each path, `file-<path>`. What stream names refuse \
is written as % and two digits.

Running it again appends only new commits. A killed import continues where it was.")]
pub struct ImportGitArgs {
    /// The repository
    #[arg(value_name = "REPO")]
    pub repository: PathBuf,
    /// Begin a store even in a directory that is there and empty
    #[arg(long)]
    pub init: bool,
}

/// `import jsonl`
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Each line is {\"stream\": \"cart-1\", \"type\": \"ItemAdded\", \"data\": {...}} with the optional keys id, \
metadata, tags, occurred_at, schema_version, correlation_id, causation_id, content_type, data_base64 and \
metadata_base64. position, revision and recorded_at are passed over: the store assigns its own. Empty lines count and mean nothing.

The events stand in the store in the order of the lines. Running it again appends only what was added to \
the file; a killed import continues where it was. Both are known by the import's name, its progress stands \
in the stream `$import-<name>`, and a file whose imported lines were changed is refused.")]
pub struct ImportJsonlArgs {
    /// The file, or - for standard input
    pub file: OsString,
    /// What the progress is remembered under; the file's whole path, or `stdin`, if left out
    #[arg(long, value_name = "NAME")]
    pub name: Option<OsString>,
    /// What to do with a line that is no event
    #[arg(long, value_enum, default_value_t)]
    pub on_error: crate::import::jsonl::OnError,
    /// Where to park lines; FILE.parked.ndjson if left out
    #[arg(long, value_name = "FILE")]
    pub park: Option<PathBuf>,
    /// Begin a store even in a directory that is there and empty
    #[arg(long)]
    pub init: bool,
}

/// `demo`
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The store lies in --store DIR; without it in the user's cache directory, whatever FACTUM_STORE says. \
Running it again imports only new commits. It fails if any path, mode or blob id differs from git.")]
pub struct DemoArgs {
    /// The git repository; the one around the current directory if left out
    #[arg(value_name = "REPO")]
    pub repository: Option<PathBuf>,
    /// Remove the store of an earlier demo first, and nothing else
    #[arg(long)]
    pub fresh: bool,
}

/// `event-store append`
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
EVENT is one JSON object, {\"type\": \"ItemAdded\", \"data\": {\"sku\": \"apple\"}}, with the optional keys \
id, metadata, tags, occurred_at, schema_version, correlation_id, causation_id, content_type, data_base64 \
and metadata_base64; or an array of such objects, appended as one. With --type it is only the data.

Appending the same ids to the same stream again is answered with the first receipt and records nothing.")]
pub struct AppendArgs {
    /// The stream
    pub stream: OsString,
    /// The event as JSON text, @FILE, or - for standard input
    pub event: OsString,
    /// Where the stream must stand: any, none, exists, or its last revision
    #[arg(long, value_name = "any|none|exists|N", default_value = "any", allow_negative_numbers = true)]
    pub expected: OsString,
    /// The event's type; EVENT is then only its data
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Option<OsString>,
    /// Also give every event this tag; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<OsString>,
    /// The event's id, so that repeating this call records nothing twice
    #[arg(long, value_name = "UUID")]
    pub id: Option<OsString>,
    /// Refuse if an event of this type (any of them, if repeated) and with all --fail-if-tag exists
    #[arg(long, value_name = "TYPE")]
    pub fail_if_type: Vec<OsString>,
    /// Refuse if an event with this tag (all of them, if repeated) and of a --fail-if-type exists
    #[arg(long, value_name = "TAG")]
    pub fail_if_tag: Vec<OsString>,
    /// The refusals above look only at events after this position
    #[arg(long, value_name = "POSITION")]
    pub after: Option<u64>,
    /// Begin a store even in a directory that is there and empty
    #[arg(long)]
    pub init: bool,
}

/// `event-store replay`
#[derive(Debug, clap::Args)]
pub struct ReplayArgs {
    /// The stream
    pub stream: OsString,
    /// Leave the running state out, and show only what changed
    #[arg(long)]
    pub no_state: bool,
}

/// `event-store verify`
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Without --deep: file headers, sizes, the chain between segments, index checksums, and all of the open \
segment; its time does not grow with the store. With --deep: every byte, every stream's revisions, and \
each index against one rebuilt from the log.

Nobody else may have the store open. Nothing is changed.")]
pub struct VerifyArgs {
    /// Check every byte
    #[arg(long)]
    pub deep: bool,
}

/// Which of an event's two times counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum By {
    /// When the store recorded it
    #[default]
    Recorded,
    /// When it happened, as its writer says; when it was recorded, if its writer did not say
    Occurred,
}

/// `events at-time`
#[derive(Debug, clap::Args)]
#[command(after_long_help = MOMENTS)]
pub struct AtTimeArgs {
    /// The stream
    pub stream: OsString,
    /// The time or place, inclusive
    #[arg(value_name = "TIME|POSITION")]
    pub at: OsString,
    /// Which time of an event counts
    #[arg(long, value_enum, default_value_t)]
    pub by: By,
}

const MOMENTS: &str = "\
Times and places:
  2026-11-21T10:00:00Z   a time (RFC 3339, with an offset)
  pos:41 or 41           a position in the log
  rev:3                  a revision in the stream

With --by occurred only events that occurred by then count, in the order they were recorded; an event \
without a time of its own counts by when it was recorded. It takes times only.";

/// `events between`
#[derive(Debug, clap::Args)]
#[command(after_long_help = MOMENTS)]
pub struct BetweenArgs {
    /// The stream
    pub stream: OsString,
    /// Where the range begins, inclusive
    pub start: OsString,
    /// Where it ends, inclusive
    pub end: OsString,
    /// Which time of an event counts
    #[arg(long, value_enum, default_value_t)]
    pub by: By,
}

/// `events after`
#[derive(Debug, clap::Args)]
pub struct AfterArgs {
    /// The last position already seen; `start` for none, `end` for all there are
    #[arg(allow_negative_numbers = true)]
    pub position: OsString,
    /// Wait for more at the end, until interrupted
    #[arg(long, short)]
    pub follow: bool,
    /// Only events of this stream
    #[arg(long, value_name = "STREAM", conflicts_with_all = ["types", "tags"])]
    pub stream: Option<OsString>,
    /// Only events of this type (any of them, if repeated)
    #[arg(long = "type", value_name = "TYPE")]
    pub types: Vec<OsString>,
    /// Only events with this tag (all of them, if repeated)
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<OsString>,
    /// At most this many
    #[arg(long, short = 'n', value_name = "N")]
    pub limit: Option<u64>,
}

/// `stream list`
#[derive(Debug, clap::Args)]
pub struct StreamListArgs {
    /// Only streams whose name begins with this
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<OsString>,
    /// Only streams of this category: the part of the name before the first -
    #[arg(long, value_name = "TEXT")]
    pub category: Option<OsString>,
    /// At most this many, in order of name
    #[arg(long, short = 'n', value_name = "N")]
    pub limit: Option<u64>,
}

/// `stream show`
#[derive(Debug, clap::Args)]
pub struct StreamShowArgs {
    /// The stream
    pub stream: OsString,
    /// How many of its last events to show
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub last: u64,
}

/// `serve`
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Clients connect with esdb://127.0.0.1:2113?tls=false, or kurrentdb:// for newer ones. There is no encryption \
and no password yet, so that only addresses of this machine are served.

An interrupt or a request to end (SIGINT, SIGTERM) answers what is under way, within seconds, and closes the \
store. http://ADDRESS/health/live and /health/ready answer probes.")]
pub struct ServeArgs {
    /// Where to listen; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:2113")]
    pub listen: SocketAddr,
    /// Serve an empty store in memory, which is gone at the end
    #[arg(long)]
    pub dev: bool,
    /// Begin a store even in a directory that is there and empty
    #[arg(long)]
    pub init: bool,
    /// How many connections there may be at a time; 512 if left out
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub connections: Option<u32>,
    /// How long to look for the next request of a client that lately asked again at
    /// once, before the thread sleeps; 200 if left out, 0 for never
    #[arg(long, value_name = "MICROSECONDS", value_parser = clap::value_parser!(u64).range(0..=10_000))]
    pub look: Option<u64>,
}

/// `stream export`
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Each event is one line, with everything it has; whatever --format says, only as ndjson. `import jsonl` \
reads the file into another store, and `given_history(\"FILE\")` of the SDK replays it in a test.

Positions, revisions and recorded_at are those of this store. --all leaves out what is true of this store \
only: `$import-...`, the progress of its imports, and `$server`, when it was served.")]
pub struct StreamExportArgs {
    /// The stream
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub stream: Option<OsString>,
    /// The events of every stream, in the order of the log
    #[arg(long)]
    pub all: bool,
    /// The last event: everything recorded up to this time or place, inclusive
    #[arg(long, value_name = "TIME|POSITION")]
    pub until: Option<OsString>,
}

/// Verbs on read models. Each is heeded by the program that runs the projection.
#[derive(Debug, Subcommand)]
pub enum ProjectionVerb {
    /// Show what each projection is doing, how far it has come, and how late it is
    Status(ProjectionArgs),
    /// Have a projection wait, until it is resumed
    Pause(ProjectionArgs),
    /// Have a projection go on, and try once more an event that could not be projected
    Resume(ProjectionArgs),
    /// Make the rows once more from the first event, beside those in use, and swap
    Rebuild(RebuildArgs),
    /// Remove the rows and the checkpoint of a version that is not in use
    Remove(RemoveArgs),
}

/// `projection status`, `pause` and `resume`
#[derive(Debug, clap::Args)]
pub struct ProjectionArgs {
    /// The projection; all of them if left out
    pub name: Option<String>,
    /// The SQLite database it is kept in
    #[arg(long, env = "FACTUM_DATABASE", value_name = "FILE")]
    pub database: PathBuf,
}

/// `projection rebuild`
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The rows in use stay readable until the new ones take their place, in one transaction. What is recorded \
meanwhile is in both. Asked for while one is under way, it begins anew. An interrupt, or --cancel from elsewhere, ends the rebuild and leaves the rows in use. \
If the program that runs the projection is killed, the rebuild goes on when it is started again.")]
pub struct RebuildArgs {
    /// The projection; may be left out if there is one
    pub name: Option<String>,
    /// The SQLite database it is kept in
    #[arg(long, env = "FACTUM_DATABASE", value_name = "FILE")]
    pub database: PathBuf,
    /// Only say how much there is to do
    #[arg(long, conflicts_with = "cancel")]
    pub dry_run: bool,
    /// End the rebuild that is under way
    #[arg(long)]
    pub cancel: bool,
}

/// `projection remove`
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The version that is shown under the projection's name is refused. Others come back only when a program of \
that version is started again, which projects all events once more.")]
pub struct RemoveArgs {
    /// The projection
    pub name: String,
    /// Its version
    // Not `version`, which is the flag that prints the program's.
    #[arg(id = "version_removed", value_name = "VERSION")]
    pub version: u32,
    /// The SQLite database it is kept in
    #[arg(long, env = "FACTUM_DATABASE", value_name = "FILE")]
    pub database: PathBuf,
    /// Only say how much that would remove
    #[arg(long)]
    pub dry_run: bool,
}

/// `completions`
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `man`
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Write a page for every verb into this directory
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// The names the program answers to besides its own; each is its first word.
const CALLED_AS: [&str; 3] = ["event-store", "events", "projection"];

/// Understands a command line.
pub fn parse(arguments: Vec<OsString>) -> Result<Args, clap::Error> {
    let arguments = with_called_name(arguments);
    let matches = Args::command().try_get_matches_from(&arguments).map_err(|error| match error.kind() {
        // What the environment names counts as an argument, so that the help
        // for "no argument at all" would not be shown.
        ErrorKind::MissingSubcommand => {
            let command = Args::command()
                .mut_arg("store", |store| store.env(None::<&str>))
                .mut_arg("url", |url| url.env(None::<&str>));
            command.try_get_matches_from(&arguments).err().unwrap_or(error)
        }
        _ => error,
    })?;
    let mut args = Args::from_arg_matches(&matches)?;
    args.global.store_is_given = matches.value_source("store") == Some(ValueSource::CommandLine);
    args.global.store_is_around = matches.value_source("store") == Some(ValueSource::EnvVariable);
    args.global.url_is_given = matches.value_source("url") == Some(ValueSource::CommandLine);
    Ok(args)
}

/// The whole definition.
pub fn command() -> clap::Command {
    Args::command()
}

/// Called as `events after 3`, the line means `factum events after 3`.
fn with_called_name(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let called = arguments.first().map(Path::new).and_then(Path::file_stem).and_then(OsStr::to_str);
    if let Some(name) = CALLED_AS.into_iter().find(|name| Some(*name) == called) {
        arguments[0] = "factum".into();
        arguments.insert(1, name.into());
    }
    arguments
}

#[cfg(test)]
mod tests;
