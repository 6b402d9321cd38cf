//! What the parts of `[network]` say about each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::addresses::AddressRange;
use crate::codes;
use crate::fields;
use crate::network::check_front;
use crate::network::rule::{OWN_PRIORITIES, Peer, priority_of};
use crate::network::{Purpose, carve};
use crate::sense::{Sense, entries};
use crate::suggest;
use crate::tree::{Node, Table};

/// Ranges that Azure has for itself: a network that holds one of them cannot reach what lies there. The last ones are
/// what Container Apps and Kubernetes keep inside of every environment and cluster.
const RESERVED: &[(&str, &str)] = &[
    ("127.0.0.0/8", "every machine's own"),
    ("224.0.0.0/4", "multicast"),
    ("255.255.255.255/32", "broadcast"),
    ("168.63.129.16/32", "Azure's DNS and health probes"),
    ("169.254.0.0/16", "link-local, kept by Container Apps and Kubernetes"),
    ("172.30.0.0/16", "kept by Container Apps and Kubernetes"),
    ("172.31.0.0/16", "kept by Container Apps and Kubernetes"),
    ("192.0.2.0/24", "kept by Container Apps and Kubernetes"),
    ("100.100.0.0/17", "kept by Container Apps"),
    ("100.100.128.0/19", "kept by Container Apps"),
    ("100.100.160.0/19", "kept by Container Apps"),
    ("100.100.192.0/19", "kept by Container Apps"),
];

/// Reports what does not fit.
pub(crate) fn check(sense: &mut Sense<'_>) {
    let Some(network) = sense.root.get("network").and_then(Node::table) else { return };
    subnets(sense, network);
    for (name, node) in network.get("subnet").and_then(Node::table).into_iter().flatten() {
        if let Some(subnet) = node.table() {
            rules(sense, network, name, subnet);
        }
    }
    check_front::check(sense, network);
    premium(sense, network);
}

/// Reports required fields that a table lacks.
pub(super) fn required(sense: &mut Sense<'_>, node: &Node, table: &Table, pattern: &str) {
    for field in fields::below(pattern, None) {
        let key = fields::last(field.path);
        if matches!(field.default, fields::Default::Required) && !table.contains_key(key) {
            sense.missing(
                &node.key,
                format!("`{key}` is missing"),
                format!("such as `{key} = {}`", field.example),
            );
        }
    }
}

/// The subnet declared for a purpose.
pub(super) fn peer_subnet(network: &Table, purpose: Purpose) -> Option<&Table> {
    let subnets = network.get("subnet").and_then(Node::table)?;
    subnets.values().filter_map(Node::table).find(|subnet| purpose_of(subnet) == Some(purpose))
}

/// Types of resource that only one SKU gives private endpoints to.
const PREMIUM: &[(&str, &str)] = &[("registry", "premium"), ("service-bus", "premium")];

/// The SKU that a type takes in a private network.
pub(crate) fn private_sku(kind: &str) -> Option<&'static str> {
    PREMIUM.iter().find(|(of, _)| *of == kind).map(|(_, sku)| *sku)
}

/// In a private network the resources have SKUs that can be private.
fn premium(sense: &mut Sense<'_>, network: &Table) {
    let Some(private) = network.get("private").filter(|node| node.boolean() == Some(true)) else { return };
    let root = sense.root;
    for (_, _, resource) in entries(root, "resource") {
        let Some(kind) = resource.get("type").and_then(Node::text) else { continue };
        let (Some(wanted), Some(sku)) = (private_sku(kind), resource.get("sku")) else { continue };
        if sku.text().is_some_and(|sku| sku != wanted) {
            let message = format!("a {kind} has private endpoints only as \"{wanted}\"");
            let diagnostic = sense
                .problem(codes::PRIVATE_SKU, &sku.span, message)
                .related(private.span.clone(), "the network is private")
                .help(format!("write `sku = \"{wanted}\"`, or leave it out"));
            sense.report(diagnostic);
        }
    }
}

/// The security rules of a subnet.
fn rules(sense: &mut Sense<'_>, network: &Table, name: &str, subnet: &Table) {
    let purpose = purpose_of(subnet);
    let Some(list) = subnet.get("rules") else { return };
    let items: Vec<(usize, &Node, &Table)> = list
        .list()
        .unwrap_or_default()
        .iter()
        .enumerate()
        .filter_map(|(place, node)| Some((place, node, node.table()?)))
        .collect();
    if purpose == Some(Purpose::Vpn) && !items.is_empty() {
        let diagnostic = sense
            .problem(
                codes::SECURITY_RULE,
                &list.key,
                "Azure does not support rules on the subnet of a VPN gateway",
            )
            .help("leave them out, and write rules on the subnets that it leads to");
        sense.report(diagnostic);
    }
    let closed = subnet.get("outbound").filter(|node| node.text() == Some("deny"));
    if let (Some(Purpose::Gateway), Some(closed)) = (purpose, closed) {
        let diagnostic = sense
            .problem(codes::SECURITY_RULE, &closed.span, "an Application Gateway has to reach the internet")
            .help("leave `outbound` out");
        sense.report(diagnostic);
    }
    let mut names: BTreeMap<String, &Node> = BTreeMap::new();
    let mut priorities: BTreeMap<(String, i64), &Node> = BTreeMap::new();
    for (place, node, rule) in items {
        required(sense, node, rule, "network.subnet.*.rules[]");
        let text = |key: &str| rule.get(key).and_then(Node::text);
        if let Some(at) = rule.get("name")
            && let Some(first) = at.text().and_then(|name| names.insert(name.to_lowercase(), at))
        {
            let diagnostic = sense
                .problem(codes::SECURITY_RULE, &at.span, "two rules of the subnet have this name")
                .related(first.span.clone(), "the other one");
            sense.report(diagnostic);
        }
        let written = rule.get("priority");
        let priority = match written {
            Some(node) => node.integer(),
            None => Some(i64::from(priority_of(place))),
        };
        let at = written.unwrap_or(node);
        if let Some(priority) = priority {
            if priority >= i64::from(OWN_PRIORITIES) {
                let diagnostic = sense
                    .problem(
                        codes::SECURITY_RULE,
                        &at.span,
                        format!("priority {priority} is one of Landfall's own, from {OWN_PRIORITIES} on"),
                    )
                    .help("choose one from 100 to 3999; what no rule allows is denied in the end anyway");
                sense.report(diagnostic);
            }
            let direction = text("direction").unwrap_or("inbound").to_owned();
            if let Some(first) = priorities.insert((direction, priority), at) {
                let diagnostic = sense
                    .problem(
                        codes::SECURITY_RULE,
                        &at.span,
                        format!("two rules in this direction have priority {priority}"),
                    )
                    .related(first.span.clone(), "the other one")
                    .help("choose another one, or leave it out: then the place in the list decides");
                sense.report(diagnostic);
            }
        }
        for key in ["from", "to"] {
            peers(sense, network, rule, key);
        }
        if let (Some(ports), Some("icmp")) = (rule.get("ports"), text("protocol")) {
            let diagnostic = sense
                .problem(codes::SECURITY_RULE, &ports.key, "ICMP has no ports")
                .help("leave `ports` out");
            sense.report(diagnostic);
        }
        shuts(sense, name, node, rule);
    }
}

/// A rule that denies all would come before what the platform needs.
fn shuts(sense: &mut Sense<'_>, name: &str, node: &Node, rule: &Table) {
    let text = |key: &str| rule.get(key).and_then(Node::text);
    let all = |key: &str| {
        rule.get(key)
            .and_then(Node::list)
            .is_none_or(|items| items.iter().all(|item| item.text() == Some("*")))
    };
    if text("access") != Some("deny")
        || !all("ports")
        || text("protocol").is_none_or(|word| word == "icmp" || word == "udp")
    {
        return;
    }
    let outbound = text("direction") == Some("outbound");
    if !all(if outbound { "to" } else { "from" }) {
        return;
    }
    let (message, help) = match outbound {
        true => (
            "this rule shuts out what the platform needs too",
            format!("write `outbound = \"deny\"` in `[network.subnet.{name}]` instead"),
        ),
        false => (
            "this rule shuts out what the platform needs too, such as the probes of load balancers",
            "leave it out: what no rule allows is denied in the end, behind what the platform needs"
                .to_owned(),
        ),
    };
    let diagnostic = sense.problem(codes::SECURITY_RULE, &node.span, message).help(help);
    sense.report(diagnostic);
}

/// One side of a rule.
fn peers(sense: &mut Sense<'_>, network: &Table, rule: &Table, key: &str) {
    let items = rule.get(key).and_then(Node::list).unwrap_or_default();
    for item in items {
        let Some(text) = item.text() else { continue };
        match Peer::parse(text) {
            Peer::Tag(_) | Peer::Any if items.len() > 1 => {
                let diagnostic = sense
                    .problem(
                        codes::SECURITY_RULE,
                        &item.span,
                        format!("`{text}` stands alone: Azure takes no tag beside others"),
                    )
                    .help("make a rule of its own for it");
                sense.report(diagnostic);
            }
            Peer::Subnet(name) => {
                let declared = network
                    .get("subnet")
                    .and_then(Node::table)
                    .map(|subnets| subnets.keys().map(String::as_str));
                let known: BTreeSet<&str> =
                    declared.into_iter().flatten().chain(Purpose::ALL.iter().map(|of| of.as_str())).collect();
                if !known.contains(name.as_str()) && !sense.lost {
                    let help = suggest::or_all(&name, known.iter().copied());
                    let message = format!("there is no subnet `{}`", crate::rules::short(&name));
                    let diagnostic = sense.problem(codes::DANGLING, &item.span, message).maybe_help(help);
                    sense.report(diagnostic);
                }
            }
            _ => {}
        }
    }
}

fn range_of(node: Option<&Node>) -> Option<AddressRange> {
    AddressRange::parse(node?.text()?).ok()
}

fn purpose_of(subnet: &Table) -> Option<Purpose> {
    subnet.get("for").and_then(Node::text).and_then(Purpose::from_word)
}

/// One subnet that somebody declared.
struct Declared<'a> {
    name: &'a str,
    node: &'a Node,
    table: &'a Table,
    range: Option<(AddressRange, &'a Node)>,
    purpose: Option<Purpose>,
}

fn subnets(sense: &mut Sense<'_>, network: &Table) {
    let Some(space_node) = network.get("space") else { return };
    let Some(space) = range_of(Some(space_node)) else { return };
    for (kept, whose) in RESERVED {
        if let Ok(kept) = AddressRange::parse(kept)
            && space.overlaps(kept)
        {
            let message = format!("the space overlaps {kept}, which is {whose}");
            let diagnostic = sense
                .problem(codes::SPACE, &space_node.span, message)
                .help("choose 10.0.0.0/8, 172.16.0.0/13 or 192.168.0.0/16, or a part of one of them");
            sense.report(diagnostic);
            // One reason is enough to choose another one.
            break;
        }
    }
    let tables = network.get("subnet").and_then(Node::table).into_iter().flatten();
    let mut declared: Vec<Declared<'_>> = tables
        .filter_map(|(name, node)| {
            let table = node.table()?;
            let range = table.get("range").and_then(|node| Some((range_of(Some(node))?, node)));
            Some(Declared { name, node, table, range, purpose: purpose_of(table) })
        })
        .collect();
    declared.sort_by_key(|subnet| subnet.node.key.start);
    let taken: Vec<AddressRange> = declared.iter().filter_map(|subnet| Some(subnet.range?.0)).collect();
    let inside = |range: &AddressRange| space.contains(*range);
    // What is proposed to one is not proposed to the next.
    let mut proposed: Vec<AddressRange> = taken.iter().copied().filter(inside).collect();
    purposes(sense, &declared);
    for (at, subnet) in declared.iter().enumerate() {
        let Some((range, node)) = subnet.range else {
            unplaced(sense, subnet, space, &mut proposed);
            continue;
        };
        let least = subnet.purpose.map_or(SMALLEST, Purpose::smallest);
        if range.prefix() > least {
            let whom = subnet.purpose.map_or("a subnet", Purpose::noun);
            let message = format!("{range} is too small for {whom}: a /{least} is the least");
            let others: Vec<AddressRange> =
                proposed.iter().copied().filter(|other| *other != range).collect();
            let wider = AddressRange::around(range.first(), least)
                .filter(|wider| space.contains(*wider) && !others.iter().any(|other| other.overlaps(*wider)))
                .or_else(|| space.free(least, &others));
            let help = wider.map(|wider| format!("write \"{wider}\", which is free"));
            proposed.extend(wider);
            let diagnostic = sense.problem(codes::SUBNET_SIZE, &node.span, message).maybe_help(help);
            sense.report(diagnostic);
        }
        if !space.contains(range) {
            let free = space.free(range.prefix(), &proposed);
            proposed.extend(free);
            // The other way out: a space in which all that is written lies.
            let hull = taken.iter().fold(space, |hull, range| hull.hull(*range));
            let widen = format!("widen the space to \"{hull}\"");
            let help = match (free, hull.prefix() >= WIDEST) {
                (Some(free), true) => format!("write \"{free}\", which is free, or {widen}"),
                (Some(free), false) => format!("write \"{free}\", which is free"),
                (None, true) => widen,
                (None, false) => format!("choose a range within {space}, and make room for it"),
            };
            let message = match range.contains(space) {
                true => format!("{range} is larger than the network's {space}"),
                false => format!("{range} lies outside the network's {space}"),
            };
            let mut diagnostic = sense.problem(codes::SUBNET_RANGE, &node.span, message).help(help);
            if space_node.is_written() {
                diagnostic = diagnostic.related(space_node.span.clone(), "the space");
            }
            sense.report(diagnostic);
        }
        for other in &declared[..at] {
            let Some((before, first)) = other.range.filter(|(before, _)| before.overlaps(range)) else {
                continue;
            };
            let free = space.free(range.prefix(), &proposed);
            proposed.extend(free);
            let message = format!("{range} overlaps {before} of subnet `{}`", other.name);
            let diagnostic = sense
                .problem(codes::SUBNET_RANGE, &node.span, message)
                .related(first.span.clone(), "taken here")
                .maybe_help(free.map(|free| format!("write \"{free}\", which is free")));
            sense.report(diagnostic);
            break;
        }
    }
}

/// The smallest subnet that Azure takes has eight addresses.
const SMALLEST: u8 = 29;

/// The widest space that Azure takes.
const WIDEST: u8 = 8;

/// Of each purpose there is one subnet.
fn purposes(sense: &mut Sense<'_>, declared: &[Declared<'_>]) {
    let mut seen: BTreeMap<Purpose, &Declared<'_>> = BTreeMap::new();
    for subnet in declared {
        let Some(purpose) = subnet.purpose else { continue };
        match seen.get(&purpose) {
            None => {
                seen.insert(purpose, subnet);
            }
            Some(first) => {
                let node = subnet.table.get("for").unwrap_or(subnet.node);
                let message = format!("`{}` is for {} already", first.name, purpose.noun());
                let diagnostic = sense
                    .problem(codes::SUBNET_PURPOSE, &node.span, message)
                    .related(first.node.key.clone(), "the first")
                    .help("keep one of them, or leave `for` out of the other");
                sense.report(diagnostic);
            }
        }
    }
}

/// A subnet without a range lies where its purpose does; one without a purpose has no place.
fn unplaced(
    sense: &mut Sense<'_>,
    subnet: &Declared<'_>,
    space: AddressRange,
    proposed: &mut Vec<AddressRange>,
) {
    let broken = |key: &str| subnet.table.get(key).is_some_and(|node| node.text().is_none());
    if broken("range") || broken("for") || subnet.table.contains_key("range") {
        return;
    }
    match subnet.purpose {
        None => {
            let mut kept = proposed.clone();
            kept.extend(Purpose::ALL.iter().filter_map(|of| carve::slot(space, *of, proposed)));
            let free = (24..=SMALLEST).find_map(|prefix| space.free(prefix, &kept));
            proposed.extend(free);
            let help = match free {
                Some(free) => format!("write `range = \"{free}\"`, which is free, or say what it is `for`"),
                None => "write its `range`, or say what it is `for`".to_owned(),
            };
            sense.missing(&subnet.node.key, format!("subnet `{}` has no `range`", subnet.name), help);
        }
        Some(purpose) if carve::slot(space, purpose, proposed).is_none() => {
            let least = purpose.smallest();
            let message = format!("{space} has no room left for {}: a /{least}", purpose.noun());
            let diagnostic = sense
                .problem(codes::SUBNET_RANGE, &subnet.node.key, message)
                .help("widen the space, or give another subnet less of it");
            sense.report(diagnostic);
        }
        Some(_) => {}
    }
}
