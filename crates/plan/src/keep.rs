//! What others set, carried over.
//!
//! A `PUT` replaces a resource: what it does not say is gone. Tags of a cost centre, a domain bound in the
//! portal, a network rule that the security team added are not ours to erase, so they are read and sent back.
//! What we once applied ourselves is not kept: leaving it out is how it is taken away.

use landfall_blueprint::Body;
use serde_json::Value;

use crate::habits::{Habits, List};

/// Puts what others set, and what a write would erase, into a body that is to be sent.
pub fn keep(habits: &Habits, body: &mut Body, live: &Value, applied: Option<&Value>) {
    for path in [&["tags"], habits.kept].concat() {
        let steps: Vec<&str> = path.split('.').collect();
        walk(habits, "", &steps, body, live, applied);
    }
    for path in habits.moving {
        let steps: Vec<&str> = path.split('.').collect();
        leave(habits, "", &steps, body, live, applied);
    }
    keep_identity(body, live);
}

/// Puts the live value in the place of one that moves by itself and that we do not change: a write must not set it
/// back to where it began.
fn leave(habits: &Habits, at: &str, steps: &[&str], body: &mut Body, live: &Value, applied: Option<&Value>) {
    let [step, rest @ ..] = steps else { return };
    let (key, items) = step.strip_suffix("[]").map_or((*step, false), |key| (key, true));
    let at = if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    let (Some(live), Body::Object(object)) = (live.get(key), body) else { return };
    let applied = applied.and_then(|applied| applied.get(key));
    match (object.get_mut(key), rest.is_empty()) {
        (Some(there), true) => {
            let is = |value: &Value| there.to_json().is_ok_and(|there| there == *value);
            if applied.is_none_or(is) {
                *there = Body::Kept(live.clone());
            }
        }
        (Some(Body::Array(wanted)), false) if items => {
            let Some(List::Keyed(name) | List::Shared(name)) = habits.list(&at) else { return };
            for item in wanted {
                let Some(own) = item.get(name).and_then(Body::as_str).map(str::to_owned) else { continue };
                let of = |items: &Value| -> Option<Value> {
                    items.as_array()?.iter().find(|item| item[name] == own.as_str()).cloned()
                };
                if let Some(live) = of(live) {
                    leave(habits, &format!("{at}[]"), rest, item, &live, applied.and_then(of).as_ref());
                }
            }
        }
        (Some(there), false) => leave(habits, &at, rest, there, live, applied),
        (None, _) => {}
    }
}

/// An identity of the system's that somebody turned on beside the one we assign.
fn keep_identity(body: &mut Body, live: &Value) {
    let has = |text: &str, word: &str| text.split(',').any(|part| part.trim().eq_ignore_ascii_case(word));
    let there = live.pointer("/identity/type").and_then(Value::as_str).unwrap_or_default();
    if let Some(wanted) = body.at_mut("identity.type")
        && wanted.as_str() == Some("UserAssigned")
        && has(there, "SystemAssigned")
    {
        *wanted = Body::Kept("SystemAssigned,UserAssigned".into());
    }
}

/// Follows a path through body, live and applied at once, item by item where it names a list's items.
fn walk(habits: &Habits, at: &str, steps: &[&str], body: &mut Body, live: &Value, applied: Option<&Value>) {
    let [step, rest @ ..] = steps else { return };
    let (key, items) = step.strip_suffix("[]").map_or((*step, false), |key| (key, true));
    let at = if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    let Some(live) = live.get(key).filter(|live| !live.is_null()) else { return };
    let applied = applied.and_then(|applied| applied.get(key));
    let Body::Object(object) = body else { return };
    match (object.get_mut(key), rest.is_empty()) {
        (Some(there), true) => add(habits, &at, there, live, applied),
        (Some(Body::Array(wanted)), false) if items => {
            let Some(List::Keyed(name) | List::Shared(name)) = habits.list(&at) else { return };
            for item in wanted {
                let Some(own) = item.get(name).and_then(Body::as_str).map(str::to_owned) else { continue };
                let of = |items: &'_ Value| -> Option<Value> {
                    items.as_array()?.iter().find(|item| item[name] == own.as_str()).cloned()
                };
                if let Some(live) = of(live) {
                    walk(habits, &format!("{at}[]"), rest, item, &live, applied.and_then(of).as_ref());
                }
            }
        }
        (Some(there), false) => walk(habits, &at, rest, there, live, applied),
        // What is missing on the way is not ours to make up; what is missing at the end is somebody else's,
        // unless it was ours once.
        (None, true) if applied.is_none() => object.insert(key, Body::Kept(live.clone())),
        (None, _) => {}
    }
}

/// Adds to a part that is there what others have in it.
fn add(habits: &Habits, at: &str, there: &mut Body, live: &Value, applied: Option<&Value>) {
    match (there, live) {
        (Body::Object(object), Value::Object(live)) => {
            for (key, value) in live {
                let said = object.iter().any(|(there, _)| there.eq_ignore_ascii_case(key));
                let once = applied
                    .and_then(Value::as_object)
                    .is_some_and(|applied| applied.keys().any(|there| there.eq_ignore_ascii_case(key)));
                if !said && !once && !value.is_null() {
                    object.insert(key.clone(), Body::Kept(kept_value(at, value)));
                }
            }
        }
        (Body::Array(items), Value::Array(live)) => {
            let Some(List::Shared(name) | List::Keyed(name)) = habits.list(at) else { return };
            for value in live {
                let is = |other: Option<&str>| {
                    other
                        .zip(value[name].as_str())
                        .is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
                };
                let said = items.iter().any(|item| is(item.get(name).and_then(Body::as_str)));
                let once = applied
                    .and_then(Value::as_array)
                    .is_some_and(|applied| applied.iter().any(|item| is(item[name].as_str())));
                if !said && !once {
                    items.push(Body::Kept(value.clone()));
                }
            }
        }
        _ => {}
    }
}

/// An identity's ids are Azure's to fill in: it takes an empty object for "this one".
fn kept_value(at: &str, value: &Value) -> Value {
    match at {
        "identity.userAssignedIdentities" => Value::Object(serde_json::Map::new()),
        _ => value.clone(),
    }
}
