//! Every type of Azure's own catalogue, from PUT to DELETE, with the least body that it takes: what is made is read,
//! listed and changed, and shows the properties that a deployer goes on with (addresses, host names, keys).

use serde_json::{Value, json};

use super::testing::{Answer, Lab, SUB, rg};
use super::{Method, Plane, container_apps};

const PLACE: &str = "westeurope";

/// One resource of the walk.
pub(super) struct Life {
    /// Below the group, or a whole path.
    path: String,
    pub(super) body: Value,
    /// What GET must show beside the body, as JSON pointers.
    shows: &'static [&'static str],
    /// POST actions that must answer, with what the answer must hold.
    pub(super) actions: &'static [(&'static str, &'static str)],
    /// How it ends.
    end: End,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    /// DELETE removes it.
    Deleted,
    /// It belongs to its parent and stays as long.
    WithParent,
    /// Azure makes no new ones, and says so by this code.
    Refused(&'static str),
}

impl Life {
    fn of(path: &str, body: Value) -> Life {
        Life { path: path.into(), body, shows: &[], actions: &[], end: End::Deleted }
    }

    fn shows(self, shows: &'static [&'static str]) -> Life {
        Life { shows, ..self }
    }

    fn acts(self, actions: &'static [(&'static str, &'static str)]) -> Life {
        Life { actions, ..self }
    }

    fn ends(self, end: End) -> Life {
        Life { end, ..self }
    }

    pub(super) fn id(&self) -> String {
        if self.path.starts_with('/') { self.path.clone() } else { rg(&self.path) }
    }

    /// `Microsoft.App/containerApps` of a path.
    fn kind(&self) -> String {
        let id = self.id();
        if id.matches('/').count() == 4 {
            return "Microsoft.Resources/resourceGroups".into();
        }
        let own = id.rsplit("/providers/").next().unwrap();
        let words: Vec<&str> = own.split('/').collect();
        std::iter::once(words[0]).chain(words[1..].iter().step_by(2).copied()).collect::<Vec<_>>().join("/")
    }
}

fn at(mut body: Value) -> Value {
    body["location"] = json!(PLACE);
    body
}

fn global(mut body: Value) -> Value {
    body["location"] = json!("global");
    body
}

fn with(properties: Value) -> Value {
    json!({"properties": properties})
}

/// A certificate with its key, in base64 as services take it.
fn certificate() -> String {
    let (certificate, key) = super::x509::tests::made(&["*.walk.example"]);
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{certificate}{key}"))
}

fn part(of: &str, name: &str) -> Value {
    json!({"id": rg(&format!("Microsoft.Network/{of}/{name}"))})
}

/// All of them, what others need first.
pub(super) fn all() -> Vec<Life> {
    [networks(), data(), compute(), operations()].into_iter().flatten().collect()
}

/// Networks and what stands before applications.
fn networks() -> Vec<Life> {
    let address = |name: &str| {
        Life::of(
            &format!("Microsoft.Network/publicIPAddresses/{name}"),
            at(json!({"sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static",
                "dnsSettings": {"domainNameLabel": name}}})),
        )
        .shows(&["/properties/ipAddress", "/properties/dnsSettings/fqdn"])
    };
    let subnet = |name: &str, prefix: &str| {
        Life::of(
            &format!("Microsoft.Network/virtualNetworks/net/subnets/{name}"),
            with(json!({"addressPrefix": prefix})),
        )
    };
    let inside = |name: &str| part("virtualNetworks", &format!("net/subnets/{name}"));
    let gateway = rg("Microsoft.Network/applicationGateways/gateway");
    let own = |list: &str, name: &str| json!({"id": format!("{gateway}/{list}/{name}")});
    vec![
        Life::of(
            "Microsoft.Network/virtualNetworks/net",
            at(with(json!({"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}))),
        )
        .shows(&["/properties/subnets"]),
        Life::of(
            "Microsoft.Network/networkSecurityGroups/rules",
            at(with(json!({"securityRules": [{"name": "in", "properties": {"priority": 100, "access": "Allow",
                "direction": "Inbound", "protocol": "Tcp", "sourceAddressPrefix": "*", "sourcePortRange": "*",
                "destinationAddressPrefix": "*", "destinationPortRange": "443"}}]}))),
        )
        .shows(&["/properties/defaultSecurityRules/0/properties/priority"]),
        subnet("apps", "10.0.0.0/23"),
        subnet("ends", "10.0.2.0/24").shows(&["/properties/addressPrefix"]),
        subnet("gateways", "10.0.3.0/24"),
        subnet("AzureBastionSubnet", "10.0.4.0/26"),
        address("ip-nat"),
        address("ip-balancer"),
        address("ip-gateway"),
        address("ip-bastion"),
        Life::of(
            "Microsoft.Network/natGateways/nat",
            at(json!({"sku": {"name": "Standard"}, "properties": {"publicIpAddresses": [part("publicIPAddresses", "ip-nat")]}})),
        ),
        Life::of(
            "Microsoft.Network/loadBalancers/balancer",
            at(json!({"sku": {"name": "Standard"}, "properties": {"frontendIPConfigurations": [
                {"name": "front", "properties": {"publicIPAddress": part("publicIPAddresses", "ip-balancer")}}],
                "backendAddressPools": [{"name": "back"}]}})),
        )
        .shows(&["/properties/frontendIPConfigurations/0/id", "/properties/backendAddressPools/0/id"]),
        Life::of(
            "Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies/waf",
            at(with(json!({"managedRules": {"managedRuleSets": [{"ruleSetType": "OWASP", "ruleSetVersion": "3.2"}]}}))),
        )
        .shows(&["/properties/resourceState"]),
        Life::of(
            "Microsoft.Network/applicationGateways/gateway",
            at(with(json!({
                "sku": {"name": "WAF_v2", "tier": "WAF_v2", "capacity": 1},
                "firewallPolicy": part("ApplicationGatewayWebApplicationFirewallPolicies", "waf"),
                "gatewayIPConfigurations": [{"name": "own", "properties": {"subnet": inside("gateways")}}],
                "frontendIPConfigurations": [{"name": "front", "properties": {"publicIPAddress": part("publicIPAddresses", "ip-gateway")}}],
                "frontendPorts": [{"name": "http", "properties": {"port": 80}}],
                "backendAddressPools": [{"name": "back"}],
                "backendHttpSettingsCollection": [{"name": "plain", "properties": {"port": 80, "protocol": "Http"}}],
                "httpListeners": [{"name": "all", "properties": {"protocol": "Http",
                    "frontendIPConfiguration": own("frontendIPConfigurations", "front"), "frontendPort": own("frontendPorts", "http")}}],
                "requestRoutingRules": [{"name": "all", "properties": {"ruleType": "Basic", "priority": 10,
                    "httpListener": own("httpListeners", "all"), "backendAddressPool": own("backendAddressPools", "back"),
                    "backendHttpSettings": own("backendHttpSettingsCollection", "plain")}}],
            }))),
        )
        .shows(&["/properties/operationalState", "/properties/httpListeners/0/id"]),
        Life::of(
            "Microsoft.Network/bastionHosts/bastion",
            at(with(json!({"ipConfigurations": [{"name": "own", "properties": {
                "subnet": inside("AzureBastionSubnet"), "publicIPAddress": part("publicIPAddresses", "ip-bastion")}}]}))),
        )
        .shows(&["/properties/dnsName"]),
        Life::of("Microsoft.Network/dnsZones/walk.example", global(json!({})))
            .shows(&["/properties/nameServers/3"]),
        Life::of(
            "Microsoft.Network/dnsZones/walk.example/A/www",
            with(json!({"TTL": 60, "ARecords": [{"ipv4Address": "192.0.2.1"}]})),
        )
        .shows(&["/properties/fqdn"]),
        Life::of(
            "Microsoft.Network/dnsZones/walk.example/CNAME/api",
            with(json!({"TTL": 60, "CNAMERecord": {"cname": "www.walk.example"}})),
        )
        .shows(&["/properties/fqdn"]),
        Life::of(
            "Microsoft.Network/dnsZones/walk.example/TXT/asuid",
            with(json!({"TTL": 60, "TXTRecords": [{"value": ["proof"]}]})),
        )
        .shows(&["/properties/fqdn"]),
        Life::of("Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net", global(json!({})))
            .shows(&["/properties/numberOfRecordSets"]),
        Life::of(
            "Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net/virtualNetworkLinks/link",
            global(with(json!({"virtualNetwork": part("virtualNetworks", "net"), "registrationEnabled": false}))),
        )
        .shows(&["/properties/virtualNetworkLinkState"]),
        Life::of(
            "Microsoft.Network/trafficManagerProfiles/traffic",
            global(with(json!({"trafficRoutingMethod": "Priority", "dnsConfig": {"relativeName": "walk-traffic", "ttl": 30},
                "monitorConfig": {"protocol": "HTTPS", "port": 443, "path": "/"},
                "endpoints": [{"name": "one", "type": "Microsoft.Network/trafficManagerProfiles/externalEndpoints",
                    "properties": {"target": "www.walk.example"}}]}))),
        )
        .shows(&["/properties/dnsConfig/fqdn", "/properties/endpoints/0/id"]),
    ]
}

/// Where data and secrets are.
fn data() -> Vec<Life> {
    let storage = "Microsoft.Storage/storageAccounts/walkstore";
    let postgres = "Microsoft.DBforPostgreSQL/flexibleServers/walk-postgres";
    let cosmos = "Microsoft.DocumentDB/databaseAccounts/walk-cosmos";
    let bus = "Microsoft.ServiceBus/namespaces/walk-bus";
    vec![
        Life::of("Microsoft.ManagedIdentity/userAssignedIdentities/identity", at(json!({})))
            .shows(&["/properties/principalId", "/properties/clientId", "/properties/tenantId"]),
        Life::of(
            "Microsoft.ManagedIdentity/userAssignedIdentities/identity/federatedIdentityCredentials/main",
            with(json!({"issuer": "https://token.actions.githubusercontent.com", "subject": "repo:a/b:ref:refs/heads/main",
                "audiences": ["api://AzureADTokenExchange"]})),
        ),
        Life::of(
            "Microsoft.KeyVault/vaults/walk-vault",
            at(with(json!({"tenantId": "11111111-1111-1111-1111-111111111111", "sku": {"family": "A", "name": "standard"},
                "enableRbacAuthorization": true}))),
        )
        .shows(&["/properties/vaultUri"]),
        Life::of("Microsoft.KeyVault/vaults/walk-vault/secrets/token", with(json!({"value": "v"})))
            .shows(&["/properties/secretUri", "/properties/secretUriWithVersion"])
            .ends(End::WithParent),
        Life::of(
            "Microsoft.Network/privateEndpoints/end",
            at(with(json!({"subnet": part("virtualNetworks", "net/subnets/ends"), "privateLinkServiceConnections": [
                {"name": "vault", "properties": {"privateLinkServiceId": rg("Microsoft.KeyVault/vaults/walk-vault"), "groupIds": ["vault"]}}]}))),
        )
        .shows(&["/properties/customDnsConfigs/0/ipAddresses/0", "/properties/networkInterfaces/0/id"]),
        Life::of(
            "Microsoft.Network/privateEndpoints/end/privateDnsZoneGroups/default",
            with(json!({"privateDnsZoneConfigs": [{"name": "vault", "properties": {
                "privateDnsZoneId": rg("Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net")}}]})),
        )
        .shows(&["/properties/privateDnsZoneConfigs/0/properties/recordSets/0/fqdn"]),
        Life::of(storage, at(json!({"kind": "StorageV2", "sku": {"name": "Standard_LRS"}})))
            .shows(&["/properties/primaryEndpoints/blob", "/properties/primaryLocation"])
            .acts(&[("listKeys", "/keys/0/value")]),
        Life::of(
            "Microsoft.Storage/storageAccounts/walkstore/blobServices/default",
            with(json!({"deleteRetentionPolicy": {"enabled": true, "days": 7}})),
        )
        .ends(End::WithParent),
        Life::of("Microsoft.Storage/storageAccounts/walkstore/blobServices/default/containers/box", with(json!({})))
            .shows(&["/properties/leaseState"]),
        Life::of("Microsoft.Storage/storageAccounts/walkstore/fileServices/default", with(json!({})))
            .ends(End::WithParent),
        Life::of("Microsoft.Storage/storageAccounts/walkstore/fileServices/default/shares/files", with(json!({"shareQuota": 5}))),
        Life::of(
            "Microsoft.Storage/storageAccounts/walkstore/managementPolicies/default",
            with(json!({"policy": {"rules": [{"name": "old", "type": "Lifecycle", "definition": {
                "actions": {"baseBlob": {"delete": {"daysAfterModificationGreaterThan": 30}}},
                "filters": {"blobTypes": ["blockBlob"]}}}]}})),
        )
        .shows(&["/properties/lastModifiedTime"]),
        Life::of(
            postgres,
            at(json!({"sku": {"name": "Standard_B1ms", "tier": "Burstable"}, "properties": {"administratorLogin": "owner1",
                "administratorLoginPassword": "Passw0rd!x", "version": "16", "storage": {"storageSizeGB": 32},
                "authConfig": {"activeDirectoryAuth": "Enabled", "passwordAuth": "Enabled"}}})),
        )
        .shows(&["/properties/fullyQualifiedDomainName", "/properties/state"]),
        Life::of(&format!("{postgres}/databases/app"), with(json!({"charset": "UTF8", "collation": "en_US.utf8"}))),
        Life::of(
            &format!("{postgres}/firewallRules/all"),
            with(json!({"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"})),
        ),
        Life::of(
            &format!("{postgres}/administrators/44444444-4444-4444-4444-444444444444"),
            with(json!({"principalName": "team", "principalType": "Group", "tenantId": "11111111-1111-1111-1111-111111111111"})),
        ),
        Life::of(
            &format!("{postgres}/configurations/log_min_duration_statement"),
            with(json!({"value": "500", "source": "user-override"})),
        )
        .ends(End::WithParent),
        Life::of("Microsoft.Cache/redis/walk-cache", at(with(json!({"sku": {"name": "Basic", "family": "C", "capacity": 0}}))))
            .ends(End::Refused("RetiredSkuCreationBlocked")),
        Life::of("Microsoft.Cache/redisEnterprise/walk-redis", at(json!({"sku": {"name": "Balanced_B0"}, "properties": {"publicNetworkAccess": "Enabled"}})))
            .shows(&["/properties/hostName", "/properties/redisVersion", "/properties/resourceState"]),
        Life::of(
            "Microsoft.Cache/redisEnterprise/walk-redis/databases/default",
            with(json!({"accessKeysAuthentication": "Enabled", "clusteringPolicy": "EnterpriseCluster"})),
        )
        .shows(&["/properties/port", "/properties/resourceState"])
        .acts(&[("listKeys", "/primaryKey")]),
        Life::of(
            cosmos,
            at(json!({"kind": "GlobalDocumentDB", "properties": {"databaseAccountOfferType": "Standard",
                "locations": [{"locationName": PLACE, "failoverPriority": 0}]}})),
        )
        .shows(&["/properties/documentEndpoint", "/properties/writeLocations/0/documentEndpoint"])
        .acts(&[("listKeys", "/primaryMasterKey"), ("listConnectionStrings", "/connectionStrings/0/connectionString")]),
        Life::of(&format!("{cosmos}/sqlDatabases/app"), with(json!({"resource": {"id": "app"}}))),
        Life::of(
            &format!("{cosmos}/sqlDatabases/app/containers/items"),
            with(json!({"resource": {"id": "items", "partitionKey": {"paths": ["/id"], "kind": "Hash"}}})),
        ),
        Life::of(
            &format!("{cosmos}/sqlRoleAssignments/55555555-5555-5555-5555-555555555555"),
            with(json!({"roleDefinitionId": rg(&format!("{cosmos}/sqlRoleDefinitions/00000000-0000-0000-0000-000000000002")),
                "principalId": "44444444-4444-4444-4444-444444444444", "scope": rg(cosmos)})),
        ),
        Life::of(bus, at(json!({"sku": {"name": "Standard", "tier": "Standard"}})))
            .shows(&["/properties/serviceBusEndpoint", "/properties/status"]),
        Life::of(&format!("{bus}/authorizationRules/app"), with(json!({"rights": ["Send", "Listen"]})))
            .acts(&[("listKeys", "/primaryConnectionString")]),
        Life::of(&format!("{bus}/queues/work"), with(json!({"maxDeliveryCount": 5}))).shows(&["/properties/status"]),
        Life::of(&format!("{bus}/topics/news"), with(json!({}))).shows(&["/properties/subscriptionCount"]),
        Life::of(&format!("{bus}/topics/news/subscriptions/all"), with(json!({}))).shows(&["/properties/status"]),
        Life::of(
            "Microsoft.AppConfiguration/configurationStores/walk-config",
            at(json!({"sku": {"name": "Standard"}})),
        )
        .shows(&["/properties/endpoint"])
        .acts(&[("listKeys", "/value/0/connectionString")]),
        Life::of(
            "Microsoft.EventGrid/systemTopics/blobs",
            at(with(json!({"source": rg(storage), "topicType": "Microsoft.Storage.StorageAccounts"}))),
        )
        .shows(&["/properties/metricResourceId"]),
        Life::of(
            "Microsoft.EventGrid/systemTopics/blobs/eventSubscriptions/made",
            with(json!({"destination": {"endpointType": "ServiceBusQueue", "properties": {"resourceId": rg(&format!("{bus}/queues/work"))}},
                "filter": {"includedEventTypes": ["Microsoft.Storage.BlobCreated"]}})),
        )
        .shows(&["/properties/topic", "/properties/eventDeliverySchema"]),
    ]
}

/// What runs applications.
fn compute() -> Vec<Life> {
    let environment = "Microsoft.App/managedEnvironments/env";
    let container = json!({"name": "web", "image": "mcr.microsoft.com/k8se/quickstart:latest"});
    let site = "Microsoft.Web/sites/walk-site";
    let cluster = "Microsoft.ContainerService/managedClusters/cluster";
    let registry = "Microsoft.ContainerRegistry/registries/walkregistry";
    let key = certificate();
    vec![
        Life::of(
            environment,
            at(with(json!({"workloadProfiles": [{"name": "Consumption", "workloadProfileType": "Consumption"}]}))),
        )
        .shows(&["/properties/defaultDomain", "/properties/staticIp", "/properties/customDomainConfiguration/customDomainVerificationId"]),
        Life::of(
            &format!("{environment}/certificates/own"),
            at(with(json!({"value": key, "password": "secret"}))),
        )
        .shows(&["/properties/thumbprint", "/properties/expirationDate", "/properties/subjectName"]),
        Life::of(
            &format!("{environment}/daprComponents/state"),
            with(json!({"componentType": "state.redis", "version": "v1", "metadata": [{"name": "host", "value": "a"}]})),
        ),
        Life::of(
            &format!("{environment}/storages/files"),
            with(json!({"azureFile": {"accountName": "walkstore", "accountKey": "a2V5", "shareName": "files", "accessMode": "ReadWrite"}})),
        ),
        Life::of(
            "Microsoft.App/containerApps/web",
            at(with(json!({"managedEnvironmentId": rg(environment), "configuration": {"secrets": [{"name": "s", "value": "v"}],
                "ingress": {"external": true, "targetPort": 80}}, "template": {"containers": [container]}}))),
        )
        .shows(&["/properties/configuration/ingress/fqdn", "/properties/latestRevisionName", "/properties/latestReadyRevisionName",
            "/properties/customDomainVerificationId", "/properties/outboundIpAddresses/0", "/properties/eventStreamEndpoint"])
        .acts(&[("listSecrets", "/value/0/value"), ("getAuthToken", "/properties/token")]),
        Life::of(
            "Microsoft.App/jobs/nightly",
            at(with(json!({"environmentId": rg(environment), "configuration": {"triggerType": "Manual", "replicaTimeout": 60,
                "manualTriggerConfig": {"parallelism": 1, "replicaCompletionCount": 1}}, "template": {"containers": [container]}}))),
        )
        .shows(&["/properties/eventStreamEndpoint"]),
        Life::of(registry, at(json!({"sku": {"name": "Premium"}, "properties": {"adminUserEnabled": true}})))
            .shows(&["/properties/loginServer", "/properties/creationDate"])
            .acts(&[("listCredentials", "/passwords/0/value")]),
        Life::of(&format!("{registry}/replications/northeurope"), json!({"location": "northeurope"}))
            .shows(&["/properties/status"]),
        Life::of(&format!("{registry}/scopeMaps/pullweb"), with(json!({"actions": ["repositories/web/content/read"]})))
            .shows(&["/properties/type"]),
        Life::of(
            &format!("{registry}/tasks/build"),
            at(with(json!({"platform": {"os": "Linux"}, "step": {"type": "Docker", "dockerFilePath": "Dockerfile", "contextPath": "https://github.com/a/b"}}))),
        )
        .ends(End::Refused("TasksOperationsNotAllowed")),
        Life::of("Microsoft.Web/serverfarms/plan", at(json!({"kind": "linux", "sku": {"name": "S1"}, "properties": {"reserved": true}})))
            .shows(&["/properties/status", "/properties/maximumNumberOfWorkers"]),
        Life::of(
            site,
            at(json!({"kind": "app,linux", "properties": {"serverFarmId": rg("Microsoft.Web/serverfarms/plan"),
                "siteConfig": {"linuxFxVersion": "NODE|22-lts"}}})),
        )
        .shows(&["/properties/defaultHostName", "/properties/outboundIpAddresses", "/properties/customDomainVerificationId",
            "/properties/state"]),
        Life::of(&format!("{site}/config/appsettings"), with(json!({"A": "b"})))
            .acts(&[("list", "/properties/A")])
            .ends(End::WithParent),
        Life::of(&format!("{site}/hostNameBindings/www.walk.example"), with(json!({"siteName": "walk-site"})))
            .shows(&["/properties/hostNameType"]),
        Life::of(&format!("{site}/slots/staging"), at(with(json!({"serverFarmId": rg("Microsoft.Web/serverfarms/plan")}))))
            .shows(&["/properties/defaultHostName"]),
        Life::of(&format!("{site}/slots/staging/config/appsettings"), with(json!({"A": "c"})))
            .acts(&[("list", "/properties/A")])
            .ends(End::WithParent),
        Life::of("Microsoft.Web/certificates/own", at(with(json!({"pfxBlob": key, "password": "secret"}))))
            .shows(&["/properties/thumbprint", "/properties/expirationDate"]),
        Life::of("Microsoft.Web/staticSites/walk-static", json!({"location": PLACE, "sku": {"name": "Standard", "tier": "Standard"}, "properties": {}}))
            .shows(&["/properties/defaultHostname"])
            .acts(&[("listSecrets", "/properties/apiKey")]),
        Life::of("Microsoft.Web/staticSites/walk-static/config/appsettings", with(json!({"A": "b"})))
            .ends(End::WithParent),
        Life::of("Microsoft.Web/staticSites/walk-static/customDomains/www.walk.example", with(json!({"validationMethod": "dns-txt-token"})))
            .shows(&["/properties/validationToken", "/properties/status"]),
        Life::of(
            "Microsoft.Web/staticSites/walk-static/linkedBackends/api",
            with(json!({"backendResourceId": rg(site), "region": PLACE})),
        ),
        Life::of(
            cluster,
            at(json!({"identity": {"type": "SystemAssigned"}, "properties": {"dnsPrefix": "walk",
                "agentPoolProfiles": [{"name": "system", "mode": "System", "count": 1, "vmSize": "Standard_D2s_v5", "osType": "Linux", "type": "VirtualMachineScaleSets"}],
                "oidcIssuerProfile": {"enabled": true}}})),
        )
        .shows(&["/properties/fqdn", "/properties/nodeResourceGroup", "/properties/currentKubernetesVersion",
            "/properties/powerState/code", "/properties/oidcIssuerProfile/issuerURL",
            "/properties/identityProfile/kubeletidentity/objectId", "/identity/principalId"])
        .acts(&[("listClusterAdminCredential", "/kubeconfigs/0/value"), ("listClusterUserCredential", "/kubeconfigs/0/value")]),
        Life::of(
            &format!("{cluster}/agentPools/work"),
            with(json!({"mode": "User", "count": 1, "vmSize": "Standard_D2s_v5", "osType": "Linux", "type": "VirtualMachineScaleSets"})),
        )
        .shows(&["/properties/currentOrchestratorVersion", "/properties/powerState/code"]),
        Life::of(
            &format!("{cluster}/maintenanceConfigurations/default"),
            with(json!({"timeInWeek": [{"day": "Monday", "hourSlots": [1, 2]}]})),
        ),
        Life::of(
            "Microsoft.ContainerInstance/containerGroups/once",
            at(with(json!({"osType": "Linux", "ipAddress": {"type": "Public", "dnsNameLabel": "walk-once", "ports": [{"port": 80}]},
                "containers": [{"name": "web", "properties": {"image": "mcr.microsoft.com/azuredocs/aci-helloworld",
                    "ports": [{"port": 80}], "resources": {"requests": {"cpu": 1, "memoryInGB": 1}}}}]}))),
        )
        .shows(&["/properties/ipAddress/ip", "/properties/ipAddress/fqdn", "/properties/instanceView/state"]),
        Life::of("Microsoft.LoadTestService/loadTests/load", at(with(json!({}))))
            .shows(&["/properties/dataPlaneURI"]),
        Life::of("Microsoft.CognitiveServices/accounts/walk-ai", json!({"location": "swedencentral", "kind": "OpenAI", "sku": {"name": "S0"},
            "properties": {"customSubDomainName": "walk-ai"}}))
        .shows(&["/properties/endpoint"])
        .acts(&[("listKeys", "/key1")]),
        Life::of(
            "Microsoft.CognitiveServices/accounts/walk-ai/deployments/chat",
            json!({"sku": {"name": "GlobalStandard", "capacity": 1}, "properties": {"model": {"format": "OpenAI", "name": "gpt-5-mini", "version": "2025-08-07"}}}),
        )
        .shows(&["/properties/capabilities", "/properties/rateLimits/0/count"]),
        Life::of("Microsoft.Communication/emailServices/walk-mail", global(with(json!({"dataLocation": "Europe"})))),
        Life::of("Microsoft.Communication/communicationServices/walk-talk", global(with(json!({"dataLocation": "Europe"}))))
            .shows(&["/properties/hostName", "/properties/immutableResourceId"])
            .acts(&[("listKeys", "/primaryConnectionString")]),
        Life::of("Microsoft.Cdn/profiles/door", global(json!({"sku": {"name": "Standard_AzureFrontDoor"}})))
            .shows(&["/properties/frontDoorId", "/properties/resourceState"]),
        Life::of("Microsoft.Cdn/profiles/door/afdEndpoints/walk", global(with(json!({"enabledState": "Enabled"}))))
            .shows(&["/properties/hostName", "/properties/deploymentStatus"]),
        Life::of(
            "Microsoft.Cdn/profiles/door/originGroups/apps",
            with(json!({"loadBalancingSettings": {"sampleSize": 4, "successfulSamplesRequired": 3}})),
        ),
        Life::of(
            "Microsoft.Cdn/profiles/door/originGroups/apps/origins/web",
            with(json!({"hostName": "web.walk.example", "originHostHeader": "web.walk.example"})),
        )
        .shows(&["/properties/originGroupName", "/properties/priority"]),
        Life::of(
            "Microsoft.Cdn/profiles/door/afdEndpoints/walk/routes/all",
            with(json!({"originGroup": {"id": rg("Microsoft.Cdn/profiles/door/originGroups/apps")}, "patternsToMatch": ["/*"],
                "supportedProtocols": ["Http", "Https"], "linkToDefaultDomain": "Enabled"})),
        )
        .shows(&["/properties/endpointName"]),
    ]
}

/// What watches, guards and pays.
fn operations() -> Vec<Life> {
    let group = format!("{SUB}/resourceGroups/rg");
    let workspace = rg("Microsoft.OperationalInsights/workspaces/logs");
    let component = rg("Microsoft.Insights/components/insights");
    let plan = rg("Microsoft.Web/serverfarms/plan");
    vec![
        Life::of("Microsoft.OperationalInsights/workspaces/logs", at(with(json!({"sku": {"name": "PerGB2018"}}))))
            .shows(&["/properties/customerId", "/properties/retentionInDays"])
            .acts(&[("sharedKeys", "/primarySharedKey")]),
        Life::of(
            "Microsoft.Insights/components/insights",
            at(json!({"kind": "web", "properties": {"Application_Type": "web", "WorkspaceResourceId": workspace}})),
        )
        .shows(&["/properties/ConnectionString", "/properties/InstrumentationKey", "/properties/AppId"]),
        Life::of(
            "Microsoft.Insights/actionGroups/team",
            global(with(json!({"groupShortName": "team", "enabled": true, "emailReceivers": [{"name": "a", "emailAddress": "a@walk.example"}]}))),
        ),
        Life::of(
            "Microsoft.Insights/metricAlerts/slow",
            global(with(json!({"severity": 2, "enabled": true, "scopes": [rg("Microsoft.Web/sites/walk-site")], "evaluationFrequency": "PT1M",
                "windowSize": "PT5M", "criteria": {"odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
                    "allOf": [{"criterionType": "StaticThresholdCriterion", "name": "a", "metricName": "HttpResponseTime",
                        "operator": "GreaterThan", "threshold": 1, "timeAggregation": "Average"}]},
                "actions": [{"actionGroupId": rg("Microsoft.Insights/actionGroups/team")}]}))),
        ),
        Life::of(
            "Microsoft.Insights/scheduledQueryRules/errors",
            at(with(json!({"severity": 2, "enabled": true, "scopes": [workspace], "evaluationFrequency": "PT5M", "windowSize": "PT5M",
                "criteria": {"allOf": [{"query": "AppExceptions", "timeAggregation": "Count", "operator": "GreaterThan", "threshold": 0}]}}))),
        ),
        Life::of(
            "Microsoft.Insights/autoscalesettings/scale",
            at(with(json!({"enabled": true, "targetResourceUri": plan, "profiles": [{"name": "usual",
                "capacity": {"minimum": "1", "maximum": "3", "default": "1"}, "rules": []}]}))),
        ),
        Life::of(
            &format!("{}/providers/Microsoft.Insights/diagnosticSettings/logs", rg("Microsoft.KeyVault/vaults/walk-vault")),
            with(json!({"workspaceId": workspace, "logs": [{"categoryGroup": "allLogs", "enabled": true}]})),
        ),
        Life::of(
            "Microsoft.Insights/webtests/ping",
            at(json!({"kind": "standard", "tags": {format!("hidden-link:{component}"): "Resource"},
                "properties": {"SyntheticMonitorId": "ping", "Name": "ping", "Kind": "standard", "Enabled": true, "Frequency": 300,
                    "Timeout": 30, "Locations": [{"Id": "emea-nl-ams-azr"}],
                    "Request": {"RequestUrl": "https://www.walk.example", "HttpVerb": "GET"}}})),
        ),
        Life::of(
            "Microsoft.Insights/workbooks/66666666-6666-6666-6666-666666666666",
            at(json!({"kind": "shared", "properties": {"displayName": "walk", "category": "workbook", "serializedData": "{}"}})),
        )
        .shows(&["/properties/timeModified", "/properties/revision", "/properties/userId"]),
        Life::of(
            "Microsoft.Portal/dashboards/board",
            at(json!({"tags": {"hidden-title": "walk"}, "properties": {"lenses": [], "metadata": {}}})),
        ),
        Life::of(
            &format!("{group}/providers/Microsoft.Consumption/budgets/month"),
            with(json!({"category": "Cost", "amount": 100, "timeGrain": "Monthly", "timePeriod": {"startDate": "2026-11-01T00:00:00Z"},
                "notifications": {"most": {"enabled": true, "operator": "GreaterThan", "threshold": 80, "contactEmails": ["a@walk.example"]}}})),
        )
        .shows(&["/properties/currentSpend/amount"]),
        Life::of(
            &format!("{group}/providers/Microsoft.Authorization/roleAssignments/77777777-7777-7777-7777-777777777777"),
            with(json!({"roleDefinitionId": format!("{SUB}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"),
                "principalId": "44444444-4444-4444-4444-444444444444", "principalType": "ServicePrincipal"})),
        )
        .shows(&["/properties/scope", "/properties/createdOn"]),
        Life::of(
            "Microsoft.Resources/deployments/first",
            with(json!({"mode": "Incremental", "template": {
                "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
                "contentVersion": "1.0.0.0", "resources": [], "outputs": {"a": {"type": "int", "value": 1}}}})),
        )
        .shows(&["/properties/outputs/a/value", "/properties/correlationId"]),
        Life::of(&format!("{SUB}/resourceGroups/walk"), json!({"location": PLACE})),
        Life::of(
            &format!("{group}/providers/Microsoft.Authorization/locks/keep"),
            with(json!({"level": "CanNotDelete"})),
        ),
    ]
}

/// Follows a change to its end; the runtime has everything ready at once.
fn settle(lab: &mut Lab, id: &str) {
    for _ in 0..50 {
        let state =
            lab.get(id).json["properties"]["provisioningState"].as_str().unwrap_or_default().to_owned();
        if state.is_empty() || state == "Succeeded" {
            return;
        }
        let waiting: Vec<(String, String)> = container_apps::desired(&lab.world)
            .apps
            .iter()
            .flat_map(|app| app.revisions.iter().map(|revision| (app.id.clone(), revision.revision.clone())))
            .collect();
        for (app, revision) in waiting {
            let seen = container_apps::Observation { app, revision, seen: container_apps::Seen::Ready };
            lab.world.apply(super::Input::Observed(seen), lab.clock);
        }
        lab.wait(60.0);
    }
    panic!("{id} never ends");
}

/// The collection that a resource is in.
fn collection(id: &str) -> &str {
    id.rsplit_once('/').unwrap().0
}

#[test]
fn every_type_of_the_catalogue_is_made_read_listed_changed_and_deleted() {
    let catalogue = super::testing::catalogue();
    let mut lab = Lab::new(0.0);
    lab.world.types = catalogue.clone();
    let walk = all();
    let mut wrong = Vec::new();
    for life in &walk {
        if let Err(why) = live(&mut lab, life) {
            wrong.push(format!("{}: {why}", life.kind()));
        }
    }
    for life in walk.iter().rev() {
        if let Err(why) = die(&mut lab, life) {
            wrong.push(format!("{}: {why}", life.kind()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let known: std::collections::BTreeSet<String> =
        walk.iter().map(|life| life.kind().to_ascii_lowercase()).collect();
    for kind in catalogue.iter().flat_map(|catalogue| catalogue.kinds()) {
        // a managed certificate needs a host name that is proven, step by step: `container_apps::tests`
        let elsewhere = kind == "microsoft.app/managedenvironments/managedcertificates";
        assert!(known.contains(kind) || elsewhere, "{kind} is not walked");
    }
}

/// Says in the DNS that a host name is its site's.
fn prove(lab: &mut Lab, binding: &str) {
    let (site, host) = binding.split_once("/hostNameBindings/").unwrap();
    let proof = lab.get(site).json["properties"]["customDomainVerificationId"].clone();
    let told = json!({"name": format!("asuid.{host}"), "type": "TXT", "value": proof});
    let body = Some(told.to_string().into_bytes());
    lab.raw(Plane::Control, "https://localhost:8443", Method::Post, "/_local/dns", &[], body).ok(200);
}

fn expect(fits: bool, what: &str, answer: &Answer) -> Result<(), String> {
    if fits { Ok(()) } else { Err(format!("{what}: {} {}", answer.status, answer.json)) }
}

fn live(lab: &mut Lab, life: &Life) -> Result<(), String> {
    let id = life.id();
    let version =
        lab.world.types.as_ref().and_then(|types| types.newest(&life.kind())).unwrap_or("2025-04-01".into());
    let path = format!("{id}?api-version={version}");
    if life.kind() == "Microsoft.Web/sites/hostNameBindings" {
        prove(lab, &id);
    }
    let made = lab.put(&path, life.body.clone());
    if let End::Refused(code) = life.end {
        return expect(made.status >= 400 && made.code() == code, "PUT", &made);
    }
    expect((200..=202).contains(&made.status), "PUT", &made)?;
    settle(lab, &id);
    if id.contains("/config/") {
        // settings are read by POST alone
        return acts(lab, life, &version);
    }
    let got = lab.get(&path);
    expect(got.status == 200 && got.json["name"].is_string() && got.json["type"].is_string(), "GET", &got)?;
    for pointer in life.shows {
        let shown = got.json.pointer(pointer);
        let there = shown.is_some_and(|it| !it.is_null() && *it != "");
        expect(there, pointer, &got)?;
    }
    let listed = lab.get(&format!("{}?api-version={version}", collection(&id)));
    let in_list = listed.json["value"].as_array().is_some_and(|list| {
        list.iter().any(|item| item["id"].as_str().is_some_and(|other| other.eq_ignore_ascii_case(&id)))
    });
    expect(listed.status == 200 && in_list, "LIST", &listed)?;
    acts(lab, life, &version)?;
    let again = lab.put(&path, life.body.clone());
    expect((200..=202).contains(&again.status), "the same PUT again", &again)?;
    settle(lab, &id);
    let read = lab.get(&path).json;
    let whole = lab.put(&path, again_with_what_was_read(life, &read));
    expect((200..=202).contains(&whole.status), "PUT of what was read", &whole)?;
    settle(lab, &id);
    Ok(())
}

fn acts(lab: &mut Lab, life: &Life, version: &str) -> Result<(), String> {
    for (action, pointer) in life.actions {
        let answer = lab.post(&format!("{}/{action}?api-version={version}", life.id()), json!({}));
        let there = answer.json.pointer(pointer).is_some_and(|it| !it.is_null());
        expect(answer.status == 200 && there, action, &answer)?;
    }
    Ok(())
}

/// What a client sends that reads a resource and writes it back: read-only properties are echoed.
fn again_with_what_was_read(life: &Life, read: &Value) -> Value {
    let mut body = read.clone();
    // secrets and passwords are not told, and a deployment does not tell its template
    super::arm::merge(&mut body, &life.body);
    body
}

fn die(lab: &mut Lab, life: &Life) -> Result<(), String> {
    let id = life.id();
    if life.end != End::Deleted {
        return Ok(());
    }
    let gone = lab.delete(&id);
    expect([200, 202, 204].contains(&gone.status), "DELETE", &gone)?;
    lab.wait(60.0);
    let got = lab.get(&id);
    expect(got.status == 404, "GET after DELETE", &got)
}
