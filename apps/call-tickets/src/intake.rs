//! What of a delivery is kept: which event it is, and its bytes without secrets.
//!
//! Most calls hold no secret at all. A single pass over the bytes shows it, and they are kept as they came; everything
//! else is read into memory, scrubbed and written anew, at several times the cost. Which of the two a body takes
//! changes nothing about what a worker reads later.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::event::{self, Kind};
use crate::scrub;

/// What is kept of a delivery.
#[derive(Debug)]
pub struct Kept {
    /// What kind of event it is.
    pub kind: Kind,
    /// What makes it the same one when it comes again.
    pub key: String,
    /// Its bytes, without secrets.
    pub body: Vec<u8>,
}

/// Reads an authentic body. There is always something to keep: what cannot be read is for a person to look at.
pub fn keep(body: &[u8]) -> Kept {
    if let Some(seen) = innocent(body) {
        let (kind, key) = event::named(seen.kind, seen.data, seen.conversation, body);
        return Kept { kind, key, body: event::without_mark(body).to_vec() };
    }
    let payload = event::json(body).ok();
    let (kind, key) = event::key(payload.as_ref(), body);
    let body = match payload {
        Some(payload) => scrub::scrub(payload).to_string(),
        None => scrub::scrub_text(&String::from_utf8_lossy(body)),
    };
    Kept { kind, key, body: body.into_bytes() }
}

/// What tells an event from others.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    kind: Option<String>,
    /// Whether `data` is an object.
    data: bool,
    conversation: Option<String>,
}

/// What there is to see in a body that surely holds no secret; `None` when it may hold one, or is unusual in any way.
fn innocent(body: &[u8]) -> Option<Seen> {
    let mut seen = Seen::default();
    let mut reader = serde_json::Deserializer::from_slice(event::without_mark(body));
    Walk { place: Place::Top, seen: &mut seen }.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(seen)
}

/// Where in a payload a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    Type,
    Data,
    Conversation,
    /// A value that is the name of the one beside it.
    Name,
    Elsewhere,
}

/// Goes through a value, and fails at the first thing that deserves a closer look.
struct Walk<'s> {
    place: Place,
    seen: &'s mut Seen,
}

impl Walk<'_> {
    /// A value that is no text stands here.
    fn other<E: Error>(&self) -> Result<(), E> {
        match self.place {
            Place::Type | Place::Conversation => Err(E::custom("it is no text")),
            _ => Ok(()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a payload without secrets")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.other()
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.other()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.other()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.other()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.other()
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        match self.place {
            Place::Type => self.seen.kind = Some(text.to_owned()),
            Place::Conversation => self.seen.conversation = Some(text.to_owned()),
            _ if scrub::is_suspect(text) => return Err(E::custom("it may hold a secret")),
            Place::Name if scrub::is_secret(text, false) => return Err(E::custom("it names a secret")),
            _ => {}
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.other()?;
        while items.next_element_seed(Walk { place: Place::Elsewhere, seen: &mut *self.seen })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.other()?;
        self.seen.data |= self.place == Place::Data;
        // A member that stands twice is whatever its reader takes it for.
        let (mut kind, mut data, mut conversation) = (false, false, false);
        while let Some(place) = members.next_key_seed(Member(self.place))? {
            let twice = match place {
                Place::Type => std::mem::replace(&mut kind, true),
                Place::Data => std::mem::replace(&mut data, true),
                Place::Conversation => std::mem::replace(&mut conversation, true),
                _ => false,
            };
            if twice {
                return Err(A::Error::custom("a member stands twice"));
            }
            members.next_value_seed(Walk { place, seen: &mut *self.seen })?;
        }
        Ok(())
    }
}

/// Reads a member's name, in an object that stands somewhere: where its value stands then.
struct Member(Place);

impl<'de> DeserializeSeed<'de> for Member {
    type Value = Place;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Place, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Member {
    type Value = Place;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name that is no secret's")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Place, E> {
        if scrub::is_secret(name, false) || scrub::is_headers(name) {
            return Err(E::custom("its value is a secret"));
        }
        Ok(match (self.0, name) {
            (Place::Top, "type") => Place::Type,
            (Place::Top, "data") => Place::Data,
            (Place::Data, "conversation_id") => Place::Conversation,
            _ if scrub::NAMING.contains(&name) => Place::Name,
            _ => Place::Elsewhere,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn call(more: Value) -> Vec<u8> {
        let payload = json!({
            "type": "post_call_transcription",
            "data": {"conversation_id": "conv_1", "transcript": [{"role": "user", "message": "é \"printer\""}], "more": more},
        });
        payload.to_string().into_bytes()
    }

    #[test]
    fn a_call_without_secrets_is_kept_as_it_came() {
        for more in [json!(null), json!({"tokens": 12, "name": "Sam", "large": 9_007_199_254_740_993_u64})] {
            let body = call(more);
            assert!(innocent(&body).is_some());
            let kept = keep(&[b"\xef\xbb\xbf", body.as_slice()].concat());
            assert_eq!((kept.kind, kept.key.as_str()), (Kind::Call, "call:conv_1"));
            assert_eq!(kept.body, body);
        }
    }

    #[test]
    fn whatever_may_hold_a_secret_is_looked_at_closely() {
        for more in [
            json!({"secret__a": 1}),
            json!([{"Api-Key": null}]),
            json!({"headers": {}}),
            json!({"Response_Headers": {"x": "y"}}),
            json!("https://example.org"),
            json!("Basic abcdefgh"),
            json!(" {\"a\": 1}"),
            json!([{"name": "secret__a", "value": "planted"}]),
            json!([{"variable_name": "Authorization", "new_value": "planted"}]),
        ] {
            assert_eq!(innocent(&call(more.clone())), None, "{more}");
        }
        for odd in [
            r#"{"type":"a","type":"post_call_transcription"}"#,
            r#"{"data":{"conversation_id":"a"},"data":{"conversation_id":"b"}}"#,
            r#"{"data":{"conversation_id":"a","conversation_id":"b"}}"#,
            r#"{"type":7}"#,
            r#"{"data":{"conversation_id":7}}"#,
            r#"{"type":"a"} x"#,
            "{",
            "",
        ] {
            assert_eq!(innocent(odd.as_bytes()), None, "{odd}");
        }
    }
}
