//! Operations on the account: its kind, the service's properties, user delegation keys.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::auth::Who;
use super::refusal::{bad_xml, refuse};
use super::xml::{Element, element};
use super::{Ask, Right, resource, sas, xml};
use crate::world::arm::put;
use crate::world::{Body, Method, Response, World};

/// Longest life of a user delegation key.
const KEY_LIFE: SignedDuration = SignedDuration::from_hours(24 * 7);

/// `Get Account Information`.
pub(super) fn account(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    if matches!(ask.who, Who::Anybody) || ask.container.is_empty() {
        ask.may(world, Right::AccountInfo)?;
    }
    let account = resource(world, ask.account);
    let text = |pointer: &str| account.map(|it| it.text(pointer).to_owned()).unwrap_or_default();
    let hns = account.is_some_and(|account| account.properties()["isHnsEnabled"] == true);
    Ok(Response::empty(200)
        .with("x-ms-sku-name", text("/sku/name"))
        .with("x-ms-account-kind", text("/kind"))
        .with("x-ms-is-hns-enabled", hns.to_string()))
}

/// Refuses what the secondary of an account does not do: it is there for accounts that may be read from it, and is
/// read only.
pub(super) fn secondary(world: &World, ask: &Ask<'_>) -> Result<(), Response> {
    let sku = resource(world, ask.account).map(|it| it.text("/sku/name").to_owned()).unwrap_or_default();
    if !sku.contains("RA") {
        return Err(refuse(404, "ResourceNotFound", "The specified resource does not exist."));
    }
    if matches!(ask.request.method, Method::Get | Method::Head) {
        return Ok(());
    }
    Err(refuse(
        403,
        "InsufficientAccountPermissions",
        "Write operations are not allowed on the secondary location.",
    ))
}

/// `Get Blob Service Stats`: how far the secondary is behind, told by the secondary only.
pub(super) fn stats(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::ReadService)?;
    if !ask.request.origin.contains("-secondary.") {
        return Err(super::bad_query("comp"));
    }
    let synced = element("LastSyncTime", &super::http_date(world.now));
    Ok(xml::response(
        200,
        &format!(
            "<StorageServiceStats><GeoReplication><Status>live</Status>{synced}</GeoReplication></StorageServiceStats>"
        ),
    ))
}

/// The parts of the properties that local Azure only keeps, and what they are before anybody sets them.
const KEPT: [(&str, &str); 4] = [
    (
        "Logging",
        "<Logging><Version>1.0</Version><Delete>false</Delete><Read>false</Read><Write>false</Write><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></Logging>",
    ),
    (
        "HourMetrics",
        "<HourMetrics><Version>1.0</Version><Enabled>false</Enabled><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></HourMetrics>",
    ),
    (
        "MinuteMetrics",
        "<MinuteMetrics><Version>1.0</Version><Enabled>false</Enabled><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></MinuteMetrics>",
    ),
    ("StaticWebsite", "<StaticWebsite><Enabled>false</Enabled></StaticWebsite>"),
];

/// `Get Blob Service Properties`.
pub(super) fn get(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::ReadService)?;
    let kept = world.blobs.accounts.get(ask.account).map(|account| &account.service);
    let part = |name: &str| {
        let default = KEPT.iter().find(|(known, _)| *known == name).map_or("", |(_, default)| default);
        kept.and_then(|kept| kept.get(name)).map_or(default, String::as_str).to_owned()
    };
    let service = resource(world, ask.account)
        .and_then(|account| crate::world::storage_account::blob_service(world, account))
        .cloned()
        .unwrap_or_default();
    let rules = service["cors"]["corsRules"].as_array().cloned().unwrap_or_default();
    let rule = |rule: &Value| {
        let list = |name: &str| {
            let all = rule[name].as_array().into_iter().flatten().filter_map(Value::as_str);
            all.collect::<Vec<_>>().join(",")
        };
        format!(
            "<CorsRule>{}{}{}{}{}</CorsRule>",
            element("AllowedOrigins", &list("allowedOrigins")),
            element("AllowedMethods", &list("allowedMethods")),
            element("AllowedHeaders", &list("allowedHeaders")),
            element("ExposedHeaders", &list("exposedHeaders")),
            element("MaxAgeInSeconds", &rule["maxAgeInSeconds"].to_string()),
        )
    };
    let cors: String = rules.iter().map(rule).collect();
    let policy = &service["deleteRetentionPolicy"];
    let retention = match policy["days"].as_i64().filter(|_| policy["enabled"] == true) {
        Some(days) => format!("<Enabled>true</Enabled><Days>{days}</Days>"),
        None => "<Enabled>false</Enabled>".to_owned(),
    };
    let version = service["defaultServiceVersion"].as_str();
    let version = version.map(|version| element("DefaultServiceVersion", version)).unwrap_or_default();
    Ok(xml::response(
        200,
        &format!(
            "<StorageServiceProperties>{}{}{}<Cors>{cors}</Cors>{version}<DeleteRetentionPolicy>{retention}</DeleteRetentionPolicy>{}</StorageServiceProperties>",
            part("Logging"),
            part("HourMetrics"),
            part("MinuteMetrics"),
            part("StaticWebsite"),
        ),
    ))
}

/// `Set Blob Service Properties`: what is not sent stays.
pub(super) fn set(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::WriteService)?;
    let sent = document(ask)?;
    if sent.name != "StorageServiceProperties" {
        return Err(bad_xml());
    }
    let bad_node = || {
        refuse(400, "InvalidXmlNodeValue", "The value for one of the XML nodes is not in the correct format.")
    };
    let mut changed: Vec<(&str, Value)> = Vec::new();
    for part in &sent.children {
        match part.name.as_str() {
            "Cors" => {
                let mut rules = Vec::new();
                for rule in &part.children {
                    let list = |name: &str| {
                        let text = rule.text_of(name).unwrap_or_default();
                        text.split(',')
                            .map(str::trim)
                            .filter(|it| !it.is_empty())
                            .map(str::to_owned)
                            .collect::<Vec<_>>()
                    };
                    let age: i64 =
                        rule.text_of("MaxAgeInSeconds").unwrap_or("0").parse().map_err(|_| bad_node())?;
                    if list("AllowedOrigins").is_empty() || list("AllowedMethods").is_empty() {
                        return Err(bad_node());
                    }
                    rules.push(json!({
                        "allowedOrigins": list("AllowedOrigins"), "allowedMethods": list("AllowedMethods"),
                        "allowedHeaders": list("AllowedHeaders"), "exposedHeaders": list("ExposedHeaders"),
                        "maxAgeInSeconds": age,
                    }));
                }
                if rules.len() > 5 {
                    return Err(bad_xml());
                }
                changed.push(("cors", json!({"corsRules": rules})));
            }
            "DeleteRetentionPolicy" => {
                let enabled = part.text_of("Enabled") == Some("true");
                let mut policy = json!({"enabled": enabled, "allowPermanentDelete": false});
                if enabled {
                    let days = part.text_of("Days").and_then(|days| days.parse::<i64>().ok());
                    let days = days.filter(|days| (1..=365).contains(days)).ok_or_else(bad_node)?;
                    policy["days"] = json!(days);
                }
                changed.push(("deleteRetentionPolicy", policy));
            }
            "Logging" | "HourMetrics" | "MinuteMetrics" => {
                let retention =
                    part.child("RetentionPolicy").filter(|it| it.text_of("Enabled") == Some("true"));
                let days = retention.map(|it| it.text_of("Days").and_then(|days| days.parse::<i64>().ok()));
                if days.is_some_and(|days| !days.is_some_and(|days| (1..=365).contains(&days))) {
                    return Err(bad_node());
                }
            }
            "DefaultServiceVersion" => changed.push(("defaultServiceVersion", json!(part.text))),
            _ => {}
        }
    }
    let id = resource(world, ask.account).map(|account| account.id.child("blobServices", "default").key());
    if let Some(service) = id.and_then(|id| world.arm.find_mut(&id)) {
        for (name, value) in changed {
            put(&mut service.body, &format!("properties.{name}"), value);
        }
    }
    let account = ask.account_mut(world);
    for part in &sent.children {
        if KEPT.iter().any(|(known, _)| *known == part.name) {
            account.service.insert(part.name.clone(), part.to_string());
        }
    }
    Ok(Response::empty(202))
}

/// `Get User Delegation Key`.
pub(super) fn delegation_key(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::DelegationKey)?;
    let Who::Principal(oid) = &ask.who else { return Err(super::rights::failed()) };
    let sent = document(ask)?;
    if sent.name != "KeyInfo" {
        return Err(bad_xml());
    }
    let node = |name: &str| {
        let message = "The value for one of the XML nodes is not in the correct format.";
        refuse(400, "InvalidXmlNodeValue", &format!("{message} ({name})"))
    };
    let expiry = sent.text_of("Expiry").and_then(sas::time).ok_or_else(|| node("Expiry"))?;
    let start = match sent.text_of("Start").filter(|start| !start.is_empty()) {
        Some(start) => sas::time(start).ok_or_else(|| node("Start"))?,
        None => world.now,
    };
    let delegated = sent.text_of("DelegatedUserTid").filter(|it| !it.is_empty());
    let longest = world.now.saturating_add(KEY_LIFE).unwrap_or(expiry);
    if expiry <= world.now || expiry > longest || start > longest || start >= expiry {
        return Err(node("Expiry"));
    }
    let stamp = |at: jiff::Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let version = ask.header("x-ms-version").unwrap_or("2018-11-09");
    let (start, expiry) = (stamp(start), stamp(expiry));
    let tenant = &world.config.tenant;
    let value = sas::delegation_key(world, ask, oid, [tenant, &start, &expiry, "b", version]);
    Ok(xml::response(
        200,
        &format!(
            "<UserDelegationKey>{}{}{}{}{}{}{}{}</UserDelegationKey>",
            element("SignedOid", oid),
            element("SignedTid", tenant),
            element("SignedStart", &start),
            element("SignedExpiry", &expiry),
            element("SignedService", "b"),
            element("SignedVersion", version),
            delegated.map(|tenant| element("SignedDelegatedUserTid", tenant)).unwrap_or_default(),
            element("Value", &value),
        ),
    ))
}

/// The body as XML.
pub(super) fn document(ask: &Ask<'_>) -> Result<Element, Response> {
    match &ask.request.body {
        Body::Bytes(bytes) => std::str::from_utf8(bytes).ok().and_then(xml::read).ok_or_else(bad_xml),
        Body::Empty | Body::Stored(_) => Err(bad_xml()),
    }
}
