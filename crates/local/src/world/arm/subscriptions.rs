//! Tenants, subscriptions, locations, and the registration of resource providers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::gate::{authorize, list};
use super::id::Id;
use super::kind::{self, Place};
use super::refusal::Refusal;
use super::{Answer, Ask, Event as ArmEvent, catalogue, names};
use crate::world::agenda::Event;
use crate::world::{Method, Response, World, access};

/// How long a registration takes, in seconds at speed 1.
const REGISTER_SECONDS: f64 = 30.0;

/// Regions: name, display name, geography, the region it is paired with, whether it has availability zones.
const REGIONS: &[(&str, &str, &str, &str, bool)] = &[
    ("eastus", "East US", "US", "westus", true),
    ("eastus2", "East US 2", "US", "centralus", true),
    ("southcentralus", "South Central US", "US", "northcentralus", true),
    ("westus2", "West US 2", "US", "westcentralus", true),
    ("westus3", "West US 3", "US", "eastus", true),
    ("australiaeast", "Australia East", "Asia Pacific", "australiasoutheast", true),
    ("southeastasia", "Southeast Asia", "Asia Pacific", "eastasia", true),
    ("northeurope", "North Europe", "Europe", "westeurope", true),
    ("swedencentral", "Sweden Central", "Europe", "swedensouth", true),
    ("uksouth", "UK South", "Europe", "ukwest", true),
    ("westeurope", "West Europe", "Europe", "northeurope", true),
    ("centralus", "Central US", "US", "eastus2", true),
    ("southafricanorth", "South Africa North", "Africa", "southafricawest", true),
    ("centralindia", "Central India", "Asia Pacific", "southindia", true),
    ("eastasia", "East Asia", "Asia Pacific", "southeastasia", true),
    ("indonesiacentral", "Indonesia Central", "Asia Pacific", "", true),
    ("japaneast", "Japan East", "Asia Pacific", "japanwest", true),
    ("japanwest", "Japan West", "Asia Pacific", "japaneast", true),
    ("koreacentral", "Korea Central", "Asia Pacific", "koreasouth", true),
    ("malaysiawest", "Malaysia West", "Asia Pacific", "", true),
    ("newzealandnorth", "New Zealand North", "Asia Pacific", "", true),
    ("canadacentral", "Canada Central", "Canada", "canadaeast", true),
    ("austriaeast", "Austria East", "Europe", "", true),
    ("belgiumcentral", "Belgium Central", "Europe", "", true),
    ("francecentral", "France Central", "Europe", "francesouth", true),
    ("germanywestcentral", "Germany West Central", "Europe", "germanynorth", true),
    ("italynorth", "Italy North", "Europe", "", true),
    ("norwayeast", "Norway East", "Europe", "norwaywest", true),
    ("polandcentral", "Poland Central", "Europe", "", true),
    ("spaincentral", "Spain Central", "Europe", "", true),
    ("switzerlandnorth", "Switzerland North", "Europe", "switzerlandwest", true),
    ("mexicocentral", "Mexico Central", "Mexico", "", true),
    ("chilecentral", "Chile Central", "South America", "", true),
    ("uaenorth", "UAE North", "Middle East", "uaecentral", true),
    ("brazilsouth", "Brazil South", "South America", "southcentralus", true),
    ("israelcentral", "Israel Central", "Middle East", "", true),
    ("qatarcentral", "Qatar Central", "Middle East", "", true),
    ("northcentralus", "North Central US", "US", "southcentralus", false),
    ("westus", "West US", "US", "eastus", false),
    ("westcentralus", "West Central US", "US", "westus2", false),
    ("australiacentral", "Australia Central", "Asia Pacific", "australiacentral", false),
    ("australiasoutheast", "Australia Southeast", "Asia Pacific", "australiaeast", false),
    ("koreasouth", "Korea South", "Asia Pacific", "koreacentral", false),
    ("southindia", "South India", "Asia Pacific", "centralindia", false),
    ("westindia", "West India", "Asia Pacific", "southindia", false),
    ("canadaeast", "Canada East", "Canada", "canadacentral", false),
    ("ukwest", "UK West", "Europe", "uksouth", false),
];

/// Providers: namespace, newest stable api-version known here, whether a new local subscription is registered.
const PROVIDERS: &[(&str, &str, bool)] = &[
    ("Microsoft.App", "2026-01-01", true),
    ("Microsoft.AppConfiguration", "2024-06-01", true),
    ("Microsoft.Authorization", "2022-04-01", true),
    ("Microsoft.Cache", "2025-07-01", true),
    ("Microsoft.Cdn", "2025-12-01", true),
    ("Microsoft.CognitiveServices", "2026-07-01", true),
    ("Microsoft.Communication", "2026-03-18", true),
    ("Microsoft.Consumption", "2026-06-01", true),
    ("Microsoft.ContainerInstance", "2026-07-01", true),
    ("Microsoft.ContainerRegistry", "2025-11-01", true),
    ("Microsoft.ContainerService", "2026-05-01", true),
    ("Microsoft.DBforPostgreSQL", "2025-08-01", true),
    ("Microsoft.DocumentDB", "2026-03-15", true),
    ("Microsoft.EventGrid", "2025-02-15", true),
    ("Microsoft.Insights", "2023-01-01", true),
    ("Microsoft.KeyVault", "2026-02-01", true),
    ("Microsoft.LoadTestService", "2022-12-01", true),
    ("Microsoft.ManagedIdentity", "2024-11-30", true),
    ("Microsoft.Network", "2025-09-01", true),
    ("Microsoft.OperationalInsights", "2026-03-01", true),
    ("Microsoft.Portal", "2026-04-01", true),
    ("Microsoft.Quota", "2025-09-01", true),
    ("Microsoft.Resources", "2025-04-01", true),
    ("Microsoft.ServiceBus", "2026-01-01", true),
    ("Microsoft.Storage", "2026-04-01", true),
    ("Microsoft.Web", "2025-03-01", true),
    ("Microsoft.AlertsManagement", "2021-04-01", false),
    ("Microsoft.ApiManagement", "2024-05-01", false),
    ("Microsoft.Automation", "2023-11-01", false),
    ("Microsoft.Batch", "2024-07-01", false),
    ("Microsoft.BotService", "2022-09-15", false),
    ("Microsoft.Compute", "2024-11-01", false),
    ("Microsoft.DataFactory", "2018-06-01", false),
    ("Microsoft.Databricks", "2024-05-01", false),
    ("Microsoft.DBforMySQL", "2023-12-30", false),
    ("Microsoft.Devices", "2023-06-30", false),
    ("Microsoft.EventHub", "2024-01-01", false),
    ("Microsoft.HealthcareApis", "2024-03-31", false),
    ("Microsoft.Kusto", "2024-04-13", false),
    ("Microsoft.Logic", "2019-05-01", false),
    ("Microsoft.MachineLearningServices", "2024-10-01", false),
    ("Microsoft.Management", "2023-04-01", false),
    ("Microsoft.Maps", "2024-07-01", false),
    ("Microsoft.Monitor", "2023-04-03", false),
    ("Microsoft.NotificationHubs", "2023-09-01", false),
    ("Microsoft.OperationsManagement", "2015-11-01-preview", false),
    ("Microsoft.PolicyInsights", "2024-10-01", false),
    ("Microsoft.RecoveryServices", "2024-10-01", false),
    ("Microsoft.Search", "2025-05-01", false),
    ("Microsoft.Security", "2024-01-01", false),
    ("Microsoft.SignalRService", "2024-03-01", false),
    ("Microsoft.Sql", "2023-08-01", false),
    ("Microsoft.StreamAnalytics", "2020-03-01", false),
    ("Microsoft.Synapse", "2021-06-01", false),
    ("Microsoft.Advisor", "2025-01-01", false),
    ("Microsoft.Billing", "2024-04-01", true),
    ("Microsoft.Chaos", "2025-01-01", false),
    ("Microsoft.CostManagement", "2025-03-01", true),
    ("Microsoft.Dashboard", "2024-10-01", false),
    ("Microsoft.DataProtection", "2025-07-01", false),
    ("Microsoft.DesktopVirtualization", "2024-04-03", false),
    ("Microsoft.DevCenter", "2025-02-01", false),
    ("Microsoft.ExtendedLocation", "2021-08-15", false),
    ("Microsoft.Fabric", "2023-11-01", false),
    ("Microsoft.Features", "2021-07-01", true),
    ("Microsoft.GuestConfiguration", "2024-04-05", false),
    ("Microsoft.HDInsight", "2024-08-01-preview", false),
    ("Microsoft.HybridCompute", "2025-01-13", false),
    ("Microsoft.Kubernetes", "2024-01-01", false),
    ("Microsoft.KubernetesConfiguration", "2024-11-01", false),
    ("Microsoft.Maintenance", "2023-04-01", false),
    ("Microsoft.ManagedServices", "2022-10-01", false),
    ("Microsoft.MarketplaceOrdering", "2021-01-01", true),
    ("Microsoft.Migrate", "2023-04-01-preview", false),
    ("Microsoft.NetApp", "2025-01-01", false),
    ("Microsoft.PowerBIDedicated", "2021-01-01", false),
    ("Microsoft.Purview", "2021-12-01", false),
    ("Microsoft.Relay", "2024-01-01", false),
    ("Microsoft.ResourceGraph", "2024-04-01", true),
    ("Microsoft.ResourceHealth", "2025-05-01", false),
    ("Microsoft.ServiceFabric", "2024-04-01", false),
    ("Microsoft.ServiceLinker", "2024-04-01", false),
    ("Microsoft.VirtualMachineImages", "2024-02-01", false),
];

/// Providers of Resource Manager's own, which every subscription has.
const FREE: &[&str] = &[
    "Microsoft.Authorization",
    "Microsoft.Billing",
    "Microsoft.Consumption",
    "Microsoft.CostManagement",
    "Microsoft.Features",
    "Microsoft.MarketplaceOrdering",
    "Microsoft.Portal",
    "Microsoft.ResourceGraph",
    "Microsoft.Resources",
];

/// `West Europe` as `westeurope`.
pub fn normal(location: &str) -> String {
    location.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase()
}

/// Whether a normalised location is a region.
pub fn is_region(location: &str) -> bool {
    REGIONS.iter().any(|region| region.0 == location)
}

/// Whether a normalised location has availability zones.
pub fn has_zones(location: &str) -> bool {
    REGIONS.iter().any(|region| region.0 == location && region.4)
}

/// The region that a normalised location is paired with, where it has one.
pub fn paired(location: &str) -> Option<&'static str> {
    REGIONS.iter().find(|region| region.0 == location).map(|region| region.3).filter(|pair| !pair.is_empty())
}

/// All regions.
pub fn region_names() -> Vec<&'static str> {
    REGIONS.iter().map(|region| region.0).collect()
}

/// `West Europe` of `westeurope`; the name itself for others.
pub fn display_name(location: &str) -> &str {
    REGIONS.iter().find(|region| region.0 == location).map_or(location, |region| region.1)
}

pub(super) fn registered_at_start() -> BTreeSet<String> {
    PROVIDERS.iter().filter(|provider| provider.2).map(|provider| provider.0.to_ascii_lowercase()).collect()
}

fn provider(namespace: &str) -> Option<&'static (&'static str, &'static str, bool)> {
    PROVIDERS.iter().find(|provider| provider.0.eq_ignore_ascii_case(namespace))
}

/// Refuses namespaces that Azure does not have.
pub fn must_be_namespace(namespace: &str) -> Result<(), Refusal> {
    match provider(namespace) {
        Some(_) => Ok(()),
        None => Err(Refusal::missing(
            "InvalidResourceNamespace",
            format!("The resource namespace '{namespace}' is invalid."),
        )),
    }
}

/// Refuses what the subscription is not registered for.
pub(crate) fn must_be_registered(world: &World, namespace: &str) -> Result<(), Refusal> {
    must_be_namespace(namespace)?;
    if world.arm.registered.contains(&namespace.to_ascii_lowercase()) {
        return Ok(());
    }
    Err(Refusal::conflict(
        "MissingSubscriptionRegistration",
        format!(
            "The subscription is not registered to use namespace '{namespace}'. See https://aka.ms/rps-not-found for \
             how to register subscriptions."
        ),
    ))
}

/// `NoRegisteredProviderFound`: a place or version that a provider does not serve.
pub(crate) fn no_provider(location: &str, version: &str, kind: &str) -> Refusal {
    Refusal::bad(
        "NoRegisteredProviderFound",
        format!(
            "No registered resource provider found for location '{location}' and API version '{version}' for type \
             '{kind}'. The supported locations are '{}'.",
            region_names().join(", ")
        ),
    )
}

/// A registration or unregistration has come to its end.
pub(super) fn registration_ends(world: &mut World, namespace: &str, registered: bool) {
    if world.arm.registering.get(namespace) != Some(&registered) {
        return;
    }
    world.arm.registering.remove(namespace);
    if registered {
        world.arm.registered.insert(namespace.to_owned());
    } else {
        world.arm.registered.remove(namespace);
    }
}

/// Refuses subscriptions that are none, or not ours.
pub(crate) fn must_be_known(world: &World, subscription: &str) -> Result<(), Refusal> {
    if uuid::Uuid::try_parse(subscription).is_err() {
        return Err(Refusal::bad(
            "InvalidSubscriptionId",
            format!("The provided subscription identifier '{subscription}' is malformed or invalid."),
        ));
    }
    if subscription.eq_ignore_ascii_case(&world.config.subscription) {
        return Ok(());
    }
    Err(Refusal::missing(
        "SubscriptionNotFound",
        format!("The subscription '{subscription}' could not be found."),
    ))
}

/// Tenant- and subscription-level paths.
pub(super) fn serve(world: &mut World, ask: &Ask) -> Option<Answer> {
    let (id, path) = (&ask.path.id, ask.path);
    if id.group.is_some() {
        return None;
    }
    if id.subscription.is_none() {
        return match (ask.request.method, path) {
            (Method::Get, path) if path.rest_is(&["subscriptions"]) => Some(Ok(subscriptions(world, ask))),
            (Method::Post, path)
                if path.rest_is(&["providers", "Microsoft.Resources", "checkResourceName"]) =>
            {
                Some(names::check_name(ask))
            }
            (Method::Get, path) if path.rest_is(&["tenants"]) => Some(Ok(tenants(world))),
            (Method::Get, path) if path.rest_is(&["providers"]) => Some(Ok(Response::json(
                200,
                &list(PROVIDERS.iter().map(|provider| show_provider(world, provider.0)).collect()),
            ))),
            (Method::Get, path) if path.rest_is(&["providers", "*"]) => Some(
                must_be_namespace(&path.rest[1])
                    .map(|()| Response::json(200, &show_provider(world, &path.rest[1]))),
            ),
            _ => None,
        };
    }
    let read = |right: &str| authorize(world, ask.caller, right, id);
    match ask.request.method {
        Method::Get | Method::Head if path.rest.is_empty() => {
            Some(read("Microsoft.Resources/subscriptions/read").map(|()| Response::json(200, &show(world))))
        }
        Method::Get if path.rest_is(&["locations"]) => Some(
            read("Microsoft.Resources/subscriptions/locations/read")
                .map(|()| Response::json(200, &list(locations(world)))),
        ),
        Method::Get if path.rest_is(&["providers"]) => {
            Some(read("Microsoft.Resources/subscriptions/providers/read").map(|()| {
                Response::json(
                    200,
                    &list(PROVIDERS.iter().map(|provider| show_provider(world, provider.0)).collect()),
                )
            }))
        }
        Method::Get if path.rest_is(&["providers", "*"]) => Some(
            must_be_namespace(&path.rest[1])
                .map(|()| Response::json(200, &show_provider(world, &path.rest[1]))),
        ),
        Method::Get if path.rest_is(&["providers", "*", "resourceTypes"]) => {
            Some(must_be_namespace(&path.rest[1]).map(|()| {
                let shown = show_provider(world, &path.rest[1]);
                Response::json(200, &json!({"value": shown["resourceTypes"]}))
            }))
        }
        Method::Post if path.rest_is(&["providers", "*", "register"]) => Some(register(world, ask, true)),
        Method::Post if path.rest_is(&["providers", "*", "unregister"]) => Some(register(world, ask, false)),
        _ => None,
    }
}

fn register(world: &mut World, ask: &Ask, registers: bool) -> Answer {
    let namespace = &ask.path.rest[1];
    must_be_namespace(namespace)?;
    let verb = if registers { "register" } else { "unregister" };
    authorize(world, ask.caller, &format!("{namespace}/{verb}/action"), &ask.path.id)?;
    let key = namespace.to_ascii_lowercase();
    if !registers
        && world
            .arm
            .resources
            .values()
            .any(|resource| resource.id.namespace().eq_ignore_ascii_case(namespace))
        && key != "microsoft.resources"
    {
        return Err(Refusal::conflict(
            "CannotUnregisterNamespaceWithResources",
            format!(
                "The subscription cannot be unregistered from resource namespace '{namespace}'. Please delete \
                 existing resources for the provider or wait for their deletion to complete."
            ),
        ));
    }
    let already =
        world.arm.registered.contains(&key) == registers && !world.arm.registering.contains_key(&key);
    if !already {
        world.arm.registering.insert(key.clone(), registers);
        let after = world.config.scaled(REGISTER_SECONDS);
        if after.is_zero() {
            registration_ends(world, &key, registers);
        } else {
            let event = if registers { ArmEvent::Registered(key) } else { ArmEvent::Unregistered(key) };
            world.later(after, Event::Arm(event));
        }
    }
    Ok(Response::json(200, &show_provider(world, namespace)))
}

fn subscriptions(world: &World, ask: &Ask) -> Response {
    // a caller sees the subscriptions in which it has any role
    let sees = access::has_any(world, &ask.caller.object_id);
    Response::json(
        200,
        &json!({"value": if sees { vec![show(world)] } else { vec![] },
                                "count": {"type": "Total", "value": u8::from(sees)}}),
    )
}

fn show(world: &World) -> Value {
    let subscription = &world.config.subscription;
    let mut shown = json!({
        "id": format!("/subscriptions/{subscription}"),
        "subscriptionId": subscription,
        "tenantId": world.config.tenant,
        "displayName": "Local Azure",
        "state": "Enabled",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionPolicies": {"locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01",
                                 "spendingLimit": "Off"},
    });
    if !world.arm.subscription_tags.is_empty() {
        shown["tags"] = json!(world.arm.subscription_tags);
    }
    shown
}

fn tenants(world: &World) -> Response {
    let tenant = &world.config.tenant;
    Response::json(
        200,
        &list(vec![json!({
            "id": format!("/tenants/{tenant}"), "tenantId": tenant, "countryCode": "NL",
            "displayName": "Local Azure", "domains": ["local.onmicrosoft.com"],
            "defaultDomain": "local.onmicrosoft.com", "tenantType": "AAD", "tenantCategory": "Home",
        })]),
    )
}

fn locations(world: &World) -> Vec<Value> {
    let base = format!("/subscriptions/{}/locations", world.config.subscription);
    REGIONS
        .iter()
        .map(|(name, display, geography, paired, zones)| {
            let mut location = json!({
                "id": format!("{base}/{name}"), "name": name, "type": "Region", "displayName": display,
                "regionalDisplayName": format!("({geography}) {display}"),
                "metadata": {
                    "regionType": "Physical",
                    "regionCategory": if *zones { "Recommended" } else { "Other" },
                    "geography": geography, "geographyGroup": geography,
                    "pairedRegion": [],
                },
            });
            if !paired.is_empty() {
                location["metadata"]["pairedRegion"] = json!([{"name": paired, "id": format!("{base}/{paired}")}]);
            }
            if *zones {
                location["availabilityZoneMappings"] = (1..=3)
                    .map(|zone| json!({"logicalZone": zone.to_string(), "physicalZone": format!("{name}-az{zone}")}))
                    .collect();
            }
            location
        })
        .collect()
}

/// A provider as ARM shows it. The types are those that have a row here.
fn show_provider(world: &World, namespace: &str) -> Value {
    let (namespace, version) =
        provider(namespace).map_or((namespace, "2024-11-01"), |provider| (provider.0, provider.1));
    let key = namespace.to_ascii_lowercase();
    let state = match (world.arm.registering.get(&key), world.arm.registered.contains(&key)) {
        (Some(true), _) => "Registering",
        (Some(false), _) => "Unregistering",
        (None, true) => "Registered",
        (None, false) => "NotRegistered",
    };
    let regions =
        |kind: &str| -> Vec<&str> { catalogue::regions(kind).into_iter().map(display_name).collect() };
    let prefix = format!("{key}/");
    let mut types: Vec<Value> = kind::rows()
        .filter(|row| row.name.to_ascii_lowercase().starts_with(&prefix))
        .map(|row| {
            json!({
                "resourceType": &row.name[prefix.len()..],
                "locations": if row.place == Place::Regional { json!(regions(row.name)) } else { json!([]) },
                "apiVersions": [version],
                "defaultApiVersion": version,
                "capabilities": if row.place == Place::Regional { "CrossResourceGroupResourceMove, \
                    CrossSubscriptionResourceMove, SystemAssignedResourceIdentity, SupportsTags, SupportsLocation" }
                    else { "None" },
            })
        })
        .collect();
    if key == "microsoft.resources" {
        for name in ["resourceGroups", "subscriptions", "tags", "deployments", "deployments/operations"] {
            types.push(json!({"resourceType": name, "locations": [], "apiVersions": [version],
                              "defaultApiVersion": version, "capabilities": "None"}));
        }
    }
    if key == "microsoft.authorization" {
        for name in ["roleAssignments", "roleDefinitions", "permissions"] {
            types.push(json!({"resourceType": name, "locations": [], "apiVersions": [version],
                              "defaultApiVersion": version, "capabilities": "SupportsExtension"}));
        }
    }
    json!({
        "id": format!("/subscriptions/{}/providers/{namespace}", world.config.subscription),
        "namespace": namespace,
        "resourceTypes": types,
        "registrationState": state,
        "registrationPolicy": if FREE.contains(&namespace) { "RegistrationFree" } else { "RegistrationRequired" },
    })
}

/// The id of the one subscription.
pub fn own(world: &World) -> Id {
    Id::subscription(&world.config.subscription)
}
