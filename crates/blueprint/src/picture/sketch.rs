//! What a picture shows of a blueprint: boxes in boxes, and the edges between them.
//!
//! Every resource is there in exactly one way ([`Shown`]): as a box, inside another's box (as a line of it, counted
//! with others, or not worth a line), as an edge, or as the title. How boxes and edges are drawn is the formats'
//! affair; that they are the same in all of them is this file's.

use std::collections::{BTreeMap, BTreeSet};

use crate::Blueprint;
use crate::address::Address;
use crate::body::Body;
use crate::expression::Expression;
use crate::picture::facts::{fact, list};
use crate::picture::looks::{self, Drawn, Group, Link, Means};
use crate::resource::Resource;

/// Where many boxes have the same common edge ("logs"), more than this many become marks.
const MANY: usize = 4;

/// A blueprint as boxes and edges.
#[derive(Debug)]
pub struct Sketch {
    /// The application.
    pub app: String,
    /// The environment.
    pub environment: String,
    /// The resource groups and the region.
    pub place: String,
    /// How many resources there are.
    pub count: usize,
    /// The boxes; indexes into this list are what the rest speaks in.
    pub boxes: Vec<Boxed>,
    /// The boxes that lie in no other, in the order of [`Group::ALL`].
    pub roots: Vec<usize>,
    /// The edges, ordered by where they begin and end.
    pub edges: Vec<Edge>,
    /// What too many have for edges.
    pub marks: Vec<Mark>,
    /// In which way each resource is there, in the blueprint's order.
    pub shown: Vec<Shown>,
}

/// In which way a resource is in the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A box of its own.
    Box(usize),
    /// Part of another's box.
    In(usize),
    /// An edge, or a line that says the same.
    Edge,
    /// The title.
    Title,
}

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A resource, or a subnet that its network's body holds.
    Resource,
    /// A service of the manifest.
    Service,
    /// All of a group that lies in no other box.
    Heading,
    /// Several resources that are alike.
    Count,
}

/// The form of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Label, name, facts and lists.
    Card,
    /// One line.
    Slip,
    /// Holds other boxes.
    Frame,
}

/// A box.
#[derive(Clone, Debug)]
pub struct Boxed {
    /// Names it, once in the picture: an address, `service.web`, `group.data`.
    pub key: String,
    /// The resource it is, when it is one.
    pub address: Option<Address>,
    /// What it stands for.
    pub what: What,
    /// Its form.
    pub form: Form,
    /// What people call its type; a service's or heading's own name.
    pub label: String,
    /// Its name in the manifest, where that says more than the label.
    pub part: String,
    /// Its name in Azure.
    pub name: String,
    /// Letters of its tile.
    pub icon: String,
    /// Its group.
    pub group: Group,
    /// What is worth saying.
    pub facts: Vec<String>,
    /// What is in it without a box: a heading and the items.
    pub lists: Vec<(String, Vec<String>)>,
    /// The box it lies in.
    pub parent: Option<usize>,
    /// The boxes in it.
    pub children: Vec<usize>,
}

/// A line between two boxes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Where it begins.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// What it says; empty for a private endpoint.
    pub words: String,
    /// Whether it is a private endpoint's.
    pub private: bool,
}

/// A relation that too many boxes have to one for edges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What it says.
    pub words: String,
    /// The boxes that have it.
    pub from: Vec<usize>,
    /// What they have it to.
    pub to: usize,
}

impl Sketch {
    /// Whether `inner` lies in `outer`, at any depth.
    pub fn lies_in(&self, inner: usize, outer: usize) -> bool {
        lies_in(&self.boxes, inner, outer)
    }

    /// What is counted where there are several, in words: `14 alerts`.
    pub fn resources(&self) -> String {
        match self.count {
            1 => "1 resource".to_owned(),
            many => format!("{many} resources"),
        }
    }
}

fn lies_in(boxes: &[Boxed], inner: usize, outer: usize) -> bool {
    std::iter::successors(Some(inner), |at| boxes[*at].parent).skip(1).any(|at| at == outer)
}

/// A resource, or a subnet inside a network's body, before it is known what becomes of it.
struct Node<'a> {
    key: String,
    resource: Option<&'a Resource>,
    resource_type: &'a str,
    name: &'a str,
    body: &'a Body,
    within: Option<usize>,
    known: bool,
    label: String,
    icon: String,
    group: Group,
    drawn: Drawn,
    facts: Vec<String>,
    lists: Vec<(&'static str, Vec<String>)>,
    service: Option<&'a str>,
    references: Vec<Reference>,
}

/// That a body names another node.
struct Reference {
    path: String,
    to: usize,
    /// By an address that requests go to.
    call: bool,
}

/// The boxes and edges of a blueprint.
pub fn sketch(blueprint: &Blueprint) -> Sketch {
    let nodes = nodes(blueprint);
    let homes = homes(&nodes);
    Builder::new(blueprint, nodes, homes).build()
}

fn nodes(blueprint: &Blueprint) -> Vec<Node<'_>> {
    let mut nodes: Vec<Node<'_>> = blueprint
        .resources
        .iter()
        .map(|resource| {
            let within = resource.within.as_ref().and_then(|address| blueprint.resources.place(address));
            let name = resource.name.rsplit('/').next().unwrap_or(&resource.name);
            let key = resource.address.to_string();
            let mut node = node(key, resource.resource_type, name, &resource.body, within);
            node.resource = Some(resource);
            // A service's own resources are those that run; what it brings along elsewhere lies with its kind.
            let service = resource.from.strip_prefix("service.").map(|rest| rest.split('.').next());
            node.service = service.flatten().filter(|_| node.group == Group::Compute);
            node
        })
        .collect();
    let mut ids: BTreeMap<String, usize> =
        blueprint.resources.iter().enumerate().map(|(at, r)| (r.id().to_lowercase(), at)).collect();
    subnets_in_bodies(blueprint, &mut nodes, &mut ids);
    let hosts: BTreeMap<&str, usize> = nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.group == Group::Compute && node.drawn == Drawn::Card)
        .map(|(at, node)| (node.name, at))
        .collect();
    let finder = Finder { blueprint, ids, hosts };
    let references: Vec<Vec<Reference>> = nodes
        .iter()
        .map(|node| {
            let mut found = Vec::new();
            for (key, value) in node.body.as_object().into_iter().flat_map(|object| object.iter()) {
                // Tags may link resources for the portal's sake only.
                if key != "tags" {
                    finder.walk(value, key, &mut found);
                }
            }
            found
        })
        .collect();
    for (node, references) in nodes.iter_mut().zip(references) {
        if let Drawn::Edge(Link::From(path, _, heading)) = node.drawn
            && !references.iter().any(|reference| reference.path == path)
        {
            node.drawn = Drawn::Line(heading);
        }
        node.references = references;
    }
    nodes
}

/// A network may hold its subnets in its own body.
fn subnets_in_bodies<'a>(
    blueprint: &'a Blueprint,
    nodes: &mut Vec<Node<'a>>,
    ids: &mut BTreeMap<String, usize>,
) {
    const NETWORK: &str = "Microsoft.Network/virtualNetworks";
    const SUBNET: &str = "Microsoft.Network/virtualNetworks/subnets";
    for (at, network) in blueprint.resources.iter().enumerate() {
        let Some(Body::Array(subnets)) = network.body.at("properties.subnets") else { continue };
        if !network.resource_type.eq_ignore_ascii_case(NETWORK) {
            continue;
        }
        for subnet in subnets {
            let Some(name) = subnet.get("name").and_then(Body::as_str) else { continue };
            let id = format!("{}/subnets/{name}", network.id()).to_lowercase();
            if ids.contains_key(&id) {
                continue;
            }
            ids.insert(id, nodes.len());
            nodes.push(node(format!("{}/{name}", network.address), SUBNET, name, subnet, Some(at)));
        }
    }
}

fn node<'a>(
    key: String,
    resource_type: &'a str,
    name: &'a str,
    body: &'a Body,
    within: Option<usize>,
) -> Node<'a> {
    let kind = body.get("kind").and_then(Body::as_str);
    let look = looks::find(resource_type, kind);
    let (label, icon, group, drawn) = match look {
        Some(look) => (look.label.to_owned(), look.icon.to_owned(), look.group, look.drawn),
        None => unknown(resource_type),
    };
    let facts = look.into_iter().flat_map(|look| look.facts).filter_map(|f| fact(f, body)).collect();
    let lists = look.into_iter().flat_map(|look| look.facts).filter_map(|f| list(f, body)).collect();
    Node {
        key,
        resource: None,
        resource_type,
        name,
        body,
        within,
        known: look.is_some(),
        label,
        icon,
        group,
        drawn,
        facts,
        lists,
        service: None,
        references: Vec::new(),
    }
}

/// A look for a type that no row is about: words from its name, the group of its provider's other types, a line in
/// its parent's box when it is a child.
fn unknown(resource_type: &str) -> (String, String, Group, Drawn) {
    let (provider, kinds) = resource_type.split_once('/').unwrap_or((resource_type, ""));
    let last = kinds.rsplit('/').next().unwrap_or(kinds);
    let mut words = String::new();
    for letter in last.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    let one = match words.strip_suffix("ies") {
        Some(start) => format!("{start}y"),
        None => words.strip_suffix('s').unwrap_or(&words).to_owned(),
    };
    let mut letters = one.chars();
    let label = letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
    let icon = one.split(' ').filter_map(|word| word.chars().next()).take(2).collect::<String>();
    let group = looks::LOOKS
        .iter()
        .find(|look| look.resource_type.split('/').next().is_some_and(|p| p.eq_ignore_ascii_case(provider)))
        .map_or(Group::Other, |look| look.group);
    let drawn = if kinds.contains('/') { Drawn::Line("") } else { Drawn::Card };
    (label, icon.to_uppercase(), group, drawn)
}

/// Finds the nodes that a body names.
struct Finder<'a> {
    blueprint: &'a Blueprint,
    /// By ARM id, in small letters.
    ids: BTreeMap<String, usize>,
    /// What answers requests, by its name in Azure, with which its host name begins.
    hosts: BTreeMap<&'a str, usize>,
}

impl Finder<'_> {
    fn walk(&self, body: &Body, path: &str, found: &mut Vec<Reference>) {
        match body {
            Body::Object(object) => {
                for (key, value) in object.iter() {
                    // The keys of an identity's map are ids.
                    if let Some(to) = self.by_id(key) {
                        found.push(Reference { path: format!("{path}.*"), to, call: false });
                    }
                    self.walk(value, &format!("{path}.{key}"), found);
                }
            }
            Body::Array(items) => {
                items.iter().for_each(|item| self.walk(item, &format!("{path}[]"), found));
            }
            Body::String(text) => self.text(text, path, found),
            Body::Expression(expression) => self.expression(expression, path, found),
            Body::Null | Body::Bool(_) | Body::Number(_) | Body::Kept(_) => {}
        }
    }

    fn text(&self, text: &str, path: &str, found: &mut Vec<Reference>) {
        if let Some(to) = self.by_id(text) {
            found.push(Reference { path: path.to_owned(), to, call: false });
            return;
        }
        let host = text.split_once("://").map_or(text, |(_, host)| host);
        if let Some(to) = host.split_once('.').and_then(|(name, _)| self.hosts.get(name)) {
            found.push(Reference { path: path.to_owned(), to: *to, call: true });
        }
    }

    fn expression(&self, expression: &Expression, path: &str, found: &mut Vec<Reference>) {
        if let Some(to) = self.id_text(expression).and_then(|id| self.by_id(&id)) {
            found.push(Reference { path: path.to_owned(), to, call: false });
            return;
        }
        if let Expression::Concat { of } = expression {
            of.iter().for_each(|piece| self.walk(piece, path, found));
            return;
        }
        let mut named = Vec::new();
        expression.addresses(&mut named);
        let places = named.into_iter().filter_map(|address| self.blueprint.resources.place(address));
        found.extend(places.map(|to| Reference { path: path.to_owned(), to, call: false }));
    }

    /// The ARM id that an expression is, when it is one.
    fn id_text(&self, expression: &Expression) -> Option<String> {
        match expression {
            Expression::Id { of } => self.blueprint.get(of).map(Resource::id),
            Expression::Property { of, path } if path == "id" => self.blueprint.get(of).map(Resource::id),
            Expression::Concat { of } => of
                .iter()
                .map(|piece| match piece {
                    Body::String(text) => Some(text.clone()),
                    Body::Expression(expression) => self.id_text(expression),
                    _ => None,
                })
                .collect(),
            _ => None,
        }
    }

    /// What has this id, or the nearest that the id lies under.
    fn by_id(&self, id: &str) -> Option<usize> {
        if !id.starts_with("/subscriptions/") {
            return None;
        }
        let id = id.to_lowercase();
        let mut id = id.as_str();
        loop {
            if let Some(node) = self.ids.get(id) {
                return Some(*node);
            }
            id = &id[..id.rfind('/')?];
        }
    }
}

/// For each node the node in whose box it is: itself, when it has a box of its own; none for edges and the title.
fn homes(nodes: &[Node<'_>]) -> Vec<Option<usize>> {
    let mut next: Vec<Option<usize>> = Vec::with_capacity(nodes.len());
    for (at, node) in nodes.iter().enumerate() {
        let first_user = || {
            nodes.iter().enumerate().position(|(other, user)| {
                other != at
                    && !matches!(user.drawn, Drawn::Edge(_))
                    && user.references.iter().any(|reference| leans_on(nodes, user, reference, at))
            })
        };
        let named = |path: &str| {
            let mut references = node.references.iter();
            references.find(|reference| reference.path == path).map(|reference| reference.to)
        };
        next.push(match node.drawn {
            Drawn::Card | Drawn::Frame | Drawn::Counted(..) => Some(at),
            // An identity that is no service's own belongs to what signs in with it.
            Drawn::Slip if is_identity(node) && node.service.is_none() => first_user().or(Some(at)),
            Drawn::Slip => Some(at),
            Drawn::Line(_) | Drawn::Silent => node.within.or(Some(at)),
            Drawn::Attached(_) => first_user().or(Some(at)),
            Drawn::AttachedTo(_, path) => named(path).or(node.within).or(Some(at)),
            Drawn::Edge(_) | Drawn::Title => None,
        });
    }
    (0..nodes.len())
        .map(|start| {
            let mut at = start;
            // Two that name each other would lead in a circle: the first of them gets the box.
            for _ in 0..nodes.len() {
                match next[at] {
                    Some(home) if home == at => return Some(at),
                    Some(home) => at = home,
                    // What lies in the group, or is about an edge, stands for itself.
                    None if at == start => return None,
                    None => return Some(start),
                }
            }
            Some(start)
        })
        .collect()
}

/// Whether a reference says that a node has another as a part, and nothing that an edge would say.
fn leans_on(nodes: &[Node<'_>], user: &Node<'_>, reference: &Reference, at: usize) -> bool {
    reference.to == at && looks::means(user.resource_type, &reference.path, nodes[at].resource_type).is_none()
}

fn is_identity(node: &Node<'_>) -> bool {
    node.resource_type.eq_ignore_ascii_case(crate::services::identity::TYPE)
}

struct Builder<'a> {
    blueprint: &'a Blueprint,
    nodes: Vec<Node<'a>>,
    homes: Vec<Option<usize>>,
    boxes: Vec<Boxed>,
    /// The box that each node has of its own or is counted in.
    box_of: Vec<Option<usize>>,
    /// The frame of each service.
    services: BTreeMap<&'a str, usize>,
    /// How edges are gathered: both ends, whether private, whether common; to the words.
    gathered: BTreeMap<(usize, usize, bool, bool), BTreeSet<&'static str>>,
    /// Ends that only say `uses`.
    used: BTreeSet<(usize, usize)>,
}

impl<'a> Builder<'a> {
    fn new(blueprint: &'a Blueprint, nodes: Vec<Node<'a>>, homes: Vec<Option<usize>>) -> Builder<'a> {
        let box_of = vec![None; nodes.len()];
        Builder {
            blueprint,
            nodes,
            homes,
            boxes: Vec::new(),
            box_of,
            services: BTreeMap::new(),
            gathered: BTreeMap::new(),
            used: BTreeSet::new(),
        }
    }

    fn build(mut self) -> Sketch {
        self.make_boxes();
        self.place_boxes();
        self.fill_lists();
        self.gather_edges();
        let (edges, marks) = self.edges();
        let shown = (0..self.blueprint.resources.len()).map(|at| self.shown(at)).collect();
        let mut roots: Vec<usize> =
            (0..self.boxes.len()).filter(|at| self.boxes[*at].parent.is_none()).collect();
        roots.sort_by_key(|at| (self.boxes[*at].group, *at));
        let groups = self.nodes.iter().filter(|node| node.drawn == Drawn::Title);
        let groups: Vec<&str> = groups.map(|node| node.name).collect();
        Sketch {
            app: self.blueprint.app.clone(),
            environment: self.blueprint.environment.clone(),
            place: format!("{} in {}", groups.join(", "), self.blueprint.region),
            count: self.blueprint.resources.len(),
            boxes: self.boxes,
            roots,
            edges,
            marks,
            shown,
        }
    }

    fn shown(&self, at: usize) -> Shown {
        let node = &self.nodes[at];
        match (node.drawn, self.homes[at]) {
            (Drawn::Title, _) => Shown::Title,
            (_, None) => Shown::Edge,
            (_, Some(home)) => {
                let there = self.box_of[home].expect("a home has a box");
                let own = home == at && self.boxes[there].what == What::Resource;
                if own { Shown::Box(there) } else { Shown::In(there) }
            }
        }
    }

    fn make_boxes(&mut self) {
        let mut counts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for at in 0..self.nodes.len() {
            if self.homes[at] != Some(at) {
                continue;
            }
            let node = &self.nodes[at];
            if let Drawn::Counted(_, many) = node.drawn {
                counts.entry(many).or_default().push(at);
                continue;
            }
            let form = match node.drawn {
                Drawn::Frame => Form::Frame,
                Drawn::Slip => Form::Slip,
                _ => Form::Card,
            };
            let made = boxed(node, form);
            self.box_of[at] = Some(self.boxes.len());
            self.boxes.push(made);
        }
        for (many, of) in counts {
            let made = match of[..] {
                [only] => boxed(&self.nodes[only], Form::Card),
                _ => self.counted(many, &of),
            };
            of.iter().for_each(|at| self.box_of[*at] = Some(self.boxes.len()));
            self.boxes.push(made);
        }
    }

    /// One box for several that are alike, with their names by type.
    fn counted(&self, many: &str, of: &[usize]) -> Boxed {
        let first = &self.nodes[of[0]];
        let mut lists: Vec<(String, Vec<String>)> = Vec::new();
        for at in of {
            let node = &self.nodes[*at];
            // What has a name for people is called by it, and else as in the manifest.
            let address = node.resource.map_or(node.name, |resource| resource.address.name());
            let item = node.facts.first().map_or(address, String::as_str).to_owned();
            match lists.iter_mut().find(|(heading, _)| *heading == node.label) {
                Some((_, items)) => items.push(item),
                None => lists.push((node.label.clone(), vec![item])),
            }
        }
        if let [(heading, _)] = &mut lists[..] {
            heading.clear();
        }
        Boxed {
            key: format!("count.{}", many.replace(' ', "-")),
            address: None,
            what: What::Count,
            form: Form::Card,
            label: format!("{} {many}", of.len()),
            part: String::new(),
            name: String::new(),
            icon: first.icon.clone(),
            group: first.group,
            facts: Vec::new(),
            lists,
            parent: None,
            children: Vec::new(),
        }
    }

    /// Says of every box in which one it lies.
    fn place_boxes(&mut self) {
        let own: Vec<usize> = (0..self.nodes.len())
            .filter(|at| {
                self.homes[*at] == Some(*at)
                    && self.box_of[*at].is_some_and(|b| self.boxes[b].what != What::Count)
            })
            .collect();
        for at in &own {
            if let Some(service) = self.nodes[*at].service
                && !self.services.contains_key(service)
            {
                self.services.insert(service, self.boxes.len());
                self.boxes.push(frame(
                    format!("service.{service}"),
                    What::Service,
                    service.to_owned(),
                    Group::Compute,
                ));
            }
        }
        for at in &own {
            let box_at = self.box_of[*at].expect("own nodes have boxes");
            let service = self.nodes[*at].service;
            let inside = self.inside(*at);
            let inside_box = inside.and_then(|home| self.box_of[home]);
            match service.map(|service| (service, self.services[service])) {
                Some((service, frame)) => {
                    let sibling = inside.is_some_and(|home| self.nodes[home].service == Some(service));
                    if let Some(inside_box) = inside_box.filter(|_| sibling) {
                        self.put(box_at, inside_box);
                    } else {
                        self.put(box_at, frame);
                        if let Some(inside_box) = inside_box.filter(|_| self.boxes[frame].parent.is_none()) {
                            self.put(frame, inside_box);
                        }
                    }
                }
                None => {
                    if let Some(inside_box) = inside_box {
                        self.put(box_at, inside_box);
                    }
                }
            }
        }
        // What a service runs before what it runs as.
        for frame in self.services.values() {
            let mut children = std::mem::take(&mut self.boxes[*frame].children);
            children.sort_by_key(|child| self.boxes[*child].form == Form::Slip);
            self.boxes[*frame].children = children;
        }
        self.place_beside();
        self.place_under_headings();
    }

    /// The home of what a node lies in: by its references, or by ARM when its parent is a frame.
    fn inside(&self, at: usize) -> Option<usize> {
        // A federated credential is a line of its identity, and says where the service runs.
        let mut parts = (0..self.nodes.len()).filter(|part| self.homes[*part] == Some(at));
        let by_reference = parts.find_map(|part| {
            let node = &self.nodes[part];
            let inside = |reference: &&Reference| {
                let to = self.nodes[reference.to].resource_type;
                looks::means(node.resource_type, &reference.path, to) == Some(Means::Inside)
            };
            node.references.iter().find(inside).and_then(|reference| self.homes[reference.to])
        });
        let by_arm = || self.homes[self.nodes[at].within?];
        let is_frame = |home: &usize| *home != at && self.nodes[*home].drawn == Drawn::Frame;
        by_reference.or_else(by_arm).filter(is_frame)
    }

    /// Puts a box into another, unless that would lead in a circle.
    fn put(&mut self, inner: usize, outer: usize) {
        if inner != outer && self.boxes[inner].parent.is_none() && !lies_in(&self.boxes, outer, inner) {
            self.boxes[inner].parent = Some(outer);
            self.boxes[outer].children.push(inner);
        }
    }

    /// What a frame leans on is drawn beside it.
    fn place_beside(&mut self) {
        for at in 0..self.nodes.len() {
            for reference in 0..self.nodes[at].references.len() {
                let (node, reference) = (&self.nodes[at], &self.nodes[at].references[reference]);
                let to = self.nodes[reference.to].resource_type;
                let means = looks::means(node.resource_type, &reference.path, to);
                let own = self.homes[at].and_then(|home| self.box_of[home]);
                let (Some(Means::NoteBeside(_)), Some(own)) = (means, own) else { continue };
                let other = self.homes[reference.to].and_then(|home| self.box_of[home]);
                if let (Some(other), Some(outer)) = (other, self.boxes[own].parent) {
                    self.put(other, outer);
                }
            }
        }
    }

    /// What lies in nothing lies under its group's heading; networks and what runs need none.
    fn place_under_headings(&mut self) {
        for group in Group::ALL {
            let loose: Vec<usize> = (0..self.boxes.len())
                .filter(|at| {
                    let one = &self.boxes[*at];
                    let stands_alone = *group == Group::Compute
                        || (*group == Group::Network && one.form == Form::Frame)
                        || one.what == What::Service;
                    one.parent.is_none() && one.group == *group && !stands_alone
                })
                .collect();
            if loose.is_empty() {
                continue;
            }
            let heading = self.boxes.len();
            let key = format!("group.{}", group.word());
            self.boxes.push(frame(key, What::Heading, group.heading().to_owned(), *group));
            loose.into_iter().for_each(|at| self.put(at, heading));
        }
    }

    /// Writes what has no box into the box it belongs to.
    fn fill_lists(&mut self) {
        let mut lines: Vec<(usize, String, String)> = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            let Some(home) = self.homes[at] else { continue };
            let mut there = vec![home];
            if matches!(node.drawn, Drawn::Attached(_)) {
                // The same rules may hold for several subnets: each says so.
                let users = self.nodes.iter().enumerate().filter(|(_, user)| {
                    user.references.iter().any(|reference| leans_on(&self.nodes, user, reference, at))
                });
                there.extend(users.filter_map(|(user, _)| self.homes[user]));
            }
            let heading = match node.drawn {
                Drawn::Line("") => Some(node.label.clone()),
                Drawn::Line(heading) | Drawn::Attached(heading) | Drawn::AttachedTo(heading, _) => {
                    Some(heading.to_owned())
                }
                Drawn::Slip => Some("identity".to_owned()),
                _ => None,
            };
            let own = heading.filter(|_| home != at).map(|heading| (heading, line(node)));
            let lists = node
                .lists
                .iter()
                .flat_map(|(heading, items)| items.iter().map(|item| ((*heading).to_owned(), item.clone())));
            let boxes: BTreeSet<usize> = there.iter().filter_map(|home| self.box_of[*home]).collect();
            for (heading, text) in own.into_iter().chain(lists) {
                lines.extend(boxes.iter().map(|there| (*there, heading.clone(), text.clone())));
            }
        }
        for (at, node) in self.nodes.iter().enumerate() {
            let Some(own) = self.homes[at].and_then(|home| self.box_of[home]) else { continue };
            for reference in &node.references {
                let to = &self.nodes[reference.to];
                let Some(there) = self.homes[reference.to].and_then(|home| self.box_of[home]) else {
                    continue;
                };
                match looks::means(node.resource_type, &reference.path, to.resource_type) {
                    Some(Means::NoteBeside(words)) => {
                        lines.push((own, words.to_owned(), to.name.to_owned()));
                    }
                    Some(Means::NoteThere(words)) => {
                        lines.push((there, words.to_owned(), node.name.to_owned()));
                    }
                    _ => {}
                }
            }
        }
        for (there, heading, text) in lines {
            let lists = &mut self.boxes[there].lists;
            match lists.iter_mut().find(|(known, _)| *known == heading) {
                Some((_, items)) if items.contains(&text) => {}
                Some((_, items)) => items.push(text),
                None => lists.push((heading, vec![text])),
            }
        }
    }

    fn gather_edges(&mut self) {
        for at in 0..self.nodes.len() {
            match self.nodes[at].drawn {
                Drawn::Edge(Link::Grant { principal, role }) => {
                    let from = self.named(at, principal);
                    let words = role_text(self.nodes[at].body, role);
                    self.join(from, self.nodes[at].within, Means::Edge(looks::role_words(&words)));
                }
                Drawn::Edge(Link::To(path, means)) => {
                    let to = self.named(at, path);
                    self.join(self.nodes[at].within, to, means);
                }
                Drawn::Edge(Link::From(path, words, _)) => {
                    let from = self.named(at, path);
                    self.join(from, self.nodes[at].within, Means::Edge(words));
                }
                Drawn::Title => {}
                _ => self.gather_references(at),
            }
        }
    }

    fn gather_references(&mut self, at: usize) {
        for reference in 0..self.nodes[at].references.len() {
            let node = &self.nodes[at];
            let reference = &node.references[reference];
            let to = &self.nodes[reference.to];
            // Edges and the title are no ends.
            if self.homes[reference.to].is_none() {
                continue;
            }
            let means = looks::means(node.resource_type, &reference.path, to.resource_type);
            let unknown = !node.known || !to.known;
            let (other, call) = (reference.to, reference.call);
            let in_service = self.service_of(at).is_some();
            match means {
                Some(means) => self.join(Some(at), Some(other), means),
                None if call => self.join(Some(at), Some(other), Means::Edge("calls")),
                None if in_service => self.use_(at, other),
                None if unknown => self.join(Some(at), Some(other), Means::Edge("refers to")),
                None => {}
            }
        }
    }

    /// The node that is named at a path.
    fn named(&self, at: usize, path: &str) -> Option<usize> {
        let mut references = self.nodes[at].references.iter();
        references.find(|reference| reference.path == path).map(|reference| reference.to)
    }

    fn service_of(&self, at: usize) -> Option<usize> {
        let there = self.homes[at].and_then(|home| self.box_of[home])?;
        std::iter::successors(Some(there), |at| self.boxes[*at].parent)
            .find(|at| self.boxes[*at].what == What::Service)
    }

    /// Where an edge of a node begins or ends: a service stands for all that is in it.
    fn end(&self, at: usize) -> Option<usize> {
        self.service_of(at).or_else(|| self.box_of[self.homes[at]?])
    }

    /// Both ends of an edge, when there is something to draw between them.
    fn ends(&self, from: usize, to: usize) -> Option<(usize, usize)> {
        let (from, to) = (self.end(from)?, self.end(to)?);
        let nested = from == to || lies_in(&self.boxes, from, to) || lies_in(&self.boxes, to, from);
        (!nested).then_some((from, to))
    }

    fn join(&mut self, from: Option<usize>, to: Option<usize>, means: Means) {
        let (Some(from), Some(to)) = (from, to) else { return };
        let (from, to, words, private, common) = match means {
            Means::Edge(words) => (from, to, words, false, false),
            Means::Back(words) => (to, from, words, false, false),
            Means::Common(words) => (from, to, words, false, true),
            Means::Private => (from, to, "", true, false),
            Means::Inside | Means::NoteBeside(_) | Means::NoteThere(_) | Means::Nothing => return,
        };
        if let Some((from, to)) = self.ends(from, to) {
            self.gathered.entry((from, to, private, common)).or_default().insert(words);
        }
    }

    fn use_(&mut self, from: usize, to: usize) {
        // Whose identity a service signs in with is said by what it may do with it.
        if !is_identity(&self.nodes[to])
            && let Some(ends) = self.ends(from, to)
        {
            self.used.insert(ends);
        }
    }

    fn edges(&mut self) -> (Vec<Edge>, Vec<Mark>) {
        for (from, to) in std::mem::take(&mut self.used) {
            let said =
                self.gathered.range((from, to, false, false)..=(from, to, true, true)).next().is_some();
            if !said {
                self.gathered.entry((from, to, false, false)).or_default().insert("uses");
            }
        }
        // A role that lets what is said be done says it twice.
        let common: Vec<_> = self
            .gathered
            .iter()
            .filter(|((.., common), _)| *common)
            .map(|(ends, words)| (*ends, words.clone()))
            .collect();
        for ((from, to, private, _), said) in common {
            if let Some(words) = self.gathered.get_mut(&(from, to, private, false)) {
                words.retain(|word| !said.contains(word));
            }
        }
        self.gathered.retain(|_, words| !words.is_empty());
        let mut marks: BTreeMap<(String, usize), Vec<usize>> = BTreeMap::new();
        let mut edges: Vec<Edge> = Vec::new();
        for ((from, to, private, common), mut words) in std::mem::take(&mut self.gathered) {
            if words.len() > 1 {
                words.remove("has a role");
            }
            let words = words.into_iter().collect::<Vec<_>>().join(", ");
            match common {
                true => marks.entry((words, to)).or_default().push(from),
                false => edges.push(Edge { from, to, words, private }),
            }
        }
        let mut kept = Vec::new();
        for ((words, to), from) in marks {
            match from.len() > MANY {
                true => kept.push(Mark { words, from, to }),
                false => {
                    let edge = |from| Edge { from, to, words: words.clone(), private: false };
                    edges.extend(from.into_iter().map(edge));
                }
            }
        }
        self.lift(&mut edges);
        edges.sort();
        (edges, kept)
    }

    /// Where everything under a heading has the same edge, the heading has it.
    fn lift(&self, edges: &mut Vec<Edge>) {
        for (at, heading) in self.boxes.iter().enumerate() {
            if heading.what != What::Heading || heading.children.len() < 2 {
                continue;
            }
            let mut ends: BTreeMap<(usize, String, bool), usize> = BTreeMap::new();
            for edge in edges.iter().filter(|edge| heading.children.contains(&edge.from)) {
                *ends.entry((edge.to, edge.words.clone(), edge.private)).or_default() += 1;
            }
            for ((to, words, private), _) in
                ends.into_iter().filter(|(_, count)| *count == heading.children.len())
            {
                edges.retain(|edge| {
                    !(heading.children.contains(&edge.from)
                        && edge.to == to
                        && edge.words == words
                        && edge.private == private)
                });
                edges.push(Edge { from: at, to, words, private });
            }
        }
    }
}

/// The last text of a role's id, which its GUID ends.
fn role_text(body: &Body, path: &str) -> String {
    match body.at(path) {
        Some(Body::String(text)) => text.clone(),
        Some(Body::Expression(Expression::Concat { of })) => {
            of.iter().rev().find_map(Body::as_str).unwrap_or_default().to_owned()
        }
        _ => String::new(),
    }
}

fn boxed(node: &Node<'_>, form: Form) -> Boxed {
    // `main` is what is called so for want of a name, and a service's name is above its resources.
    let part = node.resource.map_or("", |resource| resource.address.name());
    let plain = part == "main" || node.service.is_some() || node.name == part;
    Boxed {
        key: node.key.clone(),
        address: node.resource.map(|resource| resource.address.clone()),
        what: What::Resource,
        form,
        label: node.label.clone(),
        part: if plain { String::new() } else { part.to_owned() },
        name: node.name.to_owned(),
        icon: node.icon.clone(),
        group: node.group,
        facts: node.facts.clone(),
        lists: Vec::new(),
        parent: None,
        children: Vec::new(),
    }
}

fn frame(key: String, what: What, label: String, group: Group) -> Boxed {
    Boxed {
        key,
        address: None,
        what,
        form: Form::Frame,
        label,
        part: String::new(),
        name: String::new(),
        icon: String::new(),
        group,
        facts: Vec::new(),
        lists: Vec::new(),
        parent: None,
        children: Vec::new(),
    }
}

/// A node in a list: its name, and what is worth saying of it.
fn line(node: &Node<'_>) -> String {
    match (node.name, &node.facts[..]) {
        ("default", []) => node.label.to_lowercase(),
        ("default", facts) => facts.join(", "),
        (name, []) => name.to_owned(),
        (name, facts) => format!("{name} ({})", facts.join(", ")),
    }
}
