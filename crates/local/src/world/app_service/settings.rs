//! `config` resources of sites and slots: the site's own configuration, application settings, connection strings,
//! mounted storage, logs, authentication, and which names are sticky.

use serde_json::{Map, Value, json};

use super::plans::no_always_on;
use super::tiers::Tier;
use super::{
    Answer, bad, conflict, invalid, plan_of, production, references, shown_location, slots_of, tier_of,
};
use crate::world::arm::gate::object;
use crate::world::arm::id::Id;
use crate::world::arm::kind::Call;
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{locks, merge, resources, take, without_nulls};
use crate::world::checks::{list, text};
use crate::world::{Method, Response, World, network};

/// What `config/web` is when nobody said anything.
pub(super) fn usual_config(tier: &Tier, linux: bool) -> Value {
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
pub(super) fn check_config(config: &Value, tier: &Tier, linux: bool) -> Result<(), Refusal> {
    if config["alwaysOn"] == true && !tier.always_on {
        return Err(no_always_on());
    }
    if config["use32BitWorkerProcess"] == false && !linux && !tier.dedicated && tier.name != "Dynamic" {
        return Err(conflict(
            "Use32BitWorkerProcess cannot be set to false for this site as the plan does not allow it. For more \
             information on pricing and features, please see: https://aka.ms/appservicepricingdetails ",
        ));
    }
    let stack = text(config, "linuxFxVersion");
    if !stack.is_empty() && (!linux || !is_stack(stack)) {
        return Err(invalid("LinuxFxVersion"));
    }
    if linux && !text(config, "windowsFxVersion").is_empty() {
        return Err(invalid("WindowsFxVersion"));
    }
    check_routing(list(config, "experiments.rampUpRules"), tier)?;
    for (name, known) in [
        ("minTlsVersion", &["1.0", "1.1", "1.2", "1.3"][..]),
        ("ftpsState", &["AllAllowed", "FtpsOnly", "Disabled"]),
        ("managedPipelineMode", &["Integrated", "Classic"]),
    ] {
        if let Some(sent) = config[name].as_str()
            && !known.iter().any(|known| known.eq_ignore_ascii_case(sent))
        {
            return Err(invalid(name));
        }
    }
    if let Some(path) = config["healthCheckPath"].as_str()
        && !path.is_empty()
        && !path.starts_with('/')
    {
        return Err(invalid("healthCheckPath"));
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

/// `PYTHON|3.12`, `DOCKER|image`, `sitecontainers`: a family that Linux workers have, and what of it.
fn is_stack(text: &str) -> bool {
    const FAMILIES: [&str; 14] = [
        "COMPOSE",
        "DOCKER",
        "DOTNET",
        "DOTNET-ISOLATED",
        "DOTNETCORE",
        "GO",
        "JAVA",
        "JBOSSEAP",
        "KUBE",
        "NODE",
        "PHP",
        "PYTHON",
        "RUBY",
        "TOMCAT",
    ];
    match text.split_once('|') {
        Some((family, what)) => {
            !what.is_empty() && FAMILIES.iter().any(|known| known.eq_ignore_ascii_case(family))
        }
        None => text.eq_ignore_ascii_case("sitecontainers"),
    }
}

/// Rules that send a part of production's requests to slots.
fn check_routing(rules: &[Value], tier: &Tier) -> Result<(), Refusal> {
    if !rules.is_empty() && tier.slots == 0 {
        return Err(conflict(format!(
            "Traffic routing needs deployment slots, which the '{}' tier of the plan has not.",
            tier.name
        )));
    }
    let mut whole = 0.0;
    for rule in rules {
        let part = rule["reroutePercentage"].as_f64().unwrap_or(0.0);
        if !(0.0..=100.0).contains(&part) || text(rule, "name").is_empty() {
            return Err(invalid("rampUpRules"));
        }
        whole += part;
    }
    if whole > 100.0 {
        return Err(bad(format!("The percentages of the ramp-up rules sum to {whole}, over 100.")));
    }
    Ok(())
}

/// `[{"name","value"}]`, as a site's body has settings, as the object that `config/appsettings` has.
pub(super) fn pairs(settings: &Value) -> Value {
    let object: Map<String, Value> = settings
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|setting| Some((setting["name"].as_str()?.to_owned(), setting["value"].clone())))
        .collect();
    Value::Object(object)
}

pub(super) fn strings(connections: &Value) -> Value {
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

/// Which of the `config` resources can be read by GET; the others hold secrets and are read by POST `…/list`.
const OPEN: [&str; 4] = ["web", "slotConfigNames", "logs", "authsettingsV2"];
const SECRET: [&str; 7] = [
    "appsettings",
    "connectionstrings",
    "metadata",
    "authsettings",
    "azurestorageaccounts",
    "pushsettings",
    "backup",
];

/// `…/config/NAME[/list]`.
pub(super) fn serve(world: &mut World, call: &Call) -> Option<Answer> {
    let method = call.request.method;
    if call.rest.len() == 1 && method == Method::Get {
        let shown = vec![show_config(world, &call.id, "web")];
        return Some(Ok(Response::json(200, &json!({"value": shown}))));
    }
    let name = *call.rest.get(1)?;
    if name.eq_ignore_ascii_case("configreferences") && method == Method::Get {
        return Some(references::serve(world, call));
    }
    if name.eq_ignore_ascii_case("publishingcredentials") && method == Method::Post {
        return super::publishing::credentials(world, &call.id).map(Ok);
    }
    let known = OPEN.iter().chain(&SECRET).find(|known| known.eq_ignore_ascii_case(name));
    let Some(known) = known else {
        return Some(Err(super::missing("SiteConfig", name)));
    };
    // authentication is listed by GET too
    let lists = call.rest.len() == 3
        && call.rest[2].eq_ignore_ascii_case("list")
        && (method == Method::Post || (method == Method::Get && *known == "authsettingsV2"));
    if lists || (call.rest.len() == 2 && method == Method::Get && OPEN.contains(known)) {
        return Some(Ok(Response::json(200, &show_config(world, &call.id, known))));
    }
    if call.rest.len() == 2 && known.eq_ignore_ascii_case("backup") && method == Method::Delete {
        return Some(write_config(world, call, known));
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

fn write_config(world: &mut World, call: &Call, name: &str) -> Answer {
    locks::permit(world, &call.id, false)?;
    // names and settings of a slot that is sticky belong to the whole site
    let owner = if name == "slotConfigNames" { production(&call.id) } else { call.id.clone() };
    let body = object(&call.body)?;
    let sent = without_nulls(&body["properties"]);
    if !(sent.is_object() || sent.is_null()) {
        return Err(bad("properties must be an object."));
    }
    let Some(found) = world.arm.find(&owner.key()) else { return Err(resources::not_there(&owner)) };
    let tier = tier_of(world, found);
    let linux =
        plan_of(world, found.properties()).is_some_and(|(plan, _)| plan.properties()["reserved"] == true);
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
            check_config(&kept, tier, linux)?;
            check_targets(world, &owner, &kept)?;
            if let Some(settings) = &settings {
                check_names(settings, linux)?;
            }
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
            check_names(&sent, linux)?;
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
        "connectionstrings" => {
            check_strings(&sent)?;
            kept = sent;
        }
        "azurestorageaccounts" => {
            check_mounts(&sent)?;
            kept = sent;
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

/// Names of settings on Linux workers are those of environment variables.
pub(super) fn check_names(settings: &Value, linux: bool) -> Result<(), Refusal> {
    let allowed = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    let wrong: Vec<&str> = settings
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .filter(|name| name.is_empty() || (linux && !allowed(name)))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let template = "AppSetting with name(s) '{0}' is not allowed.";
    Err(super::refused(400, "BadRequest", "04072", template, &[&wrong.join(", ")]))
}

pub(super) fn check_strings(strings: &Value) -> Result<(), Refusal> {
    const TYPES: [&str; 11] = [
        "MySql",
        "SQLServer",
        "SQLAzure",
        "Custom",
        "NotificationHub",
        "ServiceBus",
        "EventHub",
        "ApiHub",
        "DocDb",
        "RedisCache",
        "PostgreSQL",
    ];
    for string in strings.as_object().into_iter().flat_map(Map::values) {
        let kind = text(string, "type");
        if !TYPES.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
            return Err(invalid("ConnectionStringType"));
        }
    }
    Ok(())
}

fn check_mounts(mounts: &Value) -> Result<(), Refusal> {
    let mut places = std::collections::BTreeSet::new();
    for mount in mounts.as_object().into_iter().flat_map(Map::values) {
        let known = ["AzureFiles", "AzureBlob"].iter().any(|it| it.eq_ignore_ascii_case(text(mount, "type")));
        let whole =
            ["accountName", "shareName", "mountPath"].iter().all(|name| !text(mount, name).is_empty());
        if !known || !whole || !places.insert(text(mount, "mountPath")) {
            return Err(invalid("AzureStorageAccounts"));
        }
    }
    Ok(())
}

/// Requests are only routed to slots that are there.
fn check_targets(world: &World, site: &Id, config: &Value) -> Result<(), Refusal> {
    for rule in list(config, "experiments.rampUpRules") {
        let host = text(rule, "actionHostName");
        let known = slots_of(world, &production(site))
            .any(|slot| text(slot.properties(), "defaultHostName").eq_ignore_ascii_case(host));
        if !known {
            return Err(bad(format!("The host '{host}' of a ramp-up rule is no slot of the site.")));
        }
    }
    Ok(())
}

fn check_restrictions(restrictions: &Value) -> Result<(), Refusal> {
    for rule in restrictions.as_array().into_iter().flatten() {
        let address = text(rule, "ipAddress");
        let fits = address.is_empty()
            || address == "Any"
            || text(rule, "tag").eq_ignore_ascii_case("ServiceTag")
            || network::cidr::Cidr::parse(address).is_some();
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
        "location": shown_location(found),
        "properties": properties,
    });
    if let Some(tags) = found.body.get("tags") {
        shown["tags"] = tags.clone();
    }
    shown
}
