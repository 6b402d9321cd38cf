//! Quotas by region: what a subscription may have of something, how much of it is used, and the refusal of more.
//!
//! One table, [`QUOTAS`], serves the services' own usages APIs (`…/locations/L/usages`), `Microsoft.Quota`, where a
//! limit can be asked to be raised, and the refusals of what would exceed it. The limits are those of a pay-as-you-go
//! subscription. Cognitive Services counts its deployments itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::arm::gate::{authorize, object};
use super::arm::id::Id;
use super::arm::kind::Change;
use super::arm::refusal::Refusal;
use super::arm::{Answer, Ask, subscriptions};
use super::{Method, Response, World};

/// Limits that were raised on request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Raised(BTreeMap<String, u64>);

/// One quota.
struct Quota {
    namespace: &'static str,
    name: &'static str,
    shown: &'static str,
    limit: u64,
    uses: Uses,
    /// Whether it is for the whole subscription: one region's usage counts all others'.
    everywhere: bool,
    refuse: Option<Refuse>,
}

/// What counts against a quota.
enum Uses {
    /// Each resource of a type.
    Each(&'static str),
    /// A resource of a type as much as its body says.
    Weighed(&'static str, fn(&Value) -> u64),
    /// Nothing that is modelled here.
    Nothing,
}

/// Makes the refusal of what exceeds a quota.
type Refuse = fn(&Excess) -> Refusal;

/// A quota that would be exceeded.
struct Excess<'a> {
    subscription: &'a str,
    region: &'a str,
    shown: &'a str,
    limit: u64,
    used: u64,
    wanted: u64,
}

const STORAGE: &str = "Microsoft.Storage/storageAccounts";
const VM: &str = "Microsoft.Compute/virtualMachines";
const AKS: &str = "Microsoft.ContainerService/managedClusters";
const ENVIRONMENT: &str = "Microsoft.App/managedEnvironments";
const ADDRESS: &str = "Microsoft.Network/publicIPAddresses";
const PLAN: &str = "Microsoft.Web/serverfarms";

static QUOTAS: &[Quota] = &[
    Quota { refuse: Some(accounts), ..each(STORAGE, "StorageAccounts", "Storage Accounts", 250) },
    Quota {
        refuse: Some(environments),
        ..each(ENVIRONMENT, "ManagedEnvironmentCount", "Managed Environment Count", 15)
    },
    Quota {
        refuse: Some(all_environments),
        everywhere: true,
        ..each(
            ENVIRONMENT,
            "SubscriptionManagedEnvironmentCount",
            "Subscription Managed Environment Count",
            20,
        )
    },
    Quota { refuse: Some(cores), ..weighed(VM, "cores", "Total Regional vCPUs", 100, vm_cores) },
    Quota {
        refuse: Some(cluster_cores),
        ..weighed(AKS, "cores", "Total Regional vCPUs", 100, cluster_vcpus)
    },
    each(VM, "virtualMachines", "Virtual Machines", 25_000),
    each("Microsoft.Compute/availabilitySets", "availabilitySets", "Availability Sets", 2_500),
    nothing("Microsoft.Compute", "lowPriorityCores", "Total Regional Low-priority vCPUs", 3),
    network("Microsoft.Network/virtualNetworks", "VirtualNetworks", "Virtual Networks", 1_000),
    Quota {
        refuse: Some(static_addresses),
        ..weighed(ADDRESS, "StaticPublicIPAddresses", "Static Public IP Addresses", 20, is_static)
    },
    network(
        "Microsoft.Network/networkSecurityGroups",
        "NetworkSecurityGroups",
        "Network Security Groups",
        5_000,
    ),
    network(ADDRESS, "PublicIPAddresses", "Public IP Addresses", 1_000),
    network("Microsoft.Network/publicIPPrefixes", "PublicIpPrefixes", "Public Ip Prefixes", 100),
    network("Microsoft.Network/natGateways", "NatGateways", "Nat Gateways", 100),
    network("Microsoft.Network/networkInterfaces", "NetworkInterfaces", "Network Interfaces", 65_536),
    network("Microsoft.Network/privateEndpoints", "PrivateEndpoints", "Private Endpoints", 65_536),
    network("Microsoft.Network/privateLinkServices", "PrivateLinkServices", "Private Link Services", 800),
    network("Microsoft.Network/loadBalancers", "LoadBalancers", "Load Balancers", 1_000),
    network("Microsoft.Network/applicationGateways", "ApplicationGateways", "Application Gateways", 1_000),
    network("Microsoft.Network/routeTables", "RouteTables", "Route Tables", 200),
    network("Microsoft.Network/networkWatchers", "NetworkWatchers", "Network Watchers", 1),
    Quota { refuse: Some(free_plans), ..weighed(PLAN, "F1", "Free App Service Plans", 10, free) },
    tier("Basic", "Basic VMs", basic),
    tier("Standard", "Standard VMs", standard),
    tier("PremiumV2", "PremiumV2 VMs", premium_v2),
    tier("PremiumV3", "PremiumV3 VMs", premium_v3),
];

const fn each(kind: &'static str, name: &'static str, shown: &'static str, limit: u64) -> Quota {
    Quota {
        namespace: namespace(kind),
        name,
        shown,
        limit,
        uses: Uses::Each(kind),
        everywhere: false,
        refuse: None,
    }
}

const fn weighed(
    kind: &'static str,
    name: &'static str,
    shown: &'static str,
    limit: u64,
    weight: fn(&Value) -> u64,
) -> Quota {
    // cores of clusters are Compute's
    let own = namespace(kind);
    let namespace = if own.len() == "Microsoft.ContainerService".len() { "Microsoft.Compute" } else { own };
    Quota { namespace, uses: Uses::Weighed(kind, weight), ..each(kind, name, shown, limit) }
}

const fn nothing(namespace: &'static str, name: &'static str, shown: &'static str, limit: u64) -> Quota {
    Quota { namespace, name, shown, limit, uses: Uses::Nothing, everywhere: false, refuse: None }
}

const fn network(kind: &'static str, name: &'static str, shown: &'static str, limit: u64) -> Quota {
    Quota { refuse: Some(networks), ..each(kind, name, shown, limit) }
}

const fn tier(name: &'static str, shown: &'static str, weight: fn(&Value) -> u64) -> Quota {
    Quota { refuse: Some(instances), ..weighed(PLAN, name, shown, 30, weight) }
}

/// What is before the slash.
const fn namespace(kind: &'static str) -> &'static str {
    let bytes = kind.as_bytes();
    let mut at = 0;
    while at < bytes.len() && bytes[at] != b'/' {
        at += 1;
    }
    kind.split_at(at).0
}

impl Quota {
    /// How much of it something uses.
    fn weight(&self, kind: &str, body: &Value) -> u64 {
        match self.uses {
            Uses::Each(counted) => u64::from(counted.eq_ignore_ascii_case(kind)),
            Uses::Weighed(counted, weight) if counted.eq_ignore_ascii_case(kind) => weight(body),
            Uses::Weighed(..) | Uses::Nothing => 0,
        }
    }

    fn used(&self, world: &World, region: &str, but: Option<&str>) -> u64 {
        let kind = match self.uses {
            Uses::Each(kind) | Uses::Weighed(kind, _) => kind,
            Uses::Nothing => return 0,
        };
        let counted = world.arm.of_kind(kind).filter(|found| self.everywhere || found.location() == region);
        counted
            .filter(|found| but.is_none_or(|but| found.id.key() != but))
            .map(|found| self.weight(kind, &found.body))
            .sum()
    }

    fn limit(&self, world: &World, region: &str) -> u64 {
        world.quotas.0.get(&key(self.namespace, region, self.name)).copied().unwrap_or(self.limit)
    }
}

fn key(namespace: &str, region: &str, name: &str) -> String {
    format!("{namespace}/{region}/{name}").to_ascii_lowercase()
}

/// Refuses a change that would exceed a quota of its region.
pub(super) fn permit(world: &World, kind: &str, id: &Id, change: &Change) -> Result<(), Refusal> {
    let region = subscriptions::normal(change.body["location"].as_str().unwrap_or_default());
    let before = change.current.as_ref().map(|current| &current.body);
    for quota in QUOTAS {
        let Some(refuse) = quota.refuse else { continue };
        let wanted = quota.weight(kind, &change.body);
        let had = before.map_or(0, |body| quota.weight(kind, body));
        if wanted <= had {
            continue;
        }
        // machines and clusters share their region's cores
        let alike =
            QUOTAS.iter().filter(|other| other.namespace == quota.namespace && other.name == quota.name);
        let used = alike.map(|quota| quota.used(world, &region, Some(&id.key()))).sum::<u64>() + had;
        let limit = quota.limit(world, &region);
        if used + (wanted - had) > limit {
            let subscription = world.config.subscription.as_str();
            let excess = Excess {
                subscription,
                region: &region,
                shown: quota.shown,
                limit,
                used,
                wanted: wanted - had,
            };
            return Err(refuse(&excess));
        }
    }
    Ok(())
}

fn accounts(of: &Excess) -> Refusal {
    Refusal::bad(
        "MaxStorageAccountsCountPerSubscriptionExceeded",
        format!(
            "Subscription {} already contains {} storage accounts with Standard Dns endpoints in location {} and the \
             maximum allowed is {}.",
            of.subscription, of.used, of.region, of.limit
        ),
    )
}

fn environments(of: &Excess) -> Refusal {
    let region = subscriptions::display_name(of.region);
    let text = format!(
        "The subscription '{}' cannot have more than {} Container App Environments in {region}.",
        of.subscription, of.limit
    );
    Refusal::bad("MaxNumberOfRegionalEnvironmentsInSubExceeded", text)
}

fn all_environments(of: &Excess) -> Refusal {
    let text = format!(
        "The subscription '{}' cannot have more than {} Container App Environments.",
        of.subscription, of.limit
    );
    Refusal::bad("MaxNumberOfGlobalEnvironmentsInSubExceeded", text)
}

fn cores(of: &Excess) -> Refusal {
    Refusal::conflict(
        "OperationNotAllowed",
        format!(
            "Operation could not be completed as it results in exceeding approved Total Regional Cores quota. \
             Additional details - Deployment Model: Resource Manager, Location: {}, Current Limit: {}, Current Usage: \
             {}, Additional Required: {}, (Minimum) New Limit Required: {}.",
            of.region,
            of.limit,
            of.used,
            of.wanted,
            of.used + of.wanted
        ),
    )
}

fn cluster_cores(of: &Excess) -> Refusal {
    Refusal::bad(
        "ErrCode_InsufficientVCPUQuota",
        format!(
            "Insufficient regional vcpu quota left for location {}. left regional vcpu quota {}, requested quota {}.",
            of.region,
            of.limit.saturating_sub(of.used),
            of.wanted
        ),
    )
}

fn static_addresses(of: &Excess) -> Refusal {
    Refusal::bad(
        "StaticPublicIPCountLimitReached",
        format!(
            "Cannot create more than {} public IP addresses with static allocation method for this subscription in \
             this region.",
            of.limit
        ),
    )
}

/// `Virtual Networks`: `VirtualNetworkCountLimitReached`.
fn networks(of: &Excess) -> Refusal {
    let one: String = of.shown.split_whitespace().collect();
    let one = match one.strip_suffix("sses") {
        Some(stem) => format!("{stem}ss"),
        None => one.trim_end_matches('s').to_owned(),
    };
    let text = format!(
        "Cannot create more than {} {} for this subscription in this region.",
        of.limit,
        of.shown.to_lowercase()
    );
    Refusal::bad(&format!("{one}CountLimitReached"), text)
}

fn free_plans(of: &Excess) -> Refusal {
    let text = format!(
        "You have reached the maximum number of Free ServerFarms per subscription per region: {}.",
        of.limit
    );
    Refusal::conflict("Conflict", text)
}

fn instances(of: &Excess) -> Refusal {
    let total = of.used + of.wanted;
    Refusal::new(
        401,
        "Unauthorized",
        format!(
            "Operation cannot be completed without additional quota. \r\nAdditional details - Location: {}\r\nCurrent \
             Limit ({shown}): {} \r\nCurrent Usage: {}\r\nAmount required for this deployment ({shown}): {} \
             \r\n(Minimum) New Limit that you should request to enable this deployment: {total}.",
            of.region,
            of.limit,
            of.used,
            of.wanted,
            shown = of.shown,
        ),
    )
}

fn vm_cores(body: &Value) -> u64 {
    vcpus(body["properties"]["hardwareProfile"]["vmSize"].as_str().unwrap_or_default())
}

fn cluster_vcpus(body: &Value) -> u64 {
    let pools = body["properties"]["agentPoolProfiles"].as_array().into_iter().flatten();
    pools
        .map(|pool| pool["count"].as_u64().unwrap_or(1) * vcpus(pool["vmSize"].as_str().unwrap_or_default()))
        .sum()
}

/// 4 of `Standard_D4s_v5`; sizes of the second generation are numbered by powers of two.
fn vcpus(size: &str) -> u64 {
    let name = size.strip_prefix("Standard_").or_else(|| size.strip_prefix("Basic_")).unwrap_or(size);
    let digits = name.trim_start_matches(|sign: char| sign.is_ascii_alphabetic());
    let number: String = digits.chars().take_while(char::is_ascii_digit).collect();
    let number = number.parse::<u64>().unwrap_or(1).clamp(1, 416);
    if name.starts_with('D') && name.ends_with("_v2") { 1 << (number.min(6) - 1) } else { number }
}

fn is_static(body: &Value) -> u64 {
    let way = body["properties"]["publicIPAllocationMethod"].as_str().unwrap_or_default();
    let standard = body["sku"]["name"].as_str().unwrap_or("Standard").starts_with("Standard");
    u64::from(way.eq_ignore_ascii_case("Static") || (way.is_empty() && standard))
}

fn free(body: &Value) -> u64 {
    u64::from(body["sku"]["name"].as_str().is_some_and(|sku| sku.eq_ignore_ascii_case("F1")))
}

fn basic(body: &Value) -> u64 {
    workers(body, |sku| sku.starts_with('B'))
}

fn standard(body: &Value) -> u64 {
    workers(body, |sku| sku.starts_with('S'))
}

fn premium_v2(body: &Value) -> u64 {
    workers(body, |sku| sku.starts_with('P') && sku.ends_with("V2"))
}

fn premium_v3(body: &Value) -> u64 {
    workers(body, |sku| sku.starts_with('P') && sku.ends_with("V3"))
}

/// How many workers a plan of some tier has.
fn workers(body: &Value, of_tier: fn(&str) -> bool) -> u64 {
    let sku = body["sku"]["name"].as_str().unwrap_or_default().to_ascii_uppercase();
    if of_tier(&sku) { body["sku"]["capacity"].as_u64().unwrap_or(1) } else { 0 }
}

/// `…/providers/NAMESPACE/locations/L/usages`, and `Microsoft.Quota` over the same scope.
pub(super) fn serve(world: &mut World, ask: &Ask) -> Option<Answer> {
    let id = &ask.path.id;
    if id.subscription.is_none() || id.group.is_some() {
        return None;
    }
    let (place, rest) = match id.stretches.as_slice() {
        [place] => (place, ask.path.rest.clone()),
        [place, own] if own.namespace.eq_ignore_ascii_case("Microsoft.Quota") => {
            let [(part, name)] = own.parts.as_slice() else { return None };
            let words = ["providers", "Microsoft.Quota", part, name].map(str::to_owned);
            (place, [words.as_slice(), &ask.path.rest].concat())
        }
        _ => return None,
    };
    let [(part, region)] = place.parts.as_slice() else { return None };
    let quotas: Vec<&Quota> =
        QUOTAS.iter().filter(|quota| quota.namespace.eq_ignore_ascii_case(&place.namespace)).collect();
    if quotas.is_empty() || !part.eq_ignore_ascii_case("locations") {
        return None;
    }
    let words: Vec<&str> = rest.iter().map(String::as_str).collect();
    let is = |at: usize, word: &str| words.get(at).is_some_and(|it| it.eq_ignore_ascii_case(word));
    let own = words.len() == 1 && is(0, "usages");
    let quota = is(0, "providers") && is(1, "Microsoft.Quota") && matches!(words.len(), 3 | 4);
    if !own && !quota {
        return None;
    }
    let region = subscriptions::normal(region);
    Some(answer(world, ask, &Scope { namespace: quotas[0].namespace, region: &region, own, words: &words }))
}

/// Whose quotas are asked for.
struct Scope<'a> {
    namespace: &'static str,
    region: &'a str,
    own: bool,
    words: &'a [&'a str],
}

fn answer(world: &mut World, ask: &Ask, scope: &Scope) -> Answer {
    let (namespace, region) = (scope.namespace, scope.region);
    subscriptions::must_be_registered(world, namespace)?;
    if !subscriptions::is_region(region) {
        return Err(subscriptions::no_provider(region, ask.api_version(), "locations/usages"));
    }
    let subscription = Id::subscription(&world.config.subscription);
    let verb = if ask.reads() { "read" } else { "write" };
    let right = match scope.words {
        [_, _, part, ..] => format!("Microsoft.Quota/{part}/{verb}"),
        _ => format!("{namespace}/locations/usages/{verb}"),
    };
    authorize(world, ask.caller, &right, &subscription)?;
    let base = format!("{subscription}/providers/{namespace}/locations/{region}");
    if scope.own {
        if !ask.reads() {
            return Err(Refusal::new(405, "MethodNotAllowed", "Usages can only be read."));
        }
        let value: Vec<Value> =
            distinct(namespace).map(|quota| own(world, quota, region, &format!("{base}/usages"))).collect();
        return Ok(Response::json(200, &json!({"value": value})));
    }
    let part = scope.words[2].to_ascii_lowercase();
    let show: fn(&World, &Quota, &str, &str) -> Value = match part.as_str() {
        "quotas" => limit,
        "usages" => usage,
        "quotarequests" => return Ok(Response::json(200, &json!({"value": []}))),
        _ => {
            return Err(Refusal::missing("InvalidResourceType", format!("Microsoft.Quota has no '{part}'.")));
        }
    };
    let Some(name) = scope.words.get(3) else {
        let value: Vec<Value> = distinct(namespace).map(|quota| show(world, quota, region, &base)).collect();
        return Ok(Response::json(200, &json!({"value": value})));
    };
    let Some(quota) = distinct(namespace).find(|quota| quota.name.eq_ignore_ascii_case(name)) else {
        let text = format!("The resource '{name}' is not one of '{namespace}' in '{region}'.");
        return Err(Refusal::missing("InvalidResourceName", text));
    };
    match ask.request.method {
        Method::Get | Method::Head => {}
        Method::Put | Method::Patch if part == "quotas" => raise(world, ask, quota, region)?,
        _ => return Err(Refusal::new(405, "MethodNotAllowed", "Quotas can be read and asked to be raised.")),
    }
    Ok(Response::json(200, &show(world, quota, region, &base)))
}

/// The quotas of a namespace, each name once.
fn distinct(namespace: &'static str) -> impl Iterator<Item = &'static Quota> {
    let of = move |quota: &&Quota| quota.namespace == namespace;
    QUOTAS.iter().filter(of).enumerate().filter_map(move |(at, quota)| {
        let before = QUOTAS.iter().filter(of).take(at).any(|other| other.name == quota.name);
        (!before).then_some(quota)
    })
}

/// A limit as it is asked for.
fn raise(world: &mut World, ask: &Ask, quota: &Quota, region: &str) -> Result<(), Refusal> {
    let body = object(ask.body)?;
    let Some(value) = body["properties"]["limit"]["value"].as_u64() else {
        return Err(Refusal::bad("InvalidRequestBody", "properties.limit.value must be a whole number."));
    };
    let used = sum(world, quota, region);
    if value < used {
        let text = format!("The limit {value} of '{}' is below its present usage of {used}.", quota.name);
        return Err(Refusal::bad("InvalidQuotaLimit", text));
    }
    world.quotas.0.insert(key(quota.namespace, region, quota.name), value);
    Ok(())
}

/// What is used of a quota, by all that counts against it.
fn sum(world: &World, quota: &Quota, region: &str) -> u64 {
    let alike = QUOTAS.iter().filter(|other| other.namespace == quota.namespace && other.name == quota.name);
    alike.map(|quota| quota.used(world, region, None)).sum()
}

/// As the services' own usages APIs show it.
fn own(world: &World, quota: &Quota, region: &str, base: &str) -> Value {
    let mut shown = json!({
        "unit": "Count",
        "currentValue": sum(world, quota, region),
        "limit": quota.limit(world, region),
        "name": {"value": quota.name, "localizedValue": quota.shown},
    });
    if quota.namespace == "Microsoft.Network" {
        shown["id"] = json!(format!("{base}/{}", quota.name));
    }
    shown
}

fn limit(world: &World, quota: &Quota, region: &str, base: &str) -> Value {
    json!({
        "id": format!("{base}/providers/Microsoft.Quota/quotas/{}", quota.name),
        "name": quota.name,
        "type": "Microsoft.Quota/Quotas",
        "properties": {
            "limit": {"limitObjectType": "LimitValue", "limitType": "Independent", "value": quota.limit(world, region)},
            "unit": "Count",
            "name": {"value": quota.name, "localizedValue": quota.shown},
            "isQuotaApplicable": true,
        },
    })
}

fn usage(world: &World, quota: &Quota, region: &str, base: &str) -> Value {
    json!({
        "id": format!("{base}/providers/Microsoft.Quota/usages/{}", quota.name),
        "name": quota.name,
        "type": "Microsoft.Quota/Usages",
        "properties": {
            "usages": {"value": sum(world, quota, region), "usagesType": "Individual"},
            "unit": "Count",
            "name": {"value": quota.name, "localizedValue": quota.shown},
            "isQuotaApplicable": true,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Lab, SUB, rg};
    use super::*;

    fn used(lab: &mut Lab, of: &str, name: &str) -> (u64, u64) {
        let listed = lab.get(&format!("{SUB}/providers/{of}/locations/westeurope/usages")).ok(200).json;
        let all = listed["value"].as_array().unwrap();
        let one = all.iter().find(|one| one["name"]["value"] == name).unwrap();
        (one["currentValue"].as_u64().unwrap(), one["limit"].as_u64().unwrap())
    }

    #[test]
    fn addresses_are_counted_refused_and_raised() {
        let mut lab = Lab::new(0.0);
        let address = json!({"location": "westeurope", "sku": {"name": "Standard"},
                             "properties": {"publicIPAllocationMethod": "Static"}});
        let path = |n: u32| rg(&format!("Microsoft.Network/publicIPAddresses/ip{n}"));
        for n in 0..20 {
            lab.put(&path(n), address.clone()).ok(201);
        }
        assert_eq!(used(&mut lab, "Microsoft.Network", "StaticPublicIPAddresses"), (20, 20));
        lab.put(&path(20), address.clone()).refused(400, "StaticPublicIPCountLimitReached");
        lab.put(&path(3), address.clone()).ok(200);
        let mut elsewhere = address.clone();
        elsewhere["location"] = json!("northeurope");
        lab.put(&path(20), elsewhere).ok(201);
        let quota = format!(
            "{SUB}/providers/Microsoft.Network/locations/westeurope/providers/Microsoft.Quota/quotas/StaticPublicIPAddresses"
        );
        let ask =
            |value: u64| json!({"properties": {"limit": {"limitObjectType": "LimitValue", "value": value}}});
        lab.put(&quota, ask(3)).refused(400, "InvalidQuotaLimit");
        lab.put(&quota, ask(25)).ok(200);
        assert_eq!(lab.get(&quota).json["properties"]["limit"]["value"], 25);
        lab.put(&path(21), address).ok(201);
        assert_eq!(used(&mut lab, "Microsoft.Network", "StaticPublicIPAddresses"), (21, 25));
    }

    #[test]
    fn machines_and_clusters_share_the_cores_of_their_region() {
        let mut lab = Lab::new(0.0);
        lab.post(&format!("{SUB}/providers/Microsoft.Compute/register"), json!({})).ok(200);
        let vm = |size: &str| json!({"location": "westeurope", "properties": {"hardwareProfile": {"vmSize": size}}});
        lab.put(&rg("Microsoft.Compute/virtualMachines/vm1"), vm("Standard_D64s_v5")).ok(201);
        lab.put(&rg("Microsoft.Compute/virtualMachines/vm2"), vm("Standard_D64s_v5"))
            .refused(409, "OperationNotAllowed");
        assert_eq!(used(&mut lab, "Microsoft.Compute", "cores"), (64, 100));
        let cluster = |count: u32| {
            json!({"location": "westeurope", "properties": {"dnsPrefix": "a", "agentPoolProfiles":
            [{"name": "pool", "count": count, "vmSize": "Standard_D8s_v5", "mode": "System"}]}})
        };
        let path = rg("Microsoft.ContainerService/managedClusters/aks1");
        lab.put(&path, cluster(5)).refused(400, "ErrCode_InsufficientVCPUQuota");
        lab.put(&path, cluster(3)).ok(201);
        assert_eq!(used(&mut lab, "Microsoft.Compute", "cores"), (88, 100));
        lab.put(&path, cluster(4)).ok(200);
        lab.put(&rg("Microsoft.Compute/virtualMachines/vm1"), vm("Standard_D72s_v5"))
            .refused(409, "OperationNotAllowed");
    }

    #[test]
    fn sizes_tell_their_cores() {
        for (size, cores) in [
            ("Standard_D4s_v5", 4),
            ("Standard_B2ms", 2),
            ("Standard_DS3_v2", 4),
            ("Standard_NC24ads_A100_v4", 24),
            ("", 1),
        ] {
            assert_eq!(vcpus(size), cores, "{size}");
        }
    }

    #[test]
    fn regions_that_are_none_and_namespaces_that_are_not_registered() {
        let mut lab = Lab::new(0.0);
        lab.get(&format!("{SUB}/providers/Microsoft.Storage/locations/mars/usages"))
            .refused(400, "NoRegisteredProviderFound");
        lab.get(&format!("{SUB}/providers/Microsoft.Compute/locations/westeurope/usages"))
            .refused(409, "MissingSubscriptionRegistration");
    }
}
