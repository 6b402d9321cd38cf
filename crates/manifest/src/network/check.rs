//! What the parts of `[network]` say about each other.

use std::collections::BTreeMap;

use crate::addresses::AddressRange;
use crate::codes;
use crate::network::{Purpose, carve};
use crate::sense::Sense;
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
