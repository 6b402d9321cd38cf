//! Files of variables: `.env`, Compose's `env_file`, systemd's `EnvironmentFile`.
//!
//! The usual crates fill `$NAME` in from the environment of the process that reads, which would carry values of this
//! machine into a manifest; here a reference stays what it is.

use std::collections::BTreeMap;

/// One line `NAME=value`.
pub(crate) struct Line {
    pub line: usize,
    pub name: String,
    /// `None` for a name alone, whose value the shell has.
    pub value: Option<String>,
}

/// The variables in the order of the file, and the lines that say nothing.
pub(crate) fn read(text: &str) -> (Vec<Line>, Vec<usize>) {
    let (mut found, mut odd) = (Vec::new(), Vec::new());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let (name, rest) = match line.split_once('=') {
            Some((name, rest)) => (name.trim(), Some(rest.trim_start())),
            None => (line, None),
        };
        if !is_name(name) {
            odd.push(at + 1);
            continue;
        }
        let value = rest.map(|rest| match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let mut whole = rest[1..].to_owned();
                // A quoted value may go over several lines.
                while end_of_quoted(&whole, quote).is_none() {
                    match lines.next() {
                        Some((_, next)) => {
                            whole.push('\n');
                            whole.push_str(next);
                        }
                        None => break,
                    }
                }
                let end = end_of_quoted(&whole, quote).unwrap_or(whole.len());
                if quote == '"' { unescaped(&whole[..end]) } else { whole[..end].to_owned() }
            }
            _ => rest.find(" #").map_or(rest, |at| &rest[..at]).trim_end().to_owned(),
        });
        found.push(Line { line: at + 1, name: name.to_owned(), value });
    }
    (found, odd)
}

/// The values by name; of a name that stands twice the last.
pub(crate) fn values(text: &str) -> BTreeMap<String, String> {
    read(text).0.into_iter().filter_map(|line| Some((line.name, line.value?))).collect()
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

fn end_of_quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        if escaped {
            escaped = false;
            return None;
        }
        escaped = quote == '"' && c == '\\';
        (c == quote).then_some(at)
    })
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            (c, false) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_lines() {
        let text =
            "# c\nexport A=1\nB = two # not this\nC='x # y'\nD=\"a\\nb\"\nE=\"first\nsecond\"\nF\n9x=1\nG=\n";
        let (lines, odd) = read(text);
        let found: Vec<_> = lines.iter().map(|l| (l.line, l.name.as_str(), l.value.as_deref())).collect();
        let expected = [
            (2, "A", Some("1")),
            (3, "B", Some("two")),
            (4, "C", Some("x # y")),
            (5, "D", Some("a\nb")),
            (6, "E", Some("first\nsecond")),
            (8, "F", None),
            (10, "G", Some("")),
        ];
        assert_eq!(found, expected);
        assert_eq!(odd, [9]);
    }
}
