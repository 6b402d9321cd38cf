//! The table of fields: all that the manifest can say, once.
//!
//! The parser's checks, the defaults, the JSON Schema and `explain` are all read from here. The rows stand with what
//! they are about (a service, a host, a type of resource, the network, an alert …), and here for the top of the file,
//! environments, and what all resources share. Adding a field is adding a row and its place in the noun, which reads
//! itself from the checked tree.

pub(crate) mod app;
pub(crate) mod environment;
pub(crate) mod resource;

use crate::app::Tier;
use crate::host::{self, HOSTS};
use crate::network;
use crate::resource::KINDS;
use crate::rules::Rule;
use crate::service;
use crate::{budget, recovery, release, standard, usage, watch};

/// One field.
#[derive(Debug)]
pub(crate) struct Field {
    /// Dotted; `*` stands for a name of the user's own, `[]` for any element of a list of tables.
    pub path: &'static str,
    /// The types of resource (for a service's field: the hosts) that have it; [`EVERY`] one when empty.
    pub of: &'static [&'static str],
    pub kind: Type,
    /// Sentences for people.
    pub doc: &'static str,
    pub default: Default,
    /// The Azure properties it sets.
    pub azure: &'static [&'static str],
    /// A value as it would be written.
    pub example: &'static str,
}

/// All types of resource, or all hosts.
pub(crate) const EVERY: &[&str] = &[];

impl Field {
    /// Whether a type of resource or a host has it; when none is known, any that does counts.
    pub fn is_of(&self, kind: Option<&str>) -> bool {
        self.of.is_empty() || kind.is_none_or(|kind| self.of.contains(&kind))
    }
}

/// All of them, each table before its fields.
pub(crate) fn all() -> impl Iterator<Item = &'static Field> + Clone {
    let before = [app::FIELDS, network::fields::FIELDS, service::fields::FIELDS];
    let hosts = HOSTS.iter().map(|kind| kind.fields);
    let kinds = KINDS.iter().map(|kind| kind.fields);
    let watched = [
        watch::insights::FIELDS,
        watch::alert::FIELDS,
        watch::contact::FIELDS,
        budget::FIELDS,
        usage::FIELDS,
        release::FIELDS,
        recovery::FIELDS,
        standard::FIELDS,
    ];
    before
        .into_iter()
        .chain(hosts)
        .chain([resource::FIELDS])
        .chain(kinds)
        .chain(watched)
        .chain([environment::FIELDS])
        .flatten()
}

/// What type of value a field takes.
#[derive(Debug)]
pub(crate) enum Type {
    /// A table whose keys are the fields below this one.
    Table,
    /// A table of the user's own names, each a table with the fields below `.*`.
    Named(&'static Rule),
    /// A table of the user's own names with one type of value.
    Map(&'static Rule, &'static Type),
    /// A list of one type of value.
    List(&'static Type),
    /// One value of a type, or a list of them.
    OneOrMany(&'static Type),
    /// A list of tables with the fields below `[]`.
    Tables,
    /// A text.
    Text(&'static Rule),
    /// A text with `${…}` in it.
    Template,
    /// A text that says when something is so; see [`crate::watch::condition`].
    Condition,
    /// How bad something is: a number from 0 to 4, or its word.
    Severity,
    /// One of a few words, each with its meaning.
    Choice(&'static [(&'static str, &'static str)]),
    /// A whole number.
    Integer { min: i64, max: i64 },
    /// True or false.
    Boolean,
    /// A number of vCPUs.
    Cpu,
    /// An amount of memory with its unit.
    Memory,
    /// Whole days with their unit.
    Days { min: u32, max: u32 },
    /// A share in percent.
    Share,
    /// Whatever JSON can say.
    Json,
}

/// What holds when a field is left out.
#[derive(Debug)]
pub(crate) enum Default {
    /// It cannot be left out.
    Required,
    /// Nothing, which means this.
    Absent(&'static str),
    /// The table is there anyway, with the defaults of its fields, which means this.
    Fields(&'static str),
    /// The same value in every tier, and why.
    Same(&'static str, &'static str),
    /// A value for `dev`, `staging` and `prod`, and why.
    Tiers([&'static str; 3], &'static str),
}

impl Default {
    /// The default of a tier as TOML, with the tier if it differs between tiers, and why.
    pub fn of(&self, tier: Tier) -> Option<(&'static str, Option<Tier>, &'static str)> {
        match self {
            Default::Required | Default::Absent(_) | Default::Fields(_) => None,
            Default::Same(value, why) => Some((value, None, why)),
            Default::Tiers(values, why) => Some((values[tier as usize], Some(tier), why)),
        }
    }
}

/// The fields directly below `path` that `kind`'s type of resource has (all, when no kind is known).
pub(crate) fn below<'a>(path: &'a str, kind: Option<&'a str>) -> impl Iterator<Item = &'static Field> + 'a {
    all().filter(move |field| parent(field.path) == path && field.is_of(kind))
}

/// The field at `path`.
pub(crate) fn at(path: &str, kind: Option<&str>) -> Option<&'static Field> {
    all().find(|f| f.path == path && f.is_of(kind))
}

/// The key that decides which fields an entry of a table of named tables has, and its usual word: a resource's type,
/// a service's host.
pub(crate) fn decides(named: &str) -> Option<(&'static str, Option<&'static str>)> {
    match named {
        "resource" => Some(("type", None)),
        "service" => Some(("host", Some(host::USUAL))),
        _ => None,
    }
}

/// `a.b` of `a.b.c`, and nothing of `a`.
pub(crate) fn parent(path: &str) -> &str {
    path.rfind('.').map_or("", |i| &path[..i])
}

/// `c` of `a.b.c`.
pub(crate) fn last(path: &str) -> &str {
    path.rfind('.').map_or(path, |i| &path[i + 1..])
}

/// `path` with `key` behind it.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Keys of the top level that may stand in an environment's overlay again.
pub(crate) const OVERLAID: &[&str] = &[
    "region",
    "naming",
    "abbreviations",
    "tags",
    "network",
    "service",
    "resource",
    "insights",
    "alert",
    "contact",
    "budget",
    "usage",
    "release",
    "recovery",
    "standard",
    "container-apps",
    "kubernetes",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::diagnostic::{Place, line_starts};
    use crate::service::Access;
    use crate::{resource as types, shape, tree};

    /// The codes that a value of a field gets where it would be written.
    fn codes_of(field: &Field, value: &str) -> Vec<String> {
        let kind = field.of.first().unwrap_or(&"vault");
        let statement = match field.path.split_once("[].") {
            Some((list, key)) => format!("{} = [{{ {key} = {value} }}]", list.replace('*', "xxx")),
            None => format!("{} = {value}", field.path.replace('*', "xxx")),
        };
        let kind = match field.path.starts_with("resource.*.") && last(field.path) != "type" {
            true => format!("resource.xxx.type = \"{kind}\"\n"),
            false => String::new(),
        };
        // A service's field belongs to a host where not all have it.
        let host = match (field.path.starts_with("service.*."), field.of, last(field.path)) {
            (true, [host, ..], key) if key != "host" => format!("service.xxx.host = \"{host}\"\n"),
            _ => String::new(),
        };
        let text = format!("{kind}{host}{statement}\n");
        let lines = line_starts(&text);
        let place = Place { file: "landfall.toml", text: &text, lines: &lines };
        let mut read = tree::read(&place);
        let found = read.diagnostics.into_iter().chain(shape::check(place, &mut read.root));
        found.map(|diagnostic| format!("{text}{}: {}", diagnostic.code, diagnostic.message)).collect()
    }

    #[test]
    fn defaults_and_examples_pass_the_checks_of_their_own_fields() {
        for field in all() {
            let defaults =
                Tier::ALL.iter().filter_map(|tier| field.default.of(*tier)).map(|(value, _, _)| value);
            let examples = Some(field.example).filter(|example| !example.is_empty());
            for value in defaults.chain(examples) {
                assert_eq!(codes_of(field, value), Vec::<String>::new(), "{}", field.path);
            }
        }
    }

    #[test]
    fn values_of_another_type_do_not_pass() {
        for field in all() {
            assert_ne!(codes_of(field, "2026-01-01"), Vec::<String>::new(), "{}", field.path);
        }
    }

    #[test]
    fn every_row_is_reached_and_described() {
        let mut seen = BTreeSet::new();
        for field in all() {
            assert!(seen.insert((field.path, field.of)), "{} stands twice", field.path);
            let parent = parent(field.path);
            let known =
                parent.is_empty() || seen.iter().any(|(path, _)| *path == parent.trim_end_matches("[]"));
            assert!(known, "{} stands before its table", field.path);
            assert!(field.doc.ends_with('.'), "{} has a sentence", field.path);
            let known = |of: &&str| types::of(of).is_some() || host::of(of).is_some();
            assert!(field.of.iter().all(known), "{}", field.path);
            // A table says in its fields what it sets.
            let says =
                !field.azure.is_empty() || !field.example.is_empty() || !matches!(field.kind, Type::Text(_));
            assert!(says, "{}", field.path);
        }
    }

    #[test]
    fn words_are_those_of_the_types() {
        let words = |path: &str| -> Vec<&str> {
            match &at(path, None).unwrap().kind {
                Type::Choice(choices) => choices.iter().map(|(word, _)| *word).collect(),
                kind => panic!("{path} is {kind:?}"),
            }
        };
        assert_eq!(words("resource.*.type"), KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>());
        assert_eq!(words("environment.*.tier"), Tier::ALL.map(Tier::as_str));
        assert_eq!(words("service.*.host"), HOSTS.iter().map(|kind| kind.name).collect::<Vec<_>>());
        assert_eq!(service::fields::access_words().map(|(word, _)| word), Access::ALL.map(Access::as_str));
    }
}
