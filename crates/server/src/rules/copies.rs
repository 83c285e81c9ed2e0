//! Copies: the same event more than once in one append.
//!
//! In the protocol each of them is recorded. A store knows an id once in a stream,
//! because a second event with it could never be told from a repetition. So what
//! stands behind the first keeps all but its id, which follows from the one before:
//!
//! ```text
//!   the client sends    x   y   x    x
//!   the store gets      x   y   x'   x''     x' follows from x, x'' from x'
//! ```
//!
//! The same append again has the same ids again, and is a repetition.

use std::collections::HashMap;

use factum_core::{NewEvent, Uuid};

/// What an id is hashed with for the one that follows from it.
const NEXT: &[u8] = b"the same event again in one append";

fn next(id: Uuid) -> Uuid {
    Uuid::new_v5(&id, NEXT)
}

/// Gives every copy an id of its own.
pub fn apart(events: &mut [NewEvent]) {
    if events.len() < 2 {
        return;
    }
    let mut seen: HashMap<Uuid, Uuid> = HashMap::with_capacity(events.len());
    for event in events {
        let sent = event.id;
        if let Some(latest) = seen.get_mut(&sent) {
            *latest = next(*latest);
            event.id = *latest;
        } else {
            seen.insert(sent, sent);
        }
    }
}

/// How many events the last one stands behind the one that it is a copy of.
pub fn behind(events: &[NewEvent]) -> u64 {
    let Some((last, before)) = events.split_last() else { return 0 };
    let followed: HashMap<Uuid, usize> =
        before.iter().enumerate().map(|(index, event)| (next(event.id), index)).collect();
    let (mut id, mut at) = (last.id, before.len());
    while let Some(index) = followed.get(&id) {
        (id, at) = (events[*index].id, *index);
    }
    (before.len() - at) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use factum_core::EventType;

    fn events(ids: &[u128]) -> Vec<NewEvent> {
        let event = |id: &u128| NewEvent::new(EventType::new("A").unwrap(), "").with_id(Uuid::from_u128(*id));
        ids.iter().map(event).collect()
    }

    #[test]
    fn the_first_keeps_its_id_and_each_copy_has_one_of_its_own() {
        let mut copies = events(&[7, 8, 7, 7, 8]);
        apart(&mut copies);
        let ids: Vec<_> = copies.iter().map(|event| event.id).collect();
        assert_eq!((ids[0], ids[1]), (Uuid::from_u128(7), Uuid::from_u128(8)));
        let different: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(different.len(), 5);
        let mut again = events(&[7, 8, 7, 7, 8]);
        apart(&mut again);
        assert_eq!(copies, again, "they follow from what was sent");
    }

    #[test]
    fn a_copy_knows_how_far_it_is_behind() {
        for (ids, expected) in
            [(&[][..], 0), (&[7], 0), (&[7, 8], 0), (&[7, 7], 1), (&[7, 8, 8, 7], 3), (&[7, 7, 7, 8], 0)]
        {
            let mut events = events(ids);
            apart(&mut events);
            assert_eq!(behind(&events), expected, "{ids:?}");
        }
    }
}
