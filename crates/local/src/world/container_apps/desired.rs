//! From resources, revisions, roles and secrets to what should run now.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::workload::{
    App, ClientCertificates, Container, Cors, Desired, Ingress, Mount, Probe, ProbeHow, ProbeKind,
    Restriction, Run, Scale, Target, Unresolved, Volume, VolumeKind, Workload,
};
use super::{
    AppState, Execution, JobState, Revision, RevisionState, apps, domains, environments, revisions, template,
};
use crate::world::arm::Resource;
use crate::world::{Hidden, World, keyvault};

/// How an app shows itself to a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// By a managed identity.
    Identity {
        /// Its object id; `None` when the app has no such identity.
        principal: Option<String>,
        /// As the app names it.
        id: String,
    },
    /// By name and password.
    Password {
        /// Name.
        username: String,
        /// The secret's value; `None` when there is no such secret.
        password: Option<Hidden>,
    },
}

/// Everything that should run now.
pub fn desired(world: &World) -> Desired {
    let apps = world.arm.of_kind("Microsoft.App/containerApps").filter(|app| app.state != "Deleting");
    Desired {
        apps: apps.filter_map(|app| desired_app(world, app, world.apps.apps.get(&app.id.key())?)).collect(),
        runs: world.apps.jobs.iter().flat_map(|(key, state)| runs(world, key, state)).collect(),
        services: services(world),
        ahead: world.ahead.try_into().unwrap_or_default(),
    }
}

/// Services that have a host name of their own, and what follows their name in it.
const SERVICES: [(&str, &str); 3] = [
    ("Microsoft.KeyVault/vaults", "vault.localhost"),
    ("Microsoft.ContainerRegistry/registries", "azurecr.localhost"),
    ("Microsoft.Storage/storageAccounts", "blob.core.localhost"),
];

/// Host names of services, as programs of apps look them up.
fn services(world: &World) -> Vec<String> {
    let of = |(kind, suffix): (&str, &str)| -> Vec<String> {
        let all = world.arm.of_kind(kind);
        all.map(|service| format!("{}.{suffix}", service.id.name().to_ascii_lowercase())).collect()
    };
    SERVICES.into_iter().flat_map(of).collect()
}

/// Executions of a job that should run.
fn runs(world: &World, key: &str, state: &JobState) -> Vec<Run> {
    let running: Vec<&Execution> = state.executions.iter().filter(|execution| execution.runs()).collect();
    let job = world.arm.find(key).filter(|job| job.state != "Deleting" && !running.is_empty());
    let Some(job) = job else { return Vec::new() };
    let Some(domain) = environments::domain(world, environments::environment_of(&job.body)) else {
        return Vec::new();
    };
    let secrets = secrets(world, job);
    let containers = |template: &Value, list: &str| -> Vec<Container> {
        let all = template[list].as_array().into_iter().flatten();
        all.map(|value| Container { probes: Vec::new(), ..container(value, &secrets, None) }).collect()
    };
    running
        .into_iter()
        .map(|execution| Run {
            job: key.to_owned(),
            name: job.id.name().to_owned(),
            execution: execution.name.clone(),
            domain: domain.to_owned(),
            init: containers(&execution.template, "initContainers"),
            containers: containers(&execution.template, "containers"),
            volumes: volumes(world, job, &execution.template, &secrets),
            parallelism: execution.parallelism,
            completions: execution.completions,
            retries: execution.retries,
            timeout: Duration::from_secs(execution.timeout),
        })
        .collect()
}

/// Apps with an ingress that is reachable from outside: name and host name by id in lower case.
pub fn reachable(world: &World) -> BTreeMap<String, (String, String)> {
    let apps = world.arm.of_kind("Microsoft.App/containerApps").filter(|app| app.state != "Deleting");
    apps.filter(|app| app.properties()["configuration"]["ingress"]["external"].as_bool() == Some(true))
        .filter(|app| !environments::internal(world, environments::environment_of(&app.body)))
        .filter_map(|app| {
            let domain = environments::domain(world, environments::environment_of(&app.body))?;
            Some((app.id.key(), (app.id.name().to_owned(), apps::host(app, domain))))
        })
        .collect()
}

/// Default domains of environments.
pub fn environment_domains(world: &World) -> BTreeSet<String> {
    let environments = world.arm.of_kind("Microsoft.App/managedEnvironments");
    environments.map(|found| found.text("/properties/defaultDomain").to_ascii_lowercase()).collect()
}

/// Whether an app has a managed identity of any kind.
pub fn has_identity(world: &World, app: &str) -> bool {
    world.arm.find(app).is_some_and(|app| !matches!(app.text("/identity/type"), "" | "None"))
}

/// How an app shows itself to the registry at `server` (`NAME.azurecr.localhost:PORT`); `None` when it has no entry
/// for it.
pub fn registry_login(world: &World, app: &str, server: &str) -> Option<Login> {
    let app = world.arm.find(app)?;
    let entries = app.properties()["configuration"]["registries"].as_array()?;
    let entry = entries
        .iter()
        .find(|entry| entry["server"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(server)))?;
    if let Some(id) = entry["identity"].as_str().filter(|id| !id.is_empty()) {
        return Some(Login::Identity { principal: principal(world, app, id), id: id.to_owned() });
    }
    let named = entry["passwordSecretRef"].as_str().unwrap_or_default();
    let mut secrets = app.properties()["configuration"]["secrets"].as_array().into_iter().flatten();
    let secret = secrets.find(|secret| secret["name"] == named);
    Some(Login::Password {
        username: entry["username"].as_str().unwrap_or_default().to_owned(),
        password: secret.and_then(|secret| value_of(world, app, secret).ok()),
    })
}

/// The object id of an identity that an app names: `system` or a resource id that is assigned to it.
fn principal(world: &World, app: &Resource, identity: &str) -> Option<String> {
    let own = app.id.to_string();
    let id = if identity.eq_ignore_ascii_case("system") { own.as_str() } else { identity };
    world.entra.by_resource(id).map(|principal| principal.object_id.clone())
}

/// All secrets of an app with their values now. One without a value fails them all, as it fails the revision.
fn secrets(world: &World, app: &Resource) -> Result<BTreeMap<String, Hidden>, Unresolved> {
    let all = app.properties()["configuration"]["secrets"].as_array().into_iter().flatten();
    all.map(|secret| {
        let name = secret["name"].as_str().unwrap_or_default().to_owned();
        Ok((name, value_of(world, app, secret)?))
    })
    .collect()
}

fn value_of(world: &World, app: &Resource, secret: &Value) -> Result<Hidden, Unresolved> {
    let name = secret["name"].as_str().unwrap_or_default();
    let value = match secret["keyVaultUrl"].as_str().filter(|url| !url.is_empty()) {
        Some(url) => from_vault(world, app, name, url, secret["identity"].as_str().unwrap_or_default())?,
        None => app.private["secrets"][name].as_str().unwrap_or_default().to_owned(),
    };
    Ok(Hidden(value))
}

fn from_vault(
    world: &World,
    app: &Resource,
    name: &str,
    url: &str,
    identity: &str,
) -> Result<String, Unresolved> {
    let unresolved = |why: &str, lasting: bool| {
        let refusal = template::invalid(
            "configuration.secrets",
            format_args!(
                "Invalid value: \"{name}\": Unable to get value using Managed identity {identity} for secret {name}. Error: unable to fetch secret '{name}' using Managed identity '{identity}'"
            ),
        );
        Unresolved { code: refusal.code, message: format!("{} {url}: {why}", refusal.message), lasting }
    };
    let Some(principal) = principal(world, app, identity) else {
        return Err(unresolved("the identity does not exist", true));
    };
    keyvault::read_as(world, &principal, url).map_err(|refusal| {
        // A role may still take effect; a secret that is not there, disabled or expired stays so.
        unresolved(&format!("{}: {}", refusal.code, refusal.message), !matches!(refusal.status, 401 | 403))
    })
}

fn desired_app(world: &World, app: &Resource, state: &AppState) -> Option<App> {
    let domain = environments::domain(world, environments::environment_of(&app.body))?;
    let secrets = secrets(world, app);
    let revisions: Vec<Workload> = state
        .revisions
        .iter()
        .filter(|revision| {
            revision.active && !state.stopped && !matches!(revision.state, RevisionState::Failed { .. })
        })
        .map(|revision| workload(world, app, revision, &secrets))
        .collect();
    let configuration = &app.properties()["configuration"];
    Some(App {
        id: app.id.key(),
        name: app.id.name().to_owned(),
        domain: domain.to_owned(),
        single: configuration["activeRevisionsMode"].as_str() != Some("Multiple"),
        ingress: configuration["ingress"].is_object().then(|| ingress(world, app, state, domain)),
        revisions,
    })
}

fn ingress(world: &World, app: &Resource, state: &AppState, domain: &str) -> Ingress {
    let environment = environments::environment_of(&app.body);
    let ingress = &app.properties()["configuration"]["ingress"];
    let external = ingress["external"].as_bool() == Some(true);
    let below = if external { domain.to_owned() } else { format!("internal.{domain}") };
    let mut hosts = BTreeMap::new();
    for revision in state.revisions.iter().filter(|revision| revision.active) {
        hosts.insert(format!("{}.{below}", revision.name), Some(revision.name.clone()));
    }
    for (label, revision) in revisions::labels(app, state) {
        hosts.insert(format!("{}---{label}.{below}", app.id.name()), Some(revision));
    }
    let mut certificates = BTreeMap::new();
    if let Some((suffix, certificate)) = environments::own_suffix(world, environment) {
        let host = format!("{}.{suffix}", app.id.name());
        hosts.insert(host.clone(), None);
        certificates.insert(host, certificate);
    }
    for domain in ingress["customDomains"].as_array().into_iter().flatten() {
        if let Some(name) = domain["name"].as_str() {
            hosts.insert(name.to_ascii_lowercase(), None);
            certificates.insert(name.to_ascii_lowercase(), domains::shown(world, domain));
        }
    }
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    Ingress {
        fqdn: apps::host(app, domain),
        external: external && !environments::internal(world, environment),
        target_port: ingress["targetPort"]
            .as_u64()
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port > 0),
        http2: ingress["transport"].as_str() == Some("Http2"),
        auto: ingress["transport"].as_str() == Some("Auto"),
        client_certificates: match ingress["clientCertificateMode"].as_str() {
            Some(mode) if mode.eq_ignore_ascii_case("require") => ClientCertificates::Require,
            Some(mode) if mode.eq_ignore_ascii_case("accept") => ClientCertificates::Accept,
            _ => ClientCertificates::Ignore,
        },
        certificates,
        allow_insecure: ingress["allowInsecure"].as_bool() == Some(true),
        sticky: ingress["stickySessions"]["affinity"]
            .as_str()
            .is_some_and(|affinity| affinity.eq_ignore_ascii_case("sticky")),
        traffic: revisions::traffic(app, state),
        hosts,
        tcp: tcp(ingress),
        restrictions: ingress["ipSecurityRestrictions"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|rule| Restriction {
                range: rule["ipAddressRange"].as_str().unwrap_or_default().to_owned(),
                allow: rule["action"].as_str().is_some_and(|action| action.eq_ignore_ascii_case("allow")),
            })
            .collect(),
        cors: ingress["corsPolicy"].is_object().then(|| {
            let policy = &ingress["corsPolicy"];
            Cors {
                origins: strings(&policy["allowedOrigins"]),
                methods: strings(&policy["allowedMethods"]),
                headers: strings(&policy["allowedHeaders"]),
                expose: strings(&policy["exposeHeaders"]),
                max_age: policy["maxAge"].as_u64(),
                credentials: policy["allowCredentials"].as_bool() == Some(true),
            }
        }),
    }
}

/// Ports that an app has in its environment for TCP.
fn tcp(ingress: &Value) -> Vec<(u16, Option<u16>)> {
    let port =
        |value: &Value| value.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    let main = (ingress["transport"] == "Tcp")
        .then(|| port(&ingress["exposedPort"]).or_else(|| port(&ingress["targetPort"])))
        .flatten();
    let more = ingress["additionalPortMappings"].as_array().into_iter().flatten().filter_map(|mapping| {
        let target = port(&mapping["targetPort"])?;
        Some((port(&mapping["exposedPort"]).unwrap_or(target), Some(target)))
    });
    main.map(|port| (port, None)).into_iter().chain(more).collect()
}

fn workload(
    world: &World,
    app: &Resource,
    revision: &Revision,
    secrets: &Result<BTreeMap<String, Hidden>, Unresolved>,
) -> Workload {
    let template = &revision.template;
    let ingress = &app.properties()["configuration"]["ingress"];
    let containers = |list: &str, main: bool| -> Vec<Container> {
        template[list]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(place, value)| {
                container(
                    value,
                    secrets,
                    (main && place == 0).then_some(ingress).filter(|ingress| ingress.is_object()),
                )
            })
            .collect()
    };
    Workload {
        revision: revision.name.clone(),
        epoch: revision.epoch,
        proven: revision.proven && revision.state == RevisionState::Provisioned,
        init: containers("initContainers", false),
        containers: containers("containers", true),
        volumes: volumes(world, app, template, secrets),
        scale: scale(world, template, ingress.is_object()),
        grace: Duration::from_secs(template["terminationGracePeriodSeconds"].as_u64().unwrap_or(30)),
    }
}

fn container(
    value: &Value,
    secrets: &Result<BTreeMap<String, Hidden>, Unresolved>,
    ingress: Option<&Value>,
) -> Container {
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let env = secrets.as_ref().map_err(Clone::clone).map(|secrets| {
        let entries = value["env"].as_array().into_iter().flatten();
        entries
            .map(|entry| {
                let name = entry["name"].as_str().unwrap_or_default().to_owned();
                let value = match entry["secretRef"].as_str().filter(|secret| !secret.is_empty()) {
                    Some(secret) => secrets.get(secret).map(|value| value.0.clone()).unwrap_or_default(),
                    None => entry["value"].as_str().unwrap_or_default().to_owned(),
                };
                (name, value)
            })
            .collect()
    });
    let mut probes: Vec<Probe> = value["probes"].as_array().into_iter().flatten().filter_map(probe).collect();
    if let Some(ingress) = ingress.filter(|_| probes.is_empty()) {
        probes = default_probes(
            ingress["targetPort"].as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0),
        );
    }
    Container {
        name: value["name"].as_str().unwrap_or_default().to_owned(),
        image: value["image"].as_str().unwrap_or_default().to_owned(),
        command: strings(&value["command"]),
        args: strings(&value["args"]),
        env,
        probes,
        cpu_millicores: (value["resources"]["cpu"].as_f64().unwrap_or(0.5) * 1000.0).round() as u32,
        memory_mib: template::memory_mib(value["resources"]["memory"].as_str().unwrap_or("1Gi"))
            .unwrap_or(1024.0) as u64,
        mounts: value["volumeMounts"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|mount| {
                let text = |name: &str| mount[name].as_str().unwrap_or_default().to_owned();
                Mount { volume: text("volumeName"), path: text("mountPath"), sub_path: text("subPath") }
            })
            .collect(),
    }
}

/// Volumes of a template. What has no value yet fails its revision by its containers.
fn volumes(
    world: &World,
    app: &Resource,
    template: &Value,
    secrets: &Result<BTreeMap<String, Hidden>, Unresolved>,
) -> Vec<Volume> {
    let environment = environments::environment_of(&app.body);
    let none = BTreeMap::new();
    let secrets = secrets.as_ref().unwrap_or(&none);
    let kind = |volume: &Value| match volume["storageType"].as_str().unwrap_or("EmptyDir") {
        kind if kind.eq_ignore_ascii_case("secret") => {
            let chosen = volume["secrets"].as_array().filter(|chosen| !chosen.is_empty());
            VolumeKind::Secret(match chosen {
                // All of them, each by its name.
                None => secrets.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
                Some(chosen) => chosen
                    .iter()
                    .filter_map(|item| {
                        let name = item["secretRef"].as_str()?;
                        let path = item["path"].as_str().filter(|path| !path.is_empty()).unwrap_or(name);
                        Some((path.to_owned(), secrets.get(name)?.clone()))
                    })
                    .collect(),
            })
        }
        kind if kind.eq_ignore_ascii_case("emptydir") => VolumeKind::Empty,
        _ => {
            let storage = volume["storageName"].as_str().unwrap_or_default();
            let key = format!("{environment}/storages/{storage}").to_ascii_lowercase();
            let found = world.arm.find(&key);
            let mode =
                |kind: &str| found.is_some_and(|found| found.properties()[kind]["accessMode"] == "ReadOnly");
            VolumeKind::Share { read_only: mode("azureFile") || mode("nfsAzureFile"), key }
        }
    };
    let all = template["volumes"].as_array().into_iter().flatten();
    all.map(|volume| Volume {
        name: volume["name"].as_str().unwrap_or_default().to_owned(),
        kind: kind(volume),
    })
    .collect()
}

fn probe(value: &Value) -> Option<Probe> {
    let kind = match value["type"].as_str()? {
        "Startup" => ProbeKind::Startup,
        "Readiness" => ProbeKind::Readiness,
        "Liveness" => ProbeKind::Liveness,
        _ => return None,
    };
    let number = |name: &str, default: u64| value[name].as_u64().unwrap_or(default);
    let http = &value["httpGet"];
    let how = if http.is_object() {
        let headers = http["httpHeaders"].as_array().into_iter().flatten();
        ProbeHow::Http {
            path: http["path"].as_str().filter(|path| !path.is_empty()).unwrap_or("/").to_owned(),
            headers: headers
                .filter_map(|header| {
                    Some((header["name"].as_str()?.to_owned(), header["value"].as_str()?.to_owned()))
                })
                .collect(),
        }
    } else {
        ProbeHow::Tcp
    };
    let port = if http.is_object() { &http["port"] } else { &value["tcpSocket"]["port"] };
    Some(Probe {
        kind,
        how,
        port: port.as_u64().and_then(|port| u16::try_from(port).ok()),
        initial_delay: Duration::from_secs(number("initialDelaySeconds", 0)),
        period: Duration::from_secs(number("periodSeconds", 10)),
        timeout: Duration::from_secs(number("timeoutSeconds", 1)),
        failures: u32::try_from(number("failureThreshold", 3)).unwrap_or(3),
        successes: u32::try_from(number("successThreshold", 1)).unwrap_or(1),
        default: false,
    })
}

/// What Azure adds to an app with ingress and without probes of its own (learn: container-apps/health-probes).
fn default_probes(port: Option<u16>) -> Vec<Probe> {
    let tcp = |kind, initial: u64, period: u64, timeout: u64, failures| Probe {
        kind,
        how: ProbeHow::Tcp,
        port,
        initial_delay: Duration::from_secs(initial),
        period: Duration::from_secs(period),
        timeout: Duration::from_secs(timeout),
        failures,
        successes: 1,
        default: true,
    };
    vec![
        tcp(ProbeKind::Startup, 1, 1, 3, 240),
        tcp(ProbeKind::Readiness, 3, 5, 5, 48),
        tcp(ProbeKind::Liveness, 0, 10, 5, 3),
    ]
}

fn scale(world: &World, template: &Value, ingress: bool) -> Scale {
    let scale = &template["scale"];
    let number = |name: &str, default: u32| {
        scale[name].as_u64().and_then(|value| u32::try_from(value).ok()).unwrap_or(default)
    };
    let rules = scale["rules"].as_array().map(Vec::as_slice).unwrap_or_default();
    let metadata = |rule: &Value, name: &str| -> Option<u32> {
        let text = &rule["metadata"][name];
        text.as_str()
            .and_then(|text| text.parse().ok())
            .or_else(|| text.as_u64().and_then(|value| u32::try_from(value).ok()))
    };
    let named = |rule: &Value| rule["custom"]["type"].as_str().unwrap_or_default().to_ascii_lowercase();
    let by_load = rules.iter().find_map(|rule| match (&rule["http"], &rule["tcp"]) {
        (http, _) if http.is_object() => Some(metadata(http, "concurrentRequests").unwrap_or(10)),
        (_, tcp) if tcp.is_object() => Some(metadata(tcp, "concurrentConnections").unwrap_or(10)),
        _ => None,
    });
    // Without rules, an app with ingress has one for HTTP.
    let concurrency = by_load.or_else(|| (rules.is_empty() && ingress).then_some(10));
    let target = |kind: &str| {
        let rule = rules.iter().find(|rule| named(rule) == kind)?;
        let metadata = &rule["custom"]["metadata"];
        let (value, way) = (metadata["value"].as_str()?, metadata["type"].as_str().unwrap_or("Utilization"));
        if way.eq_ignore_ascii_case("AverageValue") {
            return match kind {
                "memory" => template::memory_mib(value).map(Target::Average),
                _ => match value.strip_suffix('m') {
                    Some(thousandths) => {
                        thousandths.parse::<f64>().ok().map(|it| Target::Average(it / 1000.0))
                    }
                    None => value.parse().ok().map(Target::Average),
                },
            };
        }
        value.parse().ok().filter(|value| *value > 0.0).map(Target::Utilization)
    };
    let unmodelled = rules
        .iter()
        .filter(|rule| !rule["http"].is_object() && !rule["tcp"].is_object())
        .map(|rule| if rule["azureQueue"].is_object() { "azure-queue".to_owned() } else { named(rule) })
        .filter(|kind| kind != "cpu" && kind != "memory")
        .collect();
    let cooldown = scale["cooldownPeriod"].as_u64().unwrap_or(300) as f64;
    // Never so short that a person who looks at it twice wakes it twice.
    let cooldown = (cooldown * world.config.speed).clamp(cooldown.min(5.0), cooldown);
    // Processors and memory tell nothing of a revision without replicas.
    let by_use = |rule: &Value| matches!(named(rule).as_str(), "cpu" | "memory");
    let least = u32::from(!rules.is_empty() && rules.iter().all(by_use));
    Scale {
        min: number("minReplicas", 0).max(least),
        max: number("maxReplicas", 10).max(1),
        concurrency,
        cpu: target("cpu"),
        memory: target("memory"),
        cooldown: Duration::from_secs_f64(cooldown),
        unmodelled,
    }
}
