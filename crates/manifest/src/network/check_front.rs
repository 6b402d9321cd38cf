//! What gateway, load balancer, Traffic Manager and DNS zone say about each other and about the services.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::check::{peer_subnet, required};
use crate::addresses::AddressRange;
use crate::codes::{self, Code};
use crate::network::Purpose;
use crate::network::front::balancer_port;
use crate::sense::{Sense, names};
use crate::suggest;
use crate::tree::{Node, Table};

/// The tables of a list, with their nodes.
fn tables<'a>(table: &'a Table, key: &str) -> Vec<(&'a Node, &'a Table)> {
    let items = table.get(key).and_then(Node::list).unwrap_or_default();
    items.iter().filter_map(|node| Some((node, node.table()?))).collect()
}

fn texts<'a>(table: &'a Table, key: &str) -> Vec<(&'a str, &'a Node)> {
    let items = table.get(key).and_then(Node::list).unwrap_or_default();
    items.iter().filter_map(|node| Some((node.text()?, node))).collect()
}

/// Reports a value that stands twice; both are compared without case.
fn once(
    sense: &mut Sense<'_>,
    code: &'static Code,
    what: &str,
    values: impl IntoIterator<Item = (String, std::ops::Range<usize>)>,
) {
    let mut seen: BTreeMap<String, std::ops::Range<usize>> = BTreeMap::new();
    for (value, span) in values {
        match seen.get(&value.to_lowercase()) {
            Some(first) => {
                let message = format!("{what} `{value}` stands twice");
                let diagnostic = sense.problem(code, &span, message).related(first.clone(), "here already");
                sense.report(diagnostic);
            }
            None => {
                seen.insert(value.to_lowercase(), span);
            }
        }
    }
}

/// Reports what does not fit.
pub(super) fn check(sense: &mut Sense<'_>, network: &Table) {
    gateway(sense, network);
    balancer(sense, network);
    traffic(sense, network);
    dns(sense, network);
}

fn gateway(sense: &mut Sense<'_>, network: &Table) {
    let Some(node) = network.get("gateway") else { return };
    let Some(gateway) = node.table() else { return };
    if let Some(scale) = gateway.get("scale").and_then(Node::table) {
        let number = |key: &str| Some((scale.get(key)?.integer()?, scale.get(key)?));
        if let (Some((min, at)), Some((max, _))) = (number("min"), number("max"))
            && min > max
        {
            let diagnostic = sense
                .problem(codes::GATEWAY, &at.span, format!("at least {min} instances, but at most {max}"))
                .help(format!("write `max = {min}`, or lower `min`"));
            sense.report(diagnostic);
        }
        let declared = peer_subnet(network, Purpose::Gateway);
        let range = declared.and_then(|table| table.get("range"));
        if let (Some(range_node), Some((max, _))) = (range, number("max"))
            && let Some(Ok(range)) = range_node.text().map(AddressRange::parse)
            && range.prefix() <= Purpose::Gateway.smallest()
            && u64::try_from(max).is_ok_and(|max| range.usable() < max)
        {
            let prefix = (8..range.prefix())
                .rev()
                .find(|prefix| u64::try_from(max).is_ok_and(|max| (1u64 << (32 - prefix)) >= max + 5));
            let message =
                format!("{range} has {} addresses, and the gateway grows to {max} instances", range.usable());
            let diagnostic = sense
                .problem(codes::SUBNET_SIZE, &range_node.span, message)
                .maybe_help(prefix.map(|prefix| format!("give it a /{prefix}, or lower `scale.max`")));
            sense.report(diagnostic);
        }
    }
    let routes = gateway.get("routes").and_then(Node::list).unwrap_or_default();
    if routes.is_empty() && gateway.get("routes").is_none_or(|routes| routes.list().is_some()) && !sense.lost
    {
        let diagnostic = sense
            .problem(codes::GATEWAY, &node.key, "the gateway has no route, so it leads nowhere")
            .help("write `routes = [{ path = \"/*\", service = \"web\" }]` with one of the services");
        sense.report(diagnostic);
    }
    for (node, route) in tables(gateway, "routes") {
        self::route(sense, node, route);
    }
    let paths = tables(gateway, "routes").into_iter().filter_map(|(node, route)| {
        let path = route.get("path")?;
        let span = if path.is_written() { path.span.clone() } else { node.span.clone() };
        Some((path.text()?.to_owned(), span))
    });
    once(sense, codes::GATEWAY, "the path", paths.collect::<Vec<_>>());
    let Some(waf) = gateway.get("waf").and_then(Node::table) else { return };
    let names = tables(waf, "custom").into_iter().filter_map(|(_, rule)| {
        let name = rule.get("name")?;
        Some((name.text()?.to_owned(), name.span.clone()))
    });
    once(sense, codes::GATEWAY, "a rule of the name", names.collect::<Vec<_>>());
    for (node, rule) in tables(waf, "custom") {
        required(sense, node, rule, "network.gateway.waf.custom[]");
        let says = ["from", "except", "countries", "path", "rate"];
        if !says.iter().any(|key| rule.contains_key(*key)) {
            let diagnostic = sense
                .problem(codes::GATEWAY, &node.span, "the rule fits every request")
                .help("say which it is for: `from`, `except`, `countries`, `path` or `rate`");
            sense.report(diagnostic);
        }
        if let (Some(rate), Some("allow")) = (rule.get("rate"), rule.get("action").and_then(Node::text)) {
            let diagnostic = sense
                .problem(codes::GATEWAY, &rate.key, "a rule with a rate blocks or logs, and never allows")
                .help("leave `action` out, or write \"log\"");
            sense.report(diagnostic);
        }
    }
}

fn route(sense: &mut Sense<'_>, node: &Node, route: &Table) {
    let backends = route.get("backends").and_then(Node::list).is_some_and(|list| !list.is_empty());
    match (route.get("service"), backends) {
        (None, false) if !route.contains_key("backends") && !sense.lost => {
            let diagnostic = sense
                .problem(codes::GATEWAY, &node.span, "the route leads to no service")
                .help("write `service = \"NAME\"`, or `backends` with host names or addresses");
            sense.report(diagnostic);
        }
        (Some(service), true) => {
            let diagnostic = sense
                .problem(
                    codes::GATEWAY,
                    &service.key,
                    "a route leads to a service or to backends, not to both",
                )
                .help("keep one of them");
            sense.report(diagnostic);
        }
        _ => {}
    }
    let Some(service) = route.get("service") else { return };
    let Some(name) = service.text() else { return };
    let known = sense.root.get("service").and_then(Node::table).and_then(|all| all.get(name));
    match known {
        None if !sense.lost => {
            let help = suggest::or_all(name, names(sense.root, "service"));
            let message = format!("there is no service `{}`", crate::rules::short(name));
            let diagnostic = sense.problem(codes::DANGLING, &service.span, message).maybe_help(help);
            sense.report(diagnostic);
        }
        Some(known) if known.table().is_some_and(|known| !known.contains_key("port")) && !sense.lost => {
            let message = format!("service `{name}` has no `port`, so no request can reach it");
            let diagnostic =
                sense.problem(codes::GATEWAY, &service.span, message).related(known.key.clone(), "a worker");
            sense.report(diagnostic);
        }
        _ => {}
    }
}

fn balancer(sense: &mut Sense<'_>, network: &Table) {
    let Some(node) = network.get("balancer") else { return };
    let Some(balancer) = node.table() else { return };
    required(sense, node, balancer, "network.balancer");
    let Some(list) = balancer.get("ports").filter(|ports| ports.list().is_some()) else { return };
    let ports = texts(balancer, "ports");
    if list.list().is_some_and(<[Node]>::is_empty) {
        let diagnostic = sense
            .problem(codes::GATEWAY, &list.span, "a load balancer without ports passes nothing on")
            .help("such as `ports = [\"443/tcp\", \"3478/udp\"]`");
        sense.report(diagnostic);
    }
    let all: Vec<(String, _)> =
        ports.iter().map(|(text, node)| ((*text).to_owned(), node.span.clone())).collect();
    once(sense, codes::GATEWAY, "the port", all);
    let read: Vec<(u16, bool)> = ports.iter().filter_map(|(text, _)| balancer_port(text)).collect();
    if !read.is_empty() && read.iter().all(|(_, udp)| *udp) && !balancer.contains_key("probe") {
        sense.missing(
            &node.key,
            "nothing tells whether a backend is well: all ports are UDP's",
            "write `probe` with a TCP port on which it listens",
        );
    }
}

fn traffic(sense: &mut Sense<'_>, network: &Table) {
    let Some(node) = network.get("traffic") else { return };
    let Some(traffic) = node.table() else { return };
    let endpoints = tables(traffic, "endpoints");
    if traffic.get("endpoints").and_then(Node::list).is_some_and(<[Node]>::is_empty) && !sense.lost {
        let diagnostic = sense
            .problem(codes::TRAFFIC, &node.key, "there is no region to send traffic to")
            .help("write `endpoints`: one for each region, this one among them");
        sense.report(diagnostic);
    }
    let own = ["gateway", "balancer"].iter().any(|key| network.contains_key(*key));
    let mut here: Option<&Node> = None;
    for (node, endpoint) in &endpoints {
        required(sense, node, endpoint, "network.traffic.endpoints[]");
        match (endpoint.get("target"), endpoint.get("region")) {
            (Some(target), None) => {
                let diagnostic = sense
                    .problem(codes::TRAFFIC, &target.key, "the endpoint has no `region`")
                    .help("say where it is, such as `region = \"westeurope\"`: the nearest is told by it");
                sense.report(diagnostic);
            }
            (None, _) if !own && !sense.lost => {
                let diagnostic = sense
                    .problem(codes::TRAFFIC, &node.span, "the endpoint leads nowhere")
                    .help("write its `target`, or give the application a `[network.gateway]`");
                sense.report(diagnostic);
            }
            (None, _) => {
                if let Some(first) = here.replace(node) {
                    let diagnostic = sense
                        .problem(codes::TRAFFIC, &node.span, "a second endpoint without a `target`")
                        .related(first.span.clone(), "this application's own")
                        .help("write the host name that the application has there");
                    sense.report(diagnostic);
                }
            }
            _ => {}
        }
    }
    for (key, what) in
        [("name", "an endpoint of the name"), ("target", "the target"), ("priority", "the priority")]
    {
        let values = endpoints.iter().filter_map(|(_, endpoint)| {
            let node = endpoint.get(key)?;
            let value = node.text().map(str::to_owned).or_else(|| node.integer().map(|n| n.to_string()))?;
            Some((value, node.span.clone()))
        });
        once(sense, codes::TRAFFIC, what, values.collect::<Vec<_>>());
    }
}

fn dns(sense: &mut Sense<'_>, network: &Table) {
    let Some(node) = network.get("dns") else { return };
    let Some(dns) = node.table() else { return };
    required(sense, node, dns, "network.dns");
    let records = tables(dns, "records");
    for (node, record) in &records {
        required(sense, node, record, "network.dns.records[]");
        self::record(sense, network, node, record);
    }
    let text = |record: &Table, key: &str| record.get(key).and_then(Node::text).map(str::to_lowercase);
    let mut seen: BTreeMap<String, Vec<(String, &Node)>> = BTreeMap::new();
    for (_, record) in &records {
        let (Some(name), Some(kind)) = (text(record, "name"), text(record, "type")) else { continue };
        let Some(at) = record.get("name") else { continue };
        let others = seen.entry(name.clone()).or_default();
        let clash = others.iter().find(|(other, _)| *other == kind || *other == "cname" || kind == "cname");
        if let Some((other, first)) = clash {
            let (message, help) = match *other == kind {
                true => (
                    format!("`{name}` has two {} records", kind.to_uppercase()),
                    "write all `values` into one of them",
                ),
                false => (
                    format!("`{name}` is a CNAME, which stands alone under its name"),
                    "give one of them another name",
                ),
            };
            let diagnostic = sense
                .problem(codes::RECORD, &at.span, message)
                .related(first.span.clone(), "the other one")
                .help(help);
            sense.report(diagnostic);
        }
        others.push((kind, at));
    }
}

fn record(sense: &mut Sense<'_>, network: &Table, node: &Node, record: &Table) {
    let kind = record.get("type").and_then(Node::text).unwrap_or_default();
    let name = record.get("name").and_then(Node::text).unwrap_or_default();
    let values = texts(record, "values");
    if kind == "CNAME"
        && name == "@"
        && let Some(at) = record.get("name")
    {
        let diagnostic = sense
            .problem(codes::RECORD, &at.span, "a zone's own name cannot be a CNAME: its SOA and NS are there")
            .help("use an A record `to` the gateway or the load balancer, or a name such as \"www\"");
        sense.report(diagnostic);
    }
    match (record.get("to"), record.get("values")) {
        (None, None) if !sense.lost => {
            let diagnostic = sense
                .problem(codes::RECORD, &node.span, "the record says nothing")
                .help("write `to = \"gateway\"`, or `values`");
            sense.report(diagnostic);
        }
        (Some(to), Some(_)) => {
            let diagnostic = sense
                .problem(codes::RECORD, &to.key, "a record has `to` or `values`, not both")
                .help("keep one of them");
            sense.report(diagnostic);
        }
        (Some(to), None) => leads(sense, network, record, to, kind),
        _ => {}
    }
    match kind {
        "A" => {
            for (text, node) in values {
                if text.parse::<Ipv4Addr>().is_err() {
                    let message = format!("`{}` is not an IPv4 address", crate::rules::short(text));
                    let diagnostic = sense
                        .problem(codes::RECORD, &node.span, message)
                        .help("such as \"203.0.113.9\"; for a host name write `type = \"CNAME\"`");
                    sense.report(diagnostic);
                }
            }
        }
        "CNAME" => {
            if let Some((_, node)) = values.get(1) {
                let diagnostic = sense
                    .problem(codes::RECORD, &node.span, "a CNAME leads to one name")
                    .help("keep one value; Traffic Manager chooses between several");
                sense.report(diagnostic);
            }
            for (text, node) in values {
                if let Err(fault) = (crate::rules::HOST.check)(text.trim_end_matches('.')) {
                    let message = fault.message;
                    let diagnostic = sense.problem(codes::RECORD, &node.span, message).maybe_help(fault.help);
                    sense.report(diagnostic);
                }
            }
        }
        "TXT" => {
            for (text, node) in values {
                // (learn: dns/dns-zones-records) A record of texts holds 4096 characters at most.
                if text.is_empty() || text.len() > 4096 {
                    let diagnostic =
                        sense.problem(codes::RECORD, &node.span, "a text has 1 to 4096 characters");
                    sense.report(diagnostic);
                }
            }
        }
        _ => {}
    }
}

/// Whether what a record leads to is there, and can be led to by that type.
fn leads(sense: &mut Sense<'_>, network: &Table, record: &Table, to: &Node, kind: &str) {
    let Some(target) = to.text() else { return };
    if !network.contains_key(target) && !sense.lost {
        let diagnostic = sense
            .problem(codes::RECORD, &to.span, format!("the network has no {target}"))
            .help(format!("declare it: `[network.{target}]`, or write `values`"));
        return sense.report(diagnostic);
    }
    let wanted = if target == "traffic" { "CNAME" } else { "A" };
    if kind != wanted && !kind.is_empty() {
        let at = record.get("type").filter(|node| node.is_written()).unwrap_or(to);
        let what = if target == "traffic" { "a name" } else { "an address" };
        let diagnostic = sense
            .problem(
                codes::RECORD,
                &at.span,
                format!("`{target}` is {what}, which a record of type {kind} does not hold"),
            )
            .help(format!("write `type = \"{wanted}\"`"));
        sense.report(diagnostic);
    }
}
