//! Webhooks: which of what happens in a registry they are about, and what they would be sent.
//!
//! Source: `learn.microsoft.com/azure/container-registry/container-registry-webhook-reference`.

use serde_json::{Value, json};

use super::super::arm::kind::{Call, Change, Rules};
use super::super::arm::refusal::Refusal;
use super::super::arm::{Resource, default, stamp, take};
use super::super::checks::{list, one_of, text};
use super::super::{Method, Response, World};
use super::children;

pub(super) const WEBHOOK: &str = "Microsoft.ContainerRegistry/registries/webhooks";
const ACTIONS: [&str; 5] = ["push", "delete", "quarantine", "chart_push", "chart_delete"];
/// Azure tells of as many.
const EVENTS_MAX: usize = 100;

/// Something that happened to an image.
#[derive(Clone, Debug)]
pub(crate) struct Happening<'a> {
    /// `push` or `delete`.
    pub(crate) action: &'static str,
    pub(crate) repository: &'a str,
    /// `None` for what is pushed or deleted by digest.
    pub(crate) tag: Option<&'a str>,
    pub(crate) digest: &'a str,
    pub(crate) media_type: &'a str,
    pub(crate) size: usize,
    /// Id of the request that did it, its verb, host and client.
    pub(crate) request: &'a super::super::Request,
}

#[derive(Debug)]
pub(super) struct Webhooks;

impl Rules for Webhooks {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        children::room(world, change, "webhooks")?;
        let body = &mut change.body;
        let invalid = |path: &str, message: String| Refusal::bad("InvalidParameter", message).at(path);
        if let Some(uri) = take(body, "properties.serviceUri") {
            let sound = uri.as_str().and_then(|uri| url::Url::parse(uri).ok());
            if !sound.is_some_and(|uri| ["http", "https"].contains(&uri.scheme()) && uri.has_host()) {
                return Err(Refusal::bad(
                    "WebhookServiceUriInvalid",
                    format!("The service URI {uri} of the webhook is no address of http or https."),
                ));
            }
            secret(&mut change.private, "serviceUri", uri);
        } else if change.current.is_none() {
            return Err(invalid("properties.serviceUri", "A webhook needs a serviceUri.".into()));
        }
        if let Some(headers) = take(body, "properties.customHeaders") {
            secret(&mut change.private, "customHeaders", headers);
        }
        let actions = list(body, "properties.actions");
        let known = |action: &Value| action.as_str().is_some_and(|action| ACTIONS.contains(&action));
        if actions.is_empty() || !actions.iter().all(known) {
            return Err(invalid(
                "properties.actions",
                format!("A webhook needs actions, each one of {}.", ACTIONS.join(", ")),
            ));
        }
        one_of(body, "properties.status", &["enabled", "disabled"], |value| {
            invalid("properties.status", format!("The status '{value}' is neither enabled nor disabled."))
        })?;
        default(body, "properties.status", json!("enabled"));
        default(body, "properties.scope", json!(""));
        Ok(())
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method != Method::Post {
            return None;
        }
        match call.rest.as_slice() {
            [word] if word.eq_ignore_ascii_case("getCallbackConfig") => {
                let own = world.arm.find(&call.id.key())?;
                let headers = &own.private["customHeaders"];
                let mut shown = json!({"serviceUri": own.private["serviceUri"]});
                if headers.is_object() {
                    shown["customHeaders"] = headers.clone();
                }
                Some(Ok(Response::json(200, &shown)))
            }
            [word] if word.eq_ignore_ascii_case("listEvents") => {
                let own = world.arm.find(&call.id.key())?;
                let events = own.private["events"].as_array().cloned().unwrap_or_default();
                Some(Ok(Response::json(200, &json!({"value": events}))))
            }
            [word] if word.eq_ignore_ascii_case("ping") => {
                let id = world.chance.uuid("webhook ping").to_string();
                let content = json!({"id": id, "timestamp": stamp(world.now), "action": "ping"});
                record(world, &call.id.key(), &id, content);
                Some(Ok(Response::json(200, &json!({"id": id}))))
            }
            _ => None,
        }
    }
}

fn secret(private: &mut Value, name: &str, value: Value) {
    if !private.is_object() {
        *private = json!({});
    }
    private[name] = value;
}

/// Tells the webhooks of a registry that are about it.
pub(crate) fn happened(world: &mut World, registry: &str, what: &Happening<'_>) {
    let Some(registry) = super::by_name(world, registry) else { return };
    let hooks: Vec<String> = world
        .arm
        .below(&registry.id)
        .filter(|(_, child)| children::is_child_of(child, registry) && wants(child, what))
        .map(|(key, _)| key.clone())
        .collect();
    let host = text(&registry.body, "properties.loginServer").to_owned();
    for hook in hooks {
        let id = world.chance.uuid("webhook event").to_string();
        let mut target = json!({"mediaType": what.media_type, "size": what.size, "digest": what.digest,
            "length": what.size, "repository": what.repository});
        if let Some(tag) = what.tag {
            target["tag"] = json!(tag);
        }
        let content = json!({
            "id": id, "timestamp": stamp(world.now), "action": what.action, "target": target,
            "request": {"id": what.request.id, "host": host,
                "method": format!("{:?}", what.request.method).to_ascii_uppercase(),
                "useragent": what.request.header("user-agent").unwrap_or_default()},
        });
        record(world, &hook, &id, content);
    }
}

/// Whether a webhook is on and about this action and this repository: its scope is empty, `*`, `repository`,
/// `repository:tag`, or either with a `*` at the end.
fn wants(hook: &Resource, what: &Happening<'_>) -> bool {
    let actions = list(&hook.body, "properties.actions");
    let scope = text(&hook.body, "properties.scope");
    let fits = |pattern: &str, name: &str| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    };
    let (repository, tag) = scope.split_once(':').unwrap_or((scope, "*"));
    hook.kind == WEBHOOK
        && text(&hook.body, "properties.status") == "enabled"
        && actions.iter().any(|action| action == what.action)
        && (scope.is_empty()
            || (fits(repository, what.repository) && fits(tag, what.tag.unwrap_or_default())))
}

/// Keeps an event, newest first, with the message that Azure would send.
fn record(world: &mut World, hook: &str, id: &str, content: Value) {
    let Some(found) = world.arm.find_mut(hook) else { return };
    let mut headers = found.private["customHeaders"].as_object().cloned().unwrap_or_default();
    headers.insert("Content-Type".into(), json!("application/json; charset=utf-8"));
    let event = json!({"id": id, "eventRequestMessage": {
        "content": content, "headers": headers, "method": "POST",
        "requestUri": found.private["serviceUri"], "version": "1.1"}});
    let events = match &mut found.private["events"] {
        Value::Array(events) => events,
        other => {
            *other = json!([]);
            other.as_array_mut().expect("it was made one now")
        }
    };
    events.insert(0, event);
    events.truncate(EVENTS_MAX);
}
