//! Key Vault. Here: vaults in Resource Manager, with soft delete, recovery, purge and purge protection; in [`data`]:
//! the vaults' own protocol, with [`secrets`], [`keys`], [`certificates`] and their [`issuance`].

pub mod certificates;
pub mod data;
pub mod issuance;
pub mod keys;
pub mod secrets;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::secrets::Contents;
use super::agenda::Event as Due;
use super::arm::gate::{authorize, object};
use super::arm::id::Id;
use super::arm::kind::{
    Call, Change, Depth, Ending, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs, What,
};
use super::arm::operations::{self, Verb};
use super::arm::refusal::Refusal;
use super::arm::resources::at_once;
use super::arm::{Resource, default, put, resources, stamp};
use super::{Method, Response, World};

/// How long purging takes, in seconds at speed 1.
const PURGE_SECONDS: f64 = 20.0;
const VAULT: &str = "Microsoft.KeyVault/vaults";

pub(crate) static KINDS: &[Kind] = &[Kind {
    name: VAULT,
    depth: Depth::Modelled,
    names: Names {
        length: (3, 24),
        signs: Signs::VaultLike,
        global: true,
        refusal: (
            "VaultNameNotValid",
            "The vault name '{name}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name \
             must begin with a letter, end with a letter or digit, and not contain consecutive hyphens. Follow this \
             link for more information: https://go.microsoft.com/fwlink/?linkid=2147742",
        ),
    },
    place: Place::Regional,
    seconds: [15.0, 2.0, 0.0],
    // the clients take 200 and 201, and read provisioningState from the resource
    replies: Replies {
        create: Reply { status: 200, headers: Headers::None, done: 200 },
        replace: Reply { status: 200, headers: Headers::None, done: 200 },
        ..at_once(200, 200)
    },
    busy: "ConflictError",
    computed: &[
        "properties.vaultUri",
        "properties.hsmPoolResourceId",
        "properties.privateEndpointConnections",
    ],
    spelling: &[],
    rules: &Vault,
}];

/// All vaults' contents, living and deleted, by lower-case name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Vaults {
    /// Of vaults that are there.
    pub live: BTreeMap<String, Contents>,
    /// Vaults that were deleted and can be recovered.
    pub deleted: BTreeMap<String, DeletedVault>,
}

/// A soft-deleted vault.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeletedVault {
    /// As it was.
    pub resource: Resource,
    /// What it held.
    pub contents: Contents,
    /// When it was deleted.
    pub deleted: Timestamp,
    /// When it is purged by itself.
    pub purged: Timestamp,
    /// Somebody purges it now.
    pub purging: bool,
}

/// Something of a vault that happens by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// A deleted vault's retention is over, if it is still the deletion of that time.
    Retention {
        /// Lower-case name.
        vault: String,
        /// When it was deleted.
        deleted: Timestamp,
    },
    /// A purge that somebody asked for ends.
    Purged {
        /// Lower-case name.
        vault: String,
        /// The operation they follow.
        operation: String,
    },
    /// A deleted secret's retention is over, if it is still the deletion of that time.
    SecretRetention {
        /// Lower-case vault name.
        vault: String,
        /// Lower-case secret name.
        secret: String,
        /// When it was deleted.
        deleted: Timestamp,
    },
    /// A secret that somebody recovers is there again.
    SecretRecovered {
        /// Lower-case vault name.
        vault: String,
        /// Lower-case secret name.
        secret: String,
    },
    /// A deleted key's retention is over, if it is still the deletion of that time.
    KeyRetention {
        /// Lower-case vault name.
        vault: String,
        /// Lower-case key name.
        key: String,
        /// When it was deleted.
        deleted: Timestamp,
    },
    /// A certificate is issued, if it is still the same request.
    CertificateIssued {
        /// Lower-case vault name.
        vault: String,
        /// Lower-case certificate name.
        certificate: String,
        /// The request's id.
        request: String,
    },
    /// A deleted certificate's retention is over, if it is still the deletion of that time.
    CertificateRetention {
        /// Lower-case vault name.
        vault: String,
        /// Lower-case certificate name.
        certificate: String,
        /// When it was deleted.
        deleted: Timestamp,
    },
}

pub(super) fn fire(world: &mut World, event: Event) {
    match event {
        Event::Retention { vault, deleted } => {
            if world.vaults.deleted.get(&vault).is_some_and(|it| it.deleted == deleted) {
                world.vaults.deleted.remove(&vault);
            }
        }
        Event::Purged { vault, operation } => {
            world.vaults.deleted.remove(&vault);
            operations::finish(world, &operation, Ok(()));
        }
        Event::SecretRecovered { vault, secret } => {
            let now = world.now;
            let found = world.vaults.live.get_mut(&vault).and_then(|it| it.secrets.get_mut(&secret));
            if let Some(secret) = found
                && secret.deleted.as_ref().and_then(|it| it.recovered).is_some_and(|at| at <= now)
            {
                secret.deleted = None;
            }
        }
        Event::KeyRetention { vault, key, deleted } => keys::retention_over(world, &vault, &key, deleted),
        Event::CertificateIssued { vault, certificate, request } => {
            issuance::issued(world, &vault, &certificate, &request);
        }
        Event::CertificateRetention { vault, certificate, deleted } => {
            certificates::retention_over(world, &vault, &certificate, deleted);
        }
        Event::SecretRetention { vault, secret, deleted } => {
            let Some(contents) = world.vaults.live.get_mut(&vault) else { return };
            let over = contents
                .secrets
                .get(&secret)
                .and_then(|it| it.deleted.as_ref())
                .is_some_and(|it| it.at == deleted);
            if over {
                contents.secrets.remove(&secret);
            }
        }
    }
}

/// The vault of a name, when it is there.
pub fn by_name<'a>(world: &'a World, name: &str) -> Option<&'a Resource> {
    world.arm.by_name(VAULT, name)
}

/// `https://NAME.vault.localhost:PORT`.
pub fn uri(world: &World, name: &str) -> String {
    format!("https://{}.vault.localhost:{}", name.to_ascii_lowercase(), world.config.port)
}

/// The value of a secret as a managed identity reads it now: what a container app's Key Vault reference takes.
/// `uri` is `https://NAME.vault…/secrets/NAME[/VERSION]`, `principal` an object id.
///
/// # Errors
/// Key Vault's refusal: 404 for what is not there (time will not help), 403 for a right that is missing.
pub fn read_as(world: &World, principal: &str, uri: &str) -> Result<String, Refusal> {
    let bad = || Refusal::bad("BadParameter", format!("'{uri}' is no address of a Key Vault secret."));
    let url = url::Url::parse(uri).map_err(|_| bad())?;
    let name = url.host_str().and_then(|host| host.split('.').next()).ok_or_else(bad)?;
    let segments: Vec<&str> = url.path().split('/').filter(|segment| !segment.is_empty()).collect();
    let (secret, version) = match segments.as_slice() {
        [kind, secret] if kind.eq_ignore_ascii_case("secrets") => (*secret, None),
        [kind, secret, version] if kind.eq_ignore_ascii_case("secrets") => (*secret, Some(*version)),
        _ => return Err(bad()),
    };
    let vault = by_name(world, name)
        .ok_or_else(|| Refusal::missing("VaultNotFound", format!("There is no key vault '{name}'.")))?;
    data::permit(world, vault, principal, data::Deed::Get, secret)?;
    secrets::read(world, &name.to_ascii_lowercase(), secret, version).map(|found| found.value.0.clone())
}

#[derive(Debug)]
struct Vault;

impl Rules for Vault {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let bad = |message: String| Refusal::bad("BadRequest", message);
        let name = change.id.name().to_ascii_lowercase();
        let mode = change.body["properties"]["createMode"].as_str().unwrap_or("default").to_ascii_lowercase();
        if change.current.is_none() {
            match (world.vaults.deleted.get(&name), mode.as_str()) {
                (Some(deleted), "recover") => {
                    if deleted.purging || deleted.resource.id.key() != change.id.key() {
                        return Err(in_deleted_state(&name));
                    }
                    // everything but tags comes back as it was
                    let tags = change.body.get("tags").cloned();
                    change.body = deleted.resource.body.clone();
                    if let Some(tags) = tags {
                        change.body["tags"] = tags;
                    }
                    return Ok(());
                }
                (Some(_), _) => return Err(in_deleted_state(&name)),
                (None, "recover") => {
                    return Err(Refusal::missing(
                        "DeletedVaultNotFound",
                        format!("A deleted vault with the name '{}' does not exist.", change.id.name()),
                    ));
                }
                (None, _) => {}
            }
        }
        super::arm::take(&mut change.body, "properties.createMode");
        let body = &mut change.body;
        match body["properties"]["tenantId"].as_str() {
            None if change.current.is_some() => {}
            Some(tenant) if tenant.eq_ignore_ascii_case(&world.config.tenant) => {}
            given => {
                let given = given.unwrap_or_default();
                return Err(bad(format!(
                    "An invalid value was provided for 'tenantId': '{given}' is not the subscription's tenant."
                )));
            }
        }
        default(body, "properties.tenantId", json!(world.config.tenant));
        let sku = body["properties"]["sku"]["name"].as_str().unwrap_or_default().to_ascii_lowercase();
        if !["standard", "premium"].contains(&sku.as_str()) {
            return Err(bad(format!(
                "An invalid value was provided for 'sku.name': '{sku}'. Standard and Premium are allowed."
            )));
        }
        put(body, "properties.sku", json!({"family": "A", "name": sku}));

        // from 2026-02-01 on access is by role unless said otherwise; before by policies
        let by_role = change.request.query("api-version").is_some_and(|version| version >= "2026-02-01");
        let before = change.current.as_ref().map(|current| current.properties().clone()).unwrap_or_default();
        default(
            body,
            "properties.enableRbacAuthorization",
            before.get("enableRbacAuthorization").cloned().unwrap_or(json!(by_role)),
        );
        if body["properties"]["enableRbacAuthorization"] == false
            && body["properties"]["accessPolicies"].is_null()
        {
            if change.current.is_none() {
                return Err(bad("The parameter accessPolicies is not specified.".into()));
            }
            put(body, "properties.accessPolicies", before["accessPolicies"].clone());
        }
        default(body, "properties.accessPolicies", json!([]));
        check_policies(world, body["properties"]["accessPolicies"].as_array().map_or(&[], Vec::as_slice))?;

        if body["properties"]["enableSoftDelete"] == false {
            return Err(bad(
                "The property \"enableSoftDelete\" can be set to false only for creating new vault. Enabling the 'soft \
                 delete' functionality is an irreversible action."
                    .into(),
            ));
        }
        put(body, "properties.enableSoftDelete", json!(true));
        let kept = before.get("softDeleteRetentionInDays").cloned();
        let days = body["properties"]["softDeleteRetentionInDays"].clone();
        match (&days, &kept) {
            (Value::Null, _) => put(body, "properties.softDeleteRetentionInDays", kept.unwrap_or(json!(90))),
            (days, Some(kept)) if days != kept => {
                return Err(bad(
                    "The property \"softDeleteRetentionInDays\" has been set already and it can't be modified.".into(),
                ));
            }
            (days, _) if !days.as_i64().is_some_and(|days| (7..=90).contains(&days)) => {
                return Err(bad(format!(
                    "An invalid value was provided for 'softDeleteRetentionInDays': {days}. It must be between 7 and 90."
                )));
            }
            _ => {}
        }
        if body["properties"]["enablePurgeProtection"] == false
            || (before["enablePurgeProtection"] == true
                && body["properties"]["enablePurgeProtection"].is_null()
                && change.patch)
        {
            return Err(bad(
                "The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge protection for a \
                 vault is an irreversible action."
                    .into(),
            ));
        }
        if before["enablePurgeProtection"] == true {
            put(body, "properties.enablePurgeProtection", json!(true));
        }
        default(body, "properties.publicNetworkAccess", json!("Enabled"));
        check_network(&mut body["properties"])?;
        put(body, "properties.vaultUri", json!(format!("{}/", uri(world, &name))));
        Ok(())
    }

    fn taken(&self, _world: &World, _other: &Resource, id: &Id) -> Result<(), Refusal> {
        Err(Refusal::conflict(
            "VaultAlreadyExists",
            format!(
                "The vault name '{}' is already in use. Vault names are globally unique so it is possible that the \
                 name is already taken. If you are sure that the vault name was not taken then it is possible that a \
                 vault with the same name was recently deleted but not purged after being placed in a recoverable \
                 state. If the vault is in a recoverable state then the vault will need to be purged before reusing \
                 the name. For more information about VaultAlreadyExists, follow this link: \
                 https://go.microsoft.com/fwlink/?linkid=2147740",
                id.name()
            ),
        ))
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Updated {
            // clients do not wait for a vault's change: it is there at once
            return Ending::After(0.0);
        }
        let name = id.name().to_ascii_lowercase();
        let contents = world.vaults.deleted.remove(&name).map(|deleted| deleted.contents).unwrap_or_default();
        world.vaults.live.insert(name, contents);
        Ending::Table
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        let name = resource.id.name().to_ascii_lowercase();
        let contents = world.vaults.live.remove(&name).unwrap_or_default();
        let days = resource.properties()["softDeleteRetentionInDays"].as_i64().unwrap_or(90);
        let purged = after_days(world.now, days);
        world.agenda.add(purged, Due::Vault(Event::Retention { vault: name.clone(), deleted: world.now }));
        world.vaults.deleted.insert(
            name,
            DeletedVault { resource: resource.clone(), contents, deleted: world.now, purged, purging: false },
        );
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        if resource.state == "Creating" {
            put(body, "properties.provisioningState", json!("RegisteringDns"));
        }
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method == Method::Put && call.rest_is(&["accessPolicies", "*"]) {
            return Some(policies(world, call));
        }
        if call.rest.first().is_some_and(|first| first.eq_ignore_ascii_case("secrets"))
            && call.rest.len() <= 2
        {
            return Some(secrets_by_arm(world, call));
        }
        None
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let get = call.request.method == Method::Get;
        let post = call.request.method == Method::Post;
        if post && call.rest_is(&["checkNameAvailability"]) {
            return Some(name_available(world, call));
        }
        if get && (call.rest_is(&["deletedVaults"]) || call.rest_is(&["locations", "*", "deletedVaults"])) {
            let right = authorize(world, call.caller, "Microsoft.KeyVault/deletedVaults/read", &call.id);
            let value: Vec<Value> =
                world.vaults.deleted.values().filter(|it| !it.purging).map(show_deleted).collect();
            return Some(right.map(|()| Response::json(200, &json!({"value": value}))));
        }
        if call.rest.len() >= 4
            && call.rest[0].eq_ignore_ascii_case("locations")
            && call.rest[2].eq_ignore_ascii_case("deletedVaults")
        {
            let (location, name) = (call.rest[1], call.rest[3].to_ascii_lowercase());
            let found = world.vaults.deleted.get(&name).filter(|it| {
                it.resource.location() == super::arm::subscriptions::normal(location) && !it.purging
            });
            let Some(found) = found else {
                return Some(Err(Refusal::missing(
                    "DeletedVaultNotFound",
                    format!("The specified deleted vault '{}' does not exist.", call.rest[3]),
                )));
            };
            if get && call.rest.len() == 4 {
                return Some(Ok(Response::json(200, &show_deleted(found))));
            }
            if post && call.rest.len() == 5 && call.rest[4].eq_ignore_ascii_case("purge") {
                return Some(purge(world, call, &name));
            }
        }
        None
    }
}

/// Refuses network rules that are none, and writes those that are as Key Vault does.
fn check_network(properties: &mut Value) -> Result<(), Refusal> {
    let bad = |name: &str, given: &str| {
        Err(Refusal::bad("BadRequest", format!("An invalid value was provided for '{name}': '{given}'.")))
    };
    let access = properties["publicNetworkAccess"].as_str().unwrap_or_default().to_owned();
    if !["enabled", "disabled"].contains(&access.to_ascii_lowercase().as_str()) {
        return bad("publicNetworkAccess", &access);
    }
    let Some(rules) = properties.get_mut("networkAcls").filter(|rules| rules.is_object()) else {
        return Ok(());
    };
    for (name, known, assumed) in [
        ("defaultAction", ["Allow", "Deny"], "Allow"),
        ("bypass", ["AzureServices", "None"], "AzureServices"),
    ] {
        let given = rules[name].as_str().unwrap_or(assumed).to_owned();
        match known.iter().find(|it| it.eq_ignore_ascii_case(&given)) {
            Some(known) => rules[name] = json!(known),
            None => return bad(&format!("networkAcls.{name}"), &given),
        }
    }
    for rule in rules["ipRules"].as_array().into_iter().flatten() {
        let range = rule["value"].as_str().unwrap_or_default();
        let (address, bits) = range.split_once('/').unwrap_or((range, "32"));
        let fits =
            address.parse::<std::net::Ipv4Addr>().is_ok() && bits.parse::<u8>().is_ok_and(|bits| bits <= 32);
        if !fits {
            return bad("networkAcls.ipRules", range);
        }
    }
    default(rules, "ipRules", json!([]));
    default(rules, "virtualNetworkRules", json!([]));
    Ok(())
}

/// `days` later; for ever when that is past all time.
pub(crate) fn after_days(from: Timestamp, days: i64) -> Timestamp {
    from.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX)
}

fn in_deleted_state(name: &str) -> Refusal {
    Refusal::conflict(
        "ConflictError",
        format!(
            "A vault with the same name '{name}' already exists in deleted state. You need to either recover or purge \
             existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information \
             on soft delete."
        ),
    )
}

fn deleted_id(vault: &DeletedVault) -> Id {
    let subscription = Id { group: None, stretches: Vec::new(), ..vault.resource.id.clone() };
    subscription
        .provider("Microsoft.KeyVault/locations", &vault.resource.location())
        .child("deletedVaults", vault.resource.id.name())
}

fn show_deleted(vault: &DeletedVault) -> Value {
    let mut shown = json!({
        "id": deleted_id(vault).to_string(),
        "name": vault.resource.id.name(),
        "type": "Microsoft.KeyVault/deletedVaults",
        "properties": {
            "vaultId": vault.resource.id.to_string(),
            "location": vault.resource.location(),
            "tags": vault.resource.body.get("tags").cloned().unwrap_or(json!({})),
            "deletionDate": stamp(vault.deleted),
            "scheduledPurgeDate": stamp(vault.purged),
        },
    });
    if vault.resource.properties()["enablePurgeProtection"] == true {
        shown["properties"]["purgeProtectionEnabled"] = json!(true);
    }
    shown
}

fn purge(world: &mut World, call: &Call, name: &str) -> Result<Response, Refusal> {
    let Some(vault) = world.vaults.deleted.get_mut(name) else {
        return Err(Refusal::missing(
            "DeletedVaultNotFound",
            format!("The deleted vault '{name}' does not exist."),
        ));
    };
    if vault.resource.properties()["enablePurgeProtection"] == true {
        return Err(Refusal::new(
            405,
            "MethodNotAllowed",
            "Operation \"DeletedVaultPurge\" is not allowed because purge protection is enabled for this vault. Key \
             Vault service will automatically purge it after the retention period has passed.",
        ));
    }
    vault.purging = true;
    let id = deleted_id(vault);
    let operation = operations::begin(world, &id, Verb::Act, Ending::WhenTold);
    let event = Event::Purged { vault: name.to_owned(), operation: operation.clone() };
    let after = world.config.scaled(PURGE_SECONDS);
    let stalled = world.arm.operations.get(&operation).is_some_and(|it| it.stalled);
    if after.is_zero() && !stalled {
        fire(world, event);
    } else if !stalled {
        world.later(after, Due::Vault(event));
    }
    let reply = Reply { status: 202, headers: Headers::Result, done: 200 };
    Ok(operations::lead(world, call.request, &operation, reply, Response::empty(200)))
}

fn name_available(world: &World, call: &Call) -> Result<Response, Refusal> {
    let body = object(&call.body)?;
    let name = body["name"].as_str().unwrap_or_default();
    let row = &KINDS[0];
    let answer = if !row.names.allow(name) {
        json!({"nameAvailable": false, "reason": "AccountNameInvalid",
               "message": row.names.refusal.1.replace("{name}", name)})
    } else if by_name(world, name).is_some() || world.vaults.deleted.contains_key(&name.to_ascii_lowercase())
    {
        json!({"nameAvailable": false, "reason": "AlreadyExists",
               "message": format!("The vault name '{name}' is already in use. Vault names are globally unique so it is \
                                   possible that the name is already taken, or that a deleted vault still has it.")})
    } else {
        json!({"nameAvailable": true})
    };
    Ok(Response::json(200, &answer))
}

/// `PUT …/accessPolicies/{add|replace|remove}`.
fn policies(world: &mut World, call: &Call) -> Result<Response, Refusal> {
    let body = object(&call.body)?;
    let sent = body["properties"]["accessPolicies"].as_array().cloned().unwrap_or_default();
    check_policies(world, &sent)?;
    let Some(vault) = world.arm.find_mut(&call.id.key()) else { return Err(resources::not_there(&call.id)) };
    let mut policies = vault.body["properties"]["accessPolicies"].as_array().cloned().unwrap_or_default();
    let same = |a: &Value, b: &Value| {
        ["objectId", "applicationId"].iter().all(|key| {
            let text = |value: &Value| value[*key].as_str().unwrap_or_default().to_ascii_lowercase();
            text(a) == text(b)
        })
    };
    for policy in sent {
        let known = policies.iter().position(|other| same(other, &policy));
        match (call.rest[1].to_ascii_lowercase().as_str(), known) {
            ("add", Some(at)) => add_permissions(&mut policies[at], &policy),
            ("replace", Some(at)) => policies[at] = policy,
            ("add" | "replace", None) => policies.push(policy),
            ("remove", Some(at)) => {
                policies.remove(at);
            }
            ("remove", None) => {}
            (other, _) => {
                return Err(Refusal::bad(
                    "BadRequest",
                    format!("The operation kind '{other}' is not valid."),
                ));
            }
        }
    }
    put(&mut vault.body, "properties.accessPolicies", json!(policies));
    Ok(Response::json(
        200,
        &json!({
            "id": format!("{}/accessPolicies/", call.id), "type": "Microsoft.KeyVault/vaults/accessPolicies",
            "properties": {"accessPolicies": policies},
        }),
    ))
}

/// Refuses policies that name nobody, another tenant, or rights that there are not.
fn check_policies(world: &World, policies: &[Value]) -> Result<(), Refusal> {
    const RIGHTS: [(&str, &[&str]); 4] = [
        ("secrets", &["all", "get", "list", "set", "delete", "backup", "restore", "recover", "purge"]),
        (
            "keys",
            &[
                "all",
                "encrypt",
                "decrypt",
                "wrapkey",
                "unwrapkey",
                "sign",
                "verify",
                "get",
                "list",
                "create",
                "update",
                "import",
                "delete",
                "backup",
                "restore",
                "recover",
                "purge",
                "release",
                "rotate",
                "getrotationpolicy",
                "setrotationpolicy",
            ],
        ),
        (
            "certificates",
            &[
                "all",
                "get",
                "list",
                "delete",
                "create",
                "import",
                "update",
                "managecontacts",
                "getissuers",
                "listissuers",
                "setissuers",
                "deleteissuers",
                "manageissuers",
                "recover",
                "purge",
                "backup",
                "restore",
            ],
        ),
        (
            "storage",
            &[
                "all",
                "get",
                "list",
                "delete",
                "set",
                "update",
                "regeneratekey",
                "recover",
                "purge",
                "backup",
                "restore",
                "setsas",
                "listsas",
                "getsas",
                "deletesas",
            ],
        ),
    ];
    let bad = |why: String| Err(Refusal::bad("BadRequest", why));
    if policies.len() > 1024 {
        return bad("A vault has at most 1024 access policies.".into());
    }
    for policy in policies {
        let object = policy["objectId"].as_str().unwrap_or_default();
        if object.is_empty() {
            return bad("An invalid value was provided for 'accessPolicies.objectId'.".into());
        }
        let tenant = policy["tenantId"].as_str().unwrap_or_default();
        if !tenant.eq_ignore_ascii_case(&world.config.tenant) {
            return bad("An invalid value was provided for 'accessPolicies.tenantId'.".into());
        }
        if !policy["permissions"].is_object() {
            return bad("An invalid value was provided for 'accessPolicies.permissions'.".into());
        }
        for (part, known) in RIGHTS {
            let given = policy["permissions"][part].as_array().into_iter().flatten();
            for right in given.filter_map(Value::as_str) {
                if !known.iter().any(|known| known.eq_ignore_ascii_case(right)) {
                    return bad(format!(
                        "An invalid value was provided for 'accessPolicies.permissions.{part}': '{right}'."
                    ));
                }
            }
        }
    }
    Ok(())
}

fn add_permissions(known: &mut Value, added: &Value) {
    for (part, list) in added["permissions"].as_object().into_iter().flatten() {
        let mut all = known["permissions"][part].as_array().cloned().unwrap_or_default();
        for permission in list.as_array().into_iter().flatten() {
            if !all.contains(permission) {
                all.push(permission.clone());
            }
        }
        known["permissions"][part] = json!(all);
    }
}

/// `vaults/NAME/secrets[/SECRET]` by Resource Manager: written and listed, values never shown.
fn secrets_by_arm(world: &mut World, call: &Call) -> Result<Response, Refusal> {
    let vault = call.id.name().to_ascii_lowercase();
    let Some(name) = call.rest.get(1) else {
        let value: Vec<Value> = world
            .vaults
            .live
            .get(&vault)
            .into_iter()
            .flat_map(|contents| contents.secrets.values())
            .filter(|secret| secret.deleted.is_none())
            .map(|secret| secret_resource(world, call, secret))
            .collect();
        return Ok(Response::json(200, &json!({"value": value})));
    };
    let known =
        world.vaults.live.get(&vault).and_then(|contents| contents.secrets.get(&name.to_ascii_lowercase()));
    match call.request.method {
        Method::Put | Method::Patch => {
            let body = object(&call.body)?;
            let properties = &body["properties"];
            let created = known.is_none();
            if call.request.method == Method::Put || properties["value"].is_string() {
                let sent = json!({"value": properties["value"], "contentType": properties["contentType"],
                                  "attributes": properties["attributes"], "tags": body["tags"]});
                secrets::set(world, &vault, name, &super::arm::without_nulls(&sent))?;
            } else {
                secrets::update(
                    world,
                    &vault,
                    name,
                    None,
                    &super::arm::without_nulls(
                        &json!({"contentType": properties["contentType"], "attributes": properties["attributes"],
                            "tags": body["tags"]}),
                    ),
                )?;
            }
            let secret = &world.vaults.live[&vault].secrets[&name.to_ascii_lowercase()];
            Ok(Response::json(if created { 201 } else { 200 }, &secret_resource(world, call, secret)))
        }
        Method::Get => match known.filter(|secret| secret.deleted.is_none()) {
            Some(secret) => Ok(Response::json(200, &secret_resource(world, call, secret))),
            None => Err(Refusal::missing(
                "SecretNotFound",
                format!("The secret '{name}' was not found in the vault '{}'.", call.id.name()),
            )),
        },
        _ => Err(Refusal::new(
            405,
            "MethodNotAllowed",
            "Resource Manager does not delete secrets: the vault does.",
        )),
    }
}

fn secret_resource(world: &World, call: &Call, secret: &secrets::Secret) -> Value {
    let base = format!("{}/secrets/{}", uri(world, call.id.name()), secret.name);
    let last = secret.versions.last();
    let vault = by_name(world, call.id.name());
    let mut properties = json!({"secretUri": base});
    if let Some(last) = last {
        properties["secretUriWithVersion"] = json!(format!("{base}/{}", last.id));
        properties["attributes"] = last.attributes(vault);
        if let Some(kind) = &last.content_type {
            properties["contentType"] = json!(kind);
        }
    }
    json!({
        "id": format!("{}/secrets/{}", call.id, secret.name), "name": secret.name,
        "type": "Microsoft.KeyVault/vaults/secrets", "location": vault.map(Resource::location),
        "tags": last.map(|last| json!(last.tags)).unwrap_or(json!({})), "properties": properties,
    })
}
