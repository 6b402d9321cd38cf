//! Azure Container Apps: containers that scale to zero and have revisions, and the environment they share.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ENVIRONMENT, Kind};
use crate::codes;
use crate::fields::{Default, EVERY, Field, Type};
use crate::rules::{self, Rule};
use crate::sense::{Found, Sense, names};
use crate::suggest;
use crate::tree::{Node, Table};

/// What only a service on Container Apps has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ContainerApps {
    /// Whether one revision runs or several may.
    pub revisions: Revisions,
    /// The workload profile its replicas run on.
    pub profile: String,
    /// Its Dapr sidecar, when it has one.
    pub dapr: Option<Dapr>,
}

impl std::default::Default for ContainerApps {
    fn default() -> ContainerApps {
        ContainerApps { revisions: Revisions::Single, profile: CONSUMPTION.to_owned(), dapr: None }
    }
}

/// How many revisions of a service may be active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Revisions {
    /// One, which has all of the traffic.
    Single,
    /// Several, which share it.
    Multiple,
}

/// A Dapr sidecar.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Dapr {
    /// The name other services call it by; the service's own where none is given.
    pub id: Option<String>,
    /// The port the sidecar reaches the service on; the service's own where none is given.
    pub port: Option<u16>,
    /// What is spoken on that port.
    pub protocol: DaprProtocol,
    /// The resource that keeps its state.
    pub state: Option<String>,
}

/// What a Dapr sidecar and its service speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DaprProtocol {
    /// HTTP.
    Http,
    /// gRPC.
    Grpc,
}

impl DaprProtocol {
    /// Azure's word.
    pub fn azure(self) -> &'static str {
        match self {
            DaprProtocol::Http => "http",
            DaprProtocol::Grpc => "grpc",
        }
    }
}

/// `[container-apps]`: the environment that services and jobs on Container Apps share.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ContainerAppsEnvironment {
    /// Whether services talk to each other under certificates that both show.
    pub mtls: bool,
    /// Whether replicas are spread over zones.
    pub zone_redundant: bool,
    /// Machines of its own, besides those billed by use.
    #[serde(default)]
    pub profiles: BTreeMap<String, Profile>,
}

/// A workload profile: machines that belong to the environment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Profile {
    /// Azure's name of the size.
    pub size: String,
    /// Machines that always run.
    pub min: u32,
    /// Machines never exceeded.
    pub max: u32,
}

/// The profile that is billed by use, and always there.
pub const CONSUMPTION: &str = "Consumption";

/// The sizes of workload profiles, each with its vCPUs and gibibytes of memory.
pub(crate) const SIZES: &[(&str, &str)] = &[
    ("D4", "4 vCPU, 16 GiB"),
    ("D8", "8 vCPU, 32 GiB"),
    ("D16", "16 vCPU, 64 GiB"),
    ("D32", "32 vCPU, 128 GiB"),
    ("E4", "4 vCPU, 32 GiB"),
    ("E8", "8 vCPU, 64 GiB"),
    ("E16", "16 vCPU, 128 GiB"),
    ("E32", "32 vCPU, 256 GiB"),
];

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "container-apps",
    doc: "Azure Container Apps: containers that scale to zero and have revisions",
    runs: true,
    fields: FIELDS,
    check,
};

/// A Dapr application's id.
static DAPR_ID: Rule = Rule {
    pattern: Some("^[a-z](-?[a-z0-9])*$"),
    length: 1..60,
    check: |text| rules::name("a Dapr id", text, 1, 60),
};

/// A profile's name.
static PROFILE: Rule = Rule {
    pattern: Some("^[A-Za-z][A-Za-z0-9-]*$"),
    length: 1..15,
    check: |text| {
        let well_formed = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !text.ends_with('-')
            && text.len() <= 15;
        match well_formed && !text.eq_ignore_ascii_case(CONSUMPTION) {
            true => Ok(()),
            false => rules::fault(
                codes::NAME,
                "a workload profile's name is at most 15 letters, digits and hyphens, and not `Consumption`",
                "such as `dedicated`",
            ),
        }
    },
};

const HERE: &[&str] = &["container-apps"];

const FIELDS: &[Field] = &[
    Field {
        path: "service.*.revisions",
        of: HERE,
        kind: Type::Choice(&[
            ("single", "the newest has all of the traffic; the one before stays until it is ready"),
            ("multiple", "several are active and share the traffic by weight"),
        ]),
        doc: "Whether one revision is active or several may be.",
        default: Default::Same("\"single\"", "a new revision takes over by itself once it is ready"),
        azure: &["properties.configuration.activeRevisionsMode"],
        example: "\"single\"",
    },
    Field {
        path: "service.*.profile",
        of: ENVIRONMENT,
        kind: Type::Text(&rules::ANY),
        doc: "The workload profile it runs on: `Consumption`, or one of `[container-apps.profiles]`.",
        default: Default::Same("\"Consumption\"", "billed by use, and nothing while nothing runs"),
        azure: &["properties.workloadProfileName"],
        example: "\"Consumption\"",
    },
    Field {
        path: "service.*.dapr",
        of: HERE,
        kind: Type::Table,
        doc: "A Dapr sidecar beside every replica.",
        default: Default::Absent("no sidecar"),
        azure: &["properties.configuration.dapr"],
        example: "{ state = \"cache\" }",
    },
    Field {
        path: "service.*.dapr.id",
        of: HERE,
        kind: Type::Text(&DAPR_ID),
        doc: "The name that other services call it by.",
        default: Default::Absent("the service's own name"),
        azure: &["properties.configuration.dapr.appId"],
        example: "\"api\"",
    },
    Field {
        path: "service.*.dapr.port",
        of: HERE,
        kind: Type::Integer { min: 1, max: 65535 },
        doc: "The port on which the sidecar reaches the service.",
        default: Default::Absent("the service's own `port`"),
        azure: &["properties.configuration.dapr.appPort"],
        example: "8000",
    },
    Field {
        path: "service.*.dapr.protocol",
        of: HERE,
        kind: Type::Choice(&[("http", "HTTP"), ("grpc", "gRPC")]),
        doc: "What the sidecar and the service speak.",
        default: Default::Same("\"http\"", "what a web framework speaks"),
        azure: &["properties.configuration.dapr.appProtocol"],
        example: "\"http\"",
    },
    Field {
        path: "service.*.dapr.state",
        of: HERE,
        kind: Type::Text(&rules::ANY),
        doc: "The resource of type `redis` that keeps its state, which the service also `uses`. The name of the store \
              for Dapr's API is in the variable `DAPR_STATE_STORE`.",
        default: Default::Absent("Dapr keeps no state for it"),
        azure: &["Microsoft.App/managedEnvironments/daprComponents"],
        example: "\"cache\"",
    },
    Field {
        path: "container-apps",
        of: EVERY,
        kind: Type::Table,
        doc: "The environment that services and jobs on Container Apps share.",
        default: Default::Absent("there is none without a service on it, and all its defaults with one"),
        azure: &["Microsoft.App/managedEnvironments"],
        example: "{ mtls = true }",
    },
    Field {
        path: "container-apps.mtls",
        of: EVERY,
        kind: Type::Boolean,
        doc: "Whether services of the environment talk to each other under TLS, both sides showing a certificate. Azure \
              makes and renews the certificates.",
        default: Default::Tiers(
            ["false", "false", "true"],
            "production trusts nothing on the wire; it costs latency",
        ),
        azure: &["properties.peerAuthentication.mtls.enabled"],
        example: "true",
    },
    Field {
        path: "container-apps.zone_redundant",
        of: EVERY,
        kind: Type::Boolean,
        doc: "Whether replicas are spread over the region's zones. It takes a `[network]`, is settled when the \
              environment is made, and shows its worth from two replicas on.",
        default: Default::Same("false", "it takes a network of one's own"),
        azure: &["properties.zoneRedundant"],
        example: "true",
    },
    Field {
        path: "container-apps.profiles",
        of: EVERY,
        kind: Type::Named(&PROFILE),
        doc: "Machines of the environment's own, each kind under a name, for services whose `profile` names it.",
        default: Default::Absent("only what is billed by use"),
        azure: &["properties.workloadProfiles"],
        example: "",
    },
    Field {
        path: "container-apps.profiles.*",
        of: EVERY,
        kind: Type::Table,
        doc: "A workload profile.",
        default: Default::Absent("no such profile"),
        azure: &["properties.workloadProfiles[]"],
        example: "",
    },
    Field {
        path: "container-apps.profiles.*.size",
        of: EVERY,
        kind: Type::Choice(SIZES),
        doc: "The size of its machines.",
        default: Default::Same("\"D4\"", "the smallest"),
        azure: &["properties.workloadProfiles[].workloadProfileType"],
        example: "\"D4\"",
    },
    Field {
        path: "container-apps.profiles.*.min",
        of: EVERY,
        kind: Type::Integer { min: 0, max: 100 },
        doc: "Machines that always run.",
        default: Default::Tiers(["1", "1", "2"], "production survives the loss of a machine"),
        azure: &["properties.workloadProfiles[].minimumCount"],
        example: "1",
    },
    Field {
        path: "container-apps.profiles.*.max",
        of: EVERY,
        kind: Type::Integer { min: 1, max: 100 },
        doc: "Machines never exceeded.",
        default: Default::Tiers(["1", "2", "4"], "room for a burst, with an end to its cost"),
        azure: &["properties.workloadProfiles[].maximumCount"],
        example: "3",
    },
];

fn check(sense: &mut Sense<'_>, name: &str, _: &Node, service: &Table) {
    size(sense, service);
    profile(sense, service);
    dapr(sense, name, service);
}

/// What the consumption profile pairs; machines of one's own are shared out as anyone likes.
pub(super) fn size(sense: &mut Sense<'_>, service: &Table) {
    let by_use = service.get("profile").and_then(Node::text).is_none_or(|profile| profile == CONSUMPTION);
    if by_use {
        sense.offered_size(service);
    }
}

/// A profile that the environment has.
pub(super) fn profile(sense: &mut Sense<'_>, service: &Table) {
    let Some(node) = service.get("profile") else { return };
    let Some(profile) = node.text().filter(|profile| *profile != CONSUMPTION) else { return };
    let environment = sense.root.get("container-apps").and_then(Node::table);
    let known: Vec<&str> = environment.map(|table| names(table, "profiles").collect()).unwrap_or_default();
    if known.contains(&profile) || sense.lost {
        return;
    }
    let help = suggest::or_all(profile, known.iter().copied().chain([CONSUMPTION]));
    let message = format!("the environment has no workload profile `{}`", rules::short(profile));
    let diagnostic = sense.problem(codes::PLACE, &node.span, message).maybe_help(help);
    sense.report(diagnostic);
}

fn dapr(sense: &mut Sense<'_>, name: &str, service: &Table) {
    let Some(node) = service.get("dapr") else { return };
    let Some(dapr) = node.table() else { return };
    let Some(state) = dapr.get("state") else { return };
    let Some(resource) = state.text() else { return };
    match sense.find_resource(resource) {
        Found::Nothing => sense.dangling_resource(codes::DANGLING, &state.span, resource),
        Found::Broken => {}
        Found::Kind(kind) if kind.name != "redis" => {
            let message = format!("a {} keeps no state for Dapr", kind.name);
            let help = "name a resource of type `redis`";
            let diagnostic = sense.problem(codes::DAPR, &state.span, message).help(help);
            sense.report(diagnostic);
        }
        Found::Kind(_) => {
            let uses = service.get("uses").and_then(Node::table);
            if uses.is_none_or(|uses| !uses.contains_key(resource)) && !sense.lost {
                let message = format!("`{name}` keeps its state in `{resource}` without using it");
                let help = format!("give it access: `uses = {{ {resource} = \"write\" }}`");
                let diagnostic = sense.problem(codes::DAPR, &state.span, message).help(help);
                sense.report(diagnostic);
            }
        }
    }
}

/// What `[container-apps]` says about itself.
pub(crate) fn check_environment(sense: &mut Sense<'_>) {
    let Some(environment) = sense.root.get("container-apps").and_then(Node::table) else { return };
    let profiles = environment.get("profiles").and_then(Node::table);
    for profile in profiles.into_iter().flatten().filter_map(|(_, node)| node.table()) {
        sense.bounds(profile, "machines");
    }
    let zones = environment.get("zone_redundant").filter(|node| node.boolean() == Some(true));
    if let Some(node) = zones.filter(|_| !sense.root.contains_key("network") && !sense.lost) {
        let diagnostic = sense
            .problem(codes::NEEDS_NETWORK, &node.span, "spreading over zones takes a network of one's own")
            .help("declare a `[network]`; the environment gets a subnet of it");
        sense.report(diagnostic);
    }
}
