//! Budgets: Azure tells when a month's is about to be passed.
//!
//! Its scope is the resource group, which holds all of the application and nothing else. Azure wants it to begin with
//! the first of a month; which one stands in the manifest, since a blueprint knows no today.

use landfall_manifest::{Month, Threshold};

use crate::address::Address;
use crate::body::{Body, Object, object};
use crate::name;
use crate::resource::Resource;
use crate::services::{Draft, action_group, alert, resource_group};

/// Its address; there is one.
pub fn address() -> Address {
    Address::new("budget", "main")
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let Some(budget) = draft.app.budget.clone() else { return };
    let groups = action_group::of(draft, &budget.contacts);
    // Somebody has to be told, or a budget says nothing.
    let roles: Vec<Body> = if groups.is_empty() { vec!["Owner".into()] } else { Vec::new() };
    let notifications: Object = budget
        .thresholds
        .iter()
        .map(|threshold| {
            let notification = object([
                ("enabled", true.into()),
                ("operator", "GreaterThanOrEqualTo".into()),
                ("threshold", u32::from(threshold.percent).into()),
                ("thresholdType", if threshold.forecast { "Forecasted" } else { "Actual" }.into()),
                ("contactEmails", Vec::<Body>::new().into()),
                ("contactRoles", (!roles.is_empty()).then(|| roles.clone()).into()),
                ("contactGroups", (!groups.is_empty()).then(|| groups.clone()).into()),
            ]);
            (key(*threshold), notification)
        })
        .collect();
    let period = object([
        ("startDate", format!("{}-01T00:00:00Z", budget.from).into()),
        ("endDate", budget.to.map(|to| format!("{to}-{:02}T00:00:00Z", days(to))).into()),
    ]);
    let properties = object([
        ("category", "Cost".into()),
        ("amount", alert::number(budget.amount.cents as f64 / 100.0)),
        ("timeGrain", "Monthly".into()),
        ("timePeriod", period),
        ("notifications", Body::Object(notifications)),
    ]);
    let resource = Resource {
        named: None,
        address: address(),
        resource_type: "Microsoft.Consumption/budgets",
        api_version: "2026-06-01",
        name: draft.name(&name::BUDGET, None),
        scope: draft.group(),
        location: None,
        body: object([("properties", properties)]),
        within: Some(resource_group::address()),
        after: Vec::new(),
        from: "budget".to_owned(),
        holds_data: false,
    };
    draft.push(resource);
}

fn key(threshold: Threshold) -> String {
    format!("{}-{}", if threshold.forecast { "forecast" } else { "actual" }, threshold.percent)
}

/// The last day of a month.
fn days(month: Month) -> u32 {
    let leap =
        month.year.is_multiple_of(4) && (!month.year.is_multiple_of(100) || month.year.is_multiple_of(400));
    match month.month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    }
}
