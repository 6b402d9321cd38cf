//! How each Azure type looks in a picture, and what its references mean: two tables.
//!
//! To teach the pictures a type, add a row to [`LOOKS`]; where its body names other resources in a way that a
//! reader wants to see, add a row to [`RELATIONS`]. A type without a row is drawn too: a box of its own, or a line
//! in its parent's box when it is a child.

/// What a resource is for; gives it its colour, its place and its heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// What requests from outside meet first.
    Entry,
    /// What runs code.
    Compute,
    /// Networks and what belongs to them.
    Network,
    /// Zones of private names.
    Names,
    /// Databases, caches and files.
    Data,
    /// Queues and events.
    Messaging,
    /// Models, speech, and reaching people.
    Ai,
    /// Secrets, images and settings.
    Supply,
    /// Logs, metrics and alerts.
    Monitoring,
    /// Costs, locks and tests.
    Governance,
    /// Whatever no row is about.
    Other,
}

impl Group {
    /// Every group, in the order in which a picture shows them.
    pub const ALL: &[Group] =
        &[Entry, Compute, Network, Names, Data, Messaging, Ai, Supply, Monitoring, Governance, Group::Other];

    /// The heading of its boxes.
    pub fn heading(self) -> &'static str {
        match self {
            Entry => "Entry",
            Compute => "Compute",
            Network => "Network",
            Names => "Private DNS zones",
            Data => "Data",
            Messaging => "Messaging",
            Ai => "AI and communication",
            Supply => "Secrets, images and settings",
            Monitoring => "Monitoring",
            Governance => "Governance",
            Group::Other => "Other",
        }
    }

    /// Its word in classes and ids.
    pub fn word(self) -> &'static str {
        match self {
            Entry => "entry",
            Compute => "compute",
            Network => "network",
            Names => "names",
            Data => "data",
            Messaging => "messaging",
            Ai => "ai",
            Supply => "supply",
            Monitoring => "monitoring",
            Governance => "governance",
            Group::Other => "other",
        }
    }
}

/// In which form a resource is in a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// A box with a label, a name and facts.
    Card,
    /// A box of one line.
    Slip,
    /// A box that others are drawn in.
    Frame,
    /// A line in the box of its parent, under this heading.
    Line(&'static str),
    /// A line, under this heading, in the box of the first that refers to it; a card when nobody does.
    Attached(&'static str),
    /// A line, under this heading, in the box of what it names at this path; else of its parent.
    AttachedTo(&'static str, &'static str),
    /// Not shown: it says nothing that its parent's box does not.
    Silent,
    /// One box for all of them: `14 alerts`.
    Counted(&'static str, &'static str),
    /// An edge.
    Edge(Link),
    /// The title.
    Title,
}

/// Where the edge that stands for a resource begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// From the principal at this path to what the assignment lies on; the role at the other path says what for.
    Grant {
        /// Path of the principal's id.
        principal: &'static str,
        /// Path of the role's id.
        role: &'static str,
    },
    /// From what it lies on to what it names at this path.
    To(&'static str, Means),
    /// From what it names at this path to what it lies on, with these words; a line under this heading when it names
    /// nobody of ours.
    From(&'static str, &'static str, &'static str),
}

/// What a reference means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// It is drawn inside what it names.
    Inside,
    /// An edge with these words.
    Edge(&'static str),
    /// An edge with these words from what it names.
    Back(&'static str),
    /// An edge with these words; where many have it, a mark on each box and a line in the legend instead.
    Common(&'static str),
    /// A line of its own kind, without words, that the legend explains: `private endpoint`.
    Private,
    /// A line in its own box: these words, then the other's name; the other is drawn beside it.
    NoteBeside(&'static str),
    /// A line in the box of what it names: these words, then its own name.
    NoteThere(&'static str),
    /// Nothing that a reader wants to see.
    Nothing,
}

/// How a type looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The ARM type; behind a `#` the kind, where kinds look different.
    pub resource_type: &'static str,
    /// What people call it.
    pub label: &'static str,
    /// Two or three letters for its tile.
    pub icon: &'static str,
    /// What it is for.
    pub group: Group,
    /// Its form.
    pub drawn: Drawn,
    /// What is worth saying, each with `{path}` filled from the body: `{path[]}` every item's, `{#path}` how many
    /// items, `{path..path}` from one to the other, `{?path}` nothing, but the fact holds only where the value is true. A fact with a path that the body
    /// has not is left out. `heading: {path[]}` is a list of its own.
    pub facts: &'static [&'static str],
}

const fn look(
    resource_type: &'static str,
    label: &'static str,
    icon: &'static str,
    group: Group,
    drawn: Drawn,
    facts: &'static [&'static str],
) -> Look {
    Look { resource_type, label, icon, group, drawn, facts }
}

use Drawn::{Attached, AttachedTo, Card, Counted, Frame, Line, Silent, Slip, Title};
use Group::{Ai, Compute, Data, Entry, Governance, Messaging, Monitoring, Names, Network, Supply};

const CPU: &str = "{properties.template.containers[].resources.cpu} cpu, {properties.template.containers[].resources.memory}";

/// Every type that has a look of its own, by provider.
#[rustfmt::skip]
pub const LOOKS: &[Look] = &[
    look("Microsoft.App/containerApps", "Container app", "CA", Compute, Card, &[CPU, "{properties.template.scale.minReplicas..properties.template.scale.maxReplicas} replicas"]),
    look("Microsoft.App/jobs", "Container job", "CJ", Compute, Card, &[CPU, "{properties.configuration.triggerType}", "{properties.configuration.scheduleTriggerConfig.cronExpression}"]),
    look("Microsoft.App/managedEnvironments", "Container Apps environment", "CE", Compute, Frame, &["{?properties.zoneRedundant}zone redundant", "{?properties.vnetConfiguration.internal}internal"]),
    look("Microsoft.App/managedEnvironments/certificates", "Certificate", "CT", Compute, Line("certificates"), &[]),
    look("Microsoft.App/managedEnvironments/daprComponents", "Dapr component", "DC", Compute, Line("Dapr components"), &["{properties.componentType}"]),
    look("Microsoft.App/managedEnvironments/managedCertificates", "Managed certificate", "MC", Compute, Line("certificates"), &["{properties.subjectName}"]),
    look("Microsoft.App/managedEnvironments/storages", "Mounted storage", "MS", Compute, Line("volumes"), &[]),
    look("Microsoft.AppConfiguration/configurationStores", "App Configuration", "AC", Supply, Card, &["{sku.name}"]),
    look("Microsoft.AppConfiguration/configurationStores/keyValues", "Setting", "KV", Supply, Line("settings"), &[]),
    look("Microsoft.Authorization/locks", "Lock", "LO", Governance, Line("locks"), &["{properties.level}"]),
    look("Microsoft.Authorization/roleAssignments", "Role assignment", "RA", Governance, Drawn::Edge(Link::Grant { principal: "properties.principalId", role: "properties.roleDefinitionId" }), &[]),
    look("Microsoft.Cache/redis", "Azure Cache for Redis", "RC", Data, Card, &["{properties.sku.name} {properties.sku.family}{properties.sku.capacity}"]),
    look("Microsoft.Cache/redisEnterprise", "Azure Managed Redis", "RE", Data, Card, &["{sku.name}", "high availability {properties.highAvailability}"]),
    look("Microsoft.Cache/redisEnterprise/databases", "Redis database", "DB", Data, Line("databases"), &["port {properties.port}"]),
    look("Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments", "Redis access", "RA", Data, Drawn::Edge(Link::Grant { principal: "properties.user.objectId", role: "properties.accessPolicyName" }), &[]),
    look("Microsoft.Cdn/profiles", "Front Door", "FD", Entry, Card, &["{sku.name}"]),
    look("Microsoft.Cdn/profiles/afdEndpoints", "Front Door endpoint", "FE", Entry, Line("endpoints"), &[]),
    look("Microsoft.Cdn/profiles/afdEndpoints/routes", "Front Door route", "FR", Entry, Line("routes"), &["{properties.patternsToMatch[]}"]),
    look("Microsoft.Cdn/profiles/originGroups", "Origin group", "OG", Entry, Line("origin groups"), &[]),
    look("Microsoft.Cdn/profiles/originGroups/origins", "Origin", "OR", Entry, Line("origins"), &[]),
    look("Microsoft.CognitiveServices/accounts", "AI services", "AI", Ai, Card, &["{kind}", "{sku.name}"]),
    look("Microsoft.CognitiveServices/accounts#OpenAI", "Azure OpenAI", "OA", Ai, Card, &["{sku.name}"]),
    look("Microsoft.CognitiveServices/accounts#SpeechServices", "Speech", "SP", Ai, Card, &["{sku.name}"]),
    look("Microsoft.CognitiveServices/accounts/deployments", "Model deployment", "MD", Ai, Line("models"), &["{sku.name} × {sku.capacity}"]),
    look("Microsoft.Communication/communicationServices", "Communication Services", "CS", Ai, Card, &["data in {properties.dataLocation}"]),
    look("Microsoft.Communication/emailServices", "E-mail service", "EM", Ai, Card, &["data in {properties.dataLocation}"]),
    look("Microsoft.Communication/emailServices/domains", "E-mail domain", "ED", Ai, Line("domains"), &[]),
    look("Microsoft.Consumption/budgets", "Budget", "BU", Governance, Card, &["{properties.amount} {properties.timeGrain}", "told at {properties.notifications.*.threshold} %"]),
    look("Microsoft.ContainerInstance/containerGroups", "Container instance", "CI", Compute, Card, &["{properties.containers[].properties.resources.requests.cpu} cpu"]),
    look("Microsoft.ContainerRegistry/registries", "Container registry", "CR", Supply, Card, &["{sku.name}"]),
    look("Microsoft.ContainerRegistry/registries/replications", "Replication", "RP", Supply, Line("replicas"), &[]),
    look("Microsoft.ContainerRegistry/registries/scopeMaps", "Scope map", "SM", Supply, Line("scope maps"), &[]),
    look("Microsoft.ContainerRegistry/registries/tasks", "Registry task", "RT", Supply, Line("tasks"), &[]),
    look("Microsoft.ContainerService/managedClusters", "AKS cluster", "AK", Compute, Frame, &["{sku.tier}", "Kubernetes {properties.kubernetesVersion}", "pools: {properties.agentPoolProfiles[].name}"]),
    look("Microsoft.ContainerService/managedClusters/agentPools", "AKS node pool", "NP", Compute, Line("more pools"), &["{properties.vmSize}", "{properties.minCount..properties.maxCount}"]),
    look("Microsoft.ContainerService/managedClusters/maintenanceConfigurations", "Maintenance window", "MW", Compute, Line("maintenance"), &[]),
    look("Microsoft.DBforPostgreSQL/flexibleServers", "PostgreSQL", "PG", Data, Card, &["version {properties.version}", "{sku.name}", "{properties.storage.storageSizeGB} GiB", "availability {properties.highAvailability.mode}"]),
    look("Microsoft.DBforPostgreSQL/flexibleServers/administrators", "PostgreSQL administrator", "PA", Data, Drawn::Edge(Link::From("name", "signs in", "administrators")), &["{properties.principalName}"]),
    look("Microsoft.DBforPostgreSQL/flexibleServers/configurations", "PostgreSQL parameter", "PP", Data, Line("parameters"), &["{properties.value}"]),
    look("Microsoft.DBforPostgreSQL/flexibleServers/databases", "PostgreSQL database", "PD", Data, Line("databases"), &[]),
    look("Microsoft.DBforPostgreSQL/flexibleServers/firewallRules", "PostgreSQL firewall rule", "PF", Data, Line("firewall rules"), &[]),
    look("Microsoft.DocumentDB/databaseAccounts", "Cosmos DB", "CO", Data, Card, &["{properties.consistencyPolicy.defaultConsistencyLevel} consistency", "{properties.locations[].locationName}"]),
    look("Microsoft.DocumentDB/databaseAccounts/sqlDatabases", "Cosmos database", "CD", Data, Line("databases"), &[]),
    look("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers", "Cosmos container", "CC", Data, Line("containers"), &[]),
    look("Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments", "Cosmos role assignment", "RA", Data, Drawn::Edge(Link::Grant { principal: "properties.principalId", role: "properties.roleDefinitionId" }), &[]),
    look("Microsoft.EventGrid/systemTopics", "Event Grid topic", "EG", Messaging, Card, &[]),
    look("Microsoft.EventGrid/systemTopics/eventSubscriptions", "Event subscription", "ES", Messaging, Line("subscriptions"), &[]),
    look("Microsoft.Insights/actionGroups", "Action group", "AG", Monitoring, Card, &["e-mail: {properties.emailReceivers[].name}", "webhook: {properties.webhookReceivers[].name}", "SMS: {properties.smsReceivers[].name}"]),
    look("Microsoft.Insights/autoscalesettings", "Autoscale", "AS", Monitoring, AttachedTo("autoscale", "properties.targetResourceUri"), &["{properties.profiles[].capacity.minimum..properties.profiles[].capacity.maximum}"]),
    look("Microsoft.Insights/components", "Application Insights", "IN", Monitoring, Card, &[]),
    look("Microsoft.Insights/diagnosticSettings", "Diagnostic setting", "DS", Monitoring, Drawn::Edge(Link::To("properties.workspaceId", Means::Common("logs"))), &[]),
    look("Microsoft.Insights/metricAlerts", "Metric alert", "AL", Monitoring, Counted("alert", "alerts"), &[]),
    look("Microsoft.Insights/activityLogAlerts", "Activity alert", "AL", Monitoring, Counted("alert", "alerts"), &[]),
    look("Microsoft.Insights/scheduledQueryRules", "Log alert", "AL", Monitoring, Counted("alert", "alerts"), &[]),
    look("Microsoft.Insights/webtests", "Availability test", "WT", Monitoring, Counted("availability test", "availability tests"), &[]),
    look("Microsoft.Insights/workbooks", "Workbook", "WB", Monitoring, Counted("workbook", "workbooks"), &["{properties.displayName}"]),
    look("Microsoft.KeyVault/vaults", "Key vault", "KV", Supply, Card, &["{properties.sku.name}", "{?properties.enablePurgeProtection}purge protection"]),
    look("Microsoft.KeyVault/vaults/secrets", "Secret", "SE", Supply, Line("secrets"), &[]),
    look("Microsoft.LoadTestService/loadTests", "Load testing", "LT", Governance, Card, &[]),
    look("Microsoft.ManagedIdentity/userAssignedIdentities", "Managed identity", "ID", Compute, Slip, &[]),
    look("Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials", "Federated credential", "FC", Compute, Line("trusts"), &["{properties.subject}"]),
    look("Microsoft.Network/applicationGateways", "Application gateway", "AG", Network, Card, &["{properties.sku.name}", "{properties.autoscaleConfiguration.minCapacity..properties.autoscaleConfiguration.maxCapacity} units", "{#properties.httpListeners} listeners"]),
    look("Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies", "WAF policy", "WF", Network, Attached("WAF"), &["{properties.policySettings.mode}"]),
    look("Microsoft.Network/bastionHosts", "Bastion", "BA", Network, Card, &["{sku.name}"]),
    look("Microsoft.Network/dnsZones", "DNS zone", "DN", Entry, Card, &[]),
    look("Microsoft.Network/dnsZones/A", "A record", "A", Entry, Line("A"), &["{properties.ARecords[].ipv4Address}"]),
    look("Microsoft.Network/dnsZones/CNAME", "CNAME record", "CN", Entry, Line("CNAME"), &["{properties.CNAMERecord.cname}"]),
    look("Microsoft.Network/dnsZones/TXT", "TXT record", "TX", Entry, Line("TXT"), &[]),
    look("Microsoft.Network/loadBalancers", "Load balancer", "LB", Network, Card, &["{sku.name}"]),
    look("Microsoft.Network/natGateways", "NAT gateway", "NG", Network, Card, &["{sku.name}"]),
    look("Microsoft.Network/networkSecurityGroups", "Network security group", "SG", Network, Attached("security group"), &["rules: {properties.securityRules[].name}"]),
    look("Microsoft.Network/networkSecurityGroups/securityRules", "Security rule", "SR", Network, Line("rules"), &[]),
    look("Microsoft.Network/privateDnsZones", "Private DNS zone", "PZ", Names, Slip, &[]),
    look("Microsoft.Network/privateDnsZones/virtualNetworkLinks", "Network link", "NL", Names, Drawn::Edge(Link::To("properties.virtualNetwork.id", Means::Edge("linked"))), &[]),
    look("Microsoft.Network/privateEndpoints", "Private endpoint", "PE", Network, Slip, &["{properties.privateLinkServiceConnections[].properties.groupIds[]}"]),
    look("Microsoft.Network/privateEndpoints/privateDnsZoneGroups", "DNS zone group", "ZG", Network, Silent, &[]),
    look("Microsoft.Network/publicIPAddresses", "Public IP address", "IP", Network, Attached("public IP"), &[]),
    look("Microsoft.Network/routeTables", "Route table", "RT", Network, Attached("route table"), &["routes: {properties.routes[].name}"]),
    look("Microsoft.Network/trafficManagerProfiles", "Traffic Manager", "TM", Entry, Card, &["{properties.trafficRoutingMethod}", "endpoints: {properties.endpoints[].name}"]),
    look("Microsoft.Network/trafficManagerProfiles/azureEndpoints", "Traffic endpoint", "TE", Entry, Line("endpoints"), &[]),
    look("Microsoft.Network/trafficManagerProfiles/externalEndpoints", "Traffic endpoint", "TE", Entry, Line("endpoints"), &[]),
    look("Microsoft.Network/virtualNetworks", "Virtual network", "VN", Network, Frame, &["{properties.addressSpace.addressPrefixes[]}"]),
    look("Microsoft.Network/virtualNetworks/subnets", "Subnet", "SN", Network, Frame, &["{properties.addressPrefix}", "{properties.addressPrefixes[]}", "for {properties.delegations[].properties.serviceName}"]),
    look("Microsoft.Network/virtualNetworks/virtualNetworkPeerings", "Peering", "PR", Network, Line("peerings"), &[]),
    look("Microsoft.OperationalInsights/workspaces", "Log Analytics", "LA", Monitoring, Card, &["{properties.retentionInDays} days", "at most {properties.workspaceCapping.dailyQuotaGb} GB a day"]),
    look("Microsoft.Portal/dashboards", "Dashboard", "DA", Monitoring, Counted("dashboard", "dashboards"), &[]),
    look("Microsoft.Resources/deployments", "Deployment", "DP", Governance, Card, &[]),
    look("Microsoft.Resources/resourceGroups", "Resource group", "RG", Governance, Title, &[]),
    look("Microsoft.Search/searchServices", "AI Search", "SR", Ai, Card, &["{sku.name}"]),
    look("Microsoft.ServiceBus/namespaces", "Service Bus", "SB", Messaging, Card, &["{sku.name}"]),
    look("Microsoft.ServiceBus/namespaces/authorizationRules", "Access rule", "AR", Messaging, Line("access rules"), &["{properties.rights[]}"]),
    look("Microsoft.ServiceBus/namespaces/queues", "Queue", "QU", Messaging, Line("queues"), &[]),
    look("Microsoft.ServiceBus/namespaces/topics", "Topic", "TO", Messaging, Line("topics"), &[]),
    look("Microsoft.ServiceBus/namespaces/topics/subscriptions", "Subscription", "SU", Messaging, Line("subscriptions"), &[]),
    look("Microsoft.Storage/storageAccounts", "Storage account", "ST", Data, Card, &["{sku.name}", "{properties.accessTier}"]),
    look("Microsoft.Storage/storageAccounts/blobServices", "Blob service", "BS", Data, Silent, &[]),
    look("Microsoft.Storage/storageAccounts/blobServices/containers", "Blob container", "BC", Data, Line("containers"), &[]),
    look("Microsoft.Storage/storageAccounts/fileServices", "File service", "FS", Data, Silent, &[]),
    look("Microsoft.Storage/storageAccounts/fileServices/shares", "File share", "SH", Data, Line("file shares"), &["{properties.shareQuota} GiB"]),
    look("Microsoft.Storage/storageAccounts/queueServices", "Queue service", "QS", Data, Silent, &[]),
    look("Microsoft.Storage/storageAccounts/queueServices/queues", "Storage queue", "QU", Data, Line("queues"), &[]),
    look("Microsoft.Storage/storageAccounts/tableServices", "Table service", "TS", Data, Silent, &[]),
    look("Microsoft.Storage/storageAccounts/tableServices/tables", "Table", "TA", Data, Line("tables"), &[]),
    look("Microsoft.Storage/storageAccounts/managementPolicies", "Lifecycle rules", "LR", Data, Silent, &["lifecycle rules: {properties.policy.rules[].name}"]),
    look("Microsoft.Web/certificates", "App Service certificate", "CT", Compute, Attached("certificates"), &[]),
    look("Microsoft.Web/serverfarms", "App Service plan", "SF", Compute, Frame, &["{sku.name} × {sku.capacity}", "{?properties.zoneRedundant}zone redundant"]),
    look("Microsoft.Web/sites", "Web app", "WA", Compute, Card, &["{properties.siteConfig.linuxFxVersion}"]),
    look("Microsoft.Web/sites#functionapp,linux", "Function app", "FA", Compute, Card, &["{properties.siteConfig.linuxFxVersion}"]),
    look("Microsoft.Web/sites/config", "Web app settings", "WC", Compute, Silent, &[]),
    look("Microsoft.Web/sites/hostNameBindings", "Host name", "HN", Compute, Line("host names"), &[]),
    look("Microsoft.Web/sites/slots", "Deployment slot", "SL", Compute, Line("slots"), &[]),
    look("Microsoft.Web/sites/slots/config", "Slot settings", "SC", Compute, Silent, &[]),
    look("Microsoft.Web/sites/basicPublishingCredentialsPolicies", "Publishing policy", "PB", Compute, Silent, &[]),
    look("Microsoft.Web/staticSites", "Static web app", "SW", Compute, Card, &["{sku.name}"]),
    look("Microsoft.Web/staticSites/config", "Static web app settings", "WC", Compute, Silent, &[]),
    look("Microsoft.Web/staticSites/customDomains", "Custom domain", "CD", Compute, Line("domains"), &[]),
    look("Microsoft.Web/staticSites/linkedBackends", "Linked backend", "LB", Compute, Drawn::Edge(Link::To("properties.backendResourceId", Means::Edge("calls"))), &[]),
];

/// What a reference at a path of a type means.
#[derive(Clone, Copy, Debug)]
pub struct Relation {
    /// The ARM type; `*` for any.
    pub from: &'static str,
    /// Dotted path; `[]` for the items of a list, `*` for any key, `**` at the end for anything below.
    pub path: &'static str,
    /// The type of what is named; `*` for any.
    pub to: &'static str,
    /// What it means.
    pub means: Means,
}

const fn to(from: &'static str, path: &'static str, to: &'static str, means: Means) -> Relation {
    Relation { from, path, to, means }
}

const SUBNET: &str = "Microsoft.Network/virtualNetworks/subnets";
const VAULT: &str = "Microsoft.KeyVault/vaults";
const PULLS: Means = Means::Edge("pulls images");
const SECRETS: Means = Means::Edge("reads secrets");
const CERTIFICATES: Means = Means::Edge("reads certificates");
const LOGS: Means = Means::Common("logs");
const ROUTES: Means = Means::Edge("routes to");
const NOTIFIES: Means = Means::Edge("tells");

/// What references mean; the first row that fits counts. What no row is about is `uses` when a service says it, and
/// else nothing.
#[rustfmt::skip]
pub const RELATIONS: &[Relation] = &[
    // What lies in what.
    to("Microsoft.App/containerApps", "properties.environmentId", "*", Means::Inside),
    to("Microsoft.App/containerApps", "properties.managedEnvironmentId", "*", Means::Inside),
    to("Microsoft.App/jobs", "properties.environmentId", "*", Means::Inside),
    to("Microsoft.App/managedEnvironments", "properties.vnetConfiguration.infrastructureSubnetId", "*", Means::Inside),
    to("Microsoft.Cache/redis", "properties.subnetId", "*", Means::Inside),
    to("Microsoft.ContainerInstance/containerGroups", "properties.subnetIds[].id", "*", Means::Inside),
    to("Microsoft.ContainerService/managedClusters", "properties.agentPoolProfiles[].vnetSubnetID", "*", Means::Inside),
    to("Microsoft.ContainerService/managedClusters/agentPools", "properties.vnetSubnetID", "*", Means::NoteThere("node pool")),
    to("Microsoft.DBforPostgreSQL/flexibleServers", "properties.network.delegatedSubnetResourceId", "*", Means::Inside),
    to("Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials", "properties.issuer", "*", Means::Inside),
    to("Microsoft.Network/applicationGateways", "properties.gatewayIPConfigurations[].properties.subnet.id", "*", Means::Inside),
    to("Microsoft.Network/bastionHosts", "properties.ipConfigurations[].properties.subnet.id", "*", Means::Inside),
    to("Microsoft.Network/loadBalancers", "properties.frontendIPConfigurations[].properties.subnet.id", "*", Means::Inside),
    to("Microsoft.Network/privateEndpoints", "properties.subnet.id", "*", Means::Inside),
    to("Microsoft.Web/sites", "properties.serverFarmId", "*", Means::Inside),
    // The ways of the network.
    to("Microsoft.Network/privateEndpoints", "properties.privateLinkServiceConnections[].properties.privateLinkServiceId", "*", Means::Private),
    to("Microsoft.Network/privateEndpoints", "properties.manualPrivateLinkServiceConnections[].properties.privateLinkServiceId", "*", Means::Private),
    to(SUBNET, "properties.natGateway.id", "*", Means::NoteBeside("out by")),
    to("Microsoft.Web/sites", "properties.virtualNetworkSubnetId", "*", Means::NoteThere("integrates")),
    to("Microsoft.Web/sites/slots", "properties.virtualNetworkSubnetId", "*", Means::Nothing),
    to("Microsoft.Network/trafficManagerProfiles", "properties.endpoints[].properties.**", "*", ROUTES),
    to("Microsoft.Network/applicationGateways", "properties.backendAddressPools[].**", "*", ROUTES),
    to("Microsoft.Network/applicationGateways", "properties.probes[].**", "*", Means::Nothing),
    to("Microsoft.Network/applicationGateways", "properties.backendHttpSettingsCollection[].**", "*", Means::Nothing),
    to("Microsoft.Network/applicationGateways", "properties.sslCertificates[].**", VAULT, CERTIFICATES),
    to("Microsoft.Network/loadBalancers", "properties.backendAddressPools[].**", "*", ROUTES),
    to("Microsoft.Network/trafficManagerProfiles/azureEndpoints", "properties.**", "*", ROUTES),
    to("Microsoft.Network/trafficManagerProfiles/externalEndpoints", "properties.**", "*", ROUTES),
    to("Microsoft.Cdn/profiles/originGroups/origins", "properties.**", "*", ROUTES),
    to("Microsoft.Network/dnsZones/A", "**", "*", Means::Edge("points to")),
    to("Microsoft.Network/dnsZones/CNAME", "**", "*", Means::Edge("points to")),
    to("Microsoft.Network/dnsZones/TXT", "**", "*", Means::Nothing),
    // Logs, and who is told.
    to("Microsoft.App/managedEnvironments", "properties.appLogsConfiguration.**", "*", LOGS),
    to("Microsoft.App/managedEnvironments", "properties.daprAIConnectionString", "*", Means::Common("telemetry")),
    to("Microsoft.ContainerService/managedClusters", "**", "Microsoft.OperationalInsights/workspaces", LOGS),
    to("Microsoft.ContainerInstance/containerGroups", "properties.diagnostics.**", "*", LOGS),
    to("Microsoft.Insights/components", "properties.WorkspaceResourceId", "*", LOGS),
    to("Microsoft.Insights/metricAlerts", "properties.actions[].actionGroupId", "*", NOTIFIES),
    to("Microsoft.Insights/scheduledQueryRules", "properties.actions.actionGroups[]", "*", NOTIFIES),
    to("Microsoft.Insights/activityLogAlerts", "properties.actions.actionGroups[].actionGroupId", "*", NOTIFIES),
    to("Microsoft.Consumption/budgets", "properties.notifications.*.contactGroups[]", "*", NOTIFIES),
    // Secrets, certificates, images, events, files.
    to("Microsoft.Web/certificates", "properties.keyVaultId", "*", CERTIFICATES),
    to("Microsoft.App/managedEnvironments/certificates", "properties.certificateKeyVaultProperties.**", VAULT, CERTIFICATES),
    to("Microsoft.App/managedEnvironments/storages", "**", "Microsoft.Storage/storageAccounts", Means::Edge("mounts")),
    to("Microsoft.DBforPostgreSQL/flexibleServers", "properties.sourceServerResourceId", "*", Means::Back("replicates")),
    to("Microsoft.EventGrid/systemTopics", "properties.source", "*", Means::Back("events")),
    to("Microsoft.EventGrid/systemTopics/eventSubscriptions", "properties.deadLetter**", "*", Means::Edge("dead letters")),
    to("Microsoft.EventGrid/systemTopics/eventSubscriptions", "**", "*", Means::Edge("delivers")),
    to("Microsoft.Communication/communicationServices", "properties.linkedDomains[]", "*", Means::Edge("sends by")),
    to("*", "**", "Microsoft.Insights/components", Means::Common("telemetry")),
    to("Microsoft.App/containerApps", "**", "Microsoft.ContainerRegistry/registries", PULLS),
    to("Microsoft.App/jobs", "**", "Microsoft.ContainerRegistry/registries", PULLS),
    to("Microsoft.Web/sites", "**", "Microsoft.ContainerRegistry/registries", PULLS),
    to("Microsoft.App/containerApps", "**", VAULT, SECRETS),
    to("Microsoft.App/jobs", "**", VAULT, SECRETS),
    to("Microsoft.Web/sites", "**", VAULT, SECRETS),
    to("Microsoft.Web/sites/config", "**", VAULT, SECRETS),
    to("Microsoft.Web/sites/slots", "**", VAULT, SECRETS),
    to("Microsoft.Web/staticSites/config", "**", VAULT, SECRETS),
];

/// What a role allows, in a word or two, by the last part of its definition's id.
#[rustfmt::skip]
pub const ROLES: &[(&str, &str)] = &[
    // Registries.
    ("7f951dda-4ed3-4680-a7ca-43fe172d538d", "pulls images"),
    ("8311e382-0749-4cb8-b61a-304f252e45ec", "pushes images"),
    // Key vaults.
    ("4633458b-17de-408a-b874-0445c86b69e6", "reads secrets"),
    ("b86a8fe4-44ce-4948-aee5-eccb2c155cd7", "sets secrets"),
    ("db79e9a7-68ee-4b58-9aeb-b90e7c24fcba", "reads certificates"),
    ("a4417e6f-fecd-4de8-b567-7b0420556985", "manages certificates"),
    ("12338af0-0e69-4776-bea7-57ae8d297424", "encrypts"),
    ("e147488a-f6f5-4113-8e2d-b22465e65bf6", "encrypts"),
    ("21090545-7ca7-4776-b22c-e363652d74d2", "reads metadata"),
    ("00482a5a-887f-4fb3-b363-3b7fe8e74483", "administers"),
    // Storage accounts.
    ("2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", "reads blobs"),
    ("ba92f5b4-2d11-453d-a403-e96b0029c9fe", "writes blobs"),
    ("b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "owns blobs"),
    ("19e7f393-937e-4f77-808e-94535e297925", "reads queues"),
    ("974c5e8b-45b9-4653-ba55-5f855dd0fb88", "writes queues"),
    ("c6a89b2d-59bc-44d0-9896-0f6e12d7b80a", "sends"),
    ("8a0f0c08-91a1-4084-bc3d-661d67233fed", "receives"),
    ("76199698-9eea-4c19-bc75-cec21354c6b6", "reads tables"),
    ("0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3", "writes tables"),
    ("aba4ae5f-2193-4029-9191-0cb91df5e314", "reads files"),
    ("0c867c2a-1d8c-454a-a3db-ab2ea1bdc8bb", "writes files"),
    ("69566ab7-960f-475b-8e7c-b3118f30c6bd", "writes files"),
    // Messages and events.
    ("090c5cfd-751d-490a-894a-3ce6f1109419", "owns messages"),
    ("69a216fc-b8fb-44d8-bc22-1f3c2cd27a39", "sends"),
    ("4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0", "receives"),
    ("d5a91429-5739-47e2-a06b-3470a27159e7", "sends events"),
    // Models, speech, people.
    ("5e0bd9bd-7b93-4f28-af87-19fc36ad61bd", "calls"),
    ("a001fd3d-188f-4b5d-821b-7da978bf7442", "calls, deploys models"),
    ("a97b65f3-24c7-4388-baec-2e87135dc908", "calls"),
    ("f2dc8367-1007-4938-bd23-fe263f013447", "calls"),
    ("0e75ca1e-0464-4b4d-8b93-68208a576181", "calls, manages"),
    ("09976791-48a7-449e-bb21-39d1a415f350", "calls"),
    // Settings, metrics, load.
    ("516239f1-63e1-4d78-a4de-a74fb236a071", "reads settings"),
    ("5ae67dd6-50cb-40e7-96ff-dc2bfa4b606b", "writes settings"),
    ("3913510d-42f4-4e42-8a64-420c390055eb", "telemetry"),
    ("73c42c96-874c-492b-b04d-ab87d138a893", "reads logs"),
    ("43d0d8ad-25c7-4714-9337-8ba259a9fe05", "reads metrics"),
    ("749a398d-560b-491b-bb21-08924219302e", "tests load"),
    // Networks and management.
    ("4d97b98b-1d4f-4787-a291-c67834d212e7", "manages network"),
    ("b12aa53e-6015-4669-85d0-8515ebb3ae7f", "manages names"),
    ("f1a07417-d97a-45cb-824c-7a7467783830", "hands on"),
    ("acdd72a7-3385-48ef-bd42-f606fba81ae7", "reads"),
    ("b24988ac-6180-42a0-ab88-20f7382dd24c", "manages"),
    ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "owns"),
    // Cosmos DB's own roles, and Redis's own policies.
    ("00000000-0000-0000-0000-000000000001", "reads"),
    ("00000000-0000-0000-0000-000000000002", "reads, writes"),
    ("default", "reads, writes"),
];

/// What a role allows; a role that the table does not know is called what it is.
pub fn role_words(id: &str) -> &'static str {
    let id = id.rsplit('/').next().unwrap_or(id);
    ROLES.iter().find(|(known, _)| known.eq_ignore_ascii_case(id)).map_or("has a role", |(_, words)| words)
}

/// The look of a type and, where it matters, kind; none when no row is about it.
pub fn find(resource_type: &str, kind: Option<&str>) -> Option<&'static Look> {
    let of = |wanted: &str, wanted_kind: Option<&str>| {
        LOOKS.iter().find(|look| {
            let (known, known_kind) = match look.resource_type.split_once('#') {
                Some((known, kind)) => (known, Some(kind)),
                None => (look.resource_type, None),
            };
            known.eq_ignore_ascii_case(wanted) && known_kind == wanted_kind
        })
    };
    kind.and_then(|kind| of(resource_type, Some(kind))).or_else(|| of(resource_type, None))
}

/// What a reference means, if a row says so.
pub fn means(from: &str, path: &str, to: &str) -> Option<Means> {
    let fits = |pattern: &str, text: &str| pattern == "*" || pattern.eq_ignore_ascii_case(text);
    let row =
        RELATIONS.iter().find(|row| fits(row.from, from) && fits(row.to, to) && path_fits(row.path, path));
    row.map(|row| row.means)
}

/// Whether a path has a pattern's form: `*` is one key, and `**` at the end is anything.
fn path_fits(pattern: &str, path: &str) -> bool {
    if let Some(start) = pattern.strip_suffix("**") {
        // Only the part before the last dot may hold `*`; the rest is compared as text.
        return path.starts_with(start);
    }
    let (mut pattern, mut path) = (pattern.split('.'), path.split('.'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(wanted), Some(there)) if wanted == "*" || wanted == there => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_found_and_no_two_are_about_the_same() {
        let mut seen = std::collections::BTreeSet::new();
        for look in LOOKS {
            assert!(seen.insert(look.resource_type.to_lowercase()), "{} twice", look.resource_type);
            let (resource_type, kind) = match look.resource_type.split_once('#') {
                Some((resource_type, kind)) => (resource_type, Some(kind)),
                None => (look.resource_type, None),
            };
            assert_eq!(find(&resource_type.to_uppercase(), kind).unwrap().label, look.label);
            assert!((1..=3).contains(&look.icon.len()), "{}", look.icon);
        }
        let mut seen = std::collections::BTreeSet::new();
        for relation in RELATIONS {
            assert!(seen.insert((relation.from, relation.path, relation.to)), "{relation:?} twice");
            for wanted in [relation.from, relation.to] {
                assert!(wanted == "*" || find(wanted, None).is_some(), "no look for {wanted}");
            }
        }
    }

    #[test]
    fn a_path_fits_its_pattern() {
        for (pattern, path, fits) in [
            ("properties.subnet.id", "properties.subnet.id", true),
            ("properties.subnet.id", "properties.subnet", false),
            ("properties.subnet", "properties.subnet.id", false),
            (
                "properties.notifications.*.contactGroups[]",
                "properties.notifications.half.contactGroups[]",
                true,
            ),
            ("properties.deadLetter**", "properties.deadLetterDestination.id", true),
            ("properties.logs.**", "properties.logs.key", true),
            ("properties.logs.**", "properties.other.key", false),
            ("**", "anything.at.all", true),
        ] {
            assert_eq!(path_fits(pattern, path), fits, "{pattern} {path}");
        }
    }
}
