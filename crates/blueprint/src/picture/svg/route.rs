//! How edges run: in the channels between the columns, at right angles.
//!
//! Edges with the same end and words are one trunk: a line from each beginning to a vertical in the channel, and one
//! line from there to the end, where the words stand. A channel has room for its verticals, its words and nothing else,
//! so an edge crosses edges and the borders of frames, but no box and no word.
//!
//! Ports, where edges leave and reach boxes, have heights of their own: leaving ones are divisible by 8, reaching ones
//! are 4 more, so that two lines from both sides of a channel never lie upon each other.

use std::collections::BTreeMap;

use crate::picture::sketch::{Edge, Sketch};
use crate::picture::svg::layout::{Layout, Rect, Room, Side};
use crate::picture::svg::measure::{Weight, width};

/// Between verticals.
const TRACK: i32 = 9;
/// Between a box and the nearest vertical.
const MARGIN: i32 = 14;
/// The size of words.
pub const WORDS: u32 = 10;
/// The length of an arrow's head.
pub const ARROW: i32 = 7;

/// Edges with the same end and words, from the same column.
#[derive(Debug)]
pub struct Trunk {
    /// Where they begin.
    pub from: Vec<usize>,
    /// Where they end.
    pub to: usize,
    /// What they say.
    pub words: String,
    /// Whether they are private endpoints'.
    pub private: bool,
    /// The side of the boxes that they leave.
    out: Side,
    /// The side of the box that they reach.
    into: Side,
}

/// The part of a trunk in one channel.
#[derive(Debug)]
struct Piece {
    trunk: usize,
    /// Heights at the left side of the channel.
    left: Vec<i32>,
    /// Heights at its right side.
    right: Vec<i32>,
    /// The height at which it runs on to another channel.
    lane: Option<i32>,
    /// The place of its vertical.
    x: i32,
}

impl Piece {
    fn heights(&self) -> impl Iterator<Item = i32> {
        self.left.iter().chain(&self.right).copied().chain(self.lane)
    }

    fn span(&self) -> (i32, i32) {
        (self.heights().min().unwrap_or(0), self.heights().max().unwrap_or(0))
    }
}

/// Where an edge leaves or reaches a box.
#[derive(Debug)]
struct Port {
    trunk: usize,
    reaches: bool,
    y: i32,
}

/// A line with its corners, and the trunk it belongs to.
#[derive(Debug)]
pub struct Line {
    /// The trunk.
    pub trunk: usize,
    /// Where it begins.
    pub from: usize,
    /// From its beginning to its end.
    pub points: Vec<(i32, i32)>,
}

/// The words of a trunk.
#[derive(Debug)]
pub struct Words {
    /// The trunk.
    pub trunk: usize,
    /// Their place, with a little room around.
    pub rect: Rect,
}

/// Everything about edges that is drawn.
#[derive(Debug, Default)]
pub struct Routes {
    /// The trunks.
    pub trunks: Vec<Trunk>,
    /// The lines.
    pub lines: Vec<Line>,
    /// The words.
    pub words: Vec<Words>,
    /// The width of the whole.
    pub width: i32,
    /// The height of the whole.
    pub bottom: i32,
}

/// The edges of a sketch as trunks.
struct Trunks {
    list: Vec<Trunk>,
    columns: usize,
}

impl Trunks {
    fn new(edges: &[Edge], layout: &Layout<'_>) -> Trunks {
        let mut list: BTreeMap<(usize, &str, bool, usize), Vec<usize>> = BTreeMap::new();
        for edge in edges {
            let key = (edge.to, edge.words.as_str(), edge.private, layout.column_of[edge.from]);
            list.entry(key).or_default().push(edge.from);
        }
        let columns = layout.columns.len();
        let trunk = |((to, words, private, begins), from): ((usize, &str, bool, usize), Vec<usize>)| {
            let ends = layout.column_of[to];
            let (out, into) = match begins.cmp(&ends) {
                std::cmp::Ordering::Less => (Side::Right, Side::Left),
                std::cmp::Ordering::Greater => (Side::Left, Side::Right),
                // In its own column an edge keeps away from the side where the others run.
                std::cmp::Ordering::Equal if ends + 1 == columns => (Side::Right, Side::Right),
                std::cmp::Ordering::Equal => (Side::Left, Side::Left),
            };
            Trunk { from, to, words: words.to_owned(), private, out, into }
        };
        Trunks { list: list.into_iter().map(trunk).collect(), columns }
    }

    /// The ports of a side of a box, in the order of the trunks.
    fn ports(&self, at: usize, side: Side) -> Vec<Port> {
        let mut ports = Vec::new();
        for (trunk, one) in self.list.iter().enumerate() {
            if one.out == side && one.from.contains(&at) {
                ports.push(Port { trunk, reaches: false, y: 0 });
            }
            if one.into == side && one.to == at {
                ports.push(Port { trunk, reaches: true, y: 0 });
            }
        }
        ports
    }

    /// Half of the height that a port keeps free.
    fn half(&self, port: &Port) -> i32 {
        if port.reaches && !self.list[port.trunk].words.is_empty() { 8 } else { 4 }
    }
}

impl Room for Trunks {
    fn room(&self, at: usize, side: Side) -> i32 {
        let ports = self.ports(at, side);
        match ports.is_empty() {
            true => 0,
            // Each may have to move on to the next height of its kind.
            false => ports.iter().map(|port| 2 * self.half(port) + 4).sum::<i32>() + 12,
        }
    }
}

/// Places boxes and edges.
pub fn route(sketch: &Sketch, layout: &mut Layout<'_>) -> Routes {
    let trunks = Trunks::new(&sketch.edges, layout);
    let nowhere = vec![0; layout.columns.len()];
    layout.place(&nowhere, &trunks);
    for _ in 0..3 {
        arrange(sketch, layout);
        layout.place(&nowhere, &trunks);
    }
    let heights = heights(layout, &trunks);
    let (mut channels, bottom) = channels(layout, &trunks, &heights);
    for pieces in &mut channels {
        order(pieces);
    }
    // Channels take their widths, and the columns their places, from what runs in them.
    let mut x = 0;
    let mut lefts = Vec::new();
    let mut sides = Vec::new();
    for (at, pieces) in channels.iter_mut().enumerate() {
        let words = |side: Side| {
            let reaching = pieces.iter().filter(|piece| {
                let trunk = &trunks.list[piece.trunk];
                trunk.into == side && ends_in(&trunks, layout, piece.trunk, at)
            });
            let widths = reaching.map(|piece| words_width(&trunks.list[piece.trunk]));
            widths.max().unwrap_or(0)
        };
        // What reaches boxes on the left of the channel reaches their right sides.
        let (left, right) = (words(Side::Right), words(Side::Left));
        let tracks = tracks(pieces);
        let begin = x;
        x += left + MARGIN;
        for (piece, track) in pieces.iter_mut().zip(&tracks) {
            piece.x = x + track * TRACK;
        }
        x += tracks.iter().max().map_or(0, |most| most * TRACK) + MARGIN + right;
        if pieces.is_empty() {
            x = begin + if at == 0 || at == layout.columns.len() { 24 } else { 56 };
        } else if at == 0 || at == layout.columns.len() {
            x += 6;
        }
        sides.push((begin, x));
        lefts.push(x);
        x += layout.widths.get(at).copied().unwrap_or(0);
    }
    layout.place(&lefts[..layout.columns.len()], &trunks);
    let mut routes = Routes { width: x, bottom, ..Routes::default() };
    draw(layout, &trunks, &heights, &channels, &sides, &mut routes);
    routes.trunks = trunks.list;
    routes
}

fn words_width(trunk: &Trunk) -> i32 {
    match trunk.words.is_empty() {
        true => 0,
        false => width(&trunk.words, WORDS, Weight::Regular) + 12 + ARROW,
    }
}

/// Whether a trunk reaches its end from this channel.
fn ends_in(trunks: &Trunks, layout: &Layout<'_>, trunk: usize, channel: usize) -> bool {
    let one = &trunks.list[trunk];
    channel_at(layout.column_of[one.to], one.into) == channel
}

/// The channel at a side of a column; channel 0 is left of the first.
fn channel_at(column: usize, side: Side) -> usize {
    match side {
        Side::Left => column,
        Side::Right => column + 1,
    }
}

/// Puts the boxes of a stack in the order of what they are joined to, where their order says nothing.
fn arrange(sketch: &Sketch, layout: &mut Layout<'_>) {
    let middle = |at: usize| layout.rects[at].y + layout.rects[at].h / 2;
    let mut weight: Vec<(i64, i64)> = vec![(0, 0); sketch.boxes.len()];
    for edge in &sketch.edges {
        if layout.column_of[edge.from] != layout.column_of[edge.to] {
            for (one, other) in [(edge.from, edge.to), (edge.to, edge.from)] {
                weight[one].0 += i64::from(middle(other));
                weight[one].1 += 1;
            }
        }
    }
    let last = layout.columns.len() - 1;
    for at in 0..sketch.boxes.len() {
        let children = &layout.children[at];
        // What a reader looks for by name keeps its order: services, subnets.
        let free =
            layout.column_of[at] == last || children.iter().all(|child| sketch.boxes[*child].icon == "PE");
        if !free || children.len() < 2 {
            continue;
        }
        let key = |child: &usize| match weight[*child] {
            // What is joined to nothing stands last.
            (_, 0) => i64::MAX,
            (sum, count) => sum / count,
        };
        let mut children = children.clone();
        children.sort_by_key(key);
        layout.children[at] = children;
    }
}

/// The height of each trunk's port at each box: by trunk, box, and whether it is the end.
type Heights = BTreeMap<(usize, usize, bool), i32>;

fn heights(layout: &Layout<'_>, trunks: &Trunks) -> Heights {
    let middle = |at: usize| layout.rects[at].y + layout.rects[at].h / 2;
    // Toward where a port's line goes.
    let toward = |port: &Port| {
        let trunk = &trunks.list[port.trunk];
        match port.reaches {
            true => trunk.from.iter().map(|at| middle(*at)).sum::<i32>() / trunk.from.len() as i32,
            false => middle(trunk.to),
        }
    };
    let mut heights = Heights::new();
    for at in 0..layout.rects.len() {
        for side in [Side::Left, Side::Right] {
            let mut ports = trunks.ports(at, side);
            if ports.is_empty() {
                continue;
            }
            ports.sort_by_key(|port| (toward(port), port.trunk));
            let (from, to) = layout.zone(at, trunks);
            let stack = |ports: &mut [Port], from: i32| {
                let mut y = from;
                for port in ports.iter_mut() {
                    let half = trunks.half(port);
                    let rest = if port.reaches { 4 } else { 0 };
                    port.y = (y + half - rest + 7).div_euclid(8) * 8 + rest;
                    y = port.y + half;
                }
                y
            };
            let long = stack(&mut ports, 0);
            let start = from + 4 + (to - from - 8 - long).max(0) / 2;
            stack(&mut ports, start);
            for port in ports {
                heights.insert((port.trunk, at, port.reaches), port.y);
            }
        }
    }
    straighten(layout, trunks, &mut heights);
    heights
}

/// Takes small steps out of lines that could as well be straight.
fn straighten(layout: &Layout<'_>, trunks: &Trunks, heights: &mut Heights) {
    for (trunk, one) in trunks.list.iter().enumerate() {
        let [from] = one.from[..] else { continue };
        let (begin, end) = ((trunk, from, false), (trunk, one.to, true));
        let (y, wanted) = (heights[&begin], heights[&end]);
        let next =
            channel_at(layout.column_of[from], one.out) == channel_at(layout.column_of[one.to], one.into);
        if one.out == one.into || !next || y == wanted || (y - wanted).abs() > 12 {
            continue;
        }
        let zone = layout.zone(from, trunks);
        let inside = wanted >= zone.0 + 4 && wanted <= zone.1 - 4;
        // Nobody else's line may be near: not of the same box, and not across the channel.
        let near = heights.iter().any(|((other, _, _), there)| *other != trunk && (there - wanted).abs() < 6);
        if inside && !near {
            heights.insert(begin, wanted);
        }
    }
}

/// What runs in each channel, and how far down the picture goes.
fn channels(layout: &Layout<'_>, trunks: &Trunks, heights: &Heights) -> (Vec<Vec<Piece>>, i32) {
    let mut channels: Vec<Vec<Piece>> = (0..=trunks.columns).map(|_| Vec::new()).collect();
    let mut bottom = layout.bottom();
    for (trunk, one) in trunks.list.iter().enumerate() {
        let begins: Vec<i32> = one.from.iter().map(|from| heights[&(trunk, *from, false)]).collect();
        let end = heights[&(trunk, one.to, true)];
        let first = channel_at(layout.column_of[one.from[0]], one.out);
        let last = channel_at(layout.column_of[one.to], one.into);
        let mut piece = |channel: usize, begins: Vec<i32>, end: Option<i32>, lane: Option<i32>| {
            let (mut left, mut right) = (Vec::new(), Vec::new());
            for (side, heights) in [(one.out, begins), (one.into, end.into_iter().collect())] {
                // What leaves a right side is at the left of the channel.
                match side {
                    Side::Right => left.extend(heights),
                    Side::Left => right.extend(heights),
                }
            }
            channels[channel].push(Piece { trunk, left, right, lane, x: 0 });
        };
        if first == last {
            piece(first, begins, Some(end), None);
        } else {
            bottom += 12;
            piece(first, begins, None, Some(bottom));
            piece(last, Vec::new(), Some(end), Some(bottom));
        }
    }
    (channels, bottom)
}

/// Puts the verticals of a channel in an order in which they cross little.
fn order(pieces: &mut Vec<Piece>) {
    let crossings = |a: &Piece, b: &Piece| {
        let within = |y: i32, (from, to): (i32, i32)| from < y && y < to;
        let right = a.right.iter().filter(|y| within(**y, b.span())).count();
        let left = b.left.iter().filter(|y| within(**y, a.span())).count();
        // Two that face each other across the channel at one height would run upon each other: worse than any crossing.
        let upon = a.right.iter().any(|y| b.left.contains(y));
        right + left + if upon { 1000 } else { 0 }
    };
    pieces.sort_by_key(|piece| (piece.span(), piece.trunk));
    let mut order: Vec<usize> = (0..pieces.len()).collect();
    let cost: Vec<Vec<usize>> =
        pieces.iter().map(|a| pieces.iter().map(|b| crossings(a, b)).collect()).collect();
    // Each in turn is put where it crosses least; a few rounds settle it.
    for _ in 0..8 {
        let before = order.clone();
        for (piece, costs) in cost.iter().enumerate() {
            order.retain(|other| *other != piece);
            let at = |place: usize| -> usize {
                let left: usize = order[..place].iter().map(|other| cost[*other][piece]).sum();
                let right: usize = order[place..].iter().map(|other| costs[*other]).sum();
                left + right
            };
            let best = (0..=order.len()).min_by_key(|place| at(*place)).unwrap_or(0);
            order.insert(best, piece);
        }
        if order == before {
            break;
        }
    }
    let mut unsorted: Vec<Option<Piece>> = std::mem::take(pieces).into_iter().map(Some).collect();
    pieces.extend(order.into_iter().filter_map(|piece| unsorted[piece].take()));
}

/// The track of each vertical: as far left as the order and those beside it allow.
fn tracks(pieces: &[Piece]) -> Vec<i32> {
    let mut tracks: Vec<i32> = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        let (from, to) = piece.span();
        let beside = pieces[..at].iter().zip(&tracks).filter(|(other, _)| {
            let (start, end) = other.span();
            start <= to + 8 && from <= end + 8
        });
        tracks.push(beside.map(|(_, track)| track + 1).max().unwrap_or(0));
    }
    tracks
}

fn draw(
    layout: &Layout<'_>,
    trunks: &Trunks,
    heights: &Heights,
    channels: &[Vec<Piece>],
    sides: &[(i32, i32)],
    routes: &mut Routes,
) {
    let edge = |at: usize, side: Side| match side {
        Side::Left => layout.rects[at].x,
        Side::Right => layout.rects[at].right(),
    };
    for (trunk, one) in trunks.list.iter().enumerate() {
        let end = (edge(one.to, one.into), heights[&(trunk, one.to, true)]);
        // In the order of the way: out of the first channel, into the last.
        let first = channel_at(layout.column_of[one.from[0]], one.out);
        let last = channel_at(layout.column_of[one.to], one.into);
        let find = |channel: usize| channels[channel].iter().find(|piece| piece.trunk == trunk);
        let pieces: Vec<&Piece> = if first == last {
            find(first).into_iter().collect()
        } else {
            find(first).into_iter().chain(find(last)).collect()
        };
        for from in &one.from {
            let start = (edge(*from, one.out), heights[&(trunk, *from, false)]);
            let mut points = vec![start];
            let mut y = start.1;
            for piece in &pieces {
                points.push((piece.x, y));
                y = piece.lane.filter(|lane| *lane != y).unwrap_or(end.1);
                points.push((piece.x, y));
            }
            points.push(end);
            // A line that needs no corner has none.
            if points.iter().all(|point| point.1 == end.1) {
                points = vec![start, end];
            }
            routes.lines.push(Line { trunk, from: *from, points });
        }
        if !one.words.is_empty() {
            let wide = width(&one.words, WORDS, Weight::Regular) + 6;
            // In the channel, however deep in frames the box may lie.
            let (begin, finish) = sides[last];
            let x = match one.into {
                Side::Left => finish - ARROW - 3 - wide,
                Side::Right => begin + ARROW + 3,
            };
            routes.words.push(Words { trunk, rect: Rect { x, y: end.1 - 7, w: wide, h: 14 } });
        }
    }
}
