use serde_json::{Value, json};

use crate::world::testing::{Lab, rg};

const PLAN: &str = "Microsoft.Web/serverfarms/p";
const SITE: &str = "Microsoft.Web/sites/web1";

fn plan(lab: &mut Lab, size: &str) {
    let body = json!({"location": "westeurope", "kind": "linux", "sku": {"name": size}, "properties": {"reserved": true}});
    lab.put(&rg(PLAN), body).ok(200);
}

fn site(config: Value) -> Value {
    json!({"location": "westeurope", "properties": {"serverFarmId": rg(PLAN), "siteConfig": config}})
}

#[test]
fn a_plan_has_the_limits_of_its_tier() {
    let mut lab = Lab::new(0.0);
    let put = |lab: &mut Lab, sku: Value| lab.put(&rg(PLAN), json!({"location": "westeurope", "sku": sku}));
    put(&mut lab, json!({"name": "X9"})).refused(400, "BadRequest");
    put(&mut lab, json!({"name": "B1", "capacity": 4})).refused(409, "Conflict");
    let made = put(&mut lab, json!({"name": "b1", "capacity": 3})).ok(200).json;
    assert_eq!(
        made["sku"],
        json!({"name": "B1", "tier": "Basic", "size": "B1", "family": "B", "capacity": 3})
    );
    let zones =
        json!({"location": "westeurope", "sku": {"name": "S1"}, "properties": {"zoneRedundant": true}});
    lab.put(&rg(PLAN), zones).refused(400, "BadRequest");
    let linux = json!({"location": "westeurope", "sku": {"name": "B1"}, "properties": {"reserved": true}});
    lab.put(&rg(PLAN), linux).refused(409, "Conflict");
}

#[test]
fn a_site_has_what_its_plan_allows_and_holds_it() {
    let mut lab = Lab::new(0.0);
    lab.put(&rg(SITE), site(json!({}))).refused(404, "NotFound");
    plan(&mut lab, "F1");
    lab.put(&rg(SITE), site(json!({"alwaysOn": true}))).refused(409, "Conflict");
    let made = lab.put(&rg(SITE), site(json!({"appSettings": [{"name": "A", "value": "1"}]}))).ok(200).json;
    assert_eq!(made["properties"]["defaultHostName"], "web1.azurewebsites.net");
    assert_eq!(made["properties"]["state"], "Running");
    assert!(made["properties"]["siteConfig"].get("appSettings").is_none(), "settings are no part of a site");
    lab.delete(&rg(PLAN)).refused(409, "Conflict");
    plan(&mut lab, "B1");
    lab.patch(&rg(&format!("{SITE}/config/web")), json!({"properties": {"alwaysOn": true}})).ok(200);
    let free = json!({"location": "westeurope", "kind": "linux", "sku": {"name": "F1"}, "properties": {"reserved": true}});
    lab.put(&rg(PLAN), free).refused(409, "Conflict");
    let other = format!("{}/resourceGroups/other", crate::world::testing::SUB);
    lab.put(&other, json!({"location": "westeurope"})).ok(201);
    lab.put(&format!("{other}/providers/{SITE}"), site(json!({}))).refused(409, "Conflict");
    let check = format!("{}/providers/Microsoft.Web/checknameavailability", crate::world::testing::SUB);
    let free = lab.post(&check, json!({"name": "web1", "type": "Site"})).ok(200).json;
    assert_eq!(free["nameAvailable"], false);
}

#[test]
fn settings_are_read_by_listing_and_written_whole() {
    let mut lab = Lab::new(0.0);
    plan(&mut lab, "B1");
    lab.put(&rg(SITE), site(json!({"appSettings": [{"name": "A", "value": "1"}]}))).ok(200);
    let config = |name: &str| rg(&format!("{SITE}/config/{name}"));
    let listed = lab.post(&config("appsettings/list"), json!({})).ok(200).json;
    assert_eq!(listed["properties"], json!({"A": "1"}));
    lab.get(&config("appsettings")).refused(405, "MethodNotAllowed");
    let put = lab.put(&config("appsettings"), json!({"properties": {"B": "2"}})).ok(200).json;
    assert_eq!(put["properties"], json!({"B": "2"}));
    let web = lab.get(&config("web")).ok(200).json;
    assert_eq!(web["properties"]["minTlsVersion"], "1.2");
    lab.patch(&config("web"), json!({"properties": {"minTlsVersion": "9"}})).refused(400, "BadRequest");
    let web = lab.patch(&config("web"), json!({"properties": {"http20Enabled": true}})).ok(200).json;
    assert_eq!(web["properties"]["http20Enabled"], true);
    // a PUT of the site without settings leaves them
    lab.put(&rg(SITE), site(json!({"linuxFxVersion": "DOCKER|nginx"}))).ok(200);
    assert_eq!(lab.post(&config("appsettings/list"), json!({})).json["properties"], json!({"B": "2"}));
    lab.get(&config("nothing")).refused(404, "NotFound");
    lab.post(&rg(&format!("{SITE}/publishxml")), json!({})).ok(200);
}

#[test]
fn slots_are_counted_and_swapped_but_for_what_is_sticky() {
    let mut lab = Lab::new(0.0);
    plan(&mut lab, "B1");
    let settings = |shared: &str, own: &str| {
        site(json!({"linuxFxVersion": format!("DOCKER|app:{shared}"), "alwaysOn": own == "production",
                    "appSettings": [{"name": "VERSION", "value": shared}, {"name": "WHERE", "value": own}]}))
    };
    lab.put(&rg(SITE), settings("1", "production")).ok(200);
    let slot = rg(&format!("{SITE}/slots/staging"));
    lab.put(&slot, settings("2", "staging")).refused(409, "Conflict");
    plan(&mut lab, "S1");
    let made = lab.put(&slot, settings("2", "staging")).ok(200).json;
    assert_eq!(made["name"], "web1/staging");
    assert_eq!(made["properties"]["defaultHostName"], "web1-staging.azurewebsites.net");
    let names = json!({"properties": {"appSettingNames": ["WHERE"]}});
    lab.put(&rg(&format!("{SITE}/config/slotConfigNames")), names).ok(200);
    let differ =
        lab.post(&rg(&format!("{SITE}/slotsdiffs")), json!({"targetSlot": "staging", "preserveVnet": true}));
    assert_eq!(differ.ok(200).json["value"].as_array().unwrap().len(), 2);
    lab.post(&rg(&format!("{SITE}/slotsswap")), json!({"targetSlot": "none"})).refused(404, "NotFound");
    lab.post(&format!("{slot}/slotsswap"), json!({"targetSlot": "production", "preserveVnet": true})).ok(200);
    let mut settings = |path: &str| {
        lab.post(&format!("{path}/config/appsettings/list"), json!({})).json["properties"].clone()
    };
    assert_eq!(settings(&rg(SITE)), json!({"VERSION": "2", "WHERE": "production"}));
    assert_eq!(settings(&slot), json!({"VERSION": "1", "WHERE": "staging"}));
    let web = lab.get(&rg(&format!("{SITE}/config/web"))).json["properties"].clone();
    assert_eq!(
        (web["linuxFxVersion"].clone(), web["alwaysOn"].clone()),
        (json!("DOCKER|app:2"), json!(true))
    );
    for number in 0..4 {
        lab.put(&rg(&format!("{SITE}/slots/s{number}")), site(json!({}))).ok(200);
    }
    lab.put(&rg(&format!("{SITE}/slots/s5")), site(json!({}))).refused(409, "Conflict");
}

#[test]
fn a_swap_takes_its_time_and_is_alone() {
    let mut lab = Lab::new(1.0);
    plan_and_slot(&mut lab);
    let swapped = lab.post(&rg(&format!("{SITE}/slotsswap")), json!({"targetSlot": "staging"})).ok(202);
    assert!(lab.follow(&swapped).1 >= 80);
}

fn plan_and_slot(lab: &mut Lab) {
    let body = json!({"location": "westeurope", "kind": "linux", "sku": {"name": "S1"}, "properties": {"reserved": true}});
    lab.put(&rg(PLAN), body).ok(202);
    lab.wait(20.0);
    lab.put(&rg(SITE), site(json!({}))).ok(202);
    lab.wait(20.0);
    lab.put(&rg(&format!("{SITE}/slots/staging")), site(json!({}))).ok(202);
    lab.wait(20.0);
}
