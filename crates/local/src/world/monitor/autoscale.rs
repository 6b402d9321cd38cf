//! Autoscale settings: one for each target, with the bounds and rules of its profiles.

use serde_json::{Value, json};

use super::{bad, hidden};
use crate::world::World;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Change, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put};
use crate::world::checks::{list, text};

#[derive(Debug)]
pub(super) struct Autoscale;

impl Rules for Autoscale {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        let target = text(body, "properties.targetResourceUri").to_owned();
        if Id::parse(&target).and_then(|id| world.arm.find(&id.key())).is_none() {
            return Err(Refusal::missing(
                "ResourceNotFound",
                format!("The target resource '{target}' of the autoscale setting was not found."),
            ));
        }
        let other = world.arm.of_kind("Microsoft.Insights/autoscalesettings").find(|other| {
            other.id.key() != change.id.key()
                && text(&other.body, "properties.targetResourceUri").eq_ignore_ascii_case(&target)
        });
        if let Some(other) = other {
            return Err(Refusal::conflict(
                "AutoscaleSettingExists",
                format!("The target resource has the autoscale setting '{}' already.", other.id.name()),
            ));
        }
        let profiles = list(body, "properties.profiles");
        if profiles.is_empty() || profiles.len() > 20 {
            return Err(bad("An autoscale setting has 1 to 20 profiles."));
        }
        for profile in profiles {
            let number = |name: &str| {
                let value = &profile["capacity"][name];
                value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
            };
            match (number("minimum"), number("default"), number("maximum")) {
                (Some(least), Some(usual), Some(most)) if least <= usual && usual <= most => {}
                _ => {
                    return Err(bad(format!(
                        "The capacity of profile '{}' must have minimum <= default <= maximum.",
                        text(profile, "name")
                    )));
                }
            }
            if list(profile, "rules").len() > 10 {
                return Err(bad("A profile has 10 rules at most."));
            }
            list(profile, "rules").iter().try_for_each(check_rule)?;
        }
        default(body, "properties.enabled", json!(true));
        put(body, "properties.name", json!(change.id.name()));
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        hidden(body);
    }
}

/// One rule: a metric over a time, and a change with a pause after it.
fn check_rule(rule: &Value) -> Result<(), Refusal> {
    let between = |path: &str, least: f64, most: f64| {
        let sent = text(rule, path);
        match crate::world::control::seconds_of(sent) {
            Some(seconds) if (least..=most).contains(&seconds) => Ok(()),
            _ => Err(bad(format!("The value '{sent}' of {path} of an autoscale rule is invalid."))),
        }
    };
    if text(rule, "metricTrigger.metricName").is_empty() {
        return Err(bad("An autoscale rule names the metric that triggers it."));
    }
    between("metricTrigger.timeWindow", 300.0, 12.0 * 3600.0)?;
    between("metricTrigger.timeGrain", 60.0, 12.0 * 3600.0)?;
    between("scaleAction.cooldown", 60.0, 7.0 * 24.0 * 3600.0)?;
    let known = ["Increase", "Decrease", "None"].contains(&text(rule, "scaleAction.direction"));
    if known {
        Ok(())
    } else {
        Err(bad("The direction of an autoscale rule's action is Increase or Decrease."))
    }
}
