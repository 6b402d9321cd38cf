//! Flexible servers: SKU, storage, version, availability, network and names; starting and stopping.

use serde_json::{Value, json};

use super::{
    Answer, DELEGATION, KINDS, SERVER, busy, capabilities, configurations, copies, not_stopped, skus,
    state_of, wrong,
};
use crate::world::arm::gate::object;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Ending, Headers, Reply, Rules, What};
use crate::world::arm::operations::{self, Operation, Verb};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, at, default, locks, put, resources, stamp, subscriptions, take};
use crate::world::checks::{self, between, one_of, text};
use crate::world::network::{self, Unfit};
use crate::world::{Method, Response, World};

/// Sizes of the first storage type in GiB; a size between them is refused.
const SIZES: [i64; 12] = [32, 64, 128, 256, 512, 1024, 2048, 4095, 4096, 8192, 16384, 32767];

/// How a server is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mode {
    Default,
    Replica,
    PointInTime,
    Geo,
}

impl Mode {
    fn taken(body: &mut Value) -> Result<Mode, Refusal> {
        let said = take(body, "properties.createMode");
        match said.as_ref().and_then(Value::as_str).unwrap_or("Default").to_ascii_lowercase().as_str() {
            "default" | "create" | "update" => Ok(Mode::Default),
            "replica" => Ok(Mode::Replica),
            "pointintimerestore" => Ok(Mode::PointInTime),
            "georestore" => Ok(Mode::Geo),
            other => Err(wrong("createMode", other)),
        }
    }

    /// Whether the new server has another one's data.
    fn copies(self) -> bool {
        self != Mode::Default
    }
}

#[derive(Debug)]
pub(super) struct Servers;

impl Rules for Servers {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let near = text(&change.body, "location").to_owned();
        let current = change.current.clone();
        let password = take(&mut change.body, "properties.administratorLoginPassword");
        let mode = Mode::taken(&mut change.body)?;
        take(&mut change.body, "properties.pointInTimeUTC");
        let role = at(&change.sent, "properties.replica").cloned();
        if current.is_none() && mode.copies() {
            copies::judge(world, change, mode)?;
        }
        if let Some(current) = &current {
            not_stopped(world, current)?;
            copies::may_promote(world, current, role.as_ref().unwrap_or(&Value::Null), &change.sent)?;
            copies::note(&mut change.private, role.as_ref(), &change.sent);
        }
        let body = &mut change.body;
        skus::check(body)?;
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
        for (name, known) in [
            ("storage.autoGrow", &["Enabled", "Disabled"][..]),
            ("storage.type", &["", "Premium_LRS", "PremiumV2_LRS", "UltraSSD_LRS"]),
            ("backup.geoRedundantBackup", &["Enabled", "Disabled"]),
        ] {
            one_of(body, &format!("properties.{name}"), known, |value| wrong(name, value))?;
        }
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
        check_zones(body)?;
        if text(body, "properties.backup.geoRedundantBackup") == "Enabled"
            && subscriptions::paired(&near).is_none()
        {
            return Err(Refusal::bad(
                "GeoRedundantBackupNotSupportedInRegion",
                format!("The region '{near}' has no pair: geo-redundant backups are not available in it."),
            ));
        }
        if text(body, "properties.highAvailability.mode") == "ZoneRedundant"
            && !subscriptions::has_zones(&near)
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
            None if !mode.copies() => check_login(body, password.as_ref())?,
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

    fn taken(&self, _world: &World, _other: &Resource, _id: &Id) -> Result<(), Refusal> {
        Err(Refusal::conflict(
            "ServerNameAlreadyExists",
            "Specified server name is already used by another server.",
        ))
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            for name in ["postgres", "azure_maintenance", "azure_sys"] {
                let body = json!({"properties": {"charset": "UTF8", "collation": "en_US.utf8"}});
                resources::grow(world, &id.child("databases", name), body, Value::Null);
            }
            let version = world.arm.find(&id.key()).map(|it| text(it.properties(), "version").to_owned());
            configurations::found(world, id, &version.unwrap_or_default());
            copies::made(world, id);
        }
        Ending::Table
    }

    fn ended(&self, world: &mut World, id: &Id, what: What, failure: Option<&Refusal>) {
        if failure.is_some() || what == What::Created {
            return;
        }
        power_ended(world, id);
        copies::promoted(world, id);
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        copies::orphaned(world, resource);
    }

    fn busy(&self, _id: &Id, operation: &Operation) -> Option<Refusal> {
        Some(busy(&operation.id))
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let under_way = text(&resource.private, "power");
        let state = match resource.state.as_str() {
            "Creating" => "Provisioning",
            "Updating" => "Updating",
            "Deleting" => "Dropping",
            _ if !under_way.is_empty() => under_way,
            _ => state_of(world, resource),
        };
        put(body, "properties.state", json!(state));
        let kept = jiff::SignedDuration::from_hours(
            24 * resource.properties()["backup"]["backupRetentionDays"].as_i64().unwrap_or(7),
        );
        let oldest = world.now.saturating_sub(kept).unwrap_or(world.now).max(resource.system.created_at);
        put(body, "properties.backup.earliestRestoreDate", json!(stamp(oldest)));
        copies::view(world, resource, body);
        take(body, "properties.provisioningState");
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Answer> {
        let verb = call.rest.first()?.to_ascii_lowercase();
        if call.rest.len() != 1 {
            return None;
        }
        match (call.request.method, verb.as_str()) {
            (Method::Post, "start" | "stop" | "restart") => Some(power(world, call, &verb)),
            (Method::Get, "replicas") => Some(Ok(copies::replicas(world, &call.id))),
            (Method::Get, "capabilities") => {
                let near = world.arm.find(&call.id.key())?.location();
                Some(Ok(capabilities::of(&near)))
            }
            _ => None,
        }
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Answer> {
        let words: Vec<String> = call.rest.iter().map(|word| word.to_ascii_lowercase()).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match (call.request.method, words.as_slice()) {
            (Method::Post, ["checknameavailability"] | ["locations", _, "checknameavailability"]) => {
                Some(is_free(world, &call.body))
            }
            (Method::Get, ["locations", location, "capabilities"]) => {
                let location = subscriptions::normal(location);
                Some(if subscriptions::is_region(&location) {
                    Ok(capabilities::of(&location))
                } else {
                    Err(wrong("location", &location))
                })
            }
            (Method::Post, ["getprivatednszonesuffix"]) => {
                Some(Ok(Response::json(200, &json!("private.postgres.database.azure.com"))))
            }
            (Method::Post, ["locations", location, "checkvirtualnetworksubnetusage"]) => {
                Some(Ok(capabilities::subnets(world, location, &call.body)))
            }
            _ => None,
        }
    }
}

fn is_free(world: &World, body: &Value) -> Answer {
    let body = object(body)?;
    let name = text(&body, "name");
    let refused = |reason: &str, message: String| json!({"nameAvailable": false, "reason": reason, "message": message, "name": name});
    let answer = if !KINDS[0].names.allow(name) {
        refused("Invalid", KINDS[0].names.refusal.1.replace("{name}", name))
    } else if world.arm.by_name(SERVER, name).is_some() {
        refused("AlreadyExists", "Specified server name is already used.".into())
    } else {
        json!({"nameAvailable": true, "message": "", "name": name})
    };
    Ok(Response::json(200, &answer))
}

/// `start`, `stop`, `restart`: the server is busy meanwhile.
fn power(world: &mut World, call: &Call, verb: &str) -> Answer {
    locks::permit(world, &call.id, false)?;
    if let Some(operation) = operations::under_way(world, &call.id.key()) {
        return Err(busy(&operation.id));
    }
    if let Some(found) = world.arm.find(&call.id.key()) {
        if verb != "start" {
            not_stopped(world, found)?;
        } else if state_of(world, found) != "Stopped" {
            return Err(Refusal::conflict(
                "ServerIsNotStopped",
                format!(
                    "The server '{}' is not stopped: its state is '{}'.",
                    call.id.name(),
                    state_of(world, found)
                ),
            ));
        }
    }
    let doing = match verb {
        "start" => "Starting",
        "stop" => "Stopping",
        _ => "Restarting",
    };
    if let Some(found) = world.arm.find_mut(&call.id.key()) {
        put(&mut found.private, "power", json!(doing));
    }
    let operation = operations::begin(world, &call.id, Verb::Update, Ending::After(60.0));
    let reply = Reply { status: 202, headers: Headers::Both, done: 202 };
    Ok(operations::lead(world, call.request, &operation, reply, Response::empty(202)))
}

fn power_ended(world: &mut World, id: &Id) {
    let now = stamp(world.now);
    let Some(found) = world.arm.find_mut(&id.key()) else { return };
    let Some(doing) = take(&mut found.private, "power") else { return };
    let stops = doing == "Stopping";
    put(&mut found.body, "properties.state", json!(if stops { "Stopped" } else { "Ready" }));
    put(&mut found.private, "stoppedAt", if stops { json!(now) } else { Value::Null });
    if !stops {
        configurations::restarted(world, id);
    }
}

/// A standby in another zone is in another zone.
fn check_zones(body: &Value) -> Result<(), Refusal> {
    let (own, standby) = (
        text(body, "properties.availabilityZone"),
        text(body, "properties.highAvailability.standbyAvailabilityZone"),
    );
    for zone in [own, standby] {
        if !["", "1", "2", "3"].contains(&zone) {
            return Err(wrong("availabilityZone", zone));
        }
    }
    let mode = text(body, "properties.highAvailability.mode");
    let same = !standby.is_empty() && own == standby;
    if (mode == "ZoneRedundant" && same) || (mode == "SameZone" && !standby.is_empty() && !same) {
        return Err(wrong("highAvailability.standbyAvailabilityZone", standby));
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
    let number = |body: &Value, path: &str| at(body, path).and_then(Value::as_i64).unwrap_or(0);
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
    let Some(found) = checks::named(world, zone, "Microsoft.Network/privateDnsZones") else {
        return Err(Refusal::bad(
            "PrivateDnsZoneNotFound",
            format!("A server in a subnet needs a private DNS zone; '{zone}' is none."),
        ));
    };
    let server = own.rsplit('/').next().unwrap_or_default();
    let name = found.id.name().to_ascii_lowercase();
    let suffix = ".postgres.database.azure.com";
    let wrong = if !name.ends_with(suffix) {
        format!("It must end with '{suffix}'.")
    } else if name == format!("{server}{suffix}") {
        "It can not be server name plus zone suffix.".to_owned()
    } else {
        return Ok(());
    };
    Err(Refusal::bad(
        "PrivateDnsZoneNameNotValid",
        format!("The Private DNS Zone name provided [{name}] is not valid. {wrong}"),
    ))
}
