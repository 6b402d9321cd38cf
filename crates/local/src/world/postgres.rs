//! PostgreSQL flexible servers: their rules for SKU, storage, version, availability, network and names; databases,
//! firewall rules, configurations, administrators.

use serde_json::{Value, json};

use super::arm::id::Id;
use super::arm::kind::{
    Call, Change, Depth, Ending, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs, What,
};
use super::arm::operations::{self, Verb};
use super::arm::refusal::Refusal;
use super::arm::{Resource, default, locks, put, resources, take};
use super::checks::{between, one_of, text};
use super::network::{self, Unfit};
use super::{Method, Response, World};

const SERVER: &str = "Microsoft.DBforPostgreSQL/flexibleServers";
const BUSY: &str = "ServerIsBusy";
const DELEGATION: &str = "Microsoft.DBforPostgreSQL/flexibleServers";

/// PUT answers 202 with both headers; the server is seen when it is there.
const REPLIES: Replies = Replies {
    create: Reply { status: 202, headers: Headers::Both, done: 201 },
    replace: Reply { status: 202, headers: Headers::Both, done: 200 },
    patch: Reply { status: 202, headers: Headers::Both, done: 200 },
    delete: Reply { status: 202, headers: Headers::Both, done: 200 },
};

const fn names(from: usize, to: usize, signs: Signs, global: bool) -> Names {
    Names {
        length: (from, to),
        signs,
        global,
        refusal: (
            "InvalidParameterValue",
            "Invalid value given for parameter Name: '{name}'. Specify a valid parameter value.",
        ),
    }
}

const fn child(name: &'static str, seconds: f64, rules: &'static dyn Rules) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: names(1, 128, Signs::Any, false),
        place: Place::Parent,
        seconds: [seconds, seconds, seconds],
        replies: REPLIES,
        busy: BUSY,
        computed: &[],
        spelling: &[],
        rules,
    }
}

pub(super) static KINDS: &[Kind] = &[
    Kind {
        name: SERVER,
        names: names(3, 63, Signs::ServerLike, true),
        place: Place::Regional,
        seconds: [400.0, 120.0, 60.0],
        computed: &[
            "properties.fullyQualifiedDomainName",
            "properties.state",
            "properties.minorVersion",
            "properties.replicaCapacity",
            "properties.replica",
            "properties.backup.earliestRestoreDate",
            "properties.highAvailability.state",
            "properties.network.publicNetworkAccess",
            "properties.privateEndpointConnections",
        ],
        ..child("", 0.0, &Servers)
    },
    child("Microsoft.DBforPostgreSQL/flexibleServers/databases", 15.0, &Databases),
    child("Microsoft.DBforPostgreSQL/flexibleServers/firewallRules", 15.0, &Firewall),
    child("Microsoft.DBforPostgreSQL/flexibleServers/configurations", 30.0, &Configurations),
    child("Microsoft.DBforPostgreSQL/flexibleServers/administrators", 15.0, &Administrators),
];

fn wrong(parameter: &str, value: &str) -> Refusal {
    Refusal::bad(
        "InvalidParameterValue",
        format!("Invalid value given for parameter {parameter}: '{value}'. Specify a valid parameter value."),
    )
}

/// Sizes of the first storage type in GiB; a size between them is refused.
const SIZES: [i64; 11] = [32, 64, 128, 256, 512, 1024, 2048, 4095, 4096, 8192, 16384];

#[derive(Debug)]
struct Servers;

impl Rules for Servers {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let near = text(&change.body, "location").to_owned();
        let current = change.current.clone();
        let password = take(&mut change.body, "properties.administratorLoginPassword");
        let mode = take(&mut change.body, "properties.createMode")
            .and_then(|mode| mode.as_str().map(str::to_owned))
            .unwrap_or_else(|| "Default".into());
        let body = &mut change.body;
        check_sku(body)?;
        let tier = text(body, "sku.tier").to_owned();
        default(body, "properties.version", json!("17"));
        one_of(body, "properties.version", &["11", "12", "13", "14", "15", "16", "17", "18"], |value| {
            wrong("version", value)
        })?;
        let version: i64 = text(body, "properties.version").parse().unwrap_or(0);
        if current.is_none() && version < 13 {
            return Err(Refusal::bad(
                "UnsupportedServerVersion",
                format!("The version {version} of PostgreSQL is past its end: new servers cannot have it."),
            ));
        }
        let size = &body["properties"]["storage"]["storageSizeGB"];
        let premium_two = text(body, "properties.storage.type").eq_ignore_ascii_case("PremiumV2_LRS");
        if size.is_null() {
            default(body, "properties.storage.storageSizeGB", json!(128));
        } else if !size.as_i64().is_some_and(|size| {
            if premium_two { (32..=65536).contains(&size) } else { SIZES.contains(&size) }
        }) {
            return Err(wrong("StorageSizeGB", &size.to_string()));
        }
        default(body, "properties.storage.autoGrow", json!("Disabled"));
        default(body, "properties.storage.type", json!(""));
        default(body, "properties.backup", json!({}));
        default(body, "properties.backup.backupRetentionDays", json!(7));
        default(body, "properties.backup.geoRedundantBackup", json!("Disabled"));
        between(body, "properties.backup.backupRetentionDays", 7..=35, |value| {
            wrong("backupRetentionDays", value)
        })?;
        default(body, "properties.highAvailability.mode", json!("Disabled"));
        one_of(
            body,
            "properties.highAvailability.mode",
            &["Disabled", "ZoneRedundant", "SameZone"],
            |value| wrong("highAvailability.mode", value),
        )?;
        let available = text(body, "properties.highAvailability.mode") != "Disabled";
        if available && tier == "Burstable" {
            return Err(Refusal::bad(
                "HANotSupportedForBurstable",
                "High availability is not supported for the Burstable tier. Use General Purpose or Memory Optimized.",
            ));
        }
        if text(body, "properties.highAvailability.mode") == "ZoneRedundant"
            && !super::arm::subscriptions::has_zones(&near)
        {
            return Err(Refusal::bad(
                "ZoneRedundantHANotSupportedInRegion",
                format!("Zone redundant high availability is not available in the region '{near}'."),
            ));
        }
        put(
            body,
            "properties.highAvailability.state",
            json!(if available { "Healthy" } else { "NotEnabled" }),
        );
        default(body, "properties.authConfig", json!({}));
        default(body, "properties.authConfig.passwordAuth", json!("Enabled"));
        default(body, "properties.authConfig.activeDirectoryAuth", json!("Disabled"));
        match &current {
            None if mode.eq_ignore_ascii_case("Default") || mode.eq_ignore_ascii_case("Create") => {
                check_login(body, password.as_ref())?;
            }
            None => {}
            Some(current) => check_update(body, current)?,
        }
        if let Some(password) = password {
            check_password(body, &password)?;
            put(&mut change.private, "password", password);
        }
        let body = &mut change.body;
        let subnet = text(body, "properties.network.delegatedSubnetResourceId").to_owned();
        if subnet.is_empty() {
            default(body, "properties.network.publicNetworkAccess", json!("Enabled"));
        } else {
            check_network(world, body, &subnet, &near, &change.id.key())?;
            put(body, "properties.network.publicNetworkAccess", json!("Disabled"));
        }
        put(
            body,
            "properties.fullyQualifiedDomainName",
            json!(format!("{}.postgres.database.azure.com", change.id.name().to_ascii_lowercase())),
        );
        for (name, value) in [
            ("state", json!("Ready")),
            ("minorVersion", json!("4")),
            ("replicationRole", json!("Primary")),
            ("replicaCapacity", json!(5)),
            ("availabilityZone", json!("1")),
            (
                "maintenanceWindow",
                json!({"customWindow": "Disabled", "dayOfWeek": 0, "startHour": 0, "startMinute": 0}),
            ),
            ("dataEncryption", json!({"type": "SystemManaged"})),
        ] {
            default(body, &format!("properties.{name}"), value);
        }
        Ok(())
    }

    fn taken(&self, _world: &World, _other: &Resource, id: &Id) -> Result<(), Refusal> {
        Err(Refusal::conflict(
            "ServerNameAlreadyExists",
            format!("Specified server name '{}' is already used.", id.name()),
        ))
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            for name in ["postgres", "azure_maintenance", "azure_sys"] {
                let body = json!({"properties": {"charset": "UTF8", "collation": "en_US.utf8"}});
                resources::grow(world, &id.child("databases", name), body, Value::Null);
            }
            for (name, value, kind, allowed, dynamic) in CONFIGURATIONS {
                let body = json!({"properties": {"value": value, "defaultValue": value, "dataType": kind,
                    "allowedValues": allowed, "source": "system-default", "isDynamicConfig": dynamic,
                    "isReadOnly": false, "isConfigPendingRestart": false}});
                resources::grow(world, &id.child("configurations", name), body, Value::Null);
            }
        }
        Ending::Table
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        let state = match resource.state.as_str() {
            "Creating" => "Provisioning",
            "Updating" => "Updating",
            "Deleting" => "Dropping",
            _ => text(&resource.body, "properties.state"),
        };
        put(body, "properties.state", json!(state));
        take(body, "properties.provisioningState");
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let verb = call.rest.first()?.to_ascii_lowercase();
        if call.rest.len() != 1 || call.request.method != Method::Post {
            return None;
        }
        let state = match verb.as_str() {
            "start" | "restart" => "Ready",
            "stop" => "Stopped",
            _ => return None,
        };
        Some(power(world, call, &verb, state))
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let asks = call.rest_is(&["checkNameAvailability"])
            || call.rest_is(&["locations", "*", "checkNameAvailability"]);
        if call.request.method != Method::Post || !asks {
            return None;
        }
        let name = text(&call.body, "name");
        let answer = if !KINDS[0].names.allow(name) {
            json!({"nameAvailable": false, "reason": "Invalid", "message": KINDS[0].names.refusal.1.replace("{name}", name), "name": name})
        } else if world.arm.by_name(SERVER, name).is_some() {
            json!({"nameAvailable": false, "reason": "AlreadyExists", "message": "Specified server name is already used.", "name": name})
        } else {
            json!({"nameAvailable": true, "message": "", "name": name})
        };
        Some(Ok(Response::json(200, &answer)))
    }
}

fn power(world: &mut World, call: &Call, verb: &str, state: &str) -> Result<Response, Refusal> {
    locks::permit(world, &call.id, false)?;
    if let Some(operation) = operations::under_way(world, &call.id.key()) {
        return Err(busy(&operation.id));
    }
    let known = world.arm.find(&call.id.key()).map(|it| text(&it.body, "properties.state").to_owned());
    if verb != "start" && known.as_deref() == Some("Stopped") {
        return Err(Refusal::conflict(
            "ServerIsNotReady",
            format!("The server '{}' is stopped.", call.id.name()),
        ));
    }
    if let Some(found) = world.arm.find_mut(&call.id.key()) {
        put(&mut found.body, "properties.state", json!(state));
    }
    let operation = operations::begin(world, &call.id, Verb::Act, Ending::After(60.0));
    let reply = Reply { status: 202, headers: Headers::Both, done: 200 };
    Ok(operations::lead(world, call.request, &operation, reply, Response::empty(200)))
}

fn busy(operation: &str) -> Refusal {
    Refusal::conflict(
        BUSY,
        format!(
            "Cannot complete operation while the server is busy processing another operation ('{operation}'). Please try again later."
        ),
    )
}

/// `Standard_B1ms` is Burstable, `Standard_D2ds_v5` GeneralPurpose, `Standard_E2ds_v5` MemoryOptimized.
fn check_sku(body: &mut Value) -> Result<(), Refusal> {
    let name = text(body, "sku.name").to_owned();
    let letter = name.strip_prefix("Standard_").and_then(|rest| rest.chars().next());
    let tier = match letter {
        Some('B') => "Burstable",
        Some('D') => "GeneralPurpose",
        Some('E') => "MemoryOptimized",
        _ => return Err(wrong("sku.name", &name)),
    };
    one_of(body, "sku.tier", &["Burstable", "GeneralPurpose", "MemoryOptimized"], |value| {
        wrong("sku.tier", value)
    })?;
    default(body, "sku.tier", json!(tier));
    let said = text(body, "sku.tier");
    if said != tier {
        return Err(Refusal::bad(
            "InvalidParameterValue",
            format!("The SKU '{name}' is of the tier {tier}, not {said}. Specify a valid parameter value."),
        ));
    }
    Ok(())
}

fn check_login(body: &Value, password: Option<&Value>) -> Result<(), Refusal> {
    let login = text(body, "properties.administratorLogin");
    if text(body, "properties.authConfig.passwordAuth").eq_ignore_ascii_case("Disabled") {
        if text(body, "properties.authConfig.activeDirectoryAuth").eq_ignore_ascii_case("Disabled") {
            return Err(Refusal::bad(
                "InvalidAuthConfig",
                "Password or Microsoft Entra authentication must be enabled.",
            ));
        }
        return Ok(());
    }
    const RESERVED: [&str; 9] = [
        "azure_superuser",
        "azuresu",
        "azure_pg_admin",
        "admin",
        "administrator",
        "root",
        "guest",
        "public",
        "replication",
    ];
    let letters = login.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let fits = (1..=63).contains(&login.len())
        && letters
        && !login.starts_with(|c: char| c.is_ascii_digit())
        && !login.to_ascii_lowercase().starts_with("pg_")
        && !RESERVED.iter().any(|word| word.eq_ignore_ascii_case(login));
    if !fits {
        return Err(wrong("administratorLogin", login));
    }
    if password.and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(Refusal::bad(
            "MissingRequiredParameter",
            "The parameter administratorLoginPassword is required: password authentication is enabled.",
        ));
    }
    Ok(())
}

/// 8 to 128 signs of three kinds out of four, without the login's name.
fn check_password(body: &Value, password: &Value) -> Result<(), Refusal> {
    let word = password.as_str().unwrap_or_default();
    let login = text(body, "properties.administratorLogin").to_ascii_lowercase();
    let kinds = [
        word.chars().any(|c| c.is_ascii_uppercase()),
        word.chars().any(|c| c.is_ascii_lowercase()),
        word.chars().any(|c| c.is_ascii_digit()),
        word.chars().any(|c| !c.is_ascii_alphanumeric()),
    ];
    let fits = (8..=128).contains(&word.chars().count())
        && kinds.iter().filter(|has| **has).count() >= 3
        && (login.is_empty() || !word.to_ascii_lowercase().contains(&login));
    if fits {
        return Ok(());
    }
    Err(Refusal::bad(
        "PasswordNotComplex",
        "Password validation failed. The password does not meet policy requirements because it is not complex enough.",
    ))
}

fn check_update(body: &Value, current: &Resource) -> Result<(), Refusal> {
    let number = |body: &Value, path: &str| super::arm::at(body, path).and_then(Value::as_i64).unwrap_or(0);
    let size = "properties.storage.storageSizeGB";
    if number(body, size) < number(&current.body, size) {
        return Err(Refusal::bad(
            "StorageSizeCannotBeDecreased",
            format!(
                "The storage of a server cannot be decreased: it has {} GiB, and {} were asked for.",
                number(&current.body, size),
                number(body, size)
            ),
        ));
    }
    let version = |body: &Value| text(body, "properties.version").parse::<i64>().unwrap_or(0);
    if version(body) < version(&current.body) {
        return Err(Refusal::bad(
            "MajorVersionUpgradeInvalidTarget",
            format!("A server of version {} cannot go back to {}.", version(&current.body), version(body)),
        ));
    }
    for (path, code) in [
        ("properties.administratorLogin", "AdministratorLoginCannotBeChanged"),
        ("properties.network.delegatedSubnetResourceId", "NetworkModeCannotBeChanged"),
        ("properties.backup.geoRedundantBackup", "GeoRedundantBackupCannotBeChanged"),
    ] {
        let (old, new) = (text(&current.body, path), text(body, path));
        if !new.is_empty() && !new.eq_ignore_ascii_case(old) {
            return Err(Refusal::bad(
                code,
                format!("The property '{path}' cannot be changed after creation."),
            ));
        }
    }
    Ok(())
}

fn check_network(world: &World, body: &Value, subnet: &str, near: &str, own: &str) -> Result<(), Refusal> {
    match network::must_take(world, subnet, near, DELEGATION) {
        Ok(_) => {}
        Err(Unfit::Missing) => {
            return Err(Refusal::bad("SubnetNotFound", format!("The subnet '{subnet}' does not exist.")));
        }
        Err(Unfit::Elsewhere(found)) => {
            return Err(Refusal::bad(
                "VnetRegionMismatch",
                format!("The virtual network of subnet {} is in another region than the server.", found.id),
            ));
        }
        Err(Unfit::Undelegated(found)) => {
            return Err(Refusal::bad(
                "SubnetNotDelegated",
                format!("The subnet {} must be delegated to {DELEGATION}.", found.id),
            ));
        }
    }
    let zone = text(body, "properties.network.privateDnsZoneArmResourceId");
    let Some(found) = super::checks::named(world, zone, "Microsoft.Network/privateDnsZones") else {
        return Err(Refusal::bad(
            "PrivateDnsZoneNotFound",
            format!("A server in a subnet needs a private DNS zone; '{zone}' is none."),
        ));
    };
    let server = own.rsplit('/').next().unwrap_or_default();
    let name = found.id.name().to_ascii_lowercase();
    if !name.ends_with(".postgres.database.azure.com")
        || name == format!("{server}.postgres.database.azure.com")
    {
        return Err(Refusal::bad(
            "InvalidPrivateDnsZoneName",
            format!(
                "The private DNS zone '{name}' must end with '.postgres.database.azure.com' and not be the server's name."
            ),
        ));
    }
    Ok(())
}

fn ready(world: &World, change: &Change) -> Result<(), Refusal> {
    let Some(server) = change.id.parent().and_then(|server| world.arm.find(&server.key())) else {
        return Ok(());
    };
    if let Some(operation) = operations::under_way(world, &server.id.key()) {
        return Err(busy(&operation.id));
    }
    if text(&server.body, "properties.state") == "Stopped" {
        return Err(Refusal::conflict(
            "ServerIsNotReady",
            format!("The server '{}' is stopped.", server.id.name()),
        ));
    }
    Ok(())
}

#[derive(Debug)]
struct Databases;

impl Rules for Databases {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        ready(world, change)?;
        default(&mut change.body, "properties.charset", json!("UTF8"));
        default(&mut change.body, "properties.collation", json!("en_US.utf8"));
        if let Some(current) = &change.current
            && current.properties() != &change.body["properties"]
        {
            return Err(Refusal::bad(
                "DatabaseCannotBeChanged",
                "Charset and collation of a database cannot be changed.",
            ));
        }
        Ok(())
    }

    fn may_delete(&self, _world: &World, resource: &Resource) -> Result<(), Refusal> {
        if ["postgres", "azure_maintenance", "azure_sys"].contains(&resource.id.name()) {
            return Err(Refusal::bad(
                "SystemDatabaseCannotBeDeleted",
                format!("The system database '{}' cannot be deleted.", resource.id.name()),
            ));
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Firewall;

impl Rules for Firewall {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        ready(world, change)?;
        if let Some(server) = change.id.parent().and_then(|server| world.arm.find(&server.key()))
            && !text(&server.body, "properties.network.delegatedSubnetResourceId").is_empty()
        {
            return Err(Refusal::bad(
                "FirewallRuleNotAllowedForPrivateAccess",
                "Firewall rules are not for servers with private access (virtual network integration).",
            ));
        }
        let address = |name: &str| {
            let text = text(&change.body, &format!("properties.{name}")).to_owned();
            text.parse::<std::net::Ipv4Addr>().map_err(|_| wrong(name, &text))
        };
        let (from, to) = (address("startIpAddress")?, address("endIpAddress")?);
        if from > to {
            return Err(wrong("endIpAddress", &to.to_string()));
        }
        Ok(())
    }
}

/// Name, value, type, what is allowed, whether it works without a restart.
const CONFIGURATIONS: [(&str, &str, &str, &str, bool); 9] = [
    (
        "azure.extensions",
        "",
        "Set",
        ",address_standardizer,citext,hstore,pg_stat_statements,pg_trgm,pgcrypto,postgis,uuid-ossp,vector",
        true,
    ),
    ("idle_in_transaction_session_timeout", "0", "Integer", "0-2147483647", true),
    ("log_min_duration_statement", "-1", "Integer", "-1-2147483647", true),
    ("max_connections", "429", "Integer", "25-5000", false),
    ("require_secure_transport", "on", "Boolean", "on,off", true),
    (
        "shared_preload_libraries",
        "pg_cron,pg_stat_statements",
        "Set",
        "auto_explain,pg_cron,pg_stat_statements,pgaudit,timescaledb",
        false,
    ),
    ("statement_timeout", "0", "Integer", "0-2147483647", true),
    ("timezone", "UTC", "String", "[A-Za-z0-9/+_-]+", true),
    ("work_mem", "4096", "Integer", "4096-2097151", true),
];

#[derive(Debug)]
struct Configurations;

impl Rules for Configurations {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        ready(world, change)?;
        let Some(current) = &change.current else {
            return Err(Refusal::missing(
                "ConfigurationNotExists",
                format!("The configuration '{}' does not exist for server version.", change.id.name()),
            ));
        };
        let value = &change.body["properties"]["value"];
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let known = text(&current.body, "properties.allowedValues");
        let fits = match text(&current.body, "properties.dataType") {
            "Integer" => {
                let edge = known.rfind('-').unwrap_or(0);
                let range =
                    (known[..edge].parse::<i64>(), known[edge + 1..].parse::<i64>(), value.parse::<i64>());
                matches!(range, (Ok(from), Ok(to), Ok(value)) if (from..=to).contains(&value))
            }
            "Boolean" => ["on", "off"].contains(&value.to_ascii_lowercase().as_str()),
            "Set" => value.split(',').all(|one| {
                one.trim().is_empty() || known.split(',').any(|it| it.eq_ignore_ascii_case(one.trim()))
            }),
            _ => true,
        };
        if !fits {
            return Err(wrong(change.id.name(), &value));
        }
        let mut properties = current.properties().clone();
        let pending = properties["isDynamicConfig"] == false && properties["value"] != value.as_str();
        properties["isConfigPendingRestart"] = json!(pending);
        properties["value"] = json!(value);
        properties["source"] = json!("user-override");
        change.body["properties"] = properties;
        Ok(())
    }

    fn may_delete(&self, _world: &World, _resource: &Resource) -> Result<(), Refusal> {
        Err(Refusal::new(405, "MethodNotAllowed", "Configurations of a server are changed, not deleted."))
    }
}

#[derive(Debug)]
struct Administrators;

impl Rules for Administrators {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        ready(world, change)?;
        let server = change.id.parent().and_then(|server| world.arm.find(&server.key()));
        if server.is_some_and(|it| {
            !text(&it.body, "properties.authConfig.activeDirectoryAuth").eq_ignore_ascii_case("Enabled")
        }) {
            return Err(Refusal::bad(
                "AadAuthNotEnabled",
                "Microsoft Entra authentication is not enabled on the server: it cannot have such administrators.",
            ));
        }
        if uuid::Uuid::try_parse(change.id.name()).is_err() {
            return Err(wrong("objectId", change.id.name()));
        }
        put(&mut change.body, "properties.objectId", json!(change.id.name()));
        default(&mut change.body, "properties.tenantId", json!(world.config.tenant));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::world::testing::{Lab, rg};

    const SERVER: &str = "Microsoft.DBforPostgreSQL/flexibleServers/pg1";

    fn server(more: Value) -> Value {
        let mut body = json!({"location": "westeurope", "sku": {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"},
            "properties": {"version": "16", "administratorLogin": "boss", "administratorLoginPassword": "Long-enough-1",
                           "storage": {"storageSizeGB": 128}}});
        crate::world::arm::merge(&mut body, &more);
        body
    }

    #[test]
    fn a_server_follows_the_rules_of_its_tier() {
        let mut lab = Lab::new(0.0);
        let mut refused = |more: Value, code: &str| {
            lab.put(&rg(SERVER), server(more)).refused(400, code);
        };
        refused(json!({"sku": {"name": "Standard_B1ms"}}), "InvalidParameterValue");
        refused(json!({"sku": {"name": "Large"}}), "InvalidParameterValue");
        refused(
            json!({"sku": {"name": "Standard_B1ms", "tier": "Burstable"}, "properties": {"highAvailability": {"mode": "SameZone"}}}),
            "HANotSupportedForBurstable",
        );
        refused(json!({"properties": {"storage": {"storageSizeGB": 100}}}), "InvalidParameterValue");
        refused(json!({"properties": {"version": "9"}}), "InvalidParameterValue");
        refused(json!({"properties": {"version": "11"}}), "UnsupportedServerVersion");
        refused(json!({"properties": {"backup": {"backupRetentionDays": 40}}}), "InvalidParameterValue");
        refused(json!({"properties": {"administratorLogin": "admin"}}), "InvalidParameterValue");
        refused(json!({"properties": {"administratorLoginPassword": "boring"}}), "PasswordNotComplex");
        refused(json!({"properties": {"administratorLoginPassword": null}}), "MissingRequiredParameter");
        let made = lab.put(&rg(SERVER), server(json!({}))).ok(201).json;
        assert_eq!(made["properties"]["fullyQualifiedDomainName"], "pg1.postgres.database.azure.com");
        assert!(made["properties"].get("administratorLoginPassword").is_none());
        let smaller = json!({"properties": {"storage": {"storageSizeGB": 64}}});
        lab.patch(&rg(SERVER), smaller).refused(400, "StorageSizeCannotBeDecreased");
        lab.patch(&rg(SERVER), json!({"properties": {"version": "15"}}))
            .refused(400, "MajorVersionUpgradeInvalidTarget");
        lab.patch(&rg(SERVER), json!({"properties": {"storage": {"storageSizeGB": 256}}})).ok(200);
        let other = rg("Microsoft.DBforPostgreSQL/flexibleServers/PG1x").replace("PG1x", "pg1");
        lab.put(&other.replace("/rg/", "/none/"), server(json!({}))).refused(404, "ResourceGroupNotFound");
    }

    #[test]
    fn what_is_in_a_server_has_rules_too() {
        let mut lab = Lab::new(0.0);
        lab.put(&rg(SERVER), server(json!({}))).ok(201);
        let at = |rest: &str| rg(&format!("{SERVER}/{rest}"));
        let rule = |from: &str, to: &str| json!({"properties": {"startIpAddress": from, "endIpAddress": to}});
        lab.put(&at("firewallRules/a"), rule("10.0.0.9", "10.0.0.1")).refused(400, "InvalidParameterValue");
        lab.put(&at("firewallRules/a"), rule("0.0.0.0", "0.0.0.0")).ok(201);
        lab.put(&at("databases/app"), json!({"properties": {}})).ok(201);
        lab.delete(&at("databases/postgres")).refused(400, "SystemDatabaseCannotBeDeleted");
        let value = |value: &str| json!({"properties": {"value": value, "source": "user-override"}});
        lab.put(&at("configurations/max_connections"), value("9")).refused(400, "InvalidParameterValue");
        let set = lab.put(&at("configurations/max_connections"), value("100")).ok(200).json;
        assert_eq!(set["properties"]["isConfigPendingRestart"], true);
        lab.put(&at("configurations/nonsense"), value("1")).refused(404, "ConfigurationNotExists");
        let who = at("administrators/55555555-5555-5555-5555-555555555555");
        lab.put(&who, json!({"properties": {"principalType": "User", "principalName": "me"}}))
            .refused(400, "AadAuthNotEnabled");
        lab.post(&at("stop"), json!({})).ok(200);
        assert_eq!(lab.get(&rg(SERVER)).json["properties"]["state"], "Stopped");
        lab.put(&at("databases/late"), json!({"properties": {}})).refused(409, "ServerIsNotReady");
    }

    #[test]
    fn a_private_server_needs_a_delegated_subnet_and_a_zone() {
        let mut lab = Lab::new(0.0);
        let vnet = rg("Microsoft.Network/virtualNetworks/v1");
        let subnet = format!("{vnet}/subnets/db");
        let network = json!({"properties": {"network": {"delegatedSubnetResourceId": subnet}}});
        lab.put(&rg(SERVER), server(network.clone())).refused(400, "SubnetNotFound");
        let space = json!({"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}});
        lab.put(&vnet, space).ok(201);
        lab.put(&subnet, json!({"properties": {"addressPrefix": "10.0.0.0/28"}})).ok(201);
        lab.put(&rg(SERVER), server(network.clone())).refused(400, "SubnetNotDelegated");
        lab.put(
            &subnet,
            json!({"properties": {"addressPrefix": "10.0.0.0/28", "delegations": [{"name": "pg",
            "properties": {"serviceName": "Microsoft.DBforPostgreSQL/flexibleServers"}}]}}),
        )
        .ok(200);
        lab.put(&rg(SERVER), server(network.clone())).refused(400, "PrivateDnsZoneNotFound");
        let zone = rg("Microsoft.Network/privateDnsZones/app.postgres.database.azure.com");
        lab.put(&zone, json!({"location": "global"})).ok(201);
        let mut whole = network;
        whole["properties"]["network"]["privateDnsZoneArmResourceId"] = json!(zone);
        lab.put(&rg(SERVER), server(whole)).ok(201);
        lab.put(&subnet, json!({"properties": {"addressPrefix": "10.0.0.0/28"}}))
            .refused(400, "SubnetMissingRequiredDelegation");
        lab.delete(&subnet).refused(400, "InUseSubnetCannotBeDeleted");
    }
}
