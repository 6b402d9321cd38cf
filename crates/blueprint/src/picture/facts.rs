//! Facts about a resource, written from its body.

use crate::body::Body;

/// The heading and items of a fact that is a list (`heading: {path[]}`); none when it is no list or has no items.
pub fn list(template: &'static str, body: &Body) -> Option<(&'static str, Vec<String>)> {
    let (heading, path) = is_list(template)?;
    let items: Vec<String> = all(path, body).into_iter().filter_map(plain).collect();
    (!items.is_empty()).then_some((heading, items))
}

fn is_list(template: &'static str) -> Option<(&'static str, &'static str)> {
    let (heading, path) = template.split_once(": {")?;
    Some((heading, path.strip_suffix('}')?))
}

/// The text of a fact (see [`super::looks::Look::facts`]); none when the body lacks what it speaks of.
pub fn fact(template: &'static str, body: &Body) -> Option<String> {
    if is_list(template).is_some() {
        return None;
    }
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (path, after) = after.split_once('}').expect("every `{` of the table is closed");
        text.push_str(before);
        text.push_str(&value(path, body)?);
        rest = after;
    }
    text.push_str(rest);
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn value(path: &str, body: &Body) -> Option<String> {
    if let Some(path) = path.strip_prefix('?') {
        return all(path, body).iter().any(|value| **value == Body::Bool(true)).then(String::new);
    }
    if let Some(path) = path.strip_prefix('#') {
        let count = match all(path, body).first() {
            Some(Body::Array(items)) => items.len(),
            _ => 0,
        };
        return (count > 0).then(|| count.to_string());
    }
    if let Some((from, to)) = path.split_once("..") {
        let (from, to) = (value(from, body)?, value(to, body)?);
        return Some(if from == to { from } else { format!("{from} to {to}") });
    }
    let texts: Vec<String> = all(path, body).into_iter().filter_map(plain).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// The values at a dotted path; `[]` behind a key stands for the items of its list, `*` for any key.
fn all<'a>(path: &str, body: &'a Body) -> Vec<&'a Body> {
    let mut found = vec![body];
    for part in path.split('.') {
        let (key, items) = part.strip_suffix("[]").map_or((part, false), |key| (key, true));
        found = found
            .into_iter()
            .flat_map(|body| match key {
                "*" => body.as_object().into_iter().flat_map(|o| o.iter().map(|(_, v)| v)).collect(),
                key => body.get(key).into_iter().collect::<Vec<_>>(),
            })
            .flat_map(|body| match (items, body) {
                (true, Body::Array(items)) => items.iter().collect(),
                (true, _) => Vec::new(),
                (false, body) => vec![body],
            })
            .collect();
    }
    found
}

fn plain(value: &Body) -> Option<String> {
    match value {
        Body::String(text) if !text.is_empty() => Some(text.clone()),
        Body::Number(number) => Some(number.to_string()),
        Body::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fact_holds_only_with_all_it_speaks_of() {
        let body: Body = json!({
            "sku": {"name": "P1v3", "capacity": 2},
            "zones": true, "open": false,
            "rules": [{"name": "a"}, {"name": "b"}, {"other": 1}],
            "told": {"x": {"at": 50}, "y": {"at": 80}},
        })
        .into();
        for (template, expected) in [
            ("{sku.name} × {sku.capacity}", Some("P1v3 × 2")),
            ("{sku.name} × {sku.size}", None),
            ("{told.x.at..told.y.at} %", Some("50 to 80 %")),
            ("{sku.capacity..sku.capacity} units", Some("2 units")),
            ("{?zones}zone redundant", Some("zone redundant")),
            ("{?open}open", None),
            ("{#rules} rules", Some("3 rules")),
            ("{#sku} things", None),
            ("{rules[].name}", Some("a, b")),
            ("at {told.*.at} %", Some("at 50, 80 %")),
        ] {
            assert_eq!(fact(template, &body).as_deref(), expected, "{template}");
            assert_eq!(list(template, &body), None, "{template}");
        }
        assert_eq!(
            list("rules: {rules[].name}", &body),
            Some(("rules", vec!["a".to_owned(), "b".to_owned()]))
        );
        assert_eq!(fact("rules: {rules[].name}", &body), None);
        assert_eq!(list("none: {sku[].name}", &body), None);
    }
}
