//! What a registry takes as names, and which tokens open what.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::world::testing::{Answer, Lab, rg};
use crate::world::{Method, Plane};

use super::*;

#[test]
fn names_are_those_of_the_distribution_protocol() {
    for good in ["a", "a/b", "team/app-1", "a__b", "a.b", "a--b", "0/1/2", &"a".repeat(255)] {
        assert!(is_repository(good), "{good}");
    }
    for bad in
        ["", "/", "a/", "/a", "A", "a//b", "-a", "a-", "a..b", "a___b", "a._b", "é", "a b", &"a".repeat(256)]
    {
        assert!(!is_repository(bad), "{bad}");
    }
    for good in ["v1", "latest", "_x", "1.2-rc_1", &"a".repeat(128)] {
        assert!(is_tag(good), "{good}");
    }
    for bad in ["", "-a", ".a", "a/b", "a:b", "a@b", &"a".repeat(129)] {
        assert!(!is_tag(bad), "{bad}");
    }
    assert!(is_digest(&digest_of(b"x")));
    for bad in ["", "sha256:", "sha512:00", "sha256:XYZ", &digest_of(b"x").to_uppercase()] {
        assert!(!is_digest(bad), "{bad}");
    }
}

/// A registry with its admin enabled, and how the admin asks.
fn ready() -> (Lab, impl Fn(&mut Lab, Method, &str, Option<Value>) -> Answer) {
    let mut lab = Lab::new(0.0);
    let path = rg("Microsoft.ContainerRegistry/registries/acr01");
    let body =
        json!({"location": "westeurope", "sku": {"name": "Basic"}, "properties": {"adminUserEnabled": true}});
    lab.put(&path, body).ok(201);
    let shown = lab.post(&format!("{path}/listCredentials"), json!({})).ok(200).json;
    let password = shown["passwords"][0]["value"].as_str().expect("a password").to_owned();
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("acr01:{password}"));
    let ask = move |lab: &mut Lab, method, path: &str, body: Option<Value>| {
        let headers = [("authorization".to_owned(), format!("Basic {basic}"))];
        let body = body.map(|body| body.to_string().into_bytes());
        let plane = Plane::Registry { name: "acr01".into() };
        lab.raw(plane, "https://acr01.azurecr.localhost:8443", method, path, &headers, body)
    };
    (lab, ask)
}

fn index(note: &str) -> Value {
    json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [],
           "annotations": {"note": note}})
}

#[test]
fn locks_forbid_what_roles_allow() {
    let (mut lab, ask) = ready();
    ask(&mut lab, Method::Put, "/v2/web/manifests/v1", Some(index("one"))).ok(201);
    let lock = |value: bool| Some(json!({"writeEnabled": value}));
    let locked = ask(&mut lab, Method::Patch, "/acr/v1/web/_tags/v1", lock(false)).ok(200).json;
    assert_eq!(locked["tag"]["changeableAttributes"]["writeEnabled"], false);
    let disallowed = |answer: Answer| {
        assert_eq!(
            (answer.status, &answer.json["errors"][0]["code"]),
            (405, &json!("REGISTRY_DISALLOWED_OPERATION"))
        );
    };
    disallowed(ask(&mut lab, Method::Put, "/v2/web/manifests/v1", Some(index("two"))));
    disallowed(ask(&mut lab, Method::Delete, "/acr/v1/web/_tags/v1", None));
    disallowed(ask(&mut lab, Method::Delete, "/acr/v1/web", None));
    ask(&mut lab, Method::Put, "/v2/web/manifests/v2", Some(index("two"))).ok(201);
    ask(&mut lab, Method::Patch, "/acr/v1/web/_tags/v1", lock(true)).ok(200);
    ask(&mut lab, Method::Patch, "/acr/v1/web", Some(json!({"readEnabled": false}))).ok(200);
    disallowed(ask(&mut lab, Method::Get, "/v2/web/manifests/v1", None));
    ask(&mut lab, Method::Patch, "/acr/v1/web", Some(json!({"readEnabled": "no"}))).ok(400);
    let gone = ask(&mut lab, Method::Delete, "/acr/v1/web", None).ok(202).json;
    assert_eq!(gone["tagsDeleted"], json!(["v1", "v2"]));
}

#[test]
fn lists_come_in_pages_and_orders() {
    let (mut lab, ask) = ready();
    for tag in ["b", "a", "c"] {
        ask(&mut lab, Method::Put, &format!("/v2/web/manifests/{tag}"), Some(index(tag))).ok(201);
        lab.wait(1.0);
    }
    let names = |answer: &Answer| -> Vec<String> {
        let tags = answer.json["tags"].as_array().expect("tags");
        tags.iter().map(|tag| tag["name"].as_str().unwrap_or_default().to_owned()).collect()
    };
    for (order, expected) in
        [("", ["a", "b", "c"]), ("timeasc", ["b", "a", "c"]), ("timedesc", ["c", "a", "b"])]
    {
        let mut path = format!("/acr/v1/web/_tags?n=2&orderby={order}");
        let mut all = Vec::new();
        loop {
            let page = ask(&mut lab, Method::Get, &path, None).ok(200);
            all.extend(names(&page));
            let Some(link) = page.header("link") else { break };
            path = link.trim_start_matches('<').split('>').next().expect("a link").to_owned();
        }
        assert_eq!(all, expected, "{order}");
    }
    let digest =
        ask(&mut lab, Method::Get, "/acr/v1/web/_tags/a", None).ok(200).json["tag"]["digest"].clone();
    let path = format!("/acr/v1/web/_tags?digest={}", digest.as_str().expect("a digest"));
    assert_eq!(names(&ask(&mut lab, Method::Get, &path, None)), ["a"]);
}
