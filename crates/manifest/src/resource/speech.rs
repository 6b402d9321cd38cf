//! Azure AI Speech.

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::fields::{Default, Field, Type};
use crate::service::Access;

/// An Azure AI Speech account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Speech {
    /// Where it is, when not where the application is.
    pub region: Option<String>,
    /// Free or paid for.
    pub sku: SpeechSku,
}

/// Free or paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SpeechSku {
    /// Five hours a month; one in a subscription.
    Free,
    /// By the hour of audio.
    Standard,
}

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "speech",
    doc: "an Azure AI Speech account",
    attributes: &[
        ("name", "its name in Azure"),
        ("id", "its resource id"),
        ("region", "where it is"),
        ("endpoint", "where it is asked, such as `https://spch-hello.cognitiveservices.azure.com/`"),
    ],
    access: &[(Access::Call, "recognise and synthesise speech (Cognitive Services Speech User)")],
    fields: FIELDS,
    check: |sense, name, node, _| sense.unused(name, node),
};

const FIELDS: &[Field] = &[Field {
    path: "resource.*.sku",
    of: &["speech"],
    kind: Type::Choice(&[
        ("free", "five hours of audio a month; one in a subscription"),
        ("standard", "paid for by the hour of audio"),
    ]),
    doc: "Free or paid for.",
    default: Default::Same(
        "\"standard\"",
        "costs nothing while nobody speaks; a subscription has one free account",
    ),
    azure: &["sku.name"],
    example: "\"free\"",
}];
