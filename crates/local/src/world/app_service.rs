//! App Service: plans with each tier's limits, sites and slots with their settings, and swaps as changes of state.
//! Settings, connection strings and the site's configuration are not part of the site's body: they are kept beside
//! it, under the names of App Service's `config` resources.

use serde_json::{Map, Value, json};

use super::arm::gate::object;
use super::arm::id::Id;
use super::arm::kind::{
    Call, Change, Depth, Ending, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs, What,
};
use super::arm::operations::{self, Verb};
use super::arm::refusal::Refusal;
use super::arm::resources::{self, at_once};
use super::arm::{Resource, default, locks, merge, put, take, without_nulls};
use super::checks::{list, named, text};
use super::{Method, Response, World, chance};

const PLAN: &str = "Microsoft.Web/serverfarms";
const SITE: &str = "Microsoft.Web/sites";
const SLOT: &str = "Microsoft.Web/sites/slots";
const SUBNET_SERVICE: &str = "Microsoft.Web/serverFarms";

/// A pricing tier (learn.microsoft.com/azure/azure-resource-manager/management/azure-subscription-service-limits).
struct Tier {
    name: &'static str,
    /// `(size, family)`.
    sizes: &'static [&'static str],
    family: &'static str,
    /// Most instances.
    instances: i64,
    /// Slots beside production.
    slots: usize,
    always_on: bool,
    /// Whether the workers are the plan's own: virtual network integration and custom domains with TLS.
    dedicated: bool,
    zones: bool,
}

const TIERS: &[Tier] = &[
    Tier {
        name: "Free",
        sizes: &["F1"],
        family: "F",
        instances: 1,
        slots: 0,
        always_on: false,
        dedicated: false,
        zones: false,
    },
    Tier {
        name: "Shared",
        sizes: &["D1"],
        family: "D",
        instances: 1,
        slots: 0,
        always_on: false,
        dedicated: false,
        zones: false,
    },
    Tier {
        name: "Basic",
        sizes: &["B1", "B2", "B3"],
        family: "B",
        instances: 3,
        slots: 0,
        always_on: true,
        dedicated: true,
        zones: false,
    },
    Tier {
        name: "Standard",
        sizes: &["S1", "S2", "S3"],
        family: "S",
        instances: 10,
        slots: 5,
        always_on: true,
        dedicated: true,
        zones: false,
    },
    Tier {
        name: "PremiumV2",
        sizes: &["P1v2", "P2v2", "P3v2"],
        family: "Pv2",
        instances: 30,
        slots: 20,
        always_on: true,
        dedicated: true,
        zones: true,
    },
    Tier {
        name: "PremiumV3",
        sizes: &["P0v3", "P1v3", "P2v3", "P3v3"],
        family: "Pv3",
        instances: 30,
        slots: 20,
        always_on: true,
        dedicated: true,
        zones: true,
    },
    Tier {
        name: "PremiumMV3",
        sizes: &["P1mv3", "P2mv3", "P3mv3", "P4mv3", "P5mv3"],
        family: "Pmv3",
        instances: 30,
        slots: 20,
        always_on: true,
        dedicated: true,
        zones: true,
    },
    Tier {
        name: "Premium0V4",
        sizes: &["P0v4", "P1v4", "P2v4", "P3v4"],
        family: "Pv4",
        instances: 30,
        slots: 20,
        always_on: true,
        dedicated: true,
        zones: true,
    },
    Tier {
        name: "IsolatedV2",
        sizes: &["I1v2", "I2v2", "I3v2", "I4v2", "I5v2", "I6v2"],
        family: "Iv2",
        instances: 100,
        slots: 20,
        always_on: true,
        dedicated: true,
        zones: true,
    },
    Tier {
        name: "Dynamic",
        sizes: &["Y1"],
        family: "Y",
        instances: 200,
        slots: 1,
        always_on: false,
        dedicated: false,
        zones: false,
    },
    Tier {
        name: "FlexConsumption",
        sizes: &["FC1"],
        family: "FC",
        instances: 1000,
        slots: 0,
        always_on: false,
        dedicated: true,
        zones: true,
    },
    Tier {
        name: "ElasticPremium",
        sizes: &["EP1", "EP2", "EP3"],
        family: "EP",
        instances: 100,
        slots: 3,
        always_on: true,
        dedicated: true,
        zones: true,
    },
    Tier {
        name: "WorkflowStandard",
        sizes: &["WS1", "WS2", "WS3"],
        family: "WS",
        instances: 100,
        slots: 3,
        always_on: true,
        dedicated: true,
        zones: true,
    },
];

fn tier(size: &str) -> Option<(&'static Tier, &'static str)> {
    TIERS.iter().find_map(|tier| {
        tier.sizes.iter().find(|known| known.eq_ignore_ascii_case(size)).map(|known| (tier, *known))
    })
}

/// Its clients know 200 and 202, and no 201.
const REPLIES: Replies = Replies {
    create: Reply { status: 202, headers: Headers::Result, done: 200 },
    replace: Reply { status: 200, headers: Headers::None, done: 200 },
    ..at_once(200, 200)
};

const fn names(from: usize, to: usize, global: bool) -> Names {
    Names {
        length: (from, to),
        signs: Signs::Hyphened,
        global,
        refusal: (
            "BadRequest",
            "The name '{name}' is invalid: it may have letters, digits and hyphens only.",
        ),
    }
}

const HOST: &[&str] = &[
    "properties.defaultHostName",
    "properties.hostNames",
    "properties.enabledHostNames",
    "properties.hostNameSslStates",
    "properties.state",
    "properties.availabilityState",
    "properties.repositorySiteName",
    "properties.usageState",
    "properties.outboundIpAddresses",
    "properties.possibleOutboundIpAddresses",
    "properties.lastModifiedTimeUtc",
    "properties.resourceGroup",
    "properties.inboundIpAddress",
    "properties.customDomainVerificationId",
    "properties.slotSwapStatus",
    "properties.sku",
];

pub(super) static KINDS: &[Kind] = &[
    Kind {
        name: PLAN,
        depth: Depth::Modelled,
        names: Names { signs: Signs::Word, ..names(1, 60, false) },
        place: Place::Regional,
        seconds: [10.0, 5.0, 5.0],
        replies: REPLIES,
        busy: "Conflict",
        computed: &[
            "properties.numberOfSites",
            "properties.numberOfWorkers",
            "properties.maximumNumberOfWorkers",
            "properties.status",
            "properties.resourceGroup",
            "properties.subscription",
            "properties.geoRegion",
        ],
        spelling: &[],
        rules: &Plans,
    },
    Kind {
        name: SITE,
        depth: Depth::Modelled,
        names: names(2, 60, true),
        place: Place::Regional,
        seconds: [15.0, 5.0, 5.0],
        replies: REPLIES,
        busy: "Conflict",
        computed: HOST,
        spelling: &[],
        rules: &Sites,
    },
    Kind {
        name: SLOT,
        depth: Depth::Modelled,
        names: names(1, 59, false),
        place: Place::Regional,
        seconds: [15.0, 5.0, 5.0],
        replies: REPLIES,
        busy: "Conflict",
        computed: HOST,
        spelling: &[],
        rules: &Sites,
    },
    Kind {
        name: "Microsoft.Web/sites/hostNameBindings",
        depth: Depth::Modelled,
        names: Names { signs: Signs::Any, length: (1, 253), ..names(1, 253, false) },
        place: Place::Parent,
        seconds: [0.0, 0.0, 0.0],
        replies: at_once(200, 200),
        busy: "Conflict",
        computed: &["properties.siteName", "properties.hostNameType"],
        spelling: &[],
        rules: &Bindings,
    },
];

fn conflict(message: impl std::fmt::Display) -> Refusal {
    Refusal::conflict("Conflict", message.to_string())
}

fn bad(message: impl std::fmt::Display) -> Refusal {
    Refusal::bad("BadRequest", message.to_string())
}

/// The plan of a site or slot, and its tier.
fn plan_of<'a>(world: &'a World, properties: &Value) -> Option<(&'a Resource, &'static Tier)> {
    let plan = named(world, text(properties, "serverFarmId"), PLAN)?;
    Some((plan, tier(text(&plan.body, "sku.name"))?.0))
}

/// Sites and slots on a plan.
fn sites_on<'a>(world: &'a World, plan: &Id) -> impl Iterator<Item = &'a Resource> + use<'a> {
    let key = plan.key();
    world.arm.resources.values().filter(move |resource| {
        (resource.kind == SITE || resource.kind == SLOT)
            && text(resource.properties(), "serverFarmId").eq_ignore_ascii_case(&key)
    })
}

fn slots_of<'a>(world: &'a World, site: &Id) -> impl Iterator<Item = &'a Resource> + use<'a> {
    world.arm.below(site).map(|(_, child)| child).filter(|child| child.kind == SLOT)
}

/// The site of a slot; itself for a site.
fn production(id: &Id) -> Id {
    if id.kind().eq_ignore_ascii_case(SLOT) { id.parent().unwrap_or_else(|| id.clone()) } else { id.clone() }
}

#[derive(Debug)]
struct Plans;

impl Rules for Plans {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let linux = text(&change.body, "kind").to_ascii_lowercase().contains("linux");
        let body = &mut change.body;
        if text(body, "sku.name").is_empty() {
            put(body, "sku.name", json!("F1"));
        }
        let Some((tier, size)) = tier(text(body, "sku.name")) else {
            return Err(bad(format!(
                "The parameter SKU.Name has an invalid value: '{}'.",
                text(body, "sku.name")
            )));
        };
        let capacity = body["sku"]["capacity"].as_i64().unwrap_or(1).max(1);
        if capacity > tier.instances {
            return Err(conflict(format!(
                "The number of workers {capacity} is over the {} that the '{}' tier allows.",
                tier.instances, tier.name
            )));
        }
        let zones = body["properties"]["zoneRedundant"] == true;
        if zones && !tier.zones {
            return Err(bad(format!("Zone redundancy is not supported for the SKU '{}'.", tier.name)));
        }
        if zones && capacity < 2 {
            return Err(bad("A zone redundant plan needs a capacity of at least 2 instances."));
        }
        let reserved = body["properties"]["reserved"].as_bool().unwrap_or(linux);
        if let Some(current) = &change.current
            && current.properties()["reserved"].as_bool().unwrap_or(false) != reserved
        {
            return Err(conflict("The operating system of an App Service plan cannot be changed."));
        }
        if reserved && tier.name == "Shared" {
            return Err(bad("The SKU 'Shared' is not available for Linux plans."));
        }
        put(
            body,
            "sku",
            json!({"name": size, "tier": tier.name, "size": size, "family": tier.family, "capacity": capacity}),
        );
        default(body, "kind", json!(if reserved { "linux" } else { "app" }));
        for (name, value) in [
            ("reserved", json!(reserved)),
            ("perSiteScaling", json!(false)),
            ("elasticScaleEnabled", json!(false)),
            ("maximumElasticWorkerCount", json!(1)),
            ("isSpot", json!(false)),
            ("isXenon", json!(false)),
            ("hyperV", json!(false)),
            ("targetWorkerCount", json!(0)),
            ("targetWorkerSizeId", json!(0)),
            ("zoneRedundant", json!(false)),
        ] {
            default(body, &format!("properties.{name}"), value);
        }
        // what its sites use must be in the tier it goes to
        for site in sites_on(world, change.id) {
            if site.private["web"]["alwaysOn"] == true && !tier.always_on {
                return Err(no_always_on());
            }
            let slots = slots_of(world, &site.id).count();
            if site.kind == SITE && slots > tier.slots {
                return Err(too_many_slots(tier));
            }
            if !text(site.properties(), "virtualNetworkSubnetId").is_empty() && !tier.dedicated {
                return Err(no_network(tier));
            }
        }
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        let sites: Vec<String> =
            sites_on(world, &resource.id).map(|site| site.id.full_name().replace('/', "(")).collect();
        if sites.is_empty() {
            return Ok(());
        }
        Err(conflict(format!(
            "Server farm '{}' cannot be deleted because it has web app(s) {} assigned to it.",
            resource.id.name(),
            sites.join(", ")
        )))
    }

    fn may_delete_with_group(&self, _world: &World, _resource: &Resource) -> Result<(), Refusal> {
        Ok(())
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let tier = tier(text(&resource.body, "sku.name"));
        for (name, value) in [
            ("status", json!("Ready")),
            ("numberOfSites", json!(sites_on(world, &resource.id).count())),
            ("numberOfWorkers", resource.body["sku"]["capacity"].clone()),
            ("maximumNumberOfWorkers", json!(tier.map_or(1, |(tier, _)| tier.instances))),
            ("subscription", json!(world.config.subscription)),
            ("resourceGroup", json!(resource.id.group)),
            ("geoRegion", json!(super::arm::subscriptions::display_name(&resource.location()))),
        ] {
            put(body, &format!("properties.{name}"), value);
        }
        body["location"] = json!(super::arm::subscriptions::display_name(&resource.location()));
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method == Method::Get && call.rest_is(&["sites"]) {
            let shown: Vec<Value> =
                sites_on(world, &call.id).map(|site| resources::view(world, site)).collect();
            return Some(Ok(Response::json(200, &json!({"value": shown}))));
        }
        None
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method == Method::Post && call.rest_is(&["checkNameAvailability"]) {
            let name = text(&call.body, "name");
            let answer = if !names(2, 60, true).allow(name) {
                json!({"nameAvailable": false, "reason": "Invalid", "message": format!("The name '{name}' is invalid.")})
            } else if world.arm.by_name(SITE, name).is_some() {
                json!({"nameAvailable": false, "reason": "AlreadyExists",
                       "message": format!("Hostname '{name}' already exists. Please select a different name.")})
            } else {
                json!({"nameAvailable": true, "reason": "", "message": ""})
            };
            return Some(Ok(Response::json(200, &answer)));
        }
        if call.request.method == Method::Get && call.rest_is(&["geoRegions"]) {
            let base = call.id.to_string();
            let regions: Vec<Value> = super::arm::subscriptions::region_names()
                .into_iter()
                .map(|name| {
                    let shown = super::arm::subscriptions::display_name(name);
                    json!({"id": format!("{base}/providers/Microsoft.Web/geoRegions/{shown}"), "name": shown,
                           "type": "Microsoft.Web/geoRegions",
                           "properties": {"name": shown, "description": null, "displayName": shown}})
                })
                .collect();
            return Some(Ok(Response::json(200, &json!({"value": regions}))));
        }
        None
    }
}

fn no_always_on() -> Refusal {
    conflict(
        "There was a conflict. AlwaysOn cannot be set for this site as the plan does not allow it. For more \
         information on pricing and features, please see: https://aka.ms/appservicepricingdetails",
    )
}

fn too_many_slots(tier: &Tier) -> Refusal {
    conflict(format!(
        "Cannot complete the operation because the site will exceed the number of slots allowed for the '{}' SKU.",
        tier.name
    ))
}

fn no_network(tier: &Tier) -> Refusal {
    conflict(format!("Virtual network integration is not available in the '{}' tier of the plan.", tier.name))
}

/// What `config/web` is when nobody said anything.
fn usual_config(tier: &Tier, linux: bool) -> Value {
    json!({
        "numberOfWorkers": 1,
        "defaultDocuments": ["Default.htm", "Default.html", "index.htm", "index.html", "hostingstart.html"],
        "netFrameworkVersion": "v4.0", "phpVersion": "", "pythonVersion": "", "nodeVersion": "",
        "linuxFxVersion": "", "windowsFxVersion": null, "requestTracingEnabled": false,
        "remoteDebuggingEnabled": false, "httpLoggingEnabled": false, "acrUseManagedIdentityCreds": false,
        "logsDirectorySizeLimit": 35, "detailedErrorLoggingEnabled": false, "publishingUsername": "",
        "scmType": "None", "use32BitWorkerProcess": !linux || !tier.always_on, "webSocketsEnabled": false,
        "alwaysOn": false, "appCommandLine": "", "managedPipelineMode": "Integrated",
        "virtualApplications": [{"virtualPath": "/", "physicalPath": "site\\wwwroot", "preloadEnabled": false}],
        "loadBalancing": "LeastRequests", "experiments": {"rampUpRules": []}, "autoHealEnabled": false,
        "vnetRouteAllEnabled": false, "vnetPrivatePortsCount": 0, "localMySqlEnabled": false,
        "ipSecurityRestrictions": [{"ipAddress": "Any", "action": "Allow", "priority": 2_147_483_647_u32,
                                    "name": "Allow all", "description": "Allow all access"}],
        "scmIpSecurityRestrictions": [{"ipAddress": "Any", "action": "Allow", "priority": 2_147_483_647_u32,
                                       "name": "Allow all", "description": "Allow all access"}],
        "scmIpSecurityRestrictionsUseMain": false, "http20Enabled": false, "minTlsVersion": "1.2",
        "scmMinTlsVersion": "1.2", "ftpsState": "FtpsOnly", "preWarmedInstanceCount": 0,
        "functionAppScaleLimit": 0, "healthCheckPath": null, "minimumElasticInstanceCount": 0,
    })
}

/// Refuses a configuration that the tier has not.
fn check_config(config: &Value, tier: &Tier) -> Result<(), Refusal> {
    if config["alwaysOn"] == true && !tier.always_on {
        return Err(no_always_on());
    }
    if config["use32BitWorkerProcess"] == false && !tier.dedicated && tier.name != "Dynamic" {
        return Err(conflict(
            "There was a conflict. Use32BitWorkerProcess cannot be set to false for this site as the plan does not \
             allow it. For more information on pricing and features, please see: \
             https://aka.ms/appservicepricingdetails",
        ));
    }
    if config["autoHealEnabled"] == true && !tier.always_on && tier.name == "Free" {
        return Err(conflict("AutoHeal cannot be set for this site as the plan does not allow it."));
    }
    for (name, known) in [
        ("minTlsVersion", &["1.0", "1.1", "1.2", "1.3"][..]),
        ("ftpsState", &["AllAllowed", "FtpsOnly", "Disabled"]),
        ("managedPipelineMode", &["Integrated", "Classic"]),
    ] {
        if let Some(sent) = config[name].as_str()
            && !known.iter().any(|known| known.eq_ignore_ascii_case(sent))
        {
            return Err(bad(format!("The parameter {name} has an invalid value: '{sent}'.")));
        }
    }
    if let Some(path) = config["healthCheckPath"].as_str()
        && !path.is_empty()
        && !path.starts_with('/')
    {
        return Err(bad("The parameter healthCheckPath must start with '/'."));
    }
    if !config["numberOfWorkers"].is_null()
        && !config["numberOfWorkers"].as_i64().is_some_and(|count| (1..=tier.instances).contains(&count))
    {
        return Err(bad(format!(
            "NumberOfWorkers {} is out of the range of the plan.",
            config["numberOfWorkers"]
        )));
    }
    Ok(())
}

/// `[{"name","value"}]`, as a site's body has settings, as the object that `config/appsettings` has.
fn pairs(settings: &Value) -> Value {
    let object: Map<String, Value> = settings
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|setting| Some((setting["name"].as_str()?.to_owned(), setting["value"].clone())))
        .collect();
    Value::Object(object)
}

fn strings(connections: &Value) -> Value {
    let object: Map<String, Value> = connections
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| {
            let own = json!({"value": it["connectionString"], "type": it["type"]});
            Some((it["name"].as_str()?.to_owned(), own))
        })
        .collect();
    Value::Object(object)
}

#[derive(Debug)]
struct Sites;

impl Rules for Sites {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let id = change.id.clone();
        let is_slot = id.kind().eq_ignore_ascii_case(SLOT);
        let site = production(&id);
        if is_slot {
            if id.name().eq_ignore_ascii_case("production") {
                return Err(conflict("The name 'production' is reserved for the site itself."));
            }
            let parent = world.arm.find(&site.key());
            let plan = parent.map(|parent| text(parent.properties(), "serverFarmId").to_owned());
            default(&mut change.body, "properties.serverFarmId", json!(plan.unwrap_or_default()));
        }
        let farm = text(&change.body, "properties.serverFarmId").to_owned();
        // the name alone is enough for a plan of the same group
        if !farm.is_empty() && !farm.starts_with('/') {
            let plan = id.group_id().unwrap_or_default().provider(PLAN, &farm);
            put(&mut change.body, "properties.serverFarmId", json!(plan.to_string()));
        }
        let Some((plan, tier)) = plan_of(world, &change.body["properties"]) else {
            let name = farm.rsplit('/').next().unwrap_or_default();
            return Err(if farm.is_empty() {
                bad("The parameter serverFarmId is required: a site needs an App Service plan.")
            } else {
                Refusal::missing("NotFound", format!("Cannot find serverFarm with name {name}."))
            });
        };
        let plan_id = plan.id.to_string();
        if plan.location() != text(&change.body, "location") {
            return Err(bad(format!(
                "The specified app service plan '{}' is in region '{}', and the site in '{}'.",
                plan.id.name(),
                plan.location(),
                text(&change.body, "location")
            )));
        }
        if is_slot && change.current.is_none() && slots_of(world, &site).count() + 1 > tier.slots {
            return Err(too_many_slots(tier));
        }
        let linux = plan.properties()["reserved"] == true;
        settle_network(world, change, tier)?;
        let mut sent = take(&mut change.body, "properties.siteConfig").unwrap_or(Value::Null);
        let settings = take(&mut sent, "appSettings");
        let connections = take(&mut sent, "connectionStrings");
        let mut config = match &change.current {
            Some(current) => current.private["web"].clone(),
            None => usual_config(tier, linux),
        };
        merge(&mut config, &if sent.is_object() { sent } else { json!({}) });
        check_config(&config, tier)?;
        put(&mut change.private, "web", config);
        if let Some(settings) = settings {
            put(&mut change.private, "appsettings", pairs(&settings));
        }
        if let Some(connections) = connections {
            put(&mut change.private, "connectionstrings", strings(&connections));
        }
        let body = &mut change.body;
        default(body, "kind", json!(if linux { "app,linux" } else { "app" }));
        put(body, "properties.serverFarmId", json!(plan_id));
        put(body, "properties.reserved", json!(linux));
        for (name, value) in [
            ("enabled", json!(true)),
            ("httpsOnly", json!(false)),
            ("clientAffinityEnabled", json!(true)),
            ("clientCertEnabled", json!(false)),
            ("clientCertMode", json!("Required")),
            ("hostNamesDisabled", json!(false)),
            ("containerSize", json!(0)),
            ("dailyMemoryTimeQuota", json!(0)),
            ("publicNetworkAccess", json!("Enabled")),
            ("keyVaultReferenceIdentity", json!("SystemAssigned")),
            ("state", json!("Running")),
        ] {
            default(body, &format!("properties.{name}"), value);
        }
        let mut host = site.name().to_ascii_lowercase();
        if is_slot {
            // the site's part is cut to 40 signs and the slot's to 19
            let slot = id.name().to_ascii_lowercase();
            if host.len() + slot.len() + 1 > 59 {
                host.truncate(40);
            }
            host = format!("{host}-{}", &slot[..slot.len().min(19)]);
        }
        put(body, "properties.defaultHostName", json!(format!("{host}.azurewebsites.net")));
        Ok(())
    }

    fn taken(&self, _world: &World, other: &Resource, id: &Id) -> Result<(), Refusal> {
        Err(conflict(format!(
            "Website with given name {} already exists in the resource group {} or elsewhere.",
            id.name(),
            other.id.group.as_deref().unwrap_or_default()
        )))
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            let password = super::checks::key(world, &format!("publishing {}", id.key()), 45);
            if let Some(found) = world.arm.find_mut(&id.key()) {
                put(&mut found.private, "publishing", json!(password));
                let when = found.system.modified_at;
                put(&mut found.body, "properties.lastModifiedTimeUtc", json!(super::arm::stamp(when)));
            }
        }
        Ending::Table
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let host = text(&resource.body, "properties.defaultHostName").to_owned();
        let scm = host.replacen('.', ".scm.", 1);
        let mut hosts = vec![host.clone()];
        hosts.extend(
            world
                .arm
                .below(&resource.id)
                .filter(|(_, child)| child.kind == "Microsoft.Web/sites/hostNameBindings")
                .map(|(_, child)| child.id.name().to_owned()),
        );
        let mut enabled = hosts.clone();
        enabled.push(scm.clone());
        let states: Vec<Value> = enabled
            .iter()
            .map(|name| {
                json!({"name": name, "sslState": "Disabled", "thumbprint": null,
                       "hostType": if *name == scm { "Repository" } else { "Standard" }})
            })
            .collect();
        let draw =
            chance::digest(world.config.seed, &format!("outbound {}", production(&resource.id).key()), 0);
        let out: Vec<String> =
            (0..4usize).map(|n| format!("20.{}.{}.{}", draw[n], draw[n + 1], draw[n + 2].max(1))).collect();
        let web = &resource.private["web"];
        let sku = plan_of(world, resource.properties()).map_or("Free", |(_, tier)| tier.name);
        for (name, value) in [
            ("hostNames", json!(hosts)),
            ("enabledHostNames", json!(enabled)),
            ("hostNameSslStates", json!(states)),
            ("availabilityState", json!("Normal")),
            ("usageState", json!("Normal")),
            ("repositorySiteName", json!(production(&resource.id).name())),
            ("resourceGroup", json!(resource.id.group)),
            ("outboundIpAddresses", json!(out.join(","))),
            ("possibleOutboundIpAddresses", json!(out.join(","))),
            ("sku", json!(sku)),
            (
                "customDomainVerificationId",
                json!(hex::encode_upper(chance::digest(
                    world.config.seed,
                    &format!("verification {}", world.config.subscription),
                    0
                ))),
            ),
            (
                "siteConfig",
                json!({
                    "numberOfWorkers": web["numberOfWorkers"], "linuxFxVersion": web["linuxFxVersion"],
                    "acrUseManagedIdentityCreds": web["acrUseManagedIdentityCreds"], "alwaysOn": web["alwaysOn"],
                    "http20Enabled": web["http20Enabled"], "functionAppScaleLimit": web["functionAppScaleLimit"],
                    "minimumElasticInstanceCount": web["minimumElasticInstanceCount"],
                }),
            ),
        ] {
            put(body, &format!("properties.{name}"), value);
        }
        body["name"] = json!(resource.id.full_name());
        body["location"] = json!(super::arm::subscriptions::display_name(&resource.location()));
        take(body, "properties.provisioningState");
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        // a slot answers for itself
        if call.rest.first().is_some_and(|first| first.eq_ignore_ascii_case("slots"))
            && call.id.kind().eq_ignore_ascii_case(SITE)
        {
            return None;
        }
        match call.rest.first()?.to_ascii_lowercase().as_str() {
            "config" => config(world, call),
            "slotsswap" | "slotsdiffs" | "applyslotconfig" | "resetslotconfig" => {
                (call.request.method == Method::Post).then(|| swap(world, call))
            }
            verb @ ("start" | "stop" | "restart")
                if call.rest.len() == 1 && call.request.method == Method::Post =>
            {
                Some(power(world, &call.id, verb))
            }
            "publishxml" if call.request.method == Method::Post => publish_profile(world, &call.id),
            "basicpublishingcredentialspolicies" => Some(policies(world, call)),
            "virtualnetworkconnections" if call.request.method == Method::Get => {
                Some(Ok(Response::json(200, &json!([]))))
            }
            _ => None,
        }
    }
}

/// Integration with a virtual network: the tier has it, the subnet is there and delegated.
fn settle_network(world: &World, change: &mut Change, tier: &Tier) -> Result<(), Refusal> {
    let subnet = text(&change.body, "properties.virtualNetworkSubnetId").to_owned();
    if subnet.is_empty() {
        return Ok(());
    }
    if !tier.dedicated {
        return Err(no_network(tier));
    }
    let near = text(&change.body, "location").to_owned();
    match super::network::must_take(world, &subnet, &near, SUBNET_SERVICE) {
        Ok(_) => Ok(()),
        Err(super::network::Unfit::Missing) => {
            Err(Refusal::missing("NotFound", format!("The subnet '{subnet}' was not found.")))
        }
        Err(super::network::Unfit::Elsewhere(found)) => {
            Err(bad(format!("The subnet {} is in another region than the site.", found.id)))
        }
        // App Service delegates an empty subnet itself; one that is another service's it refuses
        Err(super::network::Unfit::Undelegated(found)) => {
            if super::network::delegated_to(found).is_empty()
                && super::checks::user(world, &found.id).is_none()
            {
                return Ok(());
            }
            Err(bad(format!(
                "The subnet {} is not delegated to {SUBNET_SERVICE} and is in use by another service.",
                found.id
            )))
        }
    }
}

/// Which of the `config` resources can be read by GET; the others hold secrets and are read by POST `…/list`.
const OPEN: [&str; 4] = ["web", "slotConfigNames", "logs", "authsettingsV2"];
const SECRET: [&str; 6] =
    ["appsettings", "connectionstrings", "metadata", "authsettings", "azurestorageaccounts", "pushsettings"];

/// `…/config/NAME[/list]`.
fn config(world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
    let method = call.request.method;
    if call.rest.len() == 1 && method == Method::Get {
        let shown = vec![show_config(world, &call.id, "web")];
        return Some(Ok(Response::json(200, &json!({"value": shown}))));
    }
    let name = *call.rest.get(1)?;
    if name.eq_ignore_ascii_case("publishingcredentials") && method == Method::Post {
        let found = world.arm.find(&call.id.key())?;
        let user = format!("${}", call.id.full_name().replace('/', "__"));
        let password = text(&found.private, "publishing");
        let host = text(found.properties(), "defaultHostName").replacen('.', ".scm.", 1);
        return Some(Ok(Response::json(
            200,
            &json!({"id": format!("{}/publishingcredentials/{user}", call.id), "name": call.id.name(),
                    "type": format!("{}/publishingcredentials", call.id.kind()), "location": found.location(),
                    "properties": {"publishingUserName": user, "publishingPassword": password,
                                   "scmUri": format!("https://{user}:{password}@{host}"), "isDeleted": false}}),
        )));
    }
    let known = OPEN.iter().chain(&SECRET).find(|known| known.eq_ignore_ascii_case(name));
    let Some(known) = known else {
        return Some(Err(Refusal::missing(
            "NotFound",
            format!("Cannot find the configuration '{name}' of the site '{}'.", call.id.name()),
        )));
    };
    let lists = call.rest.len() == 3 && call.rest[2].eq_ignore_ascii_case("list") && method == Method::Post;
    if lists || (call.rest.len() == 2 && method == Method::Get && OPEN.contains(known)) {
        return Some(Ok(Response::json(200, &show_config(world, &call.id, known))));
    }
    if call.rest.len() != 2 || !matches!(method, Method::Put | Method::Patch) {
        return Some(Err(Refusal::new(
            405,
            "MethodNotAllowed",
            format!("The configuration '{known}' takes no {method:?}: its values are read by POST …/list."),
        )));
    }
    Some(write_config(world, call, known))
}

fn write_config(world: &mut World, call: &Call, name: &str) -> Result<Response, Refusal> {
    locks::permit(world, &call.id, false)?;
    // names and settings of a slot that is sticky belong to the whole site
    let owner = if name == "slotConfigNames" { production(&call.id) } else { call.id.clone() };
    let body = object(&call.body)?;
    let sent = without_nulls(&body["properties"]);
    if !(sent.is_object() || sent.is_null()) {
        return Err(bad("properties must be an object."));
    }
    let Some(found) = world.arm.find(&owner.key()) else { return Err(resources::not_there(&owner)) };
    let tier = plan_of(world, found.properties()).map_or(&TIERS[0], |(_, tier)| tier);
    let mut kept = found.private[name].clone();
    let mut settings = None;
    let mut connections = None;
    match name {
        "web" => {
            let mut sent = sent;
            settings = take(&mut sent, "appSettings").map(|it| pairs(&it));
            connections = take(&mut sent, "connectionStrings").map(|it| strings(&it));
            if let Some(restrictions) = sent.get("ipSecurityRestrictions") {
                check_restrictions(restrictions)?;
            }
            merge(&mut kept, &sent);
            check_config(&kept, tier)?;
        }
        "appsettings" => {
            if let Some((name, _)) = sent
                .as_object()
                .into_iter()
                .flatten()
                .find(|(_, value)| value.is_object() || value.is_array())
            {
                return Err(bad(format!("The value of the setting '{name}' is no text.")));
            }
            let object: Map<String, Value> = sent
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| {
                    (
                        name.clone(),
                        value.as_str().map_or_else(|| json!(value.to_string()), |text| json!(text)),
                    )
                })
                .collect();
            kept = Value::Object(object);
        }
        "authsettingsV2" | "logs" if call.request.method == Method::Patch => merge(&mut kept, &sent),
        _ => kept = if sent.is_null() { json!({}) } else { sent },
    }
    if let Some(found) = world.arm.find_mut(&owner.key()) {
        if !found.private.is_object() {
            found.private = json!({});
        }
        found.private[name] = kept;
        if let Some(settings) = settings {
            found.private["appsettings"] = settings;
        }
        if let Some(connections) = connections {
            found.private["connectionstrings"] = connections;
        }
    }
    Ok(Response::json(200, &show_config(world, &call.id, name)))
}

fn check_restrictions(restrictions: &Value) -> Result<(), Refusal> {
    for rule in restrictions.as_array().into_iter().flatten() {
        let address = text(rule, "ipAddress");
        let fits = address.is_empty()
            || address == "Any"
            || text(rule, "tag") == "ServiceTag"
            || super::network::cidr::Cidr::parse(address).is_some();
        if !fits {
            return Err(bad(format!(
                "The IP address '{address}' of an access restriction is not in CIDR notation."
            )));
        }
    }
    Ok(())
}

fn show_config(world: &World, id: &Id, name: &str) -> Value {
    let owner = if name == "slotConfigNames" { production(id) } else { id.clone() };
    let Some(found) = world.arm.find(&owner.key()) else { return Value::Null };
    let mut properties = found.private[name].clone();
    match name {
        "slotConfigNames" => {
            for list in ["appSettingNames", "connectionStringNames", "azureStorageConfigNames"] {
                if properties[list].is_null() {
                    properties[list] = Value::Null;
                }
            }
        }
        "logs" if properties.is_null() => {
            properties = json!({
                "applicationLogs": {"fileSystem": {"level": "Off"}},
                "httpLogs": {"fileSystem": {"retentionInMb": 35, "retentionInDays": 0, "enabled": false}},
                "failedRequestsTracing": {"enabled": false}, "detailedErrorMessages": {"enabled": false},
            });
        }
        "authsettingsV2" if properties.is_null() => {
            properties = json!({"platform": {"enabled": false, "runtimeVersion": "~1"}, "globalValidation": {},
                                "identityProviders": {}, "login": {}, "httpSettings": {"requireHttps": true}});
        }
        _ if properties.is_null() => properties = json!({}),
        _ => {}
    }
    let mut shown = json!({
        "id": format!("{id}/config/{name}"), "name": name, "type": format!("{}/config", found.kind),
        "location": super::arm::subscriptions::display_name(&found.location()),
        "properties": properties,
    });
    if let Some(tags) = found.body.get("tags") {
        shown["tags"] = tags.clone();
    }
    shown
}

fn power(world: &mut World, id: &Id, verb: &str) -> Result<Response, Refusal> {
    locks::permit(world, id, false)?;
    let state = if verb == "stop" { "Stopped" } else { "Running" };
    if let Some(found) = world.arm.find_mut(&id.key())
        && verb != "restart"
    {
        put(&mut found.body, "properties.state", json!(state));
    }
    Ok(Response::empty(200))
}

/// `publishxml`: the profiles that deployment tools read, as XML.
fn publish_profile(world: &World, id: &Id) -> Option<Result<Response, Refusal>> {
    let found = world.arm.find(&id.key())?;
    let user = format!("${}", id.full_name().replace('/', "__"));
    let password = text(&found.private, "publishing");
    let host = text(found.properties(), "defaultHostName");
    let scm = host.replacen('.', ".scm.", 1);
    let name = id.full_name().replace('/', "-");
    let profile = |kind: &str, method: &str, url: &str| {
        format!(
            "<publishProfile profileName=\"{name} - {kind}\" publishMethod=\"{method}\" publishUrl=\"{url}\" \
             msdeploySite=\"{name}\" userName=\"{user}\" userPWD=\"{password}\" \
             destinationAppUrl=\"http://{host}\" SQLServerDBConnectionString=\"\" hostingProviderForumLink=\"\" \
             controlPanelLink=\"https://portal.azure.com\" webSystem=\"WebSites\"><databases /></publishProfile>"
        )
    };
    let whole = format!(
        "<publishData>{}{}{}</publishData>",
        profile("Web Deploy", "MSDeploy", &format!("{scm}:443")),
        profile("FTP", "FTP", &format!("ftps://{scm}/site/wwwroot")),
        profile("Zip Deploy", "ZipDeploy", &format!("{scm}:443")),
    );
    let mut response = Response::empty(200).with("content-type", "application/xml");
    response.body = super::Body::Bytes(whole.into_bytes());
    Some(Ok(response))
}

/// `basicPublishingCredentialsPolicies[/ftp|/scm]`.
fn policies(world: &mut World, call: &Call) -> Result<Response, Refusal> {
    let show = |world: &World, name: &str| {
        let allow =
            world.arm.find(&call.id.key()).is_none_or(|found| found.private["policies"][name] != false);
        json!({"id": format!("{}/basicPublishingCredentialsPolicies/{name}", call.id), "name": name,
               "type": format!("{}/basicPublishingCredentialsPolicies", call.id.kind()),
               "properties": {"allow": allow}})
    };
    match (call.request.method, call.rest.get(1)) {
        (Method::Get, None) => {
            Ok(Response::json(200, &json!({"value": [show(world, "ftp"), show(world, "scm")]})))
        }
        (Method::Get, Some(name)) => Ok(Response::json(200, &show(world, name))),
        (Method::Put, Some(name)) => {
            locks::permit(world, &call.id, false)?;
            let allow = object(&call.body)?["properties"]["allow"] != false;
            if let Some(found) = world.arm.find_mut(&call.id.key()) {
                put(&mut found.private, &format!("policies.{name}"), json!(allow));
            }
            Ok(Response::json(200, &show(world, name)))
        }
        _ => Err(Refusal::new(405, "MethodNotAllowed", "The policies take GET and PUT.")),
    }
}

/// What of `config/web` stays with a slot in a swap; the rest goes with the content
/// (learn.microsoft.com/azure/app-service/deploy-staging-slots#what-happens-during-a-swap).
const STAYS: [&str; 8] = [
    "alwaysOn",
    "ipSecurityRestrictions",
    "scmIpSecurityRestrictions",
    "scmIpSecurityRestrictionsUseMain",
    "vnetRouteAllEnabled",
    "cors",
    "autoSwapSlotName",
    "numberOfWorkers",
];

/// `slotsswap`, `slotsdiffs`, `applySlotConfig`, `resetSlotConfig`.
fn swap(world: &mut World, call: &Call) -> Result<Response, Refusal> {
    let verb = call.rest[0].to_ascii_lowercase();
    let site = production(&call.id);
    if verb == "resetslotconfig" {
        return Ok(Response::empty(200));
    }
    let wanted = text(&object(&call.body)?, "targetSlot").to_owned();
    let other =
        if wanted.eq_ignore_ascii_case("production") { site.clone() } else { site.child("slots", &wanted) };
    if wanted.is_empty() {
        return Err(bad("The parameter targetSlot is required."));
    }
    if world.arm.find(&other.key()).is_none() {
        return Err(Refusal::missing(
            "NotFound",
            format!("Slot {wanted} was not found on the site {}.", site.name()),
        ));
    }
    if other.key() == call.id.key() {
        return Err(bad("The source and target slots of a swap must be two."));
    }
    if verb == "slotsdiffs" {
        return Ok(Response::json(200, &json!({"value": differences(world, &call.id, &other)})));
    }
    locks::permit(world, &site, false)?;
    for id in [&call.id, &other] {
        if operations::under_way(world, &id.key()).is_some() {
            return Err(conflict(format!(
                "Cannot modify this site because another operation is in progress. Details: Id: {}, OperationName: \
                 SwapSiteSlots.",
                call.id
            )));
        }
        if text(&world.arm.find(&id.key()).map(|it| it.body.clone()).unwrap_or_default(), "properties.state")
            == "Stopped"
        {
            return Err(conflict(format!(
                "Cannot swap site slots for site '{}' because the slot '{}' is stopped.",
                site.name(),
                id.name()
            )));
        }
    }
    if verb == "applyslotconfig" {
        return Ok(Response::empty(200));
    }
    exchange(world, &call.id, &other);
    let operation = operations::begin(world, &call.id, Verb::Act, Ending::After(90.0));
    let reply = Reply { status: 202, headers: Headers::Result, done: 200 };
    let shown = resources::show(world, &call.id.key()).unwrap_or(Value::Null);
    Ok(operations::lead(world, call.request, &operation, reply, Response::json(200, &shown)))
}

fn sticky(world: &World, site: &Id) -> (Vec<String>, Vec<String>) {
    let names = |list_name: &str| {
        world
            .arm
            .find(&site.key())
            .map(|found| list(&found.private["slotConfigNames"], list_name).to_vec())
            .unwrap_or_default()
            .iter()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect()
    };
    (names("appSettingNames"), names("connectionStringNames"))
}

/// Content and settings change places; what is sticky stays.
fn exchange(world: &mut World, one: &Id, two: &Id) {
    let site = production(one);
    let (settings, connections) = sticky(world, &site);
    let (Some(mut a), Some(mut b)) =
        (world.arm.find(&one.key()).cloned(), world.arm.find(&two.key()).cloned())
    else {
        return;
    };
    for (name, stays) in [("appsettings", &settings), ("connectionstrings", &connections)] {
        let (mine, theirs) = (a.private[name].clone(), b.private[name].clone());
        a.private[name] = swapped(&mine, &theirs, stays);
        b.private[name] = swapped(&theirs, &mine, stays);
    }
    let (mine, theirs) = (a.private["web"].clone(), b.private["web"].clone());
    let stays: Vec<String> = STAYS.iter().map(|name| (*name).to_owned()).collect();
    a.private["web"] = swapped(&mine, &theirs, &stays);
    b.private["web"] = swapped(&theirs, &mine, &stays);
    for name in ["metadata", "azurestorageaccounts"] {
        let held = a.private[name].take();
        a.private[name] = b.private[name].take();
        b.private[name] = held;
    }
    let now = super::arm::stamp(world.now);
    for (resource, source) in [(a, two), (b, one)] {
        let mut resource = resource;
        put(
            &mut resource.body,
            "properties.slotSwapStatus",
            json!({"timestampUtc": now, "sourceSlotName": slot_name(source), "destinationSlotName": slot_name(&resource.id)}),
        );
        world.arm.resources.insert(resource.id.key(), resource);
    }
}

fn slot_name(id: &Id) -> String {
    if id.kind().eq_ignore_ascii_case(SLOT) { id.name().to_owned() } else { "Production".into() }
}

/// What one side has after a swap: the other's, but for the names that stay.
fn swapped(mine: &Value, theirs: &Value, stays: &[String]) -> Value {
    let none = Map::new();
    let stays = |name: &String| stays.iter().any(|known| known.eq_ignore_ascii_case(name));
    let kept = mine.as_object().unwrap_or(&none).iter().filter(|(name, _)| stays(name));
    let taken = theirs.as_object().unwrap_or(&none).iter().filter(|(name, _)| !stays(name));
    taken.chain(kept).map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>().into()
}

fn differences(world: &World, one: &Id, two: &Id) -> Vec<Value> {
    let (settings, _) = sticky(world, &production(one));
    let of = |id: &Id| {
        world
            .arm
            .find(&id.key())
            .and_then(|it| it.private["appsettings"].as_object().cloned())
            .unwrap_or_default()
    };
    let (mine, theirs) = (of(one), of(two));
    mine.keys()
        .chain(theirs.keys().filter(|name| !mine.contains_key(*name)))
        .filter(|name| mine.get(*name) != theirs.get(*name))
        .map(|name| {
            let stays = settings.iter().any(|known| known.eq_ignore_ascii_case(name));
            json!({"name": name, "properties": {
                "level": "Information", "settingType": "AppSetting", "settingName": name,
                "diffRule": if stays { "SettingsWillBeKept" } else { "SettingsWillBeSwapped" },
                "valueInCurrentSlot": mine.get(name), "valueInTargetSlot": theirs.get(name),
                "description": ""}})
        })
        .collect()
}

#[derive(Debug)]
struct Bindings;

impl Rules for Bindings {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let Some(site) = change.id.parent().and_then(|site| world.arm.find(&site.key())) else {
            return Ok(());
        };
        if let Some((_, tier)) = plan_of(world, site.properties())
            && tier.name == "Free"
        {
            return Err(conflict("Custom hostnames are not available for the 'Free' SKU of the plan."));
        }
        let taken = world.arm.of_kind("Microsoft.Web/sites/hostNameBindings").any(|other| {
            other.id.name().eq_ignore_ascii_case(change.id.name()) && other.id.key() != change.id.key()
        });
        if taken {
            return Err(conflict(format!(
                "Hostname '{}' already exists. Please select a different name.",
                change.id.name()
            )));
        }
        put(&mut change.body, "properties.siteName", json!(site.id.name()));
        put(&mut change.body, "properties.hostNameType", json!("Verified"));
        default(&mut change.body, "properties.sslState", json!("Disabled"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::world::testing::{Lab, rg};

    const PLAN: &str = "Microsoft.Web/serverfarms/p";
    const SITE: &str = "Microsoft.Web/sites/web1";

    fn plan(lab: &mut Lab, size: &str) {
        let body = json!({"location": "westeurope", "kind": "linux", "sku": {"name": size}, "properties": {"reserved": true}});
        lab.put(&rg(PLAN), body).ok(200);
    }

    fn site(config: Value) -> Value {
        json!({"location": "westeurope", "properties": {"serverFarmId": rg(PLAN), "siteConfig": config}})
    }

    #[test]
    fn a_plan_has_the_limits_of_its_tier() {
        let mut lab = Lab::new(0.0);
        let put =
            |lab: &mut Lab, sku: Value| lab.put(&rg(PLAN), json!({"location": "westeurope", "sku": sku}));
        put(&mut lab, json!({"name": "X9"})).refused(400, "BadRequest");
        put(&mut lab, json!({"name": "B1", "capacity": 4})).refused(409, "Conflict");
        let made = put(&mut lab, json!({"name": "b1", "capacity": 3})).ok(200).json;
        assert_eq!(
            made["sku"],
            json!({"name": "B1", "tier": "Basic", "size": "B1", "family": "B", "capacity": 3})
        );
        let zones =
            json!({"location": "westeurope", "sku": {"name": "S1"}, "properties": {"zoneRedundant": true}});
        lab.put(&rg(PLAN), zones).refused(400, "BadRequest");
        let linux =
            json!({"location": "westeurope", "sku": {"name": "B1"}, "properties": {"reserved": true}});
        lab.put(&rg(PLAN), linux).refused(409, "Conflict");
    }

    #[test]
    fn a_site_has_what_its_plan_allows_and_holds_it() {
        let mut lab = Lab::new(0.0);
        lab.put(&rg(SITE), site(json!({}))).refused(404, "NotFound");
        plan(&mut lab, "F1");
        lab.put(&rg(SITE), site(json!({"alwaysOn": true}))).refused(409, "Conflict");
        let made =
            lab.put(&rg(SITE), site(json!({"appSettings": [{"name": "A", "value": "1"}]}))).ok(200).json;
        assert_eq!(made["properties"]["defaultHostName"], "web1.azurewebsites.net");
        assert_eq!(made["properties"]["state"], "Running");
        assert!(
            made["properties"]["siteConfig"].get("appSettings").is_none(),
            "settings are no part of a site"
        );
        lab.delete(&rg(PLAN)).refused(409, "Conflict");
        plan(&mut lab, "B1");
        lab.patch(&rg(&format!("{SITE}/config/web")), json!({"properties": {"alwaysOn": true}})).ok(200);
        let free = json!({"location": "westeurope", "kind": "linux", "sku": {"name": "F1"}, "properties": {"reserved": true}});
        lab.put(&rg(PLAN), free).refused(409, "Conflict");
        let other = format!("{}/resourceGroups/other", crate::world::testing::SUB);
        lab.put(&other, json!({"location": "westeurope"})).ok(201);
        lab.put(&format!("{other}/providers/{SITE}"), site(json!({}))).refused(409, "Conflict");
        let check = format!("{}/providers/Microsoft.Web/checknameavailability", crate::world::testing::SUB);
        let free = lab.post(&check, json!({"name": "web1", "type": "Site"})).ok(200).json;
        assert_eq!(free["nameAvailable"], false);
    }

    #[test]
    fn settings_are_read_by_listing_and_written_whole() {
        let mut lab = Lab::new(0.0);
        plan(&mut lab, "B1");
        lab.put(&rg(SITE), site(json!({"appSettings": [{"name": "A", "value": "1"}]}))).ok(200);
        let config = |name: &str| rg(&format!("{SITE}/config/{name}"));
        let listed = lab.post(&config("appsettings/list"), json!({})).ok(200).json;
        assert_eq!(listed["properties"], json!({"A": "1"}));
        lab.get(&config("appsettings")).refused(405, "MethodNotAllowed");
        let put = lab.put(&config("appsettings"), json!({"properties": {"B": "2"}})).ok(200).json;
        assert_eq!(put["properties"], json!({"B": "2"}));
        let web = lab.get(&config("web")).ok(200).json;
        assert_eq!(web["properties"]["minTlsVersion"], "1.2");
        lab.patch(&config("web"), json!({"properties": {"minTlsVersion": "9"}})).refused(400, "BadRequest");
        let web = lab.patch(&config("web"), json!({"properties": {"http20Enabled": true}})).ok(200).json;
        assert_eq!(web["properties"]["http20Enabled"], true);
        // a PUT of the site without settings leaves them
        lab.put(&rg(SITE), site(json!({"linuxFxVersion": "DOCKER|nginx"}))).ok(200);
        assert_eq!(lab.post(&config("appsettings/list"), json!({})).json["properties"], json!({"B": "2"}));
        lab.get(&config("nothing")).refused(404, "NotFound");
        lab.post(&rg(&format!("{SITE}/publishxml")), json!({})).ok(200);
    }

    #[test]
    fn slots_are_counted_and_swapped_but_for_what_is_sticky() {
        let mut lab = Lab::new(0.0);
        plan(&mut lab, "B1");
        let settings = |shared: &str, own: &str| {
            site(json!({"linuxFxVersion": format!("DOCKER|app:{shared}"), "alwaysOn": own == "production",
                        "appSettings": [{"name": "VERSION", "value": shared}, {"name": "WHERE", "value": own}]}))
        };
        lab.put(&rg(SITE), settings("1", "production")).ok(200);
        let slot = rg(&format!("{SITE}/slots/staging"));
        lab.put(&slot, settings("2", "staging")).refused(409, "Conflict");
        plan(&mut lab, "S1");
        let made = lab.put(&slot, settings("2", "staging")).ok(200).json;
        assert_eq!(made["name"], "web1/staging");
        assert_eq!(made["properties"]["defaultHostName"], "web1-staging.azurewebsites.net");
        let names = json!({"properties": {"appSettingNames": ["WHERE"]}});
        lab.put(&rg(&format!("{SITE}/config/slotConfigNames")), names).ok(200);
        let differ = lab
            .post(&rg(&format!("{SITE}/slotsdiffs")), json!({"targetSlot": "staging", "preserveVnet": true}));
        assert_eq!(differ.ok(200).json["value"].as_array().unwrap().len(), 2);
        lab.post(&rg(&format!("{SITE}/slotsswap")), json!({"targetSlot": "none"})).refused(404, "NotFound");
        lab.post(&format!("{slot}/slotsswap"), json!({"targetSlot": "production", "preserveVnet": true}))
            .ok(200);
        let mut settings = |path: &str| {
            lab.post(&format!("{path}/config/appsettings/list"), json!({})).json["properties"].clone()
        };
        assert_eq!(settings(&rg(SITE)), json!({"VERSION": "2", "WHERE": "production"}));
        assert_eq!(settings(&slot), json!({"VERSION": "1", "WHERE": "staging"}));
        let web = lab.get(&rg(&format!("{SITE}/config/web"))).json["properties"].clone();
        assert_eq!(
            (web["linuxFxVersion"].clone(), web["alwaysOn"].clone()),
            (json!("DOCKER|app:2"), json!(true))
        );
        for number in 0..4 {
            lab.put(&rg(&format!("{SITE}/slots/s{number}")), site(json!({}))).ok(200);
        }
        lab.put(&rg(&format!("{SITE}/slots/s5")), site(json!({}))).refused(409, "Conflict");
    }

    #[test]
    fn a_swap_takes_its_time_and_is_alone() {
        let mut lab = Lab::new(1.0);
        plan_and_slot(&mut lab);
        let swapped = lab.post(&rg(&format!("{SITE}/slotsswap")), json!({"targetSlot": "staging"})).ok(202);
        assert!(lab.follow(&swapped).1 >= 80);
    }

    fn plan_and_slot(lab: &mut Lab) {
        let body = json!({"location": "westeurope", "kind": "linux", "sku": {"name": "S1"}, "properties": {"reserved": true}});
        lab.put(&rg(PLAN), body).ok(202);
        lab.wait(20.0);
        lab.put(&rg(SITE), site(json!({}))).ok(202);
        lab.wait(20.0);
        lab.put(&rg(&format!("{SITE}/slots/staging")), site(json!({}))).ok(202);
        lab.wait(20.0);
    }
}
