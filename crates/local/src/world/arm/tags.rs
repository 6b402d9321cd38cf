//! Tags: their limits, and the tags resource, `…/providers/Microsoft.Resources/tags/default`.

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
        if let Some(sign) = name.chars().find(|c| "<>%&\\?/".contains(*c)) {
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
        Method::Post => return Err(Refusal::new(405, "MethodNotAllowed", "Tags take no POST.")),
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
