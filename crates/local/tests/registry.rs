//! A registry as real clients use it: `oci-client`, `skopeo`, and the protocol by hand.
#![allow(clippy::expect_used)]

mod common;

use std::process::Stdio;

use common::Local;
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, Config, ImageLayer};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, manifest};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const ACR_PULL: &str = "7f951dda-4ed3-4680-a7ca-43fe172d538d";

async fn client(local: &Local, monolithic: bool) -> Client {
    let certificate = Certificate { encoding: CertificateEncoding::Pem, data: local.ca() };
    Client::new(ClientConfig {
        tls_certs_only: vec![certificate],
        https_proxy: Some(common::proxy().await),
        use_monolithic_push: monolithic,
        ..ClientConfig::default()
    })
}

/// The user name of zeros with a refresh token, as `az acr login` leaves it.
async fn login(local: &Local) -> (String, String) {
    let token = local.token(local.arm()).await;
    let service = service(local);
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("grant_type", "access_token"), ("service", &service), ("access_token", &token)])
        .finish();
    let answer = local
        .http
        .post(format!("https://{service}/oauth2/exchange"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 200);
    let body: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
    let token = body["refresh_token"].as_str().expect("a refresh token").to_owned();
    ("00000000-0000-0000-0000-000000000000".into(), token)
}

fn service(local: &Local) -> String {
    format!("acr100{}", local.env("ACR_SUFFIX"))
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

#[tokio::test(flavor = "multi_thread")]
async fn oci_client_pushes_and_pulls() {
    let local = Local::start().await;
    local.registry("acr100").await;
    let (user, password) = login(&local).await;
    let auth = RegistryAuth::Basic(user, password);
    for monolithic in [true, false] {
        let client = client(&local, monolithic).await;
        let image = Reference::with_tag(service(&local), format!("team/app-{monolithic}"), "v1".into());
        // Larger than one chunk of the client's.
        let data: Vec<u8> = (0..9_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let layers = vec![ImageLayer::oci_v1(data.clone(), None), ImageLayer::oci_v1(&b"second"[..], None)];
        let config = Config::oci_v1(&b"{}"[..], None);
        client.push(&image, &layers, config, &auth, None).await.expect("pushed");
        let pulled =
            client.pull(&image, &auth, vec![manifest::IMAGE_LAYER_MEDIA_TYPE]).await.expect("pulled");
        assert_eq!(pulled.layers.len(), 2);
        // In the order they came in.
        assert!(pulled.layers.iter().any(|layer| layer.data == data), "the large layer came back whole");
        assert!(pulled.layers.iter().any(|layer| layer.data == "second"));
        let tags = client.list_tags(&image, &auth, None, None).await.expect("tags");
        assert_eq!(tags.tags, ["v1"]);
        assert!(client.blob_exists(&image, &digest(&data)).await.expect("asked"));
        let missing = Reference::with_tag(service(&local), "team/none".into(), "v1".into());
        let error = client.pull_manifest(&missing, &auth).await.expect_err("there is none");
        assert!(
            format!("{error:?}").contains("NameUnknown") || format!("{error:?}").contains("NAME_UNKNOWN"),
            "{error:?}"
        );
    }
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_copies_inspects_and_deletes() {
    let found = std::process::Command::new("skopeo").arg("--version").stdout(Stdio::null()).status();
    if found.is_err() {
        eprintln!("skipped: skopeo is not installed (apt-get install skopeo)");
        return;
    }
    let local = Local::start().await;
    local.registry("acr100").await;
    let (user, password) = login(&local).await;
    let folder = tempfile::tempdir().expect("a folder");
    let certs = folder.path().join("certs");
    std::fs::create_dir(&certs).expect("a folder");
    std::fs::write(certs.join("ca.crt"), local.ca()).expect("the CA");
    let layout = folder.path().join("layout");
    layout_with_image(&layout);
    let proxy = common::proxy().await;
    let skopeo = async |arguments: &[&str]| {
        let output = tokio::process::Command::new("skopeo")
            .args(arguments)
            .env("HTTPS_PROXY", &proxy)
            .env("HOME", folder.path())
            .output()
            .await
            .expect("skopeo runs");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), stdout, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let image = format!("docker://{}/team/site:v1", service(&local));
    let second = format!("docker://{}/team/mirror:v1", service(&local));
    let source = format!("oci:{}:v1", layout.display());
    let credentials = format!("{user}:{password}");
    let certs = certs.display().to_string();
    let policy = ["--insecure-policy"];
    let with =
        |arguments: &[&str]| policy.iter().chain(arguments).map(|a| (*a).to_owned()).collect::<Vec<_>>();
    let run = async |arguments: &[&str]| {
        let all = with(arguments);
        skopeo(&all.iter().map(String::as_str).collect::<Vec<_>>()).await
    };

    let (ok, _, error) =
        run(&["copy", "--dest-cert-dir", &certs, "--dest-creds", &credentials, &source, &image]).await;
    assert!(ok, "{error}");
    let (ok, text, error) = run(&["inspect", "--cert-dir", &certs, "--creds", &credentials, &image]).await;
    assert!(ok, "{error}");
    let inspected: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(inspected["RepoTags"], json!(["v1"]));
    let repository = format!("docker://{}/team/site", service(&local));
    let (ok, text, error) =
        run(&["list-tags", "--cert-dir", &certs, "--creds", &credentials, &repository]).await;
    assert!(ok, "{error}");
    assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON")["Tags"], json!(["v1"]));
    // The same image as Docker's manifest, and an index with all that it names.
    let several = format!("oci:{}:several", layout.display());
    for (flags, source, name, kind) in [
        (
            &["--format", "v2s2"][..],
            &source,
            "docker",
            "application/vnd.docker.distribution.manifest.v2+json",
        ),
        (&["--all"][..], &several, "several", "application/vnd.oci.image.index.v1+json"),
    ] {
        let to = format!("docker://{}/team/{name}:v1", service(&local));
        let copy = ["copy", "--dest-cert-dir", &certs, "--dest-creds", &credentials, source, &to];
        let (ok, _, error) = run(&[&copy[..1], flags, &copy[1..]].concat()).await;
        assert!(ok, "{error}");
        let (ok, raw, error) =
            run(&["inspect", "--raw", "--cert-dir", &certs, "--creds", &credentials, &to]).await;
        assert!(ok, "{error}");
        assert_eq!(serde_json::from_str::<Value>(&raw).expect("JSON")["mediaType"], kind);
    }
    // From one repository to another: layers are mounted, not sent again.
    let (ok, _, error) = run(&[
        "copy",
        "--src-cert-dir",
        &certs,
        "--src-creds",
        &credentials,
        "--dest-cert-dir",
        &certs,
        "--dest-creds",
        &credentials,
        &image,
        &second,
    ])
    .await;
    assert!(ok, "{error}");
    let wrong = format!("{user}:wrong");
    let (ok, _, error) = run(&["inspect", "--cert-dir", &certs, "--creds", &wrong, &image]).await;
    assert!(!ok);
    assert!(error.contains("authentication required") || error.contains("unauthorized"), "{error}");
    let (ok, _, error) = run(&["delete", "--cert-dir", &certs, "--creds", &credentials, &image]).await;
    assert!(ok, "{error}");
    let (ok, _, _) = run(&["inspect", "--cert-dir", &certs, "--creds", &credentials, &image]).await;
    assert!(!ok, "it is deleted");
    let (ok, _, error) = run(&["inspect", "--cert-dir", &certs, "--creds", &credentials, &second]).await;
    assert!(ok, "the other repository keeps its layers: {error}");
    local.stop().await;
}

/// An OCI image layout with one image, tagged v1, and an index of two, tagged several.
fn layout_with_image(layout: &std::path::Path) {
    let blobs = layout.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).expect("folders");
    let put = |bytes: &[u8]| {
        let digest = digest(bytes);
        std::fs::write(blobs.join(&digest[7..]), bytes).expect("a blob");
        (digest, bytes.len())
    };
    let mut layer = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(5);
    header.set_mode(0o644);
    layer.append_data(&mut header, "hello.txt", &b"hello"[..]).expect("a layer");
    let layer = layer.into_inner().expect("a layer");
    let rootfs = json!({"type": "layers", "diff_ids": [digest(&layer)]});
    let (layer, layer_size) = put(&layer);
    let image = |cpu: &str| {
        let config = json!({"architecture": cpu, "os": "linux", "config": {}, "rootfs": rootfs});
        let (config, config_size) = put(config.to_string().as_bytes());
        let manifest = json!({"schemaVersion": 2, "mediaType": manifest::OCI_IMAGE_MEDIA_TYPE,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": config_size},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": layer_size}]});
        let (digest, size) = put(manifest.to_string().as_bytes());
        json!({"mediaType": manifest["mediaType"], "digest": digest, "size": size,
            "platform": {"os": "linux", "architecture": cpu}})
    };
    let several = json!({"schemaVersion": 2, "mediaType": manifest::OCI_IMAGE_INDEX_MEDIA_TYPE,
        "manifests": [image("amd64"), image("arm64")]});
    let (several, several_size) = put(several.to_string().as_bytes());
    let mut single = image("amd64");
    single["annotations"] = json!({"org.opencontainers.image.ref.name": "v1"});
    let index = json!({"schemaVersion": 2, "manifests": [single, {"mediaType": manifest::OCI_IMAGE_INDEX_MEDIA_TYPE,
        "digest": several, "size": several_size, "annotations": {"org.opencontainers.image.ref.name": "several"}}]});
    std::fs::write(layout.join("index.json"), index.to_string()).expect("an index");
    std::fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("a layout");
}

/// The protocol by hand, with a token for everything.
struct Hand<'l> {
    local: &'l Local,
    base: String,
    token: String,
}

impl<'l> Hand<'l> {
    async fn new(local: &'l Local, repository: &str) -> Hand<'l> {
        let (user, password) = login(local).await;
        let service = service(local);
        let scope = format!("repository:{repository}:pull,push,delete");
        let answer = local
            .http
            .get(format!(
                "https://{service}/oauth2/token?service={service}&scope={scope}&scope=registry:catalog:*"
            ))
            .basic_auth(user, Some(password))
            .send()
            .await
            .expect("an answer");
        let body: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
        let token = body["access_token"].as_str().expect("a token").to_owned();
        Hand { local, base: format!("https://{service}"), token }
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> reqwest::Response {
        let mut request = self
            .local
            .http
            .request(method.parse().expect("a method"), format!("{}{path}", self.base))
            .bearer_auth(&self.token)
            .body(body.into());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.expect("an answer")
    }
}

fn header<'r>(answer: &'r reqwest::Response, name: &str) -> &'r str {
    answer.headers().get(name).map(|value| value.to_str().expect("text")).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_in_chunks_keep_order_and_digest() {
    let local = Local::start().await;
    local.registry("acr100").await;
    let hand = Hand::new(&local, "a").await;
    let begun = hand.ask("POST", "/v2/a/blobs/uploads/", &[], "").await;
    assert_eq!(begun.status(), 202);
    let at = header(&begun, "location").to_owned();
    let first = hand.ask("PATCH", &at, &[("content-range", "0-4")], "hello").await;
    assert_eq!((first.status().as_u16(), header(&first, "range")), (202, "0-4"));
    let wrong = hand.ask("PATCH", &at, &[("content-range", "9-13")], "wrong").await;
    assert_eq!((wrong.status().as_u16(), header(&wrong, "range")), (416, "0-4"));
    let second = hand.ask("PATCH", &at, &[("content-range", "5-10")], " world").await;
    assert_eq!(second.status(), 202);
    let progress = hand.ask("GET", &at, &[], "").await;
    assert_eq!((progress.status().as_u16(), header(&progress, "range")), (204, "0-10"));
    let right = digest(b"hello world!");
    let bad = hand.ask("PUT", &format!("{at}?digest={}", digest(b"other")), &[], "!").await;
    assert_eq!(bad.status(), 400);
    assert!(bad.text().await.expect("text").contains("DIGEST_INVALID"));
    let done = hand.ask("PUT", &format!("{at}?digest={right}"), &[], "!").await;
    assert_eq!((done.status().as_u16(), header(&done, "docker-content-digest")), (201, right.as_str()));
    let got = hand.ask("GET", &format!("/v2/a/blobs/{right}"), &[], "").await;
    assert_eq!(got.text().await.expect("text"), "hello world!");
    let part = hand.ask("GET", &format!("/v2/a/blobs/{right}"), &[("range", "bytes=3-7")], "").await;
    assert_eq!((part.status().as_u16(), header(&part, "content-range")), (206, "bytes 3-7/12"));
    assert_eq!(part.text().await.expect("text"), "lo wo");
    let head = hand.ask("HEAD", &format!("/v2/a/blobs/{right}"), &[], "").await;
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, "12"));
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_of_the_fronts_own_cannot_be_sent() {
    let local = Local::start().await;
    local.registry("acr100").await;
    let hand = Hand::new(&local, "a").await;
    let claimed = digest(b"claimed");
    let answer = hand
        .ask(
            "POST",
            &format!("/v2/a/blobs/uploads/?digest={claimed}"),
            &[("x-landfall-complete-sha256", &claimed[7..])],
            "sent",
        )
        .await;
    assert_eq!(answer.status(), 400);
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_name_what_is_there_and_lists_have_pages() {
    let local = Local::start().await;
    local.registry("acr100").await;
    let hand = Hand::new(&local, "a").await;
    let empty = digest(b"{}");
    let image = |annotation: &str| {
        json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": empty, "size": 2},
            "layers": [], "annotations": {"n": annotation}})
        .to_string()
    };
    let kind = [("content-type", "application/vnd.oci.image.manifest.v1+json")];
    let early = hand.ask("PUT", "/v2/a/manifests/v1", &kind, image("1")).await;
    assert_eq!(early.status(), 400);
    assert!(early.text().await.expect("text").contains("MANIFEST_BLOB_UNKNOWN"));
    let blob = hand.ask("POST", &format!("/v2/a/blobs/uploads/?digest={empty}"), &[], "{}").await;
    assert_eq!(blob.status(), 201);
    for tag in ["v1", "v2", "v3"] {
        let put = hand.ask("PUT", &format!("/v2/a/manifests/{tag}"), &kind, image(tag)).await;
        assert_eq!(put.status(), 201);
        assert_eq!(header(&put, "docker-content-digest"), digest(image(tag).as_bytes()));
    }
    let page = hand.ask("GET", "/v2/a/tags/list?n=2", &[], "").await;
    let next = header(&page, "link").to_owned();
    assert!(next.contains("last=v2"), "{next}");
    let page: Value = serde_json::from_str(&page.text().await.expect("text")).expect("JSON");
    assert_eq!(page["tags"], json!(["v1", "v2"]));
    let catalog = hand.ask("GET", "/v2/_catalog", &[], "").await.text().await.expect("text");
    assert_eq!(serde_json::from_str::<Value>(&catalog).expect("JSON"), json!({"repositories": ["a"]}));
    // What refers to an image is found by it.
    let subject = digest(image("v1").as_bytes());
    let mut signature: Value = serde_json::from_str(&image("signature")).expect("JSON");
    signature["artifactType"] = json!("application/x.signature");
    signature["subject"] = json!({"mediaType": kind[0].1, "digest": subject, "size": 1});
    let put = hand
        .ask(
            "PUT",
            &format!("/v2/a/manifests/{}", digest(signature.to_string().as_bytes())),
            &kind,
            signature.to_string(),
        )
        .await;
    assert_eq!((put.status().as_u16(), header(&put, "oci-subject")), (201, subject.as_str()));
    let found = hand
        .ask("GET", &format!("/v2/a/referrers/{subject}?artifactType=application/x.signature"), &[], "")
        .await;
    assert_eq!(header(&found, "oci-filters-applied"), "artifactType");
    let found: Value = serde_json::from_str(&found.text().await.expect("text")).expect("JSON");
    assert_eq!(found["manifests"].as_array().map(Vec::len), Some(1));
    // Deleting by digest takes the tag along; the blob stays for the others.
    let gone = hand.ask("DELETE", &format!("/v2/a/manifests/{subject}"), &[], "").await;
    assert_eq!(gone.status(), 202);
    assert_eq!(hand.ask("GET", "/v2/a/manifests/v1", &[], "").await.status(), 404);
    assert_eq!(hand.ask("HEAD", &format!("/v2/a/blobs/{empty}"), &[], "").await.status(), 200);
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_role_gets_no_token() {
    let local = Local::start().await;
    local.registry("acr100").await;
    let service = service(&local);
    let answer = local.http.get(format!("https://{service}/v2/")).send().await.expect("an answer");
    assert_eq!(answer.status(), 401);
    let challenge = header(&answer, "www-authenticate").to_owned();
    assert_eq!(challenge, format!("Bearer realm=\"https://{service}/oauth2/token\",service=\"{service}\""));
    let wrong = local
        .http
        .post(format!("https://{service}/oauth2/exchange"))
        .body(format!("grant_type=access_token&service={service}&access_token=nonsense"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(wrong.status(), 401);
    // A token for one repository opens no other.
    let hand = Hand::new(&local, "a").await;
    let other = hand.ask("POST", "/v2/b/blobs/uploads/", &[], "").await;
    assert_eq!(other.status(), 401);
    assert!(header(&other, "www-authenticate").contains("scope=\"repository:b:pull,push\""));
    let _ = ACR_PULL;
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_digests_of_every_wrong_form_are_refused() {
    let local = Local::start().await;
    local.registry("acr100").await;
    let hand = Hand::new(&local, "a").await;
    for (path, expected) in [
        ("/v2/UPPER/manifests/v1", 400),
        ("/v2/a..b/tags/list", 400),
        ("/v2/-a/tags/list", 400),
        ("/v2/a/blobs/sha256:short", 400),
        ("/v2/a/referrers/nothing", 400),
        ("/v2//manifests/x", 400),
        ("/v2/a/what/ever", 404),
        ("/nothing", 404),
        ("/v2/%00/tags/list", 400),
        ("/v2/%ff/tags/list", 400),
    ] {
        assert_eq!(hand.ask("GET", path, &[], "").await.status(), expected, "{path}");
    }
    for body in
        ["", "{", "[]", "null", "{\"schemaVersion\":1}", "{\"schemaVersion\":2,\"config\":{\"digest\":7}}"]
    {
        let answer = hand.ask("PUT", "/v2/a/manifests/v1", &[], body).await;
        assert_eq!(answer.status(), 400, "{body}");
        assert!(answer.text().await.expect("text").contains("MANIFEST_INVALID"), "{body}");
    }
    local.stop().await;
}
