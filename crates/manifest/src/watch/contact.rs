//! `[contact.NAME]`: who is told, and how.

use serde::{Deserialize, Serialize};

use crate::codes;
use crate::fields::{Default, EVERY, Field, Type};
use crate::rules::{self, Fault, Rule, short};
use crate::sense::{Sense, entries, names};
use crate::suggest;
use crate::tree::{Node, Table};

/// Somebody, or some place, that is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Contact {
    /// Addresses that get a mail.
    pub email: Vec<String>,
    /// Numbers that get a text message: `+49 15112345678`.
    pub sms: Vec<String>,
    /// Numbers that are called.
    pub voice: Vec<String>,
    /// What is called by HTTP: an `https` address, or the name of the secret in the vault that is one.
    pub webhook: Option<String>,
    /// The secret in the vault that is the address of a Slack webhook. Landfall itself writes there.
    pub slack: Option<String>,
    /// The secret in the vault that is the address of a Teams workflow. Landfall itself writes there.
    pub teams: Option<String>,
}

impl Contact {
    /// Whether Azure itself can tell them. Slack and Teams want bodies of their own, which Azure's alerts are not.
    pub fn hears_azure(&self) -> bool {
        !self.email.is_empty() || !self.sms.is_empty() || !self.voice.is_empty() || self.webhook.is_some()
    }

    /// The name of the secret that its webhook's address is; none when the address stands in the manifest.
    pub fn webhook_secret(&self) -> Option<&str> {
        self.webhook.as_deref().filter(|webhook| !webhook.contains("://"))
    }
}

pub(crate) const FIELDS: &[Field] = &[
    Field {
        path: "contact",
        of: EVERY,
        kind: Type::Named(&rules::RESOURCE),
        doc: "Who is told of alerts, of releases and of what is spent, each under a name: `[contact.ops]`.",
        default: Default::Absent("nobody is told; alerts stand in the portal"),
        azure: &[],
        example: "",
    },
    Field {
        path: "contact.*",
        of: EVERY,
        kind: Type::Table,
        doc: "Somebody, or some place, that is told.",
        default: Default::Absent("no such contact"),
        azure: &["Microsoft.Insights/actionGroups"],
        example: "",
    },
    Field {
        path: "contact.*.email",
        of: EVERY,
        kind: Type::List(&Type::Text(&EMAIL)),
        doc: "Addresses that get a mail. Slack and Teams channels have one each.",
        default: Default::Absent("no mail"),
        azure: &["properties.emailReceivers"],
        example: "[\"ops@example.com\"]",
    },
    Field {
        path: "contact.*.sms",
        of: EVERY,
        kind: Type::List(&Type::Text(&PHONE)),
        doc: "Numbers that get a text message, the country's code first.",
        default: Default::Absent("no text message"),
        azure: &["properties.smsReceivers"],
        example: "[\"+49 15112345678\"]",
    },
    Field {
        path: "contact.*.voice",
        of: EVERY,
        kind: Type::List(&Type::Text(&PHONE)),
        doc: "Numbers that are called, the country's code first.",
        default: Default::Absent("no call"),
        azure: &["properties.voiceReceivers"],
        example: "[\"+1 2025550123\"]",
    },
    Field {
        path: "contact.*.webhook",
        of: EVERY,
        kind: Type::Text(&WEBHOOK),
        doc: "What is called by HTTP with Azure's common alert schema, as PagerDuty and Opsgenie take it: the name of \
              the secret in the vault that is the address, or the address itself when there is no secret in it.",
        default: Default::Absent("nothing is called"),
        azure: &["properties.webhookReceivers"],
        example: "\"pagerduty-url\"",
    },
    Field {
        path: "contact.*.slack",
        of: EVERY,
        kind: Type::Text(&SECRET_URL),
        doc: "The name of the secret in the vault that is the address of a Slack webhook. Landfall writes there about \
              releases; Azure's own alerts reach a channel by its `email`.",
        default: Default::Absent("nothing in Slack"),
        azure: &[],
        example: "\"slack-url\"",
    },
    Field {
        path: "contact.*.teams",
        of: EVERY,
        kind: Type::Text(&SECRET_URL),
        doc: "The name of the secret in the vault that is the address of a Teams workflow. Landfall writes there about \
              releases; Azure's own alerts reach a channel by its `email`.",
        default: Default::Absent("nothing in Teams"),
        azure: &[],
        example: "\"teams-url\"",
    },
];

/// A mail address. What Azure takes is what its mails can reach; the form alone is checked.
pub(crate) static EMAIL: Rule = Rule {
    pattern: Some("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$"),
    length: 3..254,
    check: |text| {
        let well_formed = text.split_once('@').is_some_and(|(name, domain)| {
            !name.is_empty()
                && !domain.contains('@')
                && domain.contains('.')
                && !domain.starts_with('.')
                && !domain.ends_with('.')
        });
        if well_formed && !text.chars().any(|c| c.is_whitespace() || c.is_control() || c == ',' || c == ';') {
            return Ok(());
        }
        fault(
            codes::CONTACT,
            format!("`{}` is no mail address", short(text)),
            "such as \"ops@example.com\"; several stand in a list",
        )
    },
};

/// A telephone number. Azure wants the country's code apart, and no rule but a list of all countries could find it.
static PHONE: Rule = Rule {
    pattern: Some("^\\+[1-9][0-9]{0,3} [0-9]{4,14}$"),
    length: 7..20,
    check: |text| {
        let digits = |text: &str, min: usize, max: usize| {
            (min..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
        };
        let parts = text.strip_prefix('+').and_then(|rest| rest.split_once(' '));
        match parts {
            Some((country, number))
                if digits(country, 1, 4) && !country.starts_with('0') && digits(number, 4, 14) =>
            {
                Ok(())
            }
            _ => fault(
                codes::CONTACT,
                "a telephone number is `+`, the country's code, a space and the digits",
                "such as \"+49 15112345678\"",
            ),
        }
    },
};

/// Hosts whose addresses are secrets: who knows one may write there.
const SECRET_HOSTS: &[&str] = &[
    "hooks.slack.com",
    "webhook.office.com",
    "logic.azure.com",
    "powerplatform.com",
    "events.pagerduty.com",
    "api.opsgenie.com",
    "discord.com",
    "azurewebsites.net",
];

/// The address of a webhook, or the name of the secret that is one.
static WEBHOOK: Rule = Rule {
    pattern: None,
    length: 1..1000,
    check: |text| match text.split_once("://") {
        None => (rules::SECRET.check)(text),
        Some((scheme, rest)) => {
            let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default().to_lowercase();
            let known =
                SECRET_HOSTS.iter().any(|secret| host == *secret || host.ends_with(&format!(".{secret}")));
            if known || rest.contains('?') || rest.contains('@') {
                return in_the_manifest();
            }
            match scheme == "https" && host.contains('.') {
                true => Ok(()),
                false => fault(
                    codes::CONTACT,
                    "a webhook is called by `https`",
                    "such as \"https://alerts.example.com/azure\"",
                ),
            }
        }
    },
};

/// The name of the secret that is an address.
static SECRET_URL: Rule = Rule {
    pattern: Some("^[0-9A-Za-z-]{1,127}$"),
    length: 1..1000,
    check: |text| match text.contains("://") {
        true => in_the_manifest(),
        false => (rules::SECRET.check)(text),
    },
};

fn in_the_manifest() -> Result<(), Fault> {
    fault(
        codes::SECRET_WRITTEN,
        "this address is a secret: who knows it may write there",
        "put it into the vault, `landfall secrets set alerts-url`, and write that name here",
    )
}

fn fault(
    code: &'static codes::Code,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Result<(), Fault> {
    Err(Fault { code, message: message.into(), help: Some(help.into()) })
}

/// Reports a name that is no contact's.
pub(crate) fn known(sense: &mut Sense<'_>, node: &Node) {
    let Some(name) = node.text() else { return };
    let there = sense.root.get("contact").and_then(Node::table).is_some_and(|all| all.contains_key(name));
    if there || sense.lost {
        return;
    }
    let help = suggest::or_all(name, names(sense.root, "contact"))
        .unwrap_or_else(|| format!("declare it: `[contact.{}]` with an `email`", short(name)));
    let diagnostic = sense
        .problem(codes::DANGLING, &node.span, format!("there is no contact `{}`", short(name)))
        .help(help);
    sense.report(diagnostic);
}

/// What contacts lack for what they are wanted for.
pub(crate) fn check(sense: &mut Sense<'_>) {
    for (name, node, contact) in entries(sense.root, "contact") {
        if contact.is_empty() {
            sense.missing(
                &node.key,
                format!("nothing tells how `{name}` is reached"),
                "write `email = [\"ops@example.com\"]`",
            );
            continue;
        }
        for (key, most) in [("email", 1000), ("sms", 10), ("voice", 10)] {
            let many = contact.get(key).filter(|node| node.list().is_some_and(|list| list.len() > most));
            if let Some(node) = many {
                let diagnostic = sense
                    .problem(codes::CONTACT, &node.key, format!("Azure tells at most {most} by `{key}`"))
                    .help("make two contacts of it");
                sense.report(diagnostic);
            }
        }
        let deaf = ["email", "sms", "voice", "webhook"].iter().all(|key| !contact.contains_key(*key));
        if let Some(alert) = wanted_by(sense.root, name).filter(|_| deaf && !sense.lost) {
            let diagnostic = sense
                .problem(codes::CONTACT, &node.key, format!("Azure's alerts cannot reach `{name}`"))
                .related(alert, "wanted here")
                .help("Slack and Teams do not take what Azure sends: give the channel's address as `email`");
            sense.report(diagnostic);
        }
    }
}

/// Where an alert names the contact.
fn wanted_by(root: &Table, name: &str) -> Option<std::ops::Range<usize>> {
    let alerts = root.get("alert").and_then(Node::list).unwrap_or_default();
    let mut wanted = alerts.iter().filter_map(|alert| alert.table()?.get("contacts")?.list()).flatten();
    wanted.find(|node| node.text() == Some(name)).map(|node| node.span.clone())
}
