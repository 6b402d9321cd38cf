//! What an application with a network of its own consists of.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(missing_docs)]

use landfall_blueprint::{Address, Blueprint, Body, Problem, blueprint};
use landfall_manifest::{App, load};

fn app(text: &str) -> App {
    let head = "app = \"talenti\"\nregion = \"australiaeast\"\n";
    let loaded = load("landfall.toml", &format!("{head}{text}"), Some("prod"));
    loaded.app.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

fn made(text: &str) -> Blueprint {
    blueprint(&app(text)).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn problems(text: &str) -> Vec<Problem> {
    blueprint(&app(text)).unwrap_err()
}

fn body<'a>(blueprint: &'a Blueprint, kind: &str, name: &str) -> &'a Body {
    let address = Address::new(kind, name);
    &blueprint.get(&address).unwrap_or_else(|| panic!("no {address}")).body
}

fn text<'a>(body: &'a Body, path: &str) -> &'a str {
    body.at(path).and_then(Body::as_str).unwrap_or_else(|| panic!("{path} in {body:?}"))
}

const WEB: &str = "[service.web]\nimage = \"ghcr.io/acme/web:1\"\nport = 8000\n";

fn subnets(blueprint: &Blueprint) -> Vec<(String, String)> {
    let subnets = blueprint.resources.iter().filter(|resource| resource.address.kind() == "subnet");
    subnets
        .map(|subnet| {
            let name = subnet.name.rsplit('/').next().unwrap().to_owned();
            (name, text(&subnet.body, "properties.addressPrefix").to_owned())
        })
        .collect()
}

#[test]
fn without_a_network_nothing_of_one_is_there() {
    let made = made(WEB);
    assert!(!made.resources.iter().any(|resource| resource.resource_type.starts_with("Microsoft.Network/")));
}

#[test]
fn subnets_are_made_as_they_are_needed_and_stay_where_they_are() {
    let one = subnets(&made(&format!("{WEB}[network]\n")));
    assert_eq!(one, [("snet-container-apps".to_owned(), "10.0.0.0/23".to_owned())]);
    let two = subnets(&made(&format!(
        "{WEB}[network]\nprivate = true\n[network.subnet.machines]\nrange = \"10.0.9.0/24\"\n"
    )));
    assert!(two.contains(&one[0]));
    assert!(two.contains(&("snet-endpoints".to_owned(), "10.0.2.0/24".to_owned())));
    assert!(two.contains(&("snet-machines".to_owned(), "10.0.9.0/24".to_owned())));
}

#[test]
fn names_that_azure_demands_are_used() {
    let made = made(
        "[network]\n[network.subnet.mgmt]\nfor = \"bastion\"\n[network.subnet.app-subnet]\nrange = \"10.0.1.0/24\"\nfor = \"app-service\"\n",
    );
    let names: Vec<String> = subnets(&made).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["app-subnet", "AzureBastionSubnet"]);
    let Some(Body::Array(delegations)) = body(&made, "subnet", "app-subnet").at("properties.delegations")
    else {
        panic!("no delegation")
    };
    assert_eq!(text(&delegations[0], "properties.serviceName"), "Microsoft.Web/serverFarms");
}

#[test]
fn a_space_without_room_is_a_problem() {
    let found = problems(&format!("{WEB}[network]\nspace = \"10.0.0.0/28\"\n"));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].code, found[0].path.as_str()), ("LF1508", "network.space"));
}

#[test]
fn a_private_network_lets_in_the_addresses_it_names_and_nobody_else() {
    let text = |allow: &str| {
        format!(
            "[service.web]\nsource = \".\"\nport = 80\n[resource.store]\ntype = \"storage\"\n[network]\nprivate = true\n{allow}"
        )
    };
    let closed = made(&text(""));
    let open = made(&text("allow = [\"203.0.113.7/32\", \"198.51.100.0/24\"]\n"));
    for (kind, name, rules) in [
        ("vault", "main", "properties.networkAcls"),
        ("registry", "main", "properties.networkRuleSet"),
        ("storage", "store", "properties.networkAcls"),
    ] {
        assert_eq!(self::text(body(&closed, kind, name), "properties.publicNetworkAccess"), "Disabled");
        assert_eq!(body(&closed, kind, name).at(rules), None);
        assert_eq!(self::text(body(&open, kind, name), "properties.publicNetworkAccess"), "Enabled");
        let rules = body(&open, kind, name).at(rules).unwrap();
        assert_eq!(self::text(rules, "defaultAction"), "Deny");
        let Some(Body::Array(allowed)) = rules.get("ipRules") else { panic!("{rules:?}") };
        let values: Vec<&str> = allowed.iter().map(|rule| self::text(rule, "value")).collect();
        assert_eq!(values, ["203.0.113.7", "198.51.100.0/24"]);
    }
    // What nobody declared is private as well, which only this one can be.
    assert_eq!(self::text(body(&closed, "registry", "main"), "sku.name"), "Premium");
    assert!(closed.get(&Address::new("privateEndpoint", "registry.registry")).is_some());
    // The service starts once the names of what it uses lead into the network.
    let waits = closed.service("web").unwrap().depends_on();
    assert!(waits.contains(&Address::new("privateDnsZoneGroup", "registry.registry")), "{waits:?}");
}

#[test]
fn a_gateway_leads_only_to_what_it_can_reach() {
    let routes = "[network.gateway]\nroutes = [{ service = \"web\" }]\n";
    let internal = WEB.replace("port = 8000", "port = 8000\ningress = { public = false }");
    let made = made(&format!("{internal}{routes}"));
    assert_eq!(
        made.service("web").unwrap().body.at("properties.configuration.ingress.external"),
        Some(&true.into())
    );
    let public =
        "[service.front]\nimage = \"ghcr.io/acme/front:1\"\nport = 80\ningress = { public = true }\n";
    let found = problems(&format!("{internal}{public}{routes}"));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].message.contains("`web`, which the gateway cannot reach"), "{found:#?}");
}
