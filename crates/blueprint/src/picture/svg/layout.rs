//! Where boxes stand: columns of boxes in boxes, each as wide as its column and as high as it has to be.
//!
//! What requests meet first is on the left, what runs and its network in the middle, what that uses on the right.
//! Every frame holds one stack of boxes, so that an edge leaves any box sideways without meeting another.

use crate::picture::looks::Group;
use crate::picture::sketch::{Boxed, Form, Sketch, What};
use crate::picture::svg::measure::{Weight, shorten, width, wrap};

/// Between boxes that stand below each other.
const GAP: i32 = 10;
/// Between the blocks of a column.
const BLOCK_GAP: i32 = 18;
/// Between a frame and what is in it.
const PAD: i32 = 12;
/// A box is at least this wide.
const NARROW: i32 = 210;
/// Names that would make a box wider than this are shortened.
const WIDE: i32 = 340;
/// Between lines of small text.
const LINE: i32 = 15;
/// Where the columns begin, below the title.
pub const TOP: i32 = 72;

/// A rectangle, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rect {
    /// Left.
    pub x: i32,
    /// Top.
    pub y: i32,
    /// Width.
    pub w: i32,
    /// Height.
    pub h: i32,
}

impl Rect {
    /// Right.
    pub fn right(&self) -> i32 {
        self.x + self.w
    }

    /// Bottom.
    pub fn bottom(&self) -> i32 {
        self.y + self.h
    }
}

/// A text in a box, placed from the box's corner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// To the right.
    pub dx: i32,
    /// Down, to the baseline.
    pub dy: i32,
    /// Its class: `title`, `name`, `fact`, `list`.
    pub class: &'static str,
    /// What it says.
    pub text: String,
    /// The size of its letters.
    pub size: u32,
    /// Their weight.
    pub weight: Weight,
}

/// What is written in a box and how high that makes it.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// The texts.
    pub runs: Vec<Run>,
    /// The side of its tile; 0 for none.
    pub tile: i32,
    /// The height of all of it.
    pub height: i32,
}

/// Which side of a box an edge is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The left.
    Left,
    /// The right.
    Right,
}

/// What the layout needs to know of edges: how much room each box's sides take.
pub trait Room {
    /// The height that the ports of a side of a box take.
    fn room(&self, at: usize, side: Side) -> i32;
}

/// The boxes in columns.
pub struct Layout<'a> {
    sketch: &'a Sketch,
    /// The root boxes of each column, from left to right.
    pub columns: Vec<Vec<usize>>,
    /// The column of each box.
    pub column_of: Vec<usize>,
    /// The children of each box in the order in which they stand.
    pub children: Vec<Vec<usize>>,
    /// The width of each column.
    pub widths: Vec<i32>,
    /// Where each box stands.
    pub rects: Vec<Rect>,
    /// What is written in each.
    pub contents: Vec<Content>,
}

impl<'a> Layout<'a> {
    /// Columns and widths; nothing has a place yet.
    pub fn new(sketch: &'a Sketch) -> Layout<'a> {
        let boxes = &sketch.boxes;
        let mut columns: Vec<Vec<usize>> = vec![Vec::new(); 3];
        for root in &sketch.roots {
            columns[column(boxes[*root].group)].push(*root);
        }
        let mut layout = Layout {
            sketch,
            columns: Vec::new(),
            column_of: vec![0; boxes.len()],
            children: boxes.iter().map(|one| one.children.clone()).collect(),
            widths: Vec::new(),
            rects: vec![Rect::default(); boxes.len()],
            contents: vec![Content::default(); boxes.len()],
        };
        // What holds services stands first; the rest keeps the order of its groups.
        columns[1].sort_by_key(|root| {
            let runs = layout.holds(*root, &|one| one.what == What::Service);
            (!runs, boxes[*root].group != Group::Network)
        });
        for at in 0..boxes.len() {
            let mut children = std::mem::take(&mut layout.children[at]);
            children.sort_by_key(|child| layout.rank(*child));
            layout.children[at] = children;
        }
        layout.columns = columns.into_iter().filter(|roots| !roots.is_empty()).collect();
        for (place, roots) in layout.columns.clone().into_iter().enumerate() {
            let wide = roots.iter().map(|root| layout.natural(*root)).max().unwrap_or(NARROW);
            layout.widths.push(wide);
            roots.iter().for_each(|root| layout.spread(*root, place, wide));
        }
        layout
    }

    /// In which order the boxes of a frame stand: ways in, what runs, data, private endpoints, the rest.
    fn rank(&self, at: usize) -> u32 {
        let boxes = &self.sketch.boxes;
        if boxes[at].icon != "SN" {
            return if boxes[at].form == Form::Slip { 9 } else { 5 };
        }
        let has = |wanted: &dyn Fn(&Boxed) -> bool| self.holds(at, wanted);
        match () {
            () if has(&|one| one.form == Form::Card && one.group == Group::Network) => 0,
            () if has(&|one| one.group == Group::Compute) => 1,
            () if has(&|one| one.icon == "PE") => 3,
            () if !boxes[at].children.is_empty() => 2,
            () => 4,
        }
    }

    fn holds(&self, at: usize, wanted: &dyn Fn(&Boxed) -> bool) -> bool {
        let one = &self.sketch.boxes[at];
        wanted(one) || one.children.iter().any(|child| self.holds(*child, wanted))
    }

    /// How wide a box would be by itself.
    fn natural(&self, at: usize) -> i32 {
        let one = &self.sketch.boxes[at];
        let marks = self.marks_width(at);
        let head = match one.form {
            Form::Slip => 34 + width(&slip(one), 11, Weight::Regular) + 12,
            _ => {
                let title = width(&title(one), 13, Weight::Bold) + marks;
                let name = width(&one.name, 11, Weight::Regular);
                46 + title.max(name) + 12
            }
        };
        let inner = one.children.iter().map(|child| self.natural(*child) + 2 * PAD).max().unwrap_or(0);
        head.clamp(NARROW, WIDE).max(inner)
    }

    /// The room that the marks of a box take.
    pub fn marks_width(&self, at: usize) -> i32 {
        let marks = self.sketch.marks.iter().filter(|mark| mark.from.contains(&at));
        marks.map(|mark| width(&mark.words, 10, Weight::Regular) + 18).sum()
    }

    /// Gives a box and all in it their widths and texts.
    fn spread(&mut self, at: usize, place: usize, wide: i32) {
        self.column_of[at] = place;
        self.rects[at].w = wide;
        self.contents[at] = content(&self.sketch.boxes[at], wide, self.marks_width(at));
        for child in self.children[at].clone() {
            self.spread(child, place, wide - 2 * PAD);
        }
    }

    /// Gives every box its height and its place; `lefts` are where the columns begin.
    pub fn place(&mut self, lefts: &[i32], room: &dyn Room) {
        for (roots, left) in self.columns.clone().into_iter().zip(lefts) {
            let mut y = TOP;
            for root in roots {
                y = self.stand(root, *left, y, room) + BLOCK_GAP;
            }
        }
    }

    /// Puts a box at a place and returns where it ends.
    fn stand(&mut self, at: usize, x: i32, y: i32, room: &dyn Room) -> i32 {
        let needed = room.room(at, Side::Left).max(room.room(at, Side::Right));
        let whole = whole_side(&self.sketch.boxes[at]);
        let head = self.contents[at].height;
        let head = if whole { head } else { head.max(needed) };
        let mut below = y + head;
        let children = self.children[at].clone();
        let mut before: Option<Form> = None;
        for child in &children {
            let form = self.sketch.boxes[*child].form;
            // Slips stand closer together.
            below += match before {
                None => 0,
                Some(Form::Slip) if form == Form::Slip => 6,
                Some(_) => GAP,
            };
            below = self.stand(*child, x + PAD, below, room);
            before = Some(form);
        }
        if !children.is_empty() {
            below += PAD;
        }
        let mut height = below - y;
        if whole {
            height = height.max(needed);
        }
        let rect = &mut self.rects[at];
        (rect.x, rect.y, rect.h) = (x, y, height);
        y + height
    }

    /// Where ports may be on a side of a box: from, to.
    pub fn zone(&self, at: usize, room: &dyn Room) -> (i32, i32) {
        let rect = self.rects[at];
        if whole_side(&self.sketch.boxes[at]) {
            return (rect.y, rect.bottom());
        }
        let needed = room.room(at, Side::Left).max(room.room(at, Side::Right));
        (rect.y, rect.y + self.contents[at].height.max(needed))
    }

    /// Where the lowest box ends.
    pub fn bottom(&self) -> i32 {
        self.rects.iter().map(Rect::bottom).max().unwrap_or(TOP)
    }
}

/// Whether ports may be anywhere along a box's side: a frame's only beside its head, lest they meet those of what is in
/// it. What is in a service has none.
fn whole_side(one: &Boxed) -> bool {
    one.form != Form::Frame || one.what == What::Service || one.children.is_empty()
}

fn column(group: Group) -> usize {
    match group {
        // Zones are linked to networks, as names that are known outside lead into them.
        Group::Entry | Group::Names => 0,
        Group::Compute | Group::Network => 1,
        Group::Data
        | Group::Messaging
        | Group::Ai
        | Group::Supply
        | Group::Monitoring
        | Group::Governance
        | Group::Other => 2,
    }
}

fn title(one: &Boxed) -> String {
    match one.part.as_str() {
        "" => one.label.clone(),
        part => format!("{} {part}", one.label),
    }
}

/// The one line of a slip.
fn slip(one: &Boxed) -> String {
    match one.facts.first() {
        Some(fact) => format!("{fact} · {}", one.name),
        None => one.name.clone(),
    }
}

fn content(one: &Boxed, wide: i32, marks: i32) -> Content {
    let mut runs: Vec<Run> = Vec::new();
    let mut run = |dx: i32, dy: i32, class: &'static str, text: &str, size: u32, room: i32| {
        let weight = if class == "title" { Weight::Bold } else { Weight::Regular };
        let text = shorten(text, size, weight, room);
        runs.push(Run { dx, dy, class, text, size, weight });
    };
    if one.form == Form::Slip {
        run(32, 17, "name", &slip(one), 11, wide - 44);
        let mut y = 26;
        list_runs(one, 32, wide - 44, &mut y, &mut run);
        return Content { runs, tile: 16, height: if y > 26 { y + 4 } else { 26 } };
    }
    if matches!(one.what, What::Service | What::Heading) {
        run(12, 20, "title", &title(one), if one.what == What::Service { 13 } else { 12 }, wide - 24 - marks);
        let mut y = 30;
        list_runs(one, 12, wide - 24, &mut y, &mut run);
        return Content { runs, tile: 0, height: y };
    }
    let room = wide - 46 - 12;
    let tile = if one.form == Form::Frame { 24 } else { 28 };
    run(46, 21, "title", &title(one), 13, room - marks);
    let mut y = 21;
    if !one.name.is_empty() {
        y += LINE;
        run(46, y, "name", &one.name, 11, room);
    }
    for line in wrap(&one.facts, " · ", 11, room, 3) {
        y += LINE;
        run(46, y, "fact", &line, 11, room);
    }
    // Below the last baseline, and below the tile.
    y = (y + 4).max(10 + tile);
    let lists = y;
    list_runs(one, 12, wide - 24, &mut y, &mut run);
    let height = y + if y > lists { 6 } else { 8 };
    Content { runs, tile, height: height.max(if one.form == Form::Frame { 44 } else { 46 }) }
}

/// Writes a text: its place, class, words, size, and the room it has.
type Write<'a> = dyn FnMut(i32, i32, &'static str, &str, u32, i32) + 'a;

/// Lists: the heading, then the items in as few lines as they fit.
fn list_runs(one: &Boxed, dx: i32, room: i32, y: &mut i32, run: &mut Write<'_>) {
    const LINES: usize = 3;
    for (heading, items) in &one.lists {
        let heading = if heading.is_empty() { String::new() } else { format!("{heading}: ") };
        let indent = width(&heading, 11, Weight::Regular).min(room / 2);
        if !heading.is_empty() {
            run(dx, *y + LINE - 2, "fact", heading.trim_end(), 11, indent);
        }
        for line in wrap(items, ", ", 11, room - indent, LINES) {
            run(dx + indent, *y + LINE - 2, "list", &line, 11, room - indent);
            *y += LINE;
        }
    }
}
