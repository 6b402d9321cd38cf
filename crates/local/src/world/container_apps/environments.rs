//! `Microsoft.App/managedEnvironments`.

use serde_json::{Value, json};

use super::stream;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Depth, Kind, Names, Place, Rules, Signs, USUAL};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put, take};
use crate::world::{Method, Response, World, chance};

pub(super) const KIND: Kind = Kind {
    name: "Microsoft.App/managedEnvironments",
    depth: Depth::Modelled,
    names: Names {
        length: (2, 60),
        signs: Signs::Hyphened,
        global: false,
        refusal: (
            "ManagedEnvironmentInvalidName",
            "Invalid managed environment name '{name}'. A name must consist of alphanumeric characters or '-', start and \
             end with an alphanumeric character, and have 2 to 60 characters.",
        ),
    },
    place: Place::Regional,
    seconds: [60.0, 20.0, 60.0],
    replies: USUAL,
    busy: "ManagedEnvironmentOperationInProgress",
    computed: &[
        "properties.defaultDomain",
        "properties.staticIp",
        "properties.deploymentErrors",
        "properties.eventStreamEndpoint",
        "properties.kedaConfiguration",
        "properties.daprConfiguration",
        "properties.customDomainConfiguration.customDomainVerificationId",
        "properties.customDomainConfiguration.expirationDate",
        "properties.customDomainConfiguration.thumbprint",
        "properties.customDomainConfiguration.subjectName",
        "properties.privateEndpointConnections",
    ],
    // `az containerapp env create` sends `Name`.
    spelling: &["name", "workloadProfileType", "minimumCount", "maximumCount"],
    rules: &Environments,
};

#[derive(Debug)]
struct Environments;

impl Rules for Environments {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        check_logs(change)?;
        check_profiles(&change.body["properties"])?;
        let key = change.id.key();
        let domain =
            default_domain(world.config.seed, &key, change.body["location"].as_str().unwrap_or_default());
        let address = chance::digest(world.config.seed, &format!("address {key}"), 0);
        for (name, value) in [
            ("defaultDomain", json!(domain)),
            ("staticIp", json!(format!("20.{}.{}.{}", address[0], address[1], address[2].max(1)))),
            ("zoneRedundant", json!(false)),
            ("kedaConfiguration", json!({"version": "2.17.2"})),
            ("daprConfiguration", json!({"version": "1.13.6-msft.6"})),
            ("customDomainConfiguration.customDomainVerificationId", json!(verification_id(world))),
            ("peerAuthentication", json!({"mtls": {"enabled": false}})),
            ("peerTrafficConfiguration", json!({"encryption": {"enabled": false}})),
            ("publicNetworkAccess", json!("Enabled")),
        ] {
            default(&mut change.body, &format!("properties.{name}"), value);
        }
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        let key = resource.id.key();
        let mut apps = world
            .arm
            .of_kind("Microsoft.App/containerApps")
            .filter(|app| environment_of(&app.body).to_ascii_lowercase() == key);
        match apps.next() {
            None => Ok(()),
            Some(app) => Err(Refusal::conflict(
                "ManagedEnvironmentNotEmpty",
                format!(
                    "The managed environment '{}' cannot be deleted while it has container apps, such as '{}'. Delete these first.",
                    resource.id.name(),
                    app.id.name()
                ),
            )),
        }
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        put(body, "properties.eventStreamEndpoint", json!(stream::endpoint(world, &resource.id)));
        let state = match resource.state.as_str() {
            "Creating" => Some("InfrastructureSetupInProgress"),
            "Updating" => Some("Waiting"),
            "Deleting" => Some("ScheduledForDelete"),
            _ => None,
        };
        if let Some(state) = state {
            put(body, "properties.provisioningState", json!(state));
        }
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let found = world.arm.find(&call.id.key())?;
        if call.rest_is(&["getAuthToken"]) && call.request.method == Method::Post {
            return Some(Ok(stream::token(world, &found.id, &found.kind, found.text("/location"))));
        }
        if call.rest_is(&["checkNameAvailability"]) && call.request.method == Method::Post {
            let name = call.body["name"].as_str().unwrap_or_default();
            let taken = world.arm.of_kind("Microsoft.App/containerApps").any(|app| {
                app.id.name().eq_ignore_ascii_case(name)
                    && environment_of(&app.body).eq_ignore_ascii_case(&call.id.key())
            });
            let answer = if taken {
                json!({"nameAvailable": false, "reason": "AlreadyExists", "message": format!("The name '{name}' is in use in this environment.")})
            } else {
                json!({"nameAvailable": true})
            };
            return Some(Ok(Response::json(200, &answer)));
        }
        None
    }
}

/// Log Analytics as destination needs a workspace and its key; the key is never shown again.
fn check_logs(change: &mut Change) -> Result<(), Refusal> {
    let logs = "properties.appLogsConfiguration";
    let destination = crate::world::arm::at(&change.body, &format!("{logs}.destination"))
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if !["", "none", "log-analytics", "azure-monitor"].contains(&destination.as_str()) {
        return Err(Refusal::bad(
            "InvalidRequestParameterWithDetails",
            format!(
                "The value '{destination}' of appLogsConfiguration.destination is invalid. Allowed values: 'log-analytics', 'azure-monitor', 'none'."
            ),
        ));
    }
    let key = take(&mut change.body, &format!("{logs}.logAnalyticsConfiguration.sharedKey"));
    if let Some(key) = key.filter(|key| key.as_str().is_some_and(|key| !key.is_empty())) {
        put(&mut change.private, "sharedKey", key);
    }
    if destination != "log-analytics" {
        return Ok(());
    }
    let customer =
        crate::world::arm::at(&change.body, &format!("{logs}.logAnalyticsConfiguration.customerId"));
    for (name, there) in [
        ("customerId", customer.and_then(Value::as_str).is_some_and(|id| !id.is_empty())),
        ("sharedKey", change.private["sharedKey"].is_string()),
    ] {
        if !there {
            return Err(Refusal::bad(
                "InvalidRequestParameterWithDetails",
                format!(
                    "LogAnalyticsConfiguration.{name} is invalid: with the destination 'log-analytics' a workspace's customerId and sharedKey are required."
                ),
            ));
        }
    }
    Ok(())
}

fn check_profiles(properties: &Value) -> Result<(), Refusal> {
    let mut names = std::collections::BTreeSet::new();
    for profile in properties["workloadProfiles"].as_array().into_iter().flatten() {
        let name = profile["name"].as_str().unwrap_or_default();
        let kind = profile["workloadProfileType"].as_str().unwrap_or_default();
        if name.is_empty() || kind.is_empty() || !names.insert(name.to_ascii_lowercase()) {
            return Err(Refusal::bad(
                "InvalidWorkloadProfile",
                format!(
                    "The workload profile '{name}' is invalid: each needs a name of its own and a workloadProfileType."
                ),
            ));
        }
    }
    Ok(())
}

/// The environment an app's body names: `environmentId` as az writes it, or `managedEnvironmentId`.
pub(super) fn environment_of(body: &Value) -> &str {
    let named = |name: &str| body["properties"][name].as_str().filter(|id| !id.is_empty());
    named("managedEnvironmentId").or_else(|| named("environmentId")).unwrap_or_default()
}

/// `customDomainVerificationId`: one per subscription.
pub(super) fn verification_id(world: &World) -> String {
    hex::encode_upper(chance::digest(
        world.config.seed,
        &format!("verification {}", world.config.subscription),
        0,
    ))
}

/// `adjective-noun` with eight hex digits, in the region's part of Azure's own domain.
fn default_domain(seed: u64, key: &str, location: &str) -> String {
    const ADJECTIVES: [&str; 16] = [
        "happy", "calm", "brave", "gentle", "proud", "wise", "ashy", "blue", "green", "icy", "jolly", "kind",
        "lively", "mango", "nice", "orange",
    ];
    const NOUNS: [&str; 16] = [
        "stone", "tree", "river", "hill", "field", "moss", "forest", "beach", "cliff", "desert", "flower",
        "glacier", "island", "meadow", "plant", "sea",
    ];
    let draw = chance::digest(seed, &format!("domain {key}"), 0);
    let region: String = location.to_ascii_lowercase().split_whitespace().collect();
    format!(
        "{}{}-{}.{region}.azurecontainerapps.localhost",
        ADJECTIVES[usize::from(draw[0] % 16)],
        NOUNS[usize::from(draw[1] % 16)],
        hex::encode(&draw[2..6])
    )
}

/// The environment's default domain, once it is there.
pub(super) fn domain<'a>(world: &'a World, environment: &str) -> Option<&'a str> {
    world.arm.find(environment)?.properties()["defaultDomain"].as_str()
}

/// Refuses an app in an environment that is not there or not ready.
pub(super) fn must_take_apps(world: &World, environment: &str) -> Result<(), Refusal> {
    let id = Id::parse(environment).filter(|id| id.kind().eq_ignore_ascii_case(KIND.name));
    let Some(id) = id else {
        return Err(Refusal::bad(
            "ContainerAppInvalidEnvironmentId",
            format!("The environment ID '{environment}' of the container app is missing or invalid."),
        ));
    };
    let Some(found) = world.arm.find(&id.key()) else {
        return Err(Refusal::bad(
            "ManagedEnvironmentNotFound",
            format!("The managed environment '{environment}' of the container app was not found."),
        ));
    };
    if matches!(found.state.as_str(), "Succeeded") {
        return Ok(());
    }
    let state = match found.state.as_str() {
        "Creating" => "InfrastructureSetupInProgress",
        "Updating" => "Waiting",
        "Deleting" => "ScheduledForDelete",
        other => other,
    };
    Err(Refusal::conflict(
        "ManagedEnvironmentNotReadyForAppCreation",
        format!(
            "The environment '{}' is not ready for app creation. The state of the environment is '{state}'.",
            id.name()
        ),
    ))
}
