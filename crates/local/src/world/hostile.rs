//! What comes from outside, broken in every way: paths, ids, filters, expressions, templates, bodies, signatures,
//! manifests, XML. Nothing may panic, hang or answer 5xx, and what was there stays whole.
//!
//! Generated from seeds that a failure prints. `LANDFALL_FUZZ_ROUNDS=100` runs a hundred times as long,
//! `LANDFALL_FUZZ_SEED` begins elsewhere.

use serde_json::{Value, json};

use super::fuzz::TARGETS;
use super::testing::{Lab, SUB, rg};
use super::{Method, Plane};

/// A generator of its own: what is generated shares no code with what reads it.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % sides.max(1)
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.roll(list.len())]
    }

    /// A text like another, broken: cut, doubled, spliced with signs that mean something somewhere.
    fn broken(&mut self, text: &str) -> String {
        const SIGNS: [&str; 34] = [
            "/",
            "//",
            "..",
            "%",
            "%2F",
            "%00",
            "%zz",
            "\0",
            "\n",
            "\r\n",
            "'",
            "\"",
            "\\",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "<",
            ">",
            "&",
            ";",
            ",",
            "=",
            "?",
            "#",
            "é",
            "\u{202e}",
            "🦀",
            " ",
            "0",
            "-1",
            "99999999999999999999",
        ];
        let mut signs: Vec<char> = text.chars().collect();
        for _ in 0..=self.roll(4) {
            let at = self.roll(signs.len() + 1);
            match self.roll(6) {
                0 => signs.truncate(at),
                1 if at < signs.len() => {
                    signs.remove(at);
                }
                2 => {
                    let copy: Vec<char> = signs.iter().skip(at).take(1 + self.roll(40)).copied().collect();
                    let to = self.roll(signs.len() + 1);
                    signs.splice(to..to, copy);
                }
                3 => signs.extend(signs.clone().into_iter().skip(at).take(60)),
                _ => {
                    let sign: Vec<char> = self.pick(&SIGNS).chars().collect();
                    signs.splice(at..at, sign);
                }
            }
        }
        signs.into_iter().take(4_000).collect()
    }

    /// A value that is most likely the wrong one.
    fn value(&mut self) -> Value {
        let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
        let values = [
            json!(null),
            json!(true),
            json!(-1),
            json!(0),
            json!(1.5),
            json!(u64::MAX),
            json!(i64::MIN),
            json!(1e300),
            json!(""),
            json!(" "),
            json!("../../.."),
            json!("x".repeat(5_000)),
            json!("é\u{0}\u{202e}"),
            json!("/subscriptions"),
            json!("/subscriptions/x/resourceGroups/y/providers/z"),
            json!("10.0.0.0/33"),
            json!("255.255.255.255/0"),
            json!("[concat('a')]"),
            json!("PT99999999999H"),
            json!("0.0000001"),
            json!("99999999999999999999Gi"),
            json!([]),
            json!({}),
            json!([null, {}, [], "", 5]),
            json!({"": "", "a": {"b": []}}),
            deep,
        ];
        self.pick(&values).clone()
    }
}

/// Runs `once` with fresh dice so many times; a panic names the seed.
fn rounds(count: u64, once: impl Fn(u64, &mut Dice)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("LANDFALL_FUZZ_SEED").unwrap_or(1);
    for seed in first..first + count * number("LANDFALL_FUZZ_ROUNDS").unwrap_or(1) {
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| once(seed, &mut Dice(seed))));
        if let Err(panic) = seen {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            panic!("LANDFALL_FUZZ_SEED={seed}: {}", said.unwrap_or_default());
        }
    }
}

const PATHS: [&str; 8] = [
    "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg/providers/Microsoft.App/containerApps/web",
    "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/n/subnets/s/providers/Microsoft.Authorization/locks/l",
    "/subscriptions/22222222-2222-2222-2222-222222222222/providers/Microsoft.Storage/locations/westeurope/usages",
    "/subscriptions/22222222-2222-2222-2222-222222222222/resourcegroups/rg/resources",
    "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/v/secrets",
    "/subscriptions/22222222-2222-2222-2222-222222222222/tagNames/a/tagValues/b",
    "/providers/Microsoft.Authorization/roleDefinitions",
    "/subscriptions/22222222-2222-2222-2222-222222222222/providers/Microsoft.Network/locations/westeurope/operationStatuses/x",
];

/// Inputs that each fuzz target begins with.
fn seeds(target: &str) -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

#[test]
fn broken_inputs_break_no_parser() {
    let targets: Vec<_> = TARGETS.iter().map(|(name, target)| (name, target, seeds(name))).collect();
    for (name, target, seeds) in &targets {
        assert!(!seeds.is_empty(), "{name} has nothing to begin with");
        seeds.iter().for_each(|seed| target(seed.as_bytes()));
    }
    rounds(9_000, |_, dice| {
        let (_, target, seeds) = dice.pick(&targets);
        let whole = dice.pick(seeds);
        target(dice.broken(whole).as_bytes());
    });
}

/// Bodies that are taken as they are: type, api-version, body.
fn bodies() -> Vec<(&'static str, Value)> {
    let app = "Microsoft.App/managedEnvironments/env1";
    let environment = rg(app);
    let subnet = rg("Microsoft.Network/virtualNetworks/net1/subnets/one");
    vec![
        (
            "Microsoft.Network/virtualNetworks/net1",
            json!({"location": "westeurope", "properties": {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "dhcpOptions": {"dnsServers": ["10.0.0.4"]},
            "subnets": [{"name": "one", "properties": {"addressPrefix": "10.0.0.0/24", "delegations": []}}]}}),
        ),
        (
            "Microsoft.Network/networkSecurityGroups/nsg1",
            json!({"location": "westeurope", "properties": {"securityRules": [
            {"name": "r", "properties": {"priority": 100, "access": "Allow", "direction": "Inbound", "protocol": "Tcp",
             "sourceAddressPrefix": "*", "sourcePortRange": "*", "destinationAddressPrefix": "*", "destinationPortRange": "443"}}]}}),
        ),
        (
            "Microsoft.Network/publicIPAddresses/ip1",
            json!({"location": "westeurope", "sku": {"name": "Standard"},
            "zones": ["1"], "properties": {"publicIPAllocationMethod": "Static", "dnsSettings": {"domainNameLabel": "label1"}}}),
        ),
        (
            "Microsoft.KeyVault/vaults/kv-hostile",
            json!({"location": "westeurope", "properties": {
            "tenantId": "11111111-1111-1111-1111-111111111111", "sku": {"family": "A", "name": "standard"},
            "enableRbacAuthorization": true, "softDeleteRetentionInDays": 7, "accessPolicies": [],
            "networkAcls": {"defaultAction": "Allow", "ipRules": [{"value": "1.2.3.4"}], "virtualNetworkRules": []}}}),
        ),
        (
            "Microsoft.Network/privateEndpoints/pe1",
            json!({"location": "westeurope", "properties": {"subnet": {"id": subnet},
            "privateLinkServiceConnections": [{"name": "c", "properties": {"privateLinkServiceId":
                rg("Microsoft.KeyVault/vaults/kv-hostile"), "groupIds": ["vault"]}}]}}),
        ),
        (
            "Microsoft.Storage/storageAccounts/hostilestore",
            json!({"location": "westeurope", "kind": "StorageV2",
            "sku": {"name": "Standard_LRS"}, "tags": {"a": "b"}, "properties": {"allowBlobPublicAccess": false,
            "minimumTlsVersion": "TLS1_2", "networkAcls": {"defaultAction": "Allow", "ipRules": []}}}),
        ),
        (
            "Microsoft.ContainerRegistry/registries/hostilereg",
            json!({"location": "westeurope", "sku": {"name": "Premium"},
            "identity": {"type": "SystemAssigned"}, "properties": {"adminUserEnabled": true,
            "policies": {"retentionPolicy": {"days": 7, "status": "enabled"}}}}),
        ),
        (
            app,
            json!({"location": "westeurope", "properties": {"workloadProfiles": [
            {"name": "Consumption", "workloadProfileType": "Consumption"}], "zoneRedundant": false}}),
        ),
        (
            "Microsoft.App/containerApps/app1",
            json!({"location": "westeurope", "identity": {"type": "SystemAssigned"},
            "properties": {"environmentId": environment, "configuration": {"activeRevisionsMode": "Multiple",
                "secrets": [{"name": "s", "value": "v"}], "maxInactiveRevisions": 10,
                "ingress": {"external": true, "targetPort": 80, "transport": "auto",
                    "traffic": [{"latestRevision": true, "weight": 100, "label": "new"}],
                    "ipSecurityRestrictions": [{"name": "a", "action": "Allow", "ipAddressRange": "10.0.0.0/8"}],
                    "corsPolicy": {"allowedOrigins": ["*"]}, "stickySessions": {"affinity": "none"}}},
            "template": {"revisionSuffix": "one", "terminationGracePeriodSeconds": 5, "containers": [{"name": "web",
                "image": "mcr.microsoft.com/k8se/quickstart:latest", "resources": {"cpu": 0.5, "memory": "1Gi"},
                "env": [{"name": "A", "secretRef": "s"}], "command": ["x"], "args": ["y"],
                "probes": [{"type": "Liveness", "httpGet": {"path": "/", "port": 80}, "periodSeconds": 10}]}],
                "scale": {"minReplicas": 0, "maxReplicas": 3, "rules": [{"name": "h", "http": {"metadata": {"concurrentRequests": "10"}}}]}}}}),
        ),
        (
            "Microsoft.App/jobs/job1",
            json!({"location": "westeurope", "properties": {"environmentId": environment,
            "configuration": {"triggerType": "Schedule", "replicaTimeout": 60, "replicaRetryLimit": 1,
                "scheduleTriggerConfig": {"cronExpression": "0 3 * * *", "parallelism": 1, "replicaCompletionCount": 1}},
            "template": {"containers": [{"name": "j", "image": "mcr.microsoft.com/k8se/quickstart-jobs:latest"}]}}}),
        ),
        (
            "Microsoft.Web/serverfarms/plan1",
            json!({"location": "westeurope", "kind": "linux", "sku": {"name": "S1", "capacity": 1},
            "properties": {"reserved": true}}),
        ),
        (
            "Microsoft.Web/sites/hostilesite",
            json!({"location": "westeurope", "kind": "app,linux", "properties": {
            "serverFarmId": rg("Microsoft.Web/serverfarms/plan1"), "httpsOnly": true,
            "siteConfig": {"appSettings": [{"name": "A", "value": "b"}], "linuxFxVersion": "NODE|20-lts"}}}),
        ),
        (
            "Microsoft.DBforPostgreSQL/flexibleServers/hostilepg",
            json!({"location": "westeurope",
            "sku": {"name": "Standard_B1ms", "tier": "Burstable"}, "properties": {"administratorLogin": "owner1",
            "administratorLoginPassword": "Passw0rd!x", "version": "16", "storage": {"storageSizeGB": 32},
            "backup": {"backupRetentionDays": 7}, "highAvailability": {"mode": "Disabled"}}}),
        ),
        (
            "Microsoft.ServiceBus/namespaces/hostilebus",
            json!({"location": "westeurope", "sku": {"name": "Standard", "tier": "Standard"}}),
        ),
        (
            "Microsoft.ServiceBus/namespaces/hostilebus/queues/q",
            json!({"properties": {"maxSizeInMegabytes": 1024, "lockDuration": "PT1M"}}),
        ),
        (
            "Microsoft.DocumentDB/databaseAccounts/hostilecosmos",
            json!({"location": "westeurope", "properties": {
            "databaseAccountOfferType": "Standard", "consistencyPolicy": {"defaultConsistencyLevel": "Session"},
            "locations": [{"locationName": "westeurope", "failoverPriority": 0}]}}),
        ),
        (
            "Microsoft.CognitiveServices/accounts/hostileai",
            json!({"location": "swedencentral", "kind": "OpenAI", "sku": {"name": "S0"},
            "properties": {"customSubDomainName": "hostileai"}}),
        ),
        (
            "Microsoft.Cache/redisEnterprise/hostileredis",
            json!({"location": "westeurope", "sku": {"name": "Balanced_B0"}, "properties": {}}),
        ),
        ("Microsoft.ManagedIdentity/userAssignedIdentities/identity1", json!({"location": "westeurope"})),
        (
            "Microsoft.ManagedIdentity/userAssignedIdentities/identity1/federatedIdentityCredentials/fed1",
            json!({"properties": {
            "issuer": "https://a.example", "subject": "s", "audiences": ["api://AzureADTokenExchange"]}}),
        ),
        (
            "Microsoft.OperationalInsights/workspaces/logs1",
            json!({"location": "westeurope", "properties": {
            "sku": {"name": "PerGB2018"}, "retentionInDays": 30}}),
        ),
        (
            "Microsoft.Insights/actionGroups/group1",
            json!({"location": "global", "properties": {"groupShortName": "g", "enabled": true,
            "emailReceivers": [{"name": "e", "emailAddress": "a@b.example"}]}}),
        ),
        (
            "Microsoft.Consumption/budgets/budget1",
            json!({"properties": {"category": "Cost", "amount": 100, "timeGrain": "Monthly",
            "timePeriod": {"startDate": "2026-11-01T00:00:00Z"}, "notifications": {}}}),
        ),
        (
            "Microsoft.Authorization/locks/lock1",
            json!({"properties": {"level": "CanNotDelete", "notes": "n"}}),
        ),
    ]
}

/// Every place in a value, as JSON pointers.
fn places(value: &Value, here: &str, out: &mut Vec<String>) {
    out.push(here.to_owned());
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            places(value, &format!("{here}/{}", key.replace('~', "~0").replace('/', "~1")), out);
        }),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, value)| places(value, &format!("{here}/{at}"), out));
        }
        _ => {}
    }
}

#[track_caller]
fn sane(status: u16, what: &dyn std::fmt::Debug) {
    assert!((200..500).contains(&status) || status == 501, "{what:?}");
}

#[test]
fn no_wrong_value_anywhere_in_a_body_breaks_a_service() {
    rounds(6, |_, dice| {
        let mut lab = Lab::new(0.0);
        let mut findings = std::collections::BTreeSet::new();
        for (kind, body) in bodies() {
            let whole = lab.put(&rg(kind), body.clone());
            assert!((200..300).contains(&whole.status), "the body of {kind} should be right: {whole:?}");
            let mut all = Vec::new();
            places(&body, "", &mut all);
            for place in all {
                let mut bad = body.clone();
                let wrong = dice.value();
                if let Some(value) = bad.pointer_mut(&place) {
                    *value = wrong.clone();
                }
                let name =
                    if dice.roll(3) == 0 { format!("{kind}{}", dice.roll(3)) } else { kind.to_owned() };
                let patch = dice.roll(4) == 0;
                // all that is found is told at once
                let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    let method = if patch { Method::Patch } else { Method::Put };
                    sane(lab.send(method, &rg(&name), Some(bad)).status, &"written");
                    sane(lab.get(&rg(&name)).status, &"read");
                }));
                if asked.is_err() {
                    let wrong: String = wrong.to_string().chars().take(60).collect();
                    findings.insert(format!("{kind} {place} = {wrong}"));
                }
            }
            // whatever was made of it, it can be mended or is refused in so many words
            let mended = lab.put(&rg(kind), body);
            sane(mended.status, &(kind, &mended));
        }
        assert!(findings.is_empty(), "{findings:#?}");
        sane(lab.get(&format!("{SUB}/resources")).status, &"listed");
        sane(lab.delete(&format!("{SUB}/resourceGroups/rg")).status, &"deleted");
    });
}

#[test]
fn no_broken_request_breaks_resource_manager() {
    rounds(30, |seed, dice| {
        let mut lab = Lab::new(0.0);
        for (kind, body) in bodies().into_iter().take(12) {
            lab.put(&rg(kind), body);
        }
        let token = lab.token(None, "https://management.azure.com");
        let methods = [Method::Get, Method::Head, Method::Put, Method::Post, Method::Patch, Method::Delete];
        for _ in 0..120 {
            let whole = match dice.roll(3) {
                0 => (*dice.pick(&PATHS)).to_owned(),
                1 => rg(dice.pick(&bodies()).0),
                _ => format!(
                    "{}/{}",
                    rg(dice.pick(&bodies()).0),
                    dice.pick(&["listKeys", "restart", "start", "usages", "config/appsettings", "revisions"])
                ),
            };
            let path = if dice.roll(4) == 0 { whole } else { dice.broken(&whole) };
            let query = dice
                .broken("api-version=2024-11-01&$filter=name eq 'a'&$top=5&$skiptoken=1&$expand=createdTime");
            let header =
                if dice.roll(10) == 0 { dice.broken("Bearer a.b.c") } else { format!("Bearer {token}") };
            let body = match dice.roll(4) {
                0 => None,
                1 => Some(
                    dice.broken("{\"location\":\"westeurope\",\"properties\":{\"a\":[1,2]}}").into_bytes(),
                ),
                2 => Some(vec![0xff; dice.roll(64)]),
                _ => Some(dice.value().to_string().into_bytes()),
            };
            let headers =
                [("authorization".to_owned(), header), ("if-match".to_owned(), dice.broken("\"etag\""))];
            let method = *dice.pick(&methods);
            let target = format!("{path}?{query}");
            let answer =
                lab.raw(Plane::Arm, "https://localhost:8443", method, &target, &headers, body.clone());
            sane(answer.status, &(seed, method, &target, &body, &answer));
        }
        assert_eq!(lab.get(SUB).status, 200, "seed {seed}: it goes on");
    });
}

/// A lab whose owner may do everything on the data planes of a vault, an account and a registry.
fn furnished() -> (Lab, String) {
    let mut lab = Lab::new(0.0);
    for (kind, body) in bodies() {
        if kind.contains("/vaults/") || kind.contains("/storageAccounts/") || kind.contains("/registries/") {
            lab.put(&rg(kind), body);
        }
    }
    let owner = super::entra::owner_id(&lab.world.config);
    let roles = ["b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "00482a5a-887f-4fb3-b363-3b7fe8e74483"];
    for (n, role) in roles.iter().enumerate() {
        let path = format!(
            "{SUB}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-00000000000{n}"
        );
        let definition = format!("{SUB}/providers/Microsoft.Authorization/roleDefinitions/{role}");
        let body = json!({"properties": {"roleDefinitionId": definition, "principalId": owner, "principalType": "ServicePrincipal"}});
        lab.put(&path, body).ok(201);
    }
    let shown = lab
        .post(&rg("Microsoft.ContainerRegistry/registries/hostilereg/listCredentials"), json!({}))
        .ok(200)
        .json;
    let pair = format!("hostilereg:{}", shown["passwords"][0]["value"].as_str().unwrap_or_default());
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pair);
    (lab, format!("Basic {basic}"))
}

/// A data plane: a pass for it, targets, bodies, and a pass to be broken.
type Place<'a> = (Plane, &'a str, &'a [&'a str], &'a [&'a str], &'a str);

#[test]
fn no_broken_request_breaks_a_data_plane() {
    rounds(12, |seed, dice| {
        let (mut lab, basic) = furnished();
        let storage = format!("Bearer {}", lab.token(None, "https://storage.azure.com/"));
        let vault = format!("Bearer {}", lab.token(None, "https://vault.azure.net"));
        let methods = [Method::Get, Method::Head, Method::Put, Method::Post, Method::Patch, Method::Delete];
        let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": format!("sha256:{}", "0".repeat(64)), "size": 2},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": format!("sha256:{}", "1".repeat(64)), "size": 5}]});
        let xml = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList><Latest>YWFh</Latest><Committed>YmJi</Committed></BlockList>";
        let services = "<StorageServiceProperties><DeleteRetentionPolicy><Enabled>true</Enabled><Days>7</Days></DeleteRetentionPolicy></StorageServiceProperties>";
        let sas = "sv=2022-11-02&ss=b&srt=sco&sp=rwdlac&se=2027-01-01T00:00:00Z&st=2026-01-01T00:00:00Z&spr=https&sip=1.2.3.4-1.2.3.9&sig=AAAA%3D&sr=b&skoid=x&sktid=y";
        let places: [Place; 3] = [
            (
                Plane::Blob { account: "hostilestore".into() },
                &storage,
                &[
                    "/?comp=list",
                    "/?restype=service&comp=properties",
                    "/box?restype=container",
                    "/box?restype=container&comp=list&prefix=a&delimiter=/",
                    "/box/blob?comp=blocklist",
                    "/box/blob",
                    "/box/blob?comp=lease",
                    "/box/blob?comp=tier",
                    "/box/blob?comp=tags",
                    "/?restype=service&comp=userdelegationkey",
                    "/?comp=batch",
                    "/?comp=blobs&where=a='b'",
                    "/box/blob?comp=metadata",
                    "/box?restype=container&comp=acl",
                ],
                &[
                    xml,
                    services,
                    "<Tags><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tags>",
                    "<KeyInfo><Start>2026-11-21T12:00:00Z</Start><Expiry>2026-11-22T12:00:00Z</Expiry></KeyInfo>",
                ],
                "SharedKey hostilestore:AAAA",
            ),
            (
                Plane::Registry { name: "hostilereg".into() },
                &basic,
                &[
                    "/v2/",
                    "/v2/_catalog?n=5&last=a",
                    "/v2/a/b/manifests/latest",
                    "/v2/a/b/tags/list?n=1",
                    "/v2/a/b/blobs/uploads/",
                    "/v2/a/b/referrers/sha256:00",
                    "/acr/v1/a/_tags?orderby=timedesc",
                    "/oauth2/token?scope=repository:a:pull&service=x",
                    "/oauth2/exchange",
                ],
                &[
                    &manifest.to_string(),
                    "grant_type=refresh_token&scope=repository:a:pull,push&service=x&refresh_token=a.b.c",
                ],
                "Basic AAAA",
            ),
            (
                Plane::Vault { name: "kv-hostile".into() },
                &vault,
                &[
                    "/secrets?api-version=7.4&maxresults=3",
                    "/secrets/a?api-version=7.4",
                    "/secrets/a/0123456789abcdef0123456789abcdef?api-version=7.4",
                    "/deletedsecrets/a/recover?api-version=7.4",
                    "/certificates/a/import?api-version=7.4",
                    "/secrets/a/versions?api-version=7.4",
                ],
                &[
                    "{\"value\":\"v\",\"attributes\":{\"exp\":1800000000,\"enabled\":true},\"tags\":{\"a\":\"b\"}}",
                    "{\"value\":\"MIIB\",\"pwd\":\"\"}",
                ],
                "Bearer a.b.c",
            ),
        ];
        let places = &places;
        for _ in 0..250 {
            let (plane, pass, targets, bodies, other) = dice.pick(places);
            let whole = *dice.pick(targets);
            let mut target = if dice.roll(2) == 0 { whole.to_owned() } else { dice.broken(whole) };
            if !target.starts_with('/') {
                target.insert(0, '/');
            }
            let mut headers = vec![
                (
                    "x-ms-version".to_owned(),
                    if dice.roll(8) == 0 { dice.broken("2024-11-04") } else { "2024-11-04".into() },
                ),
                ("x-ms-date".to_owned(), dice.broken("Sat, 21 Nov 2026 12:00:00 GMT")),
                ("content-type".to_owned(), dice.broken("application/vnd.oci.image.manifest.v1+json")),
                ("x-ms-lease-action".to_owned(), dice.broken("acquire")),
                ("range".to_owned(), dice.broken("bytes=0-10")),
                ("if-match".to_owned(), dice.broken("\"0x8D\"")),
            ];
            match dice.roll(6) {
                0 => {
                    target = format!(
                        "{target}{}{}",
                        if target.contains('?') { '&' } else { '?' },
                        dice.broken(sas)
                    )
                }
                1 => headers.push(("authorization".into(), dice.broken(other))),
                _ => headers.push(("authorization".into(), (*pass).to_owned())),
            }
            let body = (dice.roll(3) > 0).then(|| {
                let whole = *dice.pick(bodies);
                if dice.roll(4) == 0 { whole.to_owned() } else { dice.broken(whole) }
            });
            let method = *dice.pick(&methods);
            let body = body.map(String::into_bytes);
            let answer =
                lab.raw(plane.clone(), "https://x.localhost:8443", method, &target, &headers, body.clone());
            sane(
                answer.status,
                &(
                    seed,
                    plane,
                    method,
                    &target,
                    &headers,
                    body.map(|it| String::from_utf8_lossy(&it).into_owned()),
                    &answer,
                ),
            );
        }
    });
}

#[test]
fn no_broken_template_breaks_a_deployment() {
    let template = json!({"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {"name": {"type": "string", "defaultValue": "abc", "allowedValues": ["abc"], "minLength": 1}},
        "variables": {"list": "[createArray(1, 2, 3)]", "copy": [{"name": "c", "count": 2, "input": "[copyIndex('c')]"}]},
        "resources": [
            {"type": "Microsoft.ManagedIdentity/userAssignedIdentities", "apiVersion": "2023-01-31",
             "name": "[concat(parameters('name'), copyIndex())]", "location": "[resourceGroup().location]",
             "copy": {"name": "loop", "count": "[length(variables('list'))]"}, "condition": "[not(equals(1, 2))]"},
            {"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "nested", "dependsOn": ["loop"],
             "properties": {"mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"},
                "template": {"$schema": "x", "contentVersion": "1.0.0.0", "resources": [], "outputs": {"o": {"type": "int", "value": 1}}}}}],
        "outputs": {"id": {"type": "string", "value": "[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', 'abc0')]"}}});
    let expressions = [
        "[concat(parameters('name'), string(variables('list')[1]))]",
        "[reference('x').y]",
        "[if(true(), 1, div(1, 0))]",
        "[range(0, 1000000000)]",
        "[padLeft('a', 1000000000)]",
        "[take('abc', -1)]",
        "[substring('a', 5, 5)]",
        "[base64ToJson('x')]",
        "[json('{')]",
        "[dateTimeAdd('2026-01-01', 'P99999Y')]",
        "[cidrSubnet('10.0.0.0/8', 33, 1)]",
        "[map(range(0,3), lambda('x', mul(lambdaVariables('x'), 9223372036854775807)))]",
        "[variables('self')]",
        "[split('a', '')]",
        "[format('{0}{9}', 1)]",
        "[union(createObject('a', 1), 5)]",
        "[uniqueString()]",
        "[copyIndex(-99999)]",
        "[mod(1, 0)]",
    ];
    rounds(60, |seed, dice| {
        let mut lab = Lab::new(0.0);
        for n in 0..12 {
            let mut bad = template.clone();
            let mut all = Vec::new();
            places(&bad, "", &mut all);
            let place = dice.pick(&all).clone();
            if let Some(value) = bad.pointer_mut(&place) {
                *value = match dice.roll(3) {
                    0 => dice.value(),
                    1 => json!(dice.pick(&expressions)),
                    _ => {
                        let whole = *dice.pick(&expressions);
                        json!(format!("[{}]", dice.broken(whole.trim_matches(['[', ']']))))
                    }
                };
            }
            let path = rg(&format!("Microsoft.Resources/deployments/d{n}"));
            let body = json!({"properties": {"mode": "Incremental", "template": bad}});
            let verb = *dice.pick(&["", "/validate", "/whatIf"]);
            let answer =
                if verb.is_empty() { lab.put(&path, body) } else { lab.post(&format!("{path}{verb}"), body) };
            sane(answer.status, &(seed, &place, verb, &answer));
            lab.wait(60.0);
        }
    });
}
