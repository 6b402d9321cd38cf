//! Azure's habits, type by type, as one table.
//!
//! What comes back from a `GET` is not what was sent in a `PUT`: ids and some words change their case, defaults
//! are filled in or left out, keys are never shown, lists lose their order. Each row says what of this a type
//! does, so that a plan shows changes and no noise. A property that no row mentions is compared exactly.
//!
//! A path names a property in any item of a list with `[]`: `properties.template.containers[].image`.

use landfall_blueprint::resource::{CONTAINER_APP, ROLE_ASSIGNMENT};
use landfall_blueprint::services::{
    app_config, app_service, cognitive, communication, container_job, cosmos, identity, kubernetes, postgres,
    redis, registry, service_bus, storage, vault,
};

/// What one type does to its bodies.
#[derive(Debug, Default)]
pub struct Habits {
    /// The ARM type.
    pub resource_type: &'static str,
    /// Words that Azure may answer in another case than they were sent.
    pub folded: &'static [&'static str],
    /// Values that Azure may leave out of its answer, because they are what is meant without them.
    pub defaults: &'static [(&'static str, Implied)],
    /// Properties that Azure never answers.
    pub write_only: &'static [&'static str],
    /// Lists whose items are told apart by one of their properties, and lists without an order. A list that
    /// is not here has its items in order.
    pub lists: &'static [(&'static str, List)],
    /// Amounts with a unit, `1Gi` and `1.0Gi` being the same.
    pub quantities: &'static [&'static str],
    /// Optional parts that are wholly the blueprint's: where it says nothing there is to be nothing.
    pub ours: &'static [&'static str],
    /// Parts that others set beside us, and that a write has to send back or would erase.
    pub kept: &'static [&'static str],
    /// Values that a rule of Azure's changes by itself within bounds of ours, such as how many instances there are: ours
    /// is where it begins, and only our own changing of it is a change.
    pub moving: &'static [&'static str],
    /// Properties that only a new resource can have another value of, each with the reason for people.
    pub immutable: &'static [(&'static str, &'static str)],
}

/// A value that Azure may leave out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Implied {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Number(u32),
    /// A text.
    Text(&'static str),
    /// An empty list.
    Nothing,
}

/// How the items of a list are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// By the property of this name, without case when it is a word of Azure's or an id.
    Keyed(&'static str),
    /// As `Keyed`, and items that the blueprint does not have are somebody else's.
    Shared(&'static str),
    /// Plain values without an order.
    Set,
}

const MOVED: (&str, &str) = ("location", "a resource cannot move to another region");

const MESSAGES: &[(&str, &str)] = &[
    ("properties.requiresSession", "whether there are sessions is settled when it is made"),
    ("properties.requiresDuplicateDetection", "whether duplicates are looked for is settled when it is made"),
];

/// The rows.
pub const HABITS: &[Habits] = &[
    Habits { resource_type: landfall_blueprint::resource::RESOURCE_GROUP, immutable: &[MOVED], ..EMPTY },
    Habits {
        resource_type: "Microsoft.OperationalInsights/workspaces",
        // The service answers `pergb2018` for workspaces made through older versions.
        folded: &["properties.sku.name"],
        kept: &[
            "identity",
            "properties.features",
            "properties.publicNetworkAccessForIngestion",
            "properties.publicNetworkAccessForQuery",
            "properties.workspaceCapping",
        ],
        immutable: &[MOVED],
        ..EMPTY
    },
    Habits {
        resource_type: identity::TYPE,
        kept: &["properties.isolationScope"],
        immutable: &[MOVED],
        ..EMPTY
    },
    Habits {
        resource_type: registry::TYPE,
        folded: &["sku.name", "properties.publicNetworkAccess", "properties.roleAssignmentMode"],
        defaults: &[
            ("properties.adminUserEnabled", Implied::Bool(false)),
            ("properties.anonymousPullEnabled", Implied::Bool(false)),
            ("properties.publicNetworkAccess", Implied::Text("Enabled")),
            ("properties.roleAssignmentMode", Implied::Text("LegacyRegistryPermissions")),
        ],
        kept: &[
            "identity",
            "properties.dataEndpointEnabled",
            "properties.encryption",
            "properties.networkRuleBypassOptions",
            "properties.networkRuleSet",
            "properties.policies",
            "properties.zoneRedundancy",
        ],
        immutable: &[
            MOVED,
            ("properties.zoneRedundancy", "zone redundancy is settled when a registry is made"),
        ],
        ..EMPTY
    },
    Habits {
        resource_type: vault::TYPE,
        // The service has answered `Standard` and `standard`.
        folded: &[
            "properties.sku.name",
            "properties.sku.family",
            "properties.publicNetworkAccess",
            "properties.tenantId",
        ],
        defaults: &[
            ("properties.enableSoftDelete", Implied::Bool(true)),
            ("properties.enableRbacAuthorization", Implied::Bool(true)),
            ("properties.publicNetworkAccess", Implied::Text("Enabled")),
            ("properties.softDeleteRetentionInDays", Implied::Number(90)),
        ],
        write_only: &["properties.createMode"],
        kept: &[
            "properties.accessPolicies",
            "properties.enabledForDeployment",
            "properties.enabledForDiskEncryption",
            "properties.enabledForTemplateDeployment",
            // Once on, always on: Azure refuses a write that says otherwise.
            "properties.enablePurgeProtection",
            "properties.networkAcls",
        ],
        immutable: &[
            MOVED,
            (
                "properties.softDeleteRetentionInDays",
                "how long a vault keeps deleted things is fixed once set",
            ),
            ("properties.tenantId", "a vault stays in its tenant"),
        ],
        ..EMPTY
    },
    Habits {
        resource_type: storage::TYPE,
        folded: &[
            "kind",
            "sku.name",
            "properties.accessTier",
            "properties.minimumTlsVersion",
            "properties.publicNetworkAccess",
        ],
        defaults: &[
            ("properties.allowCrossTenantReplication", Implied::Bool(false)),
            ("properties.publicNetworkAccess", Implied::Text("Enabled")),
            ("properties.supportsHttpsTrafficOnly", Implied::Bool(true)),
        ],
        kept: &[
            "identity",
            "properties.customDomain",
            "properties.encryption",
            "properties.isHnsEnabled",
            "properties.keyPolicy",
            "properties.largeFileSharesState",
            "properties.networkAcls",
            "properties.routingPreference",
            "properties.sasPolicy",
        ],
        immutable: &[
            MOVED,
            ("kind", "an account keeps the kind it was made with"),
            ("properties.isHnsEnabled", "the hierarchical namespace is settled when an account is made"),
            ("properties.dnsEndpointType", "the kind of endpoint is settled when an account is made"),
        ],
        ..EMPTY
    },
    Habits {
        resource_type: "Microsoft.Storage/storageAccounts/blobServices",
        defaults: &[("properties.isVersioningEnabled", Implied::Bool(false))],
        kept: &[
            "properties.changeFeed",
            "properties.cors",
            "properties.defaultServiceVersion",
            "properties.lastAccessTimeTrackingPolicy",
            "properties.restorePolicy",
        ],
        ..EMPTY
    },
    Habits {
        resource_type: "Microsoft.Storage/storageAccounts/blobServices/containers",
        folded: &["properties.publicAccess"],
        defaults: &[("properties.publicAccess", Implied::Text("None"))],
        kept: &["properties.metadata"],
        ..EMPTY
    },
    Habits {
        resource_type: "Microsoft.Storage/storageAccounts/managementPolicies",
        folded: &[
            "properties.policy.rules[].type",
            "properties.policy.rules[].definition.filters.blobTypes[]",
        ],
        defaults: &[("properties.policy.rules[].enabled", Implied::Bool(true))],
        lists: &[
            ("properties.policy.rules", List::Keyed("name")),
            ("properties.policy.rules[].definition.filters.blobTypes", List::Set),
            ("properties.policy.rules[].definition.filters.prefixMatch", List::Set),
        ],
        ours: &[
            "properties.policy.rules[].definition.actions.baseBlob.delete",
            "properties.policy.rules[].definition.actions.baseBlob.tierToArchive",
            "properties.policy.rules[].definition.actions.baseBlob.tierToCool",
            "properties.policy.rules[].definition.actions.snapshot",
            "properties.policy.rules[].definition.actions.version",
            "properties.policy.rules[].definition.filters.prefixMatch",
        ],
        ..EMPTY
    },
    Habits {
        resource_type: ROLE_ASSIGNMENT,
        folded: &["properties.principalId", "properties.principalType"],
        immutable: &[
            ("properties.principalId", "a role assignment cannot pass to another principal"),
            ("properties.roleDefinitionId", "a role assignment cannot become one of another role"),
        ],
        ..EMPTY
    },
    Habits {
        resource_type: "Microsoft.App/managedEnvironments",
        folded: &[
            "properties.appLogsConfiguration.destination",
            "properties.appLogsConfiguration.logAnalyticsConfiguration.customerId",
            "properties.publicNetworkAccess",
            "properties.workloadProfiles[].workloadProfileType",
        ],
        defaults: &[
            ("properties.peerAuthentication.mtls.enabled", Implied::Bool(false)),
            ("properties.publicNetworkAccess", Implied::Text("Enabled")),
            ("properties.vnetConfiguration.internal", Implied::Bool(false)),
            ("properties.zoneRedundant", Implied::Bool(false)),
        ],
        write_only: &["properties.appLogsConfiguration.logAnalyticsConfiguration.sharedKey"],
        lists: &[("properties.workloadProfiles", List::Shared("name"))],
        kept: &[
            "identity",
            "properties.infrastructureResourceGroup",
            "properties.peerAuthentication",
            "properties.peerTrafficConfiguration",
            "properties.vnetConfiguration",
            "properties.workloadProfiles",
        ],
        immutable: &[
            MOVED,
            ("properties.infrastructureResourceGroup", "it is settled when an environment is made"),
            ("properties.vnetConfiguration", "an environment stays in the network it was made in"),
            ("properties.zoneRedundant", "zone redundancy is settled when an environment is made"),
        ],
        ..EMPTY
    },
    Habits {
        resource_type: CONTAINER_APP,
        folded: &[
            "identity.type",
            "properties.configuration.activeRevisionsMode",
            "properties.configuration.ingress.customDomains[].bindingType",
            "properties.configuration.ingress.ipSecurityRestrictions[].action",
            "properties.configuration.ingress.stickySessions.affinity",
            "properties.configuration.ingress.transport",
            "properties.configuration.registries[].server",
            "properties.configuration.secrets[].keyVaultUrl",
            "properties.configuration.secrets[].name",
            "properties.template.containers[].env[].secretRef",
            "properties.template.containers[].probes[].httpGet.scheme",
            "properties.template.containers[].probes[].type",
            "properties.workloadProfileName",
        ],
        defaults: &[
            ("properties.configuration.ingress.allowInsecure", Implied::Bool(false)),
            ("properties.configuration.ingress.corsPolicy.allowCredentials", Implied::Bool(false)),
            ("properties.configuration.ingress.external", Implied::Bool(false)),
            ("properties.configuration.ingress.stickySessions.affinity", Implied::Text("none")),
            ("properties.configuration.ingress.transport", Implied::Text("auto")),
            ("properties.template.containers[].command", Implied::Nothing),
            ("properties.template.containers[].env", Implied::Nothing),
            // An empty variable comes back without its value.
            ("properties.template.containers[].env[].value", Implied::Text("")),
            ("properties.template.scale.minReplicas", Implied::Number(0)),
            ("properties.workloadProfileName", Implied::Text("Consumption")),
        ],
        lists: &[
            ("properties.configuration.identitySettings", List::Keyed("identity")),
            ("properties.configuration.ingress.corsPolicy.allowedHeaders", List::Set),
            ("properties.configuration.ingress.corsPolicy.allowedMethods", List::Set),
            ("properties.configuration.ingress.corsPolicy.allowedOrigins", List::Set),
            ("properties.configuration.ingress.customDomains", List::Shared("name")),
            ("properties.configuration.ingress.ipSecurityRestrictions", List::Keyed("name")),
            ("properties.configuration.registries", List::Keyed("server")),
            ("properties.configuration.secrets", List::Keyed("name")),
            ("properties.template.containers", List::Keyed("name")),
            ("properties.template.containers[].env", List::Keyed("name")),
            ("properties.template.containers[].probes", List::Keyed("type")),
            ("properties.template.scale.rules", List::Keyed("name")),
        ],
        quantities: &["properties.template.containers[].resources.memory"],
        ours: &[
            "properties.configuration.ingress",
            "properties.configuration.ingress.corsPolicy",
            "properties.configuration.ingress.ipSecurityRestrictions",
            "properties.configuration.registries",
            "properties.configuration.secrets",
            "properties.template.containers[].args",
            "properties.template.containers[].command",
            "properties.template.containers[].env[].secretRef",
            "properties.template.containers[].env[].value",
            "properties.template.containers[].probes",
            "properties.template.containers[].probes[].httpGet",
            "properties.template.containers[].probes[].tcpSocket",
            "properties.template.scale.rules",
        ],
        kept: &[
            "identity.userAssignedIdentities",
            "properties.configuration.dapr",
            "properties.configuration.identitySettings",
            "properties.configuration.ingress.additionalPortMappings",
            "properties.configuration.ingress.clientCertificateMode",
            "properties.configuration.ingress.customDomains",
            "properties.configuration.ingress.exposedPort",
            "properties.configuration.runtime",
            "properties.configuration.service",
            "properties.template.containers[].volumeMounts",
            "properties.template.initContainers",
            "properties.template.scale.cooldownPeriod",
            "properties.template.scale.pollingInterval",
            "properties.template.serviceBinds",
            "properties.template.volumes",
        ],
        immutable: &[MOVED, ("properties.environmentId", "an app stays in the environment it was made in")],
        ..EMPTY
    },
    Habits {
        resource_type: container_job::TYPE,
        folded: &[
            "identity.type",
            "properties.configuration.registries[].server",
            "properties.configuration.secrets[].keyVaultUrl",
            "properties.configuration.secrets[].name",
            "properties.configuration.triggerType",
            "properties.template.containers[].env[].secretRef",
            "properties.workloadProfileName",
        ],
        defaults: &[
            ("properties.configuration.replicaRetryLimit", Implied::Number(0)),
            ("properties.template.containers[].command", Implied::Nothing),
            ("properties.template.containers[].env", Implied::Nothing),
            ("properties.template.containers[].env[].value", Implied::Text("")),
            ("properties.workloadProfileName", Implied::Text("Consumption")),
        ],
        lists: &[
            ("properties.configuration.eventTriggerConfig.scale.rules", List::Keyed("name")),
            ("properties.configuration.registries", List::Keyed("server")),
            ("properties.configuration.secrets", List::Keyed("name")),
            ("properties.template.containers", List::Keyed("name")),
            ("properties.template.containers[].env", List::Keyed("name")),
        ],
        quantities: &["properties.template.containers[].resources.memory"],
        ours: &[
            "properties.configuration.eventTriggerConfig",
            "properties.configuration.manualTriggerConfig",
            "properties.configuration.registries",
            "properties.configuration.scheduleTriggerConfig",
            "properties.configuration.secrets",
            "properties.template.containers[].args",
            "properties.template.containers[].command",
            "properties.template.containers[].env[].secretRef",
            "properties.template.containers[].env[].value",
        ],
        kept: &["identity.userAssignedIdentities", "properties.configuration.identitySettings"],
        immutable: &[MOVED, ("properties.environmentId", "a job stays in the environment it was made in")],
        ..EMPTY
    },
    Habits {
        resource_type: "Microsoft.App/managedEnvironments/daprComponents",
        lists: &[("properties.metadata", List::Keyed("name")), ("properties.scopes", List::Set)],
        ours: &["properties.secrets"],
        ..EMPTY
    },
    Habits {
        resource_type: postgres::TYPE,
        folded: &["sku.name", "sku.tier"],
        write_only: &["properties.createMode"],
        // The disk grows by itself.
        moving: &["properties.storage.storageSizeGB"],
        kept: &[
            "identity",
            "properties.availabilityZone",
            "properties.dataEncryption",
            "properties.highAvailability.standbyAvailabilityZone",
            "properties.maintenanceWindow",
            "properties.storage.iops",
            "properties.storage.throughput",
            "properties.storage.tier",
            "properties.storage.type",
        ],
        immutable: &[
            MOVED,
            (
                "properties.backup.geoRedundantBackup",
                "where copies are kept is settled when a server is made",
            ),
            ("properties.network.delegatedSubnetResourceId", "a server stays in the subnet it was made in"),
            ("properties.sourceServerResourceId", "a replica keeps its source"),
        ],
        ..EMPTY
    },
    // What is set to what it would be anyway counts as the system's.
    Habits {
        resource_type: "Microsoft.DBforPostgreSQL/flexibleServers/configurations",
        write_only: &["properties.source"],
        ..EMPTY
    },
    Habits {
        resource_type: redis::TYPE,
        folded: &["sku.name"],
        kept: &["identity", "properties.encryption", "zones"],
        immutable: &[MOVED],
        ..EMPTY
    },
    Habits {
        resource_type: redis::DATABASE,
        immutable: &[
            ("properties.clusteringPolicy", "how clients see the shards is settled when a cache is made"),
            ("properties.modules", "modules are settled when a cache is made"),
        ],
        ..EMPTY
    },
    Habits {
        resource_type: service_bus::TYPE,
        folded: &["sku.name", "sku.tier"],
        kept: &["identity", "properties.encryption"],
        immutable: &[MOVED],
        ..EMPTY
    },
    Habits { resource_type: service_bus::QUEUE, immutable: MESSAGES, ..EMPTY },
    Habits { resource_type: service_bus::TOPIC, immutable: MESSAGES, ..EMPTY },
    Habits { resource_type: service_bus::SUBSCRIPTION, immutable: MESSAGES, ..EMPTY },
    Habits {
        resource_type: cosmos::TYPE,
        folded: &["kind"],
        kept: &["identity", "properties.ipRules", "properties.cors"],
        immutable: &[
            MOVED,
            ("properties.capabilities", "what an account is paid for is settled when it is made"),
        ],
        ..EMPTY
    },
    // Throughput is a resource of its own, and not answered here.
    Habits {
        resource_type: "Microsoft.DocumentDB/databaseAccounts/sqlDatabases",
        write_only: &["properties.options"],
        ..EMPTY
    },
    Habits {
        resource_type: "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers",
        write_only: &["properties.options"],
        immutable: &[
            ("properties.resource.partitionKey", "a container keeps the key that parts it"),
            ("properties.resource.uniqueKeyPolicy", "unique keys are settled when a container is made"),
        ],
        ..EMPTY
    },
    Habits {
        resource_type: cognitive::TYPE,
        folded: &["sku.name"],
        kept: &["identity", "properties.encryption", "properties.networkAcls"],
        immutable: &[MOVED, ("properties.customSubDomainName", "an account keeps its subdomain")],
        ..EMPTY
    },
    Habits {
        resource_type: app_config::TYPE,
        folded: &["sku.name"],
        kept: &["identity", "properties.encryption"],
        immutable: &[
            MOVED,
            ("properties.softDeleteRetentionInDays", "how long it is kept is settled when a store is made"),
        ],
        ..EMPTY
    },
    Habits {
        resource_type: communication::TYPE,
        immutable: &[("properties.dataLocation", "data stays where it rests")],
        ..EMPTY
    },
    Habits {
        resource_type: app_service::PLAN,
        folded: &["kind", "sku.name", "sku.tier"],
        defaults: &[("properties.zoneRedundant", Implied::Bool(false))],
        moving: &["sku.capacity"],
        immutable: &[
            MOVED,
            ("properties.reserved", "a plan keeps its operating system"),
            ("properties.zoneRedundant", "zone redundancy is settled when a plan is made"),
        ],
        ..EMPTY
    },
    SITE,
    Habits { resource_type: app_service::SLOT, ..SITE },
    // Settings are the manifest's alone: what others put there may be secrets, which no plan may carry.
    Habits {
        resource_type: app_service::CONFIG,
        lists: &[("properties.appSettingNames", List::Set)],
        ..EMPTY
    },
    Habits {
        resource_type: "Microsoft.Web/sites/hostNameBindings",
        folded: &["properties.customHostNameDnsRecordType", "properties.hostNameType"],
        kept: &["properties.sslState", "properties.thumbprint"],
        ..EMPTY
    },
    Habits {
        resource_type: "Microsoft.Web/staticSites/customDomains",
        // Asked once, when the domain is shown to be ours.
        write_only: &["properties.validationMethod"],
        ..EMPTY
    },
    // Azure answers rules and endpoints in an order of its own.
    Habits {
        resource_type: "Microsoft.Network/networkSecurityGroups",
        lists: &[("properties.securityRules", List::Keyed("name"))],
        immutable: &[MOVED],
        ..EMPTY
    },
    Habits {
        resource_type: "Microsoft.Network/trafficManagerProfiles",
        lists: &[("properties.endpoints", List::Keyed("name"))],
        ..EMPTY
    },
    Habits {
        resource_type: kubernetes::TYPE,
        folded: &["identity.type", "sku.name", "sku.tier", "properties.networkProfile.loadBalancerSku"],
        defaults: &[
            ("properties.agentPoolProfiles[].enableNodePublicIP", Implied::Bool(false)),
            ("properties.apiServerAccessProfile.enablePrivateCluster", Implied::Bool(false)),
            ("properties.supportPlan", Implied::Text("KubernetesOfficial")),
        ],
        lists: &[
            // Pools of their own show here, too.
            ("properties.agentPoolProfiles", List::Shared("name")),
            ("properties.agentPoolProfiles[].availabilityZones", List::Set),
            ("properties.agentPoolProfiles[].nodeTaints", List::Set),
            ("properties.aadProfile.adminGroupObjectIDs", List::Set),
            ("properties.apiServerAccessProfile.authorizedIPRanges", List::Set),
        ],
        kept: &[
            "identity.userAssignedIdentities",
            "properties.agentPoolProfiles",
            "properties.addonProfiles",
            "properties.autoScalerProfile",
            "properties.azureMonitorProfile",
            "properties.nodeResourceGroup",
            "properties.securityProfile",
            "properties.storageProfile",
            "properties.windowsProfile",
        ],
        moving: &["properties.agentPoolProfiles[].count"],
        immutable: &[
            MOVED,
            ("properties.dnsPrefix", "a cluster keeps its name in DNS"),
            ("properties.networkProfile.networkPlugin", "a cluster keeps its network"),
            ("properties.networkProfile.podCidr", "a cluster keeps the addresses of its pods"),
            ("properties.networkProfile.serviceCidr", "a cluster keeps the addresses of its services"),
        ],
        ..EMPTY
    },
    Habits {
        resource_type: kubernetes::POOL,
        defaults: &[("properties.enableNodePublicIP", Implied::Bool(false))],
        lists: &[("properties.availabilityZones", List::Set), ("properties.nodeTaints", List::Set)],
        ours: &["properties.nodeTaints", "properties.nodeLabels"],
        moving: &["properties.count"],
        immutable: &[
            ("properties.vmSize", "a pool keeps the size of its machines"),
            ("properties.osDiskSizeGB", "a pool keeps the disks of its nodes"),
            ("properties.scaleSetPriority", "a pool keeps to ordinary or to spare nodes"),
            ("properties.vnetSubnetID", "a pool stays in its subnet"),
        ],
        ..EMPTY
    },
];

/// What Azure answers for an application on App Service and for its slots alike.
const SITE: Habits = Habits {
    resource_type: app_service::SITE,
    folded: &[
        "kind",
        "identity.type",
        "properties.publicNetworkAccess",
        "properties.siteConfig.linuxFxVersion",
    ],
    defaults: &[
        ("properties.clientAffinityEnabled", Implied::Bool(false)),
        ("properties.publicNetworkAccess", Implied::Text("Enabled")),
        ("properties.siteConfig.acrUseManagedIdentityCreds", Implied::Bool(false)),
        ("properties.siteConfig.remoteDebuggingEnabled", Implied::Bool(false)),
        ("properties.siteConfig.use32BitWorkerProcess", Implied::Bool(false)),
    ],
    // The identity's client id, which the address of the identity settles.
    write_only: &["properties.siteConfig.acrUserManagedIdentityID"],
    lists: &[
        ("properties.siteConfig.cors.allowedOrigins", List::Set),
        // Azure adds a rule for everybody else.
        ("properties.siteConfig.ipSecurityRestrictions", List::Shared("name")),
    ],
    kept: &[
        "identity.userAssignedIdentities",
        "properties.hostNameSslStates",
        "properties.siteConfig.autoHealEnabled",
        "properties.siteConfig.autoHealRules",
    ],
    immutable: &[MOVED],
    ..EMPTY
};

const EMPTY: Habits = Habits {
    resource_type: "",
    folded: &[],
    defaults: &[],
    write_only: &[],
    lists: &[],
    quantities: &[],
    ours: &[],
    kept: &[],
    moving: &[],
    immutable: &[],
};

/// The row of a type; one without entries for a type that has none.
pub fn of(resource_type: &str) -> &'static Habits {
    HABITS.iter().find(|row| row.resource_type.eq_ignore_ascii_case(resource_type)).unwrap_or(&EMPTY)
}

impl Habits {
    /// Whether case does not matter at a path.
    pub fn folds(&self, path: &str) -> bool {
        self.folded.contains(&path)
    }

    /// The value that is meant where Azure answers nothing.
    pub fn default(&self, path: &str) -> Option<Implied> {
        self.defaults.iter().find(|(at, _)| *at == path).map(|(_, value)| *value)
    }

    /// How the items of the list at a path are told apart.
    pub fn list(&self, path: &str) -> Option<List> {
        self.lists.iter().find(|(at, _)| *at == path).map(|(_, list)| *list)
    }

    /// Why a path, or what lies around it, cannot change.
    pub fn immutable(&self, path: &str) -> Option<&'static str> {
        let covers = |at: &str| {
            path.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.immutable.iter().find(|(at, _)| covers(at)).map(|(_, why)| *why)
    }
}
