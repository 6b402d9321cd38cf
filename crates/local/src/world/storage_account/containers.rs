//! Blob containers in Resource Manager, made by whichever plane: properties, legal holds, immutability policies.
//!
//! Sources: `rest/storagerp/blob-containers`, `azure/storage/blobs/immutable-policy-configure-container-scope`.

use serde_json::{Value, json};

use crate::world::arm::kind::Call;
use crate::world::arm::refusal::Refusal;
use crate::world::blob::{self, HeldBy};
use crate::world::{Method, Response, World};

type Answer = Result<Response, Refusal>;

/// `blobServices/default/containers[/NAME[/…]]`.
pub(super) fn serve(world: &mut World, call: &Call) -> Answer {
    if world.arm.find(&call.id.key()).is_some_and(|found| found.state == "Creating") {
        return Err(Refusal::conflict(
            "StorageAccountIsNotProvisioned",
            "The storage account provisioning state must be 'Succeeded' before executing the operation.",
        ));
    }
    let Some(name) = call.rest.get(3) else { return list(world, call) };
    let rest: Vec<String> = call.rest[4..].iter().map(|word| word.to_ascii_lowercase()).collect();
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    match (call.request.method, rest.as_slice()) {
        (Method::Get | Method::Head, []) => find(world, call, name).map(|it| Response::json(200, &it)),
        (Method::Put | Method::Patch, []) => put(world, call, name),
        (Method::Delete, []) => delete(world, call, name),
        (Method::Post, ["setlegalhold"]) => hold(world, call, name, true),
        (Method::Post, ["clearlegalhold"]) => hold(world, call, name, false),
        (Method::Post, ["migrate"]) => {
            keep(world, call, name, |keeping| {
                keeping.versions = true;
                Ok(())
            })?;
            Ok(Response::empty(200))
        }
        (method, ["immutabilitypolicies", "default", action @ ..]) => {
            policy(world, call, name, method, action)
        }
        _ => Err(Refusal::new(405, "MethodNotAllowed", "A container does not take this method.")),
    }
}

fn missing() -> Refusal {
    Refusal::missing("ContainerNotFound", "The specified container does not exist.")
}

fn show(call: &Call, name: &str, properties: &Value) -> Value {
    json!({
        "id": format!("{}/blobServices/default/containers/{name}", call.id), "name": name,
        "type": "Microsoft.Storage/storageAccounts/blobServices/containers",
        "etag": properties["etag"], "properties": properties,
    })
}

fn find(world: &World, call: &Call, name: &str) -> Result<Value, Refusal> {
    let all = blob::containers(world, call.id.name());
    let found = all.into_iter().find(|(own, _)| own == name && !own.is_empty());
    found.map(|(name, it)| show(call, &name, &it)).ok_or_else(missing)
}

/// Pages by `$maxpagesize`, with `$filter=startswith(name, 'x')` and `$include=deleted`.
fn list(world: &World, call: &Call) -> Answer {
    let query = |name: &str| call.request.query(name).filter(|value| !value.is_empty());
    let mut all = blob::containers(world, call.id.name());
    if query("$include").is_some_and(|it| it.eq_ignore_ascii_case("deleted")) {
        all.extend(blob::deleted_containers(world, call.id.name()));
    }
    if let Some(filter) = query("$filter") {
        let prefix = filter.split('\'').nth(1).filter(|_| filter.trim().starts_with("startswith(name"));
        let wrong = || Refusal::bad("InvalidFilter", "Only startswith(name, 'prefix') filters containers.");
        let prefix = prefix.ok_or_else(wrong)?.to_owned();
        all.retain(|(name, _)| name.starts_with(&prefix));
    }
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    let from: usize = query("$skipToken").and_then(|token| token.parse().ok()).unwrap_or(0);
    let size: usize = query("$maxpagesize").and_then(|size| size.parse().ok()).unwrap_or(5000).clamp(1, 5000);
    let value: Vec<Value> = all.iter().skip(from).take(size).map(|(name, it)| show(call, name, it)).collect();
    let mut page = json!({"value": value});
    if from + size < all.len() {
        let kept = call.request.query.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("$skipToken"));
        let mut next = url::form_urlencoded::Serializer::new(String::new());
        next.extend_pairs(kept).append_pair("$skipToken", &(from + size).to_string());
        page["nextLink"] = json!(format!("{}{}?{}", call.request.origin, call.request.path, next.finish()));
    }
    Ok(Response::json(200, &page))
}

fn put(world: &mut World, call: &Call, name: &str) -> Answer {
    let account = call.id.name();
    if !blob::is_container_name(name) {
        return Err(Refusal::bad(
            "ContainerOperationFailure",
            "The specified resource name contains invalid characters. A container's name has 3 to 63 lower-case \
             letters, digits and single hyphens.",
        ));
    }
    if call.request.method == Method::Patch {
        find(world, call, name)?;
    }
    let mut properties = call.body["properties"].clone();
    if !properties.is_object() {
        properties = json!({});
    }
    let public = properties["publicAccess"].as_str().unwrap_or("None").to_ascii_lowercase();
    if !["none", "container", "blob"].contains(&public.as_str()) {
        return Err(super::rules::not_allowed("publicAccess", &public));
    }
    let own = world.arm.find(&call.id.key());
    if public != "none" && own.is_some_and(|it| it.properties()["allowBlobPublicAccess"] != true) {
        return Err(Refusal::conflict(
            "PublicAccessNotPermitted",
            "Public access is not permitted on this storage account.",
        ));
    }
    let created = blob::put_container(world, account, name, &properties);
    Ok(Response::json(if created { 201 } else { 200 }, &find(world, call, name)?))
}

fn delete(world: &mut World, call: &Call, name: &str) -> Answer {
    let there = blob::delete_container(world, call.id.name(), name)
        .map_err(|(status, code, message)| Refusal::new(status, code, message))?;
    Ok(Response::empty(if there { 200 } else { 204 }))
}

fn keep<T>(
    world: &mut World,
    call: &Call,
    name: &str,
    change: impl FnOnce(&mut HeldBy) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let (etag, keeping) = blob::keeping(world, call.id.name(), name).ok_or_else(missing)?;
    let done = change(keeping)?;
    if let Some(policy) = &mut keeping.policy {
        policy.etag = etag;
    }
    Ok(done)
}

/// Tags of legal holds, set or cleared.
fn hold(world: &mut World, call: &Call, name: &str, set: bool) -> Answer {
    let tags: Vec<String> = call.body["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_ascii_lowercase)
        .collect();
    let fits = |tag: &String| (3..=23).contains(&tag.len()) && tag.chars().all(|c| c.is_ascii_alphanumeric());
    if tags.is_empty() || tags.len() > 10 || !tags.iter().all(fits) {
        return Err(Refusal::bad(
            "InvalidRequestPropertyValue",
            "A legal hold has 1 to 10 tags of 3 to 23 letters and digits.",
        )
        .at("tags"));
    }
    let holds = keep(world, call, name, |keeping| {
        keeping.holds.retain(|held| !tags.contains(held));
        if set {
            keeping.holds.extend(tags);
        }
        Ok(keeping.holds.clone())
    })?;
    Ok(Response::json(200, &json!({"hasLegalHold": !holds.is_empty(), "tags": holds})))
}

/// The immutability policy of a container: made, locked, made longer, removed while it is unlocked.
fn policy(world: &mut World, call: &Call, name: &str, method: Method, action: &[&str]) -> Answer {
    let before = find(world, call, name)?["properties"]["immutabilityPolicy"].clone();
    let matches = call.request.header("if-match").map(str::to_owned);
    let sent = call.body["properties"].clone();
    let days = sent["immutabilityPeriodSinceCreationInDays"].as_i64();
    let unchanged = || -> Result<(), Refusal> {
        match (&matches, before["etag"].as_str()) {
            (Some(wanted), Some(etag))
                if wanted.trim_matches('"') != etag.trim_matches('"') && wanted != "*" =>
            {
                Err(Refusal::new(
                    412,
                    "ConditionNotMet",
                    "The condition specified using HTTP conditional header(s) is not met.",
                ))
            }
            (None, _) if !matches!((method, action), (Method::Put | Method::Get, [])) => {
                Err(Refusal::bad("MissingRequiredHeader", "The header If-Match is needed."))
            }
            _ => Ok(()),
        }
    };
    let wrong_state = || {
        Refusal::conflict(
            "OperationNotAllowedOnImmutabilityPolicy",
            "Operation not allowed on immutability policy with current state.",
        )
    };
    let absent =
        || Refusal::missing("ImmutabilityPolicyNotFound", "The container has no immutability policy.");
    let checked = |days: Option<i64>| {
        let fits = days.filter(|days| (1..=146_000).contains(days));
        fits.ok_or_else(|| {
            super::rules::not_allowed(
                "immutabilityPeriodSinceCreationInDays",
                &sent["immutabilityPeriodSinceCreationInDays"].to_string(),
            )
        })
    };
    unchanged()?;
    match (method, action) {
        (Method::Get, []) => {}
        (Method::Put, []) => {
            let days = checked(days)?;
            let flag = |name: &str| sent[name] == true;
            let (appends, all_appends) =
                (flag("allowProtectedAppendWrites"), flag("allowProtectedAppendWritesAll"));
            keep(world, call, name, |keeping| {
                let policy = keeping.policy.get_or_insert_default();
                if policy.locked {
                    return Err(wrong_state());
                }
                (policy.days, policy.appends, policy.all_appends) = (days, appends, all_appends);
                Ok(())
            })?;
        }
        (Method::Delete, []) => {
            keep(world, call, name, |keeping| match keeping.policy.take_if(|policy| !policy.locked) {
                Some(_) => Ok(()),
                None if keeping.policy.is_some() => Err(wrong_state()),
                None => Err(absent()),
            })?;
        }
        (Method::Post, ["lock"]) => keep(world, call, name, |keeping| {
            keeping.policy.as_mut().ok_or_else(absent)?.locked = true;
            Ok(())
        })?,
        (Method::Post, ["extend"]) => {
            let days = checked(days)?;
            keep(world, call, name, |keeping| {
                let policy = keeping.policy.as_mut().ok_or_else(absent)?;
                if !policy.locked || days < policy.days {
                    return Err(wrong_state());
                }
                policy.days = days;
                Ok(())
            })?;
        }
        _ => {
            return Err(Refusal::new(
                405,
                "MethodNotAllowed",
                "An immutability policy does not take this method.",
            ));
        }
    }
    let properties = find(world, call, name)?["properties"]["immutabilityPolicy"].clone();
    let none = json!({"properties": {"immutabilityPeriodSinceCreationInDays": 0, "state": "Unlocked"}});
    let told = if properties.is_null() { none } else { properties };
    let etag = told["etag"].clone();
    let body = json!({
        "id": format!("{}/blobServices/default/containers/{name}/immutabilityPolicies/default", call.id),
        "name": "default", "etag": etag, "properties": told["properties"],
        "type": "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies",
    });
    Ok(Response::json(200, &body).with("etag", etag.as_str().unwrap_or_default()))
}
