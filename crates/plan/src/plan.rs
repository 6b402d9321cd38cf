//! Whole resources compared.
use crate::{Live, Plan, Summary};
use landfall_blueprint::Blueprint;

/// What has to change for what is live to be what the blueprint wants.
pub fn plan(blueprint: &Blueprint, live: &Live) -> Plan {
    let _ = live;
    Plan {
        schema: 1,
        app: blueprint.app.clone(),
        environment: blueprint.environment.clone(),
        subscription: blueprint.subscription.clone(),
        basis: String::new(),
        changes: Vec::new(),
        soft_deleted: Vec::new(),
        missing_secrets: Vec::new(),
        summary: Summary::default(),
    }
}
