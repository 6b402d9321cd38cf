//! A small Azure for these tests: takes bodies, and answers them the way Azure does, not the way they came.
//!
//! It knows nothing of the table of habits that it is there to check.
#![allow(clippy::unwrap_used, reason = "a helper of tests")]

use std::collections::{BTreeMap, BTreeSet};

use landfall_blueprint::{Address, Blueprint, Expression};
use landfall_plan::{Action, Live, Plan, revision};
use serde_json::{Map, Value, json};

pub const TENANT: &str = "99999999-8888-7777-6666-555555555555";

#[derive(Clone, Debug, Default)]
pub struct Cloud {
    pub resources: BTreeMap<Address, Value>,
    pub applied: BTreeMap<Address, Value>,
    pub images: BTreeMap<String, String>,
    pub secrets: BTreeMap<(Address, String), String>,
    /// How many times a container app got another revision.
    pub revisions: BTreeMap<Address, Vec<String>>,
    /// Which of Azure's moods it is in: what it leaves out, and how it spells.
    pub mood: u64,
}

impl Cloud {
    pub fn live(&self) -> Live {
        Live {
            resources: self.resources.clone(),
            images: self.images.clone(),
            secrets: self.secrets.clone(),
            applied: self.applied.clone(),
            tenant: Some(TENANT.to_owned()),
            ..Live::default()
        }
    }

    /// Every image is built and every secret is set.
    pub fn provide(&mut self, blueprint: &Blueprint) {
        for resource in &blueprint.resources {
            let mut expressions = Vec::new();
            resource.body.expressions(&mut expressions);
            for expression in expressions {
                match expression {
                    Expression::Image { service } => {
                        let image = format!("crx.azurecr.io/{service}@sha256:{:064}", 1);
                        self.images.entry(service.clone()).or_insert(image);
                    }
                    Expression::SecretUri { vault, secret } | Expression::SecretValue { vault, secret } => {
                        let uri = format!("https://kv.vault.azure.net/secrets/{secret}/00000001");
                        self.secrets.entry((vault.clone(), secret.clone())).or_insert(uri);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Carries a plan out, in its order.
    pub fn apply(&mut self, plan: &Plan) {
        let mut done: BTreeSet<Address> = BTreeSet::new();
        for change in &plan.changes {
            for needed in &change.depends_on {
                assert!(done.contains(needed), "{} before {needed}", change.address);
            }
            done.insert(change.address.clone());
            match change.action {
                Action::None => continue,
                Action::Delete => {
                    self.resources.remove(&change.address);
                    continue;
                }
                Action::Replace => {
                    self.resources.remove(&change.address);
                }
                Action::Create | Action::Update | Action::Adopt => {}
            }
            let lookup = |expression: &Expression| self.value(expression);
            let sent = revision::finish(&change.body, change.latest_revision.as_deref(), &lookup)
                .unwrap_or_else(|unknown| panic!("{}: {unknown}", change.address));
            self.applied.insert(change.address.clone(), revision::applied(&change.body, &sent));
            let answer = self.answer(change, sent);
            self.resources.insert(change.address.clone(), answer);
        }
    }

    fn value(&self, expression: &Expression) -> Option<Value> {
        match expression {
            Expression::Property { of, path } => {
                path.split('.').try_fold(self.resources.get(of)?, |value, key| value.get(key)).cloned()
            }
            Expression::ListKeys { .. } => Some(json!("the key of the workspace")),
            Expression::Image { service } => self.images.get(service).map(|image| json!(image)),
            Expression::SecretUri { vault, secret } => {
                self.secrets.get(&(vault.clone(), secret.clone())).map(|uri| json!(uri))
            }
            Expression::SecretValue { .. } => Some(json!("https://alerts.example.com/a-secret")),
            Expression::Tenant => Some(json!(TENANT)),
            _ => None,
        }
    }

    fn is(&self, mood: u32) -> bool {
        self.mood >> mood & 1 == 1
    }

    /// What `GET` says of a body that was sent.
    fn answer(&mut self, change: &landfall_plan::Change, mut body: Value) -> Value {
        let name = change.name.rsplit('/').next().unwrap().to_owned();
        tidy(&mut body, self.is(0));
        let top = body.as_object_mut().unwrap();
        top.insert("id".into(), json!(change.id.replace("resourceGroups", "resourcegroups")));
        top.insert("name".into(), json!(name));
        top.insert("type".into(), json!(change.resource_type));
        top.insert("etag".into(), json!("W/\"0\""));
        top.insert("systemData".into(), json!({"createdAt": "2026-01-01T00:00:00Z"}));
        if self.is(1)
            && let Some(Value::String(location)) = top.get_mut("location")
        {
            *location = match location.as_str() {
                "westeurope" => "West Europe".to_owned(),
                "eastus2" => "East US 2".to_owned(),
                other => other.to_uppercase(),
            };
        }
        let properties = top.entry("properties").or_insert_with(|| json!({}));
        properties["provisioningState"] = json!("Succeeded");
        match change.resource_type.as_str() {
            "Microsoft.OperationalInsights/workspaces" => {
                properties["customerId"] = json!("33333333-0000-0000-0000-000000000000");
                properties["sku"]["lastSkuUpdate"] = json!("2026-01-01T00:00:00Z");
                properties["workspaceCapping"] = json!({"dailyQuotaGb": -1.0});
                properties["features"]["legacy"] = json!(0);
                if self.is(2) {
                    properties["sku"]["name"] = json!("pergb2018");
                }
            }
            "Microsoft.ManagedIdentity/userAssignedIdentities" => {
                properties["principalId"] = json!(format!("principal-of-{name}"));
                properties["clientId"] = json!(format!("client-of-{name}"));
                properties["tenantId"] = json!(TENANT);
            }
            "Microsoft.ContainerRegistry/registries" => {
                properties["loginServer"] = json!(format!("{name}.azurecr.io"));
                let usual = json!({"policies": {"retentionPolicy": {"days": 7, "status": "disabled"}}, "zoneRedundancy": "Disabled"});
                for (key, value) in usual.as_object().unwrap() {
                    properties.as_object_mut().unwrap().entry(key).or_insert_with(|| value.clone());
                }
                top["sku"]["tier"] = top["sku"]["name"].clone();
                if self.is(2) {
                    drop_keys(&mut top["properties"], &["anonymousPullEnabled", "roleAssignmentMode"]);
                }
            }
            "Microsoft.KeyVault/vaults" => {
                properties["vaultUri"] = json!(format!("https://{name}.vault.azure.net/"));
                properties["accessPolicies"] = json!([]);
                properties["enabledForDeployment"] = json!(false);
                if self.is(2) {
                    let sku = properties["sku"]["name"].as_str().unwrap();
                    let sku = format!("{}{}", sku[..1].to_uppercase(), &sku[1..]);
                    properties["sku"]["name"] = json!(sku);
                }
                if self.is(3) {
                    drop_keys(properties, &["enableSoftDelete"]);
                }
            }
            "Microsoft.Storage/storageAccounts" => {
                let of = |service: &str| format!("https://{name}.{service}.core.windows.net/");
                properties["primaryEndpoints"] = json!({"blob": of("blob"), "queue": of("queue"), "table": of("table"), "file": of("file")});
                properties["encryption"] = json!({"keySource": "Microsoft.Storage"});
                properties["networkAcls"] = json!({"defaultAction": "Allow", "ipRules": []});
                properties["creationTime"] = json!("2026-01-01T00:00:00Z");
                if self.is(2) {
                    drop_keys(properties, &["allowCrossTenantReplication", "publicNetworkAccess"]);
                }
                top["sku"]["tier"] = json!("Standard");
            }
            "Microsoft.Storage/storageAccounts/blobServices" => {
                properties["cors"] = json!({"corsRules": []});
                properties["deleteRetentionPolicy"]["allowPermanentDelete"] = json!(false);
                if properties["isVersioningEnabled"] == json!(false) {
                    drop_keys(properties, &["isVersioningEnabled"]);
                }
            }
            "Microsoft.Storage/storageAccounts/blobServices/containers" => {
                properties["leaseState"] = json!("Available");
                properties["hasLegalHold"] = json!(false);
            }
            "Microsoft.Authorization/roleAssignments" => {
                properties["scope"] = json!(change.id.split("/providers/Microsoft.Auth").next());
                properties["createdOn"] = json!("2026-01-01T00:00:00Z");
            }
            "Microsoft.App/managedEnvironments" => {
                properties["defaultDomain"] = json!("blue-sea.westeurope.azurecontainerapps.io");
                properties["staticIp"] = json!("20.0.0.1");
                drop_keys(
                    &mut properties["appLogsConfiguration"]["logAnalyticsConfiguration"],
                    &["sharedKey"],
                );
                properties["peerAuthentication"] = json!({"mtls": {"enabled": false}});
                properties["workloadProfiles"][0]["enableFips"] = json!(false);
                if self.is(2) {
                    drop_keys(properties, &["zoneRedundant", "publicNetworkAccess"]);
                }
            }
            "Microsoft.DBforPostgreSQL/flexibleServers" => {
                properties["fullyQualifiedDomainName"] = json!(format!("{name}.postgres.database.azure.com"));
            }
            "Microsoft.Cache/redisEnterprise" | "Microsoft.Communication/communicationServices" => {
                properties["hostName"] = json!(format!("{name}.example.azure.net"));
            }
            "Microsoft.Communication/emailServices/domains" => {
                properties["fromSenderDomain"] = json!("00000000.azurecomm.net");
            }
            "Microsoft.CognitiveServices/accounts" | "Microsoft.AppConfiguration/configurationStores" => {
                properties["endpoint"] = json!(format!("https://{name}.example.azure.net/"));
            }
            "Microsoft.DocumentDB/databaseAccounts" => {
                properties["documentEndpoint"] = json!(format!("https://{name}.documents.azure.com:443/"));
            }
            "Microsoft.App/containerApps" => self.answer_app(change, top),
            _ => {}
        }
        body
    }

    fn answer_app(&mut self, change: &landfall_plan::Change, top: &mut Map<String, Value>) {
        let identities = top["identity"]["userAssignedIdentities"].as_object().cloned().unwrap();
        let spelled = identities.keys().map(|id| {
            let id = id.replace("resourceGroups", "resourcegroups");
            (id, json!({"principalId": "p", "clientId": "c"}))
        });
        top["identity"]["userAssignedIdentities"] = Value::Object(spelled.collect());
        let properties = &mut top["properties"];
        let suffix = properties["template"]["revisionSuffix"].as_str().unwrap().to_owned();
        let made = self.revisions.entry(change.address.clone()).or_default();
        let revision = format!("{}--{suffix}", change.name);
        if made.last() != Some(&revision) {
            assert!(!made.contains(&revision), "the revision {revision} was there before");
            made.push(revision.clone());
        }
        properties["latestRevisionName"] = json!(revision);
        properties["latestReadyRevisionName"] = json!(revision);
        properties["managedEnvironmentId"] = properties["environmentId"].clone();
        properties["customDomainVerificationId"] = json!("ABC");
        properties["outboundIpAddresses"] = json!(["20.0.0.1"]);
        properties["eventStreamEndpoint"] = json!("https://x/subscriptions/");
        let configuration = &mut properties["configuration"];
        configuration["dapr"] = Value::Null;
        configuration["service"] = Value::Null;
        for key in ["secrets", "registries", "ingress"] {
            if configuration[key].is_null() {
                configuration[key] = Value::Null;
            }
        }
        if configuration["ingress"].is_object() {
            configuration["ingress"]["fqdn"] =
                json!(format!("{}.blue-sea.azurecontainerapps.io", change.name));
            configuration["ingress"]["traffic"] = json!([{"latestRevision": true, "weight": 100}]);
            configuration["ingress"]["exposedPort"] = json!(0);
            configuration["ingress"]["customDomains"] = configuration["ingress"]["customDomains"].take();
            if self.mood >> 2 & 1 == 1 {
                configuration["ingress"]["transport"] = json!("Auto");
                drop_keys(&mut configuration["ingress"], &["allowInsecure"]);
                if configuration["ingress"]["stickySessions"]["affinity"] == "none" {
                    configuration["ingress"]["stickySessions"] = Value::Null;
                }
            }
        }
        if let Some(secrets) = configuration["secrets"].as_array_mut() {
            secrets.reverse();
        }
        let template = &mut properties["template"];
        template["initContainers"] = Value::Null;
        template["volumes"] = json!([]);
        if template["scale"]["minReplicas"] == json!(0) && self.mood >> 3 & 1 == 1 {
            template["scale"]["minReplicas"] = Value::Null;
        }
        template["scale"]["cooldownPeriod"] = json!(300);
        let container = &mut template["containers"][0];
        container["resources"]["ephemeralStorage"] = json!("1Gi");
        container["resources"]["cpu"] = json!(container["resources"]["cpu"].as_f64().unwrap());
        if self.mood >> 4 & 1 == 1 {
            let memory = container["resources"]["memory"].as_str().unwrap().trim_end_matches("Gi").to_owned();
            container["resources"]["memory"] = json!(format!("{:?}Gi", memory.parse::<f64>().unwrap()));
        }
        for variable in container["env"].as_array_mut().unwrap() {
            if variable["value"] == "" {
                drop_keys(variable, &["value"]);
            }
        }
        container["env"].as_array_mut().unwrap().reverse();
        if let Some(probes) = container["probes"].as_array_mut() {
            probes.rotate_left(1);
            for probe in probes {
                probe["successThreshold"] = json!(1);
                if let Some(http) = probe.get_mut("httpGet") {
                    http["scheme"] = json!("HTTP");
                }
            }
        }
    }
}

/// Azure keeps no nulls, and spells the middle of an id as it likes.
fn tidy(value: &mut Value, lower: bool) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(|value| tidy(value, lower));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| tidy(item, lower)),
        Value::String(text) if text.starts_with("/subscriptions/") && lower => {
            *text = text.replace("resourceGroups", "resourcegroups").replace("Microsoft", "microsoft");
        }
        _ => {}
    }
}

fn drop_keys(value: &mut Value, keys: &[&str]) {
    if let Some(map) = value.as_object_mut() {
        map.retain(|key, _| !keys.contains(&key.as_str()));
    }
}
