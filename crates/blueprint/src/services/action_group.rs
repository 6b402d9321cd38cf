//! Action groups: who Azure tells, and how. One per contact that Azure can reach.

use landfall_manifest::Contact;

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::services::{Draft, set};

/// The address of a contact's group.
pub fn address(contact: &str) -> Address {
    Address::new("actionGroup", contact)
}

/// The groups of the contacts that are named, or of all when none is.
pub(super) fn of(draft: &Draft<'_>, contacts: &[String]) -> Vec<Body> {
    let wanted =
        draft.app.contacts.iter().filter(|(name, contact)| {
            contact.hears_azure() && (contacts.is_empty() || contacts.contains(name))
        });
    wanted.map(|(name, _)| Expression::id(&address(name)).into()).collect()
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, contact) in draft.app.contacts.iter().filter(|(_, contact)| contact.hears_azure()) {
        let azure = draft.name(&name::ACTION_GROUP, Some(name));
        let mut group = draft.in_group(
            address(name),
            "Microsoft.Insights/actionGroups",
            "2023-01-01",
            azure,
            format!("contact.{name}"),
        );
        group.location = Some("global".to_owned());
        set(&mut group, "location", "global".into());
        set(&mut group, "properties", properties(draft, name, contact));
        draft.push(group);
    }
}

/// Longest short name, which text messages begin with.
const SHORT_MAX: usize = 12;

fn properties(draft: &Draft<'_>, name: &str, contact: &Contact) -> Body {
    let numbered = |kind: &str, place: usize| Body::from(format!("{kind}-{}", place + 1));
    let mails = contact.email.iter().enumerate().map(|(place, mail)| {
        object([
            ("name", numbered("email", place)),
            ("emailAddress", mail.as_str().into()),
            ("useCommonAlertSchema", true.into()),
        ])
    });
    let phones = |kind: &'static str, numbers: &[String]| -> Vec<Body> {
        let phone = |(place, number): (usize, &String)| {
            let (country, rest) = number.trim_start_matches('+').split_once(' ').unwrap_or(("", number));
            object([
                ("name", numbered(kind, place)),
                ("countryCode", country.into()),
                ("phoneNumber", rest.into()),
            ])
        };
        numbers.iter().enumerate().map(phone).collect()
    };
    let webhook = contact.webhook.as_ref().map(|webhook| {
        let address = match contact.webhook_secret() {
            Some(secret) => {
                Expression::SecretValue { vault: draft.vault.clone(), secret: secret.to_owned() }.into()
            }
            None => Body::from(webhook.as_str()),
        };
        object([("name", "webhook-1".into()), ("serviceUri", address), ("useCommonAlertSchema", true.into())])
    });
    let short: String = name.chars().take(SHORT_MAX).collect();
    object([
        ("groupShortName", short.trim_end_matches('-').into()),
        ("enabled", true.into()),
        ("emailReceivers", mails.collect::<Vec<_>>().into()),
        ("smsReceivers", phones("sms", &contact.sms).into()),
        ("voiceReceivers", phones("voice", &contact.voice).into()),
        ("webhookReceivers", webhook.into_iter().collect::<Vec<_>>().into()),
    ])
}
