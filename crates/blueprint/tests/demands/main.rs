//! What the documents demand, and the property of the resource that shows it: a row for each demand.
//!
//! A row names the manifest, the environment, the resource by its address, the place in its body as a JSON pointer, and
//! the value there; `null` is for what must not be there. Those of hosts are in [`hosts`].
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test reads its manifests")]
#![allow(missing_docs)]

mod hosts;

use std::collections::BTreeMap;
use std::path::PathBuf;

use landfall_blueprint::{blueprint, template};
use serde_json::{Value, json};

/// A demand and where it is met.
struct Demand {
    /// Its number in the list of demands.
    id: &'static str,
    /// The manifest, in `tests/apps`.
    manifest: &'static str,
    environment: &'static str,
    /// The resource's address in the blueprint.
    address: &'static str,
    /// A JSON pointer into what `landfall blueprint --json` prints of it.
    pointer: &'static str,
    expected: Value,
}

const WATCHED: &str = "watched.toml";
const DATA: &str = "data.toml";
const NETWORK: &str = "network.toml";

fn row(
    id: &'static str,
    manifest: &'static str,
    environment: &'static str,
    address: &'static str,
    pointer: &'static str,
    expected: Value,
) -> Demand {
    Demand { id, manifest, environment, address, pointer, expected }
}

/// All of them, sorted by number.
fn demands() -> Vec<Demand> {
    let group = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-call-tickets-prod-weu";
    let prod = |id, address, pointer, expected| row(id, WATCHED, "prod", address, pointer, expected);
    let data = |id, address, pointer, expected| row(id, DATA, "prod", address, pointer, expected);
    let net = |id, address, pointer, expected| row(id, NETWORK, "prod", address, pointer, expected);
    vec![
        data(
            "D12",
            "featureFlag.flags.multi-region",
            "/properties/contentType",
            json!("application/vnd.microsoft.appconfig.ff+json;charset=utf-8"),
        ),
        prod(
            "D16",
            "budget.main",
            "/properties/notifications/forecast-100/thresholdType",
            json!("Forecasted"),
        ),
        data("D2", "queue.jobs.deployments", "/properties/lockDuration", json!("PT5M")),
        data(
            "D3",
            "cosmosContainer.state.deployments.states",
            "/properties/resource/partitionKey/paths",
            json!(["/projectId"]),
        ),
        data(
            "D3",
            "cosmosContainer.state.deployments.states",
            "/properties/resource/defaultTtl",
            json!(7_776_000),
        ),
        net(
            "P12",
            "privateDnsZone.privatelink.blob.core.windows.net",
            "/name",
            json!("privatelink.blob.core.windows.net"),
        ),
        data(
            "P12",
            "containerApp.worker",
            "/properties/template/scale/rules/0/custom/metadata/messageCount",
            json!("5"),
        ),
        data("P12", "queue.jobs.interview-jobs", "/properties/maxDeliveryCount", json!(5)),
        net(
            "P13",
            "subnet.container-apps",
            "/properties/delegations/0/properties/serviceName",
            json!("Microsoft.App/environments"),
        ),
        net(
            "P13",
            "subnet.endpoints",
            "/properties/privateEndpointNetworkPolicies",
            json!("NetworkSecurityGroupEnabled"),
        ),
        net(
            "P13",
            "securityGroup.container-apps",
            "/properties/securityRules/2/properties/sourceAddressPrefix",
            json!("AzureLoadBalancer"),
        ),
        net("P13", "containerEnvironment.main", "/properties/vnetConfiguration/internal", json!(true)),
        prod(
            "P14",
            "actionGroup.ops",
            "/properties/emailReceivers/0/emailAddress",
            json!("support@company.com"),
        ),
        prod(
            "P14",
            "alert.api-requests-failed",
            "/properties/criteria/allOf/0/metricName",
            json!("Requests"),
        ),
        prod(
            "P14",
            "alert.api-requests-failed",
            "/properties/criteria/allOf/0/dimensions/0/values",
            json!(["5xx"]),
        ),
        prod(
            "P14",
            "alert.api-requests-failed",
            "/properties/criteria/allOf/0/timeAggregation",
            json!("Total"),
        ),
        data("P15", "speech.speech", "/kind", json!("SpeechServices")),
        data("P15", "communication.acs", "/properties/dataLocation", json!("Australia")),
        data("P15", "storage.files", "/properties/sasPolicy/sasExpirationPeriod", json!("0.00:15:00")),
        data("P16", "loadTest.load", "/type", json!("Microsoft.LoadTestService/loadTests")),
        prod("P19", "budget.main", "/properties/amount", json!(2000.5)),
        prod("P19", "budget.main", "/properties/timePeriod/startDate", json!("2026-11-01T00:00:00Z")),
        prod("P19", "budget.main", "/properties/timePeriod/endDate", json!("2028-02-29T00:00:00Z")),
        data("P6", "roleAssignment.api.jobs.send", "/properties/principalType", json!("ServicePrincipal")),
        data("P8", "registry.images", "/properties/zoneRedundancy", json!("Enabled")),
        data("P8", "registryReplica.images.southeastasia", "/location", json!("southeastasia")),
        prod("S10", "roleAssignment.api.insights", "/properties/principalType", json!("ServicePrincipal")),
        data("S11", "openaiDeployment.chat.chat", "/sku/capacity", json!(120)),
        data("S11", "openaiDeployment.chat.summary", "/properties/model/name", json!("gpt-4.1-mini")),
        data("S11", "openai.chat", "/properties/disableLocalAuth", json!(true)),
        net(
            "S12",
            "subnet.app",
            "/properties/delegations/0/properties/serviceName",
            json!("Microsoft.Web/serverFarms"),
        ),
        net("S12", "subnet.bastion", "/name", json!("vnet-voice-prod-eus/AzureBastionSubnet")),
        net(
            "S12",
            "securityGroup.app",
            "/properties/securityRules/0/properties/destinationAddressPrefixes",
            json!(["10.0.2.0/24", "10.0.3.0/24"]),
        ),
        net(
            "S12",
            "securityGroup.app",
            "/properties/securityRules/0/properties/destinationPortRanges",
            json!(["443", "5432", "10000"]),
        ),
        net(
            "S12",
            "securityGroup.app",
            "/properties/securityRules/1/properties/destinationAddressPrefix",
            json!("Internet"),
        ),
        net("S12", "securityGroup.app", "/properties/securityRules/5/name", json!("DenyAllOutbound")),
        net(
            "S12",
            "securityGroup.db",
            "/properties/securityRules/0/properties/sourceAddressPrefix",
            json!("10.0.4.0/24"),
        ),
        net("S12", "securityGroup.db", "/properties/securityRules/1/name", json!("AllowStandbyInbound")),
        net("S12", "securityGroup.db", "/properties/securityRules/2/name", json!("DenyAllInbound")),
        net(
            "S12",
            "privateDnsZone.privatelink.postgres.database.azure.com",
            "/name",
            json!("privatelink.postgres.database.azure.com"),
        ),
        net(
            "S12",
            "privateDnsLink.privatelink.vaultcore.azure.net",
            "/properties/registrationEnabled",
            json!(false),
        ),
        prod("S14", "insights.main", "/properties/RetentionInDays", json!(90)),
        prod("S14", "insights.main", "/properties/IngestionMode", json!("LogAnalytics")),
        prod("S14", "alert.api-error-rate", "/properties/severity", json!(1)),
        prod("S14", "alert.api-error-rate", "/properties/windowSize", json!("PT5M")),
        prod("S14", "alert.api-memory", "/properties/criteria/allOf/0/threshold", json!(85)),
        prod("S14", "alert.metric-llm-cost-usd", "/properties/windowSize", json!("P1D")),
        row("S14", WATCHED, "staging", "insights.main", "/properties/SamplingPercentage", json!(10)),
        prod("S19", "budget.main", "/properties/notifications/actual-80/threshold", json!(80)),
        prod("S19", "budget.main", "/properties/notifications/actual-100/threshold", json!(100)),
        net(
            "S5",
            "subnet.db",
            "/properties/delegations/0/properties/serviceName",
            json!("Microsoft.DBforPostgreSQL/flexibleServers"),
        ),
        data("S5", "postgres.db", "/properties/version", json!("16")),
        data("S5", "postgres.db", "/sku/name", json!("Standard_D4ds_v5")),
        data("S5", "postgres.db", "/properties/backup/backupRetentionDays", json!(35)),
        data("S5", "postgres.db", "/properties/backup/geoRedundantBackup", json!("Enabled")),
        data("S5", "postgres.db", "/properties/highAvailability/mode", json!("ZoneRedundant")),
        data("S5", "postgres.db", "/properties/network/publicNetworkAccess", json!("Disabled")),
        data("S5", "postgresParameter.db.pgbouncer-default_pool_size", "/properties/value", json!("50")),
        data("S5", "postgresParameter.db.pgbouncer-server_idle_timeout", "/properties/value", json!("600")),
        data("S7", "redis.cache", "/sku/name", json!("Balanced_B5")),
        data("S7", "redisDatabase.cache", "/properties/clientProtocol", json!("Encrypted")),
        data("S7", "redisDatabase.cache", "/properties/clusteringPolicy", json!("NoCluster")),
        data("S7", "redisDatabase.cache", "/properties/port", json!(10000)),
        net(
            "S8",
            "privateEndpoint.vault.vault",
            "/properties/privateLinkServiceConnections/0/properties/groupIds",
            json!(["vault"]),
        ),
        net("S8", "vault.main", "/properties/publicNetworkAccess", json!("Disabled")),
        data("S8", "vault.keys", "/properties/softDeleteRetentionInDays", json!(90)),
        data("S8", "vault.keys", "/properties/enableRbacAuthorization", json!(true)),
        net(
            "T10",
            "wafPolicy.main",
            "/properties/customRules/0/matchConditions/0/matchValues",
            json!(["203.0.113.0/24"]),
        ),
        net(
            "T10",
            "wafPolicy.main",
            "/properties/customRules/0/matchConditions/0/negationConditon",
            json!(true),
        ),
        net(
            "T10",
            "containerApp.api",
            "/properties/configuration/ingress/ipSecurityRestrictions/1/ipAddressRange",
            json!("10.0.5.0/24"),
        ),
        prod("T15", "webtest.api", "/properties/Locations/4/Id", json!("emea-au-syd-edge")),
        prod(
            "T15",
            "alert.api-availability",
            "/properties/criteria/allOf/0/metricName",
            json!("availabilityResults/availabilityPercentage"),
        ),
        prod("T15", "alert.api-replicas", "/properties/criteria/allOf/0/timeAggregation", json!("Maximum")),
        prod("T8", "alert.dependency-failures-openai", "/properties/criteria/allOf/0/threshold", json!(5)),
        prod("T8", "alert.dependency-failures-topdesk", "/properties/severity", json!(1)),
        prod("T8", "alert.api-latency", "/properties/criteria/allOf/0/threshold", json!(10_000)),
        prod(
            "T8",
            "alert.metric-ticket-success-rate",
            "/properties/criteria/allOf/0/failingPeriods/numberOfEvaluationPeriods",
            json!(3),
        ),
        prod("T8", "workbook.main", "/kind", json!("shared")),
        prod("V10", "workspace.main", "/properties/retentionInDays", json!(90)),
        prod("V10", "alert.api-restarts", "/properties/criteria/allOf/0/threshold", json!(3)),
        prod("V10", "diagnosticSetting.vault.keys", "/properties/logs/0/categoryGroup", json!("allLogs")),
        data("V11", "vault.keys", "/properties/enablePurgeProtection", json!(true)),
        data("V12", "registry.images", "/sku/name", json!("Premium")),
        data("V14", "postgresReplica.voice.1", "/properties/network/publicNetworkAccess", json!("Disabled")),
        prod("V15", "budget.main", "/scope", json!(group)),
        net("V2", "loadBalancer.main", "/sku/name", json!("Standard")),
        net("V2", "loadBalancer.main", "/properties/loadBalancingRules/2/properties/protocol", json!("Udp")),
        net("V2", "publicIp.balancer", "/properties/publicIPAllocationMethod", json!("Static")),
        data("V3", "postgres.voice", "/properties/storage/storageSizeGB", json!(256)),
        data("V3", "postgres.voice", "/properties/storage/autoGrow", json!("Enabled")),
        data("V3", "postgres.voice", "/properties/authConfig/activeDirectoryAuth", json!("Enabled")),
        data("V3", "postgresReplica.voice.2", "/properties/createMode", json!("Replica")),
        data("V4", "redisDatabase.shards", "/properties/persistence/rdbEnabled", json!(true)),
        data("V4", "redisDatabase.shards", "/properties/clusteringPolicy", json!("OSSCluster")),
        net(
            "V5",
            "privateEndpoint.store.blob",
            "/properties/privateLinkServiceConnections/0/properties/groupIds",
            json!(["blob"]),
        ),
        data("V5", "storage.files", "/sku/name", json!("Standard_GRS")),
        data(
            "V5",
            "managementPolicy.files",
            "/properties/policy/rules/0/definition/actions/baseBlob/tierToArchive/daysAfterModificationGreaterThan",
            json!(90),
        ),
        data("V5", "blobContainer.files.recordings", "/properties/publicAccess", json!("None")),
        net("V6", "subnet.aks", "/properties/addressPrefix", json!("10.0.16.0/20")),
        net("V6", "securityGroup.endpoints", "/properties/securityRules/1/properties/access", json!("Deny")),
        net("V6", "securityGroup.endpoints", "/properties/securityRules/1/properties/priority", json!(4096)),
        net("V7", "applicationGateway.main", "/properties/sku/name", json!("WAF_v2")),
        net("V7", "applicationGateway.main", "/properties/autoscaleConfiguration/minCapacity", json!(2)),
        net("V7", "applicationGateway.main", "/properties/autoscaleConfiguration/maxCapacity", json!(10)),
        net("V7", "applicationGateway.main", "/properties/enableHttp2", json!(true)),
        net("V7", "applicationGateway.main", "/properties/probes/0/properties/path", json!("/health/ready")),
        net(
            "V7",
            "applicationGateway.main",
            "/properties/urlPathMaps/0/properties/pathRules/0/properties/paths",
            json!(["/api/*"]),
        ),
        net(
            "V7",
            "securityGroup.gateway",
            "/properties/securityRules/0/properties/destinationPortRange",
            json!("65200-65535"),
        ),
        net(
            "V7",
            "wafPolicy.main",
            "/properties/managedRules/managedRuleSets/0/ruleSetVersion",
            json!("3.2"),
        ),
        net("V7", "wafPolicy.main", "/properties/customRules/4/rateLimitThreshold", json!(1000)),
        net("V8", "trafficManager.main", "/properties/trafficRoutingMethod", json!("Priority")),
        net(
            "V8",
            "trafficManager.main",
            "/properties/endpoints/2/properties/endpointLocation",
            json!("southeastasia"),
        ),
        net("V9", "dnsZone.main", "/name", json!("voiceassistant.example.com")),
        net("V9", "dnsRecord.a-*", "/name", json!("voiceassistant.example.com/*")),
        net("V9", "dnsRecord.txt-@", "/properties/TXTRecords/0/value", json!(["v=spf1 -all"])),
        net(
            "V9",
            "roleAssignment.gateway.certificate.vault",
            "/properties/principalType",
            json!("ServicePrincipal"),
        ),
    ]
}

/// The text of a manifest.
fn text(manifest: &str) -> String {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/apps")).join(manifest);
    std::fs::read_to_string(path).unwrap()
}

/// The bodies of a manifest's blueprint by address, as ARM is sent them.
fn bodies(manifest: &str, environment: &str) -> BTreeMap<String, Value> {
    let loaded = landfall_manifest::load(manifest, &text(manifest), Some(environment));
    let app = loaded.app.unwrap_or_else(|| panic!("{manifest}: {:#?}", loaded.diagnostics));
    let made = blueprint(&app).unwrap_or_else(|problems| panic!("{manifest}: {problems:#?}"));
    let Value::Array(bodies) = template::template(&made) else { panic!("an array") };
    bodies.into_iter().map(|body| (body["address"].as_str().unwrap().to_owned(), body)).collect()
}

#[test]
fn every_demand_is_shown_by_a_property() {
    let mut made: BTreeMap<(&str, &str), BTreeMap<String, Value>> = BTreeMap::new();
    let mut unmet = Vec::new();
    for demand in demands().into_iter().chain(hosts::demands()) {
        let bodies = made
            .entry((demand.manifest, demand.environment))
            .or_insert_with(|| bodies(demand.manifest, demand.environment));
        let found = bodies.get(demand.address).and_then(|body| body.pointer(demand.pointer));
        let found = found.cloned().unwrap_or_default();
        if found != demand.expected {
            unmet.push(format!(
                "{} in {} of {}: {}{} is {found}, not {}",
                demand.id,
                demand.environment,
                demand.manifest,
                demand.address,
                demand.pointer,
                demand.expected
            ));
        }
    }
    assert!(unmet.is_empty(), "{}", unmet.join("\n"));
}

#[test]
fn a_service_with_a_list_of_allowed_ranges_is_not_tested_from_outside() {
    let loaded = landfall_manifest::load(WATCHED, &text(WATCHED), Some("prod"));
    assert!(loaded.diagnostics.iter().any(|found| found.message.contains("shuts Azure's tests out")));
    let made = blueprint(&loaded.app.unwrap()).unwrap();
    let tests = made.resources.iter().map(|resource| resource.address.as_str());
    assert_eq!(tests.filter(|address| address.starts_with("webtest.")).collect::<Vec<_>>(), ["webtest.api"]);
}

#[test]
fn what_no_signal_has_is_a_problem_at_its_place() {
    let text = "app = \"hello\"\nregion = \"westeurope\"\n[insights]\nenabled = false\nlogs = \"none\"\n[service.web]\nimage = \"nginx:1.29\"\nport = 80\n\
                [resource.keys]\ntype = \"vault\"\n\
                [[alert]]\nwhen = \"error_rate > 5%\"\n[[alert]]\nservice = \"web\"\nwhen = \"cpu > 80% for 10m\"\n\
                [[alert]]\nwhen = \"secret_expiry < 30d\"\n[[alert]]\nservice = \"web\"\nwhen = \"availability < 99%\"\n\
                [[alert]]\nservice = \"web\"\nwhen = \"memory > 80% over 5m for 15m\"\n";
    let app = landfall_manifest::load("landfall.toml", text, None).app.unwrap();
    let problems = blueprint(&app).unwrap_err();
    let places: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(places, ["alert[0].when", "alert[1].when", "alert[2].when", "alert[3].when", "alert[4].when"]);
    assert!(problems[1].message.contains("write 5m or 15m"), "{}", problems[1].message);
    assert!(problems.iter().all(|problem| app.origins.span(&problem.path).is_some()));
}
