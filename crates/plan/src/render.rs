//! A plan on one screen.
use crate::Plan;

/// How much of a plan is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// One line per resource.
    Resources,
    /// The properties under each.
    Properties,
}

/// The plan as text, one line per resource that changes, then the sums. Ends with a line break.
pub fn render(plan: &Plan, detail: Detail, color: bool) -> String {
    let _ = (plan, detail, color);
    String::new()
}
