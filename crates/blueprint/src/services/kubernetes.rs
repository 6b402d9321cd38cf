//! Kubernetes: the cluster, its pools of nodes, and what lets its services sign in.

use landfall_manifest::host::{ClusterIngress, ClusterNetwork, NetworkPolicy, Pool, Support, Upgrades};
use landfall_manifest::{Duration, Host, Kubernetes};

use crate::address::Address;
use crate::body::{Body, Object, object};
use crate::expression::Expression;
use crate::name;
use crate::resource::{ROLE_ASSIGNMENT, Resource};
use crate::role::{self, Role, assignment_name, definition_id};
use crate::services::host::{Code, Platform};
use crate::services::network::{self, Purpose};
use crate::services::{Draft, child, identity, nat_gateway, set, workspace};

/// The ARM type of a cluster.
pub const TYPE: &str = "Microsoft.ContainerService/managedClusters";
/// The ARM type of a pool.
pub const POOL: &str = "Microsoft.ContainerService/managedClusters/agentPools";
const API_VERSION: &str = "2026-05-01";

/// What this host is to its services.
pub(super) const PLATFORM: Platform = Platform { address: |_| None, url, code: Code::Manifests };

/// The address of the cluster; there is one.
pub fn address() -> Address {
    Address::new("cluster", "main")
}

/// The identity by which the cluster changes Azure's resources.
pub fn control_identity() -> Address {
    Address::new("clusterIdentity", "control")
}

/// The identity by which nodes pull images.
pub fn kubelet_identity() -> Address {
    Address::new("clusterIdentity", "kubelet")
}

/// The namespace that services live in.
pub fn namespace<'a>(app: &'a str, cluster: &'a Kubernetes) -> &'a str {
    cluster.namespace.as_deref().unwrap_or(app)
}

/// Where a service is reached: by a domain of its own from outside, or by its name in the cluster.
fn url(draft: &Draft<'_>, service: &str) -> Option<Body> {
    let ingress = draft.app.services.get(service)?.ingress.as_ref()?;
    let cluster = draft.app.kubernetes.as_ref()?;
    match ingress.domains.first().filter(|_| ingress.public) {
        Some(domain) => Some(format!("https://{domain}").into()),
        None => {
            let namespace = namespace(&draft.app.name, cluster);
            Some(format!("http://{service}.{namespace}.svc.cluster.local").into())
        }
    }
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let Some(own) = draft.app.kubernetes.clone() else { return };
    let services: Vec<String> = draft
        .app
        .services
        .iter()
        .filter(|(_, service)| matches!(service.host, Host::Kubernetes(_)))
        .map(|(name, _)| name.clone())
        .collect();
    if services.is_empty() {
        return;
    }
    for (address, part) in [(control_identity(), "cluster"), (kubelet_identity(), "kubelet")] {
        let name = draft.name(&name::IDENTITY, Some(part));
        let identity = draft.in_group(address, identity::TYPE, "2024-11-30", name, "kubernetes");
        draft.push(identity);
    }
    let roles = roles(draft);
    let cluster = cluster(draft, &own, roles);
    let pools: Vec<Resource> = own
        .pools
        .iter()
        .filter(|(name, _)| own.system_pool() != Some(name.as_str()))
        .map(|(name, pool)| Resource {
            from: format!("kubernetes.pools.{name}"),
            ..child(
                &cluster,
                Address::new("nodePool", name),
                POOL,
                API_VERSION,
                name,
                Body::Object(nodes(draft, &own, name, pool)),
            )
        })
        .collect();
    draft.push(cluster);
    pools.into_iter().for_each(|pool| draft.push(pool));
    for service in services {
        let credential = federated(draft, &own, &service);
        draft.push(credential);
    }
}

/// What the cluster's identities may do: the one put nodes into the subnet and give them the other, which pulls images.
fn roles(draft: &mut Draft<'_>) -> Vec<Address> {
    let mut wanted: Vec<(&str, Address, Address, &'static Role)> =
        vec![("nodes", kubelet_identity(), control_identity(), &role::IDENTITY_OPERATOR)];
    if let Some(subnet) = network::subnet(draft, Purpose::Kubernetes) {
        wanted.push(("network", subnet, control_identity(), &role::NETWORK_CONTRIBUTOR));
    }
    if let Some(registry) = draft.registry.clone() {
        wanted.push(("images", registry, kubelet_identity(), &role::ACR_PULL));
    }
    let mut made = Vec::new();
    for (what, target, principal, role) in wanted {
        let scope = draft.earlier(&target).id();
        let address = Address::new("clusterRole", what);
        let properties = object([
            ("roleDefinitionId", definition_id(&draft.subscription, role).into()),
            ("principalId", Expression::property(&principal, "properties.principalId").into()),
            ("principalType", "ServicePrincipal".into()),
        ]);
        let assignment = Resource {
            named: None,
            address: address.clone(),
            resource_type: ROLE_ASSIGNMENT,
            api_version: "2022-04-01",
            name: assignment_name(&scope, &draft.earlier(&principal).id(), role),
            scope,
            location: None,
            body: object([("properties", properties)]),
            within: Some(target),
            after: Vec::new(),
            from: "kubernetes".to_owned(),
            holds_data: false,
        };
        draft.push(assignment);
        made.push(address);
    }
    made
}

fn cluster(draft: &Draft<'_>, own: &Kubernetes, roles: Vec<Address>) -> Resource {
    let name = draft.name(&name::CLUSTER, None);
    let mut cluster = draft.in_group(address(), TYPE, API_VERSION, name.clone(), "kubernetes");
    // Without its roles the first pool gets no addresses, and its nodes no images.
    cluster.after = roles;
    set(&mut cluster, "identity", draft.assigned(&[control_identity()]));
    set(&mut cluster, "sku", object([("name", "Base".into()), ("tier", own.tier.azure().into())]));
    let support = match own.support {
        Support::Standard => "KubernetesOfficial",
        Support::LongTerm => "AKSLongTermSupport",
    };
    let system: Vec<Body> = own
        .system_pool()
        .and_then(|name| Some((name, own.pools.get(name)?)))
        .map(|(name, pool)| {
            let mut nodes = nodes(draft, own, name, pool);
            nodes.insert("name", name);
            Body::Object(nodes)
        })
        .into_iter()
        .collect();
    let node_images = match own.upgrades {
        Upgrades::None => "None",
        _ => "NodeImage",
    };
    let properties = object([
        ("kubernetesVersion", own.version.as_str().into()),
        ("supportPlan", support.into()),
        ("dnsPrefix", name.into()),
        ("agentPoolProfiles", system.into()),
        ("networkProfile", network_profile(own, nat_gateway::of(draft).is_some())),
        ("enableRBAC", true.into()),
        // People sign in with the directory's accounts, and Azure's roles say what they may.
        ("disableLocalAccounts", true.into()),
        ("aadProfile", directory(own)),
        ("apiServerAccessProfile", api_server(own)),
        ("identityProfile", object([("kubeletidentity", kubelet())])),
        ("oidcIssuerProfile", object([("enabled", true.into())])),
        (
            "securityProfile",
            object([
                ("workloadIdentity", object([("enabled", true.into())])),
                ("imageCleaner", object([("enabled", true.into()), ("intervalHours", 168u32.into())])),
            ]),
        ),
        (
            "autoUpgradeProfile",
            object([
                ("upgradeChannel", own.upgrades.azure().into()),
                ("nodeOSUpgradeChannel", node_images.into()),
            ]),
        ),
        ("autoScalerProfile", autoscaler(own)),
        ("addonProfiles", addons(own)),
        ("workloadAutoScalerProfile", keda(draft)),
        ("ingressProfile", ingress(own)),
    ]);
    set(&mut cluster, "properties", properties);
    cluster
}

/// What the nodes of a pool are like, the same in the cluster's body and in a pool's own.
fn nodes(draft: &Draft<'_>, own: &Kubernetes, name: &str, pool: &Pool) -> Object {
    let texts = |texts: &[String]| Body::Array(texts.iter().map(|text| text.as_str().into()).collect());
    let some = |texts_of: &[String]| Body::from((!texts_of.is_empty()).then(|| texts(texts_of)));
    let grows = pool.max > pool.min;
    let mut taints = pool.taints.clone();
    if pool.spot {
        // Azure gives its spare nodes this taint in any case.
        taints.push("kubernetes.azure.com/scalesetpriority=spot:NoSchedule".to_owned());
    }
    let labels: Object =
        pool.labels.iter().map(|(key, value)| (key.clone(), Body::from(value.as_str()))).collect();
    let is_system = pool.system || own.system_pool() == Some(name);
    let subnet = network::subnet(draft, Purpose::Kubernetes);
    let body = object([
        ("mode", if is_system { "System" } else { "User" }.into()),
        ("type", "VirtualMachineScaleSets".into()),
        ("vmSize", pool.size.as_str().into()),
        ("osType", "Linux".into()),
        ("osSKU", "AzureLinux".into()),
        ("osDiskSizeGB", u32::try_from(pool.disk.gibibytes()).unwrap_or(u32::MAX).into()),
        ("orchestratorVersion", own.version.as_str().into()),
        ("count", pool.min.into()),
        ("enableAutoScaling", grows.into()),
        ("minCount", grows.then_some(pool.min).into()),
        ("maxCount", grows.then_some(pool.max).into()),
        ("availabilityZones", some(&pool.zones)),
        ("nodeTaints", some(&taints)),
        ("nodeLabels", (!labels.is_empty()).then_some(Body::Object(labels)).into()),
        ("vnetSubnetID", subnet.as_ref().map(Expression::id).into()),
        ("enableNodePublicIP", false.into()),
        ("scaleSetPriority", pool.spot.then_some("Spot").into()),
        ("scaleSetEvictionPolicy", pool.spot.then_some("Delete").into()),
        // No more than the price of an ordinary node, and never taken back for the price.
        ("spotMaxPrice", pool.spot.then(|| Body::Number((-1).into())).into()),
        // One node more than wanted while nodes are replaced, a tenth of a great pool; spare nodes allow none.
        ("upgradeSettings", (!pool.spot).then(|| object([("maxSurge", "10%".into())])).into()),
    ]);
    match body {
        Body::Object(body) => body,
        _ => Object::new(),
    }
}

fn network_profile(own: &Kubernetes, nat: bool) -> Body {
    let overlay = own.network == ClusterNetwork::Overlay;
    let cilium = own.network_policy == NetworkPolicy::Cilium;
    object([
        ("networkPlugin", "azure".into()),
        ("networkPluginMode", overlay.then_some("overlay").into()),
        ("networkDataplane", if cilium { "cilium" } else { "azure" }.into()),
        ("networkPolicy", own.network_policy.azure().into()),
        ("podCidr", overlay.then_some(own.pod_range.as_str()).into()),
        ("serviceCidr", own.service_range.as_str().into()),
        ("dnsServiceIP", tenth(&own.service_range).into()),
        ("loadBalancerSku", "standard".into()),
        ("outboundType", if nat { "userAssignedNATGateway" } else { "loadBalancer" }.into()),
    ])
}

/// The tenth address of a range, which the cluster's DNS has by custom.
fn tenth(range: &str) -> Option<String> {
    let address = range.split('/').next()?.parse::<std::net::Ipv4Addr>().ok()?;
    Some(std::net::Ipv4Addr::from(u32::from(address).checked_add(10)?).to_string())
}

fn directory(own: &Kubernetes) -> Body {
    let groups: Vec<Body> = own.admins.iter().map(|group| group.as_str().into()).collect();
    object([
        ("managed", true.into()),
        ("enableAzureRBAC", true.into()),
        ("adminGroupObjectIDs", (!groups.is_empty()).then_some(groups).into()),
        ("tenantID", Expression::Tenant.into()),
    ])
}

fn api_server(own: &Kubernetes) -> Body {
    let ranges: Vec<Body> = own.allow.iter().map(|range| range.as_str().into()).collect();
    object([
        ("enablePrivateCluster", own.private.into()),
        ("authorizedIPRanges", (!ranges.is_empty()).then_some(ranges).into()),
        // Commands run through Azure would go around who may reach the API server.
        ("disableRunCommand", own.private.then_some(true).into()),
    ])
}

fn kubelet() -> Body {
    let of = |path: &str| Body::from(Expression::property(&kubelet_identity(), path));
    object([
        ("resourceId", Expression::id(&kubelet_identity()).into()),
        ("clientId", of("properties.clientId")),
        ("objectId", of("properties.principalId")),
    ])
}

fn autoscaler(own: &Kubernetes) -> Body {
    let autoscaler = &own.autoscaler;
    let share = format!("{}", f64::from(autoscaler.utilization) / 100.0);
    object([
        ("scale-down-delay-after-add", in_minutes(autoscaler.delay_after_add).into()),
        ("scale-down-unneeded-time", in_minutes(autoscaler.unneeded).into()),
        ("scale-down-utilization-threshold", share.into()),
        ("scan-interval", in_minutes(autoscaler.interval).into()),
        ("expander", autoscaler.expander.azure().into()),
    ])
}

/// The autoscaler's spans are of minutes or seconds.
fn in_minutes(duration: Duration) -> String {
    match duration.seconds % 60 {
        0 => format!("{}m", duration.seconds / 60),
        _ => format!("{}s", duration.seconds),
    }
}

fn addons(own: &Kubernetes) -> Body {
    let insights = own.insights.then(|| {
        object([
            ("enabled", true.into()),
            (
                "config",
                object([
                    ("logAnalyticsWorkspaceResourceID", Expression::id(&workspace::address()).into()),
                    // Read with an identity, and what is collected is decided outside the cluster.
                    ("useAADAuth", "true".into()),
                ]),
            ),
        ])
    });
    object([
        ("omsagent", insights.into()),
        (
            "azureKeyvaultSecretsProvider",
            object([
                ("enabled", true.into()),
                (
                    "config",
                    object([("enableSecretRotation", "true".into()), ("rotationPollInterval", "2m".into())]),
                ),
            ]),
        ),
    ])
}

/// What scales pods by a queue, where a service asks for it.
fn keda(draft: &Draft<'_>) -> Body {
    let queued = draft.app.services.values().any(|service| {
        matches!(service.host, Host::Kubernetes(_))
            && service.scale.as_ref().is_some_and(|scale| scale.queue.is_some())
    });
    queued.then(|| object([("keda", object([("enabled", true.into())]))])).into()
}

fn ingress(own: &Kubernetes) -> Body {
    match own.ingress {
        ClusterIngress::None => Body::Null,
        ClusterIngress::Nginx => object([(
            "webAppRouting",
            object([
                ("enabled", true.into()),
                ("nginx", object([("defaultIngressControllerType", "AnnotationControlled".into())])),
            ]),
        )]),
        ClusterIngress::GatewayApi => object([
            ("gatewayAPI", object([("installation", "Standard".into())])),
            (
                "webAppRouting",
                object([
                    ("enabled", true.into()),
                    (
                        "gatewayAPIImplementations",
                        object([("appRoutingIstio", object([("mode", "Enabled".into())]))]),
                    ),
                    ("nginx", object([("defaultIngressControllerType", "None".into())])),
                ]),
            ),
        ]),
    }
}

/// The credential by which a service's pods are taken for its identity.
fn federated(draft: &Draft<'_>, own: &Kubernetes, service: &str) -> Resource {
    let identity = draft.earlier(&identity::address(service));
    let subject = format!("system:serviceaccount:{}:{service}", namespace(&draft.app.name, own));
    child(
        identity,
        Address::new("federatedCredential", service),
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        "2024-11-30",
        "kubernetes",
        object([
            ("issuer", Expression::property(&address(), "properties.oidcIssuerProfile.issuerURL").into()),
            ("subject", subject.into()),
            ("audiences", vec![Body::from("api://AzureADTokenExchange")].into()),
        ]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_addresses_are_as_a_cluster_takes_them() {
        assert_eq!(in_minutes(Duration { seconds: 600 }), "10m");
        assert_eq!(in_minutes(Duration { seconds: 10 }), "10s");
        assert_eq!(tenth("172.20.0.0/16").as_deref(), Some("172.20.0.10"));
        assert_eq!(tenth("255.255.255.255/32"), None);
    }
}
