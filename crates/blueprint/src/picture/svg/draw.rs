//! Boxes and edges as XML.

use std::fmt::Write as _;

use crate::picture::looks::Group;
use crate::picture::sketch::{Boxed, Form, Sketch, What};
use crate::picture::svg::layout::{Layout, Rect};
use crate::picture::svg::measure::{FONTS, Weight, width};
use crate::picture::svg::route::{ARROW, Line, Routes, WORDS};

/// The colours of a group: its tile and its edges, on light and on dark ground; its boxes' tint and line likewise.
struct Colors {
    group: Group,
    light: [&'static str; 3],
    dark: [&'static str; 3],
}

/// Strong (tile, edge), tint (frame) and line (border).
#[rustfmt::skip]
const COLORS: &[Colors] = &[
    Colors { group: Group::Entry, light: ["#0e7490", "#eefafd", "#8accdb"], dark: ["#22a6c4", "#0f242b", "#28606f"] },
    Colors { group: Group::Compute, light: ["#1d5fbf", "#f0f5fd", "#9dbce9"], dark: ["#4f8fe8", "#131f33", "#34568c"] },
    Colors { group: Group::Network, light: ["#6d3fc0", "#f7f3fd", "#bfa6e8"], dark: ["#9a74e6", "#1e1830", "#56418a"] },
    Colors { group: Group::Names, light: ["#6d3fc0", "#f7f3fd", "#bfa6e8"], dark: ["#9a74e6", "#1e1830", "#56418a"] },
    Colors { group: Group::Data, light: ["#1a7f45", "#effaf3", "#93cfab"], dark: ["#34b06a", "#10261a", "#2a6643"] },
    Colors { group: Group::Messaging, light: ["#b35309", "#fef6ed", "#e5b98d"], dark: ["#e08a3c", "#2b1c0d", "#7a4f24"] },
    Colors { group: Group::Ai, light: ["#b3256b", "#fdf1f7", "#e3a3c3"], dark: ["#e0609f", "#2c1320", "#7d3658"] },
    Colors { group: Group::Supply, light: ["#8a6100", "#fdf9ea", "#d9c27c"], dark: ["#cf9d2b", "#272009", "#6c561c"] },
    Colors { group: Group::Monitoring, light: ["#4b5563", "#f5f6f8", "#b9c0ca"], dark: ["#8d99ab", "#1b2027", "#4a5463"] },
    Colors { group: Group::Governance, light: ["#4b5563", "#f5f6f8", "#b9c0ca"], dark: ["#8d99ab", "#1b2027", "#4a5463"] },
    Colors { group: Group::Other, light: ["#4b5563", "#f5f6f8", "#b9c0ca"], dark: ["#8d99ab", "#1b2027", "#4a5463"] },
];

/// Writes the document.
pub fn draw(sketch: &Sketch, layout: &Layout<'_>, routes: &Routes) -> String {
    let title = format!("{} {}", sketch.app, sketch.environment);
    let below = format!("{}, {}", sketch.resources(), sketch.place);
    let legend = legend(sketch, routes);
    let legend_width = legend.iter().map(|entry| entry.wide).max().unwrap_or(0);
    let head = width(&title, 18, Weight::Bold).max(width(&below, 12, Weight::Regular));
    let wide = routes.width.max(head.max(legend_width) + 48);
    let legend_top = routes.bottom + 24;
    let high =
        if legend.is_empty() { routes.bottom + 24 } else { legend_top + 22 * legend.len() as i32 + 12 };
    let id = format!("landfall-{}-{}", word(&sketch.app), word(&sketch.environment));

    let mut svg = Xml(String::new());
    svg.line(&format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"landfall\" viewBox=\"0 0 {wide} {high}\" width=\"{wide}\" height=\"{high}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">",
    ));
    svg.line(&format!(
        "<title id=\"{id}-title\">{}</title>",
        escaped(&format!("{title}: resources in Azure"))
    ));
    svg.line(&format!("<desc id=\"{id}-desc\">{}</desc>", escaped(&described(sketch))));
    svg.line(&style());
    svg.line(&format!("<rect class=\"ground\" width=\"{wide}\" height=\"{high}\"/>"));
    svg.line(&format!("<text class=\"head\" x=\"24\" y=\"34\">{}</text>", escaped(&title)));
    svg.line(&format!("<text class=\"place\" x=\"24\" y=\"54\">{}</text>", escaped(&below)));
    for roots in &layout.columns {
        roots.iter().for_each(|root| put(sketch, layout, *root, &mut svg));
    }
    svg.line("<g class=\"edges\">");
    routes.lines.iter().for_each(|line| edge(sketch, routes, line, &mut svg));
    svg.line("</g>");
    for words in &routes.words {
        let trunk = &routes.trunks[words.trunk];
        let Rect { x, y, w, h } = words.rect;
        let group = sketch.boxes[trunk.to].group.word();
        svg.line(&format!(
            "<rect class=\"paper\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"3\"/>"
        ));
        svg.line(&format!(
            "<text class=\"words ink-{group}\" x=\"{}\" y=\"{}\">{}</text>",
            x + w / 2,
            y + h - 4,
            escaped(&trunk.words)
        ));
    }
    for (at, entry) in legend.iter().enumerate() {
        entry.draw(24, legend_top + 22 * at as i32, &mut svg);
    }
    svg.line("</svg>");
    svg.0
}

/// A document being written.
struct Xml(String);

impl Xml {
    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }
}

/// A text as XML takes it; what XML has no form for is left out.
fn escaped(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => made.push_str("&amp;"),
            '<' => made.push_str("&lt;"),
            '>' => made.push_str("&gt;"),
            '"' => made.push_str("&quot;"),
            '\t' | '\n' | '\r' => made.push(' '),
            letter if letter < ' ' || letter == '\u{fffe}' || letter == '\u{ffff}' => {}
            letter => made.push(letter),
        }
    }
    made
}

/// A text as part of an id.
fn word(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect()
}

/// What the picture shows, in a sentence or two, for who cannot see it.
fn described(sketch: &Sketch) -> String {
    let services: Vec<&str> =
        sketch.boxes.iter().filter(|one| one.what == What::Service).map(|one| one.label.as_str()).collect();
    let mut text = format!("{} of {} in {}.", sketch.resources(), sketch.app, sketch.place);
    if !services.is_empty() {
        let _ = write!(text, " Services: {}.", services.join(", "));
    }
    let name = |at: usize| {
        let one = &sketch.boxes[at];
        if one.part.is_empty() { one.label.clone() } else { format!("{} {}", one.label, one.part) }
    };
    for edge in &sketch.edges {
        let words = if edge.private { "is the private endpoint of" } else { &edge.words };
        let _ = write!(text, " {} {words} {}.", name(edge.from), name(edge.to));
    }
    for mark in &sketch.marks {
        let _ = write!(text, " {} boxes: {} to {}.", mark.from.len(), mark.words, name(mark.to));
    }
    text
}

/// Rules for everything, under the picture's own class, so that a page that holds it keeps its own.
fn style() -> String {
    let mut css = String::from("<style>\n");
    let _ = writeln!(css, ".landfall{{font-family:{FONTS}}}");
    css.push_str(
        ".landfall .head{font-size:18px;font-weight:600}\n\
         .landfall .place{font-size:12px}\n\
         .landfall .title{font-weight:600}\n\
         .landfall .tile{font-size:11px;font-weight:600;text-anchor:middle}\n\
         .landfall .small{font-size:8px}\n\
         .landfall .words{font-size:10px;text-anchor:middle}\n\
         .landfall .mark-text{font-size:10px;text-anchor:middle}\n\
         .landfall .edge{fill:none;stroke-width:1.4;stroke-linejoin:round}\n\
         .landfall .private{stroke-dasharray:5 3}\n",
    );
    css.push_str(&theme(false));
    css.push_str("@media (prefers-color-scheme:dark){\n");
    css.push_str(&theme(true));
    css.push_str("}\n</style>");
    css
}

fn theme(dark: bool) -> String {
    let (ground, card, line, strong, weak, tile) = match dark {
        false => ("#ffffff", "#ffffff", "#ccd2da", "#1b212b", "#566070", "#ffffff"),
        // Strong colours are light on dark ground, and what is written on them dark.
        true => ("#0f1318", "#171c23", "#3a434f", "#eceff3", "#a3adbb", "#0f1318"),
    };
    let mut css = String::new();
    let _ = writeln!(css, ".landfall .ground,.landfall .paper{{fill:{ground}}}");
    let _ = writeln!(css, ".landfall .card{{fill:{card};stroke:{line}}}");
    let _ = writeln!(css, ".landfall .head,.landfall .title,.landfall .list{{fill:{strong}}}");
    let _ =
        writeln!(css, ".landfall .place,.landfall .name,.landfall .fact,.landfall .mark-text{{fill:{weak}}}");
    let _ = writeln!(css, ".landfall .tile{{fill:{tile}}}");
    let _ = writeln!(css, ".landfall .mark{{fill:{ground};stroke:{line}}}");
    for Colors { group, light, dark: night } in COLORS {
        let [strong, tint, line] = if dark { night } else { light };
        let word = group.word();
        let _ = writeln!(css, ".landfall .strong-{word}{{fill:{strong}}}");
        let _ = writeln!(css, ".landfall .ink-{word}{{fill:{strong}}}");
        let _ = writeln!(css, ".landfall .edge-{word}{{stroke:{strong}}}");
        let _ = writeln!(css, ".landfall .frame-{word}{{fill:{tint};stroke:{line}}}");
    }
    css
}

fn put(sketch: &Sketch, layout: &Layout<'_>, at: usize, svg: &mut Xml) {
    let one = &sketch.boxes[at];
    let Rect { x, y, w, h } = layout.rects[at];
    let group = one.group.word();
    svg.line(&format!("<g data-box=\"{}\">", escaped(&one.key)));
    svg.line(&format!("<title>{}</title>", escaped(&hint(one))));
    let (class, round, dashed) = match (one.what, one.form) {
        (What::Heading, _) => (format!("frame-{group}"), 8, " stroke=\"none\" style=\"stroke:none\""),
        (What::Service, _) => (format!("card service frame-{group}"), 8, " stroke-width=\"1.5\""),
        (_, Form::Frame) if one.icon == "SN" => (format!("frame-{group}"), 6, " stroke-dasharray=\"4 3\""),
        (_, Form::Frame) => (format!("frame-{group}"), 8, ""),
        _ => ("card".to_owned(), 6, ""),
    };
    svg.line(&format!(
        "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{round}\"{dashed}/>"
    ));
    let content = &layout.contents[at];
    if content.tile > 0 {
        let tile = content.tile;
        let (tile_x, tile_y) = if tile == 16 { (x + 8, y + 5) } else { (x + 10, y + 9) };
        let small = if tile == 16 { " small" } else { "" };
        svg.line(&format!(
            "<rect class=\"strong-{group}\" x=\"{tile_x}\" y=\"{tile_y}\" width=\"{tile}\" height=\"{tile}\" rx=\"4\"/>"
        ));
        svg.line(&format!(
            "<text class=\"tile{small}\" x=\"{}\" y=\"{}\">{}</text>",
            tile_x + tile / 2,
            tile_y + tile / 2 + if tile == 16 { 3 } else { 4 },
            escaped(&one.icon)
        ));
    }
    for run in &content.runs {
        svg.line(&format!(
            "<text class=\"{}\" font-size=\"{}\" x=\"{}\" y=\"{}\">{}</text>",
            run.class,
            run.size,
            x + run.dx,
            y + run.dy,
            escaped(&run.text)
        ));
    }
    let mut right = x + w - 8;
    for mark in sketch.marks.iter().filter(|mark| mark.from.contains(&at)) {
        let wide = width(&mark.words, WORDS, Weight::Regular) + 10;
        pill(right - wide, y + 9, wide, &mark.words, svg);
        right -= wide + 6;
    }
    for child in &layout.children[at] {
        put(sketch, layout, *child, svg);
    }
    svg.line("</g>");
}

/// What is shown when a pointer rests on a box: all of what may have been shortened.
fn hint(one: &Boxed) -> String {
    let kind = match one.what {
        What::Service => format!("Service {}", one.label),
        _ => one.label.clone(),
    };
    let lists = one.lists.iter().map(|(heading, items)| match heading.as_str() {
        "" => items.join(", "),
        heading => format!("{heading}: {}", items.join(", ")),
    });
    let address = one.address.as_ref().map(ToString::to_string).unwrap_or_default();
    let lines = [kind, one.name.clone(), address, one.facts.join(", ")].into_iter().chain(lists);
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

fn pill(x: i32, y: i32, wide: i32, text: &str, svg: &mut Xml) {
    svg.line(&format!("<rect class=\"mark\" x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"15\" rx=\"7\"/>"));
    svg.line(&format!(
        "<text class=\"mark-text\" x=\"{}\" y=\"{}\">{}</text>",
        x + wide / 2,
        y + 11,
        escaped(text)
    ));
}

fn edge(sketch: &Sketch, routes: &Routes, line: &Line, svg: &mut Xml) {
    let trunk = &routes.trunks[line.trunk];
    let group = if trunk.private { "network" } else { sketch.boxes[trunk.to].group.word() };
    let dashed = if trunk.private { " private" } else { "" };
    let name = |at: usize| {
        let one = &sketch.boxes[at];
        if one.name.is_empty() { one.label.clone() } else { format!("{} {}", one.label, one.name) }
    };
    let words = if trunk.private { "private endpoint of" } else { &trunk.words };
    let hint = format!("{} {words} {}", name(line.from), name(trunk.to));
    let end = line.points[line.points.len() - 1];
    let before = line.points[line.points.len() - 2];
    let back = if before.0 < end.0 { -1 } else { 1 };
    let mut points = line.points.clone();
    // The line ends inside the arrow's head.
    if let Some(last) = points.last_mut() {
        last.0 += back * (ARROW - 2);
    }
    svg.line(&format!(
        "<g><title>{}</title><path class=\"edge edge-{group}{dashed}\" d=\"{}\"/><path class=\"strong-{group}\" d=\"M{} {}l{} -4v8z\"/></g>",
        escaped(&hint),
        path(&points),
        end.0,
        end.1,
        back * ARROW,
    ));
}

/// A line with round corners.
fn path(points: &[(i32, i32)]) -> String {
    let mut d = format!("M{} {}", points[0].0, points[0].1);
    for window in points.windows(3) {
        let [before, corner, after] = [window[0], window[1], window[2]];
        let length = |a: (i32, i32), b: (i32, i32)| (a.0 - b.0).abs() + (a.1 - b.1).abs();
        let round = 5.min(length(before, corner) / 2).min(length(corner, after) / 2);
        if round == 0 {
            continue;
        }
        let near = |other: (i32, i32)| {
            (
                corner.0 + (other.0 - corner.0).signum() * round,
                corner.1 + (other.1 - corner.1).signum() * round,
            )
        };
        let (enter, leave) = (near(before), near(after));
        let _ = write!(d, "L{} {}Q{} {} {} {}", enter.0, enter.1, corner.0, corner.1, leave.0, leave.1);
    }
    if let Some(end) = points.last() {
        let _ = write!(d, "L{} {}", end.0, end.1);
    }
    d
}

/// A line of the legend.
struct Entry {
    mark: Option<String>,
    text: String,
    wide: i32,
}

/// What the picture says without words: dashes, and marks.
fn legend(sketch: &Sketch, routes: &Routes) -> Vec<Entry> {
    let entry = |mark: Option<String>, text: String| {
        let sign = mark.as_ref().map_or(36, |mark| width(mark, WORDS, Weight::Regular) + 10);
        let wide = sign + 10 + width(&text, 11, Weight::Regular);
        Entry { mark, text, wide }
    };
    let mut entries = Vec::new();
    if routes.trunks.iter().any(|trunk| trunk.private) {
        entries.push(entry(None, "private endpoint".to_owned()));
    }
    for mark in &sketch.marks {
        let to = &sketch.boxes[mark.to];
        let text = format!("{} of {} boxes to {} {}", mark.words, mark.from.len(), to.label, to.name);
        entries.push(entry(Some(mark.words.clone()), text));
    }
    entries
}

impl Entry {
    fn draw(&self, x: i32, y: i32, svg: &mut Xml) {
        let sign = match &self.mark {
            None => {
                svg.line(&format!(
                    "<path class=\"edge edge-network private\" d=\"M{x} {y}h29\"/><path class=\"strong-network\" d=\"M{} {y}l-{ARROW} -4v8z\"/>",
                    x + 36
                ));
                36
            }
            Some(mark) => {
                let wide = width(mark, WORDS, Weight::Regular) + 10;
                pill(x, y - 7, wide, mark, svg);
                wide
            }
        };
        svg.line(&format!(
            "<text class=\"fact\" font-size=\"11\" x=\"{}\" y=\"{}\">{}</text>",
            x + sign + 10,
            y + 4,
            escaped(&self.text)
        ));
    }
}
