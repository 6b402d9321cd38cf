//! A container app from nothing to answering, over real sockets: registry, roles, vault, revisions, ingress, logs.

// A helper that fails is a test that fails.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine;
use landfall_local::{Address, Options, serve};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const ACR_PULL: &str = "7f951dda-4ed3-4680-a7ca-43fe172d538d";
const ACR_PUSH: &str = "8311e382-0749-4cb8-b61a-304f252e45ec";
const SECRETS_OFFICER: &str = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7";
const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn server(folder: &std::path::Path) -> Vec<u8> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/runtime/testdata/server.c");
    let program = folder.join("server");
    let status = std::process::Command::new("cc")
        .args(["-O1", "-static", "-pthread", "-D_GNU_SOURCE", "-o"])
        .args([program.as_os_str(), source.as_ref()])
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::read(program).unwrap()
}

struct Azure {
    client: Client,
    address: Address,
    env: BTreeMap<String, String>,
    group: String,
}

impl Azure {
    async fn new(address: Address) -> Azure {
        let ca = reqwest::Certificate::from_pem(&std::fs::read(&address.ca_file).unwrap()).unwrap();
        let mut builder = Client::builder().tls_certs_only([ca]).no_proxy();
        // Names under `.localhost` are known to few resolvers.
        for host in ["kvtest1.vault.localhost", "crtest1.azurecr.localhost"] {
            builder = builder.resolve(host, SocketAddr::from(([127, 0, 0, 1], address.port)));
        }
        let env = address.status.env.clone();
        let group = format!("/subscriptions/{}/resourceGroups/rg", env["SUBSCRIPTION_ID"]);
        Azure { client: builder.build().unwrap(), address, env, group }
    }

    async fn token(&self, audience: &str) -> String {
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope={audience}/.default",
            self.env["CLIENT_ID"], self.env["CLIENT_SECRET"]
        );
        let url = format!("{}/{}/oauth2/v2.0/token", self.address.arm, self.env["TENANT_ID"]);
        let request =
            self.client.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> Response {
        let token = self.token(&self.address.arm).await;
        let url = if path.starts_with("https:") {
            path.to_owned()
        } else {
            let version = if path.contains("Microsoft.Authorization") { "2022-04-01" } else { "2025-07-01" };
            format!("{}{path}?api-version={version}", self.address.arm)
        };
        let mut request = self.client.request(method, url).bearer_auth(token);
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        self.send(Method::GET, path, Value::Null).await.json().await.unwrap()
    }

    /// Sends, and follows the operation to its end.
    async fn change(&self, method: Method, path: &str, body: Value) -> Result<Value, Value> {
        let answer = self.send(method, path, body).await;
        let status = answer.status();
        let operation =
            answer.headers().get("azure-asyncoperation").map(|url| url.to_str().unwrap().to_owned());
        let body: Value = answer.json().await.unwrap_or(Value::Null);
        if !status.is_success() {
            return Err(body["error"].clone());
        }
        let Some(operation) = operation else { return Ok(body) };
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            let now = self.get(&operation).await;
            match now["status"].as_str() {
                Some("Succeeded") => return Ok(self.get(path).await),
                Some("Failed") => return Err(now["error"].clone()),
                _ => assert!(Instant::now() < limit, "the operation does not end: {now}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn put(&self, path: &str, body: Value) -> Value {
        self.change(Method::PUT, path, body).await.unwrap_or_else(|error| panic!("PUT {path}: {error}"))
    }

    fn id(&self, kind: &str, name: &str) -> String {
        format!("{}/providers/{kind}/{name}", self.group)
    }

    async fn assign(&self, scope: &str, role: &str, principal: &str) {
        let name =
            uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, format!("{scope}{role}{principal}").as_bytes());
        let role = format!(
            "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/{role}",
            self.env["SUBSCRIPTION_ID"]
        );
        let body = json!({"properties": {"roleDefinitionId": role, "principalId": principal, "principalType": "ServicePrincipal"}});
        self.put(&format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"), body).await;
    }

    async fn push(&self, registry: &str, program: &[u8]) -> String {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(program.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, "app/server", program).unwrap();
        let layer = tar.into_inner().unwrap();
        let config = json!({"config": {"Entrypoint": ["/app/server"], "User": "10001"}, "os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]}}).to_string().into_bytes();
        let media = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({"schemaVersion": 2, "mediaType": media,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(&config), "size": config.len()},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(&layer), "size": layer.len()}]})
        .to_string()
        .into_bytes();
        let base = format!("https://{registry}");
        let form = |pairs: String| (self.client.clone(), pairs);
        let post = |url: String, (client, body): (Client, String)| async move {
            let request =
                client.post(url).header("content-type", "application/x-www-form-urlencoded").body(body);
            let answer = request.send().await.unwrap();
            let status = answer.status();
            let text = answer.text().await.unwrap();
            assert!(status.is_success(), "{status} {text}");
            serde_json::from_str::<Value>(&text).unwrap()
        };
        let entra = self.token(&self.address.arm).await;
        let refresh = post(
            format!("{base}/oauth2/exchange"),
            form(format!(
                "grant_type=access_token&service={registry}&tenant={}&access_token={entra}",
                self.env["TENANT_ID"]
            )),
        )
        .await;
        let access = post(
            format!("{base}/oauth2/token"),
            form(format!(
                "grant_type=refresh_token&service={registry}&scope=repository:web:pull,push&refresh_token={}",
                refresh["refresh_token"].as_str().unwrap()
            )),
        )
        .await;
        let token = access["access_token"].as_str().unwrap();
        for blob in [&layer, &config] {
            let begun = self
                .client
                .post(format!("{base}/v2/web/blobs/uploads/"))
                .bearer_auth(token)
                .send()
                .await
                .unwrap();
            assert_eq!(begun.status(), 202);
            let place = begun.headers()["location"].to_str().unwrap().to_owned();
            let place = if place.starts_with("http") { place } else { format!("{base}{place}") };
            let join = if place.contains('?') { '&' } else { '?' };
            let done = self
                .client
                .put(format!("{place}{join}digest={}", digest(blob)))
                .bearer_auth(token)
                .body(blob.clone())
                .send()
                .await
                .unwrap();
            assert_eq!(done.status(), 201, "{}", done.text().await.unwrap());
        }
        let done = self
            .client
            .put(format!("{base}/v2/web/manifests/v1"))
            .bearer_auth(token)
            .header("content-type", media)
            .body(manifest.clone())
            .send()
            .await
            .unwrap();
        assert_eq!(done.status(), 201, "{}", done.text().await.unwrap());
        format!("{registry}/web@{}", digest(&manifest))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_from_nothing_to_answering() {
    let scratch = tempfile::tempdir().unwrap();
    let (ready, is_ready) = tokio::sync::oneshot::channel::<Address>();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let options =
        Options { speed: Some(0.01), seed: Some(7), ..Options::folder(scratch.path().join("state")) };
    let local = tokio::spawn(serve(options, |address| ready.send(address.clone()).unwrap(), async {
        let _ = stopped.await;
    }));
    let azure = Azure::new(is_ready.await.unwrap()).await;
    let tenant = azure.env["TENANT_ID"].clone();
    let place = json!({"location": "westeurope"});
    let owner: Value = {
        let token = azure.token(&azure.address.arm).await;
        let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(token.split('.').nth(1).unwrap())
            .unwrap();
        serde_json::from_slice(&payload).unwrap()
    };
    let owner = owner["oid"].as_str().unwrap();

    azure.put(&azure.group, place.clone()).await;
    let identity = azure.id("Microsoft.ManagedIdentity/userAssignedIdentities", "id-web");
    let principal =
        azure.put(&identity, place.clone()).await["properties"]["principalId"].as_str().unwrap().to_owned();
    let registry = azure.id("Microsoft.ContainerRegistry/registries", "crtest1");
    let made = azure.put(&registry, json!({"location": "westeurope", "sku": {"name": "Basic"}})).await;
    let login_server = made["properties"]["loginServer"].as_str().unwrap().to_owned();
    azure.assign(&registry, ACR_PUSH, owner).await;
    let vault = azure.id("Microsoft.KeyVault/vaults", "kvtest1");
    let body = json!({"location": "westeurope", "properties": {"tenantId": tenant, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": true}});
    let vault_uri = azure.put(&vault, body).await["properties"]["vaultUri"].as_str().unwrap().to_owned();
    azure.assign(&vault, SECRETS_OFFICER, owner).await;
    azure.assign(&vault, SECRETS_USER, &principal).await;
    let environment = azure.id("Microsoft.App/managedEnvironments", "cae");
    azure.put(&environment, json!({"location": "westeurope", "properties": {"appLogsConfiguration": {"destination": "none"}}})).await;

    tokio::time::sleep(Duration::from_millis(900)).await; // roles take 0.6 s at this pace
    let image = azure.push(&login_server, &server(scratch.path())).await;
    let audience = format!(
        "https://{}",
        vault_uri.trim_start_matches("https://").trim_end_matches('/').split_once('.').unwrap().1
    );
    let token = azure.token(&audience).await;
    let secret = azure
        .client
        .put(format!("{vault_uri}secrets/greeting?api-version=7.4"))
        .bearer_auth(token)
        .header("content-type", "application/json")
        .body(json!({"value": "from the vault"}).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(secret.status(), 200, "{}", secret.text().await.unwrap());

    // The role for pulling comes while the app is being made, as it does when both are in one deployment.
    let app = azure.id("Microsoft.App/containerApps", "web");
    let body = |version: &str| {
        json!({
            "location": "westeurope",
            "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity.clone(): {}}},
            "properties": {
                "environmentId": environment,
                "configuration": {
                    "ingress": {"external": true, "targetPort": 8080},
                    "registries": [{"server": login_server, "identity": identity}],
                    "secrets": [{"name": "greeting", "keyVaultUrl": format!("{vault_uri}secrets/greeting"), "identity": identity}],
                },
                "template": {
                    "containers": [{"name": "web", "image": image, "resources": {"cpu": 0.25, "memory": "0.5Gi"},
                        "env": [{"name": "VERSION", "value": version}, {"name": "GREETING", "secretRef": "greeting"}],
                        "probes": [{"type": "Startup", "httpGet": {"path": "/health", "port": 8080}}]}],
                    "scale": {"minReplicas": 1, "maxReplicas": 2},
                },
            },
        })
    };
    azure.assign(&registry, ACR_PULL, &principal).await;
    let made = azure.put(&app, body("one")).await;
    assert_eq!(made["properties"]["latestReadyRevisionName"], "web--0000001");
    let fqdn = made["properties"]["configuration"]["ingress"]["fqdn"].as_str().unwrap().to_owned();

    let apps: Value = azure
        .client
        .get(format!("{}/_local/apps", azure.address.arm))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let plain = apps["value"][0]["url"].as_str().unwrap().to_owned();
    let read = |path: &str| {
        let (client, url) = (azure.client.clone(), format!("{plain}{path}"));
        async move {
            let answer = client.get(url).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        }
    };
    assert_eq!(read("/").await, (200, "one".into()));
    assert_eq!(read("/env/GREETING").await, (200, "from the vault".into()));
    let (_, endpoint) = read("/env/IDENTITY_ENDPOINT").await;
    let (_, pass) = read("/env/IDENTITY_HEADER").await;
    let client_id = azure.get(&identity).await["properties"]["clientId"].as_str().unwrap().to_owned();
    let url = format!("{endpoint}?api-version=2019-08-01&resource={audience}&client_id={client_id}");
    let token: Value = azure
        .client
        .get(url)
        .header("x-identity-header", pass)
        .header("metadata", "true")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let value = azure
        .client
        .get(format!("{vault_uri}secrets/greeting?api-version=7.4"))
        .bearer_auth(token["access_token"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(
        value.json::<Value>().await.unwrap()["value"],
        "from the vault",
        "the app reads the vault by itself"
    );

    // At the address all apps share, by name and over TLS.
    let ca = reqwest::Certificate::from_pem(&std::fs::read(&azure.address.ca_file).unwrap()).unwrap();
    let tls = Client::builder()
        .tls_certs_only([ca])
        .no_proxy()
        .resolve(&fqdn, SocketAddr::from(([127, 0, 0, 1], azure.address.port)))
        .build()
        .unwrap();
    let answer = tls.get(format!("https://{fqdn}:{}/", azure.address.port)).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "one");

    // A new revision under load: nothing fails.
    let load = {
        let (client, url) = (azure.client.clone(), format!("{plain}/"));
        tokio::spawn(async move {
            let mut pace = tokio::time::interval(Duration::from_millis(20));
            let mut running = tokio::task::JoinSet::new();
            for _ in 0..200 {
                pace.tick().await;
                let request = client.get(&url).send();
                running
                    .spawn(async move { request.await.map(|answer| answer.status().as_u16()).unwrap_or(0) });
            }
            running.join_all().await
        })
    };
    azure.put(&app, body("two")).await;
    assert_eq!(read("/").await, (200, "two".into()));
    // One that does not come up leaves it serving, and says why.
    let mut broken = body("three");
    broken["properties"]["template"]["containers"][0]["env"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "MODE", "value": "exit"}));
    let error = azure.change(Method::PUT, &app, broken).await.unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("DATABASE_URL is not set"), "{error}");
    assert_eq!(read("/").await, (200, "two".into()));
    let answers = load.await.unwrap();
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    azure.put(&app, body("four")).await;

    // Logs as az reads them.
    let shown = azure.get(&app).await;
    let revision = shown["properties"]["latestReadyRevisionName"].as_str().unwrap();
    let replicas = azure.get(&format!("{app}/revisions/{revision}/replicas")).await;
    let replica = replicas["value"][0]["name"].as_str().unwrap();
    let token: Value =
        azure.send(Method::POST, &format!("{app}/getAuthToken"), Value::Null).await.json().await.unwrap();
    let events = shown["properties"]["eventStreamEndpoint"].as_str().unwrap();
    let base = &events[..events.find("/subscriptions/").unwrap()];
    let url = format!(
        "{base}{}/containerApps/web/revisions/{revision}/replicas/{replica}/containers/web/logstream?follow=false&output=text&tailLines=20",
        azure.group
    );
    let logs = azure
        .client
        .get(url)
        .bearer_auth(token["properties"]["token"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(logs.status(), 200);
    let logs = logs.text().await.unwrap();
    assert!(logs.contains("listening on port"), "{logs}");

    // It comes back by itself, at the same address.
    stop.send(()).unwrap();
    local.await.unwrap().unwrap();
    let (ready, is_ready) = tokio::sync::oneshot::channel::<Address>();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let local = tokio::spawn(serve(
        Options::folder(scratch.path().join("state")),
        |address| ready.send(address.clone()).unwrap(),
        async {
            let _ = stopped.await;
        },
    ));
    let again = is_ready.await.unwrap();
    assert_eq!(again.port, azure.address.port);
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        match azure.client.get(&plain).send().await {
            Ok(answer) if answer.status() == 200 => {
                assert_eq!(answer.text().await.unwrap(), "four");
                break;
            }
            other => assert!(Instant::now() < limit, "the app does not come back: {other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.send(()).unwrap();
    local.await.unwrap().unwrap();
}
