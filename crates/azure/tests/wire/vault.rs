//! Key Vault's data plane, with its challenge.

use crate::server::{Reply, Seen, Server, TENANT, entra, json, refusal, reply};
use landfall_azure::{Class, Vault};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// A vault that challenges whoever has no token, as Azure's do.
async fn vault(mut answer: impl FnMut(&Seen) -> Reply + Send + 'static) -> (Server, Vault) {
    let server = Server::start(move |seen| {
        if let Some(token) = entra(seen) {
            return token;
        }
        if seen.header("authorization").is_empty() {
            assert!(seen.body.is_empty(), "nothing secret is sent before the challenge");
            let port = seen.host.split(':').nth(1).unwrap();
            return reply(401).with(
                "www-authenticate",
                format!("Bearer authorization=\"https://localhost:{port}/{TENANT}\", resource=\"https://vault.localhost:{port}\""),
            );
        }
        answer(seen)
    })
    .await;
    let vault = Vault::new(&server.cloud(), server.credential(), "KV1").unwrap();
    (server, vault)
}

fn secret(seen: &Seen, version: &str) -> serde_json::Value {
    let name = seen.path.split('/').nth(2).unwrap();
    json!({"id": format!("https://{}/secrets/{name}/{version}", seen.host),
        "attributes": {"enabled": true, "created": 1795000000, "updated": 1795000001}, "tags": {"a": "b"}})
}

#[tokio::test]
async fn set_get_and_list() {
    let (server, vault) = vault(|seen: &Seen| match (seen.method.as_str(), seen.path.trim_end_matches('/')) {
        ("PUT", "/secrets/db") => json(200, secret(seen, "v2")),
        ("GET", "/secrets/db") => {
            let mut body = secret(seen, "v2");
            body["value"] = json!("planted-value");
            json(200, body)
        }
        ("GET", "/secrets") if seen.query.contains("page=2") => {
            json(200, json!({"value": [{"id": format!("https://{}/secrets/a", seen.host)}]}))
        }
        ("GET", "/secrets") => json(
            200,
            json!({"value": [secret(&Seen { path: "/secrets/db".into(), ..seen.clone() }, "")],
                "nextLink": format!("https://{}/secrets?api-version=7.4&page=2", seen.host)}),
        ),
        ("GET", "/secrets/db/versions") => json(
            200,
            json!({"value": [{"id": format!("https://{}/secrets/db/v1", seen.host), "attributes": {"created": 1}},
                {"id": format!("https://{}/secrets/db/v2", seen.host), "attributes": {"created": 2}}]}),
        ),
        ("GET", _) => refusal(404, "SecretNotFound", "A secret with (name/id) none was not found in this key vault."),
        other => panic!("{other:?}"),
    })
    .await;
    let value = SecretString::from("planted-value".to_string());
    let tags = BTreeMap::from([("by".to_string(), "landfall".to_string())]);
    let set = vault.set("db", &value, &tags).await.unwrap();
    assert_eq!((set.name.as_str(), set.version.as_str(), set.enabled), ("db", "v2", true));
    assert_eq!(set.uri, format!("https://kv1.vault.localhost:{}/secrets/db/v2", server.port));
    assert_eq!(set.created.unwrap().as_second(), 1795000000);
    let sent = server.seen().into_iter().find(|seen| seen.method == "PUT" && !seen.body.is_empty()).unwrap();
    assert_eq!(sent.json(), json!({"value": "planted-value", "tags": {"by": "landfall"}}));
    assert_eq!(sent.host, format!("kv1.vault.localhost:{}", server.port));

    let (version, value) = vault.get("db", None).await.unwrap().unwrap();
    assert_eq!((version.version.as_str(), value.expose_secret()), ("v2", "planted-value"));
    assert!(!format!("{version:?} {vault:?} {value:?}").contains("planted"));
    assert!(vault.get("none", None).await.unwrap().is_none());
    let names: Vec<String> = vault.list().await.unwrap().into_iter().map(|secret| secret.name).collect();
    assert_eq!(names, ["a", "db"]);
    let versions: Vec<String> =
        vault.versions("db").await.unwrap().into_iter().map(|secret| secret.version).collect();
    assert_eq!(versions, ["v2", "v1"]);
    assert!(vault.versions("none").await.unwrap().is_empty());
}

#[tokio::test]
async fn deleted_secrets() {
    let (_server, vault) = vault(|seen: &Seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("DELETE", "/secrets/db") => json(200, secret(seen, "v1")),
        ("DELETE", "/secrets/none") => refusal(404, "SecretNotFound", "none"),
        ("GET", "/deletedsecrets") => json(
            200,
            json!({"value": [{"id": format!("https://{}/secrets/db", seen.host), "recoveryId": format!("https://{}/deletedsecrets/db", seen.host),
                "deletedDate": 1795000000, "scheduledPurgeDate": 1795600000}]}),
        ),
        ("POST", "/deletedsecrets/db/recover") => json(200, secret(seen, "v1")),
        ("DELETE", "/deletedsecrets/db") => reply(204),
        other => panic!("{other:?}"),
    })
    .await;
    assert!(vault.delete("db").await.unwrap());
    assert!(!vault.delete("none").await.unwrap());
    let deleted = vault.deleted().await.unwrap();
    assert_eq!(deleted[0].name, "db");
    assert!(deleted[0].purge_on > deleted[0].deleted);
    vault.recover("db").await.unwrap();
    vault.purge("db").await.unwrap();
}

#[tokio::test]
async fn a_missing_role_and_a_passing_trouble() {
    let mut asked = 0;
    let (server, vault) = vault(move |seen: &Seen| {
        if seen.method == "PUT" {
            let quoted = String::from_utf8_lossy(&seen.body).to_string();
            return json(403, json!({"error": {"code": "Forbidden", "innererror": {"code": "ForbiddenByRbac"},
                "message": format!("Caller is not authorized to perform action on resource. You sent {quoted}")}}));
        }
        asked += 1;
        match asked {
            1 => reply(503).with("retry-after", "0"),
            2 => refusal(429, "Throttled", "too many").with("retry-after", "0"),
            _ => json(200, json!({"value": []})),
        }
    })
    .await;
    let value = SecretString::from("planted-value".to_string());
    let error = vault.set("db", &value, &BTreeMap::new()).await.unwrap_err();
    assert_eq!((error.class(), error.status()), (Class::NotYetConsistent, Some(403)));
    assert!(
        error.has_code("ForbiddenByRbac") && error.remedy().unwrap().contains("Key Vault Secrets Officer")
    );
    assert_eq!(
        error.request(),
        Some(format!("set the secret db in https://kv1.vault.localhost:{}", server.port).as_str())
    );
    let said = format!("{error} {error:?}");
    assert!(said.contains("You sent") && !said.contains("planted"), "{said}");
    assert_eq!(server.seen().iter().filter(|seen| !seen.body.is_empty()).count(), 1, "a write is sent once");
    assert!(vault.list().await.unwrap().is_empty(), "a read is sent again");
}

#[tokio::test]
async fn a_sign_in_that_fails_is_told_whole() {
    let server = Server::start(|seen: &Seen| {
        if seen.path.ends_with("/token") {
            return json(400, json!({"error": "unauthorized_client", "error_description": "AADSTS700016: Application not found in the directory."}));
        }
        let port = seen.host.split(':').nth(1).unwrap();
        reply(401).with("www-authenticate", format!("Bearer authorization=\"https://localhost:{port}/t\", resource=\"https://vault.localhost:{port}\""))
    })
    .await;
    let vault = Vault::new(&server.cloud(), server.credential(), "kv1").unwrap();
    let error = vault.list().await.unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Some("AADSTS700016"), "Application not found in the directory.")
    );
    assert!(error.remedy().unwrap().contains("client id"));
}

#[tokio::test]
async fn a_vault_that_is_not_there() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Server::start(|_| reply(200)).await;
    let mut cloud = server.cloud();
    cloud.keyvault_suffix = format!(".vault.localhost:{port}");
    let vault = Vault::new(&cloud, server.credential(), "kv1").unwrap();
    let started = std::time::Instant::now();
    let error = vault.list().await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!((error.code(), error.remedy()), (Some("ConnectionRefused"), Some("start it first")));
    assert!(error.to_string().contains("kv1.vault.localhost"), "{error}");
}

#[tokio::test]
async fn names_that_are_none() {
    let (server, vault) = vault(|_| reply(500)).await;
    for name in ["", "a/b", "../x", "a b"] {
        assert!(vault.get(name, None).await.unwrap_err().message().contains("no secret's name"));
    }
    assert!(vault.get("a", Some("../b")).await.is_err());
    assert!(Vault::new(&server.cloud(), server.credential(), "a.evil.example/").is_err());
    assert!(server.all().is_empty());
}
