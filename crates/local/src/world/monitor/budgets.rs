//! Budgets of a subscription or a group.

use serde_json::{Value, json};

use super::hidden;
use crate::world::World;
use crate::world::arm::kind::{Change, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, take};
use crate::world::checks::{list, one_of, text};

#[derive(Debug)]
pub(super) struct Budgets;

impl Rules for Budgets {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        let refuse = |why: String| Err(Refusal::bad("400", why));
        let body = &mut change.body;
        if let (Some(current), Some(sent)) = (&change.current, change.sent["eTag"].as_str())
            && sent.trim_matches('"') != current.etag.trim_matches('"')
        {
            return Err(Refusal::new(412, "412", "The eTag of the budget has changed since it was read."));
        }
        take(body, "eTag");
        if !body["properties"]["amount"].as_f64().is_some_and(|amount| amount > 0.0) {
            return refuse(format!(
                "The amount {} of the budget must be greater than 0.",
                body["properties"]["amount"]
            ));
        }
        one_of(body, "properties.category", &["Cost", "ReservationUtilization"], |value| {
            Refusal::bad("400", format!("The category '{value}' is invalid."))
        })?;
        one_of(
            body,
            "properties.timeGrain",
            &["Monthly", "Quarterly", "Annually", "BillingMonth", "BillingQuarter", "BillingAnnual"],
            |value| Refusal::bad("400", format!("The time grain '{value}' is invalid.")),
        )?;
        if text(body, "properties.timeGrain").is_empty() {
            return refuse("The time grain of the budget is missing.".into());
        }
        let start = text(body, "properties.timePeriod.startDate");
        if start.get(8..10) != Some("01") {
            return refuse(format!("The start date '{start}' must be the first of a month."));
        }
        let end = text(body, "properties.timePeriod.endDate");
        if !end.is_empty() && end <= start {
            return refuse(format!("The end date '{end}' must be after the start date."));
        }
        let none = serde_json::Map::new();
        let notifications = body["properties"]["notifications"].as_object().unwrap_or(&none);
        if notifications.len() > 5 {
            return refuse("A budget has 5 notifications at most.".into());
        }
        for (name, notification) in notifications {
            if !notification["threshold"]
                .as_f64()
                .is_some_and(|threshold| (0.01..=1000.0).contains(&threshold))
            {
                return refuse(format!(
                    "The threshold of notification '{name}' must be between 0.01 and 1000."
                ));
            }
            let someone = ["contactEmails", "contactGroups", "contactRoles"]
                .iter()
                .any(|to| !list(notification, to).is_empty());
            if !someone {
                return refuse(format!(
                    "The notification '{name}' tells nobody: contactEmails, contactRoles or contactGroups."
                ));
            }
        }
        default(body, "properties.currentSpend", json!({"amount": 0.0, "unit": "EUR"}));
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        hidden(body);
        body["eTag"] = json!(resource.etag);
    }
}
