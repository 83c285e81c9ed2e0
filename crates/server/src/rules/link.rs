//! Links: events of the type `$>` that point at another one, by its revision
//! and stream, as in `7@cart-1`.

use factum_core::{
    EventStore, EventStoreExt, Read, ReadError, RecordedEvent, Revision, Start, StreamName, Timestamp, Until,
};
use factum_wire::Failure;

use crate::failure;

use super::clients_view::View;
use super::named::Named;

/// The type of links.
pub const TYPE: &str = "$>";

/// Whether an event is a link.
pub fn is_link(event: &RecordedEvent) -> bool {
    event.event_type.as_str() == TYPE
}

/// What a link points at, if that is there and can be read.
pub fn resolve(
    store: &dyn EventStore,
    link: &RecordedEvent,
    now: Timestamp,
) -> Result<Option<RecordedEvent>, Failure> {
    let Some((revision, stream)) = parse(&link.data) else { return Ok(None) };
    let Ok(named) = Named::new(stream) else { return Ok(None) };
    // Where there is no metadata, all of a stream can be read.
    let plain = !named.is_metadata && store.last_event(&named.metadata).map_err(failure::of_read)?.is_none();
    if !plain {
        match View::of(store, &named, now)? {
            View::Range { first, last } if (first..=last).contains(&revision) => {}
            _ => return Ok(None),
        }
    }
    let until = Until::Revision(revision);
    let read = Read::stream(named.target().clone()).from(Start::Revision(revision)).until(until);
    match store.read(read) {
        Ok(mut events) => events.next().transpose().map_err(failure::of_read),
        Err(ReadError::StreamNotFound { .. }) => Ok(None),
        Err(error) => Err(failure::of_read(error)),
    }
}

fn parse(data: &[u8]) -> Option<(Revision, StreamName)> {
    let (revision, stream) = std::str::from_utf8(data).ok()?.split_once('@')?;
    Some((Revision::new(revision.parse().ok()?), StreamName::new(stream.to_owned()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_what_links_say() {
        let (revision, stream) = parse(b"7@cart@home-1").unwrap();
        assert_eq!((revision.get(), stream.as_str()), (7, "cart@home-1"));
        for broken in [&b""[..], b"7", b"@a", b"x@a", b"-1@a", b"7@", b"\xff@a"] {
            assert_eq!(parse(broken), None, "{broken:?}");
        }
    }
}
