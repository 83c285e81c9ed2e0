//! `Read` as a subscription: what is there, and then what comes.
//!
//! One task for each subscription, and two ways of going on. In the past its
//! [`Follower`] reads pages on a thread that may wait. At the end of the log it
//! waits, without a thread, for the word of the [`Tail`] that it shares with the
//! others, and what comes is in memory. If the client does not take it in time, or
//! the log grew too much at once, it goes back to reading pages. What reads the
//! store to be shown, a link, is shown on a thread that may wait in any case. The
//! client sees one sequence without a gap.
//!
//! ```text
//!   confirmation  event event ...  caught up  event event  fell behind  ...
//!                 checkpoint ...   (checkpoints only where there is a filter)
//! ```
//!
//! The metadata of a stream is obeyed as it is when a page of the past begins.
//! That the rest of the log is far ahead means nothing to who follows a stream:
//! it is told that it fell behind when the next event of that stream comes. Only
//! who asked for it is told, and never without the place it had come to: there are
//! clients that cannot do without.
//!
//! Streams of links and indexes by name are selected by an index of the log, and
//! such a follower waits for the store's own word instead of the tail's.

mod follower;

use factum_wire::Failure;
use factum_wire::read::written::WrittenAnswers;
use factum_wire::read::{self, ReadRequest, What};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use uuid::Uuid;

use crate::blocking::blocking;
use crate::serve::Services;
use crate::stopping::Stopping;
use crate::system::source::Source;
use crate::tail::Tail;
use crate::written::Pages;

use super::page::{BYTES_MAX, EVENTS_MAX, LOOKED_AT_MAX};
use super::show::Show;

use follower::{Followed, Follower};

/// Begins to answer one call.
pub async fn follow(
    services: &Services,
    tail: &Tail,
    request: ReadRequest,
    stopping: Stopping,
) -> Result<Pages, Status> {
    let show = Show { ids: request.ids, resolve_links: request.resolve_links };
    let tells_fell_behind = request.tells_fell_behind;
    let what = match request.what {
        What::FollowStream { stream, from } => Followed::Stream { source: Source::new(stream)?, from },
        What::FollowAll { from, filter } => Followed::All { from, filter },
        What::Stream { .. } | What::All { .. } => {
            return Err(Failure::Invalid("a read is not a subscription".to_owned()).into());
        }
    };
    let (services, tail) = (services.clone(), tail.clone());
    let follower = blocking(move || {
        let follower = Follower::begin(services.store, services.clock, tail, show, what)?;
        Ok(follower.telling_when_it_falls_behind(tells_fell_behind))
    })
    .await?;
    let mut confirmation = WrittenAnswers::default();
    confirmation.push(&read::confirmation(Uuid::new_v4().to_string()));
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(run(Box::new(follower), sender, stopping));
    let rest = ReceiverStream::new(receiver).flat_map(|page: Page| {
        let answers = (page.answers.count() > 0).then(|| Ok(page.answers.into_bytes()));
        let end = page.end.map(|failure| Err(failure.status()));
        futures_util::stream::iter(answers.into_iter().chain(end))
    });
    Ok(futures_util::stream::iter([Ok(confirmation.into_bytes())]).chain(rest).boxed())
}

/// Goes on until the client is gone, the server stops, or it cannot.
async fn run(mut follower: Box<Follower>, sender: mpsc::Sender<Page>, mut stopping: Stopping) {
    loop {
        let turning = async {
            follower.wait().await;
            if follower.is_light() {
                let page = follower.page();
                return (Some(follower), page);
            }
            match blocking(move || Ok((follower.page(), follower))).await {
                Ok((page, follower)) => (Some(follower), page),
                Err(failure) => (None, Page { end: Some(failure), ..Page::default() }),
            }
        };
        let (mut next, page) = tokio::select! {
            turned = turning => turned,
            () = sender.closed() => return,
            () = stopping.said() => {
                (None, Page { end: Some(Failure::NotReady), ..Page::default() })
            }
        };
        let is_over = page.end.is_some();
        if page.answers.count() > 0 || is_over {
            if let (0, Some(follower)) = (sender.capacity(), &mut next) {
                follower.waited();
            }
            if sender.send(page).await.is_err() || is_over {
                return;
            }
        }
        match next {
            Some(next) => follower = next,
            None => return,
        }
    }
}

/// What is sent to the client in one go.
#[derive(Default)]
struct Page {
    answers: WrittenAnswers,
    looked_at: usize,
    /// What ends the subscription.
    end: Option<Failure>,
}

impl Page {
    fn is_full(&self) -> bool {
        self.answers.count() >= EVENTS_MAX
            || self.answers.bytes() >= BYTES_MAX
            || self.looked_at >= LOOKED_AT_MAX
    }
}

#[cfg(test)]
mod tests;
