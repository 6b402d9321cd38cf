//! Azure Kubernetes Service: a cluster of the application's own, its pools of nodes, and the services on it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::codes;
use crate::fields::{Default, EVERY, Field, Type};
use crate::rules::{self, Fault, Rule};
use crate::sense::{Sense, names};
use crate::suggest;
use crate::tree::{Node, Table};
use crate::units::{Duration, Size};

/// What only a service on Kubernetes has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Workload {
    /// The pool of nodes it runs on; any that takes it when none is named.
    pub pool: Option<String>,
    /// Ports besides [`crate::Service::port`] that the internet reaches, past the ingress.
    pub ports: Vec<PortRange>,
}

/// Ports that the internet reaches.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct PortRange {
    /// The first.
    pub from: u16,
    /// The last; the first when none is said.
    pub to: Option<u16>,
    /// What is spoken.
    pub protocol: Protocol,
}

/// A protocol of the transport layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// `[kubernetes]`: the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Kubernetes {
    /// Kubernetes' version, `1.35`; Azure adds the newest patch.
    pub version: String,
    /// How long a version is cared for.
    pub support: Support,
    /// What of the control plane is paid for.
    pub tier: ClusterTier,
    /// The namespace the services live in; the application's name where none is given.
    pub namespace: Option<String>,
    /// Pools of nodes.
    pub pools: BTreeMap<String, Pool>,
    /// When nodes come and go.
    pub autoscaler: Autoscaler,
    /// Where pods have their addresses from.
    pub network: ClusterNetwork,
    /// Who enforces what pods may say to each other.
    pub network_policy: NetworkPolicy,
    /// The addresses of the cluster's own services.
    pub service_range: String,
    /// The addresses of pods, in an overlay.
    pub pod_range: String,
    /// Groups of the directory whose members administer the cluster.
    pub admins: Vec<String>,
    /// Who may reach the API server; empty: the internet, with a sign-in.
    pub allow: Vec<String>,
    /// Whether the API server has an address in the network only.
    pub private: bool,
    /// What leads requests to services.
    pub ingress: ClusterIngress,
    /// Which new versions Azure installs by itself.
    pub upgrades: Upgrades,
    /// Whether Container Insights reads its logs and figures.
    pub insights: bool,
}

impl Kubernetes {
    /// The name of a pool that holds the cluster's own parts: the one called `system`, or the first by name.
    pub fn system_pool(&self) -> Option<&str> {
        let own = self.pools.iter().find(|(_, pool)| pool.system).or_else(|| self.pools.iter().next());
        own.map(|(name, _)| name.as_str())
    }
}

/// A pool of nodes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Pool {
    /// Azure's name of the machine's size.
    pub size: String,
    /// Nodes that always run.
    pub min: u32,
    /// Nodes never exceeded.
    pub max: u32,
    /// Whether it holds the cluster's own parts.
    pub system: bool,
    /// The disk of each node.
    pub disk: Size,
    /// Zones its nodes are spread over; empty: none in particular.
    pub zones: Vec<String>,
    /// What keeps pods away that do not say they bear it.
    pub taints: Vec<String>,
    /// What pods can choose it by.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Whether its nodes are those that Azure may take back at any time.
    pub spot: bool,
}

/// When the cluster autoscaler adds and takes away nodes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Autoscaler {
    /// How long after adding a node none is taken away.
    pub delay_after_add: Duration,
    /// How long a node is idle before it goes.
    pub unneeded: Duration,
    /// Use, in percent, below which a node counts as idle.
    pub utilization: u8,
    /// How often it looks.
    pub interval: Duration,
    /// Which pool grows when several could.
    pub expander: Expander,
}

/// Which pool grows when several could.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expander {
    /// The one with the least left over.
    LeastWaste,
    /// The one that takes the most pods.
    MostPods,
    /// The first of a list.
    Priority,
    /// Any.
    Random,
}

impl Expander {
    /// Azure's word.
    pub fn azure(self) -> &'static str {
        match self {
            Expander::LeastWaste => "least-waste",
            Expander::MostPods => "most-pods",
            Expander::Priority => "priority",
            Expander::Random => "random",
        }
    }
}

/// How long Azure cares for a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Support {
    /// A year.
    Standard,
    /// Two years, for a price.
    LongTerm,
}

/// What of the control plane is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClusterTier {
    /// Nothing, and nothing is promised.
    Free,
    /// An agreement about availability.
    Standard,
    /// That, and long-term support.
    Premium,
}

impl ClusterTier {
    /// Azure's spelling.
    pub fn azure(self) -> &'static str {
        match self {
            ClusterTier::Free => "Free",
            ClusterTier::Standard => "Standard",
            ClusterTier::Premium => "Premium",
        }
    }
}

/// Where pods have their addresses from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClusterNetwork {
    /// A range of the cluster's own.
    Overlay,
    /// The nodes' subnet.
    Subnet,
}

/// Who enforces what pods may say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkPolicy {
    /// Azure Network Policy.
    Azure,
    /// Calico.
    Calico,
    /// Cilium, which is the data plane too.
    Cilium,
    /// Nobody.
    None,
}

impl NetworkPolicy {
    /// Azure's word.
    pub fn azure(self) -> &'static str {
        match self {
            NetworkPolicy::Azure => "azure",
            NetworkPolicy::Calico => "calico",
            NetworkPolicy::Cilium => "cilium",
            NetworkPolicy::None => "none",
        }
    }
}

/// What leads requests to services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterIngress {
    /// Azure's application routing by the Gateway API.
    GatewayApi,
    /// Azure's application routing by NGINX.
    Nginx,
    /// What the user installs.
    None,
}

/// Which new versions Azure installs by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upgrades {
    /// Patches of this version.
    Patch,
    /// The newest patch of the version before the newest.
    Stable,
    /// The newest.
    Rapid,
    /// Images of nodes only.
    NodeImage,
    /// None.
    None,
}

impl Upgrades {
    /// Azure's word.
    pub fn azure(self) -> &'static str {
        match self {
            Upgrades::Patch => "patch",
            Upgrades::Stable => "stable",
            Upgrades::Rapid => "rapid",
            Upgrades::NodeImage => "node-image",
            Upgrades::None => "none",
        }
    }
}

/// Versions that Azure creates clusters of, the oldest first.
pub(crate) const VERSIONS: &[&str] = &["1.34", "1.35", "1.36"];
/// Older versions that long-term support still covers.
pub(crate) const LONG_TERM: &[&str] = &["1.32", "1.33"];

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "kubernetes",
    doc: "Azure Kubernetes Service: pods on a cluster of the application's own",
    runs: true,
    fields: FIELDS,
    check,
};

/// A version of Kubernetes. Whether Azure still has it depends on the support, which is judged elsewhere.
static VERSION: Rule = Rule {
    pattern: Some("^1\\.[0-9]{2}(\\.[0-9]+)?$"),
    length: 4..10,
    check: |text| {
        let parts: Vec<Option<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        match parts[..] {
            [Some(1), Some(_)] | [Some(1), Some(_), Some(_)] => Ok(()),
            _ => rules::fault(
                codes::KUBERNETES_VERSION,
                "a version of Kubernetes is `1.` and a number",
                format!("such as \"{}\"", VERSIONS[1]),
            ),
        }
    },
};

/// A pool's name.
static POOL: Rule = Rule {
    pattern: Some("^[a-z][a-z0-9]{0,11}$"),
    length: 1..12,
    check: |text| {
        let well_formed = text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
            && text.len() <= 12;
        match well_formed {
            true => Ok(()),
            false => rules::fault(
                codes::NAME,
                "a pool's name is at most 12 lower-case letters and digits, and begins with a letter",
                format!("write `{}`", rules::fitting_name(text, 12).replace('-', "")),
            ),
        }
    },
};

/// The size of a virtual machine.
static VM: Rule = Rule {
    pattern: Some("^Standard_[A-Za-z0-9_]+$"),
    length: 11..60,
    check: |text| {
        let rest = text.strip_prefix("Standard_").unwrap_or_default();
        let family = rest.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let cores: String = family.chars().take_while(char::is_ascii_digit).collect();
        if family.len() == rest.len()
            || cores.is_empty()
            || !rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            return rules::fault(
                codes::POOL,
                format!("`{}` is no size of a virtual machine", rules::short(text)),
                "such as \"Standard_D4s_v5\"",
            );
        }
        // The smallest sizes cannot hold the cluster's own parts, and Azure refuses them for every pool.
        match cores.parse::<u32>().unwrap_or(u32::MAX) {
            0 | 1 => rules::fault(
                codes::POOL,
                "a node has at least two cores",
                "take a greater size, such as \"Standard_D2s_v5\"",
            ),
            _ => Ok(()),
        }
    },
};

/// A taint.
static TAINT: Rule = Rule {
    pattern: Some("^[^=:]+(=[^=:]*)?:(NoSchedule|NoExecute|PreferNoSchedule)$"),
    length: 3..200,
    check: taint,
};

fn taint(text: &str) -> Result<(), Fault> {
    let effect = text.rsplit_once(':').map(|(_, effect)| effect);
    let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    let key = text.split([':', '=']).next().unwrap_or_default();
    if effect.is_some_and(|effect| effects.contains(&effect)) && is_label_key(key) {
        return Ok(());
    }
    rules::fault(
        codes::POOL,
        format!("`{}` is no taint", rules::short(text)),
        "the form is `key=value:NoSchedule`, `:PreferNoSchedule` or `:NoExecute`",
    )
}

fn is_label_key(text: &str) -> bool {
    let (prefix, name) = text.rsplit_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    let fine = |part: &str, more: &str| {
        !part.is_empty()
            && part.len() <= 63
            && part.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
            && part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    fine(name, "-_.") && prefix.is_none_or(|prefix| fine(prefix, "-."))
}

/// A label's name.
static LABEL: Rule = Rule {
    pattern: None,
    length: 1..317,
    check: |text| {
        if text.starts_with("kubernetes.azure.com/") {
            return rules::fault(
                codes::POOL,
                "labels of `kubernetes.azure.com` are Azure's own",
                "choose another name",
            );
        }
        match is_label_key(text) {
            true => Ok(()),
            false => rules::fault(
                codes::POOL,
                format!("`{}` is no label's name", rules::short(text)),
                "such as `workload`",
            ),
        }
    },
};

/// A label's value.
static LABEL_VALUE: Rule = Rule {
    pattern: Some("^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$"),
    length: 0..63,
    check: |text| match text.is_empty() || (is_label_key(text) && !text.contains('/')) {
        true => Ok(()),
        false => rules::fault(
            codes::POOL,
            format!("`{}` is no label's value", rules::short(text)),
            "letters, digits, `-`, `_` and `.`",
        ),
    },
};

/// A zone.
static ZONE: Rule = Rule {
    pattern: Some("^[123]$"),
    length: 1..1,
    check: |text| match ["1", "2", "3"].contains(&text) {
        true => Ok(()),
        false => rules::fault(
            codes::POOL,
            format!("there is no zone `{}`", rules::short(text)),
            "\"1\", \"2\" and \"3\"",
        ),
    },
};

/// A group of the directory.
static GROUP: Rule = Rule {
    pattern: Some("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"),
    length: 36..36,
    check: |text| {
        let parts: Vec<&str> = text.split('-').collect();
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        let hex = parts.iter().all(|part| part.chars().all(|c| c.is_ascii_hexdigit()));
        match hex && lengths == [8, 4, 4, 4, 12] {
            true => Ok(()),
            false => rules::fault(
                codes::GROUP,
                "a group of the directory is given by its object id",
                "`az ad group show --group NAME --query id` prints it",
            ),
        }
    },
};

const HERE: &[&str] = &["kubernetes"];

const FIELDS: &[Field] = &[
    Field {
        path: "service.*.pool",
        of: HERE,
        kind: Type::Text(&rules::ANY),
        doc: "The pool of nodes it runs on, one of `[kubernetes.pools]`. It bears that pool's taints.",
        default: Default::Absent("any pool that takes it"),
        azure: &["spec.template.spec.nodeSelector", "spec.template.spec.tolerations"],
        example: "\"system\"",
    },
    Field {
        path: "service.*.ports",
        of: HERE,
        kind: Type::Tables,
        doc: "Ports besides `port` that the internet reaches on the cluster's load balancer, past the ingress: for what \
              is not HTTP.",
        default: Default::Same("[]", "HTTP comes through the ingress"),
        azure: &["spec.ports of a Service of type LoadBalancer"],
        example: "[{ from = 50000, to = 50100, protocol = \"udp\" }]",
    },
    Field {
        path: "service.*.ports[].from",
        of: HERE,
        kind: Type::Integer { min: 1, max: 65535 },
        doc: "The first port.",
        default: Default::Required,
        azure: &["spec.ports[].port"],
        example: "7881",
    },
    Field {
        path: "service.*.ports[].to",
        of: HERE,
        kind: Type::Integer { min: 1, max: 65535 },
        doc: "The last port.",
        default: Default::Absent("the first"),
        azure: &["spec.ports[].port"],
        example: "7881",
    },
    Field {
        path: "service.*.ports[].protocol",
        of: HERE,
        kind: Type::Choice(&[("tcp", "TCP"), ("udp", "UDP")]),
        doc: "What is spoken.",
        default: Default::Same("\"tcp\"", "most is"),
        azure: &["spec.ports[].protocol"],
        example: "\"udp\"",
    },
    Field {
        path: "kubernetes",
        of: EVERY,
        kind: Type::Table,
        doc: "The cluster that services on Kubernetes run on.",
        default: Default::Absent("there is none without a service on it, and all its defaults with one"),
        azure: &["Microsoft.ContainerService/managedClusters"],
        example: "{ version = \"1.35\" }",
    },
    Field {
        path: "kubernetes.version",
        of: EVERY,
        kind: Type::Text(&VERSION),
        doc: "Kubernetes' version; Azure adds the newest patch.",
        default: Default::Same("\"1.35\"", "in the middle of the three that Azure supports"),
        azure: &["properties.kubernetesVersion"],
        example: "\"1.35\"",
    },
    Field {
        path: "kubernetes.support",
        of: EVERY,
        kind: Type::Choice(&[
            ("standard", "a version is cared for one year"),
            ("long-term", "two years, in tier \"premium\""),
        ]),
        doc: "How long Azure cares for a version.",
        default: Default::Same("\"standard\"", "a cluster that is kept up to date needs no more"),
        azure: &["properties.supportPlan"],
        example: "\"standard\"",
    },
    Field {
        path: "kubernetes.tier",
        of: EVERY,
        kind: Type::Choice(&[
            ("free", "costs nothing, and nothing is promised"),
            ("standard", "an agreement about the API server's availability"),
            ("premium", "that, and long-term support"),
        ]),
        doc: "What of the control plane is paid for.",
        default: Default::Tiers(["\"free\"", "\"standard\"", "\"standard\""], "users get an agreement"),
        azure: &["sku.tier"],
        example: "\"standard\"",
    },
    Field {
        path: "kubernetes.namespace",
        of: EVERY,
        kind: Type::Text(&rules::SERVICE),
        doc: "The namespace that the services live in.",
        default: Default::Absent("the application's name"),
        azure: &["federatedIdentityCredentials.properties.subject"],
        example: "\"voice\"",
    },
    Field {
        path: "kubernetes.pools",
        of: EVERY,
        kind: Type::Named(&POOL),
        doc: "Pools of nodes, each under a name. One of them holds the cluster's own parts: `system = true`, or the one \
              called `system`.",
        default: Default::Absent("one pool, `system`"),
        azure: &["properties.agentPoolProfiles", "Microsoft.ContainerService/managedClusters/agentPools"],
        example: "",
    },
    Field {
        path: "kubernetes.pools.*",
        of: EVERY,
        kind: Type::Table,
        doc: "A pool of nodes.",
        default: Default::Absent("no such pool"),
        azure: &["Microsoft.ContainerService/managedClusters/agentPools"],
        example: "",
    },
    Field {
        path: "kubernetes.pools.*.size",
        of: EVERY,
        kind: Type::Text(&VM),
        doc: "The size of its machines, in Azure's words. It cannot change afterwards.",
        default: Default::Tiers(
            ["\"Standard_D2s_v5\"", "\"Standard_D4s_v5\"", "\"Standard_D4s_v5\""],
            "the least that holds a cluster's own parts and something besides",
        ),
        azure: &["properties.vmSize"],
        example: "\"Standard_D4s_v5\"",
    },
    Field {
        path: "kubernetes.pools.*.min",
        of: EVERY,
        kind: Type::Integer { min: 0, max: 1000 },
        doc: "Nodes that always run. A pool with the cluster's own parts has at least one.",
        default: Default::Tiers(["1", "1", "2"], "production survives the loss of a node"),
        azure: &["properties.minCount"],
        example: "2",
    },
    Field {
        path: "kubernetes.pools.*.max",
        of: EVERY,
        kind: Type::Integer { min: 1, max: 1000 },
        doc: "Nodes never exceeded.",
        default: Default::Tiers(["2", "3", "4"], "room for a burst, with an end to its cost"),
        azure: &["properties.maxCount"],
        example: "10",
    },
    Field {
        path: "kubernetes.pools.*.system",
        of: EVERY,
        kind: Type::Boolean,
        doc: "Whether it holds the cluster's own parts.",
        default: Default::Same("false", "the pool called `system` does so by its name"),
        azure: &["properties.mode"],
        example: "true",
    },
    Field {
        path: "kubernetes.pools.*.disk",
        of: EVERY,
        kind: Type::Text(&rules::SIZE),
        doc: "The disk of each node.",
        default: Default::Same("\"128Gi\"", "what Azure gives a node of this size"),
        azure: &["properties.osDiskSizeGB"],
        example: "\"128Gi\"",
    },
    Field {
        path: "kubernetes.pools.*.zones",
        of: EVERY,
        kind: Type::List(&Type::Text(&ZONE)),
        doc: "Zones of the region that its nodes are spread over.",
        default: Default::Tiers(
            ["[]", "[]", "[\"1\", \"2\", \"3\"]"],
            "production survives the loss of a data centre",
        ),
        azure: &["properties.availabilityZones"],
        example: "[\"1\", \"2\", \"3\"]",
    },
    Field {
        path: "kubernetes.pools.*.taints",
        of: EVERY,
        kind: Type::List(&Type::Text(&TAINT)),
        doc: "What keeps pods away that do not bear it.",
        default: Default::Same("[]", "any pod may run there"),
        azure: &["properties.nodeTaints"],
        example: "[\"livekit=true:NoSchedule\"]",
    },
    Field {
        path: "kubernetes.pools.*.labels",
        of: EVERY,
        kind: Type::Map(&LABEL, &Type::Text(&LABEL_VALUE)),
        doc: "What pods can choose it by.",
        default: Default::Absent("Azure's own labels only"),
        azure: &["properties.nodeLabels"],
        example: "{ workload = \"livekit\" }",
    },
    Field {
        path: "kubernetes.pools.*.spot",
        of: EVERY,
        kind: Type::Boolean,
        doc: "Whether its nodes are spare ones, much cheaper, that Azure may take back at any time. They bear a taint of \
              Azure's.",
        default: Default::Same("false", "a node stays until it is given back"),
        azure: &[
            "properties.scaleSetPriority",
            "properties.scaleSetEvictionPolicy",
            "properties.spotMaxPrice",
        ],
        example: "true",
    },
    Field {
        path: "kubernetes.autoscaler",
        of: EVERY,
        kind: Type::Table,
        doc: "When nodes come and go.",
        default: Default::Fields("the defaults of its fields"),
        azure: &["properties.autoScalerProfile"],
        example: "{ unneeded = \"10m\" }",
    },
    Field {
        path: "kubernetes.autoscaler.delay_after_add",
        of: EVERY,
        kind: Type::Text(&rules::DURATION),
        doc: "How long after adding a node none is taken away.",
        default: Default::Same("\"10m\"", "Kubernetes' own"),
        azure: &["properties.autoScalerProfile.scale-down-delay-after-add"],
        example: "\"10m\"",
    },
    Field {
        path: "kubernetes.autoscaler.unneeded",
        of: EVERY,
        kind: Type::Text(&rules::DURATION),
        doc: "How long a node is idle before it goes.",
        default: Default::Same("\"10m\"", "Kubernetes' own"),
        azure: &["properties.autoScalerProfile.scale-down-unneeded-time"],
        example: "\"10m\"",
    },
    Field {
        path: "kubernetes.autoscaler.utilization",
        of: EVERY,
        kind: Type::Share,
        doc: "Use, in percent, below which a node counts as idle.",
        default: Default::Same("50", "Kubernetes' own"),
        azure: &["properties.autoScalerProfile.scale-down-utilization-threshold"],
        example: "50",
    },
    Field {
        path: "kubernetes.autoscaler.interval",
        of: EVERY,
        kind: Type::Text(&rules::DURATION),
        doc: "How often it looks.",
        default: Default::Same("\"10s\"", "Kubernetes' own"),
        azure: &["properties.autoScalerProfile.scan-interval"],
        example: "\"10s\"",
    },
    Field {
        path: "kubernetes.autoscaler.expander",
        of: EVERY,
        kind: Type::Choice(&[
            ("least-waste", "the one with the least left over"),
            ("most-pods", "the one that takes the most pods"),
            ("priority", "the first of a list in the cluster"),
            ("random", "any"),
        ]),
        doc: "Which pool grows when several could.",
        default: Default::Same("\"least-waste\"", "what is left over is paid for"),
        azure: &["properties.autoScalerProfile.expander"],
        example: "\"random\"",
    },
    Field {
        path: "kubernetes.network",
        of: EVERY,
        kind: Type::Choice(&[
            ("overlay", "pods have addresses of a range of the cluster's own"),
            ("subnet", "pods have addresses of the nodes' subnet, so that the network reaches each of them"),
        ]),
        doc: "Where pods have their addresses from; Azure CNI in both cases.",
        default: Default::Same("\"overlay\"", "the network's addresses are for nodes, not for every pod"),
        azure: &["properties.networkProfile.networkPluginMode"],
        example: "\"subnet\"",
    },
    Field {
        path: "kubernetes.network_policy",
        of: EVERY,
        kind: Type::Choice(&[
            ("azure", "Azure Network Policy"),
            ("calico", "Calico"),
            ("cilium", "Cilium, which is the data plane too"),
            ("none", "nobody: every pod talks to every other"),
        ]),
        doc: "Who enforces what pods may say to each other.",
        default: Default::Same(
            "\"cilium\"",
            "what Azure develops; Azure Network Policy ends for Linux in 2028",
        ),
        azure: &["properties.networkProfile.networkPolicy", "properties.networkProfile.networkDataplane"],
        example: "\"azure\"",
    },
    Field {
        path: "kubernetes.service_range",
        of: EVERY,
        kind: Type::Text(&rules::CIDR),
        doc: "The addresses of the cluster's own services. They must not be in use in the network.",
        default: Default::Same(
            "\"172.20.0.0/16\"",
            "Azure's own 10.0.0.0/16 is what most networks are made of",
        ),
        azure: &["properties.networkProfile.serviceCidr", "properties.networkProfile.dnsServiceIP"],
        example: "\"172.20.0.0/16\"",
    },
    Field {
        path: "kubernetes.pod_range",
        of: EVERY,
        kind: Type::Text(&rules::CIDR),
        doc: "The addresses of pods, in an overlay: 256 for each node.",
        default: Default::Same("\"172.24.0.0/14\"", "a thousand nodes, apart from most networks"),
        azure: &["properties.networkProfile.podCidr"],
        example: "\"172.24.0.0/14\"",
    },
    Field {
        path: "kubernetes.admins",
        of: EVERY,
        kind: Type::List(&Type::Text(&GROUP)),
        doc: "Groups of the directory, by their object ids, whose members administer the cluster. All else is Azure's \
              roles; there are no local accounts.",
        default: Default::Same("[]", "roles in Azure decide alone"),
        azure: &["properties.aadProfile.adminGroupObjectIDs"],
        example: "[\"00000000-0000-0000-0000-000000000000\"]",
    },
    Field {
        path: "kubernetes.allow",
        of: EVERY,
        kind: Type::List(&Type::Text(&rules::CIDR)),
        doc: "IPv4 ranges from which the API server is reached.",
        default: Default::Same("[]", "from anywhere, with a sign-in"),
        azure: &["properties.apiServerAccessProfile.authorizedIPRanges"],
        example: "[\"203.0.113.0/24\"]",
    },
    Field {
        path: "kubernetes.private",
        of: EVERY,
        kind: Type::Boolean,
        doc: "Whether the API server has an address in the network only.",
        default: Default::Same("false", "whoever deploys would have to be in the network"),
        azure: &["properties.apiServerAccessProfile.enablePrivateCluster"],
        example: "true",
    },
    Field {
        path: "kubernetes.ingress",
        of: EVERY,
        kind: Type::Choice(&[
            ("gateway-api", "Azure's application routing, by the Gateway API"),
            ("nginx", "Azure's application routing, by NGINX, which is patched until 2026-11"),
            ("none", "what you install yourself"),
        ]),
        doc: "What leads requests to services.",
        default: Default::Same("\"gateway-api\"", "NGINX as an ingress ended in 2026"),
        azure: &["properties.ingressProfile"],
        example: "\"none\"",
    },
    Field {
        path: "kubernetes.upgrades",
        of: EVERY,
        kind: Type::Choice(&[
            ("patch", "patches of this version"),
            ("stable", "the newest patch of the version before the newest"),
            ("rapid", "the newest"),
            ("node-image", "images of nodes only"),
            ("none", "none"),
        ]),
        doc: "Which new versions Azure installs by itself. Images of nodes are renewed in any case but \"none\".",
        default: Default::Same("\"patch\"", "a patch mends; a new version is decided"),
        azure: &["properties.autoUpgradeProfile"],
        example: "\"patch\"",
    },
    Field {
        path: "kubernetes.insights",
        of: EVERY,
        kind: Type::Boolean,
        doc: "Whether Container Insights reads the logs and figures of nodes and pods.",
        default: Default::Tiers(["false", "true", "true"], "it is paid by the gigabyte"),
        azure: &["properties.addonProfiles.omsagent"],
        example: "true",
    },
];

fn check(sense: &mut Sense<'_>, _: &str, _: &Node, service: &Table) {
    if let Some(node) = service.get("pool")
        && let Some(pool) = node.text()
    {
        let cluster = sense.root.get("kubernetes").and_then(Node::table);
        let known: Vec<&str> = cluster.map(|table| names(table, "pools").collect()).unwrap_or_default();
        if !known.contains(&pool) && !sense.lost {
            let message = format!("the cluster has no pool `{}`", rules::short(pool));
            let diagnostic = sense
                .problem(codes::PLACE, &node.span, message)
                .maybe_help(suggest::or_all(pool, known.iter().copied()));
            sense.report(diagnostic);
        }
    }
    for node in service.get("ports").and_then(Node::list).unwrap_or_default() {
        let Some(range) = node.table() else { continue };
        let (from, to) = (range.get("from"), range.get("to"));
        let Some(from) = from else {
            sense.missing(&node.span, "the ports have no `from`", "such as `from = 7881`");
            continue;
        };
        if let (Some(first), Some(to)) = (from.integer(), to)
            && to.integer().is_some_and(|last| last < first)
        {
            let diagnostic = sense
                .problem(codes::OUT_OF_RANGE, &to.span, "the last port comes before the first")
                .related(from.span.clone(), "the first");
            sense.report(diagnostic);
        }
    }
}

/// What `[kubernetes]` says about itself.
pub(crate) fn check_cluster(sense: &mut Sense<'_>) {
    let Some(cluster) = sense.root.get("kubernetes").and_then(Node::table) else { return };
    version(sense, cluster);
    pools(sense, cluster);
    ranges(sense, cluster);
    let flag = |key: &str| cluster.get(key).filter(|node| node.boolean() == Some(true));
    let allow = cluster.get("allow").filter(|node| node.list().is_some_and(|list| !list.is_empty()));
    if let (Some(private), Some(allow)) = (flag("private"), allow) {
        let diagnostic = sense
            .problem(codes::CLUSTER, &allow.key, "a private API server is reached from the network alone")
            .related(private.span.clone(), "private")
            .help("leave `allow` out");
        sense.report(diagnostic);
    }
}

fn version(sense: &mut Sense<'_>, cluster: &Table) {
    let text = |key: &str| cluster.get(key).and_then(Node::text);
    let long_term = text("support") == Some("long-term");
    if let (true, Some(tier), Some(support)) = (long_term, cluster.get("tier"), cluster.get("support"))
        && tier.text().is_some_and(|tier| tier != "premium")
    {
        let span = if tier.is_written() { &tier.span } else { &support.span };
        let diagnostic = sense
            .problem(codes::SKU_LACKS, span, "long-term support is part of tier \"premium\"")
            .related(support.span.clone(), "long-term support")
            .help("write `tier = \"premium\"`");
        sense.report(diagnostic);
    }
    let Some((node, version)) = cluster.get("version").and_then(|node| Some((node, node.text()?))) else {
        return;
    };
    let minor = version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    let minor = minor.as_str();
    if VERSIONS.contains(&minor) || (long_term && LONG_TERM.contains(&minor)) {
        return;
    }
    let number =
        |version: &str| version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok()).unwrap_or(0);
    let (oldest, newest) = (VERSIONS[0], VERSIONS[VERSIONS.len() - 1]);
    let diagnostic = match number(minor) > number(newest) {
        true => sense
            .problem(
                codes::KUBERNETES_VERSION,
                &node.span,
                format!("Azure does not have Kubernetes {minor} yet"),
            )
            .help(format!("the newest is {newest}")),
        false => {
            let help = match LONG_TERM.contains(&minor) {
                true => format!("write \"{oldest}\", or `support = \"long-term\"`"),
                false => format!("write \"{oldest}\", the nearest that is, or a newer one up to {newest}"),
            };
            sense
                .problem(
                    codes::KUBERNETES_VERSION,
                    &node.span,
                    format!("Kubernetes {minor} is out of support"),
                )
                .help(help)
        }
    };
    sense.report(diagnostic);
}

fn pools(sense: &mut Sense<'_>, cluster: &Table) {
    let Some(node) = cluster.get("pools") else { return };
    let Some(pools) = node.table() else { return };
    let mut has_system = false;
    for (name, node) in pools {
        let Some(pool) = node.table() else {
            // What a broken pool would hold cannot be known.
            has_system = true;
            continue;
        };
        sense.bounds(pool, "nodes");
        let system = is_system(name, pool);
        has_system |= system;
        let spot = pool.get("spot").filter(|node| node.boolean() == Some(true));
        if let (true, Some(spot)) = (system, spot) {
            let diagnostic = sense
                .problem(
                    codes::POOL,
                    &spot.span,
                    "the cluster's own parts cannot run on nodes that may be taken back",
                )
                .help("make another pool of spot nodes");
            sense.report(diagnostic);
        }
        if let (true, Some(min)) = (system, pool.get("min"))
            && min.integer() == Some(0)
        {
            let diagnostic = sense
                .problem(codes::POOL, &min.span, "a pool with the cluster's own parts has at least one node")
                .help("write `min = 1`");
            sense.report(diagnostic);
        }
        let hard = |node: &&Node| {
            node.text().is_some_and(|taint| {
                !taint.ends_with(":PreferNoSchedule") && !taint.starts_with("CriticalAddonsOnly")
            })
        };
        let taint = pool.get("taints").and_then(Node::list).and_then(|taints| taints.iter().find(hard));
        if let (true, Some(taint)) = (system, taint) {
            let diagnostic = sense
                .problem(codes::POOL, &taint.span, "this taint would keep the cluster's own parts away")
                .help("a system pool takes `CriticalAddonsOnly=true:NoSchedule`");
            sense.report(diagnostic);
        }
        if let Some(disk) = pool.get("disk")
            && let Some(size) = disk.text().and_then(|text| Size::parse(text).ok())
            && !(30..=2048).contains(&size.gibibytes())
        {
            let diagnostic = sense.problem(codes::OUT_OF_RANGE, &disk.span, "`disk` is from 30Gi to 2Ti");
            sense.report(diagnostic);
        }
    }
    if !has_system && !sense.lost {
        let diagnostic = sense
            .problem(codes::POOL, &node.key, "no pool holds the cluster's own parts")
            .help("call one `system`, or give it `system = true`");
        sense.report(diagnostic);
    }
}

/// Whether a pool holds the cluster's own parts.
fn is_system(name: &str, pool: &Table) -> bool {
    name == "system" || pool.get("system").and_then(Node::boolean) == Some(true)
}

/// The cluster's own addresses, apart from each other and from the network's.
fn ranges(sense: &mut Sense<'_>, cluster: &Table) {
    let network = sense.root.get("network").and_then(Node::table).and_then(|network| network.get("space"));
    let overlay = cluster.get("network").and_then(Node::text) == Some("overlay");
    let service = cluster.get("service_range");
    let pod = cluster.get("pod_range").filter(|_| overlay);
    let pairs = [
        (service, network, "the cluster's services", "the network"),
        (pod, network, "the cluster's pods", "the network"),
        (pod, service, "the cluster's pods", "the cluster's services"),
    ];
    for (one, other, what, whose) in pairs {
        let (Some(one), Some(other)) = (one, other) else { continue };
        let (Some(a), Some(b)) = (one.text().and_then(range), other.text().and_then(range)) else { continue };
        if a.0 > b.1 || b.0 > a.1 {
            continue;
        }
        let (at, related) = if one.is_written() || !other.is_written() { (one, other) } else { (other, one) };
        let free = free(&[network, Some(other), service.filter(|node| !std::ptr::eq(*node, one))]);
        let mut diagnostic = sense
            .problem(codes::CLUSTER, &at.span, format!("the addresses of {what} are those of {whose} too"))
            .maybe_help(free.map(|free| format!("such as \"{free}\" for {what}, which nothing here uses")));
        if related.is_written() {
            diagnostic = diagnostic.related(related.span.clone(), whose);
        }
        sense.report(diagnostic);
    }
    if let Some(node) = service
        && let Some((first, last)) = node.text().and_then(range)
        && last - first < 15
    {
        let diagnostic = sense
            .problem(codes::CLUSTER, &node.span, "the cluster's services take at least 16 addresses")
            .help("a /16 is usual, a /12 the most");
        sense.report(diagnostic);
    }
}

/// The first and the last address of a range.
fn range(text: &str) -> Option<(u32, u32)> {
    let (address, length) = text.split_once('/')?;
    let (address, length) = (address.parse::<std::net::Ipv4Addr>().ok()?, length.parse::<u32>().ok()?);
    let size = 1_u64.checked_shl(32_u32.checked_sub(length)?)?;
    let first = u32::from(address) & u32::try_from(u64::from(u32::MAX) + 1 - size).unwrap_or(0);
    Some((first, u32::try_from(u64::from(first) + size - 1).ok()?))
}

/// A range that overlaps with none of these.
fn free(taken: &[Option<&Node>]) -> Option<&'static str> {
    const CANDIDATES: &[&str] = &["172.20.0.0/16", "10.200.0.0/16", "192.168.0.0/16", "172.28.0.0/16"];
    let taken: Vec<(u32, u32)> = taken.iter().flatten().filter_map(|node| range(node.text()?)).collect();
    CANDIDATES.iter().copied().find(|candidate| {
        range(candidate).is_some_and(|(first, last)| taken.iter().all(|(a, b)| first > *b || last < *a))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn taints_labels_and_sizes() {
        for fine in ["livekit=true:NoSchedule", "dedicated:NoExecute", "a.b/c=d:PreferNoSchedule"] {
            assert!(taint(fine).is_ok(), "{fine}");
        }
        for wrong in ["livekit", "livekit=true", "livekit=true:Never", ":NoSchedule", "-a:NoSchedule"] {
            assert!(taint(wrong).is_err(), "{wrong}");
        }
        for fine in ["Standard_D4s_v3", "Standard_NC24ads_A100_v4", "Standard_B2ms"] {
            assert!((VM.check)(fine).is_ok(), "{fine}");
        }
        for wrong in ["D4s_v3", "Standard_", "Standard_D", "Standard_B1s", "Standard_D4s v3"] {
            assert!((VM.check)(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_range_holds_its_own_address_and_as_many_as_its_length_says(address: u32, length in 0_u32..=32) {
            let (first, last) = range(&format!("{}/{length}", std::net::Ipv4Addr::from(address))).unwrap();
            prop_assert!((first..=last).contains(&address));
            prop_assert_eq!(u64::from(last) - u64::from(first) + 1, 1_u64 << (32 - length));
        }
    }
}
