//! Blob storage as Microsoft's own Rust client uses it, and the protocol by hand.
#![allow(clippy::expect_used)]

mod common;

use std::collections::HashMap;
use std::sync::Arc;

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::http::{ClientOptions, RequestContent, RetryOptions, Transport, Url};
use azure_core::time::{Duration, OffsetDateTime};
use azure_storage_blob::models::{
    BlobClientGetPropertiesResultHeaders, BlobContainerClientGetPropertiesResultHeaders,
    BlockBlobClientUploadOptions, BlockListType, BlockLookupList,
};
use azure_storage_blob::{BlobServiceClient, BlobServiceClientOptions};
use common::Local;
use futures::TryStreamExt;

const DATA_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";

/// A token that was fetched before, for whatever is asked.
#[derive(Debug)]
struct Fixed(String);

#[async_trait::async_trait]
impl TokenCredential for Fixed {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new(self.0.clone(), OffsetDateTime::now_utc() + Duration::minutes(30)))
    }
}

async fn service(local: &Local) -> BlobServiceClient {
    let pem = local.ca();
    let http = reqwest::Client::builder()
        .tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem).expect("the CA"))
        .dns_resolver(common::Loopback)
        .no_proxy()
        .build()
        .expect("a client");
    let client_options = ClientOptions {
        transport: Some(Transport::new(Arc::new(http))),
        retry: RetryOptions::none(),
        ..ClientOptions::default()
    };
    let options = BlobServiceClientOptions { client_options, ..BlobServiceClientOptions::default() };
    let url = Url::parse(&format!("https://st1{}/", local.env("BLOB_SUFFIX"))).expect("a URL");
    let token = local.token("https://storage.azure.com").await;
    BlobServiceClient::new(url, Some(Arc::new(Fixed(token))), Some(options)).expect("a client")
}

async fn account() -> (Local, BlobServiceClient) {
    let local = Local::start().await;
    let id = local.account("st1").await;
    local.grant(&id, DATA_CONTRIBUTOR).await;
    let service = service(&local).await;
    (local, service)
}

fn code(error: &azure_core::Error) -> String {
    match error.kind() {
        azure_core::error::ErrorKind::HttpResponse { error_code, .. } => {
            error_code.clone().unwrap_or_default()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_and_blobs_come_and_go() {
    let (local, service) = account().await;
    let container = service.blob_container_client("docs");
    assert!(!container.exists().await.expect("asked"));
    container.create(None).await.expect("created");
    let error = container.create(None).await.expect_err("it is there");
    assert_eq!(code(&error), "ContainerAlreadyExists");
    let metadata = HashMap::from([("team".to_owned(), "web".to_owned())]);
    container.set_metadata(&metadata, None).await.expect("set");
    let properties = container.get_properties(None).await.expect("properties");
    assert_eq!(properties.metadata().expect("metadata"), metadata);

    let blob = container.blob_client("a/b c.txt");
    assert!(!blob.exists().await.expect("asked"));
    blob.upload(RequestContent::from(b"hello world".to_vec()), None).await.expect("uploaded");
    let once = BlockBlobClientUploadOptions::default().if_not_exists();
    let error =
        blob.upload(RequestContent::from(b"again".to_vec()), Some(once)).await.expect_err("it is there");
    assert_eq!(code(&error), "BlobAlreadyExists");
    let body = blob.download(None).await.expect("downloaded").body.collect().await.expect("bytes");
    assert_eq!(&body[..], b"hello world");
    let properties = blob.get_properties(None).await.expect("properties");
    assert_eq!(properties.content_length().expect("length"), Some(11));
    blob.set_metadata(&HashMap::from([("k".to_owned(), "v".to_owned())]), None).await.expect("set");
    let properties = blob.get_properties(None).await.expect("properties");
    assert_eq!(properties.metadata().expect("metadata")["k"], "v");

    for n in 0..3 {
        let blob = container.blob_client(&format!("n{n}"));
        blob.upload(RequestContent::from(vec![b'x'; n]), None).await.expect("uploaded");
    }
    let names: Vec<String> = container
        .list_blobs(None)
        .expect("a pager")
        .map_ok(|blob| blob.name.unwrap_or_default())
        .try_collect()
        .await
        .expect("listed");
    assert_eq!(names, ["a/b c.txt", "n0", "n1", "n2"]);
    let containers: Vec<String> = service
        .list_containers(None)
        .expect("a pager")
        .map_ok(|container| container.name.unwrap_or_default())
        .try_collect()
        .await
        .expect("listed");
    assert_eq!(containers, ["docs"]);

    blob.delete(None).await.expect("deleted");
    let Err(error) = blob.download(None).await else { panic!("it should be gone") };
    assert_eq!(code(&error), "BlobNotFound");
    container.delete(None).await.expect("deleted");
    let error = container.get_properties(None).await.expect_err("it is gone");
    assert_eq!(error.http_status().map(u16::from), Some(404));
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_put_together_and_survive_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = || common::options(landfall_local::State::Folder(folder.path().join("s")));
    let local = Local::with(state()).await;
    let id = local.account("st1").await;
    local.grant(&id, DATA_CONTRIBUTOR).await;
    let service_client = service(&local).await;
    let container = service_client.blob_container_client("big");
    container.create(None).await.expect("created");
    let blob = container.blob_client("parts");
    let block = blob.block_blob_client();
    let (one, two) = (vec![1u8; 700_000], vec![2u8; 300_000]);
    block
        .stage_block(b"0001", one.len() as u64, RequestContent::from(one.clone()), None)
        .await
        .expect("staged");
    block
        .stage_block(b"0002", two.len() as u64, RequestContent::from(two.clone()), None)
        .await
        .expect("staged");
    let list =
        block.get_block_list(BlockListType::All, None).await.expect("a list").into_model().expect("a list");
    assert_eq!(list.uncommitted_blocks.map(|blocks| blocks.len()), Some(2));
    local.kill().await;

    let local = Local::with(state()).await;
    let container = service(&local).await.blob_container_client("big");
    let blob = container.blob_client("parts");
    let block = blob.block_blob_client();
    let lookup = BlockLookupList {
        latest: Some(vec![b"0002".to_vec(), b"0001".to_vec()]),
        ..BlockLookupList::default()
    };
    block.commit_block_list(lookup.try_into().expect("XML"), None).await.expect("committed");
    let body = blob.download(None).await.expect("downloaded").body.collect().await.expect("bytes");
    assert_eq!(body.len(), 1_000_000);
    assert!(body[..300_000].iter().all(|byte| *byte == 2) && body[300_000..].iter().all(|byte| *byte == 1));
    let unknown = BlockLookupList { latest: Some(vec![b"9999".to_vec()]), ..BlockLookupList::default() };
    let error =
        block.commit_block_list(unknown.try_into().expect("XML"), None).await.expect_err("no such block");
    assert_eq!(code(&error), "InvalidBlockList");
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_content_is_uploaded_and_read_in_parts() {
    let (local, service) = account().await;
    let container = service.blob_container_client("big");
    container.create(None).await.expect("created");
    let blob = container.blob_client("large");
    let data: Vec<u8> = (0..20_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
    let options = BlockBlobClientUploadOptions {
        partition_size: Some(std::num::NonZero::new(3 << 20).expect("not zero")),
        ..BlockBlobClientUploadOptions::default()
    };
    blob.upload(RequestContent::from(data.clone()), Some(options)).await.expect("uploaded");
    let body = blob.download(None).await.expect("downloaded").body.collect().await.expect("bytes");
    assert!(body == data);
    local.stop().await;
}

/// One request with a token of the owner's.
async fn by_hand(
    local: &Local,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> reqwest::Response {
    let token = local.token("https://storage.azure.com").await;
    let mut request = local
        .http
        .request(method.parse().expect("a method"), format!("https://st1{}{path}", local.env("BLOB_SUFFIX")))
        .bearer_auth(token)
        .header("x-ms-version", "2024-11-04")
        .body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

fn header(answer: &reqwest::Response, name: &str) -> String {
    answer.headers().get(name).map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_conditions_and_folders() {
    let (local, _) = account().await;
    assert_eq!(by_hand(&local, "PUT", "/c01?restype=container", &[], "").await.status(), 201);
    let kind = ("x-ms-blob-type", "BlockBlob");
    let put =
        by_hand(&local, "PUT", "/c01/dir/one", &[kind, ("content-type", "text/plain")], "0123456789").await;
    assert_eq!(put.status(), 201);
    let etag = header(&put, "etag");
    by_hand(&local, "PUT", "/c01/dir/two", &[kind], "x").await;
    by_hand(&local, "PUT", "/c01/top", &[kind], "x").await;

    let part = by_hand(&local, "GET", "/c01/dir/one", &[("x-ms-range", "bytes=2-4")], "").await;
    assert_eq!((part.status().as_u16(), header(&part, "content-range")), (206, "bytes 2-4/10".into()));
    assert_eq!(header(&part, "content-type"), "text/plain");
    assert_eq!(part.text().await.expect("text"), "234");
    let tail = by_hand(&local, "GET", "/c01/dir/one", &[("range", "bytes=8-")], "").await;
    assert_eq!(tail.text().await.expect("text"), "89");
    let outside = by_hand(&local, "GET", "/c01/dir/one", &[("range", "bytes=10-")], "").await;
    assert_eq!(
        (outside.status().as_u16(), header(&outside, "x-ms-error-code")),
        (416, "InvalidRange".into())
    );
    let head = by_hand(&local, "HEAD", "/c01/dir/one", &[], "").await;
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, "10".into()));

    let same = by_hand(&local, "GET", "/c01/dir/one", &[("if-none-match", &etag)], "").await;
    assert_eq!(same.status(), 304);
    let stale = by_hand(&local, "PUT", "/c01/dir/one", &[kind, ("if-match", "\"0x1\"")], "new").await;
    assert_eq!((stale.status().as_u16(), header(&stale, "x-ms-error-code")), (412, "ConditionNotMet".into()));
    let fresh = by_hand(&local, "PUT", "/c01/dir/one", &[kind, ("if-match", &etag)], "new").await;
    assert_eq!(fresh.status(), 201);
    let future = ("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT");
    assert_eq!(by_hand(&local, "GET", "/c01/dir/one", &[future], "").await.status(), 304);
    let bad = by_hand(&local, "PUT", "/c01/dir/one", &[kind, ("content-md5", "AAAA")], "x").await;
    assert_eq!((bad.status().as_u16(), header(&bad, "x-ms-error-code")), (400, "InvalidMd5".into()));

    let list =
        by_hand(&local, "GET", "/c01?restype=container&comp=list&delimiter=/&maxresults=1", &[], "").await;
    let text = list.text().await.expect("text");
    assert!(text.contains("<BlobPrefix><Name>dir/</Name></BlobPrefix>"), "{text}");
    assert!(text.contains("<NextMarker>top</NextMarker>"), "{text}");
    let next =
        by_hand(&local, "GET", "/c01?restype=container&comp=list&delimiter=/&marker=top", &[], "").await;
    let text = next.text().await.expect("text");
    assert!(text.contains("<Name>top</Name>") && text.contains("<NextMarker></NextMarker>"), "{text}");
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_has_no_data_role_and_tokens_are_for_storage() {
    let local = Local::start().await;
    local.account("st1").await;
    assert_eq!(by_hand(&local, "PUT", "/c01?restype=container", &[], "").await.status(), 201);
    let refused = by_hand(&local, "PUT", "/c01/x", &[("x-ms-blob-type", "BlockBlob")], "x").await;
    assert_eq!(
        (refused.status().as_u16(), header(&refused, "x-ms-error-code")),
        (403, "AuthorizationPermissionMismatch".into())
    );
    let url = format!("https://st1{}/c01/x", local.env("BLOB_SUFFIX"));
    let arm = local.token(local.arm()).await;
    let answer = local
        .http
        .get(&url)
        .bearer_auth(arm)
        .header("x-ms-version", "2024-11-04")
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "x-ms-error-code")),
        (401, "InvalidAuthenticationInfo".into())
    );
    let answer = local.http.get(&url).header("x-ms-version", "2024-11-04").send().await.expect("an answer");
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "x-ms-error-code")),
        (401, "NoAuthenticationInformation".into())
    );
    assert!(header(&answer, "www-authenticate").contains("resource_id=https://storage.azure.com"));
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_bodies_of_every_wrong_form_are_refused() {
    let (local, _) = account().await;
    by_hand(&local, "PUT", "/c01?restype=container", &[], "").await;
    for (method, path, headers, body, expected) in [
        ("PUT", "/c1?restype=container", vec![], "", "OutOfRangeInput"),
        ("PUT", "/UPPER?restype=container", vec![], "", "InvalidResourceName"),
        ("PUT", "/a--b?restype=container", vec![], "", "InvalidResourceName"),
        ("PUT", "/c01/x", vec![], "x", "MissingRequiredHeader"),
        ("PUT", "/c01/x", vec![("x-ms-blob-type", "Odd")], "x", "InvalidHeaderValue"),
        ("PUT", "/c01/x?comp=block&blockid=!!", vec![], "x", "InvalidQueryParameterValue"),
        ("PUT", "/c01/x?comp=blocklist", vec![], "<BlockList><Latest>", "InvalidXmlDocument"),
        ("PUT", "/c01/x?comp=blocklist", vec![], "<!DOCTYPE x><BlockList/>", "InvalidXmlDocument"),
        ("GET", "/c01?restype=container&comp=list&maxresults=0", vec![], "", "OutOfRangeQueryParameterValue"),
        ("GET", "/none?restype=container", vec![], "", "ContainerNotFound"),
        ("GET", "/none/x", vec![], "", "ContainerNotFound"),
    ] {
        let answer = by_hand(&local, method, path, &headers, body).await;
        assert_eq!(header(&answer, "x-ms-error-code"), expected, "{method} {path}");
    }
    local.stop().await;
}
