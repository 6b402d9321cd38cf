//! DNS zones with their records.

use landfall_manifest::network::{Record, RecordKind, RecordTarget};

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::resource::Resource;
use crate::services::{Draft, child, public_ip, resource_group, traffic_manager};

const API_VERSION: &str = "2018-05-01";

/// Its address; there is one.
pub fn address() -> Address {
    Address::new("dnsZone", "main")
}

/// The address of a record, by its type and name: `a-api`, `txt-@`.
pub fn record_address(kind: RecordKind, name: &str) -> Address {
    let (word, _) = words(kind);
    Address::new("dnsRecord", &format!("{}-{}", word.to_lowercase(), name.to_lowercase()))
}

fn words(kind: RecordKind) -> (&'static str, &'static str) {
    match kind {
        RecordKind::A => ("A", "Microsoft.Network/dnsZones/A"),
        RecordKind::Cname => ("CNAME", "Microsoft.Network/dnsZones/CNAME"),
        RecordKind::Txt => ("TXT", "Microsoft.Network/dnsZones/TXT"),
    }
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let Some(dns) = draft.app.network.as_ref().and_then(|network| network.dns.as_ref()) else { return };
    let zone = Resource {
        named: None,
        address: address(),
        resource_type: "Microsoft.Network/dnsZones",
        api_version: API_VERSION,
        name: dns.zone.clone(),
        scope: draft.group(),
        location: None,
        body: object([
            ("location", "global".into()),
            ("tags", draft.tags()),
            ("properties", object([("zoneType", "Public".into())])),
        ]),
        within: Some(resource_group::address()),
        after: Vec::new(),
        from: "network.dns".to_owned(),
        // A zone made again has other name servers, which the registrar does not know.
        holds_data: true,
    };
    let records: Vec<Resource> = dns.records.iter().map(|record| self::record(&zone, record)).collect();
    draft.push(zone);
    records.into_iter().for_each(|record| draft.push(record));
}

fn record(zone: &Resource, record: &Record) -> Resource {
    let to = record.to.map(|to| match to {
        RecordTarget::Gateway => public_ip::address("gateway"),
        RecordTarget::Balancer => public_ip::address("balancer"),
        RecordTarget::Traffic => traffic_manager::address(),
    });
    let target = to.map(|to| object([("id", Expression::id(&to).into())]));
    let values = || record.values.iter().map(String::as_str);
    let addresses: Vec<Body> = values().map(|value| object([("ipv4Address", value.into())])).collect();
    // A text goes over the wire in pieces of 255 characters.
    let pieces = |text: &str| {
        let letters: Vec<char> = text.chars().collect();
        letters.chunks(255).map(|piece| piece.iter().collect::<String>().into()).collect::<Vec<Body>>()
    };
    let texts: Vec<Body> = values().map(|value| object([("value", pieces(value).into())])).collect();
    let name = values().next().map(|value| object([("cname", value.trim_end_matches('.').into())]));
    let of = |kind: RecordKind| record.kind == kind && target.is_none();
    let (is_a, is_name, is_text) = (of(RecordKind::A), of(RecordKind::Cname), of(RecordKind::Txt));
    // Azure's bound is that of a 31-bit number.
    let ttl = u32::try_from(record.ttl.seconds).unwrap_or(u32::MAX >> 1).clamp(1, u32::MAX >> 1);
    let properties = object([
        ("TTL", ttl.into()),
        ("targetResource", target.into()),
        ("ARecords", is_a.then_some(addresses).into()),
        ("CNAMERecord", name.filter(|_| is_name).into()),
        ("TXTRecords", is_text.then_some(texts).into()),
    ]);
    Resource {
        from: "network.dns.records".to_owned(),
        ..child(
            zone,
            record_address(record.kind, &record.name),
            words(record.kind).1,
            API_VERSION,
            &record.name,
            properties,
        )
    }
}
