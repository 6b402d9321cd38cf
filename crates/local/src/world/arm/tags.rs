//! Tags: their limits, the tags resource (`…/providers/Microsoft.Resources/tags/default`), and the names and values
//! that are used or were made beforehand (`…/tagNames`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::gate::{authorize, object};
use super::id::Id;
use super::refusal::Refusal;
use super::{Answer, Ask, World, locks, resources};
use crate::world::{Method, Response};

/// Most tags of one resource, group or subscription.
const COUNT_MAX: usize = 50;

/// Refuses tags that ARM refuses: more than 50, names over 512 or with `<>%&\?/`, values over 256 or no text.
pub fn check(tags: &Value) -> Result<(), Refusal> {
    let tags = match tags {
        Value::Null => return Ok(()),
        Value::Object(tags) => tags,
        _ => return Err(wrong_shape()),
    };
    if tags.len() > COUNT_MAX {
        return Err(Refusal::bad(
            "TooManyTags",
            format!("The number of tags '{}' exceeds the maximum of '{COUNT_MAX}' per resource.", tags.len()),
        ));
    }
    for (name, value) in tags {
        if name.chars().count() > 512 || name.is_empty() {
            return Err(Refusal::bad(
                "InvalidTagNameLength",
                format!("The tag name '{name}' is invalid. Tag names have 1 to 512 characters."),
            ));
        }
        // portals and availability tests link resources by such names, which have an id in them
        let links = name.starts_with("hidden-");
        if let Some(sign) =
            name.chars().find(|c| "<>%&\\?/".contains(*c)).filter(|sign| !links || *sign != '/')
        {
            return Err(Refusal::bad(
                "InvalidTagNameCharacters",
                format!(
                    "The tag name '{name}' has the character '{sign}'; tag names cannot have any of '<,>,%,&,\\,?,/'."
                ),
            ));
        }
        match value {
            Value::String(value) if value.chars().count() > 256 => {
                return Err(Refusal::bad(
                    "InvalidTagValueLength",
                    format!(
                        "Tag value too large. Following tag value '{value}' exceeded the maximum length of 256."
                    ),
                ));
            }
            Value::String(_) | Value::Null => {}
            _ => return Err(wrong_shape()),
        }
    }
    Ok(())
}

fn wrong_shape() -> Refusal {
    Refusal::bad(
        "InvalidRequestContent",
        "The request content was invalid and could not be deserialized: 'tags must be an object of texts'.",
    )
}

/// `…/tagNames`, `…/tagNames/NAME`, `…/tagNames/NAME/tagValues/VALUE` of the subscription.
pub(super) fn names(world: &mut World, ask: &Ask) -> Option<Answer> {
    let (id, path) = (&ask.path.id, ask.path);
    let words: Vec<&str> = path.rest.iter().map(String::as_str).collect();
    let is = |at: usize, word: &str| words.get(at).is_some_and(|it| it.eq_ignore_ascii_case(word));
    if id.group.is_some() || !is(0, "tagNames") || !matches!(words.len(), 1 | 2 | 4) {
        return None;
    }
    if words.len() == 4 && !is(2, "tagValues") {
        return None;
    }
    let value = words.get(3).map(|value| (*value).to_owned());
    Some(match words.get(1) {
        None => list_names(world, ask),
        Some(name) => change_name(world, ask, name, value),
    })
}

/// How often each value of each tag name is used, with those that were made beforehand.
fn used(world: &World) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut all: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for (name, values) in &world.arm.tag_names {
        let own = all.entry(name.clone()).or_default();
        own.extend(values.iter().map(|value| (value.clone(), 0)));
    }
    for (name, value) in
        world.arm.resources.values().filter_map(|found| found.body["tags"].as_object()).flatten()
    {
        let known = all.keys().find(|known| known.eq_ignore_ascii_case(name)).unwrap_or(name).clone();
        *all.entry(known).or_default().entry(value.as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    all
}

fn list_names(world: &World, ask: &Ask) -> Answer {
    if !ask.reads() {
        return Err(Refusal::new(405, "MethodNotAllowed", "The list of tag names can only be read."));
    }
    authorize(world, ask.caller, "Microsoft.Resources/subscriptions/tagNames/read", &ask.path.id)?;
    let shown = used(world).iter().map(|(name, values)| show_name(world, name, values)).collect();
    super::lists::page(ask, shown)
}

fn show_name(world: &World, name: &str, values: &BTreeMap<String, u64>) -> Value {
    let base = format!("/subscriptions/{}/tagNames/{name}", world.config.subscription);
    let count = |number: u64| json!({"type": "Total", "value": number});
    json!({
        "id": base,
        "tagName": name,
        "count": count(values.values().sum()),
        "values": values.iter().map(|(value, number)| show_value(&base, value, *number)).collect::<Vec<_>>(),
    })
}

fn show_value(base: &str, value: &str, number: u64) -> Value {
    json!({"id": format!("{base}/tagValues/{value}"), "tagValue": value, "count": {"type": "Total", "value": number}})
}

fn change_name(world: &mut World, ask: &Ask, name: &str, value: Option<String>) -> Answer {
    let verb = if ask.request.method == Method::Delete { "delete" } else { "write" };
    let part = if value.is_some() { "tagNames/tagValues" } else { "tagNames" };
    authorize(world, ask.caller, &format!("Microsoft.Resources/subscriptions/{part}/{verb}"), &ask.path.id)?;
    check(&json!({name: value.clone().unwrap_or_default()}))?;
    let known = world.arm.tag_names.keys().find(|known| known.eq_ignore_ascii_case(name)).cloned();
    let name = known.clone().unwrap_or_else(|| name.to_owned());
    let base = format!("/subscriptions/{}/tagNames/{name}", world.config.subscription);
    let values = used(world).remove(&name).unwrap_or_default();
    match (ask.request.method, value) {
        (Method::Put, None) => {
            world.arm.tag_names.entry(name.clone()).or_default();
            Ok(Response::json(if known.is_some() { 200 } else { 201 }, &show_name(world, &name, &values)))
        }
        (Method::Put, Some(value)) => {
            let Some(own) = world.arm.tag_names.get_mut(&name) else { return Err(no_name(&name)) };
            let new = own.insert(value.clone());
            let number = values.get(&value).copied().unwrap_or(0);
            Ok(Response::json(if new { 201 } else { 200 }, &show_value(&base, &value, number)))
        }
        (Method::Delete, None) => {
            if values.values().any(|number| *number > 0) {
                let text = format!("The tag '{name}' is in use: remove it from its resources first.");
                return Err(Refusal::conflict("TagNameInUse", text));
            }
            if !values.is_empty() {
                let text = format!("The tag '{name}' has values: remove them first.");
                return Err(Refusal::conflict("TagNameHasValues", text));
            }
            let gone = world.arm.tag_names.remove(&name).is_some();
            Ok(Response::empty(if gone { 200 } else { 204 }))
        }
        (Method::Delete, Some(value)) => {
            if values.get(&value).is_some_and(|number| *number > 0) {
                let text = format!("The value '{value}' of the tag '{name}' is in use: remove it first.");
                return Err(Refusal::conflict("TagValueInUse", text));
            }
            let gone = world.arm.tag_names.get_mut(&name).is_some_and(|own| own.remove(&value));
            Ok(Response::empty(if gone { 200 } else { 204 }))
        }
        _ => Err(Refusal::new(405, "MethodNotAllowed", "Tag names take PUT and DELETE.")),
    }
}

fn no_name(name: &str) -> Refusal {
    Refusal::missing("TagNameNotFound", format!("The tag name '{name}' was not found: make it first."))
}

/// Serves the tags resource of a subscription, group or resource.
pub(super) fn serve(world: &mut World, ask: &Ask) -> Option<Answer> {
    let own = &ask.path.id;
    if !own.kind().eq_ignore_ascii_case("Microsoft.Resources/tags")
        || !own.name().eq_ignore_ascii_case("default")
        || !ask.path.rest.is_empty()
    {
        return None;
    }
    Some(answer(world, ask, &own.scope()))
}

fn answer(world: &mut World, ask: &Ask, scope: &Id) -> Answer {
    let verb = match ask.request.method {
        Method::Get | Method::Head => "read",
        Method::Delete => "delete",
        _ => "write",
    };
    authorize(world, ask.caller, &format!("Microsoft.Resources/tags/{verb}"), scope)?;
    let Some(mut tags) = of(world, scope) else { return Err(resources::not_there(scope)) };
    if verb != "read" {
        locks::permit(world, scope, false)?;
    }
    match ask.request.method {
        Method::Get | Method::Head => {}
        Method::Put => {
            let body = object(ask.body)?;
            tags = body["properties"]["tags"].as_object().cloned().unwrap_or_default();
        }
        Method::Patch => {
            let body = object(ask.body)?;
            let sent = body["properties"]["tags"].as_object().cloned().unwrap_or_default();
            match body["operation"].as_str().unwrap_or("Replace").to_ascii_lowercase().as_str() {
                "replace" => tags = sent,
                "merge" => {
                    for (name, value) in sent {
                        let name = spelled(&tags, &name);
                        tags.insert(name, value);
                    }
                }
                "delete" => {
                    for (name, value) in sent {
                        let name = spelled(&tags, &name);
                        if tags.get(&name) == Some(&value) {
                            tags.shift_remove(&name);
                        }
                    }
                }
                other => {
                    return Err(Refusal::bad(
                        "InvalidTagsPatchOperation",
                        format!(
                            "The tags patch operation '{other}' is invalid: Replace, Merge or Delete is."
                        ),
                    ));
                }
            }
        }
        Method::Delete => tags = Map::new(),
        Method::Post | Method::Options => {
            return Err(Refusal::new(405, "MethodNotAllowed", "Tags take no POST."));
        }
    }
    if verb != "read" {
        check(&Value::Object(tags.clone()))?;
        set(world, scope, &tags);
    }
    if ask.request.method == Method::Delete {
        return Ok(Response::empty(200));
    }
    Ok(Response::json(
        200,
        &json!({
            "id": format!("{scope}/providers/Microsoft.Resources/tags/default"),
            "name": "default", "type": "Microsoft.Resources/tags", "properties": {"tags": tags},
        }),
    ))
}

/// The name as it is already there: tag names compare without case.
fn spelled(tags: &Map<String, Value>, name: &str) -> String {
    tags.keys().find(|known| known.eq_ignore_ascii_case(name)).cloned().unwrap_or_else(|| name.to_owned())
}

fn of(world: &World, scope: &Id) -> Option<Map<String, Value>> {
    if scope.stretches.is_empty() && scope.group.is_none() {
        return Some(
            world.arm.subscription_tags.iter().map(|(key, value)| (key.clone(), json!(value))).collect(),
        );
    }
    world.arm.find(&scope.key()).map(|found| found.body["tags"].as_object().cloned().unwrap_or_default())
}

fn set(world: &mut World, scope: &Id, tags: &Map<String, Value>) {
    if scope.stretches.is_empty() && scope.group.is_none() {
        world.arm.subscription_tags = tags
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
    } else if let Some(found) = world.arm.find_mut(&scope.key()) {
        found.body["tags"] = Value::Object(tags.clone());
    }
}
