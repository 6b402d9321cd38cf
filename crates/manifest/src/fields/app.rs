//! The top of the manifest: what the application is called and where it lives.

use super::{Default, EVERY, Field, Type};
use crate::rules;

/// The keys before the first table.
pub(crate) const FIELDS: &[Field] = &[
    Field {
        path: "app",
        of: EVERY,
        kind: Type::Text(&rules::APP),
        doc: "The application's name. It is part of the name of every Azure resource.",
        default: Default::Required,
        azure: &["name", "tags.landfall-app"],
        example: "\"hello\"",
    },
    Field {
        path: "region",
        of: EVERY,
        kind: Type::Text(&rules::REGION),
        doc: "Where everything runs: Azure's name of a region.",
        default: Default::Required,
        azure: &["location"],
        example: "\"westeurope\"",
    },
    Field {
        path: "naming",
        of: EVERY,
        kind: Type::Text(&rules::NAMING),
        doc: "The pattern of Azure names. Names that must be short, globally unique or without hyphens are derived \
              from it and stay the same on every run.",
        default: Default::Same(
            "\"{type}-{app}-{env}-{region}\"",
            "a name tells what a thing is, whose it is and where",
        ),
        azure: &["name"],
        example: "\"{type}-{app}-{env}-{region}\"",
    },
    Field {
        path: "abbreviations",
        of: EVERY,
        kind: Type::Map(&rules::ABBREVIATION, &Type::Text(&rules::ABBREVIATION)),
        doc: "What stands for `{type}` in names where it is not to be Azure's usual abbreviation, by that one.",
        default: Default::Absent("Azure's usual abbreviations, such as `rg`, `kv` and `ca`"),
        azure: &["name"],
        example: "{ log = \"law\", cr = \"acr\" }",
    },
    Field {
        path: "tags",
        of: EVERY,
        kind: Type::Map(&rules::TAG_NAME, &Type::Text(&rules::TAG_VALUE)),
        doc: "Tags of every Azure resource, besides Landfall's own `landfall-app` and `landfall-env`.",
        default: Default::Absent("only Landfall's own tags"),
        azure: &["tags"],
        example: "{ team = \"payments\", \"cost-centre\" = \"4711\" }",
    },
];
