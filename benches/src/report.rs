//! The table of figures.

use std::fmt::{self, Display, Formatter};

/// What a figure is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted {
    /// Less than this.
    Below(f64),
    /// As much as this, or more.
    AtLeast(f64),
    /// Nothing: it stands beside others.
    Told,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What is measured.
    pub name: &'static str,
    /// `ms`, `MB`, `/s`.
    pub unit: &'static str,
    /// Ours, the median.
    pub ours: f64,
    /// Another program's in the same run, with its name.
    pub peer: Option<(&'static str, f64)>,
    /// What it is to hold.
    pub wanted: Wanted,
}

impl Figure {
    fn holds(&self) -> bool {
        match self.wanted {
            Wanted::Below(limit) => self.ours < limit,
            Wanted::AtLeast(limit) => self.ours >= limit,
            Wanted::Told => true,
        }
    }
}

/// All rows, and what could not be measured.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In the order they were measured.
    pub figures: Vec<Figure>,
    /// What is missing, with the reason.
    pub skipped: Vec<String>,
}

impl Report {
    /// Whether every figure that was measured holds.
    pub fn holds(&self) -> bool {
        self.figures.iter().all(Figure::holds)
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<38} {:>12} {:>24} {:>7} {:>14}", "figure", "ours", "peer", "ratio", "wanted")?;
        for figure in &self.figures {
            let unit = figure.unit;
            let (peer, ratio) = match figure.peer {
                Some((name, value)) => (
                    format!("{value:.2} {unit} {name}"),
                    format!("{:.2}", figure.ours / value.max(f64::EPSILON)),
                ),
                None => ("-".into(), "-".into()),
            };
            let wanted = match figure.wanted {
                Wanted::Below(limit) => format!("< {limit} {unit}"),
                Wanted::AtLeast(limit) => format!(">= {limit} {unit}"),
                Wanted::Told => "-".into(),
            };
            let missed = if figure.holds() { "" } else { "  MISSED" };
            let ours = format!("{:.2} {unit}", figure.ours);
            writeln!(f, "{:<38} {ours:>12} {peer:>24} {ratio:>7} {wanted:>14}{missed}", figure.name)?;
        }
        for skipped in &self.skipped {
            writeln!(f, "skipped: {skipped}")?;
        }
        Ok(())
    }
}

/// The middle of what was measured.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.as_slice() {
        [] => f64::NAN,
        all if all.len() % 2 == 1 => all[middle],
        all => f64::midpoint(all[middle - 1], all[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn a_figure_that_was_missed_is_marked() {
        let row = |ours, wanted| Figure { name: "a", unit: "ms", ours, peer: Some(("nginx", 2.0)), wanted };
        let report = Report {
            figures: vec![row(1.0, Wanted::Below(2.0)), row(1.0, Wanted::AtLeast(2.0))],
            skipped: vec![],
        };
        assert!(!report.holds());
        let text = report.to_string();
        assert_eq!(text.matches("MISSED").count(), 1, "{text}");
        assert!(text.contains("0.50"), "the ratio to the peer: {text}");
        assert!(!row(f64::NAN, Wanted::Below(1.0)).holds(), "nothing measured holds nothing");
    }
}
