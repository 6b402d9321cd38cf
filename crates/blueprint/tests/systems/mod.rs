//! Blueprints written by hand, of systems larger than what manifests of today ask for: networks, private endpoints,
//! App Service, AKS, alerts. What pictures are tried with.

use std::str::FromStr;

use landfall_blueprint::{Address, Blueprint, Body, Resource};
use serde_json::{Value, json};

const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-000000000000";

/// A blueprint while it is written.
pub struct System {
    app: String,
    resources: Vec<Resource>,
}

impl System {
    pub fn new(app: &str) -> System {
        let mut system = System { app: app.to_owned(), resources: Vec::new() };
        let group = format!("rg-{app}-prod-weu");
        system.push("resourceGroup.main", "Microsoft.Resources/resourceGroups", &group, "app", json!({}));
        let group = &mut system.resources[0];
        (group.scope, group.within) = (SUBSCRIPTION.to_owned(), None);
        system
    }

    /// Adds a resource; `name` is `parent/child` for a child, whose parent is found by its name and type.
    pub fn push(
        &mut self,
        address: &str,
        resource_type: &'static str,
        name: &str,
        from: &str,
        body: Value,
    ) -> &mut Resource {
        let parent_type = resource_type.rsplit_once('/').map_or("", |(parent, _)| parent);
        let parent = name.rsplit_once('/').and_then(|(parent, _)| {
            self.resources.iter().find(|r| r.name == parent && r.resource_type == parent_type)
        });
        let within = parent.map(|parent| parent.address.clone());
        let group = self.resources.first().map(|group| (group.address.clone(), group.id()));
        self.resources.push(Resource {
            address: Address::from_str(address).unwrap(),
            resource_type,
            api_version: "2026-01-01",
            name: name.to_owned(),
            named: None,
            scope: group.as_ref().map(|(_, id)| id.clone()).unwrap_or_default(),
            location: None,
            body: serde_json::from_value::<Body>(body).unwrap(),
            within: within.or(group.map(|(address, _)| address)),
            after: Vec::new(),
            from: from.to_owned(),
            holds_data: false,
        });
        self.resources.last_mut().unwrap()
    }

    /// An extension of another resource.
    pub fn extend(&mut self, address: &str, resource_type: &'static str, name: &str, on: &str, body: Value) {
        let on = Address::from_str(on).unwrap();
        let scope = self.resources.iter().find(|r| r.address == on).unwrap().id();
        let added = self.push(address, resource_type, name, "app", body);
        (added.scope, added.within) = (scope, Some(on));
    }

    pub fn role(&mut self, service: &str, on: &str, role: &str) {
        let name = format!("{service}-{}-{}", on.replace('.', "-"), &role[..8]);
        let definition = format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}");
        self.extend(
            &format!("roleAssignment.{name}"),
            "Microsoft.Authorization/roleAssignments",
            &name,
            on,
            json!({"properties": {"principalId": property(&format!("identity.{service}"), "properties.principalId"), "roleDefinitionId": definition}}),
        );
    }

    pub fn logs(&mut self, on: &str) {
        self.extend(
            &format!("diagnosticSetting.{}", on.replace('.', "-")),
            "Microsoft.Insights/diagnosticSettings",
            "logs",
            on,
            json!({"properties": {"workspaceId": id("workspace.main")}}),
        );
    }

    pub fn done(self) -> Blueprint {
        Blueprint {
            app: self.app,
            environment: "prod".to_owned(),
            subscription: "00000000-0000-0000-0000-000000000000".to_owned(),
            region: "westeurope".to_owned(),
            secrets: Address::from_str("vault.main").unwrap(),
            images: None,
            not_deployed: Default::default(),
            resources: self.resources.into_iter().collect(),
        }
    }
}

pub fn id(of: &str) -> Value {
    json!({"$expression": {"kind": "id", "of": of}})
}

pub fn property(of: &str, path: &str) -> Value {
    json!({"$expression": {"kind": "property", "of": of, "path": path}})
}

const ACR_PULL: &str = "7f951dda-4ed3-4680-a7ca-43fe172d538d";
const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";
const BLOBS: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";
const BLOBS_READ: &str = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1";
const SENDER: &str = "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39";
const RECEIVER: &str = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0";
const OPENAI: &str = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd";

/// About 150 resources: container apps in a private network, data behind private endpoints, a gateway, an App Service,
/// a cluster, alerts, budgets, DNS.
pub fn large() -> Blueprint {
    let mut s = System::new("talenti");
    let network = "Microsoft.Network/virtualNetworks";
    s.push(
        "workspace.main",
        "Microsoft.OperationalInsights/workspaces",
        "log-talenti-prod-weu",
        "app",
        json!({"properties": {"retentionInDays": 90}}),
    );
    s.push(
        "insights.main",
        "Microsoft.Insights/components",
        "appi-talenti-prod-weu",
        "app",
        json!({"properties": {"WorkspaceResourceId": id("workspace.main")}}),
    );
    for rules in ["gateway", "apps", "data", "endpoints"] {
        let rule = |name: &str| json!({"name": name, "properties": {"access": "Allow"}});
        s.push(&format!("securityGroup.{rules}"), "Microsoft.Network/networkSecurityGroups", &format!("nsg-talenti-{rules}-prod-weu"), "network", json!({"properties": {"securityRules": [rule("allow-https"), rule("allow-health-probes"), rule("deny-all-inbound")]}}));
    }
    s.push(
        "publicIp.gateway",
        "Microsoft.Network/publicIPAddresses",
        "pip-talenti-gateway-prod-weu",
        "network",
        json!({"sku": {"name": "Standard"}}),
    );
    s.push(
        "publicIp.nat",
        "Microsoft.Network/publicIPAddresses",
        "pip-talenti-nat-prod-weu",
        "network",
        json!({}),
    );
    s.push("natGateway.main", "Microsoft.Network/natGateways", "ng-talenti-prod-weu", "network", json!({"sku": {"name": "Standard"}, "properties": {"publicIpAddresses": [{"id": id("publicIp.nat")}]}}));
    s.push(
        "network.main",
        network,
        "vnet-talenti-prod-weu",
        "network",
        json!({"properties": {"addressSpace": {"addressPrefixes": ["10.20.0.0/16"]}}}),
    );
    for (subnet, range, rules, delegation) in [
        ("gateway", "10.20.0.0/24", "gateway", None),
        ("apps", "10.20.2.0/23", "apps", Some("Microsoft.App/environments")),
        ("web", "10.20.4.0/26", "apps", Some("Microsoft.Web/serverFarms")),
        ("aks", "10.20.8.0/22", "apps", None),
        ("data", "10.20.5.0/28", "data", Some("Microsoft.DBforPostgreSQL/flexibleServers")),
        ("endpoints", "10.20.6.0/26", "endpoints", None),
    ] {
        let delegations: Vec<Value> =
            delegation.iter().map(|name| json!({"name": "d", "properties": {"serviceName": name}})).collect();
        let nat = if subnet == "apps" || subnet == "aks" {
            json!({"id": id("natGateway.main")})
        } else {
            json!({})
        };
        s.push(&format!("subnet.{subnet}"), "Microsoft.Network/virtualNetworks/subnets", &format!("vnet-talenti-prod-weu/snet-{subnet}"), "network", json!({"properties": {"addressPrefix": range, "delegations": delegations, "natGateway": nat, "networkSecurityGroup": {"id": id(&format!("securityGroup.{rules}"))}}}));
    }
    for zone in [
        "blob.core.windows.net",
        "vaultcore.azure.net",
        "azurecr.io",
        "postgres.database.azure.com",
        "redis.azure.net",
        "openai.azure.com",
        "servicebus.windows.net",
        "documents.azure.com",
    ] {
        let name = format!("privatelink.{zone}");
        let short = zone.split('.').next().unwrap();
        s.push(
            &format!("privateZone.{short}"),
            "Microsoft.Network/privateDnsZones",
            &name,
            "network",
            json!({}),
        );
        s.push(
            &format!("zoneLink.{short}"),
            "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
            &format!("{name}/main"),
            "network",
            json!({"properties": {"virtualNetwork": {"id": id("network.main")}}}),
        );
    }
    let services = ["api", "web", "worker", "scheduler", "matcher"];
    for service in services.iter().chain(&["admin", "reports"]) {
        s.push(
            &format!("identity.{service}"),
            "Microsoft.ManagedIdentity/userAssignedIdentities",
            &format!("id-talenti-{service}-prod-weu"),
            &format!("service.{service}"),
            json!({}),
        );
    }
    s.push(
        "registry.main",
        "Microsoft.ContainerRegistry/registries",
        "crtalentiprodweu7f3a2",
        "app",
        json!({"sku": {"name": "Premium"}}),
    );
    s.push(
        "vault.main",
        "Microsoft.KeyVault/vaults",
        "kv-talenti-prod-weu-7f3a",
        "app",
        json!({"properties": {"sku": {"name": "standard"}, "enablePurgeProtection": true}}),
    );
    s.push(
        "storage.files",
        "Microsoft.Storage/storageAccounts",
        "sttalentifilesprod7f3a2",
        "resource.files",
        json!({"sku": {"name": "Standard_ZRS"}, "properties": {"accessTier": "Hot"}}),
    );
    s.push(
        "blobService.files",
        "Microsoft.Storage/storageAccounts/blobServices",
        "sttalentifilesprod7f3a2/default",
        "resource.files",
        json!({}),
    );
    for container in [
        "resumes",
        "photos",
        "exports",
        "transcripts",
        "recordings",
        "imports",
        "quarantine",
        "reports",
        "templates",
        "audit",
    ] {
        s.push(
            &format!("blobContainer.files.{container}"),
            "Microsoft.Storage/storageAccounts/blobServices/containers",
            &format!("sttalentifilesprod7f3a2/default/{container}"),
            "resource.files",
            json!({}),
        );
    }
    s.push(
        "storage.audit",
        "Microsoft.Storage/storageAccounts",
        "sttalentiauditprod7f3a2",
        "resource.audit",
        json!({"sku": {"name": "Standard_GRS"}, "properties": {"accessTier": "Cool"}}),
    );
    s.push("postgres.main", "Microsoft.DBforPostgreSQL/flexibleServers", "psql-talenti-prod-weu-7f3a2", "resource.main", json!({"sku": {"name": "Standard_D4ds_v5"}, "properties": {"version": "17", "storage": {"storageSizeGB": 256}, "highAvailability": {"mode": "ZoneRedundant"}, "network": {"delegatedSubnetResourceId": id("subnet.data"), "privateDnsZoneArmResourceId": id("privateZone.postgres")}}}));
    for database in ["talenti", "reports"] {
        s.push(
            &format!("database.{database}"),
            "Microsoft.DBforPostgreSQL/flexibleServers/databases",
            &format!("psql-talenti-prod-weu-7f3a2/{database}"),
            "resource.main",
            json!({}),
        );
    }
    for (parameter, value) in [
        ("pgbouncer.enabled", "true"),
        ("pgbouncer.default_pool_size", "50"),
        ("max_connections", "400"),
        ("azure.extensions", "vector"),
        ("log_min_duration_statement", "1000"),
    ] {
        s.push(
            &format!("parameter.{}", parameter.replace('.', "-")),
            "Microsoft.DBforPostgreSQL/flexibleServers/configurations",
            &format!("psql-talenti-prod-weu-7f3a2/{parameter}"),
            "resource.main",
            json!({"properties": {"value": value}}),
        );
    }
    s.push(
        "redis.cache",
        "Microsoft.Cache/redisEnterprise",
        "amr-talenti-prod-weu",
        "resource.cache",
        json!({"sku": {"name": "Balanced_B3"}, "properties": {"highAvailability": "Enabled"}}),
    );
    s.push(
        "redisDatabase.cache",
        "Microsoft.Cache/redisEnterprise/databases",
        "amr-talenti-prod-weu/default",
        "resource.cache",
        json!({"properties": {"port": 10000}}),
    );
    s.push(
        "cosmos.events",
        "Microsoft.DocumentDB/databaseAccounts",
        "cosmos-talenti-prod-weu",
        "resource.events",
        json!({"properties": {"consistencyPolicy": {"defaultConsistencyLevel": "Session"}}}),
    );
    s.push(
        "serviceBus.jobs",
        "Microsoft.ServiceBus/namespaces",
        "sb-talenti-prod-weu-7f3a2",
        "resource.jobs",
        json!({"sku": {"name": "Premium"}}),
    );
    for queue in ["parse-resume", "match", "notify", "export"] {
        s.push(
            &format!("queue.{queue}"),
            "Microsoft.ServiceBus/namespaces/queues",
            &format!("sb-talenti-prod-weu-7f3a2/{queue}"),
            "resource.jobs",
            json!({}),
        );
    }
    s.push(
        "openai.main",
        "Microsoft.CognitiveServices/accounts",
        "oai-talenti-prod-swc",
        "resource.openai",
        json!({"kind": "OpenAI", "sku": {"name": "S0"}}),
    );
    for model in ["gpt-4o", "text-embedding-3-large"] {
        s.push(
            &format!("model.{}", model.replace('.', "-")),
            "Microsoft.CognitiveServices/accounts/deployments",
            &format!("oai-talenti-prod-swc/{model}"),
            "resource.openai",
            json!({"sku": {"name": "DataZoneStandard", "capacity": 150}}),
        );
    }
    s.push(
        "speech.main",
        "Microsoft.CognitiveServices/accounts",
        "spch-talenti-prod-weu",
        "resource.speech",
        json!({"kind": "SpeechServices", "sku": {"name": "S0"}}),
    );
    s.push(
        "communication.main",
        "Microsoft.Communication/communicationServices",
        "acs-talenti-prod",
        "resource.mail",
        json!({"properties": {"dataLocation": "Europe"}}),
    );
    s.push("containerEnvironment.main", "Microsoft.App/managedEnvironments", "cae-talenti-prod-weu", "app", json!({"properties": {"zoneRedundant": true, "vnetConfiguration": {"infrastructureSubnetId": id("subnet.apps"), "internal": true}, "appLogsConfiguration": {"logAnalyticsConfiguration": {"customerId": property("workspace.main", "properties.customerId")}}}}));
    for service in services {
        let mut env = vec![
            json!({"name": "APPLICATIONINSIGHTS_CONNECTION_STRING", "value": property("insights.main", "properties.ConnectionString")}),
        ];
        if service != "scheduler" {
            env.push(json!({"name": "REDIS_HOST", "value": property("redis.cache", "properties.hostName")}));
        }
        if service == "web" {
            env.push(json!({"name": "API_URL", "value": {"$expression": {"kind": "concat", "of": ["https://ca-talenti-api-prod-weu.internal.", property("containerEnvironment.main", "properties.defaultDomain")]}}}));
        }
        s.push(&format!("containerApp.{service}"), "Microsoft.App/containerApps", &format!("ca-talenti-{service}-prod-weu"), &format!("service.{service}"), json!({"properties": {"environmentId": id("containerEnvironment.main"), "template": {"containers": [{"env": env, "resources": {"cpu": 1, "memory": "2Gi"}}], "scale": {"minReplicas": 2, "maxReplicas": 10}}}}));
        s.role(service, "registry.main", ACR_PULL);
        s.role(service, "vault.main", SECRETS_USER);
        s.role(service, "insights.main", "3913510d-42f4-4e42-8a64-420c390055eb");
    }
    for service in ["api", "worker", "matcher"] {
        s.role(service, "storage.files", BLOBS);
        s.role(service, "openai.main", OPENAI);
        s.role(service, "serviceBus.jobs", if service == "api" { SENDER } else { RECEIVER });
        s.push(
            &format!("administrator.{service}"),
            "Microsoft.DBforPostgreSQL/flexibleServers/administrators",
            &format!("psql-talenti-prod-weu-7f3a2/{service}"),
            "resource.main",
            json!({}),
        );
    }
    s.role("web", "storage.files", BLOBS_READ);
    s.role("scheduler", "serviceBus.jobs", SENDER);
    s.role("scheduler", "storage.audit", BLOBS);
    s.role("matcher", "speech.main", OPENAI);
    // An App Service beside it.
    s.push(
        "plan.main",
        "Microsoft.Web/serverfarms",
        "asp-talenti-prod-weu",
        "app",
        json!({"sku": {"name": "P1v3", "capacity": 2}, "properties": {"zoneRedundant": true}}),
    );
    s.push("site.admin", "Microsoft.Web/sites", "app-talenti-admin-prod-weu", "service.admin", json!({"kind": "app,linux", "properties": {"serverFarmId": id("plan.main"), "virtualNetworkSubnetId": id("subnet.web"), "siteConfig": {"linuxFxVersion": "PYTHON|3.13"}}}));
    s.push(
        "slot.admin",
        "Microsoft.Web/sites/slots",
        "app-talenti-admin-prod-weu/staging",
        "service.admin",
        json!({}),
    );
    s.push("autoscale.main", "Microsoft.Insights/autoscalesettings", "as-talenti-prod-weu", "app", json!({"properties": {"targetResourceUri": id("plan.main"), "profiles": [{"capacity": {"minimum": "2", "maximum": "6"}}]}}));
    s.role("admin", "vault.main", SECRETS_USER);
    s.role("admin", "storage.audit", BLOBS_READ);
    // A cluster.
    s.push("cluster.main", "Microsoft.ContainerService/managedClusters", "aks-talenti-prod-weu", "app", json!({"sku": {"tier": "Standard"}, "properties": {"kubernetesVersion": "1.33", "agentPoolProfiles": [{"name": "system", "vnetSubnetID": id("subnet.aks")}, {"name": "jobs", "vnetSubnetID": id("subnet.aks")}]}}));
    s.push("credential.reports", "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials", "id-talenti-reports-prod-weu/aks", "service.reports", json!({"properties": {"issuer": property("cluster.main", "properties.oidcIssuerProfile.issuerURL"), "subject": "system:serviceaccount:talenti:reports"}}));
    s.role("reports", "cosmos.events", BLOBS_READ);
    s.role("reports", "storage.files", BLOBS_READ);
    // The ways in.
    s.push(
        "wafPolicy.main",
        "Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies",
        "waf-talenti-prod-weu",
        "network",
        json!({"properties": {"policySettings": {"mode": "Prevention"}}}),
    );
    s.push("gateway.main", "Microsoft.Network/applicationGateways", "agw-talenti-prod-weu", "network", json!({"properties": {"sku": {"name": "WAF_v2"}, "autoscaleConfiguration": {"minCapacity": 2, "maxCapacity": 10}, "firewallPolicy": {"id": id("wafPolicy.main")}, "frontendIPConfigurations": [{"properties": {"publicIPAddress": {"id": id("publicIp.gateway")}}}], "gatewayIPConfigurations": [{"properties": {"subnet": {"id": id("subnet.gateway")}}}], "sslCertificates": [{"properties": {"keyVaultSecretId": property("vault.main", "properties.vaultUri")}}], "backendAddressPools": [{"name": "web", "properties": {"backendAddresses": [{"fqdn": property("containerApp.web", "properties.configuration.ingress.fqdn")}]}}, {"name": "api", "properties": {"backendAddresses": [{"fqdn": property("containerApp.api", "properties.configuration.ingress.fqdn")}]}}]}}));
    s.push("dnsZone.main", "Microsoft.Network/dnsZones", "talenti.app", "network", json!({}));
    s.push(
        "record.main",
        "Microsoft.Network/dnsZones/A",
        "talenti.app/@",
        "network",
        json!({"properties": {"targetResource": {"id": id("publicIp.gateway")}}}),
    );
    s.push(
        "record.admin",
        "Microsoft.Network/dnsZones/CNAME",
        "talenti.app/admin",
        "network",
        json!({"properties": {"CNAMERecord": {"cname": "app-talenti-admin-prod-weu.azurewebsites.net"}}}),
    );
    s.push("traffic.main", "Microsoft.Network/trafficManagerProfiles", "traf-talenti-prod", "network", json!({"properties": {"trafficRoutingMethod": "Priority", "endpoints": [{"name": "primary", "properties": {"targetResourceId": id("publicIp.gateway")}}]}}));
    s.push(
        "frontDoor.main",
        "Microsoft.Cdn/profiles",
        "afd-talenti-prod",
        "network",
        json!({"sku": {"name": "Standard_AzureFrontDoor"}}),
    );
    s.push(
        "originGroup.main",
        "Microsoft.Cdn/profiles/originGroups",
        "afd-talenti-prod/files",
        "network",
        json!({}),
    );
    s.push(
        "origin.main",
        "Microsoft.Cdn/profiles/originGroups/origins",
        "afd-talenti-prod/files/blobs",
        "network",
        json!({"properties": {"hostName": property("storage.files", "properties.primaryEndpoints.blob")}}),
    );
    // Private endpoints.
    for (part, group, to, zone) in [
        ("files", "blob", "storage.files", "blob"),
        ("audit", "blob", "storage.audit", "blob"),
        ("vault", "vault", "vault.main", "vaultcore"),
        ("registry", "registry", "registry.main", "azurecr"),
        ("cache", "redisEnterprise", "redis.cache", "redis"),
        ("openai", "account", "openai.main", "openai"),
        ("jobs", "namespace", "serviceBus.jobs", "servicebus"),
        ("events", "Sql", "cosmos.events", "documents"),
    ] {
        let name = format!("pe-talenti-{part}-prod-weu");
        s.push(&format!("privateEndpoint.{part}"), "Microsoft.Network/privateEndpoints", &name, "network", json!({"properties": {"subnet": {"id": id("subnet.endpoints")}, "privateLinkServiceConnections": [{"properties": {"groupIds": [group], "privateLinkServiceId": id(to)}}]}}));
        s.push(&format!("zoneGroup.{part}"), "Microsoft.Network/privateEndpoints/privateDnsZoneGroups", &format!("{name}/default"), "network", json!({"properties": {"privateDnsZoneConfigs": [{"properties": {"privateDnsZoneId": id(&format!("privateZone.{zone}"))}}]}}));
    }
    // Who watches.
    for on in [
        "postgres.main",
        "vault.main",
        "registry.main",
        "storage.files",
        "serviceBus.jobs",
        "openai.main",
        "redis.cache",
        "gateway.main",
        "cosmos.events",
        "site.admin",
    ] {
        s.logs(on);
    }
    s.push("actionGroup.oncall", "Microsoft.Insights/actionGroups", "ag-talenti-oncall-prod", "contact.oncall", json!({"properties": {"emailReceivers": [{"name": "oncall"}, {"name": "lead"}], "webhookReceivers": [{"name": "teams"}]}}));
    for alert in [
        "cpu",
        "memory",
        "errors",
        "latency",
        "restarts",
        "replicas",
        "queue-depth",
        "dead-letters",
        "database-cpu",
        "database-storage",
        "connections",
        "cache-memory",
        "openai-429",
        "certificate",
    ] {
        let log = ["errors", "openai-429", "certificate", "dead-letters"].contains(&alert);
        let (kind, actions) = match log {
            true => (
                "Microsoft.Insights/scheduledQueryRules",
                json!({"actionGroups": [id("actionGroup.oncall")]}),
            ),
            false => {
                ("Microsoft.Insights/metricAlerts", json!([{"actionGroupId": id("actionGroup.oncall")}]))
            }
        };
        s.push(
            &format!("alert.{alert}"),
            kind,
            &format!("alert-talenti-{alert}-prod"),
            "alert",
            json!({"properties": {"actions": actions, "scopes": [id("postgres.main")]}}),
        );
    }
    s.push("webtest.main", "Microsoft.Insights/webtests", "wt-talenti-prod", "alert", json!({}));
    s.push(
        "workbook.main",
        "Microsoft.Insights/workbooks",
        "6c616e64-6661-6c6c-2d72-6f6c652d6173",
        "app",
        json!({"properties": {"displayName": "Talenti in production"}}),
    );
    s.push("budget.main", "Microsoft.Consumption/budgets", "budget-talenti-prod", "budget", json!({"properties": {"amount": 4200, "timeGrain": "Monthly", "notifications": {"half": {"threshold": 50, "contactGroups": [id("actionGroup.oncall")]}, "most": {"threshold": 80}}}}));
    s.push(
        "loadTest.main",
        "Microsoft.LoadTestService/loadTests",
        "lt-talenti-prod",
        "resource.load",
        json!({}),
    );
    s.extend(
        "lock.database",
        "Microsoft.Authorization/locks",
        "keep",
        "postgres.main",
        json!({"properties": {"level": "CanNotDelete"}}),
    );
    // A type that no table knows, and a child of it.
    s.push(
        "map.main",
        "Microsoft.Maps/mapsAccounts",
        "map-talenti-prod",
        "resource.map",
        json!({"sku": {"name": "standard"}, "properties": {"encryption": id("vault.main")}}),
    );
    s.push(
        "map.index",
        "Microsoft.Maps/mapsAccounts/sharedPrivateLinkResources",
        "map-talenti-prod/files",
        "resource.map",
        json!({"properties": {"privateLinkResourceId": id("storage.files")}}),
    );
    s.done()
}

/// A web application and a worker, with what two services take.
pub fn small() -> Blueprint {
    let mut s = System::new("hello");
    s.push(
        "workspace.main",
        "Microsoft.OperationalInsights/workspaces",
        "log-hello-prod-weu",
        "app",
        json!({"properties": {"retentionInDays": 90}}),
    );
    for service in ["web", "worker"] {
        s.push(
            &format!("identity.{service}"),
            "Microsoft.ManagedIdentity/userAssignedIdentities",
            &format!("id-hello-{service}-prod-weu"),
            &format!("service.{service}"),
            json!({}),
        );
    }
    s.push(
        "registry.main",
        "Microsoft.ContainerRegistry/registries",
        "crhelloprodweu7f3a2",
        "app",
        json!({"sku": {"name": "Standard"}}),
    );
    s.push(
        "vault.main",
        "Microsoft.KeyVault/vaults",
        "kv-hello-prod-weu-7f3a2",
        "app",
        json!({"properties": {"sku": {"name": "standard"}, "enablePurgeProtection": true}}),
    );
    s.push(
        "storage.files",
        "Microsoft.Storage/storageAccounts",
        "sthellofilesprod7f3a2",
        "resource.files",
        json!({"sku": {"name": "Standard_ZRS"}, "properties": {"accessTier": "Hot"}}),
    );
    s.push(
        "blobService.files",
        "Microsoft.Storage/storageAccounts/blobServices",
        "sthellofilesprod7f3a2/default",
        "resource.files",
        json!({}),
    );
    for container in ["uploads", "<exports> & \"more\""] {
        s.push(
            &format!("blobContainer.files.{}", &container[..7]),
            "Microsoft.Storage/storageAccounts/blobServices/containers",
            &format!("sthellofilesprod7f3a2/default/{container}"),
            "resource.files",
            json!({}),
        );
    }
    s.push("containerEnvironment.main", "Microsoft.App/managedEnvironments", "cae-hello-prod-weu", "app", json!({"properties": {"appLogsConfiguration": {"logAnalyticsConfiguration": {"customerId": property("workspace.main", "properties.customerId")}}}}));
    for service in ["web", "worker"] {
        s.push(&format!("containerApp.{service}"), "Microsoft.App/containerApps", &format!("ca-hello-{service}-prod-weu"), &format!("service.{service}"), json!({"properties": {"environmentId": id("containerEnvironment.main"), "template": {"containers": [{"resources": {"cpu": 0.5, "memory": "1Gi"}}], "scale": {"minReplicas": 1, "maxReplicas": 3}}}}));
        s.role(service, "registry.main", ACR_PULL);
    }
    s.role("web", "vault.main", SECRETS_USER);
    s.role("web", "storage.files", BLOBS_READ);
    s.role("worker", "storage.files", BLOBS);
    s.done()
}
