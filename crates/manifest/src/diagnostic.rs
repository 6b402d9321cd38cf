//! What is wrong with a manifest, and where.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

use crate::app::App;
use crate::codes::Code;

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
    /// Length of the underlined text, in characters; at least 1.
    pub length: usize,
    /// What to do about it.
    pub help: Option<String>,
    /// The bytes that are underlined; within one line.
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

impl Diagnostic {
    /// A problem that a later room found with the value at `path` of `app`, underlined where it was written.
    pub fn at(
        app: &App,
        file: &str,
        text: &str,
        path: &str,
        code: &'static Code,
        message: String,
    ) -> Diagnostic {
        let lines = line_starts(text);
        Place { file, text, lines: &lines }.problem(code, app.origins.span(path).unwrap_or(0..0), message)
    }

    /// With what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// With `help`, if there is any.
    pub(crate) fn maybe_help(mut self, help: Option<String>) -> Diagnostic {
        self.help = help;
        self
    }

    /// With a word below the underlined text.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    /// With another place that matters.
    #[must_use]
    pub fn related(mut self, span: Range<usize>, label: impl Into<String>) -> Diagnostic {
        self.related.push((span, label.into()));
        self
    }

    /// Not an error.
    #[must_use]
    pub fn warning(mut self) -> Diagnostic {
        self.severity = Severity::Warning;
        self
    }

    /// Whether it stops everything.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The text that problems are found in.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub file: &'a str,
    pub text: &'a str,
    /// [`line_starts`] of the text, made once: a manifest may have thousands of mistakes.
    pub lines: &'a [usize],
}

/// The byte at which each line begins.
pub(crate) fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect()
}

impl Place<'_> {
    /// A problem at `span`, which is cut to its first line.
    pub fn problem(&self, code: &'static Code, span: Range<usize>, message: String) -> Diagnostic {
        let span = one_line(self.text, span);
        let (line, column) = self.position(span.start);
        Diagnostic {
            code: code.id,
            severity: Severity::Error,
            message,
            file: self.file.to_owned(),
            line,
            column,
            length: self.text[span.clone()].chars().count().max(1),
            help: None,
            span,
            label: String::new(),
            related: Vec::new(),
        }
    }

    /// Line and column, from 1, of a byte; the column counts characters.
    pub fn position(&self, at: usize) -> (usize, usize) {
        let at = floor(self.text, at);
        let line = self.lines.partition_point(|start| *start <= at).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        (line, self.text[start..at].chars().count() + 1)
    }
}

/// `span` within `text`, on character boundaries and within its first line.
fn one_line(text: &str, span: Range<usize>) -> Range<usize> {
    let start = floor(text, span.start);
    let end = floor(text, span.end).max(start);
    let line = text[start..].find(['\n', '\r']).map_or(text.len(), |i| start + i);
    start..end.min(line)
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0)
}

/// The problems as text for people: each with its place, the text underlined, and help.
pub fn render(diagnostics: &[Diagnostic], text: &str, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for diagnostic in diagnostics {
        if !out.is_empty() {
            out.push_str("\n\n");
        }
        out.push_str(&renderer.render(&[report(diagnostic, text)]));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

fn report<'a>(diagnostic: &'a Diagnostic, text: &'a str) -> annotate_snippets::Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(&diagnostic.message).id(diagnostic.code);
    let mut primary = AnnotationKind::Primary.span(one_line(text, diagnostic.span.clone()));
    if !diagnostic.label.is_empty() {
        primary = primary.label(&diagnostic.label);
    }
    let mut snippet = Snippet::source(text).path(&diagnostic.file).annotation(primary);
    for (span, label) in &diagnostic.related {
        snippet = snippet.annotation(AnnotationKind::Context.span(one_line(text, span.clone())).label(label));
    }
    let mut group = title.element(snippet);
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    group
}
