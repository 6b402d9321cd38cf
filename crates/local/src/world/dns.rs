//! Names that the world looks up where Azure asks the public DNS: records of the DNS zones deployed here, and a table
//! that `POST /_local/dns` fills for names whose zone is elsewhere.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::arm::refusal::Refusal;
use super::{Method, Response, World};

const ZONES: &str = "Microsoft.Network/dnsZones";

/// The table.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Dns {
    records: Vec<Record>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// `asuid.www.contoso.com`, lower case.
    pub name: String,
    /// `TXT`, `CNAME`, `A`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Text, name or address.
    pub value: String,
}

fn normal(name: &str) -> String {
    name.trim().trim_end_matches('.').to_ascii_lowercase()
}

/// Values of the records of a type and name.
pub fn look_up(world: &World, kind: &str, name: &str) -> Vec<String> {
    let name = normal(name);
    let own = world.dns.records.iter().filter(|record| record.kind == kind && record.name == name);
    let mut found: Vec<String> = own.map(|record| record.value.clone()).collect();
    for zone in world.arm.of_kind(ZONES) {
        let below = format!(".{}", zone.id.name().to_ascii_lowercase());
        let relative = match name.strip_suffix(&below) {
            Some(relative) => relative,
            None if name == below[1..] => "@",
            None => continue,
        };
        if let Some(set) = world.arm.find(&zone.id.child(kind, relative).key()) {
            found.extend(values(set.properties()));
        }
    }
    found
}

/// What a record set holds, whichever type it is of.
fn values(properties: &Value) -> Vec<String> {
    // Record sets are written with `TXTRecords` and `txtRecords` alike.
    let named = |wanted: &str| {
        let map = properties.as_object();
        map.into_iter().flatten().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
    };
    let mut found = Vec::new();
    for record in named("TXTRecords").and_then(Value::as_array).into_iter().flatten() {
        let parts = record["value"].as_array().into_iter().flatten().filter_map(Value::as_str);
        found.push(parts.collect::<String>());
    }
    for record in named("ARecords").and_then(Value::as_array).into_iter().flatten() {
        found.extend(record["ipv4Address"].as_str().map(str::to_owned));
    }
    found.extend(named("CNAMERecord").and_then(|record| record["cname"].as_str()).map(normal));
    found
}

/// `GET`, `POST`, `DELETE /_local/dns`.
pub(super) fn serve(world: &mut World, method: Method, body: &Value) -> Result<Response, Refusal> {
    let bad = |message: &str| Refusal::bad("InvalidRecord", message);
    match method {
        Method::Get => {}
        Method::Delete => match body["name"].as_str() {
            Some(name) => {
                let (name, kind) = (normal(name), body["type"].as_str().map(str::to_ascii_uppercase));
                world.dns.records.retain(|record| {
                    record.name != name || kind.as_ref().is_some_and(|kind| record.kind != *kind)
                });
            }
            None => world.dns.records.clear(),
        },
        Method::Post => {
            let sent = body.as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
            for record in sent {
                let name = record["name"].as_str().filter(|name| !name.is_empty());
                let kind = record["type"].as_str().map(str::to_ascii_uppercase);
                let kind = kind.filter(|kind| ["TXT", "CNAME", "A"].contains(&kind.as_str()));
                let values: Vec<String> = match &record["value"] {
                    Value::String(value) => vec![value.clone()],
                    Value::Array(values) => {
                        values.iter().filter_map(Value::as_str).map(str::to_owned).collect()
                    }
                    _ => Vec::new(),
                };
                let (Some(name), Some(kind), false) = (name, kind, values.is_empty()) else {
                    return Err(bad(
                        "A record is {\"name\": \"asuid.www.contoso.com\", \"type\": \"TXT\" | \"CNAME\" | \"A\", \"value\": \"…\"}.",
                    ));
                };
                for value in values {
                    let value = if kind == "CNAME" { normal(&value) } else { value };
                    let record = Record { name: normal(name), kind: kind.clone(), value };
                    if !world.dns.records.contains(&record) {
                        world.dns.records.push(record);
                    }
                }
            }
        }
        _ => return Err(Refusal::new(405, "MethodNotAllowed", "GET, POST and DELETE are.")),
    }
    Ok(Response::json(200, &json!({"value": world.dns.records})))
}
