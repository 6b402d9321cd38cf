//! What is wrong with a manifest, and where.

use std::ops::Range;

use serde::Serialize;

/// One problem, at one place.
///
/// It serializes to the form that `--json` prints: `code, severity, message, file, line, column, length, help`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The stable code, such as `LF1003`; [`crate::codes`] has its page.
    pub code: &'static str,
    /// Whether it stops everything.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The file as it was named to [`crate::load`].
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// Length of the underlined text on that line, in characters; at least 1.
    pub length: usize,
    /// What to do about it.
    pub help: Option<String>,
    /// The bytes that are underlined.
    #[serde(skip)]
    pub span: Range<usize>,
    /// What stands below the underlined text; often empty.
    #[serde(skip)]
    pub label: String,
    /// Other places that matter, with what they have to do with it.
    #[serde(skip)]
    pub related: Vec<(Range<usize>, String)>,
}

/// Whether a problem stops everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The manifest cannot be used.
    Error,
    /// It can, but is probably not meant so.
    Warning,
}

/// The problems as text for people: each with its place, the text underlined, and help.
pub fn render(diagnostics: &[Diagnostic], text: &str, color: bool) -> String {
    let _ = (diagnostics, text, color);
    String::new()
}
