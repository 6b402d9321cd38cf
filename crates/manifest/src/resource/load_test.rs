//! Azure Load Testing.

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::fields::{Default, Field, Type};
use crate::rules;

/// A resource that load tests run in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct LoadTest {
    /// What is tested, in words.
    pub description: Option<String>,
}

/// A description.
static DESCRIPTION: rules::Rule = rules::Rule { pattern: None, length: 0..512, check: |_| Ok(()) };

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "load-test",
    doc: "a place where load tests run (Azure Load Testing)",
    attributes: &[("name", "its name in Azure"), ("id", "its resource id"), ("region", "where it is")],
    // People and pipelines run tests; an application does not.
    access: &[],
    fields: FIELDS,
    check: super::nothing,
};

const FIELDS: &[Field] = &[Field {
    path: "resource.*.description",
    of: &["load-test"],
    kind: Type::Text(&DESCRIPTION),
    doc: "What is tested, in words.",
    default: Default::Absent("no description"),
    azure: &["properties.description"],
    example: "\"the API under the load of a Monday morning\"",
}];
