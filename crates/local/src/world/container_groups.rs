//! Container Instances (`Microsoft.ContainerInstance/containerGroups`): groups with their addresses and states. Their
//! containers do not run here.

use serde_json::{Value, json};

use super::arm::id::Id;
use super::arm::kind::{Call, Change, Depth, Kind, Names, Place, Rules, Signs, USUAL};
use super::arm::refusal::Refusal;
use super::arm::{Resource, default, put, take};
use super::checks::{list, one_of, text};
use super::{Method, Response, World, chance};

const GROUP: &str = "Microsoft.ContainerInstance/containerGroups";

pub(super) static KINDS: &[Kind] = &[Kind {
    name: GROUP,
    depth: Depth::Modelled,
    names: Names {
        length: (1, 63),
        signs: Signs::ServerLike,
        global: false,
        refusal: (
            "InvalidContainerGroupName",
            "The container group name '{name}' is invalid: lower-case letters, digits and hyphens make it.",
        ),
    },
    place: Place::Regional,
    seconds: [45.0, 30.0, 10.0],
    replies: USUAL,
    busy: "ContainerGroupTransitioning",
    computed: &["properties.ipAddress.ip", "properties.ipAddress.fqdn"],
    spelling: &[],
    rules: &Groups,
}];

fn invalid(code: &str, message: impl Into<String>) -> Refusal {
    Refusal::bad(code, message)
}

/// The group in a region that has a DNS label.
fn labelled<'a>(world: &'a World, label: &str, near: &str) -> Option<&'a Resource> {
    world.arm.of_kind(GROUP).find(|group| {
        group.location() == near
            && text(group.properties(), "ipAddress.dnsNameLabel").eq_ignore_ascii_case(label)
    })
}

#[derive(Debug)]
struct Groups;

impl Rules for Groups {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let near = text(&change.body, "location").to_owned();
        let id = change.id.clone();
        let body = &mut change.body["properties"];
        if text(body, "osType").is_empty() {
            return Err(invalid(
                "MissingOsType",
                format!("The 'osType' for container group '{}' is missing.", id.name()),
            ));
        }
        one_of(body, "osType", &["Linux", "Windows"], |value| {
            invalid(
                "InvalidOsType",
                format!("The 'osType' '{value}' for container group '{}' is invalid.", id.name()),
            )
        })?;
        default(body, "restartPolicy", json!("Always"));
        one_of(body, "restartPolicy", &["Always", "OnFailure", "Never"], |value| {
            invalid("InvalidRestartPolicy", format!("The restart policy '{value}' is invalid."))
        })?;
        default(body, "sku", json!("Standard"));
        if list(body, "containers").is_empty() {
            return Err(invalid(
                "MissingContainers",
                format!("The containers in container group '{}' are missing.", id.name()),
            ));
        }
        for container in list(body, "containers") {
            let name = text(container, "name");
            if text(container, "properties.image").is_empty() {
                return Err(invalid(
                    "MissingImage",
                    format!("The image of container '{name}' in container group '{}' is missing.", id.name()),
                ));
            }
            let asked = &container["properties"]["resources"]["requests"];
            let amount = |key: &str| asked[key].as_f64().filter(|amount| *amount > 0.0);
            if amount("cpu").is_none() || amount("memoryInGB").is_none() {
                return Err(invalid(
                    "InvalidResourceRequests",
                    format!(
                        "The resource requests of container '{name}' in container group '{}' are invalid.",
                        id.name()
                    ),
                ));
            }
        }
        address(world, &id, &near, body)?;
        for container in body["containers"].as_array_mut().into_iter().flatten() {
            for variable in
                container["properties"]["environmentVariables"].as_array_mut().into_iter().flatten()
            {
                default(variable, "name", json!(""));
            }
        }
        default(body, "initContainers", json!([]));
        put(&mut change.private, "state", json!("Running"));
        Ok(())
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let state = match text(&resource.private, "state") {
            "" => "Running",
            state => state,
        };
        let ready = resource.state == "Succeeded";
        let shown = if ready { state } else { "Pending" };
        put(body, "properties.instanceView", json!({"events": [], "state": shown}));
        let started = super::arm::stamp(resource.system.modified_at.min(world.now));
        for container in body["properties"]["containers"].as_array_mut().into_iter().flatten() {
            let current = match shown {
                "Running" => json!({"state": "Running", "startTime": started, "detailStatus": ""}),
                "Stopped" => json!({"state": "Terminated", "exitCode": 0, "detailStatus": "Completed"}),
                _ => json!({"state": "Waiting", "detailStatus": ""}),
            };
            put(
                container,
                "properties.instanceView",
                json!({"restartCount": 0, "currentState": current, "events": []}),
            );
            for variable in
                container["properties"]["environmentVariables"].as_array_mut().into_iter().flatten()
            {
                take(variable, "secureValue");
            }
        }
        for credential in body["properties"]["imageRegistryCredentials"].as_array_mut().into_iter().flatten()
        {
            take(credential, "password");
        }
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let state = match (call.request.method, call.rest.as_slice()) {
            (Method::Post, [verb]) if verb.eq_ignore_ascii_case("start") => "Running",
            (Method::Post, [verb]) if verb.eq_ignore_ascii_case("restart") => "Running",
            (Method::Post, [verb]) if verb.eq_ignore_ascii_case("stop") => "Stopped",
            (Method::Get, ["containers", name, "logs"]) => return Some(logs(world, call, name)),
            _ => return None,
        };
        put(&mut world.arm.find_mut(&call.id.key())?.private, "state", json!(state));
        Some(Ok(Response::empty(204)))
    }
}

/// No container runs, so that none has said anything.
fn logs(world: &World, call: &Call, name: &str) -> Result<Response, Refusal> {
    let known = world.arm.find(&call.id.key()).is_some_and(|group| {
        list(group.properties(), "containers").iter().any(|it| text(it, "name").eq_ignore_ascii_case(name))
    });
    if known {
        return Ok(Response::json(200, &json!({"content": ""})));
    }
    Err(Refusal::missing(
        "ContainerNotFound",
        format!("The container '{name}' in container group '{}' was not found.", call.id.name()),
    ))
}

fn address(world: &World, id: &Id, near: &str, body: &mut Value) -> Result<(), Refusal> {
    if !body["ipAddress"].is_object() {
        return Ok(());
    }
    one_of(body, "ipAddress.type", &["Public", "Private"], |value| {
        invalid("InvalidIPAddressType", format!("The IP address type '{value}' is invalid."))
    })?;
    if list(body, "ipAddress.ports").is_empty() {
        return Err(invalid(
            "MissingIpAddressPorts",
            format!("The ports in the 'ipAddress' of container group '{}' cannot be empty.", id.name()),
        ));
    }
    let exposed = |port: &Value| {
        list(body, "containers")
            .iter()
            .flat_map(|container| list(container, "properties.ports"))
            .any(|own| own["port"] == port["port"])
    };
    if let Some(port) = list(body, "ipAddress.ports").iter().find(|port| !exposed(port)) {
        return Err(invalid(
            "InvalidPortsInIpAddress",
            format!(
                "The port {} in the 'ipAddress' of container group '{}' is exposed by none of its containers.",
                port["port"],
                id.name()
            ),
        ));
    }
    let label = text(body, "ipAddress.dnsNameLabel").to_owned();
    if !label.is_empty() {
        if labelled(world, &label, near).is_some_and(|other| other.id.key() != id.key()) {
            return Err(Refusal::conflict(
                "DnsNameLabelNotAvailable",
                format!("DNS name label '{label}' in container group '{}' not available.", id.name()),
            ));
        }
        put(body, "ipAddress.fqdn", json!(format!("{label}.{near}.azurecontainer.io")));
    }
    let [a, b, ..] = chance::digest(world.config.seed, &format!("address {}", id.key()), 1);
    let ip = if text(body, "ipAddress.type") == "Private" {
        format!("10.0.{}.{}", a % 8, 4 + b % 250)
    } else {
        format!("20.50.{a}.{b}")
    };
    default(body, "ipAddress.ip", json!(ip));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::world::testing::{Lab, rg};

    #[test]
    fn a_group_has_an_address_and_hides_what_is_secure() {
        let mut lab = Lab::new(0.0);
        let path = rg("Microsoft.ContainerInstance/containerGroups/once");
        let body = |label: &str, ports: Value| {
            json!({"location": "westeurope", "properties": {"osType": "Linux",
                "ipAddress": {"type": "Public", "dnsNameLabel": label, "ports": [{"port": 80}]},
                "containers": [{"name": "web", "properties": {"image": "nginx", "ports": ports,
                    "environmentVariables": [{"name": "A", "secureValue": "hidden"}],
                    "resources": {"requests": {"cpu": 1, "memoryInGB": 1.5}}}}]}})
        };
        let open = json!([{"port": 80}]);
        lab.put(&path, body("shop", json!([]))).refused(400, "InvalidPortsInIpAddress");
        let made = lab.put(&path, body("shop", open.clone())).ok(201).json;
        assert_eq!(made["properties"]["ipAddress"]["fqdn"], "shop.westeurope.azurecontainer.io");
        assert!(!made.to_string().contains("hidden"));
        lab.put(&format!("{path}2"), body("shop", open)).refused(409, "DnsNameLabelNotAvailable");
        lab.post(&format!("{path}/stop"), json!({})).ok(204);
        assert_eq!(lab.get(&path).json["properties"]["instanceView"]["state"], "Stopped");
        lab.get(&format!("{path}/containers/other/logs")).refused(404, "ContainerNotFound");
    }
}
