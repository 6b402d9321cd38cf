//! Deployments of models: versions, quota, content filters.

use serde_json::json;

use super::POLICIES;
use super::models::{MODELS, QUOTA, used};
use crate::world::World;
use crate::world::arm::kind::{Change, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{default, put};
use crate::world::checks::{one_of, text};

#[derive(Debug)]
pub(super) struct Deployments;

impl Rules for Deployments {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let Some(account) = change.id.parent().and_then(|account| world.arm.find(&account.key())) else {
            return Ok(());
        };
        let kind = text(&account.body, "kind");
        if kind != "OpenAI" && kind != "AIServices" {
            return Err(Refusal::bad(
                "DeploymentNotSupported",
                format!("An account of the kind '{kind}' takes no deployments."),
            ));
        }
        // Azure changes the deployments of an account one after the other
        let busy = world
            .arm
            .below(&account.id)
            .any(|(key, child)| *key != change.id.key() && child.operation.is_some());
        if busy {
            return Err(Refusal::conflict(
                "RequestConflict",
                format!(
                    "Another operation is being performed on the parent resource '{}'. Please try again later.",
                    account.id
                ),
            ));
        }
        let body = &mut change.body;
        default(body, "sku", json!({"name": "Standard"}));
        one_of(
            body,
            "sku.name",
            &[
                "Standard",
                "GlobalStandard",
                "DataZoneStandard",
                "GlobalBatch",
                "DataZoneBatch",
                "ProvisionedManaged",
                "GlobalProvisionedManaged",
                "DataZoneProvisionedManaged",
                "DeveloperTier",
            ],
            |value| {
                Refusal::bad(
                    "InvalidResourceProperties",
                    format!("The specified SKU '{value}' of account deployment is not supported."),
                )
            },
        )?;
        default(body, "sku.capacity", json!(1));
        // the CLI sends it as text
        if let Some(number) = body["sku"]["capacity"].as_str().and_then(|text| text.parse::<i64>().ok()) {
            put(body, "sku.capacity", json!(number));
        }
        let capacity = body["sku"]["capacity"].as_i64().unwrap_or(0);
        if capacity < 1 {
            return Err(Refusal::bad(
                "InvalidCapacity",
                format!("The capacity {} of the deployment is invalid.", body["sku"]["capacity"]),
            ));
        }
        let name = text(body, "properties.model.name").to_owned();
        let version = text(body, "properties.model.version").to_owned();
        let today = world.now.strftime("%Y-%m-%d").to_string();
        let known: Vec<_> =
            MODELS.iter().filter(|it| it.0 == name && (version.is_empty() || it.1 == version)).collect();
        let label = format!("Format:OpenAI,Name:{name},Version:{version}");
        let Some(model) = known.last() else {
            return Err(Refusal::bad(
                "DeploymentModelNotSupported",
                format!("The model '{label}' of account deployment is not supported."),
            ));
        };
        if !model.2.is_empty() && model.2 <= today.as_str() && change.current.is_none() {
            return Err(Refusal::bad(
                "ServiceModelDeprecated",
                format!(
                    "The model '{label}' has been deprecated since {}: it cannot be deployed any more.",
                    model.2
                ),
            ));
        }
        default(body, "properties.model.version", json!(model.1));
        let sku = text(body, "sku.name").to_owned();
        let before = used(world, &account.location(), &sku, &name, &change.id.key());
        if before + capacity > QUOTA {
            return Err(Refusal::bad(
                "InsufficientQuota",
                format!(
                    "This operation require {capacity} new capacity in quota Tokens Per Minute (thousands) - {name}, which \
                     is bigger than the current available capacity {}. The current quota usage is {before} and the quota \
                     limit is {QUOTA} for quota Tokens Per Minute (thousands) - {name}.",
                    QUOTA - before
                ),
            ));
        }
        default(body, "properties.versionUpgradeOption", json!("OnceNewDefaultVersionAvailable"));
        let options = ["OnceNewDefaultVersionAvailable", "OnceCurrentVersionExpired", "NoAutoUpgrade"];
        one_of(body, "properties.versionUpgradeOption", &options, |value| {
            Refusal::bad(
                "InvalidResourceProperties",
                format!("The version upgrade option '{value}' is invalid."),
            )
        })?;
        default(body, "properties.raiPolicyName", json!(POLICIES[1]));
        let policy = text(body, "properties.raiPolicyName").to_owned();
        if world.arm.find(&account.id.child("raiPolicies", &policy).key()).is_none() {
            return Err(Refusal::bad(
                "InvalidResourceProperties",
                format!(
                    "The content filter policy '{policy}' of the deployment does not exist in the account."
                ),
            ));
        }
        put(body, "properties.capabilities", json!({"chatCompletion": "true", "responses": "true"}));
        put(
            body,
            "properties.rateLimits",
            json!([{"key": "request", "renewalPeriod": 10, "count": capacity},
                                                   {"key": "token", "renewalPeriod": 60, "count": capacity * 1000}]),
        );
        Ok(())
    }
}
