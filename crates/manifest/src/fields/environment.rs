//! `[environment.NAME]`: what differs.

use super::{Default, EVERY, Field, Type};
use crate::rules;

/// The fields of environments; the tables that may stand in them again are [`super::OVERLAID`].
pub(crate) const FIELDS: &[Field] = &[
    Field {
        path: "environment",
        of: EVERY,
        kind: Type::Named(&rules::ENVIRONMENT),
        doc: "Environments, each under a name: `[environment.prod]`. Without any, there are `dev`, `staging` and \
              `prod`; with some, there are those and `dev`.",
        default: Default::Absent("`dev`, `staging` and `prod`, all as the base says"),
        azure: &[],
        example: "",
    },
    Field {
        path: "environment.*",
        of: EVERY,
        kind: Type::Table,
        doc: "What differs in this environment: `region`, `naming`, `tags`, `service` and `resource` again, merged \
              over the base key by key. Lists and plain values replace the base's.",
        default: Default::Absent("nothing differs"),
        azure: &["tags.landfall-env"],
        example: "",
    },
    Field {
        path: "environment.*.tier",
        of: EVERY,
        kind: Type::Choice(&[
            ("dev", "cheap, and gone when not used"),
            ("staging", "like production, but smaller"),
            ("prod", "carries users: redundant and protected"),
        ]),
        doc: "How careful the defaults are. Required unless the environment's name is that of a tier.",
        default: Default::Absent("the tier of the environment's own name"),
        azure: &[],
        example: "\"prod\"",
    },
    Field {
        path: "environment.*.subscription",
        of: EVERY,
        kind: Type::Text(&rules::SUBSCRIPTION),
        doc: "The id of the Azure subscription it lives in.",
        default: Default::Absent("the subscription that you are signed in to"),
        azure: &["id"],
        example: "\"00000000-0000-0000-0000-000000000000\"",
    },
];
