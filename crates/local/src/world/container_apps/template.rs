//! What may stand in an app's template and configuration: checked, made tidy, and filled with Azure's defaults.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::environments;
use crate::world::World;
use crate::world::arm::refusal::Refusal;

/// Azure's form for a field that is wrong.
pub(super) fn invalid(field: &str, details: impl std::fmt::Display) -> Refusal {
    Refusal::bad(
        "InvalidParameterValueInContainerTemplate",
        format!(
            "The following field(s) are either invalid or missing. Field '{field}' is invalid with details: '{details}';."
        ),
    )
}

/// Checks and completes `properties.template`.
pub(super) fn template(properties: &mut Value) -> Result<(), Refusal> {
    if !properties["template"].is_object() {
        return Err(invalid(
            "template",
            "Invalid value: null: a container app needs a template with at least one container",
        ));
    }
    let secrets = secret_names(properties);
    let template = &mut properties["template"];
    if template["containers"].as_array().is_none_or(Vec::is_empty) {
        return Err(Refusal::bad(
            "ContainerAppCreateMustContainContainer",
            "A container app must contain at least one container in its template.",
        ));
    }
    let mut names = BTreeSet::new();
    for list in ["containers", "initContainers"] {
        for container in template[list].as_array_mut().into_iter().flatten() {
            check_container(list, container, &secrets)?;
            let name = container["name"].as_str().unwrap_or_default().to_owned();
            if !names.insert(name.clone()) {
                return Err(invalid(
                    &format!("template.{list}"),
                    format_args!("Duplicate value: \"{name}\": container names must be unique"),
                ));
            }
        }
    }
    check_scale(template, &secrets)?;
    if let Some(grace) = template.get("terminationGracePeriodSeconds").filter(|grace| !grace.is_null())
        && grace.as_u64().is_none_or(|grace| grace > 600)
    {
        return Err(invalid(
            "template.terminationGracePeriodSeconds",
            format_args!("Invalid value: {grace}: must be between 0 and 600"),
        ));
    }
    Ok(())
}

/// Refuses a workload profile that the environment does not have, and more than one of its nodes has.
pub(super) fn profile(world: &World, environment: &str, properties: &Value) -> Result<(), Refusal> {
    let containers = &properties["template"]["containers"];
    let Some(name) = properties["workloadProfileName"].as_str().filter(|name| !name.is_empty()) else {
        return check_total(containers);
    };
    let profiles = world.arm.find(environment).map(|found| &found.properties()["workloadProfiles"]);
    let has = profiles
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|profile| profile["name"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(name)));
    if let Some(profile) = has {
        let kind = profile["workloadProfileType"].as_str().unwrap_or_default();
        return match environments::node(kind) {
            Some((cores, gib)) => check_fits(containers, name, cores, gib),
            None => check_total(containers),
        };
    }
    // An environment without profiles has the one that bills by use.
    let none = profiles.and_then(Value::as_array).is_none_or(Vec::is_empty);
    if none && name.eq_ignore_ascii_case("Consumption") {
        return check_total(containers);
    }
    Err(Refusal::bad(
        "WorkloadProfileNotFound",
        format!("The workload profile '{name}' was not found in the managed environment '{environment}'."),
    ))
}

pub(super) fn secret_names(properties: &Value) -> BTreeSet<String> {
    let secrets = properties["configuration"]["secrets"].as_array().into_iter().flatten();
    secrets.filter_map(|secret| secret["name"].as_str()).map(str::to_owned).collect()
}

fn check_container(list: &str, container: &mut Value, secrets: &BTreeSet<String>) -> Result<(), Refusal> {
    let name = container["name"].as_str().unwrap_or_default().to_owned();
    let proper = !name.is_empty()
        && name.len() <= 63
        && name.bytes().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if !proper {
        return Err(invalid(
            &format!("template.{list}.name"),
            format_args!(
                "Invalid value: \"{name}\": a name must consist of lower case alphanumeric characters or '-', and start and end with an alphanumeric character"
            ),
        ));
    }
    if container["image"].as_str().is_none_or(str::is_empty) {
        return Err(invalid(
            &format!("template.{list}.{name}.image"),
            "Invalid value: \"\": could not parse reference",
        ));
    }
    for entry in container["env"].as_array().into_iter().flatten() {
        let variable = entry["name"].as_str().unwrap_or_default();
        if variable.is_empty() || variable.contains(['=', '\0']) {
            return Err(invalid(
                &format!("template.{list}.{name}.env"),
                format_args!("Invalid value: \"{variable}\": a variable needs a name"),
            ));
        }
        if let Some(secret) = entry["secretRef"].as_str().filter(|secret| !secret.is_empty())
            && !secrets.contains(secret)
        {
            return Err(Refusal::bad(
                "ContainerAppSecretRefNotFound",
                format!("SecretRef '{secret}' defined for container '{name}' not found."),
            ));
        }
    }
    let mut kinds = BTreeSet::new();
    for probe in container["probes"].as_array_mut().into_iter().flatten() {
        if list == "initContainers" {
            return Err(invalid(
                &format!("template.initContainers.{name}.probes"),
                "Forbidden: init containers have no probes",
            ));
        }
        check_probe(&name, probe)?;
        if !kinds.insert(probe["type"].as_str().unwrap_or_default().to_owned()) {
            return Err(invalid(
                &format!("template.containers.{name}.probes"),
                format_args!("Duplicate value: {}: a container has one probe of each type", probe["type"]),
            ));
        }
    }
    // What az sends as text, and Azure's defaults: half a core and a gibibyte.
    if let Some(cpu) = container["resources"]["cpu"].as_str().and_then(|cpu| cpu.parse::<f64>().ok()) {
        container["resources"]["cpu"] = json!(cpu);
    }
    if !container["resources"].is_object() {
        container["resources"] = json!({});
    }
    if container["resources"]["cpu"].is_null() {
        container["resources"]["cpu"] = json!(0.5);
    }
    if container["resources"]["memory"].is_null() {
        container["resources"]["memory"] = json!("1Gi");
    }
    // What comes with so many cores, told and never asked for.
    container["resources"]["ephemeralStorage"] = json!(match container["resources"]["cpu"].as_f64() {
        Some(cpu) if cpu <= 0.25 => "1Gi",
        Some(cpu) if cpu <= 0.5 => "2Gi",
        Some(cpu) if cpu <= 1.0 => "4Gi",
        _ => "8Gi",
    });
    Ok(())
}

fn check_probe(container: &str, probe: &mut Value) -> Result<(), Refusal> {
    let field = format!("template.containers.{container}.probes");
    let kind = probe["type"].as_str().unwrap_or_default();
    let Some(kind) =
        ["Liveness", "Readiness", "Startup"].into_iter().find(|known| known.eq_ignore_ascii_case(kind))
    else {
        return Err(invalid(
            &field,
            format_args!(
                "Unsupported value: \"{kind}\": supported values: \"Liveness\", \"Readiness\", \"Startup\""
            ),
        ));
    };
    probe["type"] = json!(kind);
    let ways = ["httpGet", "tcpSocket"].into_iter().filter(|way| probe[*way].is_object()).collect::<Vec<_>>();
    let [way] = ways.as_slice() else {
        return Err(invalid(&field, "Invalid value: a probe needs exactly one of httpGet and tcpSocket"));
    };
    if probe[*way]["port"].as_u64().is_none_or(|port| port == 0 || port > 65_535) {
        return Err(invalid(
            &format!("{field}.{way}.port"),
            format_args!("Invalid value: {}: must be between 1 and 65535, inclusive", probe[*way]["port"]),
        ));
    }
    for (name, least, most) in [
        ("initialDelaySeconds", 0, 60),
        ("periodSeconds", 1, 240),
        ("timeoutSeconds", 1, 240),
        ("successThreshold", 1, 10),
        ("failureThreshold", 1, 240),
    ] {
        let value = &probe[name];
        if !value.is_null() && value.as_u64().is_none_or(|value| value < least || value > most) {
            return Err(invalid(
                &format!("{field}.{name}"),
                format_args!("Invalid value: {value}: must be between {least} and {most}, inclusive"),
            ));
        }
    }
    if kind != "Readiness" && probe["successThreshold"].as_u64().is_some_and(|value| value != 1) {
        return Err(invalid(
            &format!("{field}.successThreshold"),
            "Invalid value: must be 1 for liveness and startup probes",
        ));
    }
    Ok(())
}

/// Mebibytes of `1Gi`, `1.5Gi`, `512Mi`.
pub(super) fn memory_mib(text: &str) -> Option<f64> {
    let number = |suffix: &str| text.strip_suffix(suffix)?.trim().parse::<f64>().ok();
    number("Gi").map(|gib| gib * 1024.0).or_else(|| number("Mi"))
}

/// Cores and mebibytes of all containers together.
fn total(containers: &Value) -> (f64, Option<f64>) {
    let list = containers.as_array().map(Vec::as_slice).unwrap_or_default();
    let memory =
        |container: &Value| memory_mib(container["resources"]["memory"].as_str().unwrap_or_default());
    let cpu = list.iter().filter_map(|container| container["resources"]["cpu"].as_f64()).sum();
    (cpu, list.iter().map(memory).sum())
}

/// On nodes of its own, an app has any share of one.
fn check_fits(containers: &Value, profile: &str, cores: u32, gib: u32) -> Result<(), Refusal> {
    let (cpu, memory) = total(containers);
    let fits = |value: f64, most: u32| value > 0.0 && value <= f64::from(most) + 1e-9;
    if fits(cpu, cores) && memory.is_some_and(|memory| fits(memory / 1024.0, gib)) {
        return Ok(());
    }
    let asked = memory.map_or_else(|| "unreadable".to_owned(), |memory| format!("{}", memory / 1024.0));
    Err(Refusal::bad(
        "ContainerAppInvalidResourceTotal",
        format!(
            "The total requested CPU and memory resources for this application (CPU: {cpu}, memory: {asked}) is invalid. A replica in the workload profile '{profile}' can have at most {cores} cores and {gib}Gi of memory."
        ),
    ))
}

/// Cores and memory of all containers together must be one of the pairs of the Consumption profile.
fn check_total(containers: &Value) -> Result<(), Refusal> {
    let (cpu, memory) = total(containers);
    let quarters = cpu * 4.0;
    let fits = quarters.fract().abs() < 1e-6
        && (1.0..=16.0).contains(&quarters)
        && memory.is_some_and(|memory| (memory - quarters * 512.0).abs() < 1e-3);
    if fits {
        return Ok(());
    }
    let pairs: Vec<String> = (1..=16)
        .map(|quarter| {
            let cpu = f64::from(quarter) * 0.25;
            format!(
                "[cpu: {}, memory: {:.1}Gi]",
                if cpu.fract() == 0.0 { format!("{cpu:.1}") } else { cpu.to_string() },
                cpu * 2.0
            )
        })
        .collect();
    let asked = memory.map_or_else(|| "unreadable".to_owned(), |memory| format!("{}", memory / 1024.0));
    Err(Refusal::bad(
        "ContainerAppInvalidResourceTotal",
        format!(
            "The total requested CPU and memory resources for this application (CPU: {cpu}, memory: {asked}) is invalid. Total CPU and memory for all containers defined in a Container App must add up to one of the following CPU - Memory combinations: {}",
            pairs.join("; ")
        ),
    ))
}

fn check_scale(template: &mut Value, secrets: &BTreeSet<String>) -> Result<(), Refusal> {
    if !template["scale"].is_object() {
        template["scale"] = json!({});
    }
    let scale = &mut template["scale"];
    for (name, least, default) in [("minReplicas", 0, 0), ("maxReplicas", 1, 10)] {
        let value = &scale[name];
        if value.is_null() {
            scale[name] = json!(default);
        } else if value.as_u64().is_none_or(|value| value < least || value > 1000) {
            return Err(invalid(
                &format!("template.scale.{name}"),
                format_args!("Invalid value: {value}: must be between {least} and 1000"),
            ));
        }
    }
    if scale["minReplicas"].as_u64() > scale["maxReplicas"].as_u64() {
        return Err(invalid(
            "template.scale",
            format_args!(
                "Invalid value: minReplicas {} is greater than maxReplicas {}",
                scale["minReplicas"], scale["maxReplicas"]
            ),
        ));
    }
    for (name, least) in [("cooldownPeriod", 0), ("pollingInterval", 1)] {
        let value = &scale[name];
        if !value.is_null() && value.as_u64().is_none_or(|value| value < least) {
            return Err(invalid(
                &format!("template.scale.{name}"),
                format_args!("Invalid value: {value}: must be a whole number of {least} or more"),
            ));
        }
    }
    let mut names = BTreeSet::new();
    for rule in scale["rules"].as_array().into_iter().flatten() {
        let name = rule["name"].as_str().unwrap_or_default();
        if name.is_empty() || !names.insert(name) {
            return Err(invalid(
                "template.scale.rules",
                format_args!("Invalid value: \"{name}\": rules need names of their own"),
            ));
        }
        let kinds = ["http", "tcp", "custom", "azureQueue"]
            .into_iter()
            .filter(|kind| rule[*kind].is_object())
            .count();
        let metadata =
            ["http", "tcp", "custom"].into_iter().find_map(|kind| rule[kind]["metadata"].as_object());
        if let Some((name, value)) = metadata.into_iter().flatten().find(|(_, value)| !value.is_string()) {
            return Err(Refusal::bad(
                "ContainerAppInvalidSchema",
                format!(
                    "Invalid request body for container app: the scale rule's metadata '{name}' is {value}, and must be a string."
                ),
            ));
        }
        if kinds != 1 {
            return Err(invalid(
                &format!("template.scale.rules.{name}"),
                "Invalid value: a rule has exactly one of http, tcp, custom and azureQueue",
            ));
        }
        check_rule(name, rule, secrets)?;
    }
    Ok(())
}

/// What a rule of one kind needs.
fn check_rule(name: &str, rule: &Value, secrets: &BTreeSet<String>) -> Result<(), Refusal> {
    let wrong =
        |field: &str, details: String| Err(invalid(&format!("template.scale.rules.{name}.{field}"), details));
    for (kind, count) in [("http", "concurrentRequests"), ("tcp", "concurrentConnections")] {
        let value = &rule[kind]["metadata"][count];
        let number = value.as_str().and_then(|value| value.trim().parse::<u64>().ok());
        if !value.is_null() && number.is_none_or(|number| number == 0) {
            return wrong(count, format!("Invalid value: {value}: must be a whole number greater than 0"));
        }
    }
    let custom = &rule["custom"];
    if custom.is_object() {
        let kind = custom["type"].as_str().unwrap_or_default();
        if kind.is_empty() {
            return wrong("custom.type", "Required value: the type of a KEDA scaler".into());
        }
        let by_use = ["cpu", "memory"].iter().any(|known| known.eq_ignore_ascii_case(kind));
        let value = &custom["metadata"]["value"];
        if by_use && value.as_str().is_none_or(str::is_empty) {
            return wrong(
                "custom.metadata.value",
                format!("Required value: what a rule of the type {kind} aims at"),
            );
        }
    }
    let all = ["http", "tcp", "custom", "azureQueue"].into_iter();
    let auth = all.filter_map(|kind| rule[kind]["auth"].as_array()).flatten();
    for wanted in auth.filter_map(|entry| entry["secretRef"].as_str()) {
        if !wanted.is_empty() && !secrets.contains(wanted) {
            return Err(Refusal::bad(
                "ContainerAppSecretRefNotFound",
                format!("SecretRef '{wanted}' defined for scale rule '{name}' not found."),
            ));
        }
    }
    Ok(())
}

/// Checks and completes `properties.configuration`, and takes secret values out of it. `kept` are the values from
/// before.
pub(super) fn configuration(
    properties: &mut Value,
    kept: &Value,
    patch: bool,
    identities: &BTreeSet<String>,
    vault_suffix: &str,
) -> Result<Map<String, Value>, Refusal> {
    if !properties["configuration"].is_object() {
        properties["configuration"] = json!({});
    }
    let configuration = &mut properties["configuration"];
    let mode = configuration["activeRevisionsMode"].as_str().unwrap_or("Single");
    let Some(mode) = ["Single", "Multiple"].into_iter().find(|known| known.eq_ignore_ascii_case(mode)) else {
        return Err(Refusal::bad(
            "ContainerAppInvalidActiveRevisionsMode",
            format!(
                "The value '{mode}' for activeRevisionsMode is invalid. Allowed values: Single, Multiple."
            ),
        ));
    };
    configuration["activeRevisionsMode"] = json!(mode);
    if let Some(most) = configuration.get("maxInactiveRevisions").filter(|most| !most.is_null())
        && most.as_u64().is_none_or(|most| most > 100)
    {
        return Err(Refusal::bad(
            "InvalidMaxInactiveRevisions",
            format!("The value {most} for maxInactiveRevisions is invalid: it must be between 0 and 100."),
        ));
    }
    let assigned = |identity: &str, what: &str| -> Result<(), Refusal> {
        if identity.is_empty() || identities.contains(&identity.to_ascii_lowercase()) {
            return Ok(());
        }
        Err(Refusal::bad(
            "ContainerAppIdentityNotAssigned",
            format!(
                "The managed identity '{identity}' that {what} refers to is not assigned to the container app."
            ),
        ))
    };
    let mut values = Map::new();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for secret in configuration["secrets"].as_array_mut().into_iter().flatten() {
        let name = secret["name"].as_str().unwrap_or_default().to_owned();
        let proper = !name.is_empty()
            && name.len() <= 253
            && name.bytes().all(|sign| {
                sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == b'-' || sign == b'.'
            })
            && name.starts_with(|sign: char| sign.is_ascii_alphanumeric())
            && name.ends_with(|sign: char| sign.is_ascii_alphanumeric());
        if !proper || !seen.insert(name.clone()) {
            return Err(Refusal::bad(
                "ContainerAppInvalidSecretName",
                format!(
                    "Secret name has an invalid value '{name}', or one that another secret has. A value must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character. The length must not be more than 253 characters."
                ),
            ));
        }
        let value = secret.as_object_mut().and_then(|secret| secret.shift_remove("value"));
        let url = secret["keyVaultUrl"].as_str().unwrap_or_default();
        let identity = secret["identity"].as_str().unwrap_or_default();
        assigned(identity, &format!("the secret '{name}'"))?;
        if !url.is_empty() {
            if identity.is_empty() {
                wrong.push(name);
                continue;
            }
            let host =
                url.strip_prefix("https://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
            let path: Vec<&str> = url.split('/').skip(3).filter(|part| !part.is_empty()).collect();
            let vault = host.to_ascii_lowercase();
            let ours = vault.ends_with(vault_suffix) || vault.ends_with(".vault.azure.net");
            if !ours || !matches!(path.as_slice(), ["secrets", _] | ["secrets", _, _]) {
                return Err(Refusal::bad(
                    "ContainerAppSecretKeyVaultUrlInvalid",
                    format!(
                        "The keyVaultUrl '{url}' of the secret '{name}' is invalid: it must have the form https://<vault>{vault_suffix}/secrets/<name>[/<version>]."
                    ),
                ));
            }
        } else if let Some(value) = value.as_ref().and_then(Value::as_str) {
            values.insert(name, json!(value));
        } else if let Some(before) = kept.get(&name).filter(|_| patch) {
            values.insert(name, before.clone());
        } else {
            wrong.push(name);
        }
    }
    if !wrong.is_empty() {
        return Err(Refusal::bad(
            "ContainerAppSecretInvalid",
            format!(
                "Invalid Request: Container app secret(s) with name(s) '{}' are invalid: value or keyVaultUrl and identity should be provided.",
                wrong.join(", ")
            ),
        ));
    }
    for registry in configuration["registries"].as_array().into_iter().flatten() {
        let server = registry["server"].as_str().unwrap_or_default();
        let identity = registry["identity"].as_str().unwrap_or_default();
        assigned(identity, &format!("the registry '{server}'"))?;
        if server.is_empty() || server.contains("://") || server.contains('/') {
            return Err(Refusal::bad(
                "ContainerAppInvalidRegistryServerValue",
                format!(
                    "The registry server '{server}' is invalid: it is a host name with or without a port."
                ),
            ));
        }
        let password = registry["passwordSecretRef"].as_str().unwrap_or_default();
        if !password.is_empty() && !seen.contains(password) {
            return Err(Refusal::bad(
                "ContainerAppSecretRefNotFound",
                format!("PasswordSecretRef '{password}' defined for registry server '{server}' not found."),
            ));
        }
    }
    if configuration["ingress"].is_object() {
        let sticky = configuration["ingress"]["stickySessions"]["affinity"].as_str().unwrap_or("none");
        if mode != "Single" && sticky.eq_ignore_ascii_case("sticky") {
            return Err(Refusal::bad(
                "ContainerAppInvalidIngressStickySessionRevisionMode",
                "Ingress sticky sessions are only supported in single revision mode.",
            ));
        }
        super::ingress::check(&mut configuration["ingress"])?;
    }
    Ok(values)
}

/// The template as it decides about a new revision: without the suffix, which only names one.
pub(super) fn without_suffix(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(template) = template.as_object_mut() {
        template.shift_remove("revisionSuffix");
    }
    template
}

/// The suffix a template asks for.
pub(super) fn suffix(template: &Value) -> Option<&str> {
    template["revisionSuffix"].as_str().filter(|suffix| !suffix.is_empty())
}

/// Refuses a suffix that cannot name a revision.
pub(super) fn check_suffix(app: &str, suffix: &str) -> Result<(), Refusal> {
    let proper =
        suffix.bytes().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == b'-')
            && suffix.starts_with(|sign: char| sign.is_ascii_alphanumeric())
            && suffix.ends_with(|sign: char| sign.is_ascii_alphanumeric())
            && !suffix.contains("--");
    let longest = 63 - "--".len();
    if proper && app.len() + suffix.len() <= longest {
        return Ok(());
    }
    Err(Refusal::bad(
        "ContainerAppInvalidRevisionSuffix",
        format!(
            "Invalid revision suffix '{suffix}'. A revision suffix must consist of lower case alphanumeric characters or '-', start and end with an alphanumeric character, cannot have '--', and with the name of the app have at most {longest} characters."
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(container: Value) -> Value {
        json!({"template": {"containers": [container]}, "configuration": {}})
    }

    fn code(mut properties: Value) -> String {
        template(&mut properties).unwrap_err().code
    }

    #[test]
    fn cores_and_memory_come_in_pairs() {
        let with = |cpu: f64, memory: &str| {
            properties(json!({"name": "web", "image": "x", "resources": {"cpu": cpu, "memory": memory}}))
        };
        for (cpu, memory) in [(0.25, "0.5Gi"), (0.5, "1Gi"), (1.75, "3.5Gi"), (4.0, "8Gi"), (0.5, "1024Mi")] {
            check_total(&with(cpu, memory)["template"]["containers"]).unwrap();
        }
        for (cpu, memory) in [(0.3, "0.6Gi"), (0.5, "2Gi"), (4.25, "8.5Gi"), (1.0, "2G")] {
            let refusal = check_total(&with(cpu, memory)["template"]["containers"]).unwrap_err();
            assert_eq!(refusal.code, "ContainerAppInvalidResourceTotal");
        }
        let refusal = check_total(&with(0.3, "1Gi")["template"]["containers"]).unwrap_err();
        assert!(refusal.message.contains("(CPU: 0.3, memory: 1)"), "{}", refusal.message);
        assert!(
            refusal.message.contains("[cpu: 0.25, memory: 0.5Gi]; [cpu: 0.5, memory: 1.0Gi]"),
            "{}",
            refusal.message
        );
        let several = json!([
            {"name": "a", "image": "x", "resources": {"cpu": 0.25, "memory": "0.5Gi"}},
            {"name": "b", "image": "x", "resources": {"cpu": 0.75, "memory": "1.5Gi"}}]);
        check_total(&several).unwrap();
        // A node of one's own is shared at will.
        let odd = with(3.3, "10Gi");
        check_fits(&odd["template"]["containers"], "d4", 4, 16).unwrap();
        assert!(check_fits(&with(4.5, "10Gi")["template"]["containers"], "d4", 4, 16).is_err());
    }

    #[test]
    fn defaults_are_azures() {
        let mut body = properties(json!({"name": "web", "image": "x"}));
        template(&mut body).unwrap();
        assert_eq!(body["template"]["scale"], json!({"minReplicas": 0, "maxReplicas": 10}));
        assert_eq!(
            body["template"]["containers"][0]["resources"],
            json!({"cpu": 0.5, "memory": "1Gi", "ephemeralStorage": "2Gi"})
        );
    }

    #[test]
    fn secrets_must_be_there() {
        let mut body =
            properties(json!({"name": "web", "image": "x", "env": [{"name": "A", "secretRef": "a"}]}));
        assert_eq!(code(body.clone()), "ContainerAppSecretRefNotFound");
        body["configuration"]["secrets"] = json!([{"name": "a", "value": "v"}]);
        template(&mut body).unwrap();
        let values =
            configuration(&mut body, &Value::Null, false, &BTreeSet::new(), ".vault.localhost:1").unwrap();
        assert_eq!(values["a"], "v");
        assert!(!body.to_string().contains("\"v\""));
        // A PUT without the value is refused, a PATCH keeps it.
        let kept = json!({"a": "v"});
        let without = json!({"configuration": {"secrets": [{"name": "a"}]}});
        let again =
            |patch| configuration(&mut without.clone(), &kept, patch, &BTreeSet::new(), ".vault.localhost:1");
        assert_eq!(again(false).unwrap_err().code, "ContainerAppSecretInvalid");
        assert_eq!(again(true).unwrap()["a"], "v");
    }

    #[test]
    fn weights_are_whole_and_sum_to_a_hundred() {
        let with = |traffic: Value| {
            let mut body = json!({"configuration": {"ingress": {"targetPort": 80, "traffic": traffic}}});
            configuration(&mut body, &Value::Null, false, &BTreeSet::new(), ".x").map(|_| body)
        };
        let body =
            with(json!([{"revisionName": "a--1", "weight": 80}, {"latestRevision": true, "weight": "20"}]))
                .unwrap();
        assert_eq!(body["configuration"]["ingress"]["traffic"][1]["weight"], 20);
        for traffic in [
            json!([{"revisionName": "a--1", "weight": 80}]),
            json!([{"revisionName": "a--1", "weight": 100.5}]),
            json!([{"revisionName": "a--1", "weight": 50, "label": "x"}, {"revisionName": "a--2", "weight": 50, "label": "X"}]),
            json!([{"weight": 100}]),
        ] {
            assert!(with(traffic.clone()).is_err(), "{traffic}");
        }
        assert_eq!(
            with(Value::Null).unwrap()["configuration"]["ingress"]["traffic"][0]["latestRevision"],
            true
        );
    }

    #[test]
    fn suffixes_name_revisions() {
        check_suffix("web", "v1-2").unwrap();
        for bad in ["V1", "-a", "a-", "a--b", "a_b", &"a".repeat(60)] {
            assert_eq!(
                check_suffix("web", bad).unwrap_err().code,
                "ContainerAppInvalidRevisionSuffix",
                "{bad}"
            );
        }
    }
}
