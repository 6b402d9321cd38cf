//! Shared access signatures: of an account, of one container or blob, and by a principal's delegation key.
//!
//! Sources: `rest/api/storageservices/create-account-sas`, `create-service-sas`, `create-user-delegation-sas`,
//! `define-stored-access-policy`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::refusal::{refuse, unauthenticated};
use super::{Ask, auth, shared_key};
use crate::world::arm::refusal::Refusal;
use crate::world::{Response, World, chance, storage_account};

/// What a signature allows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grant {
    /// `srt` of an account's signature.
    pub(super) types: Option<String>,
    /// `sp`, or that of the stored policy.
    pub(super) permissions: String,
    /// The principal whose rights are lent.
    pub(super) delegator: Option<String>,
    /// It is for a whole container, or a folder of it.
    pub(super) whole: bool,
}

/// A stored access policy of a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Policy {
    pub(super) id: String,
    pub(super) start: Option<String>,
    pub(super) expiry: Option<String>,
    pub(super) permission: Option<String>,
}

/// Reads and checks the signature in a request's address.
pub(super) fn open(world: &World, ask: &Ask<'_>) -> Result<Grant, Response> {
    let query = |name: &str| ask.request.query(name).unwrap_or_default();
    let delegator = ask.request.query("skoid").map(str::to_owned);
    if delegator.is_none() {
        auth::keys_allowed(world, ask)?;
    }
    let mut policy = Policy::default();
    if let Some(id) = ask.request.query("si") {
        let stored = ask.container(world).ok().and_then(|it| it.policies.iter().find(|one| one.id == id));
        let Some(stored) = stored else {
            return Err(unauthenticated(&format!("There is no stored access policy '{id}'.")));
        };
        policy = stored.clone();
    }
    let either = |name: &str, stored: &Option<String>| {
        ask.request.query(name).map(str::to_owned).or_else(|| stored.clone()).unwrap_or_default()
    };
    let (start, expiry) = (either("st", &policy.start), either("se", &policy.expiry));
    let permissions = either("sp", &policy.permission);
    let signature = query("sig");
    let types = ask.request.query("srt").map(str::to_owned);
    let texts = if types.is_some() { account_texts(ask) } else { service_texts(ask) };
    let good = match &delegator {
        None => texts.iter().any(|text| shared_key::signed(world, ask.account, text, signature)),
        Some(oid) => {
            let given = ["sktid", "skt", "ske", "sks", "skv"].map(query);
            let key = delegation_key(world, ask, oid, given);
            let known = world.entra.principals.contains_key(oid.as_str());
            known && texts.iter().any(|text| shared_key::fits(&key, text, signature))
        }
    };
    if !good {
        return Err(unauthenticated(&format!(
            "Signature did not match. String to sign used was {}",
            texts.first().map(String::as_str).unwrap_or_default()
        )));
    }
    in_time(world, &start, &expiry)?;
    if delegator.is_some() {
        in_time(world, query("skt"), query("ske"))?;
    }
    if types.is_some() && !query("ss").contains('b') {
        return Err(refuse(
            403,
            "AuthorizationServiceMismatch",
            "This request is not authorized to perform this operation using this service.",
        ));
    }
    if let Some(range) = ask.request.query("sip").filter(|range| !range.is_empty())
        && !auth::covers(range)
    {
        return Err(refuse(
            403,
            "AuthorizationSourceIPMismatch",
            "This request is not authorized to perform this operation using this source IP.",
        ));
    }
    if let Some(protocol) = ask.request.query("spr").filter(|protocol| !protocol.is_empty()) {
        match protocol {
            "https" | "https,http" => {}
            _ => return Err(unauthenticated("The signed protocol is neither 'https' nor 'https,http'.")),
        }
    }
    let whole = matches!(query("sr"), "c" | "d");
    Ok(Grant { types, permissions, delegator, whole })
}

/// Refuses outside of a time, whose end must be said.
fn in_time(world: &World, start: &str, expiry: &str) -> Result<(), Response> {
    let now = world.now;
    let outside = || {
        unauthenticated(&format!(
            "Signature not valid in the specified time frame: Start [{start}] - Expiry [{expiry}] - Current [{}]",
            super::http_date(now)
        ))
    };
    let begun = match start {
        "" => true,
        start => time(start).ok_or_else(outside)? <= now,
    };
    let ends = time(expiry).ok_or_else(outside)?;
    if begun && now < ends { Ok(()) } else { Err(outside()) }
}

/// ISO 8601 as signatures have it: a day, or a time in UTC to the minute, the second or less.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let bare = text.strip_suffix('Z').unwrap_or(text);
    let whole = match bare.len() {
        10 => format!("{bare}T00:00:00Z"),
        16 => format!("{bare}:00Z"),
        _ => format!("{bare}Z"),
    };
    whole.parse().ok()
}

fn account_texts(ask: &Ask<'_>) -> Vec<String> {
    let query = |name: &str| ask.request.query(name).unwrap_or_default();
    let values = ["sp", "ss", "srt", "st", "se", "sip", "spr", "sv", "ses"].map(query);
    vec![account_text(ask.account, &values)]
}

fn account_text(account: &str, values: &[&str; 9]) -> String {
    let [fields @ .., scope] = values;
    let mut text = format!("{account}\n{}\n", fields.join("\n"));
    if values[7] >= "2020-12-06" {
        text.push_str(&format!("{scope}\n"));
    }
    text
}

/// What may have been signed: versions added fields, and clients differ in when they began to sign them.
fn service_texts(ask: &Ask<'_>) -> Vec<String> {
    let query = |name: &str| ask.request.query(name).unwrap_or_default().to_owned();
    let version = query("sv");
    let base = format!("/blob/{}/{}", ask.account, ask.container);
    let resource = match query("sr").as_str() {
        "c" => base,
        "d" => {
            let depth = query("sdd").parse::<usize>().unwrap_or(0);
            let folders: Vec<&str> = ask.blob.split('/').take(depth).collect();
            if folders.len() < depth {
                return Vec::new();
            }
            format!("{base}/{}", folders.join("/")).trim_end_matches('/').to_owned()
        }
        _ => format!("{base}/{}", ask.blob),
    };
    let moment = match query("sr").as_str() {
        "bs" => query("snapshot"),
        "bv" => query("versionid"),
        _ => String::new(),
    };
    let mut texts = Vec::new();
    let delegated = ask.request.query("skoid").is_some();
    for extra in [true, false] {
        for signed in [true, false] {
            let mut lines = vec![query("sp"), query("st"), query("se"), resource.clone()];
            if delegated {
                lines.extend(["skoid", "sktid", "skt", "ske", "sks", "skv"].map(query));
                if version.as_str() >= "2020-02-10" {
                    lines.extend(["saoid", "suoid", "scid"].map(query));
                }
                if extra && version.as_str() >= "2025-07-05" {
                    lines.extend(["skdutid", "sduoid"].map(query));
                }
            } else {
                lines.push(query("si"));
            }
            lines.extend(["sip", "spr", "sv"].map(query));
            if version.as_str() >= "2018-11-09" {
                lines.extend([query("sr"), moment.clone()]);
            }
            if version.as_str() >= "2020-12-06" {
                lines.push(query("ses"));
            }
            if delegated && signed && version.as_str() >= "2025-07-05" {
                lines.extend([signed_headers(ask), signed_parameters(ask)]);
            }
            lines.extend(["rscc", "rscd", "rsce", "rscl", "rsct"].map(query));
            let text = lines.join("\n");
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
    }
    texts
}

/// Headers that a signature binds, `name:value` a line, with a line's end behind the last.
fn signed_headers(ask: &Ask<'_>) -> String {
    let names = ask.request.query("srh").unwrap_or_default();
    let value = |name: &str| ask.request.header(&name.to_ascii_lowercase()).unwrap_or_default();
    pairs(names, value).map(|pair| pair + "\n").collect()
}

/// Query parameters that a signature binds, the same with a line's end before the first.
fn signed_parameters(ask: &Ask<'_>) -> String {
    let names = ask.request.query("srq").unwrap_or_default();
    pairs(names, |name| ask.request.query(name).unwrap_or_default()).map(|pair| format!("\n{pair}")).collect()
}

/// Names are percent-encoded on their own, between commas.
fn pairs<'a>(names: &'a str, value: impl Fn(&str) -> &'a str + 'a) -> impl Iterator<Item = String> + 'a {
    let names = names.split(',').filter(|name| !name.is_empty()).map(crate::world::http::decode);
    names.map(move |name| format!("{name}:{}", value(&name)))
}

/// The key that signs for a principal: known from what it was asked with, so that none is kept.
pub(super) fn delegation_key(world: &World, ask: &Ask<'_>, oid: &str, signed: [&str; 5]) -> String {
    let revocations = world.blobs.accounts.get(ask.account).map_or(0, |account| account.revocations);
    let created = super::resource(world, ask.account)
        .and_then(|account| account.properties()["creationTime"].as_str())
        .unwrap_or_default();
    let purpose = format!("delegation key {} {created} {oid} {}", ask.scope, signed.join(" "));
    STANDARD.encode(chance::digest(world.config.seed, &purpose, revocations))
}

/// Resource Manager revokes all user delegation keys of an account.
pub(crate) fn revoke_delegation_keys(world: &mut World, account: &str) {
    world.blobs.accounts.entry(account.to_ascii_lowercase()).or_default().revocations += 1;
}

/// `ListAccountSas`: a signature made by Resource Manager.
///
/// # Errors
/// What is missing.
pub(crate) fn account_token(world: &World, account: &str, body: &Value) -> Result<String, Refusal> {
    let need = |name: &str| needed(body, name);
    let (permissions, services) = (need("signedPermission")?, need("signedServices")?);
    let (types, expiry) = (need("signedResourceTypes")?, need("signedExpiry")?);
    let start = body["signedStart"].as_str().map(seconds).unwrap_or_default();
    let expiry = seconds(&expiry);
    let (ip, protocol) = (text(body, "signedIp"), text(body, "signedProtocol"));
    let version = "2015-04-05";
    let values =
        [&permissions, &services, &types, &start, &expiry, &ip, &protocol, version, ""].map(|it: &str| it);
    let signature = shared_key::sign(&key(world, account, body)?, &account_text(account, &values));
    Ok(query_of(&[
        ("sv", version),
        ("ss", &services),
        ("srt", &types),
        ("sp", &permissions),
        ("se", &expiry),
        ("st", &start),
        ("sip", &ip),
        ("spr", &protocol),
        ("sig", &signature),
    ]))
}

/// `ListServiceSas`: a signature of one container or blob made by Resource Manager.
///
/// # Errors
/// What is missing.
pub(crate) fn service_token(world: &World, account: &str, body: &Value) -> Result<String, Refusal> {
    let resource = needed(body, "canonicalizedResource")?;
    let kind = needed(body, "signedResource")?;
    let time = |name: &str| body[name].as_str().map(seconds).unwrap_or_default();
    let (start, expiry) = (time("signedStart"), time("signedExpiry"));
    let [permissions, id, ip, protocol] =
        ["signedPermission", "signedIdentifier", "signedIp", "signedProtocol"].map(|name| text(body, name));
    let [rscc, rscd, rsce, rscl, rsct] =
        ["rscc", "rscd", "rsce", "rscl", "rsct"].map(|name| text(body, name));
    let version = "2015-04-05";
    let lines = [
        &permissions,
        &start,
        &expiry,
        &resource,
        &id,
        &ip,
        &protocol,
        version,
        &rscc,
        &rscd,
        &rsce,
        &rscl,
        &rsct,
    ]
    .map(|it: &str| it);
    let signature = shared_key::sign(&key(world, account, body)?, &lines.join("\n"));
    Ok(query_of(&[
        ("sv", version),
        ("sr", &kind),
        ("si", &id),
        ("st", &start),
        ("se", &expiry),
        ("sp", &permissions),
        ("sip", &ip),
        ("spr", &protocol),
        ("rscc", &rscc),
        ("rscd", &rscd),
        ("rsce", &rsce),
        ("rscl", &rscl),
        ("rsct", &rsct),
        ("sig", &signature),
    ]))
}

fn needed(body: &Value, name: &str) -> Result<String, Refusal> {
    let given = body[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    given.ok_or_else(|| {
        Refusal::bad("InvalidRequestPropertyValue", format!("The value of the property '{name}' is missing."))
            .at(name)
    })
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_default().to_owned()
}

/// A time without what is less than a second.
fn seconds(text: &str) -> String {
    match text.parse::<Timestamp>().ok().or_else(|| time(text)) {
        Some(at) => at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        None => text.to_owned(),
    }
}

fn key(world: &World, account: &str, body: &Value) -> Result<String, Refusal> {
    let name = body["keyToSign"].as_str().unwrap_or("key1");
    let found = storage_account::by_name(world, account).map(storage_account::keys).unwrap_or_default();
    let at = usize::from(name.eq_ignore_ascii_case("key2"));
    if !["key1", "key2"].iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return Err(Refusal::bad("InvalidKeyName", format!("'{name}' is no key: key1 and key2 are.")));
    }
    found.into_iter().nth(at).ok_or_else(|| Refusal::missing("ResourceNotFound", "The account has no keys."))
}

fn query_of(pairs: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
    query.finish()
}
