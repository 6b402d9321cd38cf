//! Kubernetes clusters (`Microsoft.ContainerService/managedClusters`) as Resource Manager sees them: their pools, versions,
//! identities, the group of their nodes, and credentials. No cluster runs here: nothing answers at the address that is told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::arm::id::Id;
use super::arm::kind::{Call, Change, Depth, Ending, Kind, Names, Place, Rules, Signs, USUAL, What};
use super::arm::refusal::Refusal;
use super::arm::{Resource, SystemData, default, groups, kind, put, resources, take};
use super::checks::{between, list, named, one_of, text};
use super::{Method, Response, World, chance};

const CLUSTER: &str = "Microsoft.ContainerService/managedClusters";
const POOL: &str = "Microsoft.ContainerService/managedClusters/agentPools";
const WINDOW: &str = "Microsoft.ContainerService/managedClusters/maintenanceConfigurations";
const IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";

/// Minor versions with their newest patch, oldest first; the middle one is what a cluster gets that names none.
const VERSIONS: [(&str, &str); 3] = [("1.33", "1.33.7"), ("1.34", "1.34.4"), ("1.35", "1.35.1")];

const fn row(
    name: &'static str,
    to: usize,
    signs: Signs,
    place: Place,
    seconds: [f64; 3],
    rules: &'static dyn Rules,
) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: Names {
            length: (1, to),
            signs,
            global: false,
            refusal: (
                "InvalidParameter",
                "The value of parameter resourceName is invalid. Error details: '{name}' does not follow the rules of \
                 names. Please see https://aka.ms/aks-naming-rules for more details.",
            ),
        },
        place,
        seconds,
        replies: USUAL,
        busy: "OperationNotAllowed",
        computed: &[],
        spelling: &[],
        rules,
    }
}

pub(super) static KINDS: &[Kind] = &[
    Kind {
        computed: &[
            "properties.fqdn",
            "properties.azurePortalFQDN",
            "properties.powerState",
            "properties.currentKubernetesVersion",
            "properties.resourceUID",
            "properties.maxAgentPools",
        ],
        ..row(CLUSTER, 63, Signs::Word, Place::Regional, [360.0, 240.0, 300.0], &Clusters)
    },
    row(POOL, 12, Signs::LowerAlnum, Place::Parent, [180.0, 120.0, 120.0], &Pools),
    row(WINDOW, 63, Signs::Any, Place::Parent, [0.0, 0.0, 0.0], &Windows),
];

fn invalid(parameter: &str, details: impl std::fmt::Display) -> Refusal {
    Refusal::bad(
        "InvalidParameter",
        format!("The value of parameter {parameter} is invalid. Error details: {details}."),
    )
    .at(parameter)
}

fn fixed(property: &str) -> Refusal {
    Refusal::bad("PropertyChangeNotAllowed", format!("Changing property '{property}' is not allowed."))
        .at(property)
}

/// The whole version that a text names: `1.34` or `1.34.4`.
fn version(asked: &str) -> Option<&'static str> {
    VERSIONS
        .iter()
        .find(|(minor, patch)| asked == *minor || asked == *patch || asked.starts_with(&format!("{minor}.")))
        .map(|(_, patch)| *patch)
}

fn minor(version: &str) -> u32 {
    version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or_default()
}

/// What a pool says of itself, sent with its cluster or on its own.
fn judge_pool(pool: &mut Value, before: Option<&Value>, control: &str) -> Result<(), Refusal> {
    let name = text(pool, "name").to_owned();
    default(pool, "count", json!(1));
    default(pool, "osType", json!("Linux"));
    default(pool, "type", json!("VirtualMachineScaleSets"));
    default(pool, "mode", json!("User"));
    for (property, known) in [
        ("mode", &["System", "User", "Gateway"][..]),
        ("osType", &["Linux", "Windows"]),
        ("type", &["VirtualMachineScaleSets", "VirtualMachines"]),
    ] {
        one_of(pool, property, known, |value| {
            invalid(&format!("agentPoolProfile.{property}"), format!("'{value}' is not allowed"))
        })?;
    }
    between(pool, "count", 0..=1000, |value| {
        invalid("agentPoolProfile.count", format!("{value} of pool {name} is not between 0 and 1000"))
    })?;
    if pool["mode"] == "System" && pool["count"] == 0 {
        return Err(invalid("agentPoolProfile.count", "a system pool has one node at least"));
    }
    if pool["mode"] == "System" && pool["osType"] != "Linux" {
        return Err(invalid("agentPoolProfile.osType", "a system pool runs Linux"));
    }
    if pool["enableAutoScaling"] == true {
        let (least, most) = (pool["minCount"].as_i64(), pool["maxCount"].as_i64());
        if !matches!((least, most), (Some(least), Some(most)) if least <= most) {
            return Err(invalid(
                "agentPoolProfile.maxCount",
                "autoscaling needs minCount and maxCount in order",
            ));
        }
    }
    default(pool, "vmSize", json!("Standard_D2s_v5"));
    if let Some(before) = before
        && !text(pool, "vmSize").eq_ignore_ascii_case(text(before, "vmSize"))
    {
        return Err(fixed("properties.vmSize"));
    }
    // What was asked for stays as it was, also where it names a minor version only; which patch that is, is told apart.
    let said = match text(pool, "orchestratorVersion") {
        "" => control.to_owned(),
        said => said.to_owned(),
    };
    let asked = version(&said).map(str::to_owned).ok_or_else(|| unsupported(&said))?;
    if minor(&asked) > minor(control) {
        return Err(Refusal::bad(
            "NodePoolMcVersionIncompatible",
            format!(
                "Node pool version {asked} and control plane version {control} are incompatible. Minor version of \
                 node pool version {} is bigger than control plane version {}. For more information, please check \
                 https://aka.ms/aks/UpgradeVersionRules",
                minor(&asked),
                minor(control)
            ),
        ));
    }
    put(pool, "orchestratorVersion", json!(said));
    put(pool, "currentOrchestratorVersion", json!(asked));
    for (name, usual) in [
        ("osSKU", json!("Ubuntu")),
        ("osDiskSizeGB", json!(128)),
        ("osDiskType", json!("Managed")),
        ("kubeletDiskType", json!("OS")),
        ("maxPods", json!(250)),
        ("enableAutoScaling", json!(false)),
        ("powerState", json!({"code": "Running"})),
    ] {
        default(pool, name, usual);
    }
    Ok(())
}

fn unsupported(asked: &str) -> Refusal {
    Refusal::bad(
        "K8sVersionNotSupported",
        format!(
            "Managed cluster is on version {asked}, which is not supported in this region. Please use [az aks \
             get-versions] command to get the supported version list in this region. For more information, please \
             check https://aka.ms/supported-version-list"
        ),
    )
}

#[derive(Debug)]
struct Clusters;

impl Rules for Clusters {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let near = text(&change.body, "location").to_owned();
        let before = change.current.as_ref().map(|current| current.properties().clone());
        let seed = world.config.seed;
        let own = chance::fixed_uuid(seed, &change.id.key());
        default(&mut change.body, "sku", json!({"name": "Base", "tier": "Free"}));
        let body = &mut change.body["properties"];

        // The identity of the nodes is chosen once, by the caller or by the service.
        let identity = before.as_ref().map(|before| before["identityProfile"].clone());
        if let Some(identity) = identity.filter(|it| it.is_object() && !body["identityProfile"].is_object()) {
            body["identityProfile"] = identity;
        }
        let asked = text(body, "kubernetesVersion").to_owned();
        let known = before.as_ref().map(|before| text(before, "currentKubernetesVersion").to_owned());
        let control = match (asked.as_str(), &known) {
            ("", Some(known)) => known.clone(),
            ("", None) => VERSIONS[1].1.to_owned(),
            (asked, _) => version(asked).ok_or_else(|| unsupported(asked))?.to_owned(),
        };
        if let Some(known) = &known
            && (minor(&control) > minor(known) + 1 || minor(&control) < minor(known))
        {
            return Err(Refusal::bad(
                "OperationNotAllowed",
                format!(
                    "Upgrading Kubernetes version {known} to {control} is not allowed. Available upgrades: {}. Please \
                     see https://aka.ms/aks-supported-k8s-ver for version details.",
                    VERSIONS
                        .iter()
                        .filter(|(_, patch)| minor(patch) == minor(known) + 1)
                        .map(|(_, patch)| *patch)
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            ));
        }
        default(body, "kubernetesVersion", json!(control));
        put(body, "currentKubernetesVersion", json!(control));

        if text(body, "dnsPrefix").is_empty() && text(body, "fqdnSubdomain").is_empty() {
            return Err(invalid("managedCluster.properties.dnsPrefix", "it must not be empty"));
        }
        if let Some(before) = &before {
            for property in ["dnsPrefix", "nodeResourceGroup"] {
                if body.get(property).is_some_and(|now| *now != before[property]) {
                    return Err(fixed(&format!("properties.{property}")));
                }
            }
        }
        let pools = take(body, "agentPoolProfiles").unwrap_or_else(|| {
            before.as_ref().map(|before| before["agentPoolProfiles"].clone()).unwrap_or_default()
        });
        let Value::Array(mut pools) = pools else {
            return Err(invalid("managedCluster.properties.agentPoolProfiles", "it must not be empty"));
        };
        let mut names = std::collections::BTreeSet::new();
        for pool in &mut pools {
            let name = text(pool, "name").to_owned();
            if !(1..=12).contains(&name.len())
                || !Signs::LowerAlnum.allow(&name)
                || !names.insert(name.clone())
            {
                return Err(invalid(
                    "agentPoolProfile.name",
                    format!("'{name}' is given twice or is none of 1 to 12 lower-case letters and digits"),
                ));
            }
            let known = before.iter().flat_map(|before| list(before, "agentPoolProfiles"));
            let known = known.into_iter().find(|it| it["name"] == pool["name"]).cloned();
            judge_pool(pool, known.as_ref(), &control)?;
        }
        if !pools.iter().any(|pool| pool["mode"] == "System") {
            return Err(Refusal::bad("BadRequest", "Must define at least one system pool."));
        }
        body["agentPoolProfiles"] = json!(pools);

        let prefix = match text(body, "fqdnSubdomain") {
            "" => text(body, "dnsPrefix").to_owned(),
            own => own.to_owned(),
        };
        let hash = chance::word(seed, &format!("cluster {}", change.id.key()), 8);
        let private = body["apiServerAccessProfile"]["enablePrivateCluster"] == true;
        let zone = if private { format!("{own}.privatelink") } else { "hcp".into() };
        let host = format!("{prefix}-{hash}.{zone}.{near}.azmk8s.io");
        put(body, if private { "privateFQDN" } else { "fqdn" }, json!(host));
        put(body, "azurePortalFQDN", json!(format!("{prefix}-{hash}.portal.hcp.{near}.azmk8s.io")));
        default(body, "powerState", json!({"code": "Running"}));
        default(body, "resourceUID", json!(own.simple().to_string()));
        default(body, "maxAgentPools", json!(100));
        default(body, "enableRBAC", json!(true));
        default(body, "supportPlan", json!("KubernetesOfficial"));
        default(body, "servicePrincipalProfile", json!({"clientId": "msi"}));
        let group = change.id.group.clone().unwrap_or_default();
        default(body, "nodeResourceGroup", json!(format!("MC_{group}_{}_{near}", change.id.name())));
        for (name, usual) in [
            ("networkPlugin", "azure"),
            ("networkPluginMode", "overlay"),
            ("loadBalancerSku", "standard"),
            ("outboundType", "loadBalancer"),
            ("podCidr", "10.244.0.0/16"),
            ("serviceCidr", "10.0.0.0/16"),
            ("dnsServiceIP", "10.0.0.10"),
        ] {
            default(body, &format!("networkProfile.{name}"), json!(usual));
        }
        if body["oidcIssuerProfile"]["enabled"] == true {
            let tenant = &world.config.tenant;
            let issuer = format!("https://{near}.oic.prod-aks.azure.com/{tenant}/{own}/");
            put(body, "oidcIssuerProfile.issuerURL", json!(issuer));
        }
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            make_node_group(world, id);
        }
        let Some(cluster) = world.arm.find(&id.key()) else { return Ending::Table };
        let pools = list(cluster.properties(), "agentPoolProfiles").to_vec();
        let gone: Vec<String> = world
            .arm
            .below(id)
            .filter(|(_, child)| child.kind == POOL)
            .filter(|(_, child)| !pools.iter().any(|pool| text(pool, "name") == child.id.name()))
            .map(|(key, _)| key.clone())
            .collect();
        gone.iter().for_each(|key| {
            world.arm.resources.remove(key);
        });
        for mut pool in pools {
            let own = id.child("agentPools", text(&pool, "name"));
            take(&mut pool, "name");
            match world.arm.find_mut(&own.key()) {
                Some(known) => known.body = json!({"properties": pool}),
                None => resources::grow(world, &own, json!({"properties": pool}), Value::Null),
            }
        }
        Ending::Table
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        if let Some(group) = node_group(resource) {
            groups::remove(world, &group);
        }
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        for pool in body["properties"]["agentPoolProfiles"].as_array_mut().into_iter().flatten() {
            put(pool, "provisioningState", json!(resource.state));
        }
    }

    fn busy(&self, id: &Id, operation: &super::arm::operations::Operation) -> Option<Refusal> {
        Some(Refusal::conflict(
            "OperationNotAllowed",
            format!(
                "Operation is not allowed: Another operation ({:?}) is in progress on managed cluster {}, please wait \
                 for it to finish before starting a new operation. See https://aka.ms/aks-pending-operation for more \
                 details",
                operation.verb,
                id.name()
            ),
        ))
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method == Method::Get && call.rest_is(&["upgradeProfiles", "default"]) {
            return Some(Ok(upgrades(world, call)));
        }
        if call.request.method != Method::Post {
            return None;
        }
        let [verb] = call.rest.as_slice() else { return None };
        let (file, user) = match verb.to_ascii_lowercase().as_str() {
            "listclusteradmincredential" => ("clusterAdmin", "clusterAdmin"),
            "listclusterusercredential" => ("clusterUser", "clusterUser"),
            "listclustermonitoringusercredential" => ("clusterMonitoringUser", "clusterMonitoringUser"),
            "start" | "stop" => {
                let code = if verb.eq_ignore_ascii_case("start") { "Running" } else { "Stopped" };
                let found = world.arm.find_mut(&call.id.key())?;
                put(&mut found.body, "properties.powerState", json!({"code": code}));
                return Some(Ok(Response::empty(200)));
            }
            _ => return None,
        };
        let cluster = world.arm.find(&call.id.key())?;
        if user == "clusterAdmin" && cluster.properties()["disableLocalAccounts"] == true {
            return Some(Err(Refusal::bad(
                "BadRequest",
                "Getting static credential is not allowed because this cluster is set to disable local accounts.",
            )));
        }
        let config = kube_config(world, cluster, user);
        Some(Ok(Response::json(
            200,
            &json!({"kubeconfigs": [{"name": file, "value": STANDARD.encode(config)}]}),
        )))
    }

    fn provide(&self, _world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method != Method::Get || !call.rest_is(&["locations", "*", "kubernetesVersions"]) {
            return None;
        }
        let values: Vec<Value> = VERSIONS
            .iter()
            .enumerate()
            .map(|(place, (minor, patch))| {
                let upgrades: Vec<&str> =
                    VERSIONS.iter().skip(place + 1).take(1).map(|(_, it)| *it).collect();
                json!({"version": minor, "isDefault": place == 1,
                    "capabilities": {"supportPlan": ["KubernetesOfficial", "AKSLongTermSupport"]},
                    "patchVersions": {*patch: {"upgrades": upgrades}}})
            })
            .collect();
        Some(Ok(Response::json(200, &json!({"values": values}))))
    }
}

/// What a cluster can be brought to.
fn upgrades(world: &World, call: &Call) -> Response {
    let cluster = world.arm.find(&call.id.key());
    let now =
        cluster.map(|it| text(it.properties(), "currentKubernetesVersion").to_owned()).unwrap_or_default();
    let next: Vec<Value> = VERSIONS
        .iter()
        .filter(|(_, patch)| minor(patch) == minor(&now) + 1)
        .map(|(_, patch)| json!({"kubernetesVersion": patch}))
        .collect();
    Response::json(
        200,
        &json!({"id": format!("{}/upgradeProfiles/default", call.id), "name": "default",
            "type": "Microsoft.ContainerService/managedClusters/upgradeProfiles",
            "properties": {"controlPlaneProfile": {"kubernetesVersion": now, "osType": "Linux", "upgrades": next},
                "agentPoolProfiles": []}}),
    )
}

/// The group that a cluster keeps its nodes in.
fn node_group(cluster: &Resource) -> Option<Id> {
    let name = text(cluster.properties(), "nodeResourceGroup");
    Id::parse(&format!("/subscriptions/{}/resourceGroups/{name}", cluster.id.subscription.as_deref()?))
}

/// Makes it, with the identity that nodes pull images with.
fn make_node_group(world: &mut World, id: &Id) {
    let Some(cluster) = world.arm.find(&id.key()).cloned() else { return };
    let Some(group) = node_group(&cluster) else { return };
    let by = String::from("Azure");
    let made = Resource {
        id: group.clone(),
        kind: "Microsoft.Resources/resourceGroups".into(),
        body: json!({"location": cluster.location(), "managedBy": id.to_string()}),
        private: Value::Null,
        state: "Succeeded".into(),
        api_version: cluster.api_version.clone(),
        system: SystemData {
            created_by: by.clone(),
            created_at: world.now,
            modified_by: by,
            modified_at: world.now,
        },
        etag: String::new(),
        operation: None,
        listed_from: world.now,
    };
    world.arm.resources.entry(group.key()).or_insert(made);
    if cluster.properties()["identityProfile"]["kubeletidentity"]["resourceId"].is_string() {
        return;
    }
    let identity = format!("{group}/providers/{IDENTITY}/{}-agentpool", id.name());
    let Some(identity) = Id::parse(&identity) else { return };
    resources::grow(world, &identity, json!({"location": cluster.location(), "properties": {}}), Value::Null);
    kind::row(IDENTITY).rules.begun(world, &identity, What::Created);
    let Some(known) = named(world, &identity.to_string(), IDENTITY) else { return };
    let shown = json!({"kubeletidentity": {"resourceId": identity.to_string(),
        "clientId": known.properties()["clientId"], "objectId": known.properties()["principalId"]}});
    if let Some(cluster) = world.arm.find_mut(&id.key()) {
        put(&mut cluster.body, "properties.identityProfile", shown);
    }
}

/// What `kubectl` reads.
fn kube_config(world: &World, cluster: &Resource, user: &str) -> String {
    let (name, properties) = (cluster.id.name(), cluster.properties());
    let host = match text(properties, "fqdn") {
        "" => text(properties, "privateFQDN"),
        host => host,
    };
    let group = cluster.id.group.clone().unwrap_or_default();
    let token = chance::word(world.config.seed, &format!("{user} {}", cluster.id.key()), 64);
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: {name}\n  cluster:\n    server: https://{host}:443\n\
         contexts:\n- name: {name}\n  context:\n    cluster: {name}\n    user: {user}_{group}_{name}\n\
         current-context: {name}\nusers:\n- name: {user}_{group}_{name}\n  user:\n    token: {token}\n"
    )
}

#[derive(Debug)]
struct Pools;

impl Rules for Pools {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let cluster = change.id.parent().and_then(|parent| world.arm.find(&parent.key()).cloned());
        let control = cluster.map(|it| text(it.properties(), "currentKubernetesVersion").to_owned());
        let before = change.current.as_ref().map(|current| current.properties().clone());
        if !change.body["properties"].is_object() {
            change.body["properties"] = json!({});
        }
        let pool = &mut change.body["properties"];
        judge_pool(pool, before.as_ref(), &control.unwrap_or_default())
    }

    fn begun(&self, world: &mut World, id: &Id, _what: What) -> Ending {
        tell_cluster(world, id);
        Ending::Table
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        let Some(cluster) = resource.id.parent().and_then(|parent| world.arm.find(&parent.key())) else {
            return Ok(());
        };
        let others = list(cluster.properties(), "agentPoolProfiles");
        if others.iter().any(|pool| pool["mode"] == "System" && text(pool, "name") != resource.id.name()) {
            return Ok(());
        }
        Err(Refusal::bad("BadRequest", "There has to be at least one system agent pool."))
    }

    fn may_delete_with_group(&self, _world: &World, _resource: &Resource) -> Result<(), Refusal> {
        Ok(())
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        tell_cluster(world, &resource.id);
    }
}

/// A cluster's list of its pools follows them.
fn tell_cluster(world: &mut World, pool: &Id) {
    let Some(parent) = pool.parent() else { return };
    let pools: Vec<Value> = world
        .arm
        .below(&parent)
        .filter(|(_, child)| child.kind == POOL)
        .map(|(_, child)| {
            let mut shown = json!({"name": child.id.name()});
            super::arm::merge(&mut shown, child.properties());
            shown
        })
        .collect();
    if let Some(cluster) = world.arm.find_mut(&parent.key()) {
        put(&mut cluster.body, "properties.agentPoolProfiles", json!(pools));
    }
}

/// When Azure may change a cluster.
#[derive(Debug)]
struct Windows;

impl Rules for Windows {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        let known = ["default", "aksManagedAutoUpgradeSchedule", "aksManagedNodeOSUpgradeSchedule"];
        if known.iter().any(|name| name.eq_ignore_ascii_case(change.id.name())) {
            return Ok(());
        }
        Err(invalid("configName", format!("'{}' is none of {}", change.id.name(), known.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::world::testing::{Lab, SUB, rg};

    fn cluster(pools: Value) -> Value {
        json!({"location": "westeurope", "identity": {"type": "SystemAssigned"},
            "properties": {"dnsPrefix": "shop", "kubernetesVersion": "1.33", "agentPoolProfiles": pools}})
    }

    fn pool(name: &str, mode: &str) -> Value {
        json!({"name": name, "mode": mode, "count": 1, "vmSize": "Standard_D2s_v5"})
    }

    #[test]
    fn a_cluster_has_a_group_for_its_nodes_and_an_identity_that_pulls() {
        let mut lab = Lab::new(0.0);
        let path = rg("Microsoft.ContainerService/managedClusters/shop");
        lab.put(&path, cluster(json!([pool("apps", "User")]))).refused(400, "BadRequest");
        let made = lab.put(&path, cluster(json!([pool("main", "System")]))).ok(201).json;
        let group = format!("{SUB}/resourceGroups/MC_rg_shop_westeurope");
        assert_eq!(lab.get(&group).ok(200).json["managedBy"], path);
        let kubelet = made["properties"]["identityProfile"]["kubeletidentity"]["resourceId"].as_str();
        lab.get(kubelet.unwrap()).ok(200);
        lab.delete(&path).ok(200);
        lab.get(&group).ok(404);
    }

    #[test]
    fn pools_are_of_their_cluster_and_one_is_for_the_system() {
        let mut lab = Lab::new(0.0);
        let path = rg("Microsoft.ContainerService/managedClusters/shop");
        lab.put(&path, cluster(json!([pool("main", "System")]))).ok(201);
        let apps = format!("{path}/agentPools/apps");
        lab.put(&apps, json!({"properties": {"count": 2, "vmSize": "Standard_D4s_v5"}})).ok(201);
        let names = |lab: &mut Lab| {
            let shown = lab.get(&path).json["properties"]["agentPoolProfiles"].clone();
            shown
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&mut lab), ["apps", "main"]);
        lab.put(&apps, json!({"properties": {"count": 2, "vmSize": "Standard_D8s_v5"}}))
            .refused(400, "PropertyChangeNotAllowed");
        lab.delete(&format!("{path}/agentPools/main")).refused(400, "BadRequest");
        lab.delete(&apps).ok(200);
        assert_eq!(names(&mut lab), ["main"]);
    }

    #[test]
    fn minor_versions_come_one_after_the_other() {
        let mut lab = Lab::new(0.0);
        let path = rg("Microsoft.ContainerService/managedClusters/shop");
        let to = |version: &str| {
            let mut body = cluster(json!([pool("main", "System")]));
            body["properties"]["kubernetesVersion"] = json!(version);
            body
        };
        lab.put(&path, to("1.12")).refused(400, "K8sVersionNotSupported");
        lab.put(&path, to("1.33")).ok(201);
        lab.put(&path, to("1.35")).refused(400, "OperationNotAllowed");
        lab.put(&path, to("1.34")).ok(200);
        lab.put(&path, to("1.35")).ok(200);
        lab.put(&path, to("1.34")).refused(400, "OperationNotAllowed");
        let newer = json!({"properties": {"vmSize": "Standard_D2s_v5", "orchestratorVersion": "1.12"}});
        lab.put(&format!("{path}/agentPools/b"), newer).refused(400, "K8sVersionNotSupported");
    }
}
