//! `[resource.NAME]`: what all types of resources share. Each type's own fields stand with the type, in
//! [`crate::resource`].

use super::{Default, EVERY, Field, Type};
use crate::resource::WORDS;
use crate::rules;

/// The fields of every resource.
pub(crate) const FIELDS: &[Field] = &[
    Field {
        path: "resource",
        of: EVERY,
        kind: Type::Named(&rules::RESOURCE),
        doc: "What is used, each under a name: `[resource.store]`.",
        default: Default::Absent(
            "only what Landfall makes by itself: a vault, and a registry if something is built",
        ),
        azure: &[],
        example: "",
    },
    Field {
        path: "resource.*",
        of: EVERY,
        kind: Type::Table,
        doc: "A resource: something that services use.",
        default: Default::Absent("no such resource"),
        azure: &[],
        example: "",
    },
    Field {
        path: "resource.*.type",
        of: EVERY,
        kind: Type::Choice(&WORDS),
        doc: "What it is.",
        default: Default::Required,
        azure: &[],
        example: "\"storage\"",
    },
    Field {
        path: "resource.*.body",
        of: EVERY,
        kind: Type::Json,
        doc: "Anything else, in Azure's own words: merged over the body that Landfall sends.",
        default: Default::Absent("the body is Landfall's"),
        azure: &["properties", "sku", "kind"],
        example: "{ properties = { publicNetworkAccess = \"Disabled\" } }",
    },
];
