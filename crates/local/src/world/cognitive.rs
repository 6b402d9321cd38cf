//! Cognitive Services: accounts that stay for 48 hours after their deletion, and deployments of models with their
//! retirement and quota.

use serde_json::{Value, json};

use super::agenda::Event;
use super::arm::id::Id;
use super::arm::kind::{
    Call, Change, Depth, Ending, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs, USUAL, What,
};
use super::arm::refusal::Refusal;
use super::arm::resources::{self, at_once};
use super::arm::{Event as ArmEvent, Resource, default, put, stamp, take};
use super::checks::{one_of, text};
use super::{Method, Response, World};

const ACCOUNT: &str = "Microsoft.CognitiveServices/accounts";
const DEPLOYMENT: &str = "Microsoft.CognitiveServices/accounts/deployments";
const DELETED: &str = "Microsoft.CognitiveServices/locations/resourceGroups/deletedAccounts";
/// How long a deleted account can be recovered and holds its name.
const KEPT: jiff::SignedDuration = jiff::SignedDuration::from_hours(48);
/// Thousands of tokens a minute of one model and kind of deployment that a subscription has in a region.
const QUOTA: i64 = 1000;

/// Models with their version and, where it is known, the day from which they cannot be deployed any more
/// (learn.microsoft.com/azure/ai-foundry/openai/concepts/model-retirements).
const MODELS: &[(&str, &str, &str)] = &[
    ("gpt-35-turbo", "0301", "2025-02-13"),
    ("gpt-35-turbo", "0613", "2025-02-13"),
    ("gpt-35-turbo", "1106", "2025-07-16"),
    ("gpt-35-turbo", "0125", "2025-11-14"),
    ("gpt-4", "0613", "2025-06-06"),
    ("gpt-4", "turbo-2024-04-09", "2025-11-11"),
    ("gpt-4o", "2024-05-13", "2026-10-01"),
    ("gpt-4o", "2024-08-06", "2026-10-01"),
    ("gpt-4o", "2024-11-20", "2026-10-01"),
    ("gpt-4o-mini", "2024-07-18", "2026-10-01"),
    ("gpt-4.1", "2025-04-14", ""),
    ("gpt-4.1-mini", "2025-04-14", ""),
    ("gpt-4.1-nano", "2025-04-14", ""),
    ("gpt-5", "2025-08-07", ""),
    ("gpt-5-mini", "2025-08-07", ""),
    ("gpt-5-nano", "2025-08-07", ""),
    ("o3", "2025-04-16", ""),
    ("o4-mini", "2025-04-16", ""),
    ("text-embedding-ada-002", "2", ""),
    ("text-embedding-3-small", "1", ""),
    ("text-embedding-3-large", "1", ""),
    ("whisper", "001", ""),
];

pub(super) static KINDS: &[Kind] = &[
    Kind {
        name: ACCOUNT,
        depth: Depth::Modelled,
        names: Names {
            length: (2, 64),
            signs: Signs::Network,
            global: false,
            refusal: ("InvalidResourceName", "The account name '{name}' is invalid."),
        },
        place: Place::Regional,
        seconds: [30.0, 10.0, 10.0],
        replies: USUAL,
        busy: "RequestConflict",
        computed: &[
            "properties.endpoint",
            "properties.endpoints",
            "properties.dateCreated",
            "properties.internalId",
        ],
        spelling: &[],
        rules: &Accounts,
    },
    Kind {
        name: DEPLOYMENT,
        depth: Depth::Modelled,
        names: NAMES,
        place: Place::Parent,
        seconds: [20.0, 10.0, 10.0],
        replies: USUAL,
        busy: "RequestConflict",
        computed: &["properties.capabilities", "properties.rateLimits", "properties.callRateLimit"],
        spelling: &[],
        rules: &Deployments,
    },
    Kind {
        place: Place::Parent,
        replies: Replies {
            delete: Reply { status: 202, headers: Headers::Both, done: 202 },
            ..at_once(201, 200)
        },
        seconds: [0.0, 0.0, 5.0],
        ..project("Microsoft.CognitiveServices/accounts/raiPolicies", &Policies)
    },
    project("Microsoft.CognitiveServices/accounts/projects", &Projects),
    Kind {
        name: DELETED,
        depth: Depth::Modelled,
        names: NAMES,
        place: Place::Free,
        seconds: [0.0, 0.0, 5.0],
        replies: at_once(405, 405),
        busy: "RequestConflict",
        computed: &[],
        spelling: &[],
        rules: &Deleted,
    },
];

/// Azure's own content filters.
const POLICIES: [&str; 2] = ["Microsoft.Default", "Microsoft.DefaultV2"];

const fn project(name: &'static str, rules: &'static dyn Rules) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: NAMES,
        place: Place::Free,
        seconds: [10.0, 5.0, 5.0],
        replies: USUAL,
        busy: "RequestConflict",
        computed: &["properties.endpoints", "properties.type"],
        spelling: &[],
        rules,
    }
}

const NAMES: Names = Names {
    length: (1, 64),
    signs: Signs::Any,
    global: false,
    refusal: ("InvalidResourceName", "The name '{name}' is invalid."),
};

/// Where a deleted account is kept: by its region, group and name.
fn grave(account: &Id, location: &str) -> Id {
    let subscription = Id { subscription: account.subscription.clone(), ..Id::default() };
    subscription
        .provider("Microsoft.CognitiveServices/locations", location)
        .child("resourceGroups", account.group.as_deref().unwrap_or_default())
        .child("deletedAccounts", account.name())
}

#[derive(Debug)]
struct Accounts;

impl Rules for Accounts {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let near = text(&change.body, "location").to_owned();
        let restore = take(&mut change.body, "properties.restore") == Some(json!(true));
        let dead = world.arm.find(&grave(change.id, &near).key());
        match (dead, restore) {
            (Some(_), false) if change.current.is_none() => {
                return Err(Refusal::conflict(
                    "FlagMustBeSetForRestore",
                    format!(
                        "An existing resource with ID '{}' has been soft-deleted. To restore the resource, you must \
                         specify 'restore' to be 'true' in the property. If you don't want to restore existing \
                         resource, please purge it first.",
                        change.id
                    ),
                ));
            }
            (Some(dead), true) if change.current.is_none() => {
                change.body = dead.private["body"].clone();
                change.private = dead.private["private"].clone();
            }
            (None, true) if change.current.is_none() => {
                return Err(Refusal::missing(
                    "CanNotRestoreANonExistingResource",
                    "There is no soft-deleted account to restore.",
                ));
            }
            _ => {}
        }
        let body = &mut change.body;
        let kinds = [
            "OpenAI",
            "AIServices",
            "CognitiveServices",
            "ComputerVision",
            "ContentSafety",
            "CustomVision.Prediction",
            "CustomVision.Training",
            "Face",
            "FormRecognizer",
            "SpeechServices",
            "TextAnalytics",
            "TextTranslation",
        ];
        if text(body, "kind").is_empty() {
            return Err(Refusal::bad("MissingKind", "The property 'kind' is required for an account."));
        }
        one_of(body, "kind", &kinds, |value| {
            Refusal::bad(
                "InvalidApiSetId",
                format!("The account type '{value}' is either invalid or unavailable in given region."),
            )
        })?;
        let kind = text(body, "kind").to_owned();
        let sku = text(body, "sku.name").to_owned();
        let skus = skus_of(&kind);
        if !skus.contains(&sku.as_str()) {
            return Err(Refusal::bad(
                "InvalidSkuId",
                format!(
                    "The account type '{kind}' with SKU '{sku}' is either invalid or unavailable in given region."
                ),
            ));
        }
        if sku == "F0"
            && world.arm.of_kind(ACCOUNT).any(|other| {
                other.id.key() != change.id.key()
                    && text(&other.body, "kind") == kind
                    && text(&other.body, "sku.name") == "F0"
            })
        {
            return Err(Refusal::bad(
                "CanNotCreateMultipleFreeAccounts",
                format!("Operation failed. Only one free account is allowed for account type '{kind}'."),
            ));
        }
        let label = text(body, "properties.customSubDomainName").to_ascii_lowercase();
        if !label.is_empty() {
            let holds =
                |body: &Value| text(body, "properties.customSubDomainName").eq_ignore_ascii_case(&label);
            let taken = world
                .arm
                .of_kind(ACCOUNT)
                .any(|other| other.id.key() != change.id.key() && holds(&other.body))
                || world.arm.of_kind(DELETED).any(|dead| {
                    dead.private["key"] != change.id.key().as_str() && holds(&dead.private["body"])
                });
            if taken {
                return Err(Refusal::conflict(
                    "CustomDomainInUse",
                    format!(
                        "Please pick a different name. The subdomain name '{label}' is not available as it's already \
                         used by a resource. If the resource using the name was deleted in the last 48 hours, you may \
                         need to purge the deleted resource. Learn more at https://go.microsoft.com/fwlink/?linkid=2215493."
                    ),
                ));
            }
            if let Some(current) = &change.current {
                let old = text(&current.body, "properties.customSubDomainName");
                if !old.is_empty() && !old.eq_ignore_ascii_case(&label) {
                    return Err(Refusal::bad(
                        "CustomSubDomainNameCannotBeChanged",
                        "The custom subdomain name cannot be changed once it is set.",
                    ));
                }
            }
        }
        if label.is_empty() && text(body, "properties.networkAcls.defaultAction").eq_ignore_ascii_case("Deny")
        {
            return Err(Refusal::bad(
                "BadRequest",
                "Network rules need a custom subdomain name: set 'customSubDomainName' of the account.",
            ));
        }
        let endpoint = match (label.is_empty(), kind.as_str()) {
            (true, _) => format!("https://{near}.api.cognitive.microsoft.com/"),
            (false, "OpenAI") => format!("https://{label}.openai.azure.com/"),
            (false, _) => format!("https://{label}.cognitiveservices.azure.com/"),
        };
        put(body, "properties.endpoint", json!(endpoint));
        for (name, value) in [
            ("publicNetworkAccess", json!("Enabled")),
            ("disableLocalAuth", json!(false)),
            ("dateCreated", json!(stamp(world.now))),
            (
                "internalId",
                json!(super::chance::fixed_uuid(world.config.seed, &change.id.key()).simple().to_string()),
            ),
        ] {
            default(body, &format!("properties.{name}"), value);
        }
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            let location = world.arm.find(&id.key()).map(Resource::location).unwrap_or_default();
            world.arm.resources.remove(&grave(id, &location).key());
            for policy in POLICIES {
                let body = json!({"properties": {"type": "SystemManaged", "mode": "Blocking", "contentFilters": []}});
                resources::grow(world, &id.child("raiPolicies", policy), body, Value::Null);
            }
            let made = json!({"key1": super::checks::key(world, &format!("key1 {}", id.key()), 32),
                              "key2": super::checks::key(world, &format!("key2 {}", id.key()), 32)});
            if let Some(found) = world.arm.find_mut(&id.key())
                && found.private["key1"].is_null()
            {
                found.private = made;
            }
        }
        Ending::Table
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        match world.arm.below(&resource.id).find(|(_, child)| child.kind == DEPLOYMENT) {
            None => Ok(()),
            Some((_, child)) => Err(Refusal::conflict(
                "CannotDeleteResource",
                format!(
                    "Cannot delete resource while nested resources exist. Some existing nested resource IDs include: '{}'. Please delete all nested resources before deleting this resource.",
                    child.id
                ),
            )),
        }
    }

    fn may_delete_with_group(&self, _world: &World, _resource: &Resource) -> Result<(), Refusal> {
        Ok(())
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        let location = resource.location();
        let grave = grave(&resource.id, &location);
        let purge = world.now.saturating_add(KEPT).unwrap_or(world.now);
        let mut body = json!({"location": location, "properties": {
            "accountId": resource.id.to_string(), "deletionDate": stamp(world.now), "scheduledPurgeDate": stamp(purge)}});
        for name in ["kind", "sku", "tags"] {
            if let Some(value) = resource.body.get(name) {
                body[name] = value.clone();
            }
        }
        let private = json!({"key": resource.id.key(), "body": resource.body, "private": resource.private});
        resources::grow(world, &grave, body, private);
        world.later(KEPT, Event::Arm(ArmEvent::Purged(grave.key(), stamp(world.now))));
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let method = call.request.method;
        let keys = |world: &World| {
            let private =
                world.arm.find(&call.id.key()).map(|found| found.private.clone()).unwrap_or_default();
            Response::json(200, &json!({"key1": private["key1"], "key2": private["key2"]}))
        };
        if method == Method::Post && (call.rest_is(&["listKeys"]) || call.rest_is(&["regenerateKey"])) {
            if world.arm.find(&call.id.key())?.properties()["disableLocalAuth"] == true {
                return Some(Err(Refusal::bad(
                    "BadRequest",
                    "Failed to list key. disableLocalAuth is set to be true",
                )));
            }
            if call.rest_is(&["listKeys"]) {
                return Some(Ok(keys(world)));
            }
            let which = text(&call.body, "keyName").to_ascii_lowercase();
            if which != "key1" && which != "key2" {
                return Some(Err(Refusal::bad(
                    "InvalidKeyName",
                    format!("'{which}' names no key: Key1 and Key2 do."),
                )));
            }
            let new = super::checks::key(world, &format!("{which} {}", call.id.key()), 32);
            if let Some(found) = world.arm.find_mut(&call.id.key()) {
                found.private[which.as_str()] = json!(new);
            }
            return Some(Ok(keys(world)));
        }
        if method == Method::Get && call.rest_is(&["models"]) {
            return Some(Ok(Response::json(200, &json!({"value": models(world, |model| model)}))));
        }
        if method == Method::Get && call.rest_is(&["usages"]) {
            let location = world.arm.find(&call.id.key())?.location();
            return Some(Ok(Response::json(200, &json!({"value": usages(world, &location)}))));
        }
        if method == Method::Get && call.rest_is(&["skus"]) {
            let kind = text(&world.arm.find(&call.id.key())?.body, "kind").to_owned();
            let shown: Vec<Value> = skus_of(&kind)
                .iter()
                .map(|sku| json!({"resourceType": ACCOUNT, "sku": {"name": sku, "tier": if *sku == "F0" { "Free" } else { "Standard" }}}))
                .collect();
            return Some(Ok(Response::json(200, &json!({"value": shown}))));
        }
        None
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method == Method::Get && call.rest_is(&["deletedAccounts"]) {
            let shown: Vec<Value> =
                world.arm.of_kind(DELETED).map(|dead| resources::view(world, dead)).collect();
            return Some(Ok(Response::json(200, &json!({"value": shown}))));
        }
        if call.request.method == Method::Post && call.rest_is(&["checkDomainAvailability"]) {
            let label = text(&call.body, "subdomainName").to_owned();
            let taken = world
                .arm
                .of_kind(ACCOUNT)
                .any(|it| text(&it.body, "properties.customSubDomainName").eq_ignore_ascii_case(&label));
            return Some(Ok(Response::json(
                200,
                &json!({"isSubdomainAvailable": !taken, "subdomainName": label,
                "reason": if taken { "The subdomain name is in use." } else { "" }, "type": text(&call.body, "type")}),
            )));
        }
        if call.request.method == Method::Get && call.rest_is(&["locations", "*", "models"]) {
            let shown = models(world, |model| json!({"kind": "OpenAI", "skuName": "S0", "model": model}));
            return Some(Ok(Response::json(200, &json!({"value": shown}))));
        }
        if call.request.method == Method::Get && call.rest_is(&["locations", "*", "usages"]) {
            let location = call.rest[1].to_ascii_lowercase();
            return Some(Ok(Response::json(200, &json!({"value": usages(world, &location)}))));
        }
        None
    }
}

/// Models that can be deployed today, each as `shape` shows it.
fn models(world: &World, shape: fn(Value) -> Value) -> Vec<Value> {
    let today = world.now.strftime("%Y-%m-%d").to_string();
    MODELS
        .iter()
        .filter(|(_, _, end)| end.is_empty() || *end > today.as_str())
        .map(|(name, version, end)| {
            let skus = ["GlobalStandard", "Standard"].map(|sku| {
                json!({"name": sku, "usageName": format!("OpenAI.{sku}.{name}"),
                       "capacity": {"maximum": QUOTA, "default": 10, "minimum": 1, "step": 1},
                       "deprecationDate": (!end.is_empty()).then(|| format!("{end}T00:00:00Z"))})
            });
            shape(json!({"format": "OpenAI", "name": name, "version": version, "isDefaultVersion": true,
                         "lifecycleStatus": "GenerallyAvailable", "maxCapacity": QUOTA, "skus": skus,
                         "capabilities": {"chatCompletion": "true"}}))
        })
        .collect()
}

/// `usages` of a region: each model and kind of deployment with what is used of its quota.
fn usages(world: &World, location: &str) -> Vec<Value> {
    let mut names: Vec<&str> = MODELS.iter().map(|(name, _, _)| *name).collect();
    names.dedup();
    names
        .iter()
        .flat_map(|model| ["Standard", "GlobalStandard"].map(|sku| (sku, *model)))
        .map(|(sku, model)| {
            let name = format!("OpenAI.{sku}.{model}");
            json!({"name": {"value": name, "localizedValue": name}, "unit": "Count", "limit": QUOTA,
                   "currentValue": used(world, location, sku, model, "")})
        })
        .collect()
}

/// SKUs of a kind of account.
fn skus_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "OpenAI" | "AIServices" | "CognitiveServices" => &["S0"],
        "ComputerVision" => &["F0", "S1"],
        "TextTranslation" => &["F0", "S1", "S2", "S3", "S4", "C2", "C3", "C4", "D3"],
        "TextAnalytics" => &["F0", "S"],
        "Face" | "FormRecognizer" | "SpeechServices" | "ContentSafety" => &["F0", "S0"],
        _ => &["F0", "S0", "S1"],
    }
}

/// What deployments of a model in a region use of its quota, one left out.
fn used(world: &World, location: &str, sku: &str, model: &str, but: &str) -> i64 {
    world
        .arm
        .of_kind(DEPLOYMENT)
        .filter(|it| {
            it.id.key() != but
                && text(&it.body, "sku.name") == sku
                && text(&it.body, "properties.model.name") == model
        })
        .filter(|it| {
            it.id
                .parent()
                .and_then(|id| world.arm.find(&id.key()))
                .is_some_and(|account| account.location() == location)
        })
        .map(|it| it.body["sku"]["capacity"].as_i64().unwrap_or(0))
        .sum()
}

#[derive(Debug)]
struct Deployments;

impl Rules for Deployments {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let Some(account) = change.id.parent().and_then(|account| world.arm.find(&account.key())) else {
            return Ok(());
        };
        let kind = text(&account.body, "kind");
        if kind != "OpenAI" && kind != "AIServices" {
            return Err(Refusal::bad(
                "DeploymentNotSupported",
                format!("An account of the kind '{kind}' takes no deployments."),
            ));
        }
        // Azure changes the deployments of an account one after the other
        let busy = world
            .arm
            .below(&account.id)
            .any(|(key, child)| *key != change.id.key() && child.operation.is_some());
        if busy {
            return Err(Refusal::conflict(
                "RequestConflict",
                format!(
                    "Another operation is being performed on the parent resource '{}'. Please try again later.",
                    account.id
                ),
            ));
        }
        let body = &mut change.body;
        default(body, "sku", json!({"name": "Standard"}));
        one_of(
            body,
            "sku.name",
            &[
                "Standard",
                "GlobalStandard",
                "DataZoneStandard",
                "GlobalBatch",
                "DataZoneBatch",
                "ProvisionedManaged",
                "GlobalProvisionedManaged",
                "DataZoneProvisionedManaged",
                "DeveloperTier",
            ],
            |value| {
                Refusal::bad(
                    "InvalidResourceProperties",
                    format!("The specified SKU '{value}' of account deployment is not supported."),
                )
            },
        )?;
        default(body, "sku.capacity", json!(1));
        // the CLI sends it as text
        if let Some(number) = body["sku"]["capacity"].as_str().and_then(|text| text.parse::<i64>().ok()) {
            put(body, "sku.capacity", json!(number));
        }
        let capacity = body["sku"]["capacity"].as_i64().unwrap_or(0);
        if capacity < 1 {
            return Err(Refusal::bad(
                "InvalidCapacity",
                format!("The capacity {} of the deployment is invalid.", body["sku"]["capacity"]),
            ));
        }
        let name = text(body, "properties.model.name").to_owned();
        let version = text(body, "properties.model.version").to_owned();
        let today = world.now.strftime("%Y-%m-%d").to_string();
        let known: Vec<_> =
            MODELS.iter().filter(|it| it.0 == name && (version.is_empty() || it.1 == version)).collect();
        let label = format!("Format:OpenAI,Name:{name},Version:{version}");
        let Some(model) = known.last() else {
            return Err(Refusal::bad(
                "DeploymentModelNotSupported",
                format!("The model '{label}' of account deployment is not supported."),
            ));
        };
        if !model.2.is_empty() && model.2 <= today.as_str() && change.current.is_none() {
            return Err(Refusal::bad(
                "ServiceModelDeprecated",
                format!(
                    "The model '{label}' has been deprecated since {}: it cannot be deployed any more.",
                    model.2
                ),
            ));
        }
        default(body, "properties.model.version", json!(model.1));
        let sku = text(body, "sku.name").to_owned();
        let before = used(world, &account.location(), &sku, &name, &change.id.key());
        if before + capacity > QUOTA {
            return Err(Refusal::bad(
                "InsufficientQuota",
                format!(
                    "This operation require {capacity} new capacity in quota Tokens Per Minute (thousands) - {name}, which \
                     is bigger than the current available capacity {}. The current quota usage is {before} and the quota \
                     limit is {QUOTA} for quota Tokens Per Minute (thousands) - {name}.",
                    QUOTA - before
                ),
            ));
        }
        default(body, "properties.versionUpgradeOption", json!("OnceNewDefaultVersionAvailable"));
        let options = ["OnceNewDefaultVersionAvailable", "OnceCurrentVersionExpired", "NoAutoUpgrade"];
        one_of(body, "properties.versionUpgradeOption", &options, |value| {
            Refusal::bad(
                "InvalidResourceProperties",
                format!("The version upgrade option '{value}' is invalid."),
            )
        })?;
        default(body, "properties.raiPolicyName", json!(POLICIES[1]));
        let policy = text(body, "properties.raiPolicyName").to_owned();
        if world.arm.find(&account.id.child("raiPolicies", &policy).key()).is_none() {
            return Err(Refusal::bad(
                "InvalidResourceProperties",
                format!(
                    "The content filter policy '{policy}' of the deployment does not exist in the account."
                ),
            ));
        }
        put(body, "properties.capabilities", json!({"chatCompletion": "true", "responses": "true"}));
        put(
            body,
            "properties.rateLimits",
            json!([{"key": "request", "renewalPeriod": 10, "count": capacity},
                                                   {"key": "token", "renewalPeriod": 60, "count": capacity * 1000}]),
        );
        Ok(())
    }
}

/// Content filters of an account; two are there from the start.
#[derive(Debug)]
struct Policies;

impl Rules for Policies {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        if change.id.name().starts_with("Microsoft.") {
            return Err(Refusal::bad("InvalidRaiPolicy", "A policy of Azure's own cannot be changed."));
        }
        let body = &mut change.body;
        default(body, "properties.basePolicyName", json!(POLICIES[1]));
        let base = text(body, "properties.basePolicyName").to_owned();
        let known = change
            .id
            .parent()
            .is_some_and(|account| world.arm.find(&account.child("raiPolicies", &base).key()).is_some());
        if !known {
            return Err(Refusal::bad(
                "InvalidRaiPolicy",
                format!("The base policy '{base}' does not exist."),
            ));
        }
        default(body, "properties.mode", json!("Default"));
        default(body, "properties.contentFilters", json!([]));
        put(body, "properties.type", json!("UserManaged"));
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        if text(resource.properties(), "type") == "SystemManaged" {
            return Err(Refusal::bad("InvalidRaiPolicy", "A policy of Azure's own cannot be deleted."));
        }
        let account = resource.id.parent().unwrap_or_default();
        let user = world.arm.below(&account).find(|(_, child)| {
            child.kind == DEPLOYMENT && text(child.properties(), "raiPolicyName") == resource.id.name()
        });
        match user {
            None => Ok(()),
            Some((_, child)) => Err(Refusal::conflict(
                "RaiPolicyInUse",
                format!(
                    "The policy '{}' is used by the deployment '{}'.",
                    resource.id.name(),
                    child.id.name()
                ),
            )),
        }
    }

    fn may_delete_with_group(&self, _world: &World, _resource: &Resource) -> Result<(), Refusal> {
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }
}

/// Projects of an account of the kind AIServices that manages them.
#[derive(Debug)]
struct Projects;

impl Rules for Projects {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let Some(account) = change.id.parent().and_then(|account| world.arm.find(&account.key())) else {
            return Ok(());
        };
        if text(&account.body, "kind") != "AIServices"
            || account.properties()["allowProjectManagement"] != true
        {
            return Err(Refusal::bad(
                "ProjectManagementNotAllowed",
                format!(
                    "The account '{}' takes no projects: it must be of the kind AIServices, with allowProjectManagement.",
                    account.id.name()
                ),
            ));
        }
        let host = text(account.properties(), "customSubDomainName").to_ascii_lowercase();
        let own = format!("https://{host}.services.ai.azure.com/api/projects/{}", change.id.name());
        put(&mut change.body, "properties.endpoints", json!({"AI Foundry API": own}));
        default(&mut change.body, "properties.displayName", json!(change.id.name()));
        Ok(())
    }
}

#[derive(Debug)]
struct Deleted;

impl Rules for Deleted {
    fn judge(&self, _world: &World, _change: &mut Change) -> Result<(), Refusal> {
        Err(Refusal::new(405, "MethodNotAllowed", "A deleted account is read or purged."))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::world::testing::{Lab, SUB, rg};

    const ACCOUNT: &str = "Microsoft.CognitiveServices/accounts/ai1";

    fn account(more: Value) -> Value {
        let mut body = json!({"location": "swedencentral", "kind": "OpenAI", "sku": {"name": "S0"},
                              "properties": {"customSubDomainName": "ai1"}});
        crate::world::arm::merge(&mut body, &more);
        body
    }

    #[test]
    fn a_deleted_account_holds_its_name_until_restored_or_purged() {
        let mut lab = Lab::new(0.0);
        lab.put(&rg(ACCOUNT), account(json!({"sku": {"name": "F0"}}))).refused(400, "InvalidSkuId");
        let made = lab.put(&rg(ACCOUNT), account(json!({}))).ok(201).json;
        assert_eq!(made["properties"]["endpoint"], "https://ai1.openai.azure.com/");
        let key = lab.post(&format!("{}/listKeys", rg(ACCOUNT)), json!({})).ok(200).json["key1"].clone();
        lab.delete(&rg(ACCOUNT)).ok(200);
        lab.put(&rg(ACCOUNT), account(json!({}))).refused(409, "FlagMustBeSetForRestore");
        lab.put(&rg("Microsoft.CognitiveServices/accounts/ai2"), account(json!({})))
            .refused(409, "CustomDomainInUse");
        lab.put(&rg(ACCOUNT), account(json!({"properties": {"restore": true}}))).ok(201);
        assert_eq!(lab.post(&format!("{}/listKeys", rg(ACCOUNT)), json!({})).json["key1"], key);
        lab.delete(&rg(ACCOUNT)).ok(200);
        let list = format!("{SUB}/providers/Microsoft.CognitiveServices/deletedAccounts");
        let dead = lab.get(&list).ok(200).json["value"][0]["id"].as_str().unwrap().to_owned();
        assert!(dead.ends_with("/locations/swedencentral/resourceGroups/rg/deletedAccounts/ai1"), "{dead}");
        lab.get(&dead).ok(200);
        lab.delete(&dead).ok(200);
        lab.put(&rg(ACCOUNT), account(json!({}))).ok(201);
        lab.delete(&rg(ACCOUNT)).ok(200);
        lab.wait(48.0 * 3600.0 + 1.0);
        assert_eq!(lab.get(&list).json["value"], json!([]));
        lab.put(&rg(ACCOUNT), account(json!({}))).ok(201);
    }

    #[test]
    fn models_retire_and_have_a_quota() {
        let mut lab = Lab::new(0.0);
        lab.put(&rg(ACCOUNT), account(json!({}))).ok(201);
        let at = |name: &str| rg(&format!("{ACCOUNT}/deployments/{name}"));
        let model = |name: &str, capacity: u32| json!({"sku": {"name": "GlobalStandard", "capacity": capacity}, "properties": {"model": {"format": "OpenAI", "name": name}}});
        lab.put(&at("a"), model("gpt-4o", 1)).refused(400, "ServiceModelDeprecated");
        lab.put(&at("a"), model("gpt-4o-mini", 1)).refused(400, "ServiceModelDeprecated");
        lab.put(&at("a"), model("gpt-99", 1)).refused(400, "DeploymentModelNotSupported");
        lab.put(&at("a"), model("gpt-4.1", 1001)).refused(400, "InsufficientQuota");
        let made = lab.put(&at("a"), model("gpt-4.1", 900)).ok(201).json;
        assert_eq!(made["properties"]["model"]["version"], "2025-04-14");
        lab.put(&at("a"), model("gpt-4.1", 900)).ok(200);
        lab.put(&at("b"), model("gpt-4.1", 200)).refused(400, "InsufficientQuota");
        let usages = lab
            .get(&format!("{SUB}/providers/Microsoft.CognitiveServices/locations/swedencentral/usages"))
            .ok(200)
            .json;
        let own = usages["value"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["name"]["value"] == "OpenAI.GlobalStandard.gpt-4.1");
        assert_eq!(own.unwrap()["currentValue"], 900);
        lab.delete(&rg(ACCOUNT)).refused(409, "CannotDeleteResource");
    }
}
