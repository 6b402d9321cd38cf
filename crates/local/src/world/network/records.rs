//! Record sets of public and private zones: one table of record types, with what their records may be.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

use super::row;
use super::zones::{PUBLIC_ZONE, record_sets};
use crate::world::arm::kind::{Call, Change, Kind, Names, Place, Rules, Signs};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::resources::at_once;
use crate::world::arm::{Resource, put, resources, take};
use crate::world::checks::{list, text};
use crate::world::{Response, World};

const fn record(name: &'static str) -> Kind {
    Kind {
        names: Names { signs: Signs::Any, length: (1, 253), ..super::names(1, 253) },
        replies: at_once(201, 200),
        busy: "Conflict",
        computed: &["properties.fqdn", "properties.isAutoRegistered", "etag"],
        ..row(name, Place::Parent, [0.0, 0.0, 0.0], &[], &Records)
    }
}

pub(super) static KINDS: &[Kind] = &[
    record("Microsoft.Network/privateDnsZones/A"),
    record("Microsoft.Network/privateDnsZones/AAAA"),
    record("Microsoft.Network/privateDnsZones/CNAME"),
    record("Microsoft.Network/privateDnsZones/MX"),
    record("Microsoft.Network/privateDnsZones/PTR"),
    record("Microsoft.Network/privateDnsZones/SOA"),
    record("Microsoft.Network/privateDnsZones/SRV"),
    record("Microsoft.Network/privateDnsZones/TXT"),
    record("Microsoft.Network/dnsZones/A"),
    record("Microsoft.Network/dnsZones/AAAA"),
    record("Microsoft.Network/dnsZones/CAA"),
    record("Microsoft.Network/dnsZones/CNAME"),
    record("Microsoft.Network/dnsZones/DS"),
    record("Microsoft.Network/dnsZones/MX"),
    record("Microsoft.Network/dnsZones/NAPTR"),
    record("Microsoft.Network/dnsZones/NS"),
    record("Microsoft.Network/dnsZones/PTR"),
    record("Microsoft.Network/dnsZones/SOA"),
    record("Microsoft.Network/dnsZones/SRV"),
    record("Microsoft.Network/dnsZones/TLSA"),
    record("Microsoft.Network/dnsZones/TXT"),
];

/// Records of one set. (azure/dns/dns-zones-records, azure/azure-resource-manager/management/azure-subscription-service-limits)
const RECORDS_MAX: usize = 20;
/// Signs of one TXT string.
const STRING_MAX: usize = 255;

/// A type of record: its property in a private zone and in a public one, and the judge of one record.
struct Sort {
    kind: &'static str,
    property: &'static str,
    public: &'static str,
    check: fn(&Value) -> Result<(), String>,
}

const SORTS: [Sort; 8] = [
    Sort { kind: "A", property: "aRecords", public: "ARecords", check: ipv4 },
    Sort { kind: "AAAA", property: "aaaaRecords", public: "AAAARecords", check: ipv6 },
    Sort { kind: "CAA", property: "caaRecords", public: "caaRecords", check: caa },
    Sort { kind: "MX", property: "mxRecords", public: "MXRecords", check: mx },
    Sort { kind: "NS", property: "nsRecords", public: "NSRecords", check: ns },
    Sort { kind: "PTR", property: "ptrRecords", public: "PTRRecords", check: ptr },
    Sort { kind: "SRV", property: "srvRecords", public: "SRVRecords", check: srv },
    Sort { kind: "TXT", property: "txtRecords", public: "TXTRecords", check: txt },
];

fn invalid(property: &str, value: impl std::fmt::Display) -> String {
    format!("The value '{value}' for property '{property}' is not valid.")
}

fn ipv4(record: &Value) -> Result<(), String> {
    let address = text(record, "ipv4Address");
    address.parse::<Ipv4Addr>().map(|_| ()).map_err(|_| invalid("ipv4Address", address))
}

fn ipv6(record: &Value) -> Result<(), String> {
    let address = text(record, "ipv6Address");
    address.parse::<Ipv6Addr>().map(|_| ()).map_err(|_| invalid("ipv6Address", address))
}

fn number(record: &Value, property: &str, most: i64) -> Result<(), String> {
    let fits = record[property].as_i64().is_some_and(|number| (0..=most).contains(&number));
    if fits { Ok(()) } else { Err(invalid(property, &record[property])) }
}

fn host(record: &Value, property: &str) -> Result<(), String> {
    let name = text(record, property);
    let fits = !name.is_empty() && name.len() <= 254 && !name.contains(char::is_whitespace);
    if fits { Ok(()) } else { Err(invalid(property, name)) }
}

fn mx(record: &Value) -> Result<(), String> {
    number(record, "preference", 65_535)?;
    host(record, "exchange")
}

fn ns(record: &Value) -> Result<(), String> {
    host(record, "nsdname")
}

fn ptr(record: &Value) -> Result<(), String> {
    host(record, "ptrdname")
}

fn srv(record: &Value) -> Result<(), String> {
    ["priority", "weight", "port"].into_iter().try_for_each(|name| number(record, name, 65_535))?;
    host(record, "target")
}

fn caa(record: &Value) -> Result<(), String> {
    number(record, "flags", 255)?;
    if ["issue", "issuewild", "iodef"].contains(&text(record, "tag")) {
        Ok(())
    } else {
        Err(invalid("tag", text(record, "tag")))
    }
}

fn txt(record: &Value) -> Result<(), String> {
    let parts = list(record, "value");
    let long = parts.iter().find(|part| part.as_str().is_none_or(|text| text.len() > STRING_MAX));
    match long {
        None if !parts.is_empty() => Ok(()),
        None => Err("A TXT record must contain at least one string.".to_owned()),
        Some(_) => {
            Err(format!("Each string of a TXT record must be a text of {STRING_MAX} characters at most."))
        }
    }
}

/// Property names of record sets come in any case, and are shown as the zone's service spells them.
fn spell(properties: &mut Value, wanted: &str) {
    let Some(map) = properties.as_object_mut() else { return };
    let sent = map.keys().find(|key| key.eq_ignore_ascii_case(wanted)).cloned();
    if let Some(sent) = sent.filter(|sent| sent != wanted)
        && let Some(value) = map.shift_remove(&sent)
    {
        map.insert(wanted.to_owned(), value);
    }
}

fn last_word(kind: &str) -> String {
    kind.rsplit('/').next().unwrap_or_default().to_ascii_uppercase()
}

fn is_public(kind: &str) -> bool {
    kind.to_ascii_lowercase().starts_with(&format!("{}/", PUBLIC_ZONE.to_ascii_lowercase()))
}

#[derive(Debug)]
struct Records;

impl Rules for Records {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let bad = |why: String| Err(Refusal::bad("BadRequest", why));
        let kind = last_word(&change.id.kind());
        let public = is_public(&change.id.kind());
        let name = change.id.name().to_owned();
        let properties = &mut change.body["properties"];
        let ttl = if public { "TTL" } else { "ttl" };
        for sort in &SORTS {
            spell(properties, if public { sort.public } else { sort.property });
        }
        for wanted in
            if public { ["TTL", "CNAMERecord", "SOARecord"] } else { ["ttl", "cnameRecord", "soaRecord"] }
        {
            spell(properties, wanted);
        }
        if properties[ttl].is_null() {
            let before = change.current.as_ref().map(|current| current.properties()[ttl].clone());
            properties[ttl] = before.unwrap_or(json!(3600));
        }
        if !properties[ttl].as_i64().is_some_and(|ttl| (1..=2_147_483_647).contains(&ttl)) {
            return bad(format!("The TTL value '{}' of record set '{name}' is invalid.", properties[ttl]));
        }
        if kind == "SOA" && change.current.is_none() {
            return bad(format!(
                "A SOA record set cannot be created: a zone has one at '@', and '{name}' is not it."
            ));
        }
        if kind == "CNAME" {
            if name == "@" {
                return bad("A CNAME record set cannot be created at the zone apex ('@').".to_owned());
            }
            let property = if public { "CNAMERecord" } else { "cnameRecord" };
            if properties[property].is_object() && host(&properties[property], "cname").is_err() {
                return bad(invalid("cname", text(&properties[property], "cname")));
            }
        }
        if let Some(sort) = SORTS.iter().find(|sort| sort.kind == kind) {
            let records = list(properties, if public { sort.public } else { sort.property });
            if records.len() > RECORDS_MAX {
                return bad(format!(
                    "A record set has {RECORDS_MAX} records at most; '{name}' has {}.",
                    records.len()
                ));
            }
            for (position, record) in records.iter().enumerate() {
                if let Err(why) = (sort.check)(record) {
                    return bad(why);
                }
                if records[..position].contains(record) {
                    return bad(format!("The record set '{name}' has the same record more than once."));
                }
            }
        }
        if public && properties["targetResource"].is_null() {
            properties["targetResource"] = json!({});
        }
        let Some(zone) = change.id.parent() else { return Ok(()) };
        let beside = record_sets(world, &zone).find(|other| {
            other.id.name().eq_ignore_ascii_case(&name)
                && other.id.key() != change.id.key()
                && (kind == "CNAME" || last_word(&other.kind) == "CNAME")
        });
        match beside {
            None => Ok(()),
            Some(other) => Err(Refusal::conflict(
                "Conflict",
                format!(
                    "The record could not be created because a {} record with the same name already exists in this \
                     zone.",
                    last_word(&other.kind)
                ),
            )),
        }
    }

    fn may_delete(&self, _world: &World, resource: &Resource) -> Result<(), Refusal> {
        let kind = last_word(&resource.kind);
        if kind == "SOA" || (kind == "NS" && resource.id.name() == "@") {
            return Err(Refusal::bad(
                "BadRequest",
                format!("The record set of type '{kind}' at the zone apex cannot be deleted."),
            ));
        }
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        let zone = resource.id.parent().map(|zone| zone.name().to_owned()).unwrap_or_default();
        let name = resource.id.name();
        let fqdn = if name == "@" { format!("{zone}.") } else { format!("{name}.{zone}.") };
        put(body, "properties.fqdn", json!(fqdn));
        if !is_public(&resource.kind) {
            put(body, "properties.isAutoRegistered", json!(false));
            take(body, "properties.provisioningState");
        }
        take(body, "systemData");
        body["etag"] = json!(resource.etag.trim_matches('"'));
    }
}

/// A list of record sets, by `$top` and `$recordsetnamesuffix`.
pub(super) fn listed<'a>(
    world: &World,
    call: &Call,
    sets: impl Iterator<Item = &'a Resource>,
) -> Result<Response, Refusal> {
    let suffix = call.request.query("$recordsetnamesuffix").unwrap_or_default().to_ascii_lowercase();
    let found: Vec<Value> = sets
        .filter(|set| set.id.name().to_ascii_lowercase().ends_with(&suffix))
        .map(|set| resources::view(world, set))
        .collect();
    crate::world::arm::lists::paged(call.request, found)
}
