//! Azure Communication Services: calls, chat, text messages, and email with its domain.

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::fields::{Default, Field, Type};
use crate::rules;
use crate::service::Access;

/// A Communication Services resource.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Communication {
    /// Where its data rests; `None`: in the geography of the application's region.
    pub data: Option<Geography>,
    /// The domain that email is sent from: `azure` for one of Azure's own; `None`: no email.
    pub email: Option<String>,
}

/// Where data rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Geography {
    /// Africa.
    Africa,
    /// Asia Pacific.
    AsiaPacific,
    /// Australia.
    Australia,
    /// Brazil.
    Brazil,
    /// Canada.
    Canada,
    /// Europe.
    Europe,
    /// France.
    France,
    /// Germany.
    Germany,
    /// India.
    India,
    /// Japan.
    Japan,
    /// Korea.
    Korea,
    /// Norway.
    Norway,
    /// Switzerland.
    Switzerland,
    /// The United Arab Emirates.
    Uae,
    /// The United Kingdom.
    Uk,
    /// The United States.
    UnitedStates,
}

/// The domain that email is sent from.
static EMAIL: rules::Rule = rules::Rule {
    pattern: None,
    length: 3..253,
    check: |text| if text == "azure" { Ok(()) } else { (rules::DOMAIN.check)(text) },
};

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "communication",
    doc: "Communication Services: calls, chat, text messages, email",
    attributes: &[
        ("name", "its name in Azure"),
        ("id", "its resource id"),
        ("region", "the application's: the service itself is global"),
        ("endpoint", "where it is reached, such as `https://acs-hello.europe.communication.azure.com`"),
    ],
    access: &[(
        Access::Call,
        "use it (Communication and Email Service Owner: Azure has no lesser role that reaches its data)",
    )],
    fields: FIELDS,
    check: |sense, name, node, _| sense.unused(name, node),
};

const FIELDS: &[Field] = &[
    Field {
        path: "resource.*.data",
        of: &["communication"],
        kind: Type::Choice(&[
            ("africa", "Africa"),
            ("asia-pacific", "Asia Pacific"),
            ("australia", "Australia"),
            ("brazil", "Brazil"),
            ("canada", "Canada"),
            ("europe", "Europe"),
            ("france", "France"),
            ("germany", "Germany"),
            ("india", "India"),
            ("japan", "Japan"),
            ("korea", "Korea"),
            ("norway", "Norway"),
            ("switzerland", "Switzerland"),
            ("uae", "the United Arab Emirates"),
            ("uk", "the United Kingdom"),
            ("united-states", "the United States"),
        ]),
        doc: "Where its data rests. Fixed once it exists.",
        default: Default::Absent("in the geography of the application's region"),
        azure: &["properties.dataLocation"],
        example: "\"australia\"",
    },
    Field {
        path: "resource.*.email",
        of: &["communication"],
        kind: Type::Text(&EMAIL),
        doc: "The domain that email is sent from: \"azure\" for one that Azure owns and that sends at once, or one of \
              your own, which sends once its DNS records are there and verified.",
        default: Default::Absent("no email"),
        azure: &["Microsoft.Communication/emailServices/domains", "properties.linkedDomains"],
        example: "\"azure\"",
    },
];
