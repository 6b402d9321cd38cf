//! `Microsoft.App/managedEnvironments`.

use serde_json::{Value, json};

use super::workload::HostCertificate;
use super::{domains, stream};
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Depth, Kind, Names, Place, Replies, Reply, Rules, Signs, USUAL};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::subscriptions::normal;
use crate::world::arm::{Resource, default, put, stamp, take};
use crate::world::{Method, Response, World, chance, x509};

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
    // az takes a 201 without the header for a failure: what ends within the request is a 200.
    replies: Replies { create: Reply { done: 200, ..USUAL.create }, ..USUAL },
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
        tidy_profiles(&mut change.body["properties"]);
        check_profiles(&change.body["properties"])?;
        check_profiles_in_use(world, change)?;
        check_network(world, change)?;
        check_zones(change)?;
        check_suffix(world, change)?;
        let key = change.id.key();
        let inside = change.body["properties"]["vnetConfiguration"]["internal"] == true;
        let domain =
            default_domain(world.config.seed, &key, change.body["location"].as_str().unwrap_or_default());
        let address = chance::digest(world.config.seed, &format!("address {key}"), 0);
        for (name, value) in [
            ("defaultDomain", json!(domain)),
            (
                "staticIp",
                json!(match inside {
                    true => format!("10.{}.{}.{}", address[0], address[1], address[2].max(4)),
                    false => format!("20.{}.{}.{}", address[0], address[1], address[2].max(1)),
                }),
            ),
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
        for (kind, code, plural) in [
            ("Microsoft.App/containerApps", "ManagedEnvironmentHasContainerApps", "ContainerApps"),
            ("Microsoft.App/jobs", "ManagedEnvironmentHasContainerAppsJobs", "Container Apps Jobs"),
        ] {
            let left = world.arm.of_kind(kind);
            let left = left.filter(|app| environment_of(&app.body).eq_ignore_ascii_case(&key)).count();
            if left > 0 {
                return Err(Refusal::conflict(
                    code,
                    format!(
                        "The specified environment {} cannot be deleted because it still contains {left} {plural}.",
                        resource.id.name()
                    ),
                ));
            }
        }
        Ok(())
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        for secret in ["daprAIInstrumentationKey", "daprAIConnectionString"] {
            take(body, &format!("properties.{secret}"));
        }
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
        if call.rest_is(&["detectorProperties", "rootApi"]) && call.request.method == Method::Get {
            let shown = crate::world::arm::resources::show(world, &call.id.key())?;
            return Some(Ok(Response::json(200, &shown)));
        }
        if call.rest_is(&["getAuthToken"]) && call.request.method == Method::Post {
            return Some(Ok(stream::token(world, &found.id, &found.kind, found.text("/location"))));
        }
        if call.rest_is(&["usages"]) && call.request.method == Method::Get {
            let (cores, gpus) = (cores(world, &call.id.key()), 0.0);
            let value = json!([
                usage("ManagedEnvironmentConsumptionCores", "Consumption Cores", cores, 100.0),
                usage("ManagedEnvironmentGeneralPurposeCores", "General Purpose Cores", 0.0, 100.0),
                usage("ManagedEnvironmentMemoryOptimizedCores", "Memory Optimized Cores", 0.0, 50.0),
                usage("ManagedEnvironmentComputeOptimizedCores", "Compute Optimized Cores", 0.0, 0.0),
                usage("ManagedEnvironmentConsumptionT4Gpus", "Consumption T4 Gpus", gpus, 0.0),
            ]);
            return Some(Ok(Response::json(200, &json!({"value": value}))));
        }
        if call.rest_is(&["workloadProfileStates"]) && call.request.method == Method::Get {
            let profiles = found.properties()["workloadProfiles"].as_array().into_iter().flatten();
            let value: Vec<Value> = profiles
                .map(|profile| {
                    let name = profile["name"].as_str().unwrap_or_default();
                    json!({
                        "id": format!("{}/workloadProfileStates/{name}", call.id),
                        "name": name,
                        "type": "Microsoft.App/managedEnvironments/workloadProfileStates",
                        "properties": {
                            "minimumCount": profile["minimumCount"].as_u64().unwrap_or(0),
                            "maximumCount": profile["maximumCount"].as_u64().unwrap_or(0),
                            "currentCount": profile["minimumCount"].as_u64().unwrap_or(0),
                        },
                    })
                })
                .collect();
            return Some(Ok(Response::json(200, &json!({"value": value}))));
        }
        if call.rest_is(&["checkNameAvailability"]) && call.request.method == Method::Post {
            let name = call.body["name"].as_str().unwrap_or_default();
            let kind = call.body["type"].as_str().unwrap_or_default().to_ascii_lowercase();
            let taken = match kind.rsplit('/').next() {
                Some(part @ ("certificates" | "managedcertificates" | "daprcomponents")) => {
                    world.arm.find(&call.id.child(part, name).key()).is_some()
                }
                _ => world.arm.of_kind("Microsoft.App/containerApps").any(|app| {
                    app.id.name().eq_ignore_ascii_case(name)
                        && environment_of(&app.body).eq_ignore_ascii_case(&call.id.key())
                }),
            };
            let answer = if taken {
                json!({"nameAvailable": false, "reason": "AlreadyExists", "message": format!("The name '{name}' is in use in this environment.")})
            } else {
                json!({"nameAvailable": true})
            };
            return Some(Ok(Response::json(200, &answer)));
        }
        None
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let (get, post) = (call.request.method == Method::Get, call.request.method == Method::Post);
        if post && call.rest_is(&["getCustomDomainVerificationId"]) {
            return Some(Ok(Response::json(200, &json!(verification_id(world)))));
        }
        if get && call.rest_is(&["locations", "*", "billingMeters"]) {
            let meter = |(name, category): (&str, &str)| {
                json!({
                    "id": format!("{}/providers/Microsoft.App/locations/{}/billingMeters/{name}", call.id, call.rest[1]),
                    "name": name,
                    "type": "Microsoft.App/billingMeters",
                    "location": normal(call.rest[1]),
                    "properties": {"category": category, "meterType": name, "displayName": name},
                })
            };
            let value: Vec<Value> = METERS.iter().copied().map(meter).collect();
            return Some(Ok(Response::json(200, &json!({"value": value}))));
        }
        if get && call.rest_is(&["locations", "*", "availableManagedEnvironmentsWorkloadProfileTypes"]) {
            let value: Vec<Value> = PROFILES.iter().map(|(name, category, cores, memory)| json!({
                "id": format!("{}/providers/Microsoft.App/locations/{}/availableManagedEnvironmentsWorkloadProfileTypes/{name}", call.id, call.rest[1]),
                "name": name,
                "type": "Microsoft.App/availableManagedEnvironmentsWorkloadProfileTypes",
                "properties": {"category": category, "applicability": "LocationDefault", "cores": cores, "memoryGiB": memory, "displayName": name},
            })).collect();
            return Some(Ok(Response::json(200, &json!({"value": value}))));
        }
        None
    }
}

/// Workload profiles by name: category, cores, gibibytes.
const PROFILES: &[(&str, &str, u32, u32)] = &[
    ("Consumption", "Consumption", 4, 8),
    ("D4", "GeneralPurpose", 4, 16),
    ("D8", "GeneralPurpose", 8, 32),
    ("D16", "GeneralPurpose", 16, 64),
    ("D32", "GeneralPurpose", 32, 128),
    ("E4", "MemoryOptimized", 4, 32),
    ("E8", "MemoryOptimized", 8, 64),
    ("E16", "MemoryOptimized", 16, 128),
    ("E32", "MemoryOptimized", 32, 256),
    ("Consumption-GPU-NC24-A100", "Consumption", 24, 220),
    ("Consumption-GPU-NC8as-T4", "Consumption", 8, 56),
    ("NC24-A100", "GPU", 24, 220),
    ("NC48-A100", "GPU", 48, 440),
    ("NC96-A100", "GPU", 96, 880),
    ("Flex", "Consumption", 4, 16),
];

/// What is billed, by category of workload profile.
const METERS: &[(&str, &str)] = &[
    ("vCpuActive", "Consumption"),
    ("vCpuIdle", "Consumption"),
    ("MemoryActive", "Consumption"),
    ("Requests", "Consumption"),
    ("vCpu", "GeneralPurpose"),
    ("Memory", "GeneralPurpose"),
    ("DedicatedPlanManagement", "GeneralPurpose"),
];

/// Cores and gibibytes of a node of a workload profile; `None` for the one that bills by use.
pub(super) fn node(kind: &str) -> Option<(u32, u32)> {
    let found = PROFILES.iter().find(|(name, ..)| name.eq_ignore_ascii_case(kind) && *name != "Consumption");
    found.map(|(_, _, cores, gib)| (*cores, *gib))
}

fn usage(name: &str, shown: &str, current: f64, limit: f64) -> Value {
    json!({"name": {"value": name, "localizedValue": shown}, "unit": "Count", "currentValue": current, "limit": limit})
}

/// Cores of the replicas that run in an environment.
fn cores(world: &World, environment: &str) -> f64 {
    let apps = world.arm.of_kind("Microsoft.App/containerApps");
    apps.filter(|app| environment_of(&app.body).eq_ignore_ascii_case(environment))
        .filter_map(|app| world.apps.apps.get(&app.id.key()))
        .flat_map(|state| state.revisions.iter().filter(|revision| revision.active))
        .map(|revision| {
            let containers = revision.template["containers"].as_array().into_iter().flatten();
            let each: f64 = containers.filter_map(|container| container["resources"]["cpu"].as_f64()).sum();
            each * revision.replicas.len() as f64
        })
        .fold(0.0, |sum, cores| sum + cores)
}

/// Whether an environment is reachable from its network only.
pub(super) fn internal(world: &World, environment: &str) -> bool {
    world
        .arm
        .find(environment)
        .is_some_and(|found| found.properties()["vnetConfiguration"]["internal"] == true)
}

/// Whether an environment is in a network of its owner's.
pub(super) fn has_network(world: &World, environment: &str) -> bool {
    world
        .arm
        .find(environment)
        .is_some_and(|found| !found.text("/properties/vnetConfiguration/infrastructureSubnetId").is_empty())
}

/// The subnet of an environment: there, near, big enough, delegated as the environment's kind asks, and fixed.
fn check_network(world: &World, change: &Change) -> Result<(), Refusal> {
    let wrong = |why: String| {
        Err(Refusal::bad(
            "ManagedEnvironmentInvalidNetworkConfiguration",
            format!("The environment network configuration is invalid: {why}"),
        ))
    };
    let network = &change.body["properties"]["vnetConfiguration"];
    let subnet = network["infrastructureSubnetId"].as_str().unwrap_or_default();
    if let Some(current) = &change.current {
        let before = &current.properties()["vnetConfiguration"];
        let kept = before["infrastructureSubnetId"].as_str().unwrap_or_default().eq_ignore_ascii_case(subnet)
            && (before["internal"] == true) == (network["internal"] == true);
        return if kept {
            Ok(())
        } else {
            wrong("The virtual network of an environment cannot be changed after its creation.".into())
        };
    }
    if subnet.is_empty() {
        return if network["internal"] == true {
            wrong("An internal environment needs an infrastructureSubnetId.".into())
        } else {
            Ok(())
        };
    }
    let id = Id::parse(subnet)
        .filter(|id| id.kind().eq_ignore_ascii_case("Microsoft.Network/virtualNetworks/subnets"));
    let vnet = id.as_ref().and_then(Id::parent).and_then(|vnet| world.arm.find(&vnet.key()));
    let inline = vnet.zip(id.as_ref()).and_then(|(vnet, id)| {
        let all = vnet.properties()["subnets"].as_array().into_iter().flatten();
        all.clone()
            .find(|known| known["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(id.name())))
    });
    let own = id.as_ref().and_then(|id| world.arm.find(&id.key())).map(Resource::properties);
    let Some(found) = own.or(inline.map(|inline| &inline["properties"])) else {
        return wrong("The subnet and its addressPrefix could not be found.".into());
    };
    if vnet
        .is_some_and(|vnet| vnet.location() != normal(change.body["location"].as_str().unwrap_or_default()))
    {
        return wrong("The virtual network must be in the region of the environment.".into());
    }
    let prefix = found["addressPrefix"].as_str().or_else(|| found["addressPrefixes"][0].as_str());
    let bits =
        prefix.and_then(|prefix| prefix.split_once('/')).and_then(|(_, bits)| bits.parse::<u32>().ok());
    let profiles =
        change.body["properties"]["workloadProfiles"].as_array().is_some_and(|all| !all.is_empty());
    let least = if profiles { 27 } else { 23 };
    if bits.is_none_or(|bits| bits > least) {
        return wrong(format!("Provided subnet must have a size of at least /{least}"));
    }
    let delegated = found["delegations"][0]["properties"]["serviceName"].as_str().unwrap_or_default();
    let ours = delegated.eq_ignore_ascii_case("Microsoft.App/environments");
    if profiles && !ours {
        return Err(Refusal::bad(
            "ManagedEnvironmentSubnetDelegationError",
            "The subnet of the environment must be delegated to the service 'Microsoft.App/environments'.",
        ));
    }
    if !profiles && !delegated.is_empty() {
        return Err(Refusal::bad(
            "ManagedEnvironmentSubnetIsDelegated",
            format!("The subnet of the environment must not be delegated, and is to '{delegated}'."),
        ));
    }
    let taken = world.arm.of_kind(KIND.name).find(|other| {
        other.text("/properties/vnetConfiguration/infrastructureSubnetId").eq_ignore_ascii_case(subnet)
    });
    match taken {
        Some(other) => Err(Refusal::bad(
            "ManagedEnvironmentSubnetInUse",
            format!(
                "The subnet is in use by the environment '{}': each environment needs one of its own.",
                other.id.name()
            ),
        )),
        None => Ok(()),
    }
}

/// Zones need a network, and are for good.
fn check_zones(change: &Change) -> Result<(), Refusal> {
    let redundant = |properties: &Value| properties["zoneRedundant"] == true;
    let now = &change.body["properties"];
    if let Some(current) = &change.current
        && redundant(current.properties()) != redundant(now)
    {
        return Err(Refusal::bad(
            "ManagedEnvironmentZoneRedundancyCannotChange",
            "The zone redundancy of an environment cannot be changed after its creation.",
        ));
    }
    let subnet = now["vnetConfiguration"]["infrastructureSubnetId"].as_str().unwrap_or_default();
    if redundant(now) && subnet.is_empty() {
        return Err(Refusal::bad(
            "ManagedEnvironmentZoneRedundantRequiresVnet",
            "An environment with zone redundancy needs a virtual network of its own: vnetConfiguration.infrastructureSubnetId is missing.",
        ));
    }
    Ok(())
}

/// A DNS suffix of one's own: proven by its TXT record, with a certificate for what is below it. The certificate's key
/// is never shown.
fn check_suffix(world: &World, change: &mut Change) -> Result<(), Refusal> {
    const PLACE: &str = "properties.customDomainConfiguration";
    let value = take(&mut change.body, &format!("{PLACE}.certificateValue"));
    let password = take(&mut change.body, &format!("{PLACE}.certificatePassword"));
    let configuration = &change.body["properties"]["customDomainConfiguration"];
    let suffix = configuration["dnsSuffix"].as_str().unwrap_or_default().to_ascii_lowercase();
    if suffix.is_empty() {
        return Ok(());
    }
    let before = change
        .current
        .as_ref()
        .map(|current| &current.properties()["customDomainConfiguration"]["dnsSuffix"]);
    if !before.and_then(Value::as_str).is_some_and(|before| before.eq_ignore_ascii_case(&suffix)) {
        domains::owned(world, &suffix)?;
    }
    let text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    let value = text(&value);
    if value.is_empty() {
        return match change.private["chain"].is_array() {
            true => Ok(()),
            false => Err(Refusal::bad(
                "CertificateMissing",
                format!("The custom DNS suffix '{suffix}' needs a certificate: certificateValue is missing."),
            )),
        };
    }
    let bundle = x509::read(&value, &text(&password)).map_err(|wrong| {
        Refusal::bad(
            "CertificateInvalid",
            format!("The certificate of the custom DNS suffix '{suffix}' cannot be read: {}.", wrong.why()),
        )
    })?;
    if !bundle.facts.covers(&format!("app.{suffix}")) {
        return Err(Refusal::bad(
            "CertificateSubjectNameMismatch",
            format!("The certificate is for {}, and not for '*.{suffix}'.", bundle.facts.names.join(", ")),
        ));
    }
    domains::keep(&mut change.private, &bundle);
    for (field, value) in [
        ("expirationDate", json!(stamp(bundle.facts.until))),
        ("thumbprint", json!(hex::encode_upper(&bundle.facts.thumbprint))),
        ("subjectName", json!(bundle.facts.subject)),
    ] {
        put(&mut change.body, &format!("{PLACE}.{field}"), value);
    }
    Ok(())
}

/// An environment's DNS suffix of its own, and what is shown below it.
pub(super) fn own_suffix(world: &World, environment: &str) -> Option<(String, HostCertificate)> {
    let found = world.arm.find(environment)?;
    let suffix = found.text("/properties/customDomainConfiguration/dnsSuffix").to_ascii_lowercase();
    (!suffix.is_empty()).then(|| (suffix, domains::uploaded(&found.private)))
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

/// Makes numbers of the counts that az sends as text.
fn tidy_profiles(properties: &mut Value) {
    let profiles = properties.get_mut("workloadProfiles").and_then(Value::as_array_mut);
    for profile in profiles.into_iter().flatten() {
        for name in ["minimumCount", "maximumCount"] {
            if let Some(count) = profile[name].as_str().and_then(|count| count.parse::<u64>().ok()) {
                profile[name] = json!(count);
            }
        }
    }
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
        let Some((_, category, ..)) = PROFILES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(kind))
        else {
            return Err(Refusal::bad(
                "InvalidWorkloadProfileType",
                format!(
                    "The workload profile type '{kind}' of the workload profile '{name}' is not supported."
                ),
            ));
        };
        let (least, most) = (profile["minimumCount"].as_u64(), profile["maximumCount"].as_u64());
        let counted = *category != "Consumption";
        if counted && (most.is_none() || least.unwrap_or(0) > most.unwrap_or(0)) {
            return Err(Refusal::bad(
                "InvalidWorkloadProfile",
                format!(
                    "The workload profile '{name}' needs a minimumCount and a maximumCount that is not below it."
                ),
            ));
        }
    }
    Ok(())
}

/// Refuses to take a workload profile away that an app or job runs in.
fn check_profiles_in_use(world: &World, change: &Change) -> Result<(), Refusal> {
    let named = |properties: &Value| -> Vec<String> {
        let all = properties["workloadProfiles"].as_array().into_iter().flatten();
        all.filter_map(|profile| profile["name"].as_str()).map(str::to_ascii_lowercase).collect()
    };
    let Some(current) = &change.current else { return Ok(()) };
    let stays = named(&change.body["properties"]);
    for gone in named(current.properties()).into_iter().filter(|name| !stays.contains(name)) {
        let all = ["Microsoft.App/containerApps", "Microsoft.App/jobs"];
        let user = all.into_iter().flat_map(|kind| world.arm.of_kind(kind)).find(|user| {
            environment_of(&user.body).eq_ignore_ascii_case(&change.id.key())
                && user.text("/properties/workloadProfileName").eq_ignore_ascii_case(&gone)
        });
        if let Some(user) = user {
            return Err(Refusal::bad(
                "WorkloadProfileInUse",
                format!("The workload profile '{gone}' cannot be removed: '{}' runs in it.", user.id.name()),
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
            "InvalidManagedEnvironmentId",
            format!("Invalid ManagedEnvironmentId value '{environment}'."),
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
