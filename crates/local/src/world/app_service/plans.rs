//! Plans: what each tier allows, and what keeps a plan from being deleted or changed.

use serde_json::{Value, json};

use super::tiers::{Tier, tier};
use super::{Answer, SITE, bad, conflict, invalid, shown_location, sites_on, slots_of};
use crate::world::arm::kind::{Call, Change, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put, resources, subscriptions};
use crate::world::checks::text;
use crate::world::{Method, Response, World};

#[derive(Debug)]
pub(super) struct Plans;

impl Rules for Plans {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let linux = text(&change.body, "kind").to_ascii_lowercase().contains("linux");
        let body = &mut change.body;
        if text(body, "sku.name").is_empty() {
            put(body, "sku.name", json!("F1"));
        }
        let Some((tier, size)) = tier(text(body, "sku.name")) else { return Err(invalid("SKU.Name")) };
        let capacity = body["sku"]["capacity"].as_i64().unwrap_or(1).max(1);
        if capacity > tier.instances {
            return Err(conflict(format!(
                "The number of workers {capacity} is over the {} that the '{}' tier allows.",
                tier.instances, tier.name
            )));
        }
        let zones = body["properties"]["zoneRedundant"] == true;
        if zones && !tier.zones {
            return Err(bad(format!("Zone redundancy is not supported for the SKU '{}'.", tier.name)));
        }
        if zones && !subscriptions::has_zones(text(body, "location")) {
            return Err(bad(format!("The region '{}' has no availability zones.", text(body, "location"))));
        }
        if zones && capacity < 2 {
            return Err(bad("A zone redundant plan needs a capacity of at least 2 instances."));
        }
        let reserved = body["properties"]["reserved"].as_bool().unwrap_or(linux);
        if let Some(current) = &change.current {
            if current.properties()["reserved"].as_bool().unwrap_or(false) != reserved {
                return Err(conflict("The operating system of an App Service plan cannot be changed."));
            }
            if (current.properties()["zoneRedundant"] == true) != zones && !tier.zones {
                return Err(conflict("Zone redundancy of an App Service plan cannot be changed."));
            }
        }
        if reserved && tier.name == "Shared" {
            return Err(bad("The SKU 'Shared' is not available for Linux plans."));
        }
        put(
            body,
            "sku",
            json!({"name": size, "tier": tier.name, "size": size, "family": tier.family, "capacity": capacity}),
        );
        default(body, "kind", json!(if reserved { "linux" } else { "app" }));
        for (name, value) in [
            ("reserved", json!(reserved)),
            ("perSiteScaling", json!(false)),
            ("elasticScaleEnabled", json!(false)),
            ("maximumElasticWorkerCount", json!(1)),
            ("isSpot", json!(false)),
            ("isXenon", json!(false)),
            ("hyperV", json!(false)),
            ("targetWorkerCount", json!(0)),
            ("targetWorkerSizeId", json!(0)),
            ("zoneRedundant", json!(false)),
        ] {
            default(body, &format!("properties.{name}"), value);
        }
        for site in sites_on(world, change.id) {
            must_fit(world, site, tier)?;
        }
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        let sites: Vec<String> = sites_on(world, &resource.id)
            .map(|site| match site.kind.as_str() {
                SITE => site.id.name().to_owned(),
                _ => site.id.full_name().replace('/', "(") + ")",
            })
            .collect();
        if sites.is_empty() {
            return Ok(());
        }
        let template = "Server farm '{0}' cannot be deleted because it has web app(s) {1} assigned to it.";
        let parameters = [resource.id.name(), &sites.join(", ")];
        Err(super::refused(409, "Conflict", "11007", template, &parameters))
    }

    fn may_delete_with_group(&self, _world: &World, _resource: &Resource) -> Result<(), Refusal> {
        Ok(())
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let tier = tier(text(&resource.body, "sku.name"));
        for (name, value) in [
            ("status", json!("Ready")),
            ("numberOfSites", json!(sites_on(world, &resource.id).count())),
            ("numberOfWorkers", resource.body["sku"]["capacity"].clone()),
            ("maximumNumberOfWorkers", json!(tier.map_or(1, |(tier, _)| tier.instances))),
            ("subscription", json!(world.config.subscription)),
            ("resourceGroup", json!(resource.id.group)),
            ("geoRegion", shown_location(resource)),
        ] {
            put(body, &format!("properties.{name}"), value);
        }
        body["location"] = shown_location(resource);
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Answer> {
        match call.request.method {
            Method::Get if call.rest_is(&["sites"]) => {
                let shown: Vec<Value> = sites_on(world, &call.id)
                    .filter(|site| site.kind == SITE)
                    .map(|site| resources::view(world, site))
                    .collect();
                Some(Ok(Response::json(200, &json!({"value": shown}))))
            }
            Method::Get if call.rest_is(&["skus"]) => Some(Ok(scalable(world, call))),
            Method::Get if call.rest_is(&["capabilities"]) => Some(Ok(Response::json(200, &json!([])))),
            Method::Get if call.rest_is(&["usages"]) => {
                let capacity = world.arm.find(&call.id.key())?.body["sku"]["capacity"].clone();
                let slots = sites_on(world, &call.id).count();
                Some(Ok(Response::json(
                    200,
                    &json!({"value": [
                        usage("Workers", &capacity, &capacity), usage("Sites", &json!(slots), &json!(-1))]}),
                )))
            }
            Method::Post if call.rest_is(&["restartSites"]) => Some(Ok(Response::empty(204))),
            _ => None,
        }
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Answer> {
        let words: Vec<String> = call.rest.iter().map(|word| word.to_ascii_lowercase()).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match (call.request.method, words.as_slice()) {
            (Method::Post, ["checknameavailability"] | ["locations", _, "checknameavailability"]) => {
                Some(super::sites::is_free(world, &call.body))
            }
            (Method::Post, ["validate"]) => Some(Ok(Response::json(200, &json!({"status": "Success"})))),
            (Method::Get, ["georegions"]) => Some(Ok(regions(call))),
            (Method::Get, ["webappstacks"] | ["locations", _, "webappstacks"]) => {
                Some(Ok(super::stacks::web_app_stacks(call.request)))
            }
            (Method::Get, ["availablestacks"]) => Some(Ok(super::stacks::available(call.request))),
            (Method::Get, ["deletedsites"]) => Some(Ok(super::deleted::list(world, None))),
            (Method::Get, ["locations", location, "deletedsites"]) => {
                Some(Ok(super::deleted::list(world, Some(location))))
            }
            _ => None,
        }
    }
}

/// What a site uses must be in the tier that its plan goes to.
fn must_fit(world: &World, site: &Resource, tier: &Tier) -> Result<(), Refusal> {
    if site.private["web"]["alwaysOn"] == true && !tier.always_on {
        return Err(no_always_on());
    }
    if site.kind == SITE && slots_of(world, &site.id).count() > tier.slots {
        return Err(too_many_slots(tier));
    }
    if !text(site.properties(), "virtualNetworkSubnetId").is_empty() && !tier.dedicated {
        return Err(no_network(tier));
    }
    for binding in super::domains::bindings_of(world, &site.id) {
        if !tier.custom_domains {
            return Err(super::domains::no_custom_domains(tier));
        }
        if text(binding.properties(), "sslState") == "SniEnabled" && !tier.dedicated {
            return Err(super::domains::no_tls(tier));
        }
    }
    Ok(())
}

/// Sizes that a plan can be scaled to: those of its own kind of workers.
fn scalable(world: &World, call: &Call) -> Response {
    let linux = world.arm.find(&call.id.key()).is_some_and(|plan| plan.properties()["reserved"] == true);
    let shown: Vec<Value> = super::TIERS
        .iter()
        .filter(|tier| !(linux && tier.name == "Shared"))
        .flat_map(|tier| tier.sizes.iter().map(move |size| (tier, size)))
        .map(|(tier, size)| {
            json!({"resourceType": super::PLAN, "sku": {"name": size, "tier": tier.name},
                   "capacity": {"minimum": 1, "maximum": tier.instances, "default": 1, "scaleType": "manual"}})
        })
        .collect();
    Response::json(200, &json!({"value": shown}))
}

pub(super) fn usage(name: &str, current: &Value, limit: &Value) -> Value {
    json!({"name": {"value": name, "localizedValue": name}, "unit": "Count", "currentValue": current,
           "limit": limit, "nextResetTime": "9999-12-31T23:59:59.9999999Z"})
}

/// `geoRegions[?linuxWorkersEnabled=…]`: where App Service is.
fn regions(call: &Call) -> Response {
    let base = call.id.to_string();
    let regions: Vec<Value> = subscriptions::region_names()
        .into_iter()
        .map(|name| {
            let shown = subscriptions::display_name(name);
            json!({"id": format!("{base}/providers/Microsoft.Web/geoRegions/{shown}"), "name": shown,
                   "type": "Microsoft.Web/geoRegions",
                   "properties": {"name": shown, "description": null, "displayName": shown,
                                  "orgDomain": "PUBLIC;MSFTPUBLIC;LINUX;LINUXDSERIES"}})
        })
        .collect();
    Response::json(200, &json!({"value": regions}))
}

pub(super) fn no_always_on() -> Refusal {
    conflict(
        "AlwaysOn cannot be set for this site as the plan does not allow it. For more information on pricing and \
         features, please see: https://aka.ms/appservicepricingdetails ",
    )
}

pub(super) fn too_many_slots(tier: &Tier) -> Refusal {
    let template = "Cannot complete the operation because the site will exceed the number of slots allowed for the '{0}' SKU.";
    super::refused(409, "Conflict", "04083", template, &[tier.name])
}

pub(super) fn no_network(tier: &Tier) -> Refusal {
    conflict(format!("Virtual network integration is not available in the '{}' tier of the plan.", tier.name))
}
