//! How an application is reached, and how it reaches others: NAT, bastion, gateway, load balancer, regions, names.

use serde::{Deserialize, Serialize};

use crate::addresses::AddressRange;
use crate::units::{Duration, Load};

/// The addresses that outbound traffic has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Nat {
    /// How many static addresses: each has room for 64 thousand connections.
    pub addresses: u32,
}

/// Azure Bastion: the way to machines in the network.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Bastion {
    /// What it can do.
    pub sku: BastionSku,
}

/// What a bastion can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BastionSku {
    /// By the browser.
    Basic,
    /// By one's own client too.
    Standard,
}

/// An Application Gateway with a firewall for web applications.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Gateway {
    /// How many instances.
    pub scale: GatewayScale,
    /// What it refuses.
    pub waf: Waf,
    /// Whether browsers may speak HTTP/2.
    pub http2: bool,
    /// The certificate in the application's vault, by name; without one it speaks plain HTTP.
    pub certificate: Option<String>,
    /// The host names it answers to; all when empty.
    pub domains: Vec<String>,
    /// Which requests go where, the first that fits.
    pub routes: Vec<Route>,
}

/// How many instances a gateway has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct GatewayScale {
    /// Instances kept even without load.
    pub min: u32,
    /// Instances never exceeded.
    pub max: u32,
}

/// The firewall of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Waf {
    /// Whether it refuses or only tells.
    pub mode: WafMode,
    /// The rules that Microsoft keeps.
    pub rules: WafRules,
    /// Whether known bots are judged too.
    pub bots: bool,
    /// Requests of one address in a minute before it is refused.
    pub rate_limit: Option<Load>,
    /// Rules of one's own, which come first.
    pub custom: Vec<WafRule>,
}

/// Whether a firewall refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WafMode {
    /// It refuses.
    Prevention,
    /// It only writes down what it would refuse.
    Detection,
}

/// The rules of a firewall that Microsoft keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum WafRules {
    /// Microsoft's own, on the ground of OWASP's.
    #[serde(rename = "DRS 2.1")]
    Drs21,
    /// The core rule set of OWASP.
    #[serde(rename = "OWASP 3.2")]
    Owasp32,
}

/// A rule of one's own. All that it says must fit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct WafRule {
    /// What it is called.
    pub name: String,
    /// What happens to a request that fits.
    pub action: WafAction,
    /// Where it comes from: ranges; any when empty.
    #[serde(default)]
    pub from: Vec<AddressRange>,
    /// Where it does not come from: ranges; none when empty.
    #[serde(default)]
    pub except: Vec<AddressRange>,
    /// The countries it comes from, by their two letters; any when empty.
    #[serde(default)]
    pub countries: Vec<String>,
    /// What its path begins with; any when none.
    pub path: Option<String>,
    /// Requests of one address in a minute that it takes to fit.
    pub rate: Option<Load>,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WafAction {
    /// It is refused.
    Block,
    /// It passes, whatever later rules say.
    Allow,
    /// It is written down.
    Log,
}

/// Which requests go where.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Route {
    /// Paths, such as `/api/*`.
    pub path: String,
    /// The service that answers.
    pub service: Option<String>,
    /// Host names or addresses that answer, when no service of the application does.
    #[serde(default)]
    pub backends: Vec<String>,
    /// The port of the backends.
    pub port: Option<u16>,
    /// The path that tells whether they are well.
    pub probe: Option<String>,
}

/// A Standard load balancer with a static address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Balancer {
    /// What it passes on: `443/tcp`, `3478/udp`.
    pub ports: Vec<String>,
    /// The TCP port that tells whether a backend is well; the first TCP port when none.
    pub probe: Option<u16>,
}

impl Balancer {
    /// What it passes on: each port with whether it is UDP's.
    pub fn ports(&self) -> Vec<(u16, bool)> {
        self.ports.iter().filter_map(|text| balancer_port(text)).collect()
    }
}

/// `3478/udp`: a port and whether it is UDP's.
pub(crate) fn balancer_port(text: &str) -> Option<(u16, bool)> {
    let (port, protocol) = text.split_once('/')?;
    let port = port.parse::<u16>().ok().filter(|port| *port > 0)?;
    match protocol {
        "tcp" => Some((port, false)),
        "udp" => Some((port, true)),
        _ => None,
    }
}

/// Traffic Manager: one name that leads to the region that answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Traffic {
    /// What decides where a client is sent.
    pub routing: Routing,
    /// How long a client may remember an answer.
    pub ttl: Duration,
    /// How a region shows that it is well.
    pub probe: TrafficProbe,
    /// The regions.
    pub endpoints: Vec<Endpoint>,
}

/// What decides where a client is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Routing {
    /// The nearest that is well.
    Performance,
    /// The first that is well.
    Priority,
    /// By weight.
    Weighted,
}

/// How a region shows that it is well.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct TrafficProbe {
    /// The path that is asked.
    pub path: String,
    /// By HTTPS; by HTTP otherwise.
    pub https: bool,
    /// The port that is asked.
    pub port: u16,
}

/// A region that traffic is sent to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Endpoint {
    /// What it is called.
    pub name: String,
    /// The host name there; this application's own gateway or load balancer when none.
    pub target: Option<String>,
    /// Where it is; the application's own region when it has no target.
    pub region: Option<String>,
    /// Its place in the order of `priority`.
    pub priority: Option<u32>,
    /// Its share of `weighted`.
    pub weight: Option<u32>,
}

/// A DNS zone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Dns {
    /// Its name, such as `example.com`.
    pub zone: String,
    /// What it says.
    pub records: Vec<Record>,
}

/// A record of a DNS zone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Record {
    /// Its name below the zone; `@` is the zone's own.
    pub name: String,
    /// What it says, by its type.
    #[serde(rename = "type")]
    pub kind: RecordKind,
    /// The part of this application that it leads to.
    pub to: Option<RecordTarget>,
    /// Addresses, a host name or texts.
    #[serde(default)]
    pub values: Vec<String>,
    /// How long a client may remember it.
    pub ttl: Duration,
}

/// The type of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub enum RecordKind {
    /// IPv4 addresses.
    #[serde(rename = "A")]
    A,
    /// Another name.
    #[serde(rename = "CNAME")]
    Cname,
    /// Texts.
    #[serde(rename = "TXT")]
    Txt,
}

/// What of an application a record leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordTarget {
    /// The address of its gateway.
    Gateway,
    /// The address of its load balancer.
    Balancer,
    /// The name of its Traffic Manager.
    Traffic,
}
