//! Pictures of blueprints small and large: what they look like, and what holds for all of them.
#![allow(clippy::disallowed_methods, reason = "Graphviz is a program, and the types' catalogue a file")]
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(missing_docs)]

mod apps;
mod systems;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use landfall_blueprint::picture::svg::measure::{Weight, width};
use landfall_blueprint::picture::{self, Form, Ink, Shown, looks, sketch};
use landfall_blueprint::{Blueprint, blueprint};
use proptest::collection::vec;
use proptest::prelude::*;
use roxmltree::{Document, Node};

#[test]
fn small_as_a_tree() {
    insta::assert_snapshot!(picture::tree(&systems::small(), Ink::Plain));
}

#[test]
fn small_as_a_graph() {
    insta::assert_snapshot!(picture::dot(&systems::small()));
}

#[test]
fn small_as_a_drawing() {
    insta::assert_binary_snapshot!("small.svg", picture::svg(&systems::small()).into_bytes());
}

#[test]
fn large_as_a_tree() {
    insta::assert_snapshot!(picture::tree(&systems::large(), Ink::Plain));
}

#[test]
fn colours_change_nothing_but_colours() {
    let large = systems::large();
    let mut text = picture::tree(&large, Ink::Color);
    assert!(text.contains("\u{1b}[1mservice"));
    while let Some(at) = text.find('\u{1b}') {
        let end = at + text[at..].find('m').unwrap();
        text.replace_range(at..=end, "");
    }
    assert_eq!(text, picture::tree(&large, Ink::Plain));
}

#[test]
fn what_holds_for_every_picture_holds_for_these() {
    for made in [systems::small(), systems::large()] {
        holds(&made);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn what_holds_for_every_picture_holds_for_any_app(app in apps::any_app()) {
        holds(&blueprint(&app).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn what_holds_for_every_picture_holds_for_any_part_of_a_system(kept in vec(0..4u8, 200)) {
        let large = systems::large();
        // The group stays: everything lies in it.
        let part = large.resources.iter().zip(&kept).enumerate();
        let part = part.filter(|(at, (_, kept))| *at == 0 || **kept > 0).map(|(_, (one, _))| one.clone());
        holds(&Blueprint { resources: part.collect(), ..large.clone() });
    }
}

/// Everything that is promised of a picture.
fn holds(made: &Blueprint) {
    let text = picture::svg(made);
    assert_eq!(text, picture::svg(made), "the same bytes every time");
    assert_eq!(picture::dot(made), picture::dot(made));
    let document = Document::parse(&text).unwrap();
    let root = document.root_element();
    let named: BTreeMap<&str, Node<'_, '_>> =
        document.descendants().filter_map(|node| Some((node.attribute("id")?, node))).collect();
    for id in root.attribute("aria-labelledby").unwrap().split(' ') {
        assert!(named[id].text().is_some_and(|text| !text.is_empty()), "{id} says nothing");
    }
    for node in document.descendants().filter(Node::is_element) {
        assert!(!["script", "image", "foreignObject", "a"].contains(&node.tag_name().name()));
        assert!(node.attributes().all(|a| !a.value().contains("url(") && a.name() != "href"));
    }

    let boxes = boxes(&document);
    each_is_there_once(made, &boxes);
    let view: Vec<i32> = numbers(root.attribute("viewBox").unwrap());
    let inside =
        |one: &Rect| one.x >= 0 && one.y >= 0 && one.x + one.w <= view[2] && one.y + one.h <= view[3];
    for (at, one) in boxes.iter().enumerate() {
        assert!(inside(&one.rect), "{} is off the picture", one.key);
        for other in &boxes[at + 1..] {
            let nested = other.within.contains(&one.key);
            match nested {
                true => assert!(one.rect.holds(&other.rect), "{} sticks out of {}", other.key, one.key),
                false => assert!(!one.rect.meets(&other.rect), "{} lies on {}", other.key, one.key),
            }
        }
        texts_fit(one);
    }
    edges_run_free(&document, &boxes);
}

/// A box of a drawing.
struct Drawn<'a> {
    key: &'a str,
    /// The keys of the boxes that it lies in.
    within: BTreeSet<&'a str>,
    rect: Rect,
    node: Node<'a, 'a>,
}

#[derive(Clone, Copy, Debug)]
struct Rect {
    x: i32,
    y: i32,
    w: i32,
    h: i32,
}

impl Rect {
    fn of(node: &Node<'_, '_>) -> Rect {
        let number = |name: &str| node.attribute(name).unwrap().parse().unwrap();
        Rect { x: number("x"), y: number("y"), w: number("width"), h: number("height") }
    }

    fn holds(&self, other: &Rect) -> bool {
        other.x >= self.x
            && other.y >= self.y
            && other.x + other.w <= self.x + self.w
            && other.y + other.h <= self.y + self.h
    }

    fn meets(&self, other: &Rect) -> bool {
        self.x < other.x + other.w
            && other.x < self.x + self.w
            && self.y < other.y + other.h
            && other.y < self.y + self.h
    }
}

fn boxes<'a>(document: &'a Document<'a>) -> Vec<Drawn<'a>> {
    let groups = document.descendants().filter(|node| node.has_attribute("data-box"));
    groups
        .map(|node| {
            let rect = node.children().find(|child| child.has_tag_name("rect")).unwrap();
            let within = node.ancestors().skip(1).filter_map(|outer| outer.attribute("data-box"));
            let key = node.attribute("data-box").unwrap();
            Drawn { key, within: within.collect(), rect: Rect::of(&rect), node }
        })
        .collect()
}

/// Every resource is there in one way, and every box once.
fn each_is_there_once(made: &Blueprint, boxes: &[Drawn<'_>]) {
    let sketch = sketch(made);
    assert_eq!(sketch.shown.len(), made.resources.len());
    let keys: BTreeSet<&str> = boxes.iter().map(|one| one.key).collect();
    assert_eq!(keys.len(), boxes.len(), "a box is there twice");
    assert_eq!(boxes.len(), sketch.boxes.len(), "a box is missing");
    let mut own = BTreeSet::new();
    for (resource, shown) in made.resources.iter().zip(&sketch.shown) {
        match shown {
            Shown::Box(at) => {
                assert_eq!(sketch.boxes[*at].address.as_ref(), Some(&resource.address));
                assert!(keys.contains(resource.address.as_str()), "{} is missing", resource.address);
                assert!(own.insert(at), "{} shares its box", resource.address);
            }
            Shown::In(at) => assert!(*at < sketch.boxes.len()),
            Shown::Edge | Shown::Title => {
                assert!(!keys.contains(resource.address.as_str()), "{} has a box", resource.address);
            }
        }
    }
    for (at, one) in sketch.boxes.iter().enumerate() {
        assert!(one.form == Form::Frame || one.children.is_empty());
        assert!(one.children.iter().all(|child| sketch.boxes[*child].parent == Some(at)));
    }
}

/// No text of a box is wider than the box, with any font of the stack.
fn texts_fit(one: &Drawn<'_>) {
    let texts =
        one.node.children().filter(|node| node.has_tag_name("text") && node.has_attribute("font-size"));
    for text in texts {
        let weight = if text.attribute("class") == Some("title") { Weight::Bold } else { Weight::Regular };
        let wide =
            width(text.text().unwrap_or(""), text.attribute("font-size").unwrap().parse().unwrap(), weight);
        let (x, y): (i32, i32) =
            (text.attribute("x").unwrap().parse().unwrap(), text.attribute("y").unwrap().parse().unwrap());
        assert!(x >= one.rect.x && x + wide <= one.rect.x + one.rect.w, "{}: {:?}", one.key, text.text());
        assert!(y - 8 >= one.rect.y && y + 2 <= one.rect.y + one.rect.h, "{}: {:?}", one.key, text.text());
    }
}

/// No edge runs over a box that holds none, or over words; and words lie neither on boxes nor on each other.
fn edges_run_free(document: &Document<'_>, boxes: &[Drawn<'_>]) {
    let outer: BTreeSet<&str> = boxes.iter().flat_map(|one| one.within.iter().copied()).collect();
    let leaves: Vec<&Drawn<'_>> = boxes.iter().filter(|one| !outer.contains(one.key)).collect();
    let papers = document.descendants().filter(|node| node.attribute("class") == Some("paper"));
    let words: Vec<Rect> = papers.map(|node| Rect::of(&node)).collect();
    for (at, one) in words.iter().enumerate() {
        assert!(words[at + 1..].iter().all(|other| !one.meets(other)), "words lie on words: {one:?}");
        if let Some(hit) = leaves.iter().find(|leaf| leaf.rect.meets(one)) {
            panic!("words lie on {}", hit.key);
        }
    }
    let edges = document.descendants().filter(|node| node.attribute("class") == Some("edges"));
    let is_edge =
        |node: &Node<'_, '_>| node.attribute("class").is_some_and(|class| class.starts_with("edge "));
    // Straight pieces, with the end of the trunk that each belongs to.
    let mut pieces: Vec<(Rect, [i32; 2])> = Vec::new();
    for path in edges.flat_map(|group| group.descendants()).filter(is_edge) {
        let points: Vec<i32> = numbers(path.attribute("d").unwrap());
        let end = [points[points.len() - 2], points[points.len() - 1]];
        for (from, to) in points.chunks(2).zip(points.chunks(2).skip(1)) {
            let line = Rect {
                x: from[0].min(to[0]),
                y: from[1].min(to[1]),
                w: (from[0] - to[0]).abs().max(1),
                h: (from[1] - to[1]).abs().max(1),
            };
            if let Some(hit) = leaves.iter().find(|leaf| leaf.rect.meets(&line)) {
                panic!("an edge runs over {}: {:?}", hit.key, path.attribute("d"));
            }
            // Verticals; the line that ends at the words runs below them.
            if line.w == 1 || line.h == 1 {
                pieces.push((line, end));
            }
            if line.h > 12 && words.iter().any(|one| one.meets(&line)) {
                panic!("an edge runs over words: {:?}", path.attribute("d"));
            }
        }
    }
    lines_stay_apart(&pieces);
}

/// Lines of different trunks may cross, but not run upon each other.
fn lines_stay_apart(pieces: &[(Rect, [i32; 2])]) {
    for (at, (one, end)) in pieces.iter().enumerate() {
        for (other, _) in pieces[at + 1..].iter().filter(|(_, other)| other != end) {
            let wide = (one.x + one.w).min(other.x + other.w) - one.x.max(other.x);
            let high = (one.y + one.h).min(other.y + other.h) - one.y.max(other.y);
            assert!(wide < 2 || high < 1 || one.w == 1 || other.w == 1, "{one:?} runs upon {other:?}");
            assert!(high < 2 || wide < 1 || one.h == 1 || other.h == 1, "{one:?} runs upon {other:?}");
        }
    }
}

fn numbers(text: &str) -> Vec<i32> {
    let separate = |letter: char| !letter.is_ascii_digit() && letter != '-';
    text.split(separate).filter(|piece| !piece.is_empty()).map(|piece| piece.parse().unwrap()).collect()
}

#[test]
fn graphviz_draws_the_graph() {
    if Command::new("dot").arg("-V").output().is_err() {
        let said = "skipped: graphs by Graphviz: no program `dot` (Debian has it as graphviz)";
        writeln!(std::io::stderr(), "{said}").unwrap();
        return;
    }
    for made in [systems::small(), systems::large()] {
        let mut dot = Command::new("dot")
            .arg("-Tsvg")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        dot.stdin.take().unwrap().write_all(picture::dot(&made).as_bytes()).unwrap();
        let done = dot.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success() && said.is_empty(), "{said}");
        let drawn = String::from_utf8(done.stdout).unwrap();
        let sketch = sketch(&made);
        let frames = sketch.boxes.iter().filter(|one| one.form == Form::Frame).count();
        assert_eq!(drawn.matches("class=\"cluster\"").count(), frames);
    }
}

#[test]
fn every_type_of_the_catalogue_has_a_look() {
    let shared = std::env::var_os("LANDFALL_SHARED")
        .map(std::path::PathBuf::from)
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").into());
    let file = shared.join("azure-types/catalogue.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        writeln!(std::io::stderr(), "skipped: a look for every type: no {}", file.display()).unwrap();
        return;
    };
    let types: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert!(types.len() > 90);
    let missing: Vec<&str> = types
        .iter()
        .filter_map(|one| one["type"].as_str())
        .filter(|one| looks::find(one, None).is_none())
        .collect();
    assert!(missing.is_empty(), "no look for {missing:?}");
}

#[test]
fn a_type_that_no_row_is_about_is_drawn_too() {
    let tree = picture::tree(&systems::large(), Ink::Plain);
    assert!(tree.contains("Maps account  map-talenti-prod"), "{tree}");
    assert!(tree.contains("Shared private link resource: files"), "{tree}");
}

#[test]
fn names_that_xml_and_dot_have_other_uses_for_come_through() {
    let text = picture::svg(&systems::small());
    let document = Document::parse(&text).unwrap();
    let said: Vec<&str> = document.descendants().filter_map(|node| node.text()).collect();
    assert!(said.iter().any(|text| text.contains("<exports> & \"more\"")), "{said:?}");
    assert!(picture::dot(&systems::small()).contains("<exports> & \\\"more\\\""));
}
