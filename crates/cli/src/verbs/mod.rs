//! One file for each verb: what it reads, what it answers.
//!
//! Every verb opens the store, or connects to the server that has it, then works
//! on the [`EventStore`] port alone, so that it can be tried on a store in memory.
//!
//! [`EventStore`]: factum_core::EventStore

mod after;
mod append;
mod at_time;
pub mod bench;
mod between;
mod meta;
mod projection;
mod replay;
#[cfg(feature = "serve")]
mod serve;
mod stats;
mod stream_export;
mod stream_list;
mod stream_show;
mod verify;

#[cfg(test)]
mod testing;

use crate::args::{Args, EventStoreVerb, EventsVerb, ImportVerb, StreamVerb, Verb};
use crate::demo;
use crate::failure::Failure;
use crate::import;
use crate::render::Out;

/// Does what the command line says.
pub fn run(args: Args, out: &mut Out) -> Result<(), Failure> {
    let global = &args.global;
    match args.verb {
        Verb::EventStore(EventStoreVerb::Append(args)) => append::run(args, global, out),
        Verb::EventStore(EventStoreVerb::Replay(args)) => replay::run(args, global, out),
        Verb::EventStore(EventStoreVerb::Verify(args)) => verify::run(args, global, out),
        Verb::EventStore(EventStoreVerb::Stats) => stats::run(global, out),
        Verb::Events(EventsVerb::AtTime(args)) => at_time::run(args, global, out),
        Verb::Events(EventsVerb::Between(args)) => between::run(args, global, out),
        Verb::Events(EventsVerb::After(args)) => after::run(args, global, out),
        Verb::Stream(StreamVerb::List(args)) => stream_list::run(args, global, out),
        Verb::Stream(StreamVerb::Show(args)) => stream_show::run(args, global, out),
        Verb::Stream(StreamVerb::Export(args)) => stream_export::run(args, global, out),
        Verb::Import(ImportVerb::Git(args)) => import::command::git(args, global, out),
        Verb::Import(ImportVerb::Jsonl(args)) => import::command::jsonl(args, global, out),
        #[cfg(feature = "serve")]
        Verb::Serve(args) => serve::run(args, global, out),
        #[cfg(not(feature = "serve"))]
        Verb::Serve(_) => {
            Err(Failure::new(crate::exit::Exit::Failure, "this program was built without the server")
                .hint("build it with the feature `serve`, which is on unless it was turned off"))
        }
        Verb::Demo(args) => demo::command::run(args, global, out),
        Verb::Projection(args) => projection::run(args, global, out),
        Verb::Bench(verb) => bench::run(verb, global, out),
        Verb::Completions(args) => meta::completions(args, out),
        Verb::Man(args) => meta::man(args, out),
        Verb::ExitCodes => meta::exit_codes(out),
    }
}
