//! Models: which there are, until when, and how much of each a region gives.

use serde_json::{Value, json};

use super::DEPLOYMENT;
use crate::world::World;
use crate::world::checks::text;

/// Thousands of tokens a minute of one model and kind of deployment that a subscription has in a region.
pub(super) const QUOTA: i64 = 1000;

/// Models with their version and, where it is known, the day from which they cannot be deployed any more
/// (learn.microsoft.com/azure/ai-foundry/openai/concepts/model-retirements).
pub(super) const MODELS: &[(&str, &str, &str)] = &[
    ("gpt-35-turbo", "0301", "2025-02-13"),
    ("gpt-35-turbo", "0613", "2025-02-13"),
    ("gpt-35-turbo", "1106", "2025-07-16"),
    ("gpt-35-turbo", "0125", "2025-11-14"),
    ("gpt-4", "0613", "2025-06-06"),
    ("gpt-4", "turbo-2024-04-09", "2025-11-11"),
    ("gpt-4o", "2024-05-13", "2026-10-01"),
    ("gpt-4o", "2024-08-06", "2026-10-01"),
    ("gpt-4o", "2024-11-20", "2026-10-01"),
    ("gpt-4o-mini", "2024-07-18", "2026-10-01"),
    ("gpt-4.1", "2025-04-14", ""),
    ("gpt-4.1-mini", "2025-04-14", ""),
    ("gpt-4.1-nano", "2025-04-14", ""),
    ("gpt-5", "2025-08-07", ""),
    ("gpt-5-mini", "2025-08-07", ""),
    ("gpt-5-nano", "2025-08-07", ""),
    ("o3", "2025-04-16", ""),
    ("o4-mini", "2025-04-16", ""),
    ("text-embedding-ada-002", "2", ""),
    ("text-embedding-3-small", "1", ""),
    ("text-embedding-3-large", "1", ""),
    ("whisper", "001", ""),
];

/// Models that can be deployed today, each as `shape` shows it.
pub(super) fn all(world: &World, shape: fn(Value) -> Value) -> Vec<Value> {
    let today = world.now.strftime("%Y-%m-%d").to_string();
    MODELS
        .iter()
        .filter(|(_, _, end)| end.is_empty() || *end > today.as_str())
        .map(|(name, version, end)| {
            let skus = ["GlobalStandard", "Standard"].map(|sku| {
                json!({"name": sku, "usageName": format!("OpenAI.{sku}.{name}"),
                       "capacity": {"maximum": QUOTA, "default": 10, "minimum": 1, "step": 1},
                       "deprecationDate": (!end.is_empty()).then(|| format!("{end}T00:00:00Z"))})
            });
            shape(json!({"format": "OpenAI", "name": name, "version": version, "isDefaultVersion": true,
                         "lifecycleStatus": "GenerallyAvailable", "maxCapacity": QUOTA, "skus": skus,
                         "capabilities": {"chatCompletion": "true"}}))
        })
        .collect()
}

/// `usages` of a region: each model and kind of deployment with what is used of its quota.
pub(super) fn usages(world: &World, location: &str) -> Vec<Value> {
    let mut names: Vec<&str> = MODELS.iter().map(|(name, _, _)| *name).collect();
    names.dedup();
    names
        .iter()
        .flat_map(|model| ["Standard", "GlobalStandard"].map(|sku| (sku, *model)))
        .map(|(sku, model)| {
            let name = format!("OpenAI.{sku}.{model}");
            json!({"name": {"value": name, "localizedValue": name}, "unit": "Count", "limit": QUOTA,
                   "currentValue": used(world, location, sku, model, "")})
        })
        .collect()
}

/// What deployments of a model in a region use of its quota, one left out.
pub(super) fn used(world: &World, location: &str, sku: &str, model: &str, but: &str) -> i64 {
    world
        .arm
        .of_kind(DEPLOYMENT)
        .filter(|it| {
            it.id.key() != but
                && text(&it.body, "sku.name") == sku
                && text(&it.body, "properties.model.name") == model
        })
        .filter(|it| {
            it.id
                .parent()
                .and_then(|id| world.arm.find(&id.key()))
                .is_some_and(|account| account.location() == location)
        })
        .map(|it| it.body["sku"]["capacity"].as_i64().unwrap_or(0))
        .sum()
}
