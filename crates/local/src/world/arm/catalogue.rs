//! Which types the providers that are modelled have, and where: what is refused as no type of Azure's, and regions
//! that a type is not offered in. Types of other providers are taken as they come.

use super::kind;
use super::refusal::Refusal;
use super::subscriptions::region_names;

/// What every provider has.
const COMMON: &[&str] = &[
    "locations",
    "operations",
    "operationStatuses",
    "operationResults",
    "checkNameAvailability",
    "usages",
    "privateEndpointConnections",
    "privateLinkResources",
    "deletedAccounts",
    "skus",
];

/// First-level types by namespace, beside [`COMMON`] and those that have a row of their own.
const TYPES: &[(&str, &[&str])] = &[
    (
        "Microsoft.App",
        &[
            "agents",
            "builders",
            "connectedEnvironments",
            "functions",
            "getCustomDomainVerificationId",
            "logicApps",
            "sandboxGroups",
            "sessionPools",
            "spaces",
        ],
    ),
    ("Microsoft.AppConfiguration", &["deletedConfigurationStores"]),
    ("Microsoft.Cache", &["redisEnterprise", "Redis", "flush"]),
    (
        "Microsoft.Cdn",
        &[
            "canMigrate",
            "cdnWebApplicationFirewallManagedRuleSets",
            "cdnWebApplicationFirewallPolicies",
            "checkEndpointNameAvailability",
            "checkResourceUsage",
            "edgeActions",
            "edgenodes",
            "migrate",
            "validateProbe",
            "validateSecret",
        ],
    ),
    (
        "Microsoft.CognitiveServices",
        &[
            "calculateModelCapacity",
            "checkDomainAvailability",
            "commitmentPlans",
            "modelCapacities",
            "models",
            "quotaTiers",
            "raiContentFilters",
            "resourceTypes",
        ],
    ),
    ("Microsoft.Communication", &["registeredSubscriptions"]),
    (
        "Microsoft.ContainerInstance",
        &["containerGroupProfiles", "containerScaleSets", "NGroups", "serviceAssociationLinks"],
    ),
    ("Microsoft.ContainerRegistry", &[]),
    (
        "Microsoft.ContainerService",
        &[
            "containerServices",
            "deploymentSafeguards",
            "fleetMemberships",
            "fleets",
            "managedclustersnapshots",
            "openShiftClusters",
            "openShiftManagedClusters",
            "snapshots",
        ],
    ),
    (
        "Microsoft.DBforPostgreSQL",
        &[
            "availableEngineVersions",
            "flexibleServers",
            "getPrivateDnsZoneSuffix",
            "serverGroups",
            "serverGroupsv2",
            "servers",
            "serversv2",
        ],
    ),
    (
        "Microsoft.DocumentDB",
        &[
            "cassandraClusters",
            "databaseAccountNames",
            "fleets",
            "garnetClusters",
            "mongoClusters",
            "restorableDatabaseAccounts",
            "throughputPools",
        ],
    ),
    (
        "Microsoft.EventGrid",
        &[
            "domains",
            "domainTopics",
            "eventSubscriptions",
            "extensionTopics",
            "namespaces",
            "partnerConfigurations",
            "partnerDestinations",
            "partnerNamespaces",
            "partnerRegistrations",
            "partnerTopics",
            "systemTopics",
            "topicTypes",
            "topics",
            "verifiedPartners",
        ],
    ),
    ("Microsoft.KeyVault", &["deletedManagedHSMs", "deletedVaults", "hsmPools", "managedHSMs", "vaults"]),
    ("Microsoft.LoadTestService", &["loadTestMappings", "loadTestProfileMappings", "playwrightWorkspaces"]),
    ("Microsoft.ManagedIdentity", &["Identities"]),
    (
        "Microsoft.OperationalInsights",
        &[
            "clusters",
            "deletedWorkspaces",
            "linkTargets",
            "querypacks",
            "storageInsightConfigs",
            "workspaces",
        ],
    ),
    ("Microsoft.Portal", &["consoles", "tenantConfigurations", "userSettings", "virtualNetworks"]),
    ("Microsoft.ServiceBus", &["checkNamespaceAvailability", "premiumMessagingRegions", "sku"]),
    ("Microsoft.Storage", &["datamovers", "deletedAccounts", "storageAccounts", "storageTasks"]),
    (
        "Microsoft.Web",
        &[
            "aseRegions",
            "availableStacks",
            "billingMeters",
            "checkNameAvailability",
            "connectionGateways",
            "connections",
            "containerApps",
            "customApis",
            "customhostnameSites",
            "deletedSites",
            "deploymentLocations",
            "freeTrialStaticWebApps",
            "functionAppStacks",
            "functions",
            "generateGithubAccessTokenForAppserviceCLI",
            "georegions",
            "hostingEnvironments",
            "ishostingenvironmentnameavailable",
            "ishostnameavailable",
            "isusernameavailable",
            "kubeEnvironments",
            "listSitesAssignedToHostName",
            "premieraddonoffers",
            "publishingCredentials",
            "publishingUsers",
            "recommendations",
            "resourceHealthMetadata",
            "runtimes",
            "sourceControls",
            "validate",
            "verifyHostingEnvironmentVnet",
            "verifyRecommendation",
            "webAppStacks",
            "workerApps",
            "workflows",
        ],
    ),
];

/// Refuses a type that its provider does not have.
pub(super) fn must_have(namespace: &str, part: &str, version: &str) -> Result<(), Refusal> {
    let Some((namespace, types)) = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(namespace))
    else {
        return Ok(());
    };
    let first = |name: &str| {
        let mut words = name.split('/');
        words.next().is_some_and(|own| own.eq_ignore_ascii_case(namespace))
            && words.next().is_some_and(|own| own.eq_ignore_ascii_case(part))
    };
    if COMMON.iter().chain(*types).any(|word| word.eq_ignore_ascii_case(part))
        || kind::rows().any(|row| first(row.name))
    {
        return Ok(());
    }
    Err(Refusal::missing(
        "InvalidResourceType",
        format!(
            "The resource type '{part}' could not be found in the namespace '{namespace}' for api version '{version}'."
        ),
    ))
}

/// Types that are offered in these regions only.
const ONLY: &[(&str, &[&str])] = &[
    ("Microsoft.Web/staticSites", &["centralus", "eastasia", "eastus2", "westeurope", "westus2"]),
    (
        "Microsoft.LoadTestService/loadTests",
        &[
            "australiaeast",
            "brazilsouth",
            "canadacentral",
            "centralindia",
            "centralus",
            "eastasia",
            "eastus",
            "eastus2",
            "francecentral",
            "germanywestcentral",
            "japaneast",
            "koreacentral",
            "northcentralus",
            "northeurope",
            "southafricanorth",
            "southcentralus",
            "southeastasia",
            "swedencentral",
            "switzerlandnorth",
            "uaenorth",
            "uksouth",
            "westeurope",
            "westus2",
            "westus3",
        ],
    ),
];

/// Namespaces that are not offered in these regions.
const NOT_IN: &[(&str, &[&str])] = &[("Microsoft.App/", &["australiacentral", "koreasouth", "westindia"])];

/// The regions that a type is offered in.
pub fn regions(kind: &str) -> Vec<&'static str> {
    if let Some((_, only)) = ONLY.iter().find(|(known, _)| known.eq_ignore_ascii_case(kind)) {
        return only.to_vec();
    }
    let lower = kind.to_ascii_lowercase();
    let absent = NOT_IN.iter().find(|(prefix, _)| lower.starts_with(&prefix.to_ascii_lowercase()));
    let absent: &[&str] = absent.map_or(&[], |(_, regions)| *regions);
    region_names().into_iter().filter(|region| !absent.contains(region)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::world::testing::{Lab, SUB, rg};

    #[test]
    fn regions_of_the_tables_are_regions() {
        for region in ONLY.iter().chain(NOT_IN).flat_map(|(_, regions)| *regions) {
            assert!(region_names().contains(region), "{region}");
        }
    }

    #[test]
    fn a_type_that_a_provider_does_not_have_is_refused() {
        let mut lab = Lab::new(0.0);
        for path in [rg("Microsoft.App/fooBars/x"), format!("{SUB}/providers/Microsoft.Storage/buckets")] {
            lab.get(&path).refused(404, "InvalidResourceType");
        }
        lab.put(&rg("Microsoft.App/fooBars/x"), json!({"location": "westeurope"}))
            .refused(404, "InvalidResourceType");
        lab.put(&rg("Microsoft.App/sessionPools/x"), json!({"location": "westeurope"})).ok(201);
    }

    #[test]
    fn each_type_has_its_regions() {
        let mut lab = Lab::new(0.0);
        let site = json!({"location": "northeurope", "sku": {"name": "Free"}, "properties": {}});
        lab.put(&rg("Microsoft.Web/staticSites/s"), site).refused(400, "LocationNotAvailableForResourceType");
        let shown = lab.get(&format!("{SUB}/providers/Microsoft.Web")).ok(200).json;
        let types = shown["resourceTypes"].as_array().unwrap();
        let sites = types.iter().find(|one| one["resourceType"] == "staticSites").unwrap();
        assert_eq!(sites["locations"].as_array().unwrap().len(), 5);
        assert!(sites["locations"].to_string().contains("West Europe"));
    }
}
