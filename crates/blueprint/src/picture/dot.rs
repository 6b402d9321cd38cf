//! A blueprint as a graph in Graphviz's DOT language, frames as clusters.

use std::fmt::Write as _;

use crate::Blueprint;
use crate::picture::looks::Group;
use crate::picture::sketch::{Form, Sketch, What, sketch};

/// The graph; `dot -Tsvg` draws it.
pub fn dot(blueprint: &Blueprint) -> String {
    let sketch = sketch(blueprint);
    let mut text = String::new();
    let title = format!("{} {}", sketch.app, sketch.environment);
    let below = format!("{}, {}", sketch.resources(), sketch.place);
    let mut line = |text_line: String| {
        text.push_str(&text_line);
        text.push('\n');
    };
    line(format!("digraph {} {{", quoted(&title)));
    line("  // Edges may end at clusters.".to_owned());
    line("  graph [compound=true, rankdir=LR, fontname=\"Helvetica\", fontsize=11, nodesep=0.25, ranksep=1.2];".to_owned());
    line("  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=10];".to_owned());
    line("  edge [fontname=\"Helvetica\", fontsize=9, color=\"#5b6472\", fontcolor=\"#3b424d\"];".to_owned());
    // What too many have for edges is said by words in their boxes, and to whom once.
    let marks = sketch.marks.iter().map(|mark| {
        let to = &sketch.boxes[mark.to];
        format!("{}: to {} {}", mark.words, to.label, to.name)
    });
    let lines: Vec<String> = [title, below].into_iter().chain(marks).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    line(format!("  label={}; labelloc=t; labeljust=l;", label(&lines)));
    for root in &sketch.roots {
        put(&sketch, *root, 1, &mut text);
    }
    for edge in &sketch.edges {
        let mut attributes = Vec::new();
        if !edge.words.is_empty() {
            attributes.push(format!("label={}", quoted(&edge.words)));
        }
        if edge.private {
            attributes.push("style=dashed".to_owned());
            attributes.push(format!("tooltip={}", quoted("private endpoint")));
        }
        join(&sketch, edge.from, edge.to, attributes, &mut text);
    }
    text.push_str("}\n");
    text
}

fn put(sketch: &Sketch, at: usize, depth: usize, text: &mut String) {
    let one = &sketch.boxes[at];
    let indent = "  ".repeat(depth);
    if one.form != Form::Frame {
        let (fill, line) = colors(one.group);
        let name = quoted(&one.key);
        let said = said(sketch, at);
        writeln!(text, "{indent}{name} [label={said}, fillcolor=\"{fill}\", color=\"{line}\"];")
            .expect("a string takes text");
        return;
    }
    let (_, line) = colors(one.group);
    let style = match one.what {
        What::Heading => "rounded,dashed",
        _ => "rounded",
    };
    writeln!(text, "{indent}subgraph {} {{", quoted(&format!("cluster {}", one.key)))
        .expect("a string takes text");
    writeln!(text, "{indent}  label={}; labeljust=l; style=\"{style}\"; color=\"{line}\";", said(sketch, at))
        .expect("a string takes text");
    if anchor(sketch, at) == Anchor::Own {
        writeln!(text, "{indent}  {} [shape=point, style=invis];", quoted(&one.key))
            .expect("a string takes text");
    }
    for child in &one.children {
        put(sketch, *child, depth + 1, text);
    }
    writeln!(text, "{indent}}}").expect("a string takes text");
}

/// What an edge of a box is tied to: Graphviz knows edges between nodes only.
#[derive(Debug, PartialEq, Eq)]
enum Anchor {
    /// A node of the box's own; in a cluster an invisible one.
    Own,
    /// The first node in the cluster.
    In(usize),
}

fn anchor(sketch: &Sketch, at: usize) -> Anchor {
    let one = &sketch.boxes[at];
    if one.form != Form::Frame {
        return Anchor::Own;
    }
    let first = one.children.iter().find(|child| sketch.boxes[**child].form != Form::Frame);
    first.map_or(Anchor::Own, |child| Anchor::In(*child))
}

fn join(sketch: &Sketch, from: usize, to: usize, mut attributes: Vec<String>, text: &mut String) {
    let mut end = |at: usize, attribute: &str| {
        let one = &sketch.boxes[at];
        if one.form == Form::Frame {
            attributes.push(format!("{attribute}={}", quoted(&format!("cluster {}", one.key))));
        }
        match anchor(sketch, at) {
            Anchor::Own => quoted(&one.key),
            Anchor::In(child) => quoted(&sketch.boxes[child].key),
        }
    };
    let (from, to) = (end(from, "ltail"), end(to, "lhead"));
    writeln!(text, "  {from} -> {to} [{}];", attributes.join(", ")).expect("a string takes text");
}

/// A box's label: what it is, its name, facts and lists, a line each.
fn said(sketch: &Sketch, at: usize) -> String {
    let one = &sketch.boxes[at];
    let head = match one.what {
        What::Service => format!("service {}", one.label),
        _ if one.part.is_empty() => one.label.clone(),
        _ => format!("{} {}", one.label, one.part),
    };
    let facts = one.facts.join(", ");
    let lists = one.lists.iter().map(|(heading, items)| {
        let heading = if heading.is_empty() { String::new() } else { format!("{heading}: ") };
        let more = items.len().saturating_sub(4);
        let shown = items[..items.len() - more].join(", ");
        if more == 0 { format!("{heading}{shown}") } else { format!("{heading}{shown} and {more} more") }
    });
    let marks = sketch.marks.iter().filter(|mark| mark.from.contains(&at)).map(|mark| mark.words.clone());
    let lines: Vec<String> = [head, one.name.clone(), facts]
        .into_iter()
        .chain(lists)
        .chain(marks)
        .filter(|line| !line.is_empty())
        .collect();
    label(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Lines set to the left.
fn label(lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("{}\\l", escaped(line))).collect();
    format!("\"{lines}\"")
}

/// A text as DOT takes it; a backslash would begin an escape.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ")
}

/// The fill and the line of a group's boxes.
fn colors(group: Group) -> (&'static str, &'static str) {
    match group {
        Group::Entry => ("#e3f6fb", "#0e7490"),
        Group::Compute => ("#e6effc", "#1d5fbf"),
        Group::Network | Group::Names => ("#efe9fb", "#6d3fc0"),
        Group::Data => ("#e4f5ea", "#1a7f45"),
        Group::Messaging => ("#fdeedd", "#b35309"),
        Group::Ai => ("#fce8f1", "#b3256b"),
        Group::Supply => ("#fdf5d3", "#8a6100"),
        Group::Monitoring | Group::Governance | Group::Other => ("#eef0f3", "#4b5563"),
    }
}
