//! Lists: ARM's own of resources and groups, and those of one type; filtered, cut into pages, and only what the
//! caller may read.

use serde_json::{Map, Value, json};

use super::filter::Filter;
use super::gate::authorize;
use super::id::Id;
use super::refusal::Refusal;
use super::{Answer, Ask, Resource, groups, resources, stamp};
use crate::world::access::{self, Act};
use crate::world::{Method, Request, Response, World};

/// ARM's page.
const PAGE_MAX: usize = 1000;

/// `…/resources` of a subscription or group, and `…/resourceGroups`.
pub(super) fn serve(world: &mut World, ask: &Ask) -> Option<Answer> {
    let (id, path) = (&ask.path.id, ask.path);
    if ask.request.method != Method::Get || id.subscription.is_none() {
        return None;
    }
    if path.rest_is(&["resources"]) {
        return Some(every(world, ask));
    }
    if id.group.is_none() && path.rest_is(&["resourceGroups"]) {
        return Some(all_groups(world, ask));
    }
    None
}

fn all_groups(world: &World, ask: &Ask) -> Answer {
    let kind = "Microsoft.Resources/resourceGroups";
    let filter = filter(ask, &["tagName", "tagValue", "name", "startswith", "substringof"])?;
    let may = readable(world, ask, "Microsoft.Resources/subscriptions/resourceGroups/read")?;
    let found: Vec<Value> = world
        .arm
        .of_kind(kind)
        .filter(|group| may(&group.id))
        .filter(|group| fits(filter.as_ref(), group))
        .map(groups::show)
        .collect();
    page(ask, found)
}

/// `…/resources`: tracked resources with what ARM itself knows of them.
fn every(world: &World, ask: &Ask) -> Answer {
    if ask.path.id.group.is_some() {
        groups::must_exist(world, &ask.path.id)?;
    }
    let filter = filter(
        ask,
        &[
            "resourceType",
            "resourceGroup",
            "name",
            "location",
            "tagName",
            "tagValue",
            "identity",
            "identity/principalId",
            "plan",
            "plan/publisher",
            "plan/product",
            "plan/name",
            "plan/version",
            "plan/promotionCode",
            "startswith",
            "substringof",
            "contains",
        ],
    )?;
    let may = readable(world, ask, "Microsoft.Resources/subscriptions/resources/read")?;
    let expand = ask.request.query("$expand").unwrap_or_default().to_ascii_lowercase();
    let found: Vec<Value> = world
        .arm
        .below(&ask.path.id)
        .map(|(_, resource)| resource)
        .filter(|resource| tracked(resource) && resource.listed_from <= world.now)
        .filter(|resource| fits(filter.as_ref(), resource) && may(&resource.id))
        .map(|resource| brief(world, resource, &expand))
        .collect();
    page(ask, found)
}

/// Children and extension resources are no part of ARM's list.
fn tracked(resource: &Resource) -> bool {
    matches!(resource.id.stretches.as_slice(), [own] if own.parts.len() == 1)
        && !resource.kind.eq_ignore_ascii_case("Microsoft.Authorization/locks")
}

fn brief(world: &World, resource: &Resource, expand: &str) -> Value {
    let whole = resources::view(world, resource);
    let mut shown = Map::new();
    for key in
        ["id", "name", "type", "location", "sku", "kind", "identity", "managedBy", "tags", "zones", "plan"]
    {
        if let Some(value) = whole.get(key) {
            shown.insert(key.into(), value.clone());
        }
    }
    if expand.contains("createdtime") {
        shown.insert("createdTime".into(), json!(stamp(resource.system.created_at)));
    }
    if expand.contains("changedtime") {
        shown.insert("changedTime".into(), json!(stamp(resource.system.modified_at)));
    }
    if expand.contains("provisioningstate") {
        shown.insert("provisioningState".into(), json!(resource.state));
    }
    Value::Object(shown)
}

/// All of a type in a subscription or group: `…/providers/NAMESPACE/TYPE`.
pub(super) fn of_type(world: &World, ask: &Ask, kind: &str) -> Answer {
    let action = format!("{kind}/read");
    let may = readable(world, ask, &action)?;
    let found: Vec<Value> = world
        .arm
        .below(&ask.path.id)
        .map(|(_, resource)| resource)
        .filter(|resource| resource.kind.eq_ignore_ascii_case(kind) && may(&resource.id))
        .map(|resource| resources::view(world, resource))
        .collect();
    page(ask, found)
}

/// Children or extensions of one kind directly below a resource.
pub(super) fn children(world: &World, ask: &Ask, kind: &str) -> Answer {
    let own = ask.path.id.key();
    let found: Vec<Value> = world
        .arm
        .below(&ask.path.id)
        .map(|(_, resource)| resource)
        .filter(|resource| resource.kind.eq_ignore_ascii_case(kind))
        .filter(|resource| resource.id.parent().unwrap_or_else(|| resource.id.scope()).key() == own)
        .map(|resource| resources::view(world, resource))
        .collect();
    page(ask, found)
}

/// What of a list the caller may see: all with the right over the list's scope; else what it may read itself;
/// without any role in the subscription, nothing but a refusal.
fn readable<'a>(
    world: &'a World,
    ask: &'a Ask,
    action: &'a str,
) -> Result<impl Fn(&Id) -> bool + use<'a>, Refusal> {
    let oid = ask.caller.object_id.as_str();
    let all = access::allows(world, oid, Act::Control(action), &ask.path.id.to_string());
    if !all && !access::has_any(world, oid) {
        authorize(world, ask.caller, action, &ask.path.id)?;
    }
    Ok(move |id: &Id| {
        all || access::allows(world, oid, Act::Control(&format!("{}/read", id.kind())), &id.to_string())
    })
}

fn filter(ask: &Ask, known: &[&str]) -> Result<Option<Filter>, Refusal> {
    let Some(text) = ask.request.query("$filter").map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let refused = || {
        Refusal::bad(
            "InvalidFilterInQueryString",
            format!("Invalid $filter '{text}' specified in the query string."),
        )
    };
    let filter = Filter::parse(text).ok_or_else(refused)?;
    let all = filter.names().iter().all(|name| known.iter().any(|known| known.eq_ignore_ascii_case(name)));
    if all { Ok(Some(filter)) } else { Err(refused()) }
}

/// Whether a resource fits a filter. A tag's name and value belong together: `tagName eq 'a' and tagValue eq 'b'`.
fn fits(filter: Option<&Filter>, resource: &Resource) -> bool {
    let Some(filter) = filter else { return true };
    let none = Map::new();
    let tags = resource.body["tags"].as_object().unwrap_or(&none);
    let with_tag = |tag: Option<(&String, &Value)>| {
        filter.fits(
            &|name| match name.to_ascii_lowercase().as_str() {
                "resourcetype" => Some(resource.kind.clone()),
                "resourcegroup" => resource.id.group.clone(),
                "name" => Some(resource.id.name().to_owned()),
                "location" => Some(resource.location()),
                "identity/principalid" => Some(resource.text("/identity/principalId").to_owned()),
                "tagname" => tag.map(|(name, _)| name.clone()),
                "tagvalue" => tag.map(|(_, value)| value.as_str().unwrap_or_default().to_owned()),
                other => {
                    resource.body.pointer(&format!("/{other}")).and_then(Value::as_str).map(str::to_owned)
                }
            },
            &|_, _| false,
        )
    };
    if tags.is_empty() { with_tag(None) } else { tags.iter().any(|tag| with_tag(Some(tag))) }
}

/// One page of a list by `$top` and `$skiptoken`, with `nextLink` when there is more.
pub(crate) fn page(ask: &Ask, found: Vec<Value>) -> Answer {
    paged(ask.request, found)
}

/// The same for whoever has the request in hand.
pub(crate) fn paged(request: &Request, mut found: Vec<Value>) -> Answer {
    let number = |name: &str| -> Result<Option<usize>, Refusal> {
        match request.query(name) {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| {
                Refusal::bad(
                    "InvalidQueryParameterValue",
                    format!("The value '{text}' of the query parameter '{name}' is not a valid number."),
                )
            }),
        }
    };
    let top = number("$top")?.filter(|top| *top > 0).unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let skip = number("$skiptoken")?.unwrap_or(0).min(found.len());
    let more = found.len() > skip + top;
    let value: Vec<Value> = found.drain(skip..).take(top).collect();
    let mut body = json!({"value": value});
    if more {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (key, value) in &request.query {
            if !key.eq_ignore_ascii_case("$skiptoken") {
                query.append_pair(key, value);
            }
        }
        query.append_pair("$skiptoken", &(skip + top).to_string());
        body["nextLink"] = json!(format!("{}{}?{}", request.origin, request.path, query.finish()));
    }
    Ok(Response::json(200, &body))
}
