//! What is in a server besides its configurations: databases, firewall rules, administrators, backups on demand, and
//! the endpoints that follow the primary.

use serde_json::{Value, json};

use super::{SERVER, ready, server_of, tier_of, wrong};
use crate::world::World;
use crate::world::arm::kind::{Change, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put, stamp};
use crate::world::checks::{list, one_of, text};

#[derive(Debug)]
pub(super) struct Databases;

impl Rules for Databases {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        ready(world, change)?;
        let name = change.id.name();
        let proper = (1..=63).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-$".contains(c));
        if !proper {
            return Err(wrong("databaseName", name));
        }
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
pub(super) struct Firewall;

impl Rules for Firewall {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        ready(world, change)?;
        if let Some(server) = server_of(world, change.id)
            && !text(&server.body, "properties.network.delegatedSubnetResourceId").is_empty()
        {
            return Err(Refusal::bad(
                "FirewallRuleNotAllowedForPrivateAccess",
                "Firewall rules are not for servers with private access (virtual network integration).",
            ));
        }
        let name = change.id.name();
        if name.len() > 80 || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) {
            return Err(wrong("firewallRuleName", name));
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

#[derive(Debug)]
pub(super) struct Administrators;

impl Rules for Administrators {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        ready(world, change)?;
        if server_of(world, change.id).is_some_and(|it| {
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
        one_of(
            &mut change.body,
            "properties.principalType",
            &["User", "Group", "ServicePrincipal", "Unknown"],
            |value| wrong("principalType", value),
        )?;
        put(&mut change.body, "properties.objectId", json!(change.id.name()));
        default(&mut change.body, "properties.tenantId", json!(world.config.tenant));
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct Backups;

impl Rules for Backups {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        ready(world, change)?;
        let server = server_of(world, change.id);
        if server.is_some_and(|server| tier_of(server) == "Burstable") {
            return Err(Refusal::bad(
                "OnDemandBackupNotSupported",
                "On-demand backups are not supported for servers of the Burstable tier.",
            ));
        }
        if change.current.is_some() {
            return Err(Refusal::conflict(
                "BackupAlreadyExists",
                format!("A backup with the name '{}' exists already.", change.id.name()),
            ));
        }
        change.body["properties"] = json!({
            "backupType": "Customer On-Demand", "completedTime": stamp(world.now), "source": "Customer Initiated"});
        Ok(())
    }

    fn may_delete(&self, _world: &World, resource: &Resource) -> Result<(), Refusal> {
        if text(resource.properties(), "backupType") == "Customer On-Demand" {
            return Ok(());
        }
        Err(Refusal::bad(
            "BackupCannotBeDeleted",
            "An automatic backup goes with its retention, and not before.",
        ))
    }
}

/// `NAME.writer…` leads to the primary, `NAME.reader…` to a replica, whichever servers these are.
#[derive(Debug)]
pub(super) struct Endpoints;

impl Rules for Endpoints {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        ready(world, change)?;
        let Some(server) = server_of(world, change.id) else { return Ok(()) };
        if text(server.properties(), "replicationRole") == "AsyncReplica" {
            return Err(Refusal::bad(
                "VirtualEndpointOnReplica",
                "Virtual endpoints are made on the primary server, not on a replica.",
            ));
        }
        let other = world.arm.below(&server.id).any(|(key, child)| {
            child.kind.eq_ignore_ascii_case(&change.id.kind()) && *key != change.id.key()
        });
        if other {
            return Err(Refusal::conflict(
                "VirtualEndpointAlreadyExists",
                format!("The server '{}' has a virtual endpoint already.", server.id.name()),
            ));
        }
        let body = &mut change.body;
        default(body, "properties.endpointType", json!("ReadWrite"));
        one_of(body, "properties.endpointType", &["ReadWrite"], |value| wrong("endpointType", value))?;
        for member in list(body, "properties.members").iter().filter_map(Value::as_str) {
            let family = world.arm.of_kind(SERVER).any(|other| {
                other.id.name().eq_ignore_ascii_case(member)
                    && (other.id.key() == server.id.key()
                        || text(other.properties(), "sourceServerResourceId")
                            .eq_ignore_ascii_case(&server.id.key()))
            });
            if !family {
                return Err(wrong("members", member));
            }
        }
        let name = change.id.name().to_ascii_lowercase();
        let hosts: Vec<String> = ["writer", "reader"]
            .iter()
            .map(|role| format!("{name}.{role}.postgres.database.azure.com"))
            .collect();
        put(body, "properties.virtualEndpoints", json!(hosts));
        Ok(())
    }
}
