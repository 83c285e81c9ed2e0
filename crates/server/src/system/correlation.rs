//! The correlation id of an event as a tag, so that the index knows it.
//!
//! Clients write it as `$correlationId` into an event's JSON metadata, of any
//! form. The tag is added to what they append and is not among what they read:
//! their protocol has no tags. An event that names none there, but in its
//! envelope, gets the tag of that.

use factum_core::{NewEvent, Tag, Tags};

const PREFIX: &str = "$correlation:";
const KEY: &str = "$correlationId";

/// The tag of a correlation id; `None` if it is too long for a tag, or of
/// characters that names refuse.
pub fn tag(id: &str) -> Option<Tag> {
    if id.is_empty() { None } else { Tag::new([PREFIX, id].concat()).ok() }
}

/// The same event, with the tag of its correlation id if it has one.
pub fn tagged(event: NewEvent) -> NewEvent {
    let told = of_metadata(&event.metadata).or_else(|| event.correlation_id.map(|id| id.to_string()));
    let Some(tag) = told.and_then(|id| tag(&id)) else { return event };
    let others = event.tags.iter().map(|text| Tag::new(text.to_owned())).filter_map(Result::ok);
    match Tags::new(others.chain([tag])) {
        Ok(tags) => NewEvent { tags, ..event },
        // It has as many as there may be.
        Err(_) => event,
    }
}

/// Most metadata has none, and is not parsed.
fn of_metadata(metadata: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(metadata).ok().filter(|text| text.contains(KEY))?;
    let parsed: serde_json::Value = serde_json::from_str(text).ok()?;
    Some(parsed.get(KEY)?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use factum_core::{EventType, Uuid};

    fn tags(metadata: &str, correlation_id: Option<Uuid>) -> Vec<String> {
        let event = NewEvent::new(EventType::new("A").unwrap(), "{}");
        let event = NewEvent { metadata: metadata.to_owned().into(), correlation_id, ..event };
        tagged(event).tags.iter().map(str::to_owned).collect()
    }

    #[test]
    fn tags_what_says_where_it_belongs() {
        let id = Uuid::from_u128(7);
        let rows: [(&str, Option<Uuid>, Option<&str>); 9] = [
            ("", None, None),
            (r#"{"$correlationId": "a b/c"}"#, None, Some("a b/c")),
            (r#"{"$correlationId": "x", "$causationId": "y"}"#, Some(id), Some("x")),
            ("", Some(id), Some("00000000-0000-0000-0000-000000000007")),
            (r#"{"other": "$correlationId"}"#, None, None),
            (r#"{"$correlationId": 7}"#, None, None),
            (r#"{"$correlationId": ""}"#, None, None),
            (r#"{"$correlationId": "line\nbreak"}"#, None, None),
            (r#"{"$correlationId": "#, None, None),
        ];
        for (metadata, correlation_id, told) in rows {
            let wanted: Vec<String> = told.iter().map(|id| format!("$correlation:{id}")).collect();
            assert_eq!(tags(metadata, correlation_id), wanted, "{metadata}");
        }
        assert_eq!(tags(&format!(r#"{{"$correlationId": "{}"}}"#, "x".repeat(300)), None), [""; 0]);
    }

    #[test]
    fn keeps_the_tags_there_are() {
        let event =
            NewEvent::new(EventType::new("A").unwrap(), "{}").with_tags([Tag::new("a").unwrap()]).unwrap();
        let event = NewEvent { metadata: r#"{"$correlationId":"x"}"#.into(), ..event };
        assert_eq!(tagged(event.clone()).tags.iter().collect::<Vec<_>>(), ["a", "$correlation:x"]);
        assert_eq!(tagged(tagged(event.clone())), tagged(event), "twice is once");
    }
}
