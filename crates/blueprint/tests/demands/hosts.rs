//! What the documents demand of hosts, each demand by the property of a resource that shows it.
//!
//! One row per figure, sorted by the demand's number. A row names the manifest, the environment, the resource by its
//! address, the place in its body as a JSON pointer, and the value there; `null` is for what must not be there.

use serde_json::{Value, json};

use super::{Demand, bodies};

fn demand(
    id: &'static str,
    manifest: &'static str,
    environment: &'static str,
    address: &'static str,
    pointer: &'static str,
    expected: impl Into<Value>,
) -> Demand {
    Demand { id, manifest, environment, address, pointer, expected: expected.into() }
}

const STANDARD: &str = "standard.toml";
const HOSTS: &str = "hosts.toml";
const CONTAINERS: &str = "containers.toml";

/// The rows, sorted by the kind and the number of the demand.
pub fn demands() -> Vec<Demand> {
    vec![
        demand("D11", CONTAINERS, "prod", "containerApp.api", "/properties/template/scale/maxReplicas", 10),
        demand(
            "D11",
            CONTAINERS,
            "prod",
            "containerApp.api",
            "/properties/template/containers/0/resources",
            json!({"cpu": 1, "memory": "2Gi"}),
        ),
        demand(
            "D11",
            CONTAINERS,
            "prod",
            "containerApp.api",
            "/properties/configuration/ingress/customDomains/0",
            json!({"name": "talenti.example.com", "bindingType": "Auto"}),
        ),
        demand("P3", CONTAINERS, "prod", "containerApp.worker", "/properties/template/scale/minReplicas", 1),
        demand("P3", CONTAINERS, "prod", "containerApp.worker", "/properties/template/scale/maxReplicas", 5),
        demand("P3", CONTAINERS, "prod", "containerApp.api", "/properties/configuration/dapr/enabled", true),
        demand(
            "P3",
            CONTAINERS,
            "prod",
            "containerEnvironment.main",
            "/properties/peerAuthentication/mtls/enabled",
            true,
        ),
        demand("P3", CONTAINERS, "prod", "containerEnvironment.main", "/properties/zoneRedundant", true),
        demand(
            "P11",
            CONTAINERS,
            "prod",
            "containerApp.api",
            "/properties/template/containers/0/probes/2/httpGet/path",
            "/health/live",
        ),
        demand(
            "P11",
            CONTAINERS,
            "prod",
            "containerApp.api",
            "/properties/configuration/ingress/corsPolicy/allowedOrigins",
            json!(["https://talenti.example.com"]),
        ),
        demand(
            "P12",
            CONTAINERS,
            "prod",
            "containerApp.api",
            "/properties/template/scale/rules",
            json!([
                {"name": "http", "http": {"metadata": {"concurrentRequests": "100"}}},
                {"name": "cpu", "custom": {"type": "cpu", "metadata": {"type": "Utilization", "value": "70"}}},
                {"name": "memory", "custom": {"type": "memory", "metadata": {"type": "Utilization", "value": "80"}}},
            ]),
        ),
        demand("S1", STANDARD, "dev", "plan.backend", "/sku/name", "B1"),
        demand("S1", STANDARD, "staging", "plan.backend", "/sku/name", "P1v3"),
        demand("S1", STANDARD, "prod", "plan.backend", "/sku/name", "P2v3"),
        demand("S1", STANDARD, "prod", "plan.backend", "/properties/reserved", true),
        demand(
            "S1",
            STANDARD,
            "prod",
            "site.backend",
            "/properties/siteConfig/linuxFxVersion",
            "PYTHON|3.12",
        ),
        demand("S1", STANDARD, "prod", "site.backend", "/properties/siteConfig/alwaysOn", true),
        demand("S1", STANDARD, "prod", "site.backend", "/properties/clientAffinityEnabled", false),
        demand("S1", STANDARD, "prod", "site.backend", "/properties/httpsOnly", true),
        demand("S1", STANDARD, "prod", "site.backend", "/properties/siteConfig/minTlsVersion", "1.2"),
        demand("S1", STANDARD, "prod", "site.backend", "/properties/siteConfig/ftpsState", "Disabled"),
        demand(
            "S1",
            STANDARD,
            "prod",
            "site.backend",
            "/properties/siteConfig/remoteDebuggingEnabled",
            false,
        ),
        demand("S1", STANDARD, "prod", "site.backend", "/properties/siteConfig/use32BitWorkerProcess", false),
        demand("S1", STANDARD, "prod", "site.backend", "/properties/siteConfig/webSocketsEnabled", true),
        demand(
            "S1",
            STANDARD,
            "prod",
            "site.backend",
            "/properties/siteConfig/healthCheckPath",
            "/health/ready",
        ),
        demand(
            "S2",
            STANDARD,
            "prod",
            "site.backend",
            "/properties/siteConfig/appCommandLine",
            "gunicorn -w 3 -k uvicorn.workers.UvicornWorker -b 0.0.0.0:8000 modules.backend.main:app",
        ),
        demand("S2", STANDARD, "prod", "siteSettings.backend", "/properties/WEB_CONCURRENCY", "3"),
        demand("S2", STANDARD, "staging", "siteSettings.backend", "/properties/WEB_CONCURRENCY", "2"),
        demand("S3", STANDARD, "prod", "slot.backend.staging", "/properties/httpsOnly", true),
        demand(
            "S3",
            HOSTS,
            "prod",
            "siteSlotNames.backend",
            "/properties/appSettingNames",
            json!(["APP_ENV", "DATABASE_URL", "LOG_LEVEL"]),
        ),
        demand("S3", HOSTS, "prod", "siteSettings.backend", "/properties/APP_ENV", "production"),
        demand("S3", HOSTS, "prod", "slotSettings.backend.staging", "/properties/APP_ENV", "staging"),
        demand("S4", STANDARD, "prod", "siteSettings.backend", "/properties/APP_LOG_LEVEL", "info"),
        demand(
            "S10",
            STANDARD,
            "prod",
            "roleAssignment.backend.vault",
            "/properties/principalType",
            "ServicePrincipal",
        ),
        demand("S10", STANDARD, "prod", "site.backend", "/identity/type", "UserAssigned"),
        demand("S12", HOSTS, "prod", "site.backend", "/properties/siteConfig/vnetRouteAllEnabled", true),
        demand("S13", HOSTS, "prod", "staticSite.site", "/sku/name", "Standard"),
        demand("S13", HOSTS, "prod", "linkedBackend.site", "/properties/region", "westeurope"),
        demand("S16", STANDARD, "prod", "autoscale.backend", "/properties/profiles/0/capacity/minimum", "2"),
        demand("S16", STANDARD, "prod", "autoscale.backend", "/properties/profiles/0/capacity/maximum", "6"),
        demand(
            "S16",
            STANDARD,
            "prod",
            "autoscale.backend",
            "/properties/profiles/0/rules/0/metricTrigger/threshold",
            70,
        ),
        demand(
            "S16",
            STANDARD,
            "prod",
            "autoscale.backend",
            "/properties/profiles/0/rules/0/metricTrigger/timeWindow",
            "PT10M",
        ),
        demand(
            "S16",
            STANDARD,
            "prod",
            "autoscale.backend",
            "/properties/profiles/0/rules/1/metricTrigger/threshold",
            30,
        ),
        demand(
            "S16",
            STANDARD,
            "prod",
            "autoscale.backend",
            "/properties/profiles/0/rules/1/scaleAction/cooldown",
            "PT5M",
        ),
        demand(
            "S16",
            HOSTS,
            "prod",
            "autoscale.backend",
            "/properties/profiles/0/rules/4/metricTrigger/threshold",
            500,
        ),
        demand(
            "S16",
            HOSTS,
            "prod",
            "autoscale.backend",
            "/properties/profiles/0/rules/5/metricTrigger/threshold",
            100,
        ),
        demand("S16", STANDARD, "prod", "plan.scheduler", "/sku/capacity", 1),
        demand("S16", STANDARD, "prod", "plan.worker", "/sku/name", "P2v3"),
        demand("S20", STANDARD, "dev", "plan.backend", "/sku/capacity", 1),
        demand("S20", STANDARD, "staging", "plan.backend", "/sku/capacity", 1),
        demand("S20", STANDARD, "prod", "plan.backend", "/sku/capacity", 2),
        demand("S20", STANDARD, "dev", "autoscale.backend", "", Value::Null),
        demand("S20", STANDARD, "staging", "autoscale.backend", "", Value::Null),
        demand("S20", STANDARD, "staging", "slot.backend.staging", "", Value::Null),
        demand(
            "T10",
            CONTAINERS,
            "prod",
            "containerApp.api",
            "/properties/configuration/ingress/ipSecurityRestrictions/0",
            json!({"name": "allow-1", "ipAddressRange": "203.0.113.0/24", "action": "Allow"}),
        ),
        demand(
            "T11",
            CONTAINERS,
            "prod",
            "containerApp.tickets",
            "/properties/template/containers/0/resources",
            json!({"cpu": 0.5, "memory": "1Gi"}),
        ),
        demand(
            "T11",
            CONTAINERS,
            "prod",
            "containerApp.tickets",
            "/properties/template/scale/minReplicas",
            0,
        ),
        demand(
            "T11",
            CONTAINERS,
            "prod",
            "containerApp.tickets",
            "/properties/template/scale/rules/0/http/metadata/concurrentRequests",
            "10",
        ),
        demand(
            "T13",
            CONTAINERS,
            "prod",
            "containerApp.api",
            "/properties/configuration/ingress/allowInsecure",
            false,
        ),
        demand(
            "V1",
            HOSTS,
            "prod",
            "cluster.main",
            "/properties/agentPoolProfiles/0/vmSize",
            "Standard_D4s_v3",
        ),
        demand("V1", HOSTS, "prod", "cluster.main", "/properties/agentPoolProfiles/0/mode", "System"),
        demand("V1", HOSTS, "prod", "cluster.main", "/properties/agentPoolProfiles/0/osDiskSizeGB", 128),
        demand("V1", HOSTS, "prod", "nodePool.livekit", "/properties/vmSize", "Standard_D8s_v3"),
        demand("V1", HOSTS, "prod", "nodePool.livekit", "/properties/maxCount", 10),
        demand(
            "V1",
            HOSTS,
            "prod",
            "nodePool.livekit",
            "/properties/nodeTaints",
            json!(["livekit=true:NoSchedule"]),
        ),
        demand("V1", HOSTS, "prod", "nodePool.agents", "/properties/minCount", 4),
        demand("V1", HOSTS, "prod", "nodePool.agents", "/properties/maxCount", 20),
        demand("V1", HOSTS, "prod", "cluster.main", "/properties/networkProfile/networkPlugin", "azure"),
        demand("V1", HOSTS, "prod", "cluster.main", "/properties/networkProfile/networkPolicy", "azure"),
        demand(
            "V1",
            HOSTS,
            "prod",
            "cluster.main",
            "/properties/networkProfile/serviceCidr",
            "172.20.0.0/16",
        ),
        demand("V1", HOSTS, "prod", "cluster.main", "/properties/aadProfile/enableAzureRBAC", true),
        demand("V1", HOSTS, "prod", "cluster.main", "/properties/disableLocalAccounts", true),
        demand(
            "V1",
            HOSTS,
            "prod",
            "cluster.main",
            "/properties/autoScalerProfile",
            json!({
                "scale-down-delay-after-add": "10m",
                "scale-down-unneeded-time": "10m",
                "scale-down-utilization-threshold": "0.5",
                "scan-interval": "10s",
                "expander": "least-waste",
            }),
        ),
        demand("V2", HOSTS, "prod", "cluster.main", "/properties/networkProfile/loadBalancerSku", "standard"),
        demand("V10", HOSTS, "prod", "cluster.main", "/properties/addonProfiles/omsagent/enabled", true),
        demand(
            "V11",
            HOSTS,
            "prod",
            "cluster.main",
            "/properties/securityProfile/workloadIdentity/enabled",
            true,
        ),
        demand(
            "V11",
            HOSTS,
            "prod",
            "cluster.main",
            "/properties/addonProfiles/azureKeyvaultSecretsProvider/enabled",
            true,
        ),
        demand(
            "V11",
            HOSTS,
            "prod",
            "federatedCredential.livekit",
            "/properties/subject",
            "system:serviceaccount:hosts:livekit",
        ),
        demand("V15", HOSTS, "prod", "nodePool.spare", "/properties/scaleSetPriority", "Spot"),
        demand("V15", HOSTS, "prod", "nodePool.spare", "/properties/spotMaxPrice", -1),
    ]
}

/// The letter and the number of a demand.
fn order(id: &str) -> (char, u32) {
    let mut chars = id.chars();
    (chars.next().unwrap(), chars.as_str().parse().unwrap())
}

#[test]
fn demands_are_sorted() {
    let ids: Vec<(char, u32)> = demands().iter().map(|demand| order(demand.id)).collect();
    assert!(ids.is_sorted(), "{ids:?}");
}

#[test]
fn secrets_are_references_and_never_values() {
    let bodies = bodies(STANDARD, "prod");
    let setting = bodies["siteSettings.backend"]["properties"]["SAILPOINT_CLIENT_ID"].as_str().unwrap();
    assert!(setting.starts_with("[concat('@Microsoft.KeyVault(SecretUri='"), "{setting}");
    assert!(setting.contains("chatbot-sailpoint-client-id"), "{setting}");
    let identity = &bodies["site.backend"]["properties"]["keyVaultReferenceIdentity"];
    assert!(identity.as_str().unwrap().ends_with("id-chatbot-backend-prod-weu"), "{identity}");
}
