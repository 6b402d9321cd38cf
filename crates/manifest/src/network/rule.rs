//! What may pass into a subnet and out of it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::addresses::AddressRange;

/// A rule of a subnet's security group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct SecurityRule {
    /// What it is called.
    pub name: String,
    /// Lower ones come first; by its place in the list when left out.
    pub priority: Option<u32>,
    /// Which way the traffic goes.
    pub direction: Direction,
    /// Whether it may pass.
    pub access: Pass,
    /// The protocol.
    pub protocol: Protocol,
    /// Where it comes from; empty: anywhere inbound, the subnet outbound.
    #[serde(default)]
    pub from: Vec<Peer>,
    /// Where it goes; empty: the subnet inbound, anywhere outbound.
    #[serde(default)]
    pub to: Vec<Peer>,
    /// The ports it goes to, `443` or `8000-8010`; empty: all.
    #[serde(default)]
    pub ports: Vec<String>,
}

impl SecurityRule {
    /// Its priority, `place` being its place in the list from 0.
    pub fn priority(&self, place: usize) -> u32 {
        self.priority.unwrap_or_else(|| priority_of(place))
    }
}

/// The priority of a rule that says none, by its place in the list: with room for others between.
pub(crate) fn priority_of(place: usize) -> u32 {
    100 + 10 * u32::try_from(place).unwrap_or(u32::MAX / 20)
}

/// The first priority of Landfall's own rules, which come after a user's.
pub const OWN_PRIORITIES: u32 = 4000;

/// Which way traffic goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// What comes in.
    Inbound,
    /// What goes out.
    Outbound,
}

/// Whether traffic may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pass {
    /// It may.
    Allow,
    /// It may not.
    Deny,
}

/// A protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP.
    Icmp,
    /// All.
    Any,
}

/// One side of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Everything.
    Any,
    /// A range, or one address.
    Range(AddressRange),
    /// A service tag, such as `Internet`.
    Tag(String),
    /// A subnet, by its name in the manifest or the word of its purpose.
    Subnet(String),
}

impl Peer {
    /// What a text says: capitals make a tag, since names of subnets have none.
    pub fn parse(text: &str) -> Peer {
        if text == "*" {
            return Peer::Any;
        }
        if let Ok(range) = AddressRange::parse(text) {
            return Peer::Range(range);
        }
        match text.starts_with(|c: char| c.is_ascii_uppercase()) {
            true => Peer::Tag(text.to_owned()),
            false => Peer::Subnet(text.to_owned()),
        }
    }
}

impl Serialize for Peer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Peer::Any => serializer.serialize_str("*"),
            Peer::Range(range) => serializer.collect_str(range),
            Peer::Tag(text) | Peer::Subnet(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Peer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Peer, D::Error> {
        Ok(Peer::parse(&String::deserialize(deserializer)?))
    }
}

/// Azure's service tags that can stand in a rule. Most take a region behind a dot: `Storage.WestEurope`.
/// (learn: virtual-network/service-tags-overview)
pub(crate) const TAGS: &[&str] = &[
    "ActionGroup",
    "ApiManagement",
    "AppConfiguration",
    "AppService",
    "AppServiceManagement",
    "ApplicationInsightsAvailability",
    "AutonomousDevelopmentPlatform",
    "AzureActiveDirectory",
    "AzureActiveDirectoryDomainServices",
    "AzureAdvancedThreatProtection",
    "AzureArcInfrastructure",
    "AzureAttestation",
    "AzureBackup",
    "AzureBotService",
    "AzureCloud",
    "AzureCognitiveSearch",
    "AzureConnectors",
    "AzureContainerAppsService",
    "AzureContainerRegistry",
    "AzureCosmosDB",
    "AzureDatabricks",
    "AzureDataExplorerManagement",
    "AzureDevOps",
    "AzureDigitalTwins",
    "AzureEventGrid",
    "AzureFrontDoor.Backend",
    "AzureFrontDoor.FirstParty",
    "AzureFrontDoor.Frontend",
    "AzureHealthcareAPIs",
    "AzureInformationProtection",
    "AzureIoTHub",
    "AzureKeyVault",
    "AzureLoadBalancer",
    "AzureMachineLearning",
    "AzureManagedGrafana",
    "AzureMonitor",
    "AzureOpenDatasets",
    "AzurePlatformDNS",
    "AzurePlatformIMDS",
    "AzurePlatformLKM",
    "AzureResourceManager",
    "AzureSentinel",
    "AzureSignalR",
    "AzureSiteRecovery",
    "AzureSpringCloud",
    "AzureStack",
    "AzureTrafficManager",
    "AzureUpdateDelivery",
    "AzureWebPubSub",
    "BatchNodeManagement",
    "ChaosStudio",
    "CognitiveServicesFrontend",
    "CognitiveServicesManagement",
    "DataFactory",
    "DataFactoryManagement",
    "Dynamics365ForMarketingEmail",
    "EventHub",
    "GatewayManager",
    "GuestAndHybridManagement",
    "HDInsight",
    "Internet",
    "KustoAnalytics",
    "LogicApps",
    "LogicAppsManagement",
    "MicrosoftCloudAppSecurity",
    "MicrosoftContainerRegistry",
    "MicrosoftDefenderForEndpoint",
    "MicrosoftPurviewPolicyDistribution",
    "PowerBI",
    "PowerPlatformInfra",
    "PowerPlatformPlex",
    "PowerQueryOnline",
    "SCCservice",
    "ServiceBus",
    "ServiceFabric",
    "Sql",
    "SqlManagement",
    "Storage",
    "StorageMover",
    "StorageSyncService",
    "VideoIndexer",
    "VirtualDesktop",
    "VirtualNetwork",
];

/// Whether Azure has a service tag of that name.
pub(crate) fn is_tag(text: &str) -> bool {
    let of = |name: &str| TAGS.iter().any(|tag| tag.eq_ignore_ascii_case(name));
    of(text)
        || text
            .rsplit_once('.')
            .is_some_and(|(name, region)| of(name) && !name.contains('.') && is_region(region))
}

fn is_region(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    crate::regions::exists(&lower)
}
