//! What may stand in an app's ingress: transport and ports, who may come in, and where traffic goes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::world::arm::refusal::Refusal;

/// Checks and completes `configuration.ingress`.
pub(super) fn check(ingress: &mut Value) -> Result<(), Refusal> {
    let bad = |message: String| Refusal::bad("ContainerAppInvalidIngress", message);
    let target = &ingress["targetPort"];
    if !target.is_null() && target.as_u64().is_none_or(|port| port > 65_535) {
        return Err(bad(format!(
            "The ingress targetPort {target} is invalid: it must be between 1 and 65535."
        )));
    }
    let transport = ingress["transport"].as_str().unwrap_or("Auto");
    let Some(transport) =
        ["Auto", "Http", "Http2", "Tcp"].into_iter().find(|known| known.eq_ignore_ascii_case(transport))
    else {
        return Err(bad(format!(
            "The ingress transport '{transport}' is invalid. Allowed values: auto, http, http2, tcp."
        )));
    };
    ingress["transport"] = json!(transport);
    for (name, default) in [("external", false), ("allowInsecure", false)] {
        match &ingress[name] {
            Value::Null => ingress[name] = json!(default),
            Value::Bool(_) => {}
            other => {
                return Err(bad(format!(
                    "The ingress property '{name}' is {other}: it must be true or false."
                )));
            }
        }
    }
    for (name, known) in [
        ("clientCertificateMode", &["ignore", "accept", "require"][..]),
        ("stickySessions.affinity", &["sticky", "none"][..]),
    ] {
        let given = crate::world::arm::at(ingress, name).and_then(Value::as_str);
        if let Some(given) =
            given.filter(|given| !known.iter().any(|known| known.eq_ignore_ascii_case(given)))
        {
            return Err(bad(format!(
                "The ingress {name} '{given}' is invalid. Allowed values: {}.",
                known.join(", ")
            )));
        }
    }
    let exposed = &ingress["exposedPort"];
    if exposed.as_u64().is_some_and(|port| port > 0) && transport != "Tcp" {
        return Err(bad("The ingress exposedPort can only be set with the transport tcp.".into()));
    }
    if exposed.as_u64().is_some_and(|port| [80, 443].contains(&port) || port > 65_535) {
        return Err(bad(format!(
            "The ingress exposedPort {exposed} is invalid: 80 and 443 are the environment's own."
        )));
    }
    check_more_ports(ingress)?;
    let mut actions = BTreeSet::new();
    for rule in ingress["ipSecurityRestrictions"].as_array().into_iter().flatten() {
        let action = rule["action"].as_str().unwrap_or_default();
        let range = rule["ipAddressRange"].as_str().unwrap_or_default();
        let address = range.split_once('/').map_or(range, |(address, _)| address);
        if rule["name"].as_str().is_none_or(str::is_empty) || !is_range(address, range) {
            return Err(Refusal::bad(
                "ContainerAppInvalidIpSecurityRestriction",
                format!(
                    "The IP security restriction for '{range}' is invalid: it needs a name and an address or CIDR range."
                ),
            ));
        }
        if !["Allow", "Deny"].iter().any(|known| known.eq_ignore_ascii_case(action)) {
            return Err(Refusal::bad(
                "ContainerAppInvalidIpSecurityRestriction",
                format!("The action '{action}' is invalid: it is Allow or Deny."),
            ));
        }
        actions.insert(action.to_ascii_lowercase());
    }
    if actions.len() > 1 {
        return Err(Refusal::bad(
            "ContainerAppIpSecurityRestrictionsMixed",
            "All IP security restrictions of a container app must have the same action: all Allow or all Deny.",
        ));
    }
    check_traffic(ingress)
}

/// Who takes which share: whole numbers that sum to 100, labels that are host names, each given once.
fn check_traffic(ingress: &mut Value) -> Result<(), Refusal> {
    let Some(traffic) = ingress["traffic"].as_array_mut().filter(|traffic| !traffic.is_empty()) else {
        ingress["traffic"] = json!([{"weight": 100, "latestRevision": true}]);
        return Ok(());
    };
    let mut sum = 0;
    let mut labels = BTreeSet::new();
    for entry in traffic {
        // az sends `"weight": "20"` beside `"weight": 80`.
        if let Some(weight) = entry["weight"].as_str().and_then(|weight| weight.parse::<u64>().ok()) {
            entry["weight"] = json!(weight);
        }
        let weight = match &entry["weight"] {
            Value::Null => 0,
            value => value.as_u64().filter(|weight| *weight <= 100).ok_or_else(|| {
                Refusal::bad(
                    "ContainerAppInvalidTrafficWeight",
                    format!(
                        "The traffic weight {value} is invalid: it must be a whole number between 0 and 100."
                    ),
                )
            })?,
        };
        sum += weight;
        let named = entry["revisionName"].as_str().is_some_and(|name| !name.is_empty());
        if named == (entry["latestRevision"].as_bool() == Some(true)) {
            return Err(Refusal::bad(
                "ContainerAppInvalidTraffic",
                "Each traffic entry must have either a revisionName or latestRevision set to true, and not both.",
            ));
        }
        let label = entry["label"].as_str().filter(|label| !label.is_empty());
        if let Some(label) = label.filter(|label| !is_label(label)) {
            return Err(Refusal::bad(
                "ContainerAppInvalidTrafficLabel",
                format!(
                    "The traffic label '{label}' is invalid. A label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, end with an alphanumeric character, cannot have '--', and have at most 64 characters."
                ),
            ));
        }
        if let Some(label) = label
            && !labels.insert(label.to_ascii_lowercase())
        {
            return Err(Refusal::bad(
                "ContainerAppDuplicateTrafficLabel",
                format!("The traffic label '{label}' is used more than once."),
            ));
        }
    }
    if sum != 100 {
        return Err(Refusal::bad(
            "ContainerAppInvalidTrafficWeight",
            format!("The sum of the traffic weights must be 100, and is {sum}."),
        ));
    }
    Ok(())
}

/// Ports beside the main one: at most five, each by a number of its own.
fn check_more_ports(ingress: &Value) -> Result<(), Refusal> {
    let bad = |message: String| Err(Refusal::bad("ContainerAppInvalidIngress", message));
    let more = ingress["additionalPortMappings"].as_array().map(Vec::as_slice).unwrap_or_default();
    if more.len() > 5 {
        return bad("An app has at most 5 additional TCP ports.".into());
    }
    let (mut targets, mut exposed) = (BTreeSet::new(), BTreeSet::new());
    for mapping in more {
        let target = mapping["targetPort"].as_u64().filter(|port| (1..=65_535).contains(port));
        let Some(target) = target else {
            return bad(format!(
                "The targetPort {} of an additional port mapping is invalid: it must be between 1 and 65535.",
                mapping["targetPort"]
            ));
        };
        let place = mapping["exposedPort"].as_u64().filter(|port| *port > 0).unwrap_or(target);
        if place > 65_535 || (mapping["external"] == true && [80, 443].contains(&place)) {
            return bad(format!(
                "The exposedPort {place} of an additional port mapping is invalid: 80 and 443 are the environment's own."
            ));
        }
        if !targets.insert(target) || !exposed.insert(place) {
            return bad(format!("The additional port mapping of the targetPort {target} is there twice."));
        }
        if mapping["external"] == true && ingress["external"] != true {
            return bad("An additional port can be external only when the ingress of the app is.".into());
        }
    }
    Ok(())
}

fn is_range(address: &str, range: &str) -> bool {
    let Ok(address) = address.parse::<std::net::IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    range.split_once('/').is_none_or(|(_, bits)| bits.parse::<u32>().is_ok_and(|bits| bits <= most))
}

fn is_label(label: &str) -> bool {
    label.len() <= 64
        && label.bytes().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == b'-')
        && label.starts_with(|sign: char| sign.is_ascii_lowercase())
        && !label.ends_with('-')
        && !label.contains("--")
}
