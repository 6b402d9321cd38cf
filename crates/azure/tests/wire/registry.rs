//! Pushes against a registry that keeps what it is sent, as the OCI distribution API says.

use crate::server::{OBJECT, Reply, Seen, Server, TENANT, cut, entra, json, refusal, reply};
use landfall_azure::{Blob, Class, Progress, Push, Registry};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

const CHUNK: usize = 8 * 1024 * 1024;

#[derive(Default)]
struct Store {
    blobs: BTreeMap<String, Vec<u8>>,
    elsewhere: BTreeSet<String>,
    manifests: BTreeMap<String, (Vec<u8>, String)>,
    uploads: BTreeMap<String, Vec<u8>>,
    /// Breaks the connection at these chunk numbers, after keeping half of the chunk.
    break_at: BTreeSet<usize>,
    /// Forgets every upload at these chunk numbers.
    forget_at: BTreeSet<usize>,
    chunks: usize,
    /// Refuses this many access tokens as expired.
    stale: usize,
    tokens: usize,
}

type Shared = Arc<Mutex<Store>>;

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn answer(store: &mut Store, seen: &Seen) -> Reply {
    if let Some(token) = entra(seen) {
        return token;
    }
    let oci = |status, code: &str| {
        json(status, json!({"errors": [{"code": code, "message": code.to_lowercase()}]}))
    };
    if seen.path == "/oauth2/exchange" {
        let form = seen.form();
        assert_eq!((form["grant_type"].as_str(), form["tenant"].as_str()), ("access_token", TENANT));
        assert!(form["access_token"].contains('.'));
        return json(200, json!({"refresh_token": "planted-refresh"}));
    }
    if seen.path == "/oauth2/token" {
        let form = seen.form();
        assert_eq!(
            (form["grant_type"].as_str(), form["refresh_token"].as_str()),
            ("refresh_token", "planted-refresh")
        );
        store.tokens += 1;
        return json(200, json!({"access_token": format!("{}|{}", store.tokens, form["scope"])}));
    }
    let token = seen.header("authorization").trim_start_matches("Bearer ").to_string();
    let number: usize = token.split('|').next().and_then(|number| number.parse().ok()).unwrap_or(0);
    if number <= store.stale {
        let host = &seen.host;
        return oci(401, "UNAUTHORIZED").with(
            "www-authenticate",
            format!("Bearer realm=\"https://{host}/oauth2/token\",service=\"{host}\",scope=\"x\""),
        );
    }
    assert!(token.contains("repository:web:") || token.contains("registry:catalog"), "{token}");
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(seen.query.as_bytes()).into_owned().collect();
    let parts: Vec<&str> = seen.path.trim_matches('/').split('/').collect();
    match (seen.method.as_str(), parts.as_slice()) {
        ("GET", ["v2", "_catalog"]) => match query.get("last") {
            None => json(200, json!({"repositories": ["a"]}))
                .with("link", "</v2/_catalog?last=a&n=1>; rel=\"next\""),
            Some(_) => json(200, json!({"repositories": ["web"]})),
        },
        ("GET", ["v2", "web", "tags", "list"]) => json(200, json!({"name": "web", "tags": ["v1"]})),
        ("HEAD", ["v2", "web", "blobs", digest]) => {
            reply(if store.blobs.contains_key(*digest) { 200 } else { 404 })
        }
        ("POST", ["v2", "web", "blobs", "uploads"]) => {
            if let Some(digest) = query.get("mount")
                && store.elsewhere.contains(digest)
            {
                assert_eq!(query["from"], "base");
                store.blobs.insert(digest.clone(), Vec::new());
                return reply(201);
            }
            let id = format!("u{}", store.uploads.len() + store.chunks * 100);
            store.uploads.insert(id.clone(), Vec::new());
            reply(202).with("location", format!("/v2/web/blobs/uploads/{id}?state=a%2Fb"))
        }
        ("GET", ["v2", "web", "blobs", "uploads", id]) => match store.uploads.get(*id) {
            None => oci(404, "BLOB_UPLOAD_UNKNOWN"),
            Some(bytes) => reply(204)
                .with("range", format!("0-{}", bytes.len().max(1) - 1))
                .with("location", format!("/v2/web/blobs/uploads/{id}?state=asked")),
        },
        ("PATCH" | "PUT", ["v2", "web", "blobs", "uploads", id]) => {
            assert!(query.contains_key("state"), "the address is used as it was given: {}", seen.query);
            store.chunks += 1;
            if store.forget_at.remove(&store.chunks) {
                store.uploads.clear();
            }
            let Some(upload) = store.uploads.get_mut(*id) else { return oci(404, "BLOB_UPLOAD_UNKNOWN") };
            let range = seen.header("content-range");
            if !range.is_empty() {
                let expected = format!("{}-{}", upload.len(), upload.len() + seen.body.len() - 1);
                if range != expected {
                    return oci(416, "BLOB_UPLOAD_INVALID");
                }
            }
            if store.break_at.remove(&store.chunks) {
                upload.extend(&seen.body[..seen.body.len() / 2]);
                return cut();
            }
            upload.extend(&seen.body);
            if seen.method == "PATCH" {
                return reply(202).with("location", format!("/v2/web/blobs/uploads/{id}?state=next"));
            }
            if digest(upload) != query["digest"] {
                return oci(400, "DIGEST_INVALID");
            }
            let bytes = store.uploads.remove(*id).unwrap();
            store.blobs.insert(query["digest"].clone(), bytes);
            reply(201)
        }
        ("HEAD", ["v2", "web", "manifests", name]) => match store.manifests.get(*name) {
            None => reply(404),
            Some((bytes, _)) => reply(200).with("docker-content-digest", digest(bytes)),
        },
        ("PUT", ["v2", "web", "manifests", name]) => {
            let manifest = seen.json();
            let layers = manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]);
            for blob in layers {
                if !store.blobs.contains_key(blob["digest"].as_str().unwrap()) {
                    return oci(400, "MANIFEST_BLOB_UNKNOWN");
                }
            }
            let kept = (seen.body.to_vec(), seen.header("content-type").to_string());
            store.manifests.insert(digest(&seen.body), kept.clone());
            store.manifests.insert(name.to_string(), kept);
            reply(201).with("docker-content-digest", digest(&seen.body))
        }
        ("DELETE", ["v2", "web", "manifests", name]) => {
            reply(if store.manifests.remove(*name).is_some() { 202 } else { 404 })
        }
        other => panic!("{other:?}"),
    }
}

async fn registry(store: Store) -> (Server, Registry, Shared) {
    let store: Shared = Arc::new(Mutex::new(store));
    let kept = store.clone();
    let server = Server::start(move |seen| answer(&mut kept.lock().unwrap(), seen)).await;
    let registry = Registry::new(&server.cloud(), server.credential(), "acr1").unwrap();
    (server, registry, store)
}

fn bytes(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|n| (n as u64).wrapping_mul(2654435761).to_le_bytes()[2] ^ seed).collect()
}

fn layer(folder: &Path, content: &[u8]) -> Blob {
    let digest = digest(content);
    let path = folder.join(&digest[7..20]);
    std::fs::write(&path, content).unwrap();
    Blob { digest, size: content.len() as u64, path }
}

fn image(layers: Vec<Blob>, tags: &[&str]) -> Push {
    let config = br#"{"architecture":"amd64"}"#.to_vec();
    let named = |digest: &str, size: u64| json!({"mediaType": "x", "digest": digest, "size": size});
    let manifest: Value = json!({"schemaVersion": 2, "config": named(&digest(&config), config.len() as u64),
        "layers": layers.iter().map(|layer| named(&layer.digest, layer.size)).collect::<Vec<_>>()});
    Push {
        repository: "web".into(),
        layers,
        config,
        manifest: manifest.to_string().into(),
        manifest_media_type: "application/vnd.oci.image.manifest.v1+json".into(),
        tags: tags.iter().map(|tag| tag.to_string()).collect(),
        mount_from: None,
    }
}

async fn push(registry: &Registry, image: &Push) -> (Result<String, landfall_azure::Error>, Vec<Progress>) {
    let told = Mutex::new(Vec::new());
    let result = registry.push(image, &|progress| told.lock().unwrap().push(progress)).await;
    (result, told.into_inner().unwrap())
}

#[tokio::test]
async fn an_image_arrives_whole_and_is_not_sent_twice() {
    let (server, registry, store) = registry(Store::default()).await;
    let large = bytes(2 * CHUNK + 12345, 1);
    let small = bytes(1000, 2);
    let layers = vec![
        layer(server.folder(), &large),
        layer(server.folder(), &small),
        layer(server.folder(), b""),
        layer(server.folder(), &small),
    ];
    let image = image(layers, &["v1", "latest"]);
    let (result, told) = push(&registry, &image).await;
    let pushed = result.unwrap();
    assert_eq!(pushed, digest(&image.manifest));
    {
        let store = store.lock().unwrap();
        assert_eq!(store.blobs[&digest(&large)], large);
        assert_eq!(store.blobs.len(), 4);
        assert_eq!(store.manifests["v1"], (image.manifest.clone(), image.manifest_media_type.clone()));
        assert_eq!(store.tokens, 1, "one token serves all layers");
    }
    let steps: Vec<u64> = told
        .iter()
        .filter_map(|step| match step {
            Progress::Sent { digest: blob, sent, size } if *blob == digest(&large) => {
                assert_eq!(*size, large.len() as u64);
                Some(*sent)
            }
            _ => None,
        })
        .collect();
    assert!(
        steps.len() > 20 && steps.is_sorted() && steps.last() == Some(&(large.len() as u64)),
        "{steps:?}"
    );
    assert!(told.ends_with(&[
        Progress::Tagged { reference: "v1".into() },
        Progress::Tagged { reference: "latest".into() }
    ]));
    assert_eq!(registry.digest("web", "latest").await.unwrap(), Some(pushed.clone()));
    assert_eq!(registry.host(), format!("acr1.azurecr.localhost:{}", server.port));

    let before = server.all().len();
    let (again, told) = push(&registry, &image).await;
    assert_eq!(again.unwrap(), pushed);
    assert!(server.all()[before..].iter().all(|seen| seen.method == "HEAD"), "only looked at");
    assert_eq!(told.iter().filter(|step| matches!(step, Progress::Present { .. })).count(), 4);
}

#[tokio::test]
async fn a_new_image_sends_only_what_is_new() {
    let (server, registry, store) = registry(Store::default()).await;
    let shared = layer(server.folder(), &bytes(5000, 1));
    push(&registry, &image(vec![shared.clone()], &["v1"])).await.0.unwrap();
    let before = server.all().len();
    let fresh = layer(server.folder(), &bytes(6000, 2));
    let (result, told) = push(&registry, &image(vec![shared.clone(), fresh.clone()], &[])).await;
    let pushed = result.unwrap();
    let uploads = server.all()[before..]
        .iter()
        .filter(|seen| seen.method == "PUT" && seen.path.contains("uploads"))
        .count();
    assert_eq!(uploads, 1);
    assert!(told.contains(&Progress::Present { digest: shared.digest.clone(), size: 5000 }));
    assert!(
        told.contains(&Progress::Tagged { reference: pushed.clone() }),
        "without a tag it is known by its digest"
    );
    assert!(store.lock().unwrap().manifests.contains_key(&pushed));
}

#[tokio::test]
async fn broken_chunks_go_on_from_what_arrived() {
    let store = Store { break_at: BTreeSet::from([3]), forget_at: BTreeSet::from([5]), ..Store::default() };
    let (server, registry, store) = registry(store).await;
    let large = bytes(3 * CHUNK, 7);
    let (result, _) = push(&registry, &image(vec![layer(server.folder(), &large)], &["v1"])).await;
    result.unwrap();
    let store = store.lock().unwrap();
    assert_eq!(store.blobs[&digest(&large)], large);
    assert!(store.break_at.is_empty() && store.forget_at.is_empty(), "both troubles were met");
}

#[tokio::test]
async fn layers_of_another_repository_are_taken_over() {
    let content = bytes(9000, 3);
    let store = Store { elsewhere: BTreeSet::from([digest(&content)]), ..Store::default() };
    let (server, registry, _store) = registry(store).await;
    let mut image = image(vec![layer(server.folder(), &content)], &["v1"]);
    image.mount_from = Some("base".into());
    let (result, told) = push(&registry, &image).await;
    result.unwrap();
    assert!(told.contains(&Progress::Mounted { digest: digest(&content), size: 9000 }));
    let token =
        server.all().into_iter().find(|seen| seen.path == "/oauth2/token").unwrap().form()["scope"].clone();
    assert!(
        server.all().iter().any(
            |seen| seen.path == "/oauth2/token" && seen.form()["scope"].ends_with("repository:base:pull")
        ),
        "{token}"
    );
}

#[tokio::test]
async fn a_token_that_ended_is_fetched_anew() {
    let (server, registry, store) = registry(Store::default()).await;
    registry.tags("web").await.unwrap();
    store.lock().unwrap().stale = 1;
    assert_eq!(registry.tags("web").await.unwrap(), ["v1"]);
    assert_eq!(store.lock().unwrap().tokens, 2);
    let exchanges = server.all().iter().filter(|seen| seen.path == "/oauth2/exchange").count();
    assert_eq!(exchanges, 1, "the refresh token is kept");
}

#[tokio::test]
async fn tags_repositories_and_removal() {
    let (server, registry, _store) = registry(Store::default()).await;
    assert_eq!(registry.repositories().await.unwrap(), ["a", "web"]);
    assert_eq!(registry.digest("web", "none").await.unwrap(), None);
    let image = image(vec![layer(server.folder(), b"x")], &["v1"]);
    let pushed = push(&registry, &image).await.0.unwrap();
    assert!(registry.delete("web", &pushed).await.unwrap());
    assert!(!registry.delete("web", &pushed).await.unwrap());
}

#[tokio::test]
async fn a_file_that_is_not_what_it_was() {
    let (server, registry, _store) = registry(Store::default()).await;
    let blob = layer(server.folder(), &bytes(4000, 1));
    std::fs::write(&blob.path, bytes(4000, 9)).unwrap();
    let (result, _) = push(&registry, &image(vec![blob.clone()], &["v1"])).await;
    let error = result.unwrap_err();
    assert_eq!((error.code(), error.class()), (Some("DIGEST_INVALID"), Class::Fatal));
    assert!(error.remedy().unwrap().contains("Build again"));
    std::fs::write(&blob.path, b"short").unwrap();
    let error = push(&registry, &image(vec![blob], &["v1"])).await.0.unwrap_err();
    assert!(error.to_string().contains("cannot read the layer"), "{error}");
}

#[tokio::test]
async fn who_may_not_push_is_told_which_role() {
    let server = Server::start(|seen: &Seen| {
        if let Some(token) = entra(seen) {
            return token;
        }
        match seen.path.as_str() {
            "/oauth2/exchange" => {
                let quoted = seen.form()["access_token"].clone();
                json(401, json!({"errors": [{"code": "UNAUTHORIZED", "message": format!("no access for {quoted}")}]}))
            }
            _ => reply(401).with("www-authenticate", format!("Bearer realm=\"https://{}/oauth2/token\",service=\"x\"", seen.host)),
        }
    })
    .await;
    let registry = Registry::new(&server.cloud(), server.credential(), "acr1").unwrap();
    let error = registry.tags("web").await.unwrap_err();
    assert_eq!((error.class(), error.status()), (Class::NotYetConsistent, Some(401)));
    assert!(error.remedy().unwrap().contains("AcrPush"));
    let said = format!("{error} {error:?}");
    assert!(
        said.contains("no access for ***") && !said.contains("planted") && !said.contains(OBJECT),
        "{said}"
    );
}

#[tokio::test]
async fn tokens_do_not_go_elsewhere() {
    let server = Server::start(|seen: &Seen| {
        entra(seen).unwrap_or_else(|| {
            reply(401)
                .with("www-authenticate", "Bearer realm=\"https://evil.example/oauth2/token\",service=\"x\"")
        })
    })
    .await;
    let registry = Registry::new(&server.cloud(), server.credential(), "acr1").unwrap();
    let error = registry.tags("web").await.unwrap_err();
    assert!(error.message().contains("https://evil.example"), "{error}");
    assert!(Registry::new(&server.cloud(), server.credential(), "acr1.evil.example/").is_err());
}

#[tokio::test]
async fn passing_troubles_and_plain_registries() {
    let mut asked = 0;
    let server = Server::start(move |_| {
        asked += 1;
        match asked {
            1 => reply(503).with("retry-after", "0"),
            2 => refusal(429, "TOOMANYREQUESTS", "slow").with("retry-after", "0"),
            _ => json(200, json!({"tags": ["a"]})),
        }
    })
    .await;
    let registry = Registry::new(&server.cloud(), server.credential(), "acr1").unwrap();
    assert_eq!(registry.tags("web").await.unwrap(), ["a"], "a registry that asks for no token gets none");
    assert_eq!(server.all().len(), 3);
}

#[tokio::test]
async fn a_digest_without_its_header_is_that_of_the_bytes() {
    let server = Server::start(|seen: &Seen| match seen.path.as_str() {
        "/v2/web/manifests/v1" if seen.method == "HEAD" => reply(200),
        "/v2/web/manifests/v1" => reply(200).text("the manifest"),
        _ => reply(404),
    })
    .await;
    let registry = Registry::new(&server.cloud(), server.credential(), "acr1").unwrap();
    assert_eq!(registry.digest("web", "v1").await.unwrap(), Some(digest(b"the manifest")));
    let accepted = server.all()[0].header("accept").to_string();
    assert!(
        accepted.contains("oci.image.manifest.v1+json")
            && accepted.contains("docker.distribution.manifest.v2+json")
    );
}
