//! What is in an account beside deployments: content filters and projects.

use serde_json::{Value, json};

use super::{DEPLOYMENT, POLICIES};
use crate::world::World;
use crate::world::arm::kind::{Change, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put, take};
use crate::world::checks::text;

/// Content filters of an account; two are there from the start.
#[derive(Debug)]
pub(super) struct Policies;

impl Rules for Policies {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        if change.id.name().starts_with("Microsoft.") {
            return Err(Refusal::bad("InvalidRaiPolicy", "A policy of Azure's own cannot be changed."));
        }
        let body = &mut change.body;
        default(body, "properties.basePolicyName", json!(POLICIES[1]));
        let base = text(body, "properties.basePolicyName").to_owned();
        let known = change
            .id
            .parent()
            .is_some_and(|account| world.arm.find(&account.child("raiPolicies", &base).key()).is_some());
        if !known {
            return Err(Refusal::bad(
                "InvalidRaiPolicy",
                format!("The base policy '{base}' does not exist."),
            ));
        }
        default(body, "properties.mode", json!("Default"));
        default(body, "properties.contentFilters", json!([]));
        put(body, "properties.type", json!("UserManaged"));
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        if text(resource.properties(), "type") == "SystemManaged" {
            return Err(Refusal::bad("InvalidRaiPolicy", "A policy of Azure's own cannot be deleted."));
        }
        let account = resource.id.parent().unwrap_or_default();
        let user = world.arm.below(&account).find(|(_, child)| {
            child.kind == DEPLOYMENT && text(child.properties(), "raiPolicyName") == resource.id.name()
        });
        match user {
            None => Ok(()),
            Some((_, child)) => Err(Refusal::conflict(
                "RaiPolicyInUse",
                format!(
                    "The policy '{}' is used by the deployment '{}'.",
                    resource.id.name(),
                    child.id.name()
                ),
            )),
        }
    }

    fn may_delete_with_group(&self, _world: &World, _resource: &Resource) -> Result<(), Refusal> {
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }
}

/// Projects of an account of the kind AIServices that manages them.
#[derive(Debug)]
pub(super) struct Projects;

impl Rules for Projects {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let Some(account) = change.id.parent().and_then(|account| world.arm.find(&account.key())) else {
            return Ok(());
        };
        if text(&account.body, "kind") != "AIServices"
            || account.properties()["allowProjectManagement"] != true
        {
            return Err(Refusal::bad(
                "ProjectManagementNotAllowed",
                format!(
                    "The account '{}' takes no projects: it must be of the kind AIServices, with allowProjectManagement.",
                    account.id.name()
                ),
            ));
        }
        let host = text(account.properties(), "customSubDomainName").to_ascii_lowercase();
        let own = format!("https://{host}.services.ai.azure.com/api/projects/{}", change.id.name());
        put(&mut change.body, "properties.endpoints", json!({"AI Foundry API": own}));
        default(&mut change.body, "properties.displayName", json!(change.id.name()));
        Ok(())
    }
}
