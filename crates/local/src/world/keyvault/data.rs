//! Key Vault's data plane, 7.4 and later: secrets with versions, attributes, soft delete, pages; keys and certificates by
//! their own modules; the 401 that tells clients where to get a token; access by role or by policy; the firewall.

use serde_json::{Value, json};

use super::secrets::{self, Secret, Version};
use super::{by_name, certificates, keys};
use crate::world::access::{self, Act};
use crate::world::arm::Resource;
use crate::world::arm::id::Path;
use crate::world::arm::refusal::Refusal;
use crate::world::entra::{self, Unfit};
use crate::world::{Body, Method, Request, Response, World};

/// Without `maxresults`.
const PAGE: usize = 25;

/// What somebody does with secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Deed {
    Get,
    List,
    Set,
    Update,
    Delete,
    Recover,
    Purge,
    Backup,
    Restore,
}

impl Deed {
    /// Data action, and permission of an access policy.
    fn rights(self) -> (&'static str, &'static str) {
        match self {
            Deed::Get => ("Microsoft.KeyVault/vaults/secrets/getSecret/action", "get"),
            Deed::List => ("Microsoft.KeyVault/vaults/secrets/readMetadata/action", "list"),
            Deed::Set => ("Microsoft.KeyVault/vaults/secrets/setSecret/action", "set"),
            Deed::Update => ("Microsoft.KeyVault/vaults/secrets/update/action", "set"),
            Deed::Delete => ("Microsoft.KeyVault/vaults/secrets/delete", "delete"),
            Deed::Recover => ("Microsoft.KeyVault/vaults/secrets/recover/action", "recover"),
            Deed::Purge => ("Microsoft.KeyVault/vaults/secrets/purge/action", "purge"),
            Deed::Backup => ("Microsoft.KeyVault/vaults/secrets/backup/action", "backup"),
            Deed::Restore => ("Microsoft.KeyVault/vaults/secrets/restore/action", "restore"),
        }
    }
}

/// Answers a request to a vault.
pub(crate) fn handle(world: &mut World, vault: &str, request: &Request) -> Response {
    serve(world, vault, request).unwrap_or_else(error)
}

/// Key Vault's error body: what [`Refusal::target`] holds is its inner code.
fn error(refusal: Refusal) -> Response {
    let mut body = json!({"error": {"code": refusal.code, "message": refusal.message}});
    if let Some(inner) = &refusal.target {
        body["error"]["innererror"] = json!({"code": inner});
    }
    let mut response = Response::json(refusal.status, &body);
    response.headers.extend(refusal.headers);
    response
}

fn serve(world: &mut World, name: &str, request: &Request) -> Result<Response, Refusal> {
    // a name without a vault does not resolve on Azure; until a new one's does, neither does it
    let vault = by_name(world, name).filter(|vault| vault.state != "Creating").cloned().ok_or_else(|| {
        Refusal::missing(
            "VaultNotFound",
            format!("There is no vault '{name}' here: on Azure this name would not resolve."),
        )
    })?;
    let claims = authenticate(world, request)?;
    match request.query("api-version") {
        None | Some("") => {
            return Err(Refusal::bad("BadParameter", "api-version must be specified"));
        }
        Some(version) if version.starts_with("2016") || version.starts_with("2015") => {
            return Err(Refusal::bad(
                "BadParameter",
                format!("The api-version '{version}' is not supported."),
            ));
        }
        Some(_) => {}
    }
    firewall(&vault, &claims)?;
    let body = body(request)?;
    let path = Path::parse(&request.path);
    let segments: Vec<&str> = path.rest.iter().map(String::as_str).collect();
    let lower: Vec<String> = segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let key = name.to_ascii_lowercase();
    let base = request.origin.clone();
    let oid = claims.oid.as_str();
    let may = |world: &World, deed: Deed, secret: &str| permit(world, &vault, oid, deed, secret);
    match (request.method, lower.as_slice()) {
        (Method::Get, ["secrets"]) => {
            may(world, Deed::List, "")?;
            let found: Vec<Value> = all(world, &key)
                .filter(|secret| secret.deleted.is_none())
                .filter_map(|secret| {
                    secret.versions.last().map(|last| item(&base, &vault, secret, last, false))
                })
                .collect();
            page(request, found)
        }
        (Method::Get, ["secrets", secret, "versions"]) => {
            may(world, Deed::List, secret)?;
            let found: Vec<Value> = all(world, &key)
                .filter(|it| it.deleted.is_none() && it.name.eq_ignore_ascii_case(secret))
                .flat_map(|it| it.versions.iter().rev().map(|version| item(&base, &vault, it, version, true)))
                .collect();
            if found.is_empty() {
                return Err(secrets::not_found(segments[1]));
            }
            page(request, found)
        }
        (Method::Post, ["secrets", "restore"]) => {
            may(world, Deed::Restore, "")?;
            let name = restore(world, &key, &body)?;
            let version = secrets::find(world, &key, &name, None)?;
            Ok(Response::json(200, &bundle(world, &base, &vault, &key, &name, version, false)))
        }
        (Method::Post, ["secrets", secret, "backup"]) => {
            may(world, Deed::Backup, secret)?;
            secrets::find(world, &key, segments[1], None)?;
            Ok(Response::json(200, &json!({"value": backup(world, &key, secret)})))
        }
        (Method::Get, ["secrets", secret]) => {
            may(world, Deed::Get, secret)?;
            let version = secrets::read(world, &key, segments[1], None)?;
            Ok(Response::json(200, &bundle(world, &base, &vault, &key, secret, version, true)))
        }
        (Method::Get, ["secrets", secret, version]) => {
            may(world, Deed::Get, secret)?;
            let version = secrets::read(world, &key, segments[1], Some(version))?;
            Ok(Response::json(200, &bundle(world, &base, &vault, &key, secret, version, true)))
        }
        (Method::Put, ["secrets", secret]) => {
            may(world, Deed::Set, secret)?;
            let id = secrets::set(world, &key, segments[1], &body)?;
            let version = secrets::find(world, &key, segments[1], Some(&id))?;
            Ok(Response::json(200, &bundle(world, &base, &vault, &key, secret, version, true)))
        }
        (Method::Patch, ["secrets", secret] | ["secrets", secret, _]) => {
            may(world, Deed::Update, secret)?;
            let id = secrets::update(world, &key, segments[1], segments.get(2).copied(), &body)?;
            let version = secrets::find(world, &key, segments[1], Some(&id))?;
            Ok(Response::json(200, &bundle(world, &base, &vault, &key, secret, version, false)))
        }
        (Method::Delete, ["secrets", secret]) => {
            may(world, Deed::Delete, secret)?;
            secrets::delete(world, &key, segments[1])?;
            Ok(Response::json(200, &deleted_bundle(world, &base, &vault, &key, secret)))
        }
        (Method::Get, ["deletedsecrets"]) => {
            may(world, Deed::List, "")?;
            let names: Vec<String> = all(world, &key)
                .filter(|it| it.deleted.as_ref().is_some_and(|deleted| deleted.visible_from <= world.now))
                .map(|it| it.name.to_ascii_lowercase())
                .collect();
            let found = names.iter().map(|name| deleted_item(world, &base, &vault, &key, name)).collect();
            page(request, found)
        }
        (Method::Get, ["deletedsecrets", secret]) => {
            may(world, Deed::Get, secret)?;
            secrets::find_deleted(world, &key, segments[1])?;
            Ok(Response::json(200, &deleted_bundle(world, &base, &vault, &key, secret)))
        }
        (Method::Post, ["deletedsecrets", secret, "recover"]) => {
            may(world, Deed::Recover, secret)?;
            secrets::recover(world, &key, segments[1])?;
            let version = secrets::last(world, &key, segments[1]);
            let version = version.ok_or_else(|| secrets::not_found(segments[1]))?;
            Ok(Response::json(200, &bundle(world, &base, &vault, &key, secret, version, false)))
        }
        (Method::Delete, ["deletedsecrets", secret]) => {
            may(world, Deed::Purge, secret)?;
            secrets::purge(world, &key, segments[1])?;
            Ok(Response::empty(204))
        }
        (_, ["certificates" | "deletedcertificates", ..]) => {
            certificates::serve(world, &vault, oid, request, &segments, &body)
        }
        (_, ["keys" | "deletedkeys", ..]) => keys::serve(world, &vault, oid, request, &segments, &body),
        (_, ["secrets" | "deletedsecrets", ..]) => {
            Err(Refusal::new(405, "MethodNotAllowed", "The vault does not take this method here."))
        }
        _ => Err(Refusal::missing("NotFound", format!("There is nothing at '{}' in a vault.", request.path))),
    }
}

fn all<'a>(world: &'a World, vault: &str) -> impl Iterator<Item = &'a Secret> + use<'a> {
    world.vaults.live.get(vault).into_iter().flat_map(|contents| contents.secrets.values())
}

fn authenticate(world: &World, request: &Request) -> Result<entra::Claims, Refusal> {
    let config = &world.config;
    let challenge = format!(
        "Bearer authorization=\"{}/{}\", resource=\"https://vault.localhost:{}\"",
        config.origin(),
        config.tenant,
        config.port
    );
    let refuse = |message: &str| {
        Refusal::new(401, "Unauthorized", message).with("www-authenticate", challenge.clone())
    };
    let token = request
        .header("authorization")
        .and_then(entra::bearer_of)
        .ok_or_else(|| refuse("AKV10000: Request is missing a Bearer or PoP token."))?;
    entra::verify(world, token, &entra::vault_audiences(config)).map_err(|unfit| match unfit {
        Unfit::Audience { got } => {
            refuse(&format!("AKV10022: Invalid audience. Expected https://vault.localhost:{}, found: {got}.", config.port))
        }
        Unfit::Expired { .. } => refuse("[TokenExpired] Error validating token: the token is expired."),
        Unfit::Tenant { got } => refuse(&format!(
            "AKV10032: Invalid issuer. Expected one of https://sts.windows.net/{}/, found https://sts.windows.net/{got}/.",
            config.tenant
        )),
        Unfit::NotYet | Unfit::Malformed => {
            refuse("[BearerReadAccessTokenFailed] Error occurred while reading the access token.")
        }
    })
}

/// Whether a vault's network rules let the caller in: every client of local Azure comes from 127.0.0.1.
fn firewall(vault: &Resource, claims: &entra::Claims) -> Result<(), Refusal> {
    let properties = vault.properties();
    let caller = format!("Caller: appid={};oid={}", claims.appid, claims.oid);
    let place = format!("Vault: {};location={}", vault.id.name(), vault.location());
    if properties["publicNetworkAccess"]
        .as_str()
        .is_some_and(|access| access.eq_ignore_ascii_case("Disabled"))
    {
        let message = format!(
            "Public network access is disabled and request is not from a trusted service nor via an approved private \
             link.\r\n{caller}\r\n{place}"
        );
        return Err(Refusal::new(403, "Forbidden", message).at("ForbiddenByConnection"));
    }
    let rules = &properties["networkAcls"];
    let denies = rules["defaultAction"].as_str().is_some_and(|action| action.eq_ignore_ascii_case("Deny"));
    let listed = rules["ipRules"].as_array().into_iter().flatten().filter_map(|rule| rule["value"].as_str());
    let listed = listed.into_iter().any(takes_loopback);
    if denies && !listed {
        let message = format!(
            "Client address is not authorized and caller is not a trusted service.\r\nClient address: 127.0.0.1\r\n\
             {caller}\r\n{place}"
        );
        return Err(Refusal::new(403, "Forbidden", message).at("ForbiddenByFirewall"));
    }
    Ok(())
}

/// Whether an address or a range of `ipRules` holds 127.0.0.1.
fn takes_loopback(range: &str) -> bool {
    let (address, bits) = range.split_once('/').unwrap_or((range, "32"));
    let (Ok(address), Ok(bits)) = (address.parse::<std::net::Ipv4Addr>(), bits.parse::<u32>()) else {
        return false;
    };
    let mask = u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0);
    u32::from(address) & mask == u32::from(std::net::Ipv4Addr::LOCALHOST) & mask
}

/// Whether a principal may do something with a vault's secrets, by role or by policy as the vault says.
///
/// # Errors
/// 403 in Key Vault's words.
pub fn permit(
    world: &World,
    vault: &Resource,
    principal: &str,
    deed: Deed,
    secret: &str,
) -> Result<(), Refusal> {
    permit_part(world, vault, principal, deed.rights(), "secrets", secret)
}

/// The same for one of a vault's parts, `secrets` or `certificates`, by data action and permission.
pub(super) fn permit_part(
    world: &World,
    vault: &Resource,
    principal: &str,
    (action, permission): (&str, &str),
    part: &str,
    secret: &str,
) -> Result<(), Refusal> {
    let known = world.entra.principals.get(principal);
    let client = known.map(|known| known.client_id.as_str()).unwrap_or_default();
    let caller =
        format!("appid={client};oid={principal};iss=https://sts.windows.net/{}/", world.config.tenant);
    let place = format!("{};location={}", vault.id.name(), vault.location());
    if vault.properties()["enableRbacAuthorization"] == true {
        let scope = match secret {
            "" => vault.id.to_string(),
            secret => format!("{}/{part}/{secret}", vault.id),
        };
        if access::allows(world, principal, Act::Data(action), &scope) {
            return Ok(());
        }
        let message = format!(
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role \
             definitions were changed recently, please observe propagation time.\r\nCaller: {caller}\r\nAction: \
             '{action}'\r\nResource: '{}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \
             \r\nVault: {place}\r\n",
            scope.to_ascii_lowercase()
        );
        return Err(Refusal::new(403, "Forbidden", message).at("ForbiddenByRbac"));
    }
    let allowed = vault.properties()["accessPolicies"].as_array().into_iter().flatten().any(|policy| {
        policy["objectId"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(principal))
            && policy["permissions"][part].as_array().into_iter().flatten().filter_map(Value::as_str).any(
                |given| {
                    given.eq_ignore_ascii_case(permission)
                        || (given.eq_ignore_ascii_case("all") && permission != "purge")
                },
            )
    });
    if allowed {
        return Ok(());
    }
    let message = format!(
        "The user, group or application '{caller}' does not have {part} {permission} permission on key vault \
         '{place}'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287"
    );
    Err(Refusal::new(403, "Forbidden", message).at("ForbiddenByPolicy"))
}

fn body(request: &Request) -> Result<Value, Refusal> {
    match &request.body {
        Body::Empty => Ok(Value::Null),
        Body::Bytes(bytes) if bytes.is_empty() => Ok(Value::Null),
        Body::Bytes(bytes) => serde_json::from_slice(bytes)
            .map(|value: Value| crate::world::arm::without_nulls(&value))
            .map_err(|_| Refusal::bad("BadParameter", "The request body is not valid JSON.")),
        Body::Stored(_) => {
            Err(Refusal::new(413, "RequestEntityTooLarge", "The request body is larger than a vault takes."))
        }
    }
}

fn bundle(
    world: &World,
    base: &str,
    vault: &Resource,
    key: &str,
    secret: &str,
    version: &Version,
    with_value: bool,
) -> Value {
    let name =
        all(world, key).find(|it| it.name.eq_ignore_ascii_case(secret)).map_or(secret, |it| it.name.as_str());
    let mut shown = json!({});
    if with_value {
        shown["value"] = json!(version.value.0);
    }
    if let Some(kind) = &version.content_type {
        shown["contentType"] = json!(kind);
    }
    shown["id"] = json!(format!("{base}/secrets/{name}/{}", version.id));
    shown["attributes"] = version.attributes(Some(vault));
    shown["tags"] = json!(version.tags);
    if let Some(kid) = &version.key {
        shown["kid"] = json!(kid);
        shown["managed"] = json!(true);
    }
    shown
}

fn item(base: &str, vault: &Resource, secret: &Secret, version: &Version, with_version: bool) -> Value {
    let id = if with_version { format!("/{}", version.id) } else { String::new() };
    let mut shown = json!({"id": format!("{base}/secrets/{}{id}", secret.name),
                           "attributes": version.attributes(Some(vault)), "tags": version.tags});
    if let Some(kind) = &version.content_type {
        shown["contentType"] = json!(kind);
    }
    if let Some(kid) = &version.key {
        shown["kid"] = json!(kid);
        shown["managed"] = json!(true);
    }
    shown
}

fn deleted_bundle(world: &World, base: &str, vault: &Resource, key: &str, name: &str) -> Value {
    let Some(secret) = all(world, key).find(|it| it.name.eq_ignore_ascii_case(name)) else {
        return Value::Null;
    };
    let Some(last) = secret.versions.last() else { return Value::Null };
    let mut shown = bundle(world, base, vault, key, name, last, false);
    if let Some(deleted) = &secret.deleted {
        shown["recoveryId"] = json!(format!("{base}/deletedsecrets/{}", secret.name));
        shown["deletedDate"] = json!(deleted.at.as_second());
        shown["scheduledPurgeDate"] = json!(deleted.purged.as_second());
    }
    shown
}

fn deleted_item(world: &World, base: &str, vault: &Resource, key: &str, name: &str) -> Value {
    let mut shown = deleted_bundle(world, base, vault, key, name);
    if let Some(secret) = all(world, key).find(|it| it.name.eq_ignore_ascii_case(name)) {
        shown["id"] = json!(format!("{base}/secrets/{}", secret.name));
    }
    shown
}

fn backup(world: &World, key: &str, name: &str) -> String {
    use base64::Engine as _;
    let secret = all(world, key).find(|it| it.name.eq_ignore_ascii_case(name));
    let text = serde_json::to_string(&secret).unwrap_or_default();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

fn restore(world: &mut World, key: &str, body: &Value) -> Result<String, Refusal> {
    use base64::Engine as _;
    let bad = || Refusal::bad("BadParameter", "Backup blob contains invalid or corrupt data.");
    let blob = body["value"].as_str().ok_or_else(bad)?;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(blob).map_err(|_| bad())?;
    let secret: Secret = serde_json::from_slice::<Option<Secret>>(&bytes).ok().flatten().ok_or_else(bad)?;
    let own = secret.name.to_ascii_lowercase();
    let contents = world.vaults.live.entry(key.to_owned()).or_default();
    if contents.secrets.contains_key(&own) {
        return Err(Refusal::conflict("Conflict", format!("A secret named {} already exists.", secret.name)));
    }
    let name = secret.name.clone();
    contents.secrets.insert(own, secret);
    Ok(name)
}

/// Refuses to purge what a vault holds when it is protected from that.
pub(super) fn purge_is_allowed(vault: &Resource) -> Result<(), Refusal> {
    if vault.properties()["enablePurgeProtection"] != true {
        return Ok(());
    }
    Err(Refusal::new(
        403,
        "Forbidden",
        "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key Vault service will \
         automatically purge it after the retention period has passed.",
    ))
}

/// One page by `maxresults` and `$skiptoken`.
pub(super) fn page(request: &Request, mut found: Vec<Value>) -> Result<Response, Refusal> {
    let number = |name: &str| request.query(name).and_then(|text| text.parse::<usize>().ok());
    let top = match request.query("maxresults") {
        None => PAGE,
        Some(_) => number("maxresults").filter(|top| (1..=PAGE).contains(top)).ok_or_else(|| {
            Refusal::bad("BadParameter", format!("The maxresults parameter must be between 1 and {PAGE}."))
        })?,
    };
    let skip = number("$skiptoken").unwrap_or(0).min(found.len());
    let more = found.len() > skip + top;
    let value: Vec<Value> = found.drain(skip..).take(top).collect();
    let next = more.then(|| {
        let version = request.query("api-version").unwrap_or_default();
        format!(
            "{}{}?api-version={version}&$skiptoken={}&maxresults={top}",
            request.origin,
            request.path,
            skip + top
        )
    });
    Ok(Response::json(200, &json!({"value": value, "nextLink": next})))
}
