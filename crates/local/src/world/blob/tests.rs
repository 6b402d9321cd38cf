//! Blob storage's rules over time, in the process.

use serde_json::json;

use crate::world::http::Segment;
use crate::world::testing::{Answer, Lab, rg};
use crate::world::{Body, Input, Method, Plane, Request, Response, storage_account};

const CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";
const LEASE: &str = "aaaaaaaa-0000-0000-0000-000000000001";

fn account() -> String {
    rg("Microsoft.Storage/storageAccounts/store1")
}

/// A world at Azure's pace with an account whose contents its owner may change, and the container `c01`.
fn ready() -> Lab {
    let mut lab = Lab::new(1.0);
    let body = json!({"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"});
    let made = lab.put(&account(), body).ok(202);
    lab.follow(&made);
    let owner = crate::world::entra::owner_id(&lab.world.config);
    let role = format!(
        "{}/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}",
        crate::world::testing::SUB
    );
    let assignment = format!(
        "{}/providers/Microsoft.Authorization/roleAssignments/11111111-aaaa-bbbb-cccc-000000000001",
        account()
    );
    let body = json!({"properties": {"roleDefinitionId": role, "principalId": owner, "principalType": "ServicePrincipal"}});
    lab.put(&assignment, body).ok(201);
    lab.wait(1200.0);
    assert_eq!(blob(&mut lab, Method::Put, "/c01?restype=container", &[], "").status, 201);
    lab
}

/// One request with whatever credentials it carries; content goes where the front would put it.
fn bare(lab: &mut Lab, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let comp = query.iter().find(|(name, _)| name == "comp").map(|(_, comp)| comp.as_str());
    let body = match (body, comp) {
        ("", _) => Body::Empty,
        (text, None | Some("block" | "appendblock")) => Body::Stored(vec![Segment {
            key: text.to_owned(),
            offset: 0,
            length: text.len() as u64,
            ..Segment::default()
        }]),
        (text, _) => Body::Bytes(text.as_bytes().to_vec()),
    };
    let mut all: std::collections::BTreeMap<String, String> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    all.entry("x-ms-version".into()).or_insert_with(|| "2024-11-04".into());
    let request = Request {
        plane: Plane::Blob { account: "store1".into() },
        method,
        origin: "https://store1.blob.core.localhost:8443".into(),
        path: path.into(),
        query,
        headers: all,
        body,
        id: "00000000-0000-0000-0000-000000000001".into(),
    };
    lab.world.apply(Input::Request(request), lab.clock).response.expect("an answer")
}

/// The same as the owner.
fn blob(lab: &mut Lab, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let token = format!("Bearer {}", lab.token(None, "https://storage.azure.com"));
    let mut headers = headers.to_vec();
    headers.push(("authorization", &token));
    bare(lab, method, path, &headers, body)
}

fn put(lab: &mut Lab, path: &str, text: &str) -> Response {
    let put = blob(lab, Method::Put, path, &[("x-ms-blob-type", "BlockBlob")], text);
    assert_eq!(put.status, 201, "{}", text_of(&put));
    put
}

/// The content of a blob: the front names it by its key.
fn content(lab: &mut Lab, path: &str) -> String {
    match blob(lab, Method::Get, path, &[], "").body {
        Body::Stored(segments) => segments.iter().map(|segment| segment.key.as_str()).collect(),
        other => panic!("{other:?}"),
    }
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    let found = response.headers.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}

fn code(response: &Response) -> (u16, &str) {
    (response.status, header(response, "x-ms-error-code"))
}

fn text_of(response: &Response) -> String {
    match &response.body {
        Body::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}

fn keep(lab: &mut Lab, properties: serde_json::Value) -> Answer {
    lab.put(&format!("{}/blobServices/default", account()), json!({"properties": properties})).ok(200)
}

#[test]
fn leases_keep_others_out_until_they_end() {
    let mut lab = ready();
    put(&mut lab, "/c01/a", "one");
    let lease =
        |lab: &mut Lab, headers: &[(&str, &str)]| blob(lab, Method::Put, "/c01/a?comp=lease", headers, "");
    let acquire =
        [("x-ms-lease-action", "acquire"), ("x-ms-lease-duration", "15"), ("x-ms-proposed-lease-id", LEASE)];
    assert_eq!(lease(&mut lab, &acquire).status, 201);
    let other = [("x-ms-lease-action", "acquire"), ("x-ms-lease-duration", "60")];
    assert_eq!(code(&lease(&mut lab, &other)), (409, "LeaseAlreadyPresent"));
    let kind = ("x-ms-blob-type", "BlockBlob");
    assert_eq!(code(&blob(&mut lab, Method::Put, "/c01/a", &[kind], "two")), (412, "LeaseIdMissing"));
    assert_eq!(code(&blob(&mut lab, Method::Delete, "/c01/a", &[], "")), (412, "LeaseIdMissing"));
    let mine = ("x-ms-lease-id", LEASE);
    assert_eq!(blob(&mut lab, Method::Put, "/c01/a", &[kind, mine], "two").status, 201);
    lab.wait(16.0);
    let head = blob(&mut lab, Method::Head, "/c01/a", &[], "");
    assert_eq!(header(&head, "x-ms-lease-state"), "expired");
    assert_eq!(code(&blob(&mut lab, Method::Put, "/c01/a", &[kind, mine], "3")), (412, "LeaseLost"));
    // nobody wrote since: it can be renewed
    assert_eq!(lease(&mut lab, &[("x-ms-lease-action", "renew"), mine]).status, 200);
    let broken = lease(&mut lab, &[("x-ms-lease-action", "break"), ("x-ms-lease-break-period", "5")]);
    assert_eq!((broken.status, header(&broken, "x-ms-lease-time")), (202, "5"));
    assert_eq!(code(&lease(&mut lab, &acquire)), (409, "LeaseIsBreakingAndCannotBeAcquired"));
    lab.wait(6.0);
    assert_eq!(
        code(&lease(&mut lab, &[("x-ms-lease-action", "renew"), mine])),
        (409, "LeaseIsBrokenAndCannotBeRenewed")
    );
    assert_eq!(lease(&mut lab, &other).status, 201);
    for bad in ["0", "14", "61", "x"] {
        let headers = [("x-ms-lease-action", "acquire"), ("x-ms-lease-duration", bad)];
        assert_eq!(code(&lease(&mut lab, &headers)), (400, "InvalidHeaderValue"), "{bad}");
    }
    let path = "/c01?restype=container&comp=lease";
    let forever =
        [("x-ms-lease-action", "acquire"), ("x-ms-lease-duration", "-1"), ("x-ms-proposed-lease-id", LEASE)];
    assert_eq!(blob(&mut lab, Method::Put, path, &forever, "").status, 201);
    assert_eq!(
        code(&blob(&mut lab, Method::Delete, "/c01?restype=container", &[], "")),
        (412, "LeaseIdMissing")
    );
    lab.delete(&format!("{}/blobServices/default/containers/c01", account())).refused(412, "LeaseIdMissing");
    assert_eq!(blob(&mut lab, Method::Delete, "/c01?restype=container", &[mine], "").status, 202);
    assert_eq!(
        code(&blob(&mut lab, Method::Put, "/c01?restype=container", &[], "")),
        (409, "ContainerBeingDeleted")
    );
    lab.wait(31.0);
    assert_eq!(blob(&mut lab, Method::Put, "/c01?restype=container", &[], "").status, 201);
}

#[test]
fn what_is_deleted_comes_back_until_its_retention_is_over() {
    let mut lab = ready();
    keep(
        &mut lab,
        json!({"deleteRetentionPolicy": {"enabled": true, "days": 2},
                          "containerDeleteRetentionPolicy": {"enabled": true, "days": 3}}),
    );
    put(&mut lab, "/c01/a", "one");
    put(&mut lab, "/c01/a", "two");
    let list = "/c01?restype=container&comp=list&include=deleted,snapshots";
    let listed = text_of(&blob(&mut lab, Method::Get, list, &[], ""));
    assert_eq!(listed.matches("<Deleted>true</Deleted>").count(), 1, "what was overwritten: {listed}");
    let deleted = blob(&mut lab, Method::Delete, "/c01/a", &[], "");
    assert_eq!(header(&deleted, "x-ms-delete-type-permanent"), "false");
    assert_eq!(code(&blob(&mut lab, Method::Get, "/c01/a", &[], "")), (404, "BlobNotFound"));
    assert_eq!(blob(&mut lab, Method::Put, "/c01/a?comp=undelete", &[], "").status, 200);
    assert_eq!(content(&mut lab, "/c01/a"), "two");
    blob(&mut lab, Method::Delete, "/c01/a", &[("x-ms-delete-snapshots", "include")], "");
    lab.wait(2.0 * 86_400.0 + 1.0);
    assert_eq!(code(&blob(&mut lab, Method::Put, "/c01/a?comp=undelete", &[], "")), (404, "BlobNotFound"));
    assert!(lab.world.blobs.segments().next().is_none(), "no content is kept for nobody");

    put(&mut lab, "/c01/b", "kept");
    assert_eq!(blob(&mut lab, Method::Delete, "/c01?restype=container", &[], "").status, 202);
    let listed = text_of(&blob(&mut lab, Method::Get, "/?comp=list&include=deleted", &[], ""));
    let version = listed.split("<Version>").nth(1).and_then(|it| it.split('<').next()).expect("a version");
    let headers = [("x-ms-deleted-container-name", "c01"), ("x-ms-deleted-container-version", version)];
    let path = "/c01?restype=container&comp=undelete";
    assert_eq!(blob(&mut lab, Method::Put, path, &headers, "").status, 201);
    assert_eq!(content(&mut lab, "/c01/b"), "kept");
    blob(&mut lab, Method::Delete, "/c01?restype=container", &[], "");
    lab.wait(3.0 * 86_400.0 + 1.0);
    assert_eq!(code(&blob(&mut lab, Method::Put, path, &headers, "")), (404, "ContainerNotFound"));
}

#[test]
fn every_write_makes_a_version() {
    let mut lab = ready();
    keep(&mut lab, json!({"isVersioningEnabled": true}));
    let first = header(&put(&mut lab, "/c01/a", "one"), "x-ms-version-id").to_owned();
    let second = header(&put(&mut lab, "/c01/a", "two"), "x-ms-version-id").to_owned();
    assert!(first < second, "{first} {second}");
    assert_eq!(content(&mut lab, &format!("/c01/a?versionid={first}")), "one");
    let current = format!("/c01/a?versionid={second}");
    assert_eq!(
        code(&blob(&mut lab, Method::Delete, &current, &[], "")).0,
        403,
        "no right to delete versions"
    );
    blob(&mut lab, Method::Delete, "/c01/a", &[], "");
    assert_eq!(code(&blob(&mut lab, Method::Get, "/c01/a", &[], "")), (404, "BlobNotFound"));
    assert_eq!(content(&mut lab, &current), "two");
    let list = "/c01?restype=container&comp=list&include=versions";
    let listed = text_of(&blob(&mut lab, Method::Get, list, &[], ""));
    assert_eq!((listed.matches("<VersionId>").count(), listed.contains("IsCurrentVersion")), (2, false));
    // one page a version
    let mut marker = String::new();
    for _ in 0..2 {
        let page = format!(
            "{list}&maxresults=1&marker={}",
            url::form_urlencoded::byte_serialize(marker.as_bytes()).collect::<String>()
        );
        let listed = text_of(&blob(&mut lab, Method::Get, &page, &[], ""));
        assert_eq!(listed.matches("<Blob>").count(), 1, "{listed}");
        marker = listed
            .split("<NextMarker>")
            .nth(1)
            .and_then(|it| it.split('<').next())
            .unwrap_or_default()
            .to_owned();
    }
    assert_eq!(marker, "");
}

#[test]
fn the_archive_gives_nothing_at_once() {
    let mut lab = ready();
    put(&mut lab, "/c01/a", "one");
    let tier = |lab: &mut Lab, tier: &str| {
        blob(lab, Method::Put, "/c01/a?comp=tier", &[("x-ms-access-tier", tier)], "")
    };
    assert_eq!(tier(&mut lab, "Archive").status, 200);
    assert_eq!(code(&blob(&mut lab, Method::Get, "/c01/a", &[], "")), (409, "BlobArchived"));
    assert_eq!(tier(&mut lab, "Hot").status, 202);
    assert_eq!(code(&tier(&mut lab, "Cool")), (409, "BlobBeingRehydrated"));
    let head = blob(&mut lab, Method::Head, "/c01/a", &[], "");
    assert_eq!(header(&head, "x-ms-archive-status"), "rehydrate-pending-to-hot");
    lab.wait(14.0 * 3600.0);
    assert_eq!(code(&blob(&mut lab, Method::Get, "/c01/a", &[], "")), (409, "BlobArchived"));
    lab.wait(3600.0 + 1.0);
    assert_eq!(content(&mut lab, "/c01/a"), "one");
    assert_eq!(code(&tier(&mut lab, "Lukewarm")), (400, "InvalidHeaderValue"));
}

#[test]
fn lifecycle_rules_act_once_a_day() {
    let mut lab = ready();
    put(&mut lab, "/c01/logs/a", "old");
    put(&mut lab, "/c01/other", "stays");
    let policy = format!("{}/managementPolicies/default", account());
    let rules = |actions: serde_json::Value| {
        json!({"properties": {"policy": {"rules": [{"name": "r1", "type": "Lifecycle", "definition": {
            "filters": {"blobTypes": ["blockBlob"], "prefixMatch": ["c01/logs"]}, "actions": actions}}]}}})
    };
    lab.put(&policy, rules(json!({}))).refused(400, "InvalidRequestPropertyValue");
    let age = |days: u32| json!({"daysAfterModificationGreaterThan": days});
    let actions = json!({"baseBlob": {"tierToCool": age(5), "tierToArchive": age(10), "delete": age(20)}});
    lab.put(&policy, rules(actions)).ok(200);
    let tier = |lab: &mut Lab| {
        let head = blob(lab, Method::Head, "/c01/logs/a", &[], "");
        header(&head, "x-ms-access-tier").to_owned()
    };
    let day = 86_400.0;
    lab.wait(4.0 * day);
    assert_eq!(tier(&mut lab), "Hot");
    lab.wait(3.0 * day);
    assert_eq!(tier(&mut lab), "Cool");
    lab.wait(5.0 * day);
    assert_eq!(tier(&mut lab), "Archive");
    lab.wait(10.0 * day);
    assert_eq!(code(&blob(&mut lab, Method::Head, "/c01/logs/a", &[], "")), (404, "BlobNotFound"));
    assert_eq!(content(&mut lab, "/c01/other"), "stays");
}

/// The account's first key.
fn key(lab: &Lab) -> String {
    let account = storage_account::by_name(&lab.world, "store1").expect("the account");
    storage_account::keys(account).remove(0)
}

/// A signed address, by fields of `create-service-sas` from version 2020-12-06 on.
fn signed(lab: &Lab, permissions: &str, start: &str, expiry: &str, blob: &str) -> String {
    let lines = [
        permissions,
        start,
        expiry,
        &format!("/blob/store1{blob}"),
        "",
        "",
        "https",
        "2022-11-02",
        "b",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
    ];
    let signature = super::shared_key::sign(&key(lab), &lines.join("\n"));
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("sp", permissions),
        ("st", start),
        ("se", expiry),
        ("spr", "https"),
        ("sv", "2022-11-02"),
    ]);
    query.extend_pairs([("sr", "b"), ("sig", &signature)]);
    format!("{blob}?{}", query.finish())
}

#[test]
fn signatures_allow_what_they_say_for_as_long_as_they_say() {
    let mut lab = ready();
    put(&mut lab, "/c01/a", "one");
    put(&mut lab, "/c01/b", "two");
    let (start, expiry) = ("2026-11-21T12:00:00Z", "2026-11-21T14:00:00Z");
    let reads = signed(&lab, "r", start, expiry, "/c01/a");
    assert_eq!(bare(&mut lab, Method::Get, &reads, &[], "").status, 200);
    let kind = ("x-ms-blob-type", "BlockBlob");
    assert_eq!(
        code(&bare(&mut lab, Method::Put, &reads, &[kind], "x")),
        (403, "AuthorizationPermissionMismatch")
    );
    let moved = reads.replace("/c01/a?", "/c01/b?");
    assert_eq!(code(&bare(&mut lab, Method::Get, &moved, &[], "")), (403, "AuthenticationFailed"));
    let more = reads.replace("sp=r", "sp=rw");
    assert_eq!(code(&bare(&mut lab, Method::Get, &more, &[], "")), (403, "AuthenticationFailed"));
    // create is not overwrite
    let creates = signed(&lab, "c", start, expiry, "/c01/new");
    assert_eq!(bare(&mut lab, Method::Put, &creates, &[kind], "x").status, 201);
    assert_eq!(
        code(&bare(&mut lab, Method::Put, &creates, &[kind], "y")),
        (403, "AuthorizationPermissionMismatch")
    );
    let early = signed(&lab, "r", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z", "/c01/a");
    assert_eq!(code(&bare(&mut lab, Method::Get, &early, &[], "")), (403, "AuthenticationFailed"));
    lab.patch(&account(), json!({"properties": {"allowSharedKeyAccess": false}})).ok(200);
    assert_eq!(
        code(&bare(&mut lab, Method::Get, &reads, &[], "")),
        (403, "KeyBasedAuthenticationNotPermitted")
    );
    lab.patch(&account(), json!({"properties": {"allowSharedKeyAccess": true}})).ok(200);
    lab.wait(2.0 * 3600.0);
    let late = bare(&mut lab, Method::Get, &reads, &[], "");
    assert_eq!(code(&late), (403, "AuthenticationFailed"));
    assert!(text_of(&late).contains("Signature not valid in the specified time frame"), "{}", text_of(&late));
}

#[test]
fn requests_are_signed_with_either_key() {
    let mut lab = ready();
    let at = lab.clock.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let text = format!(
        "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{at}\nx-ms-version:2024-11-04\n/store1/c01\ncomp:list\nrestype:container"
    );
    let full = format!("SharedKey store1:{}", super::shared_key::sign(&key(&lab), &text));
    let lite = format!("GET\n\n\n\nx-ms-date:{at}\nx-ms-version:2024-11-04\n/store1/c01?comp=list");
    let lite = format!("SharedKeyLite store1:{}", super::shared_key::sign(&key(&lab), &lite));
    let path = "/c01?restype=container&comp=list";
    let ask = |lab: &mut Lab, header: &str| {
        bare(lab, Method::Get, path, &[("authorization", header), ("x-ms-date", &at)], "")
    };
    assert_eq!(ask(&mut lab, &full).status, 200);
    assert_eq!(ask(&mut lab, &lite).status, 200);
    let wrong = format!("{}A", &full[..full.len() - 5]);
    assert_eq!(code(&ask(&mut lab, &wrong)), (403, "AuthenticationFailed"));
    lab.post(&format!("{}/regenerateKey", account()), json!({"keyName": "key1"})).ok(200);
    assert_eq!(code(&ask(&mut lab, &full)), (403, "AuthenticationFailed"));
    lab.wait(16.0 * 60.0);
    assert!(text_of(&ask(&mut lab, &full)).contains("too old"));
}

#[test]
fn public_access_needs_the_account_and_the_container() {
    let mut lab = ready();
    put(&mut lab, "/c01/a", "one");
    let acl = "/c01?restype=container&comp=acl";
    lab.patch(&account(), json!({"properties": {"allowBlobPublicAccess": true}})).ok(200);
    let containers = format!("{}/blobServices/default/containers/c01", account());
    lab.put(&containers, json!({"properties": {"publicAccess": "Blob"}})).ok(200);
    assert_eq!(bare(&mut lab, Method::Get, "/c01/a", &[], "").status, 200);
    let list = "/c01?restype=container&comp=list";
    assert_eq!(bare(&mut lab, Method::Get, list, &[], "").status, 401);
    let shown = blob(&mut lab, Method::Get, acl, &[], "");
    assert_eq!((shown.status, header(&shown, "x-ms-blob-public-access")), (200, "blob"));
    lab.patch(&account(), json!({"properties": {"allowBlobPublicAccess": false}})).ok(200);
    assert!(bare(&mut lab, Method::Get, "/c01/a", &[], "").status >= 400);
    lab.put(&containers, json!({"properties": {"publicAccess": "Blob"}}))
        .refused(409, "PublicAccessNotPermitted");
    let shut = json!({"properties": {"networkAcls": {"defaultAction": "Deny", "ipRules": []}}});
    lab.patch(&account(), shut).ok(200);
    assert_eq!(code(&blob(&mut lab, Method::Get, "/c01/a", &[], "")), (403, "AuthorizationFailure"));
}

#[test]
fn tag_expressions_are_read() {
    use super::conditions::terms;
    let read = terms("\"env\" = 'prod' AND size >= '2' and @container='c'").expect("terms");
    assert_eq!(read.iter().map(|term| term.key.as_str()).collect::<Vec<_>>(), ["env", "size", "@container"]);
    assert!(read[1].holds(Some("3")) && !read[1].holds(Some("1")) && !read[1].holds(None));
    for bad in ["", "x", "x=", "x='a", "x='a' OR y='b'", "='a'", "\"x = 'a'", "x == 'a'"] {
        assert!(terms(bad).is_none(), "{bad}");
    }
}
