//! Server parameters: what each may be, and which of them wait for a restart.

use serde_json::{Value, json};

use super::{ready, server_of, tier_of, wrong};
use crate::world::World;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Change, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, put, resources};
use crate::world::checks::text;

const KIND: &str = "configurations";

/// Name, value at first, type, what is allowed, and when a change takes effect.
const CONFIGURATIONS: &[(&str, &str, &str, &str, When)] = &[
    (
        "azure.extensions",
        "",
        "Set",
        "address_standardizer,azure_ai,azure_storage,citext,hstore,pg_cron,pg_stat_statements,pg_trgm,pgcrypto,\
         postgis,uuid-ossp,vector",
        When::AtOnce,
    ),
    ("autovacuum", "on", "Boolean", "on,off", When::AtOnce),
    ("autovacuum_naptime", "60", "Integer", "1-2147483", When::AtOnce),
    ("checkpoint_timeout", "600", "Integer", "30-86400", When::AtOnce),
    ("connection_throttle.enable", "on", "Boolean", "on,off", When::AtOnce),
    ("data_directory", "/datadrive/pg/data", "String", "", When::Never),
    ("deadlock_timeout", "1000", "Integer", "1-2147483647", When::AtOnce),
    ("idle_in_transaction_session_timeout", "0", "Integer", "0-2147483647", When::AtOnce),
    ("lock_timeout", "0", "Integer", "0-2147483647", When::AtOnce),
    ("log_checkpoints", "on", "Boolean", "on,off", When::AtOnce),
    ("log_connections", "on", "Boolean", "on,off", When::AtOnce),
    ("log_disconnections", "on", "Boolean", "on,off", When::AtOnce),
    ("log_min_duration_statement", "-1", "Integer", "-1-2147483647", When::AtOnce),
    ("log_statement", "none", "Enumeration", "none,ddl,mod,all", When::AtOnce),
    ("logical_decoding_work_mem", "65536", "Integer", "64-2147483647", When::AtOnce),
    ("maintenance_work_mem", "99328", "Integer", "1024-2097151", When::AtOnce),
    ("max_connections", "429", "Integer", "25-5000", When::AtRestart),
    ("max_locks_per_transaction", "64", "Integer", "10-8388608", When::AtRestart),
    ("max_prepared_transactions", "0", "Integer", "0-262143", When::AtRestart),
    ("max_replication_slots", "10", "Integer", "2-262143", When::AtRestart),
    ("max_wal_senders", "10", "Integer", "5-100", When::AtRestart),
    ("max_worker_processes", "8", "Integer", "0-262143", When::AtRestart),
    ("pg_qs.query_capture_mode", "NONE", "Enumeration", "TOP,ALL,NONE", When::AtOnce),
    ("pg_stat_statements.max", "5000", "Integer", "100-2147483647", When::AtRestart),
    ("pg_stat_statements.track", "none", "Enumeration", "top,all,none", When::AtOnce),
    ("pgbouncer.default_pool_size", "50", "Integer", "1-4950", When::AtOnce),
    ("pgbouncer.enabled", "false", "Boolean", "true,false", When::AtOnce),
    ("pgbouncer.max_client_conn", "5000", "Integer", "1-50000", When::AtOnce),
    ("pgbouncer.min_pool_size", "0", "Integer", "0-4950", When::AtOnce),
    ("pgbouncer.pool_mode", "TRANSACTION", "Enumeration", "SESSION,TRANSACTION,STATEMENT", When::AtOnce),
    ("pgbouncer.query_wait_timeout", "120", "Integer", "0-86400", When::AtOnce),
    ("pgbouncer.server_idle_timeout", "600", "Integer", "1-86400", When::AtOnce),
    ("require_secure_transport", "on", "Boolean", "on,off", When::AtOnce),
    ("server_version", "", "String", "", When::Never),
    ("shared_buffers", "262144", "Integer", "16-1073741823", When::AtRestart),
    (
        "shared_preload_libraries",
        "pg_cron,pg_stat_statements",
        "Set",
        "auto_explain,azure_storage,pg_cron,pg_partman_bgw,pg_stat_statements,pgaudit,pglogical,timescaledb",
        When::AtRestart,
    ),
    ("ssl_min_protocol_version", "TLSv1.2", "Enumeration", "TLSv1.2,TLSv1.3", When::AtOnce),
    ("statement_timeout", "0", "Integer", "0-2147483647", When::AtOnce),
    ("timezone", "UTC", "String", "[A-Za-z0-9/+_-]+", When::AtOnce),
    ("wal_level", "replica", "Enumeration", "replica,logical", When::AtRestart),
    ("work_mem", "4096", "Integer", "4096-2097151", When::AtOnce),
];

/// When a change of a parameter takes effect.
#[derive(Clone, Copy, PartialEq)]
enum When {
    AtOnce,
    AtRestart,
    /// It is told and cannot be changed.
    Never,
}

/// A new server's parameters.
pub(super) fn found(world: &mut World, server: &Id, version: &str) {
    for (name, value, kind, allowed, when) in CONFIGURATIONS {
        let value = if *name == "server_version" { version } else { value };
        let body = json!({"properties": {"value": value, "defaultValue": value, "dataType": kind,
            "allowedValues": allowed, "source": "system-default", "isDynamicConfig": *when == When::AtOnce,
            "isReadOnly": *when == When::Never, "isConfigPendingRestart": false,
            "description": format!("The server parameter {name}."), "documentationLink": Value::Null}});
        resources::grow(world, &server.child(KIND, name), body, Value::Null);
    }
}

/// After a restart nothing waits for one.
pub(super) fn restarted(world: &mut World, server: &Id) {
    let keys: Vec<String> = world
        .arm
        .below(server)
        .filter(|(_, child)| child.properties()["isConfigPendingRestart"] == true)
        .map(|(key, _)| key.clone())
        .collect();
    for key in keys {
        if let Some(found) = world.arm.find_mut(&key) {
            put(&mut found.body, "properties.isConfigPendingRestart", json!(false));
        }
    }
}

#[derive(Debug)]
pub(super) struct Configurations;

impl Rules for Configurations {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        ready(world, change)?;
        let Some(current) = &change.current else {
            return Err(Refusal::missing(
                "ConfigurationNotExists",
                format!("The configuration '{}' does not exist for server version.", change.id.name()),
            ));
        };
        if current.properties()["isReadOnly"] == true {
            return Err(Refusal::bad(
                "ReadOnlyConfiguration",
                format!("The configuration '{}' is read-only.", change.id.name()),
            ));
        }
        let burstable = server_of(world, change.id).is_some_and(|server| tier_of(server) == "Burstable");
        if burstable && change.id.name().to_ascii_lowercase().starts_with("pgbouncer.") {
            return Err(Refusal::bad(
                "PgBouncerNotSupported",
                "PgBouncer is not supported for servers of the Burstable tier.",
            ));
        }
        if text(&change.sent, "properties.source").eq_ignore_ascii_case("system-default")
            && change.sent["properties"]["value"].is_null()
        {
            put(&mut change.body, "properties.value", current.properties()["defaultValue"].clone());
        }
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
            "Boolean" => ["on", "off", "true", "false"].contains(&value.to_ascii_lowercase().as_str()),
            "Set" => value.split(',').all(|one| {
                one.trim().is_empty() || known.split(',').any(|it| it.eq_ignore_ascii_case(one.trim()))
            }),
            "Enumeration" => known.split(',').any(|it| it.eq_ignore_ascii_case(&value)),
            _ => true,
        };
        if !fits {
            return Err(wrong(change.id.name(), &value));
        }
        let mut properties = current.properties().clone();
        let waits = properties["isDynamicConfig"] == false && properties["value"] != value.as_str();
        let pending = waits || properties["isConfigPendingRestart"] == true;
        let own = properties["defaultValue"] != value.as_str();
        properties["isConfigPendingRestart"] = json!(pending);
        properties["value"] = json!(value);
        properties["source"] = json!(if own { "user-override" } else { "system-default" });
        change.body["properties"] = properties;
        Ok(())
    }

    fn may_delete(&self, _world: &World, _resource: &Resource) -> Result<(), Refusal> {
        Err(Refusal::new(405, "MethodNotAllowed", "Configurations of a server are changed, not deleted."))
    }
}
