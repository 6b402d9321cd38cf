//! A blueprint as a tree of lines, for the terminal: services first, then the rest by group.

use crate::Blueprint;
use crate::picture::looks::Group;
use crate::picture::sketch::{Boxed, Sketch, What, sketch};

/// How the tree is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Text only.
    Plain,
    /// With the colours of a terminal; they say nothing that the text does not.
    Color,
}

/// Longer lists get a line for each item.
const LINE: usize = 90;

/// The tree, each line ending in a newline.
pub fn tree(blueprint: &Blueprint, ink: Ink) -> String {
    let sketch = sketch(blueprint);
    let writer = Writer { sketch: &sketch, ink };
    let title = writer.bold(&format!("{} {}", sketch.app, sketch.environment));
    let mut text = format!("{title}  {}\n", writer.dim(&format!("{}, {}", sketch.resources(), sketch.place)));
    write(&writer.top(), "", &mut text);
    text
}

/// A line and what hangs below it.
struct Branch {
    text: String,
    below: Vec<Branch>,
}

fn write(branches: &[Branch], indent: &str, text: &mut String) {
    for (at, branch) in branches.iter().enumerate() {
        let last = at + 1 == branches.len();
        let (fork, rail) = if last { ("└── ", "    ") } else { ("├── ", "│   ") };
        text.push_str(&format!("{indent}{fork}{}\n", branch.text));
        write(&branch.below, &format!("{indent}{rail}"), text);
    }
}

struct Writer<'a> {
    sketch: &'a Sketch,
    ink: Ink,
}

impl Writer<'_> {
    fn top(&self) -> Vec<Branch> {
        let boxes = &self.sketch.boxes;
        let mut services: Vec<usize> =
            (0..boxes.len()).filter(|at| boxes[*at].what == What::Service).collect();
        services.sort_by(|a, b| boxes[*a].label.cmp(&boxes[*b].label));
        let mut top: Vec<Branch> = services.iter().map(|at| self.service(*at)).collect();
        for group in Group::ALL {
            let roots = self.sketch.roots.iter().filter(|at| boxes[**at].group == *group);
            let mut below = Vec::new();
            for root in roots {
                match boxes[*root].what {
                    What::Service => {}
                    // Loose ones come under the same heading as the frames of their group.
                    What::Heading => {
                        below.extend(boxes[*root].children.iter().map(|child| self.branch(*child)));
                        below.extend(self.edges(*root));
                    }
                    _ => below.push(self.branch(*root)),
                }
            }
            if !below.is_empty() {
                top.push(Branch { text: self.bold(group.heading()), below });
            }
        }
        top
    }

    fn service(&self, at: usize) -> Branch {
        let one = &self.sketch.boxes[at];
        let mut below: Vec<Branch> = one.children.iter().map(|child| self.branch(*child)).collect();
        if let Some(parent) = one.parent {
            below.push(Branch { text: self.arrow("runs in", parent), below: Vec::new() });
        }
        below.extend(self.edges(at));
        Branch { text: format!("{} {}", self.bold("service"), self.bold(&one.label)), below }
    }

    fn branch(&self, at: usize) -> Branch {
        let one = &self.sketch.boxes[at];
        let mut below: Vec<Branch> =
            one.lists.iter().map(|(heading, items)| self.list(heading, items)).collect();
        let services: Vec<String> = one
            .children
            .iter()
            .map(|child| &self.sketch.boxes[*child])
            .filter(|child| child.what == What::Service)
            .map(|child| child.label.clone())
            .collect();
        if !services.is_empty() {
            below.push(self.list("runs", &services));
        }
        let others = one.children.iter().filter(|child| self.sketch.boxes[**child].what != What::Service);
        below.extend(others.map(|child| self.branch(*child)));
        below.extend(self.edges(at));
        Branch { text: self.title(one), below }
    }

    fn title(&self, one: &Boxed) -> String {
        let mut text = self.colored(one.group, &one.label);
        if !one.part.is_empty() {
            text.push_str(&format!(" {}", self.bold(&one.part)));
        }
        if !one.name.is_empty() {
            text.push_str(&format!("  {}", one.name));
        }
        if !one.facts.is_empty() {
            text.push_str(&format!("  {}", self.dim(&one.facts.join(", "))));
        }
        text
    }

    fn list(&self, heading: &str, items: &[String]) -> Branch {
        let line = items.join(", ");
        let heading = if heading.is_empty() { String::new() } else { format!("{heading}: ") };
        if line.chars().count() <= LINE {
            return Branch { text: format!("{}{line}", self.dim(&heading)), below: Vec::new() };
        }
        let below = items.iter().map(|item| Branch { text: item.clone(), below: Vec::new() }).collect();
        Branch { text: self.dim(&format!("{heading}{}", items.len())), below }
    }

    /// What a box does with others.
    fn edges(&self, at: usize) -> Vec<Branch> {
        let own = self.sketch.edges.iter().filter(|edge| edge.from == at);
        let mut lines: Vec<String> = own
            .map(|edge| self.arrow(if edge.private { "private endpoint of" } else { &edge.words }, edge.to))
            .collect();
        let marks = self.sketch.marks.iter().filter(|mark| mark.from.contains(&at));
        lines.extend(marks.map(|mark| self.arrow(&mark.words, mark.to)));
        lines.into_iter().map(|text| Branch { text, below: Vec::new() }).collect()
    }

    fn arrow(&self, words: &str, to: usize) -> String {
        let to = &self.sketch.boxes[to];
        let name = match to.what {
            What::Service => format!("service {}", to.label),
            What::Resource => format!("{} {}", to.label, to.name),
            What::Heading | What::Count => to.label.clone(),
        };
        format!("{} {name}", self.dim(&format!("{words} →")))
    }

    fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    fn colored(&self, group: Group, text: &str) -> String {
        let color = match group {
            Group::Entry | Group::Network | Group::Names => "35",
            Group::Compute => "34",
            Group::Data | Group::Messaging => "32",
            Group::Ai => "36",
            Group::Supply => "33",
            Group::Monitoring | Group::Governance | Group::Other => "37",
        };
        self.paint(color, text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        match (self.ink, text) {
            (Ink::Plain, _) | (_, "") => text.to_owned(),
            (Ink::Color, text) => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}
