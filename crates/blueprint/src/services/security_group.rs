//! Network security groups: what may come into each subnet, and what may leave it.
//!
//! Every subnet has one that lets nothing in but what a rule allows. The rules are, in this order: the user's, from 100
//! on; Landfall's own, from 4000 on, which open what services need of each other and what Azure demands of the subnets
//! it runs things in; the last one, 4096, which denies. What Azure demands is missing from most designs and breaks them
//! on the day it is missed, so its source stands with it.

use landfall_manifest::network::rule::OWN_PRIORITIES;
use landfall_manifest::network::{Direction, Pass, Peer, Protocol, SecurityRule};
use landfall_manifest::{Network, Purpose};

use crate::address::Address;
use crate::body::{Body, object};
use crate::codes;
use crate::name;
use crate::services::network::{API_VERSION, Place, places};
use crate::services::{Draft, set};

/// The address of a subnet's group.
pub fn address(subnet: &str) -> Address {
    Address::new("securityGroup", subnet)
}

/// Whether the subnet of a purpose has a group: on that of a VPN gateway Azure does not support any.
/// (learn: vpn-gateway/vpn-gateway-about-vpn-gateway-settings)
pub(super) fn guards(purpose: Option<Purpose>) -> bool {
    purpose != Some(Purpose::Vpn)
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let Some(network) = &draft.app.network else { return };
    let all = places(draft.app);
    for place in all.iter().filter(|place| place.range.is_some() && guards(place.purpose)) {
        let mut rules = users(draft, network, place, &all);
        let pods = draft.app.kubernetes.as_ref().map(|cluster| cluster.pod_range.as_str());
        rules.extend(own(network, place, &all, pods).into_iter().map(Rule::body));
        let mut group = draft.in_group(
            address(&place.name),
            "Microsoft.Network/networkSecurityGroups",
            API_VERSION,
            draft.name(&name::SECURITY_GROUP, Some(&place.name)),
            place.from.clone(),
        );
        set(&mut group, "properties", object([("securityRules", rules.into())]));
        draft.push(group);
    }
}

/// The user's rules of a subnet.
fn users(draft: &mut Draft<'_>, network: &Network, place: &Place, all: &[Place]) -> Vec<Body> {
    let Some(subnet) = network.subnets.get(&place.name) else { return Vec::new() };
    let mut bodies = Vec::new();
    for (at, rule) in subnet.rules.iter().enumerate() {
        let here = place.range.map(|range| range.to_string()).into_iter().collect();
        let any = || vec!["*".to_owned()];
        let (from, to) = match rule.direction {
            Direction::Inbound => (any(), here),
            Direction::Outbound => (here, any()),
        };
        let from = peers(draft, place, at, &rule.from, all, from);
        let to = peers(draft, place, at, &rule.to, all, to);
        let ports = match rule.ports.is_empty() {
            true => any(),
            false => rule.ports.clone(),
        };
        bodies.push(body(rule, rule.priority(at), from, to, ports));
    }
    bodies
}

fn peers(
    draft: &mut Draft<'_>,
    place: &Place,
    at: usize,
    peers: &[Peer],
    all: &[Place],
    usual: Vec<String>,
) -> Vec<String> {
    if peers.is_empty() {
        return usual;
    }
    let mut found = Vec::new();
    for peer in peers {
        match peer {
            Peer::Any => found.push("*".to_owned()),
            Peer::Range(range) => found.push(range.to_string()),
            Peer::Tag(tag) => found.push(tag.clone()),
            Peer::Subnet(name) => {
                let of = |other: &&Place| {
                    other.name == *name || other.purpose.is_some_and(|of| of.as_str() == name)
                };
                // A name goes before the word of a purpose.
                let named = all.iter().find(|other| other.name == *name).or_else(|| all.iter().find(of));
                match named.and_then(|other| other.range) {
                    Some(range) => found.push(range.to_string()),
                    None => draft.problem(
                        codes::REFERS_TO_NOTHING,
                        format!("{}.rules", place.from),
                        format!("rule {} names the subnet `{name}`, which nothing here needs", at + 1),
                        Some(format!("declare it: `[network.subnet.{name}]`, or leave it out")),
                    ),
                }
            }
        }
    }
    found
}

fn body(rule: &SecurityRule, priority: u32, from: Vec<String>, to: Vec<String>, ports: Vec<String>) -> Body {
    let protocol = match rule.protocol {
        Protocol::Tcp => "Tcp",
        Protocol::Udp => "Udp",
        Protocol::Icmp => "Icmp",
        Protocol::Any => "*",
    };
    written(&rule.name, None, priority, rule.direction, rule.access, protocol, [from, to, ports])
}

/// A rule as Azure takes it. One value and several are two properties there.
fn written(
    name: &str,
    why: Option<&str>,
    priority: u32,
    direction: Direction,
    access: Pass,
    protocol: &str,
    [from, to, ports]: [Vec<String>; 3],
) -> Body {
    let one = |values: &[String]| Body::from((values.len() == 1).then(|| values[0].as_str()));
    let several = |values: &[String]| {
        Body::from(
            (values.len() > 1)
                .then(|| values.iter().map(|value| value.as_str().into()).collect::<Vec<Body>>()),
        )
    };
    let properties = object([
        ("description", why.into()),
        ("priority", priority.into()),
        ("direction", if direction == Direction::Inbound { "Inbound" } else { "Outbound" }.into()),
        ("access", if access == Pass::Allow { "Allow" } else { "Deny" }.into()),
        ("protocol", protocol.into()),
        ("sourceAddressPrefix", one(&from)),
        ("sourceAddressPrefixes", several(&from)),
        ("sourcePortRange", "*".into()),
        ("destinationAddressPrefix", one(&to)),
        ("destinationAddressPrefixes", several(&to)),
        ("destinationPortRange", one(&ports)),
        ("destinationPortRanges", several(&ports)),
    ]);
    object([("name", name.into()), ("properties", properties)])
}

/// A rule of Landfall's own.
struct Rule {
    name: &'static str,
    why: &'static str,
    priority: u32,
    direction: Direction,
    access: Pass,
    protocol: &'static str,
    from: Vec<String>,
    to: Vec<String>,
    ports: Vec<String>,
}

impl Rule {
    fn body(self) -> Body {
        let sides = [self.from, self.to, self.ports];
        written(self.name, Some(self.why), self.priority, self.direction, self.access, self.protocol, sides)
    }
}

/// Landfall's own rules while they are put together.
struct Rules {
    here: String,
    rules: Vec<Rule>,
    inbound: u32,
    outbound: u32,
}

/// The rule that nothing comes behind.
const LAST: u32 = 4096;

impl Rules {
    fn push(
        &mut self,
        direction: Direction,
        name: &'static str,
        why: &'static str,
        protocol: &'static str,
        [from, to]: [Vec<String>; 2],
        ports: &[&str],
    ) {
        // A rule that names nobody would be one that Azure refuses.
        if from.is_empty() || to.is_empty() {
            return;
        }
        let next = match direction {
            Direction::Inbound => &mut self.inbound,
            Direction::Outbound => &mut self.outbound,
        };
        let priority = *next;
        *next += 5;
        let ports = ports.iter().map(|port| (*port).to_owned()).collect();
        self.rules.push(Rule {
            name,
            why,
            priority,
            direction,
            access: Pass::Allow,
            protocol,
            from,
            to,
            ports,
        });
    }

    /// Lets something in.
    fn r#in(
        &mut self,
        name: &'static str,
        why: &'static str,
        protocol: &'static str,
        from: &[String],
        ports: &[&str],
    ) {
        let here = vec![self.here.clone()];
        self.push(Direction::Inbound, name, why, protocol, [from.to_vec(), here], ports);
    }

    /// Lets something out.
    fn out(
        &mut self,
        name: &'static str,
        why: &'static str,
        protocol: &'static str,
        to: &[String],
        ports: &[&str],
    ) {
        let here = vec![self.here.clone()];
        self.push(Direction::Outbound, name, why, protocol, [here, to.to_vec()], ports);
    }

    fn shut(&mut self, direction: Direction, name: &'static str) {
        let any = || vec!["*".to_owned()];
        self.rules.push(Rule {
            name,
            why: "What no rule allows does not pass.",
            priority: LAST,
            direction,
            access: Pass::Deny,
            protocol: "*",
            from: any(),
            to: any(),
            ports: any(),
        });
    }
}

fn tag(tag: &str) -> Vec<String> {
    vec![tag.to_owned()]
}

/// What Landfall opens in a subnet, and the closing rules.
fn own(network: &Network, place: &Place, all: &[Place], pods: Option<&str>) -> Vec<Rule> {
    let Some(range) = place.range else { return Vec::new() };
    let here = range.to_string();
    let mut rules =
        Rules { here: here.clone(), rules: Vec::new(), inbound: OWN_PRIORITIES, outbound: OWN_PRIORITIES };
    let subnet = network.subnets.get(&place.name);
    let says = |direction: Direction| {
        subnet.is_some_and(|subnet| {
            subnet.rules.iter().any(|rule| rule.direction == direction && rule.access == Pass::Allow)
        })
    };
    let open = Open { inbound: !says(Direction::Inbound), outbound: !says(Direction::Outbound) };
    let closed = subnet.is_some_and(|subnet| subnet.outbound == Pass::Deny);
    let here = vec![here];
    let within = &here;
    let ranges = |wanted: &dyn Fn(&Place) -> bool| -> Vec<String> {
        let others = all.iter().filter(|other| wanted(other)).filter_map(|other| other.range);
        others.map(|range| range.to_string()).collect()
    };
    // Where services run: what they use opens to them.
    let services = ranges(&|other| {
        matches!(
            other.purpose,
            None | Some(
                Purpose::ContainerApps
                    | Purpose::AppService
                    | Purpose::Kubernetes
                    | Purpose::Functions
                    | Purpose::ContainerInstances
            )
        )
    });
    let of = |purpose: Purpose| ranges(&|other| other.purpose == Some(purpose));
    match place.purpose {
        Some(Purpose::ContainerApps) => {
            // (learn: container-apps/firewall-integration) 31080 and 31443 are where the environment's proxy listens
            // behind its internal load balancer; requests from the internet do not pass this subnet.
            if open.inbound {
                let ports = &["80", "443", "31080", "31443"];
                rules.r#in(
                    "AllowHttpInbound",
                    "Requests from within the network.",
                    "Tcp",
                    &tag("VirtualNetwork"),
                    ports,
                );
            }
            rules.r#in(
                "AllowWithinInbound",
                "Replicas reach each other and the environment's proxy.",
                "*",
                within,
                &["*"],
            );
            let probes = &tag("AzureLoadBalancer");
            rules.r#in(
                "AllowProbesInbound",
                "The load balancer probes the nodes.",
                "Tcp",
                probes,
                &["30000-32767"],
            );
        }
        Some(Purpose::PrivateEndpoints) => {
            if open.inbound {
                // Redis, queues and databases have ports of their own.
                rules.r#in("AllowServicesInbound", "Services reach what they use.", "Tcp", &services, &["*"]);
            }
        }
        Some(Purpose::Postgres) => {
            if open.inbound {
                let ports = &["5432", "6432"];
                rules.r#in(
                    "AllowServicesInbound",
                    "Services reach the database and its pooler.",
                    "Tcp",
                    &services,
                    ports,
                );
            }
            // (learn: postgresql/network/concepts-networking-private) A server with a standby in another zone needs
            // both within its subnet, and Storage to archive its log; without them the standby is never there.
            let ports = &["5432", "6432"];
            rules.r#in("AllowStandbyInbound", "Replication to the standby.", "Tcp", within, ports);
        }
        Some(Purpose::Kubernetes) => {
            // (learn: aks/concepts-network-cni-overlay) Nodes and pods reach each other on every port; pods have
            // addresses of their own, which the tag covers and no subnet does.
            rules.r#in("AllowClusterInbound", "Nodes and pods reach each other.", "*", within, &["*"]);
            let pods: Vec<String> = pods.iter().map(|range| (*range).to_owned()).collect();
            rules.r#in(
                "AllowPodsInbound",
                "Pods of other nodes, in the cluster's overlay.",
                "*",
                &pods,
                &["*"],
            );
            let probes = &tag("AzureLoadBalancer");
            rules.r#in("AllowProbesInbound", "Load balancers probe the nodes.", "*", probes, &["*"]);
            if open.inbound {
                let gateway = of(Purpose::Gateway);
                rules.r#in(
                    "AllowGatewayInbound",
                    "The gateway reaches the cluster's ingress.",
                    "Tcp",
                    &gateway,
                    &["*"],
                );
                balanced(&mut rules, network);
            }
        }
        Some(Purpose::Gateway) => {
            // (learn: application-gateway/configuration-infrastructure) Without the manager's ports a v2 gateway
            // cannot be made or changed.
            let any = [vec!["GatewayManager".to_owned()], vec!["*".to_owned()]];
            rules.push(
                Direction::Inbound,
                "AllowManagerInbound",
                "Azure manages the gateway.",
                "Tcp",
                any,
                &["65200-65535"],
            );
            let any = [vec!["AzureLoadBalancer".to_owned()], vec!["*".to_owned()]];
            rules.push(
                Direction::Inbound,
                "AllowProbesInbound",
                "Azure probes its instances.",
                "*",
                any,
                &["*"],
            );
            if open.inbound {
                let https = network.gateway.as_ref().is_none_or(|gateway| gateway.certificate.is_some());
                let ports: &[&str] = if https { &["80", "443"] } else { &["80"] };
                rules.r#in("AllowHttpInbound", "Requests from the internet.", "Tcp", &tag("Internet"), ports);
            }
        }
        Some(Purpose::Bastion) => bastion(&mut rules, open),
        Some(Purpose::ContainerInstances) => {
            rules.r#in("AllowWithinInbound", "Groups reach each other.", "*", within, &["*"]);
        }
        None => {
            let probes = &tag("AzureLoadBalancer");
            rules.r#in("AllowProbesInbound", "Load balancers probe the machines.", "*", probes, &["*"]);
            if open.inbound {
                let bastion = of(Purpose::Bastion);
                rules.r#in(
                    "AllowBastionInbound",
                    "Sign-in by the bastion.",
                    "Tcp",
                    &bastion,
                    &["22", "3389"],
                );
                balanced(&mut rules, network);
            }
        }
        // Only their outbound side is in the network.
        Some(Purpose::AppService | Purpose::Functions | Purpose::Vpn) => {}
    }
    rules.shut(Direction::Inbound, "DenyAllInbound");
    if closed {
        outbound(&mut rules, place.purpose, within, open);
    }
    if closed || place.purpose == Some(Purpose::Bastion) {
        rules.shut(Direction::Outbound, "DenyAllOutbound");
    }
    rules.rules
}

/// Whether the user left it to Landfall to open what services need.
#[derive(Clone, Copy)]
struct Open {
    inbound: bool,
    outbound: bool,
}

/// What a load balancer passes on comes with the client's own address.
fn balanced(rules: &mut Rules, network: &Network) {
    let Some(balancer) = &network.balancer else { return };
    for (udp, protocol, name) in
        [(false, "Tcp", "AllowBalancedTcpInbound"), (true, "Udp", "AllowBalancedUdpInbound")]
    {
        let ports: Vec<String> =
            balancer.ports().iter().filter(|(_, of)| *of == udp).map(|(port, _)| port.to_string()).collect();
        if !ports.is_empty() {
            let ports: Vec<&str> = ports.iter().map(String::as_str).collect();
            rules.r#in(name, "What the load balancer passes on.", protocol, &tag("Internet"), &ports);
        }
    }
}

/// (learn: bastion/bastion-nsg) All of these, or the host gets no updates.
fn bastion(rules: &mut Rules, open: Open) {
    let any = || vec!["*".to_owned()];
    let inner = || [tag("VirtualNetwork"), tag("VirtualNetwork")];
    let inner_ports = &["8080", "5701"];
    if open.inbound {
        let sides = [tag("Internet"), any()];
        rules.push(
            Direction::Inbound,
            "AllowHttpsInbound",
            "Browsers reach the bastion.",
            "Tcp",
            sides,
            &["443"],
        );
    }
    let sides = [tag("GatewayManager"), any()];
    rules.push(Direction::Inbound, "AllowManagerInbound", "Azure manages the host.", "Tcp", sides, &["443"]);
    rules.push(
        Direction::Inbound,
        "AllowHostInbound",
        "Its instances reach each other.",
        "*",
        inner(),
        inner_ports,
    );
    let sides = [tag("AzureLoadBalancer"), any()];
    rules.push(Direction::Inbound, "AllowProbesInbound", "Azure probes the host.", "Tcp", sides, &["443"]);
    let sides = [any(), tag("VirtualNetwork")];
    rules.push(
        Direction::Outbound,
        "AllowSshRdpOutbound",
        "Sign-in to machines.",
        "*",
        sides,
        &["22", "3389"],
    );
    let sides = [any(), tag("AzureCloud")];
    rules.push(Direction::Outbound, "AllowAzureOutbound", "Logs and diagnostics.", "Tcp", sides, &["443"]);
    rules.push(
        Direction::Outbound,
        "AllowHostOutbound",
        "Its instances reach each other.",
        "*",
        inner(),
        inner_ports,
    );
    let sides = [any(), tag("Internet")];
    rules.push(
        Direction::Outbound,
        "AllowCertificatesOutbound",
        "Certificates are checked.",
        "*",
        sides,
        &["80"],
    );
}

/// What Azure demands of the outbound side of a subnet that is closed.
fn outbound(rules: &mut Rules, purpose: Option<Purpose>, within: &[String], open: Open) {
    if open.outbound && purpose != Some(Purpose::Bastion) {
        let inside = &tag("VirtualNetwork");
        rules.out("AllowNetworkOutbound", "What is used is in the network.", "*", inside, &["*"]);
    }
    let sign_in = |rules: &mut Rules| {
        let entra = &tag("AzureActiveDirectory");
        rules.out("AllowSignInOutbound", "Identities sign in.", "Tcp", entra, &["443"]);
    };
    let monitor = |rules: &mut Rules| {
        let monitor = &tag("AzureMonitor");
        rules.out("AllowMonitorOutbound", "Logs and metrics.", "Tcp", monitor, &["443"]);
    };
    let images = |rules: &mut Rules| {
        let (own, layers) = (&tag("MicrosoftContainerRegistry"), &tag("AzureFrontDoor.FirstParty"));
        rules.out("AllowImagesOutbound", "Azure's own images.", "Tcp", own, &["443"]);
        rules.out("AllowImageLayersOutbound", "The layers of Azure's own images.", "Tcp", layers, &["443"]);
    };
    match purpose {
        // (learn: container-apps/firewall-integration)
        Some(Purpose::ContainerApps | Purpose::Functions) => {
            rules.out("AllowWithinOutbound", "Replicas reach each other.", "*", within, &["*"]);
            rules.out("AllowDnsOutbound", "Azure's DNS.", "*", &tag("168.63.129.16"), &["53"]);
            images(rules);
            sign_in(rules);
            monitor(rules);
        }
        // (learn: aks/outbound-rules-control-egress)
        Some(Purpose::Kubernetes) => {
            rules.out("AllowClusterOutbound", "Nodes reach each other.", "*", within, &["*"]);
            rules.out(
                "AllowControlOutbound",
                "The control plane.",
                "Tcp",
                &tag("AzureCloud"),
                &["443", "9000"],
            );
            rules.out(
                "AllowTunnelOutbound",
                "The control plane's tunnel.",
                "Udp",
                &tag("AzureCloud"),
                &["1194"],
            );
            rules.out("AllowTimeOutbound", "The clock.", "Udp", &tag("Internet"), &["123"]);
            images(rules);
            sign_in(rules);
            monitor(rules);
        }
        // (learn: postgresql/network/concepts-networking-private)
        Some(Purpose::Postgres) => {
            rules.out(
                "AllowStandbyOutbound",
                "Replication to the standby.",
                "Tcp",
                within,
                &["5432", "6432"],
            );
            rules.out("AllowArchiveOutbound", "The log is archived.", "Tcp", &tag("Storage"), &["443"]);
            sign_in(rules);
        }
        Some(Purpose::AppService | Purpose::ContainerInstances) => {
            sign_in(rules);
            monitor(rules);
        }
        _ => {}
    }
}
