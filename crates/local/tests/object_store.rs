//! The `object_store` crate keeps its contract against local Azure, by key, by signature and by client secret.
#![allow(clippy::expect_used, reason = "tests")]

mod common;

use std::time::Duration;

use common::Local;
use futures::{StreamExt, TryStreamExt};
use object_store::azure::{MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::client::{HttpClient, HttpConnector};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode, PutPayload, RetryConfig, UpdateVersion,
    WriteMultipart,
};
use serde_json::json;

const DATA_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";

/// A client that trusts the local CA and resolves names under `.localhost`.
#[derive(Debug)]
struct Trusting(reqwest::Client);

impl HttpConnector for Trusting {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

fn builder(local: &Local) -> MicrosoftAzureBuilder {
    MicrosoftAzureBuilder::new()
        .with_account("st1")
        .with_container_name("data")
        .with_endpoint(format!("https://st1{}", local.env("BLOB_SUFFIX")))
        .with_http_connector(Trusting(local.http.clone()))
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
}

/// An account with the container `data`: its id, and its first key.
async fn account(local: &Local) -> (String, String) {
    let path = local.account("st1").await;
    let container = format!("{path}/blobServices/default/containers/data?api-version=2024-01-01");
    let (status, made) = local.ask("PUT", &container, Some(json!({}))).await;
    assert_eq!(status, 201, "{made}");
    let keys = local.ask("POST", &format!("{path}/listKeys?api-version=2024-01-01"), Some(json!({}))).await.1;
    let key = keys["keys"][0]["value"].as_str().expect("a key").to_owned();
    (path, key)
}

async fn text(store: &MicrosoftAzure, path: &str) -> String {
    let got = store.get(&Path::from(path)).await.expect("it is there");
    String::from_utf8(got.bytes().await.expect("bytes").to_vec()).expect("text")
}

/// What every kind of credentials lets one do.
async fn keeps_its_contract(store: &MicrosoftAzure, folder: &str) {
    let path = |name: &str| Path::from(format!("{folder}/{name}"));
    let put = store.put(&path("a b+ü"), PutPayload::from_static(b"0123456789")).await.expect("put");
    assert_eq!(store.head(&path("a b+ü")).await.expect("head").size, 10);
    assert_eq!(store.get_range(&path("a b+ü"), 2..5).await.expect("a range").as_ref(), b"234");
    let again = store.put_opts(&path("a b+ü"), PutPayload::from_static(b"x"), PutMode::Create.into()).await;
    assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{again:?}");
    let version = UpdateVersion { e_tag: put.e_tag, version: None };
    let update = PutMode::Update(version.clone());
    store.put_opts(&path("a b+ü"), PutPayload::from_static(b"new"), update.into()).await.expect("an update");
    let stale =
        store.put_opts(&path("a b+ü"), PutPayload::from_static(b"y"), PutMode::Update(version).into()).await;
    assert!(matches!(stale, Err(Error::Precondition { .. })), "{stale:?}");
    let missing = store.get(&path("none")).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })), "{missing:?}");

    let upload = store.put_multipart(&path("big")).await.expect("an upload");
    let mut upload = WriteMultipart::new_with_chunk_size(upload, 1 << 20);
    for _ in 0..5 {
        upload.write(&[7; 1_000_000]);
    }
    upload.finish().await.expect("all parts");
    assert_eq!(store.head(&path("big")).await.expect("head").size, 5_000_000);

    store.copy(&path("big"), &path("deep/copy")).await.expect("a copy");
    let there = store.copy_if_not_exists(&path("a b+ü"), &path("deep/copy")).await;
    assert!(matches!(there, Err(Error::AlreadyExists { .. })), "{there:?}");
    store.rename(&path("big"), &path("deep/renamed")).await.expect("another name");
    let listed = store.list_with_delimiter(Some(&Path::from(folder))).await.expect("a list");
    assert_eq!(listed.common_prefixes, [path("deep")]);
    assert_eq!(listed.objects.iter().map(|it| &it.location).collect::<Vec<_>>(), [&path("a b+ü")]);
    let all: Vec<Path> =
        store.list(Some(&Path::from(folder))).map_ok(|it| it.location).try_collect().await.expect("a list");
    assert_eq!(all.len(), 3);
    let doomed = futures::stream::iter(all.into_iter().map(Ok)).boxed();
    let deleted: Vec<Path> = store.delete_stream(doomed).try_collect().await.expect("all are deleted");
    assert_eq!(deleted.len(), 3);
    assert!(store.list(Some(&Path::from(folder))).next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn object_store_works_by_key_signature_and_client_secret() {
    let local = Local::start().await;
    let (id, key) = account(&local).await;
    let by_key = builder(&local).with_access_key(&key).build().expect("a store");
    keeps_its_contract(&by_key, "key").await;

    by_key.put(&Path::from("signed"), PutPayload::from_static(b"hello")).await.expect("put");
    let signed = by_key
        .signed_url(reqwest::Method::GET, &Path::from("signed"), Duration::from_secs(60))
        .await
        .expect("an address");
    let got = local.http.get(signed.as_str()).send().await.expect("an answer");
    assert_eq!((got.status().as_u16(), got.text().await.expect("text").as_str()), (200, "hello"));

    let account = format!("{id}/ListAccountSas?api-version=2024-01-01");
    let wanted = json!({"signedServices": "b", "signedResourceTypes": "sco", "signedPermission": "rwdlac",
                        "signedExpiry": "2099-01-01T00:00:00Z"});
    let answer = local.ask("POST", &account, Some(wanted)).await.1;
    let token = answer["accountSasToken"].as_str().expect("a signature").to_owned();
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(token.as_bytes()).into_owned().collect();
    let by_signature = builder(&local).with_sas_authorization(pairs).build().expect("a store");
    keeps_its_contract(&by_signature, "sas").await;
    assert_eq!(text(&by_signature, "signed").await, "hello");

    let by_secret = builder(&local)
        .with_client_secret_authorization(
            local.env("CLIENT_ID"),
            local.env("CLIENT_SECRET"),
            local.env("TENANT_ID"),
        )
        .with_authority_host(local.env("AUTH_URL"))
        .build()
        .expect("a store");
    let refused = by_secret.get(&Path::from("signed")).await;
    assert!(matches!(refused, Err(Error::PermissionDenied { .. })), "{refused:?}");
    local.grant(&id, DATA_CONTRIBUTOR).await;
    keeps_its_contract(&by_secret, "secret").await;
    let bearer = local.token("https://storage.azure.com").await;
    let by_bearer = builder(&local).with_bearer_token_authorization(bearer).build().expect("a store");
    assert_eq!(text(&by_bearer, "signed").await, "hello");
    local.stop().await;
}
