//! Small checks that many services make of a body, in one place.

use serde_json::{Value, json};

use super::World;
use super::arm::id::Id;
use super::arm::refusal::Refusal;
use super::arm::{Resource, at, put};

/// A text by dotted path; empty without.
pub(super) fn text<'a>(body: &'a Value, path: &str) -> &'a str {
    at(body, path).and_then(Value::as_str).unwrap_or_default()
}

/// A list by dotted path; empty without.
pub(super) fn list<'a>(body: &'a Value, path: &str) -> &'a [Value] {
    at(body, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A text that must be one of `allowed` when it is there; written as `allowed` spells it.
///
/// # Errors
/// What `refuse` makes of the wrong value.
pub(super) fn one_of(
    body: &mut Value,
    path: &str,
    allowed: &[&str],
    refuse: impl FnOnce(&str) -> Refusal,
) -> Result<(), Refusal> {
    let Some(value) = at(body, path).filter(|value| !value.is_null()) else { return Ok(()) };
    let sent = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match allowed.iter().find(|known| known.eq_ignore_ascii_case(&sent)) {
        Some(known) => put(body, path, json!(known)),
        None => return Err(refuse(&sent)),
    }
    Ok(())
}

/// A whole number that must lie between two when it is there.
///
/// # Errors
/// What `refuse` makes of the wrong value.
pub(super) fn between(
    body: &Value,
    path: &str,
    range: std::ops::RangeInclusive<i64>,
    refuse: impl FnOnce(&str) -> Refusal,
) -> Result<(), Refusal> {
    match at(body, path).filter(|value| !value.is_null()) {
        Some(value) if !value.as_i64().is_some_and(|number| range.contains(&number)) => {
            Err(refuse(&value.to_string()))
        }
        _ => Ok(()),
    }
}

/// The resource that an id in a body names, when it is there and of a type.
pub(super) fn named<'a>(world: &'a World, id: &str, kind: &str) -> Option<&'a Resource> {
    let id = Id::parse(id)?;
    world.arm.find(&id.key()).filter(|found| found.kind.eq_ignore_ascii_case(kind))
}

/// The first resource elsewhere whose body names `id` or something below it.
pub(super) fn user<'a>(world: &'a World, id: &Id) -> Option<&'a Resource> {
    users(world, id).next()
}

/// All resources whose bodies name another one or a part of it.
pub(super) fn users<'a>(world: &'a World, id: &Id) -> impl Iterator<Item = &'a Resource> {
    let key = id.key();
    let below = format!("{key}/");
    world.arm.resources.values().filter(move |resource| {
        let other = resource.id.key();
        let own = other == key || other.starts_with(&below) || key.starts_with(&format!("{other}/"));
        !resource.id.stretches.is_empty() && !own && names(&resource.body, &key, &below)
    })
}

fn names(value: &Value, key: &str, below: &str) -> bool {
    let fits = |text: &str| {
        text.starts_with('/') && {
            let text = text.to_ascii_lowercase();
            text == key || text.starts_with(below)
        }
    };
    match value {
        Value::String(text) => fits(text),
        Value::Array(list) => list.iter().any(|value| names(value, key, below)),
        Value::Object(map) => map.iter().any(|(name, value)| fits(name) || names(value, key, below)),
        _ => false,
    }
}

/// A key as services show them: base64 of so many bytes.
pub(super) fn key(world: &mut World, purpose: &str, bytes: usize) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(world.chance.bytes(purpose, bytes))
}
