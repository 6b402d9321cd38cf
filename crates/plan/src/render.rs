//! A plan on one screen.
//!
//! One line per resource that changes, its properties under it when asked for, then the sums. Signs and words
//! say everything; colour repeats them.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::change::{Action, Cause, Change, Plan, PropertyChange, SECRET, UNKNOWN};

/// How much of a plan is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// One line per resource.
    Resources,
    /// The properties under each.
    Properties,
}

/// The sign and the word of an action.
pub fn sign(action: Action) -> (&'static str, &'static str) {
    match action {
        Action::Create => ("+", "create"),
        Action::Update => ("~", "update"),
        Action::Replace => ("±", "replace"),
        Action::Delete => ("-", "delete"),
        Action::Adopt => ("=", "adopt"),
        Action::None => (" ", "none"),
    }
}

/// The plan as text, one line per resource that changes, then the sums. Ends with a line break.
pub fn render(plan: &Plan, detail: Detail, color: bool) -> String {
    let paint = Paint { color };
    let changing: Vec<&Change> = plan.changes.iter().filter(|c| c.action != Action::None).collect();
    let width =
        |text: fn(&Change) -> &str| changing.iter().map(|c| text(c).chars().count()).max().unwrap_or(0);
    let (address, name) = (width(|c| c.address.as_str()), width(|c| &c.name));
    let mut out = String::new();
    for change in &changing {
        let (sign, word) = sign(change.action);
        let head = paint.paint(style(change.action), &format!("{sign} {word:<7}"));
        let line =
            format!("{:<address$}  {:<name$}  {}", change.address, change.name, remark(change, detail));
        push_line(&mut out, &format!("  {head}  {}", line.trim_end()));
        if detail == Detail::Properties {
            for property in &change.properties {
                push_line(&mut out, &format!("      {}", one(property, change.action, &paint)));
            }
        }
    }
    for deleted in &plan.soft_deleted {
        let until = deleted.purge_at.as_deref().map(|at| format!(" until {at}")).unwrap_or_default();
        let way = match deleted.purge_protected {
            true => "recover it",
            false => "recover or purge it",
        };
        let what =
            format!("{}: the name {} is held{until} by a deleted one; {way}", deleted.address, deleted.name);
        push_line(&mut out, &format!("  {}  {what}", paint.paint(YELLOW, "! blocked")));
    }
    for missing in &plan.missing_secrets {
        let what = format!(
            "{}: {} has no secret `{}`; set it with `landfall secrets set {}`",
            missing.address, missing.vault, missing.secret, missing.secret
        );
        push_line(&mut out, &format!("  {}  {what}", paint.paint(YELLOW, "! missing")));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    push_line(&mut out, &sums(plan));
    out
}

const YELLOW: Style = AnsiColor::Yellow.on_default();

fn style(action: Action) -> Style {
    match action {
        Action::Create => AnsiColor::Green.on_default(),
        Action::Update | Action::Adopt => AnsiColor::Yellow.on_default(),
        Action::Replace | Action::Delete => AnsiColor::Red.on_default(),
        Action::None => Style::new(),
    }
}

struct Paint {
    color: bool,
}

impl Paint {
    fn paint(&self, style: Style, text: &str) -> String {
        match self.color {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }
}

fn push_line(out: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{line}");
}

/// What stands behind a resource: the reason, else what changes in a few words, and whether it is drift.
fn remark(change: &Change, detail: Detail) -> String {
    let drift = (change.cause == Cause::Drift).then(|| "drift".to_owned());
    let data = (change.holds_data && matches!(change.action, Action::Delete | Action::Replace))
        .then(|| "holds data".to_owned());
    let what = match (&change.reason, change.action, detail) {
        (Some(reason), ..) => Some(reason.clone()),
        (None, Action::Update, Detail::Resources) => Some(few(&change.properties)),
        _ => None,
    };
    [data, drift, what].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// The properties by their last words, three at most.
fn few(properties: &[PropertyChange]) -> String {
    let mut last: Vec<&str> = properties.iter().map(|p| last_word(&p.path)).collect();
    last.dedup();
    match last.len() {
        0..=3 => last.join(", "),
        more => format!("{}, {} more", last[..2].join(", "), more - 2),
    }
}

/// `env[LOG_LEVEL].value` of a longer path is `env[LOG_LEVEL]`: the name says more than the word after it.
fn last_word(path: &str) -> &str {
    let path = path.strip_suffix(".value").unwrap_or(path);
    let mut depth = 0usize;
    let dot = path.char_indices().rev().find(|(_, c)| {
        match c {
            ']' => depth += 1,
            '[' => depth = depth.saturating_sub(1),
            _ => {}
        }
        *c == '.' && depth == 0
    });
    dot.map_or(path, |(place, _)| &path[place + 1..])
}

fn one(property: &PropertyChange, action: Action, paint: &Paint) -> String {
    let mut line = match action {
        Action::Create => format!("{}: {}", property.path, text(&property.to)),
        _ => format!("{}: {} → {}", property.path, text(&property.from), text(&property.to)),
    };
    if property.replaces {
        line.push_str(&paint.paint(AnsiColor::Red.on_default(), " (cannot change in place)"));
    }
    if property.cause == Cause::Drift && action != Action::Create {
        line.push_str(&paint.paint(YELLOW, " (drift)"));
    }
    line
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) if text == UNKNOWN || text == SECRET => text.clone(),
        value => value.to_string(),
    }
}

fn sums(plan: &Plan) -> String {
    let summary = plan.summary;
    if plan.is_empty() {
        return "nothing to change".to_owned();
    }
    let counts = [
        (summary.create, "to create"),
        (summary.update, "to update"),
        (summary.replace, "to replace"),
        (summary.delete, "to delete"),
        (summary.adopt, "to adopt"),
        (summary.none, "unchanged"),
    ];
    let parts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    parts.join(", ")
}
