//! Bodies against Azure's own type descriptions, the compact form of `Azure/bicep-types-az`: a `catalogue.json` that
//! names types, and files that describe them.
//!
//! At the catalogue's own api-version a body is judged wholly: unknown properties, required ones that are missing,
//! kinds of values, closed lists of values, lengths and limits. At another version only the kinds of the properties
//! that both have are, since lists and limits differ between versions. Names and values compare without case, numbers
//! may come as text, nulls and read-only properties are not judged: all that real clients send and Azure takes.
//! Patterns are not judged.

use std::collections::BTreeMap;
use std::path::Path;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::id::Id;
use super::refusal::Refusal;

/// Deepest body that is judged.
const DEPTH_MAX: usize = 64;
const REQUIRED: u64 = 1;
const READ_ONLY: u64 = 2;

/// Type descriptions read from a folder.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// Type in lower case → (api-version, file, place in the file).
    types: BTreeMap<String, Vec<(String, String, usize)>>,
    /// Types of each file, which refer to each other by place.
    files: BTreeMap<String, Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    r#type: String,
    api_version: String,
    file: String,
    r#ref: String,
}

/// Something wrong with a body.
#[derive(Debug, PartialEq)]
struct Finding {
    path: String,
    message: String,
}

impl Catalogue {
    /// Reads the descriptions in a folder. The one place of this room that reads a disk: at the start, before
    /// anything happens to the world.
    ///
    /// # Errors
    /// A file that is missing or is not what it should be.
    pub fn load(folder: &Path) -> std::io::Result<Catalogue> {
        Catalogue::read(|file| std::fs::read(folder.join(file)))
    }

    /// The same, with files from anywhere.
    ///
    /// # Errors
    /// A file that is missing or is not what it should be.
    pub fn read(file: impl Fn(&str) -> std::io::Result<Vec<u8>>) -> std::io::Result<Catalogue> {
        let entries: Vec<Entry> = serde_json::from_slice(&file("catalogue.json")?)?;
        let mut catalogue = Catalogue::default();
        for entry in entries {
            if !catalogue.files.contains_key(&entry.file) {
                let types = serde_json::from_slice(&file(&entry.file)?)?;
                catalogue.files.insert(entry.file.clone(), types);
            }
            let place = entry.r#ref.trim_start_matches("#/").parse().map_err(std::io::Error::other)?;
            catalogue.types.entry(entry.r#type.to_ascii_lowercase()).or_default().push((
                entry.api_version,
                entry.file,
                place,
            ));
        }
        Ok(catalogue)
    }

    /// Every type, in lower case.
    #[cfg(test)]
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &String> {
        self.types.keys()
    }

    /// The newest api-version of a type.
    #[cfg(test)]
    pub(crate) fn newest(&self, kind: &str) -> Option<String> {
        self.types.get(&kind.to_ascii_lowercase())?.iter().map(|(version, ..)| version.clone()).max()
    }

    /// Refuses a body that Azure's type data refuses; types that are not in the catalogue pass, and so does what a
    /// client was shown and sends back.
    pub(crate) fn check(
        &self,
        id: &Id,
        version: &str,
        body: &Value,
        patch: bool,
        shown: Option<&Value>,
    ) -> Result<(), Refusal> {
        let Some(versions) = self.types.get(&id.kind().to_ascii_lowercase()) else { return Ok(()) };
        let exact = versions.iter().find(|entry| entry.0 == version);
        let Some((_, file, place)) = exact.or(versions.last()) else { return Ok(()) };
        let Some(types) = self.files.get(file) else { return Ok(()) };
        let mut judge = Judge { types, whole: exact.is_some(), patch, shown, findings: Vec::new() };
        let body_type = types.get(*place).and_then(|resource| place_of(&resource["body"]));
        if let Some(body_type) = body_type {
            judge.value(body, body_type, "", 0);
        }
        let mut findings = judge.findings;
        if findings.is_empty() {
            return Ok(());
        }
        let first = findings.remove(0);
        let mut refusal = Refusal::bad(
            "InvalidRequestContent",
            format!(
                "The request content was invalid and could not be deserialized: '{} Path '{}'.'.",
                first.message, first.path
            ),
        )
        .at(first.path);
        refusal.details = findings
            .into_iter()
            .map(|finding| Refusal::bad("InvalidRequestContent", finding.message).at(finding.path))
            .collect();
        Err(refusal)
    }
}

fn place_of(reference: &Value) -> Option<usize> {
    reference["$ref"].as_str()?.trim_start_matches("#/").parse().ok()
}

struct Judge<'a> {
    types: &'a [Value],
    whole: bool,
    patch: bool,
    /// What the resource looks like now.
    shown: Option<&'a Value>,
    findings: Vec<Finding>,
}

impl Judge<'_> {
    fn report(&mut self, path: &str, message: impl Into<String>) {
        self.findings.push(Finding { path: path.to_owned(), message: message.into() });
    }

    fn value(&mut self, value: &Value, place: usize, path: &str, depth: usize) {
        let Some(described) = self.types.get(place).cloned() else { return };
        if value.is_null() || depth > DEPTH_MAX {
            return;
        }
        let wrong = |wanted: &str| format!("A value of kind {wanted} was expected.");
        match described["$type"].as_str().unwrap_or_default() {
            "BooleanType" => {
                let text = value
                    .as_str()
                    .is_some_and(|it| ["true", "false"].contains(&it.to_ascii_lowercase().as_str()));
                if !value.is_boolean() && !text {
                    self.report(path, wrong("boolean"));
                }
            }
            "IntegerType" => match value.as_f64().or_else(|| value.as_str().and_then(|it| it.parse().ok())) {
                None => self.report(path, wrong("number")),
                Some(number) if self.whole => {
                    if described["minValue"].as_f64().is_some_and(|least| number <= least - 1.0) {
                        self.report(
                            path,
                            format!("{number} is below the minimum {}.", described["minValue"]),
                        );
                    }
                    if described["maxValue"].as_f64().is_some_and(|most| number >= most + 1.0) {
                        self.report(
                            path,
                            format!("{number} is above the maximum {}.", described["maxValue"]),
                        );
                    }
                }
                Some(_) => {}
            },
            "StringType" => match value {
                Value::String(text) => {
                    self.length(text.chars().count(), &described, path);
                    self.pattern(text, &described, path);
                }
                Value::Number(_) | Value::Bool(_) => {}
                _ => self.report(path, wrong("string")),
            },
            "StringLiteralType" | "UnionType" => match value.as_str() {
                None => self.report(path, wrong("string")),
                Some(text) => self.one_of(text, &described, path),
            },
            "ArrayType" => match value.as_array() {
                None => self.report(path, wrong("array")),
                Some(list) => {
                    self.length(list.len(), &described, path);
                    let Some(item) = place_of(&described["itemType"]) else { return };
                    for (at, value) in list.iter().enumerate() {
                        self.value(value, item, &format!("{path}[{at}]"), depth + 1);
                    }
                }
            },
            "ObjectType" | "DiscriminatedObjectType" if !value.is_object() => {
                self.report(path, wrong("object"))
            }
            "ObjectType" | "DiscriminatedObjectType" => self.object(value, &described, path, depth),
            _ => {}
        }
    }

    fn length(&mut self, length: usize, described: &Value, path: &str) {
        if !self.whole {
            return;
        }
        if described["minLength"].as_u64().is_some_and(|least| (length as u64) < least) {
            self.report(
                path,
                format!("The length is {length}, at least {} is needed.", described["minLength"]),
            );
        }
        if described["maxLength"].as_u64().is_some_and(|most| length as u64 > most) {
            self.report(
                path,
                format!("The length is {length}, at most {} is allowed.", described["maxLength"]),
            );
        }
    }

    /// Patterns are .NET's; the few with what is not regular (a look ahead or behind) are not judged.
    fn pattern(&mut self, text: &str, described: &Value, path: &str) {
        let Some(pattern) = described["pattern"].as_str().filter(|_| self.whole) else { return };
        let Ok(regular) = Regex::new(pattern) else { return };
        if !regular.is_match(text) {
            self.report(path, format!("'{text}' does not match the pattern '{pattern}'."));
        }
    }

    fn one_of(&mut self, text: &str, described: &Value, path: &str) {
        if !self.whole {
            return;
        }
        let mut allowed = Vec::new();
        match described["elements"].as_array() {
            None => allowed.extend(described["value"].as_str().map(str::to_owned)),
            Some(elements) => {
                for element in elements.iter().filter_map(place_of).filter_map(|place| self.types.get(place))
                {
                    match element["value"].as_str() {
                        Some(value) => allowed.push(value.to_owned()),
                        // a plain text among them: the list is open
                        None => return,
                    }
                }
            }
        }
        if !allowed.iter().any(|value| value.eq_ignore_ascii_case(text)) {
            self.report(path, format!("'{text}' is not one of {}.", allowed.join(", ")));
        }
    }

    /// Whether a value is what was shown at the same place.
    fn echoes(&self, path: &str, value: &Value) -> bool {
        let pointer = format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
        self.shown.and_then(|shown| shown.pointer(&pointer)) == Some(value)
    }

    fn object(&mut self, value: &Value, described: &Value, path: &str, depth: usize) {
        let Some(map) = value.as_object() else { return };
        let mut sealed = self.whole;
        let mut known = match described["discriminator"].as_str() {
            None => described["properties"].as_object().cloned().unwrap_or_default(),
            Some(_) => described["baseProperties"].as_object().cloned().unwrap_or_default(),
        };
        if let Some(discriminator) = described["discriminator"].as_str() {
            let tag = map
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(discriminator))
                .and_then(|(_, it)| it.as_str());
            let variant = tag.and_then(|tag| {
                let elements = described["elements"].as_object()?;
                let (_, reference) = elements.iter().find(|(name, _)| name.eq_ignore_ascii_case(tag))?;
                self.types.get(place_of(reference)?)
            });
            match variant {
                Some(variant) => known.extend(variant["properties"].as_object().cloned().unwrap_or_default()),
                None => {
                    sealed = false;
                    if let (true, Some(tag)) = (self.whole, tag) {
                        let known: Vec<String> = described["elements"]
                            .as_object()
                            .map(|elements| elements.keys().cloned().collect())
                            .unwrap_or_default();
                        let message = format!("'{tag}' is not one of {}.", known.join(", "));
                        self.report(&join(path, discriminator), message);
                    } else if self.whole && !self.patch {
                        let message = format!("The required property '{discriminator}' is missing.");
                        self.report(&join(path, discriminator), message);
                    }
                }
            }
        }
        for (name, property) in &known {
            let flags = property["flags"].as_u64().unwrap_or_default();
            let there = map.iter().any(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null());
            let by_path = path.is_empty() && ["id", "name", "type", "apiVersion"].contains(&name.as_str());
            if self.whole && !self.patch && flags & (REQUIRED | READ_ONLY) == REQUIRED && !there && !by_path {
                self.report(&join(path, name), format!("The required property '{name}' is missing."));
            }
        }
        let extra = place_of(&described["additionalProperties"]);
        for (key, value) in map {
            let here = join(path, key);
            match known.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)) {
                Some((_, property)) => {
                    let read_only = property["flags"].as_u64().unwrap_or_default() & READ_ONLY != 0;
                    if let (false, Some(place)) = (read_only, place_of(&property["type"])) {
                        self.value(value, place, &here, depth + 1);
                    }
                }
                None => match extra {
                    Some(place) => self.value(value, place, &here, depth + 1),
                    None if path.is_empty() && is_envelope(key) => {}
                    None if sealed && !value.is_null() && !self.echoes(&here, value) => {
                        let name = described["name"].as_str().unwrap_or("object");
                        self.report(
                            &here,
                            format!("Could not find member '{key}' on object of type '{name}'."),
                        );
                    }
                    None => {}
                },
            }
        }
    }
}

/// What clients put at the top of any body.
fn is_envelope(key: &str) -> bool {
    ["id", "name", "type", "apiVersion", "etag", "systemData", "managedBy"]
        .iter()
        .any(|it| it.eq_ignore_ascii_case(key))
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn catalogue() -> Catalogue {
        let types = json!([
            {"$type": "ResourceType", "body": {"$ref": "#/1"}},
            {"$type": "ObjectType", "name": "Thing", "properties": {
                "name": {"type": {"$ref": "#/2"}, "flags": 9},
                "properties": {"type": {"$ref": "#/3"}, "flags": 1}}},
            {"$type": "StringType", "maxLength": 3, "pattern": "^[a-z]*$"},
            {"$type": "ObjectType", "name": "ThingProperties", "properties": {
                "size": {"type": {"$ref": "#/4"}, "flags": 1},
                "mode": {"type": {"$ref": "#/5"}, "flags": 0},
                "state": {"type": {"$ref": "#/2"}, "flags": 2},
                "labels": {"type": {"$ref": "#/8"}, "flags": 0}}},
            {"$type": "IntegerType", "minValue": 1, "maxValue": 5},
            {"$type": "UnionType", "elements": [{"$ref": "#/6"}, {"$ref": "#/7"}]},
            {"$type": "StringLiteralType", "value": "Single"},
            {"$type": "StringLiteralType", "value": "Multiple"},
            {"$type": "ArrayType", "itemType": {"$ref": "#/2"}}
        ]);
        let index =
            json!([{"type": "A.B/things", "apiVersion": "2026-01-01", "file": "t.json", "ref": "#/0"}]);
        Catalogue::read(|file| {
            Ok(if file == "t.json" { types.to_string() } else { index.to_string() }.into_bytes())
        })
        .unwrap()
    }

    fn findings(version: &str, body: Value, patch: bool) -> Vec<String> {
        let id = Id::parse("/subscriptions/s/resourceGroups/g/providers/A.B/Things/x").unwrap();
        match catalogue().check(&id, version, &body, patch, None) {
            Ok(()) => Vec::new(),
            Err(refusal) => {
                let first = refusal.target.clone().unwrap().into_string();
                std::iter::once(first)
                    .chain(refusal.details.iter().map(|it| it.target.clone().unwrap().into_string()))
                    .collect()
            }
        }
    }

    #[test]
    fn the_catalogues_own_version_is_judged_wholly() {
        let good =
            json!({"id": "x", "properties": {"size": "3", "mode": "single", "state": 7, "labels": ["abc"]}});
        assert!(findings("2026-01-01", good, false).is_empty());
        let bad = json!({"properties": {"mode": "Two", "labels": ["abcd", 1, {}], "foo": 1, "Size": 9}});
        assert_eq!(
            findings("2026-01-01", bad, false),
            [
                "properties.mode",
                "properties.labels[0]",
                "properties.labels[2]",
                "properties.foo",
                "properties.Size"
            ]
        );
        let odd = json!({"properties": {"size": 1, "labels": ["A"]}});
        assert_eq!(findings("2026-01-01", odd, false), ["properties.labels[0]"]);
        assert_eq!(findings("2026-01-01", json!({"properties": {}}), false), ["properties.size"]);
        assert!(findings("2026-01-01", json!({"properties": {}}), true).is_empty());
    }

    #[test]
    fn other_versions_are_judged_by_kinds_only() {
        let other = json!({"properties": {"mode": "Labels", "foo": 1, "size": 99, "labels": "no list"}});
        assert_eq!(findings("2020-01-01", other, false), ["properties.labels"]);
    }

    #[test]
    fn azures_own_data_takes_what_clients_send_and_refuses_what_is_unknown() {
        let Some(catalogue) = crate::world::testing::catalogue() else { return };
        let id =
            Id::parse("/subscriptions/s/resourceGroups/g/providers/Microsoft.App/containerApps/web").unwrap();
        let mut body = json!({"location": "westeurope", "properties": {
            "environmentId": "/subscriptions/s", "provisioningState": "Succeeded",
            "configuration": {"activeRevisionsMode": "single", "ingress": {"targetPort": "80", "traffic": [{"weight": "20"}]}},
            "template": {"containers": [{"name": "web", "image": "x", "resources": {"cpu": 0.5, "memory": "1Gi"}, "env": null}]}}});
        let check = |body: &Value| {
            catalogue.check(&id, "2026-01-01", body, false, None).map_err(|no| no.target.unwrap_or_default())
        };
        assert_eq!(check(&body), Ok(()));
        body["properties"]["configuration"]["ingres"] = json!({});
        assert_eq!(check(&body), Err("properties.configuration.ingres".into()));
        assert!(
            catalogue.check(&id, "2025-07-01", &body, false, None).is_ok(),
            "another version may know it"
        );
        let shown = body.clone();
        assert!(catalogue.check(&id, "2026-01-01", &body, false, Some(&shown)).is_ok(), "it was shown so");
    }
}
