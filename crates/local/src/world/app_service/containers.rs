//! Containers of a site: the main one and its sidecars
//! (learn.microsoft.com/azure/app-service/overview-sidecar).

use serde_json::{Value, json};

use super::{bad, conflict, holder, invalid, plan_of};
use crate::world::World;
use crate::world::arm::kind::{Change, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put, stamp, take};
use crate::world::checks::{one_of, text};

pub(super) const CONTAINER: &str = "Microsoft.Web/sites/sitecontainers";
/// The main container and nine sidecars.
const MOST: usize = 10;

#[derive(Debug)]
pub(super) struct Containers;

impl Rules for Containers {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let Some(site) = holder(world, change.id) else { return Ok(()) };
        if !plan_of(world, site.properties()).is_some_and(|(plan, _)| plan.properties()["reserved"] == true) {
            return Err(conflict("Site containers are available on Linux plans only."));
        }
        let body = &mut change.body;
        if text(body, "properties.image").is_empty() {
            return Err(invalid("Image"));
        }
        default(body, "properties.isMain", json!(false));
        default(body, "properties.authType", json!("Anonymous"));
        let kinds = ["Anonymous", "UserCredentials", "SystemIdentity", "UserAssigned"];
        one_of(body, "properties.authType", &kinds, |_| invalid("AuthType"))?;
        take(body, "properties.passwordSecret");
        let beside: Vec<&Resource> = world
            .arm
            .below(&site.id)
            .map(|(_, child)| child)
            .filter(|child| {
                child.kind.eq_ignore_ascii_case(&change.id.kind()) && child.id.key() != change.id.key()
            })
            .collect();
        if beside.len() + 1 > MOST {
            return Err(conflict(format!("A site has {MOST} containers at most.")));
        }
        let main = body["properties"]["isMain"] == true;
        if main && beside.iter().any(|other| other.properties()["isMain"] == true) {
            return Err(bad("A site has one main container: another one is there already."));
        }
        let port = text(body, "properties.targetPort");
        if !port.is_empty() {
            if port.parse::<u16>().is_err() {
                return Err(invalid("TargetPort"));
            }
            if beside.iter().any(|other| text(other.properties(), "targetPort") == port) {
                return Err(bad(format!("The target port {port} is another container's.")));
            }
        }
        default(body, "properties.createdTime", json!(stamp(world.now)));
        put(body, "properties.lastModifiedTime", json!(stamp(world.now)));
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        body["name"] = json!(resource.id.name());
        take(body, "properties.provisioningState");
    }
}
