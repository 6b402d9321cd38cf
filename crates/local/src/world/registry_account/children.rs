//! What a registry has below it in Resource Manager: replications, scope maps and the tokens that use them, cache
//! rules with the credentials for their upstreams, connected registries, and webhooks.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::arm::id::Id;
use super::super::arm::kind::{
    Call, Change, Depth, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs,
};
use super::super::arm::refusal::Refusal;
use super::super::arm::{Resource, default, put, resources, stamp, take};
use super::super::checks::{self, list, named, one_of, text};
use super::super::{Response, World};
use super::{BUSY, REGISTRY, REPLIES, tiers, webhooks};

const REPLICATION: &str = "Microsoft.ContainerRegistry/registries/replications";
const SCOPE_MAP: &str = "Microsoft.ContainerRegistry/registries/scopeMaps";
const TOKEN: &str = "Microsoft.ContainerRegistry/registries/tokens";
const CACHE_RULE: &str = "Microsoft.ContainerRegistry/registries/cacheRules";
const CREDENTIAL_SET: &str = "Microsoft.ContainerRegistry/registries/credentialSets";
const CONNECTED: &str = "Microsoft.ContainerRegistry/registries/connectedRegistries";

const fn child(name: &'static str, seconds: [f64; 3], signs: Signs, rules: &'static dyn Rules) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: Names {
            length: (5, 50),
            signs,
            global: false,
            refusal: (
                "InvalidResourceName",
                "The name '{name}' is invalid: it must be between 5 and 50 characters, letters and digits.",
            ),
        },
        place: Place::Parent,
        seconds,
        // clients of some of these take 202 and 204 for a DELETE, and no 200
        replies: Replies { delete: Reply { status: 202, headers: Headers::Both, done: 204 }, ..REPLIES },
        busy: BUSY,
        computed: &["properties.creationDate", "properties.status"],
        spelling: &[],
        rules,
    }
}

pub(crate) static KINDS: &[Kind] = &[
    Kind { place: Place::Regional, ..child(REPLICATION, [60.0, 20.0, 20.0], Signs::Alnum, &Replications) },
    Kind { computed: &[], ..child(SCOPE_MAP, [3.0, 3.0, 3.0], Signs::Word, &ScopeMaps) },
    Kind {
        computed: &["properties.creationDate", "properties.objectId"],
        ..child(TOKEN, [3.0, 3.0, 3.0], Signs::Word, &Tokens)
    },
    child(CACHE_RULE, [3.0, 3.0, 3.0], Signs::Hyphened, &CacheRules),
    child(CREDENTIAL_SET, [3.0, 3.0, 3.0], Signs::Hyphened, &CredentialSets),
    Kind { computed: &[], ..child(CONNECTED, [10.0, 5.0, 5.0], Signs::Alnum, &Connected) },
    Kind {
        place: Place::Regional,
        computed: &[],
        ..child(webhooks::WEBHOOK, [3.0, 3.0, 3.0], Signs::Alnum, &webhooks::Webhooks)
    },
];

fn registry_of<'a>(world: &'a World, id: &Id) -> Option<&'a Resource> {
    id.parent().and_then(|parent| world.arm.find(&parent.key()))
}

/// One more child needs room for it in the registry's tier.
pub(super) fn room(world: &World, change: &Change, collection: &str) -> Result<(), Refusal> {
    match change.id.parent() {
        Some(registry) if change.current.is_none() => tiers::room(world, &registry, collection),
        _ => Ok(()),
    }
}

fn invalid(path: &str, message: impl Into<String>) -> Refusal {
    Refusal::bad("InvalidParameter", message).at(path)
}

#[derive(Debug)]
struct Replications;

impl Rules for Replications {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        room(world, change, "replications")?;
        let Some(registry) = registry_of(world, change.id) else { return Ok(()) };
        let location = text(&change.body, "location").to_owned();
        if super::enabled(&registry.body, "properties.policies.softDeletePolicy.status") {
            return Err(Refusal::bad(
                "InvalidPolicy",
                "The soft delete policy is not supported for a geo-replicated registry.",
            ));
        }
        let taken = world.arm.below(&registry.id).any(|(_, other)| {
            other.kind == REPLICATION && other.id.key() != change.id.key() && other.location() == location
        });
        if taken || registry.location() == location {
            return Err(Refusal::conflict(
                "ReplicationAlreadyExists",
                format!("The registry {} has a replication in '{location}' already.", registry.id.name()),
            ));
        }
        let body = &mut change.body;
        default(body, "properties.regionEndpointEnabled", json!(true));
        default(body, "properties.zoneRedundancy", json!("Disabled"));
        put(body, "properties.status", json!({"displayStatus": "Ready", "timestamp": stamp(world.now)}));
        Ok(())
    }
}

/// Actions of a scope map, as they end: `repositories/team/app/content/read`.
const REPOSITORY_ACTIONS: &[&str] =
    &["content/read", "content/write", "content/delete", "metadata/read", "metadata/write"];
const GATEWAY_ACTIONS: &[&str] = &["config/read", "config/write", "message/read", "message/write"];
const ACTIONS_MAX: usize = 500;

/// Scope maps that every registry has from the start, and what they allow in every repository.
const SYSTEM_MAPS: &[(&str, &str, &[&str])] = &[
    ("_repositories_pull", "Can pull any repository of the registry", &["content/read"]),
    (
        "_repositories_pull_metadata_read",
        "Can perform all read operations on the registry",
        &["content/read", "metadata/read"],
    ),
    ("_repositories_push", "Can push to any repository of the registry", &["content/read", "content/write"]),
    (
        "_repositories_push_metadata_write",
        "Can perform all read and write operations on the registry",
        &["metadata/read", "metadata/write", "content/read", "content/write"],
    ),
    (
        "_repositories_admin",
        "Can perform all read, write and delete operations on the registry",
        REPOSITORY_ACTIONS,
    ),
];

/// Whether a child is one that the service made by itself.
pub(super) fn is_system(child: &Resource) -> bool {
    child.kind == SCOPE_MAP && text(&child.body, "properties.type") == "SystemDefined"
}

/// A new registry has its system scope maps.
pub(super) fn grow(world: &mut World, registry: &Id) {
    for (name, description, actions) in SYSTEM_MAPS {
        let actions: Vec<String> = actions.iter().map(|action| format!("repositories/*/{action}")).collect();
        let body = json!({"properties": {"description": description, "type": "SystemDefined",
            "creationDate": stamp(world.now), "actions": actions}});
        resources::grow(world, &registry.child("scopeMaps", name), body, Value::Null);
    }
}

#[derive(Debug)]
struct ScopeMaps;

impl Rules for ScopeMaps {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        if change.current.as_ref().is_some_and(is_system) {
            return Err(Refusal::bad(
                "SystemScopeMapCannotBeModified",
                format!("The system scope map '{}' cannot be changed.", change.id.name()),
            ));
        }
        room(world, change, "scopeMaps")?;
        let actions = list(&change.body, "properties.actions");
        if actions.is_empty() {
            return Err(invalid("properties.actions", "A scope map needs at least one action."));
        }
        if actions.len() > ACTIONS_MAX {
            return Err(invalid(
                "properties.actions",
                format!("A scope map has at most {ACTIONS_MAX} actions."),
            ));
        }
        if let Some(wrong) = actions.iter().find(|action| !action.as_str().is_some_and(is_action)) {
            return Err(invalid(
                "properties.actions",
                format!(
                    "The action {wrong} is invalid: an action is repositories/<repository>/ and one of {}, or \
                     gateway/<registry>/ and one of {}.",
                    REPOSITORY_ACTIONS.join(", "),
                    GATEWAY_ACTIONS.join(", ")
                ),
            ));
        }
        let created =
            change.current.as_ref().map(|old| text(&old.body, "properties.creationDate").to_owned());
        put(&mut change.body, "properties.creationDate", json!(created.unwrap_or_else(|| stamp(world.now))));
        put(&mut change.body, "properties.type", json!("UserDefined"));
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        if is_system(resource) {
            return Err(Refusal::bad(
                "SystemScopeMapCannotBeModified",
                format!("The system scope map '{}' cannot be deleted.", resource.id.name()),
            ));
        }
        let key = resource.id.key();
        let names = |token: &&Resource| {
            Id::parse(text(&token.body, "properties.scopeMapId")).is_some_and(|id| id.key() == key)
        };
        match world.arm.of_kind(TOKEN).find(names) {
            Some(token) => Err(Refusal::conflict(
                "ScopeMapInUse",
                format!("The scope map '{}' is used by the token '{}'.", resource.id.name(), token.id.name()),
            )),
            None => Ok(()),
        }
    }
}

fn is_action(action: &str) -> bool {
    let fits = |prefix: &str, verbs: &[&str]| {
        action.strip_prefix(prefix).is_some_and(|rest| {
            verbs
                .iter()
                .any(|verb| rest.strip_suffix(verb).is_some_and(|name| name.len() > 1 && name.ends_with('/')))
        })
    };
    fits("repositories/", REPOSITORY_ACTIONS) || fits("gateway/", GATEWAY_ACTIONS)
}

#[derive(Debug)]
struct Tokens;

const PASSWORDS: [&str; 2] = ["password1", "password2"];

impl Rules for Tokens {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        room(world, change, "tokens")?;
        let map = text(&change.body, "properties.scopeMapId").to_owned();
        let Some(found) = named(world, &map, SCOPE_MAP).filter(|map| map.id.parent() == change.id.parent())
        else {
            return Err(Refusal::bad(
                "InvalidScopeMap",
                format!("The scope map '{map}' of the token is not one of this registry."),
            )
            .at("properties.scopeMapId"));
        };
        put(&mut change.body, "properties.scopeMapId", json!(found.id.to_string()));
        one_of(&mut change.body, "properties.status", &["enabled", "disabled"], |value| {
            invalid("properties.status", format!("The status '{value}' is neither enabled nor disabled."))
        })?;
        default(&mut change.body, "properties.status", json!("enabled"));
        default(&mut change.body, "properties.creationDate", json!(stamp(world.now)));
        keep_passwords(change);
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        let shown = PASSWORDS.iter().filter_map(|name| {
            let own = resource.private.get(*name)?;
            Some(json!({"name": name, "creationTime": own["creationTime"], "expiry": own["expiry"]}))
        });
        let shown: Vec<Value> = shown.collect();
        put(body, "properties.credentials", json!({"passwords": shown, "certificates": []}));
    }
}

/// A change that lists passwords by name keeps those and lets the others go; values are never taken from outside.
fn keep_passwords(change: &mut Change) {
    let kept: Option<BTreeSet<String>> = change.sent["properties"]["credentials"]["passwords"]
        .as_array()
        .map(|sent| sent.iter().map(|one| text(one, "name").to_owned()).collect());
    take(&mut change.body, "properties.credentials");
    if let (Some(kept), Some(own)) = (kept, change.private.as_object_mut()) {
        own.retain(|name, _| kept.contains(name));
    }
}

/// `POST …/generateCredentials`: new passwords of a token, shown this once.
pub(super) fn generate(world: &mut World, call: &Call) -> Result<Response, Refusal> {
    let sent = text(&call.body, "tokenId");
    let token = named(world, sent, TOKEN).filter(|token| token.id.parent().as_ref() == Some(&call.id));
    let Some(id) = token.map(|token| token.id.clone()) else {
        return Err(Refusal::missing(
            "TokenNotFound",
            format!("The token '{sent}' is not one of the registry {}.", call.id.name()),
        ));
    };
    let names: Vec<&str> = match text(&call.body, "name") {
        "" => PASSWORDS.to_vec(),
        name => PASSWORDS.iter().copied().filter(|known| *known == name).collect(),
    };
    if names.is_empty() {
        return Err(Refusal::bad("InvalidPasswordName", "A token's passwords are password1 and password2."));
    }
    let expiry = match text(&call.body, "expiry") {
        "" => Value::Null,
        at => match at.parse::<Timestamp>() {
            Ok(at) if at > world.now => json!(stamp(at)),
            _ => {
                let message = format!("The expiry '{at}' is no time to come.");
                return Err(Refusal::bad("InvalidExpiry", message));
            }
        },
    };
    let mut shown = Vec::new();
    for name in names {
        let value = checks::key(world, &format!("token {name} {}", id.key()), 39);
        let own = json!({"value": value, "creationTime": stamp(world.now), "expiry": expiry});
        shown.push(
            json!({"name": name, "value": value, "creationTime": own["creationTime"], "expiry": expiry}),
        );
        if let Some(found) = world.arm.find_mut(&id.key()) {
            if !found.private.is_object() {
                found.private = json!({});
            }
            found.private[name] = own;
        }
    }
    let result = json!({"username": id.name(), "passwords": shown});
    Ok(super::action(world, call, 3.0, result))
}

/// What a token of the registry may do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Permit {
    /// The token's name.
    pub(crate) name: String,
    /// As its scope map has them.
    pub(super) actions: Vec<String>,
}

impl Permit {
    /// Whether it has an action (`content/read`) on a repository.
    pub(crate) fn allows(&self, repository: &str, action: &str) -> bool {
        self.actions.iter().filter_map(|own| own.strip_prefix("repositories/")).any(|own| {
            let of = own.strip_suffix(action).and_then(|of| of.strip_suffix('/'));
            of.is_some_and(|pattern| match pattern.strip_suffix('*') {
                Some(prefix) => repository.starts_with(prefix),
                None => pattern == repository,
            })
        })
    }
}

/// A token's permit, when the password is one of its own and has not expired.
pub(super) fn permit(world: &World, registry: &Resource, name: &str, password: &str) -> Option<Permit> {
    let token = world.arm.find(&registry.id.child("tokens", name).key())?;
    let fits = |own: &Value| {
        let expired = own["expiry"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        own["value"].as_str() == Some(password) && expired.is_none_or(|at| at > world.now)
    };
    let right = PASSWORDS.iter().filter_map(|name| token.private.get(*name)).any(fits);
    if right { permit_of(world, registry, name) } else { None }
}

/// The permit of a token that is enabled.
pub(super) fn permit_of(world: &World, registry: &Resource, name: &str) -> Option<Permit> {
    let token = world.arm.find(&registry.id.child("tokens", name).key())?;
    if text(&token.body, "properties.status") != "enabled" {
        return None;
    }
    let map = named(world, text(&token.body, "properties.scopeMapId"), SCOPE_MAP)?;
    let actions = list(&map.body, "properties.actions").iter().filter_map(Value::as_str);
    Some(Permit { name: token.id.name().to_owned(), actions: actions.map(str::to_owned).collect() })
}

#[derive(Debug)]
struct CacheRules;

impl Rules for CacheRules {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        room(world, change, "cacheRules")?;
        let source = text(&change.body, "properties.sourceRepository").to_owned();
        let target = text(&change.body, "properties.targetRepository").to_owned();
        for (name, value) in [("sourceRepository", &source), ("targetRepository", &target)] {
            if value.is_empty() {
                return Err(invalid(&format!("properties.{name}"), format!("A cache rule needs a {name}.")));
            }
        }
        if let Some(current) = &change.current {
            for name in ["sourceRepository", "targetRepository"] {
                let path = format!("properties.{name}");
                if text(&current.body, &path) != text(&change.body, &path) {
                    return Err(invalid(&path, format!("The {name} of a cache rule cannot be changed.")));
                }
            }
        }
        let same = |other: &&Resource| {
            other.kind == CACHE_RULE
                && other.id.key() != change.id.key()
                && text(&other.body, "properties.targetRepository") == target
        };
        let registry = change.id.parent();
        let mut others =
            registry.iter().flat_map(|registry| world.arm.below(registry)).map(|(_, other)| other);
        if let Some(other) = others.find(same) {
            return Err(Refusal::conflict(
                "CacheRuleConflict",
                format!("The cache rule '{}' has the target repository '{target}' already.", other.id.name()),
            ));
        }
        let credentials = text(&change.body, "properties.credentialSetResourceId").to_owned();
        if credentials.is_empty() {
            if source.starts_with("docker.io/") {
                return Err(Refusal::bad(
                    "EnforceDockerAuthentication",
                    "Cannot create cache rule pointing to Docker Hub without credentials. Please add a credential set to \
                     cache rule. Learn more: https://aka.ms/acr/cache-auth",
                ));
            }
        } else if named(world, &credentials, CREDENTIAL_SET).is_none() {
            return Err(Refusal::missing(
                "CredentialSetNotFound",
                format!("The credential set '{credentials}' does not exist."),
            ));
        }
        default(&mut change.body, "properties.creationDate", json!(stamp(world.now)));
        Ok(())
    }
}

#[derive(Debug)]
struct CredentialSets;

impl Rules for CredentialSets {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        if text(&change.body, "properties.loginServer").is_empty() {
            return Err(invalid("properties.loginServer", "A credential set needs a loginServer."));
        }
        let credentials = list(&change.body, "properties.authCredentials");
        let secret = |one: &Value, name: &str| text(one, name).starts_with("https://");
        let whole =
            |one: &Value| secret(one, "usernameSecretIdentifier") && secret(one, "passwordSecretIdentifier");
        if credentials.is_empty() || !credentials.iter().all(whole) {
            return Err(invalid(
                "properties.authCredentials",
                "A credential set needs the secret identifiers of a user name and a password in a vault.",
            ));
        }
        default(&mut change.body, "properties.creationDate", json!(stamp(world.now)));
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        match checks::user(world, &resource.id).filter(|user| user.kind == CACHE_RULE) {
            Some(rule) => Err(Refusal::conflict(
                "CredentialSetInUse",
                format!(
                    "The credential set '{}' is used by the cache rule '{}'.",
                    resource.id.name(),
                    rule.id.name()
                ),
            )),
            None => Ok(()),
        }
    }
}

/// Registries on premises: kept, and what they need from the tier.
#[derive(Debug)]
struct Connected;

impl Rules for Connected {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let Some(registry) = registry_of(world, change.id) else { return Ok(()) };
        if tiers::of(&registry.body).is_none_or(|tier| tier.name != "Premium") {
            return Err(Refusal::bad(
                "ConnectedRegistryNotSupported",
                "Connected registries are supported for the SKU Premium only.",
            ));
        }
        if registry.properties()["dataEndpointEnabled"] != true {
            return Err(Refusal::bad(
                "DataEndpointNotEnabled",
                "Connected registries need the dedicated data endpoint of the registry to be enabled.",
            ));
        }
        one_of(
            &mut change.body,
            "properties.mode",
            &["ReadWrite", "ReadOnly", "Registry", "Mirror"],
            |value| invalid("properties.mode", format!("The mode '{value}' is invalid.")),
        )?;
        default(&mut change.body, "properties.connectionState", json!("Offline"));
        default(&mut change.body, "properties.activation", json!({"status": "Inactive"}));
        Ok(())
    }
}

/// The registry that a child of it is in.
pub(super) fn is_child_of(child: &Resource, registry: &Resource) -> bool {
    registry.kind == REGISTRY && child.id.parent().is_some_and(|parent| parent.key() == registry.id.key())
}
