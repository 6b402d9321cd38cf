//! Sites and slots: what their plan allows, what they show, what they answer below themselves.

use serde_json::{Value, json};

use super::plans::{too_many_slots, usage};
use super::settings::{check_config, check_names, check_strings, pairs, strings, usual_config};
use super::tiers::Tier;
use super::{
    Answer, SITE, SLOT, bad, conflict, deleted, domains, invalid, missing, names, network, plan_of,
    production, publishing, settings, shown_location, sites_on, slots, slots_of,
};
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Ending, Rules, What};
use crate::world::arm::operations::Operation;
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, locks, merge, put, stamp, take};
use crate::world::checks::text;
use crate::world::{Method, Request, Response, World, chance};

#[derive(Debug)]
pub(super) struct Sites;

impl Rules for Sites {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let id = change.id.clone();
        let is_slot = id.kind().eq_ignore_ascii_case(SLOT);
        let site = production(&id);
        if is_slot {
            may_be_slot(world, change, &site)?;
        }
        let (plan, tier) = settle_plan(world, change)?;
        let plan_id = plan.id.to_string();
        let linux = plan.properties()["reserved"] == true;
        if change.sent["properties"]["reserved"].as_bool().is_some_and(|asked| asked != linux) {
            return Err(invalid("Reserved"));
        }
        if is_slot && change.current.is_none() && slots_of(world, &site).count() + 1 > tier.slots {
            return Err(too_many_slots(tier));
        }
        let beside =
            sites_on(world, &plan.id).filter(|other| other.kind == SITE && other.id.key() != id.key());
        if !is_slot && beside.count() + 1 > tier.apps {
            return Err(conflict(format!(
                "The plan '{}' has the {} apps that the '{}' tier allows.",
                plan.id.name(),
                tier.apps,
                tier.name
            )));
        }
        network::settle(world, change, tier)?;
        settle_config(change, tier, linux)?;
        let body = &mut change.body;
        default(body, "kind", json!(if linux { "app,linux" } else { "app" }));
        put(body, "properties.serverFarmId", json!(plan_id));
        put(body, "properties.reserved", json!(linux));
        for (name, value) in [
            ("enabled", json!(true)),
            ("httpsOnly", json!(false)),
            ("clientAffinityEnabled", json!(true)),
            ("clientCertEnabled", json!(false)),
            ("clientCertMode", json!("Required")),
            ("hostNamesDisabled", json!(false)),
            ("containerSize", json!(0)),
            ("dailyMemoryTimeQuota", json!(0)),
            ("publicNetworkAccess", json!("Enabled")),
            ("keyVaultReferenceIdentity", json!("SystemAssigned")),
            ("state", json!("Running")),
        ] {
            default(body, &format!("properties.{name}"), value);
        }
        put(body, "properties.defaultHostName", json!(host_of(&id)));
        Ok(())
    }

    fn busy(&self, id: &Id, operation: &Operation) -> Option<Refusal> {
        Some(super::site_is_busy(id, operation))
    }

    fn taken(&self, _world: &World, _other: &Resource, id: &Id) -> Result<(), Refusal> {
        let template = "Website with given name {0} already exists.";
        Err(super::refused(409, "Conflict", "54001", template, &[id.name()]))
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            publishing::renew(world, id);
        }
        network::joined(world, id);
        touched(world, id);
        Ending::Table
    }

    fn parting(&self, world: &mut World, id: &Id, request: &Request) {
        let keeps =
            request.query("deleteEmptyServerFarm").is_some_and(|said| said.eq_ignore_ascii_case("false"));
        if let Some(found) = world.arm.find_mut(&id.key()).filter(|_| !keeps) {
            put(&mut found.private, "takesEmptyPlan", json!(true));
        }
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        deleted::bury(world, resource);
        let plan = plan_of(world, resource.properties()).map(|(plan, _)| plan.id.clone());
        if let Some(plan) = plan
            && resource.private["takesEmptyPlan"] == true
            && sites_on(world, &plan).next().is_none()
            && locks::permit(world, &plan, true).is_ok()
        {
            crate::world::arm::resources::remove(world, &plan.key());
        }
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let host = text(&resource.body, "properties.defaultHostName").to_owned();
        let scm = host.replacen('.', ".scm.", 1);
        let bindings: Vec<&Resource> = domains::bindings_of(world, &resource.id).collect();
        let mut hosts = vec![host.clone()];
        hosts.extend(bindings.iter().map(|binding| binding.id.name().to_owned()));
        let mut enabled = hosts.clone();
        enabled.push(scm.clone());
        let states: Vec<Value> = enabled
            .iter()
            .map(|name| {
                let own = bindings.iter().find(|binding| binding.id.name() == name).map(|it| it.properties());
                json!({"name": name, "sslState": own.map_or("Disabled", |own| text(own, "sslState")),
                       "thumbprint": own.map(|own| own["thumbprint"].clone()), "virtualIP": null, "toUpdate": null,
                       "hostType": if *name == scm { "Repository" } else { "Standard" }})
            })
            .collect();
        let draw =
            chance::digest(world.config.seed, &format!("outbound {}", production(&resource.id).key()), 0);
        let out: Vec<String> =
            (0..4usize).map(|n| format!("20.{}.{}.{}", draw[n], draw[n + 1], draw[n + 2].max(1))).collect();
        let web = &resource.private["web"];
        let sku = plan_of(world, resource.properties()).map_or("Free", |(_, tier)| tier.name);
        for (name, value) in [
            ("hostNames", json!(hosts)),
            ("enabledHostNames", json!(enabled)),
            ("hostNameSslStates", json!(states)),
            ("availabilityState", json!("Normal")),
            ("usageState", json!("Normal")),
            ("repositorySiteName", json!(production(&resource.id).name())),
            ("resourceGroup", json!(resource.id.group)),
            ("outboundIpAddresses", json!(out.join(","))),
            ("possibleOutboundIpAddresses", json!(out.join(","))),
            ("sku", json!(sku)),
            ("customDomainVerificationId", json!(domains::verification_id(world))),
            (
                "siteConfig",
                json!({
                    "numberOfWorkers": web["numberOfWorkers"], "linuxFxVersion": web["linuxFxVersion"],
                    "acrUseManagedIdentityCreds": web["acrUseManagedIdentityCreds"], "alwaysOn": web["alwaysOn"],
                    "http20Enabled": web["http20Enabled"], "functionAppScaleLimit": web["functionAppScaleLimit"],
                    "minimumElasticInstanceCount": web["minimumElasticInstanceCount"],
                }),
            ),
        ] {
            put(body, &format!("properties.{name}"), value);
        }
        body["name"] = json!(resource.id.full_name());
        body["location"] = shown_location(resource);
        take(body, "properties.provisioningState");
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Answer> {
        // a slot answers for itself
        if call.rest.first().is_some_and(|first| first.eq_ignore_ascii_case("slots"))
            && call.id.kind().eq_ignore_ascii_case(SITE)
        {
            return None;
        }
        let (verb, method) = (call.rest.first()?.to_ascii_lowercase(), call.request.method);
        match (method, verb.as_str()) {
            (_, "config") => settings::serve(world, call),
            (Method::Post, "slotsswap" | "slotsdiffs" | "applyslotconfig" | "resetslotconfig") => {
                Some(slots::serve(world, call))
            }
            (Method::Post, "start" | "stop" | "restart") if call.rest.len() == 1 => {
                Some(power(world, &call.id, &verb))
            }
            (Method::Post, "publishxml") => publishing::publish_profile(world, &call.id),
            (Method::Post, "newpassword") => {
                publishing::renew(world, &call.id);
                Some(Ok(Response::empty(204)))
            }
            (Method::Post, "restorefromdeletedapp") => Some(deleted::restore(world, call)),
            (Method::Post, "iscloneable") => Some(Ok(Response::json(
                200,
                &json!({"result": "Cloneable", "blockingFeatures": [], "unsupportedFeatures": [],
                        "blockingCharacteristics": []}),
            ))),
            (Method::Post, "syncfunctiontriggers") => Some(Ok(Response::empty(204))),
            (_, "basicpublishingcredentialspolicies") => Some(publishing::policies(world, call)),
            (_, "networkconfig") => network::swift(world, call),
            (Method::Get, "virtualnetworkconnections") => network::connections(world, call),
            (Method::Get, "hostnamebindings") => domains::with_own(world, call),
            (Method::Get, "instances") if call.rest.len() == 1 => instances(world, &call.id),
            (Method::Get, "usages") if call.rest.len() == 1 => {
                let kinds = [("CpuTime", 0), ("FileSystemStorage", 1024), ("ConcurrentRequests", -1)];
                let shown: Vec<Value> =
                    kinds.iter().map(|(name, most)| usage(name, &json!(0), &json!(most))).collect();
                Some(Ok(Response::json(200, &json!({"value": shown}))))
            }
            _ => None,
        }
    }
}

/// A slot is not called as production is, and is on its site's plan unless it says otherwise.
fn may_be_slot(world: &World, change: &mut Change, site: &Id) -> Result<(), Refusal> {
    if change.id.name().eq_ignore_ascii_case("production") {
        return Err(conflict("The name 'production' is reserved for the site itself."));
    }
    let parent = world.arm.find(&site.key());
    let plan = parent.map(|parent| text(parent.properties(), "serverFarmId").to_owned());
    default(&mut change.body, "properties.serverFarmId", json!(plan.unwrap_or_default()));
    Ok(())
}

/// The plan that the body names, by id or, in the same group, by name.
fn settle_plan<'a>(world: &'a World, change: &mut Change) -> Result<(&'a Resource, &'static Tier), Refusal> {
    let farm = text(&change.body, "properties.serverFarmId").to_owned();
    if !farm.is_empty() && !farm.starts_with('/') {
        let plan = change.id.group_id().unwrap_or_default().provider(super::PLAN, &farm);
        put(&mut change.body, "properties.serverFarmId", json!(plan.to_string()));
    }
    let Some((plan, tier)) = plan_of(world, &change.body["properties"]) else {
        return Err(match farm.rsplit('/').next() {
            Some(name) if !name.is_empty() => missing("ServerFarm", name),
            _ => bad("The parameter serverFarmId is required: a site needs an App Service plan."),
        });
    };
    if plan.location() != text(&change.body, "location") {
        return Err(bad(format!(
            "The specified app service plan '{}' is in region '{}', and the site in '{}'.",
            plan.id.name(),
            plan.location(),
            text(&change.body, "location")
        )));
    }
    let before = change.current.as_ref().and_then(|current| plan_of(world, current.properties()));
    if before.is_some_and(|(before, _)| before.properties()["reserved"] != plan.properties()["reserved"]) {
        return Err(conflict("A site cannot go to a plan of another operating system."));
    }
    put(&mut change.body, "properties.serverFarmId", json!(plan.id.to_string()));
    Ok((plan, tier))
}

/// Takes `siteConfig` out of the body: it is kept as the `config` resources, which a body without it leaves alone.
fn settle_config(change: &mut Change, tier: &Tier, linux: bool) -> Result<(), Refusal> {
    let mut sent = take(&mut change.body, "properties.siteConfig").unwrap_or(Value::Null);
    let settings = take(&mut sent, "appSettings").map(|it| pairs(&it));
    let connections = take(&mut sent, "connectionStrings").map(|it| strings(&it));
    let mut config = match &change.current {
        Some(current) => current.private["web"].clone(),
        None => usual_config(tier, linux),
    };
    merge(&mut config, &if sent.is_object() { sent } else { json!({}) });
    check_config(&config, tier, linux)?;
    put(&mut change.private, "web", config);
    if let Some(settings) = settings {
        check_names(&settings, linux)?;
        put(&mut change.private, "appsettings", settings);
    }
    if let Some(connections) = connections {
        check_strings(&connections)?;
        put(&mut change.private, "connectionstrings", connections);
    }
    Ok(())
}

/// `SITE.azurewebsites.net`, `SITE-SLOT.azurewebsites.net`: in long names the site's part is cut to 40 signs and the
/// slot's to 19.
fn host_of(id: &Id) -> String {
    let mut host = production(id).name().to_ascii_lowercase();
    if id.kind().eq_ignore_ascii_case(SLOT) {
        let slot = id.name().to_ascii_lowercase();
        if host.len() + slot.len() + 1 > 59 {
            host.truncate(40);
        }
        host = format!("{host}-{}", &slot[..slot.len().min(19)]);
    }
    format!("{host}.azurewebsites.net")
}

/// `checknameavailability` for sites, slots and host names.
pub(super) fn is_free(world: &World, body: &Value) -> Answer {
    let body = crate::world::arm::gate::object(body)?;
    let given = text(&body, "name");
    let name = given.strip_suffix(".azurewebsites.net").unwrap_or(given);
    if name.is_empty() {
        return Err(invalid("name"));
    }
    let refused =
        |reason: &str, message: String| json!({"nameAvailable": false, "reason": reason, "message": message});
    let answer = if !names(2, 60, true).allow(name) {
        refused("Invalid", format!("The name '{name}' is invalid: letters, digits and hyphens make it."))
    } else if world.arm.by_name(SITE, name).is_some() {
        refused("AlreadyExists", format!("Hostname '{name}' already exists. Please select a different name."))
    } else {
        json!({"nameAvailable": true, "reason": "", "message": ""})
    };
    Ok(Response::json(200, &answer))
}

pub(super) fn touched(world: &mut World, id: &Id) {
    let now = stamp(world.now);
    if let Some(found) = world.arm.find_mut(&id.key()) {
        put(&mut found.body, "properties.lastModifiedTimeUtc", json!(now));
    }
}

/// The plan's workers that a running site is on.
fn instances(world: &World, id: &Id) -> Option<Answer> {
    let found = world.arm.find(&id.key())?;
    let count = match text(found.properties(), "state") {
        "Running" => plan_of(world, found.properties())?.0.body["sku"]["capacity"].as_u64().unwrap_or(1),
        _ => 0,
    };
    let shown: Vec<Value> = (0..count)
        .map(|at| {
            let name = hex::encode(chance::digest(world.config.seed, &format!("instance {}", id.key()), at));
            json!({"id": format!("{id}/instances/{name}"), "name": name, "type": format!("{}/instances", found.kind),
                   "location": shown_location(found),
                   "properties": {"state": "READY", "statusUrl": null, "healthCheckUrl": null, "containers": {}}})
        })
        .collect();
    Some(Ok(Response::json(200, &json!({"value": shown}))))
}

fn power(world: &mut World, id: &Id, verb: &str) -> Answer {
    locks::permit(world, id, false)?;
    let state = if verb == "stop" { "Stopped" } else { "Running" };
    if let Some(found) = world.arm.find_mut(&id.key())
        && verb != "restart"
    {
        put(&mut found.body, "properties.state", json!(state));
    }
    Ok(Response::empty(200))
}
