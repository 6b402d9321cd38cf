//! `${NAME}` in Compose's texts.

use std::collections::BTreeMap;

use crate::secret;

/// Deepest nesting of defaults: `${A:-${B:-c}}` has two.
const DEPTH_MAX: usize = 8;

/// A text with its variables filled in.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filled {
    pub text: String,
    /// Names that have no value.
    pub missing: Vec<String>,
    /// Whether a secret went into it, or would have.
    pub is_secret: bool,
}

/// Fills in what `values` has; `$$` is a dollar.
pub(super) fn fill(text: &str, values: &BTreeMap<String, String>) -> Filled {
    let mut filled = Filled::default();
    fill_into(text, values, &mut filled, 0);
    filled
}

fn fill_into(text: &str, values: &BTreeMap<String, String>, filled: &mut Filled, depth: usize) {
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        filled.text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(tail) = rest.strip_prefix('$') {
            filled.text.push('$');
            rest = tail;
        } else if let Some(inner) = rest.strip_prefix('{') {
            let Some(end) = closing(inner) else {
                filled.text.push_str("${");
                rest = inner;
                continue;
            };
            braced(&inner[..end], values, filled, depth);
            rest = &inner[end + 1..];
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            if end == 0 || rest.starts_with(|c: char| c.is_ascii_digit()) {
                filled.text.push('$');
            } else {
                put(&rest[..end], values.get(&rest[..end]).map(String::as_str), filled);
                rest = &rest[end..];
            }
        }
    }
    filled.text.push_str(rest);
}

/// What stands between the braces: a name, and perhaps what holds without it.
fn braced(inner: &str, values: &BTreeMap<String, String>, filled: &mut Filled, depth: usize) {
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (name, operator) = inner.split_at(end);
    let (needs_text, operator) = match operator.strip_prefix(':') {
        Some(operator) => (true, operator),
        None => (false, operator),
    };
    let value = values.get(name).filter(|value| !needs_text || !value.is_empty());
    match (operator.chars().next(), value) {
        (Some('-'), None) if depth < DEPTH_MAX => {
            // A secret's default is a secret too: it is what a developer's machine runs with.
            filled.is_secret |= secret::is_name(name) && operator.len() > 1;
            fill_into(&operator[1..], values, filled, depth + 1);
        }
        (Some('+'), Some(_)) if depth < DEPTH_MAX => fill_into(&operator[1..], values, filled, depth + 1),
        (Some('+'), None) => {}
        (_, value) => put(name, value.map(String::as_str), filled),
    }
}

fn put(name: &str, value: Option<&str>, filled: &mut Filled) {
    filled.is_secret |= match value {
        Some(value) => secret::is_secret(name, value),
        None => secret::is_name(name),
    };
    match value {
        Some(value) => filled.text.push_str(value),
        None if !filled.missing.iter().any(|known| known == name) => filled.missing.push(name.to_owned()),
        None => {}
    }
}

/// Where the brace is closed that stands before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let values = [("A", "one"), ("E", ""), ("DB_PASSWORD", "hunter2")];
        let values: BTreeMap<String, String> = values.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let text = |text: &str| fill(text, &values).text;
        assert_eq!(text("$A-${A}-$$A"), "one-one-$A");
        assert_eq!(text("${E:-x}${E-y}${N:-${M:-z}}"), "xz");
        assert_eq!(text("${A:+set}${N:+set}"), "set");
        assert_eq!(text("100$ $1 ${"), "100$ $1 ${");
        assert_eq!(fill("${N}${N} ${M:?no}", &values).missing, ["N", "M"]);
        assert!(fill("x:${DB_PASSWORD}@y", &values).is_secret);
        assert!(fill("${API_TOKEN:-dev}", &values).is_secret);
        assert!(!fill("${A}", &values).is_secret);
    }
}
