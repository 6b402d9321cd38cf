"""Blob storage as applications use it: azure-storage-blob by key, signature and token; raw requests for what it hides;
`az storage`."""

import asyncio
import base64
import datetime as dt
import hashlib
import os

import pytest
import requests
from azure.core import MatchConditions
from azure.storage.blob import (
    AccessPolicy,
    AccountSasPermissions,
    BlobBlock,
    BlobClient,
    BlobSasPermissions,
    BlobServiceClient,
    ContainerClient,
    ContainerSasPermissions,
    CorsRule,
    CustomerProvidedEncryptionKey,
    ResourceTypes,
    RetentionPolicy,
    StaticWebsite,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)
from conftest import refusal

DATA_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
DATA_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
API = "2024-01-01"
NAME = "stblob1"


@pytest.fixture(scope="module")
def account(azure):
    """The path of a storage account."""
    path = f"{azure.group()}/providers/Microsoft.Storage/storageAccounts/{NAME}"
    body = {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_RAGRS"}}
    azure.put(path, API, body)
    return path


@pytest.fixture(scope="module")
def keys(azure, account):
    return [key["value"] for key in azure.arm("POST", account + "/listKeys", API).json()["keys"]]


@pytest.fixture(scope="module")
def host(azure):
    return f"https://{NAME}{azure.env['BLOB_SUFFIX']}"


@pytest.fixture(scope="module")
def service(host, keys):
    return BlobServiceClient(host, credential={"account_name": NAME, "account_key": keys[1]}, retry_total=0)


@pytest.fixture
def box(service, request):
    """A container of the test's own."""
    name = hashlib.sha1(request.node.name.encode()).hexdigest()[:20]
    return service.create_container("c" + name)


@pytest.fixture
def settings(azure, account):
    """Changes the blob service, and undoes it after the test."""
    path = account + "/blobServices/default"
    before = {
        "isVersioningEnabled": False,
        "deleteRetentionPolicy": {"enabled": False},
        "containerDeleteRetentionPolicy": {"enabled": False},
        "lastAccessTimeTrackingPolicy": {"enable": False},
        "cors": {"corsRules": []},
    }

    def change(**properties):
        answer = azure.arm("PUT", path, API, {"properties": properties})
        assert answer.status_code == 200, answer.text

    yield change
    change(**before)


def soon(hours=1):
    return dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=hours)


def world_time(azure, **later):
    """The world's clock, which tests move."""
    now = azure.control("GET", "clock")["now"]
    return dt.datetime.fromisoformat(now.replace("Z", "+00:00")) + dt.timedelta(**later)


def raw(client, method, query="", headers=None, data=b"", sas=None):
    """One request by hand, signed by an account's signature."""
    url = client.url.split("?")[0] + "?" + "&".join(part for part in (query, sas) if part)
    return requests.request(method, url, headers={"x-ms-version": "2024-11-04", **(headers or {})}, data=data, timeout=60)


@pytest.fixture
def sas(azure, keys):
    """An account's signature for everything, for a while by the world's clock."""
    permissions = AccountSasPermissions.from_string("rwdxlacuptfi")
    return generate_account_sas(
        NAME, keys[1], ResourceTypes.from_string("sco"), permissions, world_time(azure, hours=1)
    )


# Blobs and their bytes


def test_a_blob_has_all_that_it_was_given(box):
    blob = box.get_blob_client("folder/x y+ü.txt")
    blob.upload_blob(b"hello world", metadata={"kind": "text"}, tags={"env": "prod"})
    got = blob.download_blob()
    assert got.readall() == b"hello world"
    assert (got.properties.metadata, got.properties.tag_count) == ({"kind": "text"}, 1)
    assert got.properties.content_settings.content_md5 == hashlib.md5(b"hello world").digest()
    assert blob.download_blob(offset=6, length=3).readall() == b"wor"
    assert refusal(blob.upload_blob, b"again") == (409, "BlobAlreadyExists")


def test_metadata_keeps_the_case_of_its_names(box):
    blob = box.get_blob_client("cased")
    blob.upload_blob(b"", metadata={"Category": "a", "UP": "b", "low": "c"})
    assert blob.get_blob_properties().metadata == {"Category": "a", "UP": "b", "low": "c"}
    listed = next(iter(box.list_blobs(include=["metadata"])))
    assert listed.metadata == {"Category": "a", "UP": "b", "low": "c"}


def test_metadata_has_rules(box):
    blob = box.get_blob_client("m")
    blob.upload_blob(b"")
    assert refusal(blob.set_blob_metadata, {"no-hyphen": "x"}) == (400, "InvalidMetadata")
    assert refusal(blob.set_blob_metadata, {"large": "x" * 8200}) == (400, "MetadataTooLarge")


def test_what_comes_in_must_have_the_digests_that_were_sent(box, sas):
    blob = box.get_blob_client("digests")
    kind = {"x-ms-blob-type": "BlockBlob"}
    # As Azure itself answered for these bytes.
    taken = raw(blob, "PUT", sas=sas, headers={**kind, "x-ms-content-crc64": "mpnC2q1C3TI="}, data=b"hello world again")
    assert taken.status_code == 201
    assert taken.headers["x-ms-content-crc64"] == "mpnC2q1C3TI="
    assert taken.headers["Content-MD5"] == "ADIaUHvbQg271PU8czsVBQ=="
    for header, value, code in [
        ("x-ms-content-crc64", "AAAAAAAAAAA=", "Crc64Mismatch"),
        ("Content-MD5", base64.b64encode(bytes(16)).decode(), "Md5Mismatch"),
        ("Content-MD5", "AAAA", "InvalidMd5"),
        ("x-ms-blob-content-md5", base64.b64encode(bytes(16)).decode(), "Md5Mismatch"),
    ]:
        answer = raw(blob, "PUT", sas=sas, headers={**kind, header: value}, data=b"hello world again")
        assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, code)


def test_a_range_tells_its_digest(box, sas):
    blob = box.get_blob_client("range")
    blob.upload_blob(b"0123456789" * 1000)
    md5 = base64.b64encode(hashlib.md5(b"23456").digest()).decode()
    part = raw(blob, "GET", sas=sas, headers={"x-ms-range": "bytes=2-6", "x-ms-range-get-content-md5": "true"})
    assert (part.status_code, part.headers["Content-MD5"], part.headers["Content-Range"]) == (206, md5, "bytes 2-6/10000")
    part = raw(blob, "GET", sas=sas, headers={"x-ms-range": "bytes=2-6", "x-ms-range-get-content-crc64": "true"})
    assert len(base64.b64decode(part.headers["x-ms-content-crc64"])) == 8
    whole = raw(blob, "GET", sas=sas, headers={"x-ms-range-get-content-md5": "true"})
    assert (whole.status_code, whole.headers["x-ms-error-code"]) == (400, "InvalidHeaderValue")
    beyond = raw(blob, "GET", sas=sas, headers={"Range": "bytes=10000-"})
    assert (beyond.status_code, beyond.headers["x-ms-error-code"]) == (416, "InvalidRange")


def test_blocks_are_put_together_in_the_order_of_their_list(box):
    blob = box.get_blob_client("blocks")
    ids = [base64.b64encode(f"{n:03}".encode()).decode() for n in range(3)]
    for block, data in zip(ids, (b"zero ", b"one ", b"two ")):
        blob.stage_block(block, data)
    assert [block.id for block in blob.get_block_list("uncommitted")[1]] == ids
    assert refusal(blob.stage_block, "longer id", b"x") == (400, "InvalidBlobOrBlock")
    blob.commit_block_list([BlobBlock(ids[2]), BlobBlock(ids[0])])
    assert blob.download_blob().readall() == b"two zero "
    assert refusal(blob.commit_block_list, [BlobBlock(ids[1])]) == (400, "InvalidBlockList")


def test_a_block_list_may_be_larger_than_4_mb(box, sas):
    blob = box.get_blob_client("long")
    block = base64.b64encode(b"b" * 64).decode()
    answer = raw(blob, "PUT", "comp=block&blockid=" + requests.utils.quote(block, safe=""), sas=sas, data=b"x")
    assert answer.status_code == 201
    document = "<BlockList>" + f"<Latest>{block}</Latest>" * 50_000 + "</BlockList>"
    assert len(document) > 4 << 20
    assert raw(blob, "PUT", "comp=blocklist", sas=sas, data=document).status_code == 201
    assert blob.get_blob_properties().size == 50_000
    longer = document.replace("</BlockList>", f"<Latest>{block}</Latest></BlockList>")
    answer = raw(blob, "PUT", "comp=blocklist", sas=sas, data=longer)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, "BlockListTooLong")


def test_large_blobs_go_up_and_down_in_parallel_blocks(host, keys, box):
    credential = {"account_name": NAME, "account_key": keys[1]}
    sizes = {"max_single_put_size": 1 << 20, "max_block_size": 1 << 20, "max_chunk_get_size": 1 << 20}
    blob = BlobClient(host, box.container_name, "big", credential=credential, **sizes)
    data = os.urandom(9_000_000)
    blob.upload_blob(data, max_concurrency=4)
    assert blob.download_blob(max_concurrency=4).readall() == data


def test_append_blobs_grow_until_they_are_sealed(box):
    log = box.get_blob_client("log")
    log.create_append_blob()
    assert log.append_block(b"one ")["blob_append_offset"] == "0"
    assert log.append_block(b"two")["blob_append_offset"] == "4"
    assert refusal(log.append_block, b"x", appendpos_condition=3) == (412, "AppendPositionConditionNotMet")
    assert refusal(log.append_block, b"x" * 10, maxsize_condition=10) == (412, "MaxBlobSizeConditionNotMet")
    log.seal_append_blob()
    assert refusal(log.append_block, b"three")[0] == 409
    assert log.download_blob().readall() == b"one two"


def test_page_blobs_have_pages_holes_and_sequence_numbers(box):
    disk = box.get_blob_client("disk")
    disk.create_page_blob(4096, sequence_number=5)
    snapshot = disk.create_snapshot()
    disk.upload_page(b"a" * 1024, offset=512, length=1024)
    disk.clear_page(offset=512, length=512)
    pages, _ = disk.get_page_ranges()
    assert pages == [{"start": 1024, "end": 1535}]
    pages, cleared = disk.get_page_ranges(previous_snapshot_diff=snapshot)
    assert (pages, cleared) == ([{"start": 1024, "end": 1535}], [{"start": 512, "end": 1023}])
    assert disk.download_blob().readall() == bytes(1024) + b"a" * 512 + bytes(2560)
    assert refusal(disk.upload_page, b"a" * 512, offset=4096, length=512) == (416, "InvalidPageRange")
    assert refusal(disk.upload_page, b"b" * 512, offset=0, length=512, if_sequence_number_lt=5) == (
        412,
        "SequenceNumberConditionNotMet",
    )
    disk.resize_blob(512)
    assert disk.get_blob_properties().size == 512


# Conditions and leases


def test_conditions_are_checked_on_reading_and_writing(box):
    blob = box.get_blob_client("conditions")
    etag = blob.upload_blob(b"1")["etag"]
    is_it, is_not = MatchConditions.IfNotModified, MatchConditions.IfModified
    assert refusal(blob.upload_blob, b"2", overwrite=True, etag='"0x1"', match_condition=is_it) == (412, "ConditionNotMet")
    blob.set_blob_metadata({"a": "1"}, etag=etag, match_condition=is_it)
    etag = blob.get_blob_properties().etag
    assert refusal(blob.download_blob, etag=etag, match_condition=is_not)[0] == 304
    assert refusal(blob.delete_blob, if_unmodified_since=dt.datetime(2020, 1, 1)) == (412, "ConditionNotMet")
    blob.set_blob_tags({"env": "dev"})
    assert refusal(blob.download_blob, if_tags_match_condition="\"env\"='prod'") == (412, "ConditionNotMet")
    assert blob.download_blob(if_tags_match_condition="\"env\"='dev'").readall() == b"1"


def test_a_lease_goes_through_its_states(azure, box):
    blob = box.get_blob_client("leased")
    blob.upload_blob(b"1")
    lease = blob.acquire_lease(15)
    assert refusal(blob.upload_blob, b"2", overwrite=True) == (412, "LeaseIdMissing")
    assert refusal(blob.acquire_lease, 15) == (409, "LeaseAlreadyPresent")
    # Who has the lease may overwrite without asking whether something is there.
    blob.upload_blob(b"2", lease=lease)
    lease.renew()
    old = lease.id
    lease.change("aaaaaaaa-0000-0000-0000-000000000001")
    assert refusal(blob.set_blob_metadata, {}, lease=old) == (412, "LeaseIdMismatchWithBlobOperation")
    assert lease.break_lease(10) in range(8, 11)
    assert blob.get_blob_properties().lease.state == "breaking"
    azure.advance("PT11S")
    assert blob.get_blob_properties().lease.state == "broken"
    assert refusal(lease.renew) == (409, "LeaseIsBrokenAndCannotBeRenewed")
    blob.acquire_lease(15)
    azure.advance("PT16S")
    assert blob.get_blob_properties().lease.state == "expired"
    blob.upload_blob(b"3", overwrite=True)
    assert blob.get_blob_properties().lease.state == "available"


def test_a_leased_container_is_not_deleted(box):
    lease = box.acquire_lease(-1)
    assert refusal(box.delete_container) == (412, "LeaseIdMissing")
    box.delete_container(lease=lease)


# The past of blobs


def test_snapshots_stay_as_they_were(box, host, keys):
    blob = box.get_blob_client("a")
    blob.upload_blob(b"before")
    taken = blob.create_snapshot()["snapshot"]
    blob.upload_blob(b"after", overwrite=True)
    credential = {"account_name": NAME, "account_key": keys[1]}
    snapshot = BlobClient(host, box.container_name, "a", snapshot=taken, credential=credential)
    assert snapshot.download_blob().readall() == b"before"
    assert refusal(blob.delete_blob) == (409, "SnapshotsPresent")
    assert [item.snapshot for item in box.list_blobs(include=["snapshots"])] == [taken, None]
    blob.delete_blob(delete_snapshots="include")
    assert list(box.list_blobs(include=["snapshots"])) == []


def test_every_write_makes_a_version_where_versions_are_kept(settings, box):
    settings(isVersioningEnabled=True)
    blob = box.get_blob_client("v")
    first = blob.upload_blob(b"a")["version_id"]
    second = blob.upload_blob(b"b", overwrite=True)["version_id"]
    blob.set_blob_metadata({"k": "v"})
    versions = [(item.version_id, bool(item.is_current_version)) for item in box.list_blobs(include=["versions"])]
    assert [version for version, _ in versions[:2]] == [first, second]
    assert [current for _, current in versions] == [False, False, True]
    blob.delete_blob()
    assert refusal(blob.get_blob_properties) == (404, "BlobNotFound")
    assert blob.download_blob(version_id=second).readall() == b"b"
    blob.start_copy_from_url(f"{blob.url}?versionid={first}")
    assert blob.download_blob().readall() == b"a"
    blob.delete_blob(version_id=second)
    assert second not in [item.version_id for item in box.list_blobs(include=["versions"])]


def test_deleted_blobs_come_back_until_their_retention_is_over(azure, service, box):
    service.set_service_properties(delete_retention_policy=RetentionPolicy(True, 3))
    blob = box.get_blob_client("gone")
    blob.upload_blob(b"5")
    blob.delete_blob()
    assert refusal(blob.get_blob_properties) == (404, "BlobNotFound")
    (deleted,) = box.list_blobs(include=["deleted"])
    assert (deleted.deleted, deleted.remaining_retention_days) == (True, 2)
    blob.undelete_blob()
    assert blob.download_blob().readall() == b"5"
    blob.delete_blob()
    azure.advance("P3DT1M")
    assert refusal(blob.undelete_blob) == (404, "BlobNotFound")
    service.set_service_properties(delete_retention_policy=RetentionPolicy(False))


def test_deleted_containers_come_back_too(settings, service, box):
    settings(containerDeleteRetentionPolicy={"enabled": True, "days": 2})
    box.upload_blob("z", b"z")
    box.delete_container()
    deleted = [item for item in service.list_containers(include_deleted=True) if item.name == box.container_name]
    assert [item.deleted for item in deleted] == [True]
    service.undelete_container(box.container_name, deleted[0].version)
    assert box.download_blob("z").readall() == b"z"


# Tiers and time


def test_the_archive_gives_back_after_its_time(azure, box):
    blob = box.get_blob_client("tier")
    blob.upload_blob(b"t")
    properties = blob.get_blob_properties()
    assert (properties.blob_tier, properties.blob_tier_inferred) == ("Hot", True)
    blob.set_standard_blob_tier("Archive")
    assert refusal(blob.download_blob) == (409, "BlobArchived")
    blob.set_standard_blob_tier("Cool")
    assert blob.get_blob_properties().archive_status == "rehydrate-pending-to-cool"
    assert refusal(blob.set_standard_blob_tier, "Hot") == (409, "BlobBeingRehydrated")
    assert refusal(blob.download_blob) == (409, "BlobArchived")
    azure.advance("PT15H1M")
    assert blob.get_blob_properties().blob_tier == "Cool"
    assert blob.download_blob().readall() == b"t"


def test_lifecycle_rules_act_as_time_goes_by(azure, account, box):
    rule = {
        "name": "age",
        "type": "Lifecycle",
        "enabled": True,
        "definition": {
            "filters": {
                "blobTypes": ["blockBlob"],
                "prefixMatch": [f"{box.container_name}/old"],
                "blobIndexMatch": [{"name": "keep", "op": "==", "value": "no"}],
            },
            "actions": {
                "baseBlob": {
                    "tierToCool": {"daysAfterModificationGreaterThan": 5},
                    "delete": {"daysAfterModificationGreaterThan": 10},
                }
            },
        },
    }
    path = account + "/managementPolicies/default"
    azure.put(path, API, {"properties": {"policy": {"rules": [rule]}}})
    for name, tags in [("old1", {"keep": "no"}), ("old2", {"keep": "yes"}), ("new", {"keep": "no"})]:
        box.upload_blob(name, b"x", tags=tags)
    azure.advance("P7D")
    assert {item.name: item.blob_tier for item in box.list_blobs()} == {"new": "Hot", "old1": "Cool", "old2": "Hot"}
    azure.advance("P5D")
    assert [item.name for item in box.list_blobs()] == ["new", "old2"]
    azure.arm("DELETE", path, API)


def test_reads_are_told_and_rules_go_by_them(azure, account, settings, box):
    tracking = {"enable": True, "name": "AccessTimeTracking", "trackingGranularityInDays": 1, "blobType": ["blockBlob"]}
    settings(lastAccessTimeTrackingPolicy=tracking)
    for name in ("read", "unread"):
        box.upload_blob(name, b"x")
    when = {"tierToCool": {"daysAfterLastAccessTimeGreaterThan": 5}}
    rule = {
        "name": "access",
        "type": "Lifecycle",
        "definition": {"filters": {"blobTypes": ["blockBlob"]}, "actions": {"baseBlob": when}},
    }
    path = account + "/managementPolicies/default"
    azure.put(path, API, {"properties": {"policy": {"rules": [rule]}}})
    azure.advance("P4D")
    before = box.get_blob_client("read").get_blob_properties().last_accessed_on
    box.download_blob("read").readall()
    assert box.get_blob_client("read").get_blob_properties().last_accessed_on > before
    azure.advance("P3D")
    assert {item.name: item.blob_tier for item in box.list_blobs()} == {"read": "Hot", "unread": "Cool"}
    azure.arm("DELETE", path, API)


# Who may


def test_the_owner_of_a_subscription_needs_a_data_role(azure, account, host, box):
    box.upload_blob("x", b"x")
    service = BlobServiceClient(host, credential=azure.credential(), retry_total=0)
    blob = service.get_blob_client(box.container_name, "x")
    assert refusal(blob.get_blob_properties) == (403, "AuthorizationPermissionMismatch")
    assignment = azure.grant(DATA_READER, account)
    assert blob.download_blob().readall() == b"x"
    assert refusal(blob.delete_blob) == (403, "AuthorizationPermissionMismatch")
    azure.arm("DELETE", assignment, "2022-04-01")


def test_keys_sign_until_they_are_regenerated(azure, account, host, keys):
    def client(key):
        return BlobServiceClient(host, credential={"account_name": NAME, "account_key": key}, retry_total=0)

    assert client(keys[0]).get_account_information()["sku_name"] == "Standard_RAGRS"
    wrong = base64.b64encode(b"x" * 64).decode()
    assert refusal(client(wrong).get_account_information) == (403, "AuthenticationFailed")
    renewed = azure.arm("POST", account + "/regenerateKey", API, {"keyName": "key1"}).json()["keys"]
    assert refusal(client(keys[0]).get_account_information) == (403, "AuthenticationFailed")
    assert client(renewed[0]["value"]).get_account_information()["account_kind"] == "StorageV2"


def test_an_accounts_signature_allows_what_it_says(azure, host, keys, box):
    box.upload_blob("x", b"x")

    def client(permissions, types="sco", **more):
        letters = AccountSasPermissions.from_string(permissions)
        end = more.pop("end", world_time(azure, hours=1))
        signature = generate_account_sas(NAME, keys[1], ResourceTypes.from_string(types), letters, end, **more)
        return BlobServiceClient(host, credential=signature, retry_total=0).get_blob_client(box.container_name, "x")

    assert client("r").download_blob().readall() == b"x"
    assert refusal(client("l").download_blob) == (403, "AuthorizationPermissionMismatch")
    assert refusal(client("r", "c").download_blob) == (403, "AuthorizationResourceTypeMismatch")
    assert refusal(client("r", ip="10.0.0.1").download_blob) == (403, "AuthorizationSourceIPMismatch")
    expired = client("r", end=world_time(azure, hours=-1))
    assert refusal(expired.download_blob) == (403, "AuthenticationFailed")


def test_a_services_signature_is_for_its_blob_or_container(azure, host, keys, box):
    box.upload_blob("one", b"1")
    box.upload_blob("two", b"2")
    name, end = box.container_name, world_time(azure, hours=1)
    read = BlobSasPermissions(read=True)
    of_blob = generate_blob_sas(
        NAME, name, "one", account_key=keys[1], permission=read, expiry=end, content_type="text/odd"
    )
    got = BlobClient(host, name, "one", credential=of_blob).download_blob()
    assert (got.readall(), got.properties.content_settings.content_type) == (b"1", "text/odd")
    other = BlobClient(host, name, "two", credential=of_blob)
    assert refusal(other.get_blob_properties) == (403, "AuthenticationFailed")
    some = ContainerSasPermissions(read=True, list=True, create=True)
    of_container = generate_container_sas(NAME, name, account_key=keys[1], permission=some, expiry=end)
    container = ContainerClient(host, name, credential=of_container)
    assert [item.name for item in container.list_blobs()] == ["one", "two"]
    container.upload_blob("three", b"3")
    assert refusal(container.upload_blob, "one", b"!", overwrite=True) == (403, "AuthorizationPermissionMismatch")
    assert refusal(container.get_container_properties) == (403, "AuthorizationPermissionMismatch")


def test_a_stored_policy_gives_and_takes_back(azure, host, keys, box):
    box.upload_blob("x", b"x")
    policy = AccessPolicy(ContainerSasPermissions(read=True), expiry=world_time(azure, hours=1), start=soon(-48))
    box.set_container_access_policy({"p1": policy})
    (stored,) = box.get_container_access_policy()["signed_identifiers"]
    assert (stored.id, stored.access_policy.permission) == ("p1", "r")
    signature = generate_container_sas(NAME, box.container_name, account_key=keys[1], policy_id="p1")
    blob = BlobClient(host, box.container_name, "x", credential=signature)
    assert blob.download_blob().readall() == b"x"
    box.set_container_access_policy({})
    assert refusal(blob.get_blob_properties) == (403, "AuthenticationFailed")


def test_a_user_delegation_signature_lends_a_principals_rights(azure, account, host, box):
    box.upload_blob("x", b"x")
    service = BlobServiceClient(host, credential=azure.credential(), retry_total=0)
    assignment = azure.grant(DATA_OWNER, account)
    start, end = world_time(azure, minutes=-5), world_time(azure, hours=1)
    key = service.get_user_delegation_key(start, end)
    assert refusal(service.get_user_delegation_key, start, world_time(azure, days=8)) == (400, "InvalidXmlNodeValue")
    signature = generate_blob_sas(
        NAME, box.container_name, "x", user_delegation_key=key, permission=BlobSasPermissions(read=True), expiry=end
    )
    blob = BlobClient(host, box.container_name, "x", credential=signature)
    assert blob.download_blob().readall() == b"x"
    assert refusal(blob.delete_blob) == (403, "AuthorizationPermissionMismatch")
    azure.arm("POST", account + "/revokeUserDelegationKeys", API, {})
    assert refusal(blob.get_blob_properties) == (403, "AuthenticationFailed")
    azure.arm("DELETE", assignment, "2022-04-01")


def test_nobody_reads_without_credentials_unless_account_and_container_say_so(azure, account, host, box):
    box.upload_blob("page", b"hi")
    nobody = BlobClient(host, box.container_name, "page")
    assert refusal(box.set_container_access_policy, {}, public_access="blob") == (409, "PublicAccessNotPermitted")
    assert refusal(nobody.get_blob_properties)[0] in (401, 409)
    azure.arm("PATCH", account, API, {"properties": {"allowBlobPublicAccess": True}})
    box.set_container_access_policy({}, public_access="blob")
    assert nobody.download_blob().readall() == b"hi"
    anyone = ContainerClient(host, box.container_name)
    assert refusal(lambda: list(anyone.list_blobs())) == (401, "NoAuthenticationInformation")
    azure.arm("PATCH", account, API, {"properties": {"allowBlobPublicAccess": False}})
    assert refusal(nobody.get_blob_properties)[0] in (401, 409)


def test_keys_and_the_network_can_be_shut_off(azure, account, service):
    for closed, opened, code in [
        ({"allowSharedKeyAccess": False}, {"allowSharedKeyAccess": True}, "KeyBasedAuthenticationNotPermitted"),
        ({"networkAcls": {"defaultAction": "Deny"}}, {"networkAcls": {"defaultAction": "Allow"}}, "AuthorizationFailure"),
        ({"publicNetworkAccess": "Disabled"}, {"publicNetworkAccess": "Enabled"}, "AuthorizationFailure"),
    ]:
        azure.arm("PATCH", account, API, {"properties": closed})
        assert refusal(service.get_account_information) == (403, code)
        azure.arm("PATCH", account, API, {"properties": opened})
        assert service.get_account_information()["sku_name"]


# Keys of clients, what may not be changed


def test_a_blob_with_a_clients_key_is_read_with_that_key_only(box):
    def key(byte):
        value = bytes([byte]) * 32
        hash = base64.b64encode(hashlib.sha256(value).digest()).decode()
        return CustomerProvidedEncryptionKey(base64.b64encode(value).decode(), hash)

    blob = box.get_blob_client("secret")
    taken = blob.upload_blob(b"s", cpk=key(1))
    assert taken["encryption_key_sha256"] == key(1).key_hash
    assert blob.download_blob(cpk=key(1)).readall() == b"s"
    assert refusal(blob.download_blob) == (409, "BlobUsesCustomerSpecifiedEncryption")
    assert refusal(blob.get_blob_properties, cpk=key(2))[0] == 409


def test_a_legal_hold_keeps_blobs_as_they_are(azure, account, box):
    box.upload_blob("deed", b"1")
    path = f"{account}/blobServices/default/containers/{box.container_name}"
    held = azure.arm("POST", path + "/setLegalHold", API, {"tags": ["case1"]}).json()
    assert held == {"hasLegalHold": True, "tags": ["case1"]}
    deed = box.get_blob_client("deed")
    assert refusal(deed.delete_blob) == (409, "BlobImmutableDueToLegalHold")
    assert refusal(deed.upload_blob, b"2", overwrite=True) == (409, "BlobImmutableDueToLegalHold")
    assert refusal(box.delete_container) == (409, "ContainerHasLegalHold")
    assert azure.arm("DELETE", account, API).json()["error"]["code"] == "AccountProtectedFromDeletion"
    azure.arm("POST", path + "/clearLegalHold", API, {"tags": ["case1"]})
    deed.delete_blob()


def test_an_immutability_policy_holds_for_its_days(azure, account, box):
    box.upload_blob("record", b"1")
    path = f"{account}/blobServices/default/containers/{box.container_name}/immutabilityPolicies/default"
    made = azure.arm("PUT", path, API, {"properties": {"immutabilityPeriodSinceCreationInDays": 3}})
    assert (made.status_code, made.json()["properties"]["state"]) == (200, "Unlocked")
    locked = azure.arm("POST", path + "/lock", API, headers={"If-Match": made.json()["etag"]})
    assert locked.json()["properties"]["state"] == "Locked"
    shorter = {"properties": {"immutabilityPeriodSinceCreationInDays": 1}}
    extend = azure.arm("POST", path + "/extend", API, shorter, headers={"If-Match": locked.json()["etag"]})
    assert extend.status_code == 409
    record = box.get_blob_client("record")
    assert refusal(record.delete_blob) == (409, "BlobImmutableDueToPolicy")
    assert refusal(box.delete_container) == (409, "ContainerImmutabilityPolicyLocked")
    azure.advance("P3DT1M")
    record.delete_blob()
    assert azure.arm("DELETE", path.partition("/immutabilityPolicies")[0], API).status_code == 200


# Copies, tags, lists, batches


def test_copies_take_content_properties_and_conditions(azure, keys, box):
    source = box.get_blob_client("source")
    source.upload_blob(b"0123456789", metadata={"a": "1"}, tags={"t": "1"})
    copy = box.get_blob_client("copy")
    assert copy.start_copy_from_url(source.url)["copy_status"] == "success"
    assert copy.get_blob_properties().metadata == {"a": "1"}
    assert refusal(copy.abort_copy, "11111111-1111-1111-1111-111111111111") == (409, "NoPendingCopyOperation")
    read, end = BlobSasPermissions(read=True), world_time(azure, hours=1)
    signature = generate_blob_sas(
        NAME, box.container_name, "source", account_key=keys[1], permission=read, expiry=end
    )
    signed = f"{source.url}?{signature}"
    part = box.get_blob_client("part")
    part.stage_block_from_url("AAAA", signed, source_offset=2, source_length=3)
    part.commit_block_list([BlobBlock("AAAA")])
    assert part.download_blob().readall() == b"234"
    assert refusal(part.upload_blob_from_url, source.url, overwrite=True)[0] == 401
    wrong = {"source_etag": '"0x1"', "source_match_condition": MatchConditions.IfNotModified}
    assert refusal(copy.start_copy_from_url, source.url, **wrong) == (412, "SourceConditionNotMet")
    missing = box.get_blob_client("none").url
    assert refusal(copy.start_copy_from_url, missing) == (404, "CannotVerifyCopySource")


def test_blobs_are_found_by_their_tags(service, box):
    for name, tags in [("a", {"env": "prod", "n": "1"}), ("b", {"env": "prod", "n": "2"}), ("c", {"env": "dev"})]:
        box.upload_blob(name, b"", tags=tags)
    found = service.find_blobs_by_tags(f"\"env\"='prod' AND \"n\">='2' AND @container = '{box.container_name}'")
    assert [(item.name, item.tags) for item in found] == [("b", {"env": "prod", "n": "2"})]
    assert [item.name for item in box.find_blobs_by_tags("\"env\"='dev'")] == ["c"]
    blob = box.get_blob_client("a")
    assert refusal(blob.set_blob_tags, {f"t{n}": "x" for n in range(11)})[0] == 400
    assert blob.get_blob_tags() == {"env": "prod", "n": "1"}


def test_listings_have_folders_prefixes_and_pages(box):
    names = ["a/1", "a/2", "b", "c/d/3", "e"]
    for name in names:
        box.upload_blob(name, b"")
    assert sorted(item.name for item in box.walk_blobs()) == ["a/", "b", "c/", "e"]
    assert [item.name for item in box.list_blobs(name_starts_with="a/")] == ["a/1", "a/2"]
    pages = [[item.name for item in page] for page in box.list_blobs(results_per_page=2).by_page()]
    assert pages == [["a/1", "a/2"], ["b", "c/d/3"], ["e"]]
    second = box.list_blobs(results_per_page=2).by_page()
    next(second)
    resumed = box.list_blobs(results_per_page=2).by_page(second.continuation_token)
    assert [item.name for item in next(resumed)] == ["b", "c/d/3"]


def test_a_list_refuses_what_it_does_not_know(box, sas):
    for query, code in [
        ("include=nonsense", "InvalidQueryParameterValue"),
        ("maxresults=0", "OutOfRangeQueryParameterValue"),
        ("showonly=nothing", "InvalidQueryParameterValue"),
    ]:
        answer = raw(box, "GET", f"restype=container&comp=list&{query}", sas=sas)
        assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, code)


def test_a_batch_answers_each_of_its_parts(box):
    for n in range(3):
        box.upload_blob(f"b{n}", b"x")
    assert [part.status_code for part in box.set_standard_blob_tier_blobs("Cool", "b0", "b1")] == [200, 200]
    parts = box.delete_blobs("b0", "none", "b2", raise_on_any_failure=False)
    assert [part.status_code for part in parts] == [202, 404, 202]
    assert [item.name for item in box.list_blobs()] == ["b1"]


# Browsers


def test_pages_of_other_origins_are_let_in_by_rule(service, box, sas):
    box.upload_blob("x", b"x")
    rule = CorsRule(["https://app.contoso.com"], ["GET"], allowed_headers=["x-ms-*"], exposed_headers=["etag"], max_age_in_seconds=60)
    service.set_service_properties(cors=[rule])
    asked = {"Origin": "https://app.contoso.com", "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-ms-version"}
    blob = box.get_blob_client("x")
    allowed = requests.options(blob.url, headers=asked, timeout=60)
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.contoso.com"
    assert allowed.headers["Access-Control-Max-Age"] == "60"
    refused = requests.options(blob.url, headers={**asked, "Origin": "https://evil.com"}, timeout=60)
    assert refused.status_code == 403
    got = raw(blob, "GET", sas=sas, headers={"Origin": "https://app.contoso.com"})
    assert got.headers["Access-Control-Allow-Origin"] == "https://app.contoso.com"
    assert got.headers["Access-Control-Expose-Headers"] == "etag"
    assert "Access-Control-Allow-Origin" not in raw(blob, "GET", sas=sas, headers={"Origin": "https://evil.com"}).headers
    service.set_service_properties(cors=[])


def test_a_website_is_shown_from_its_container(azure, account, service):
    website = StaticWebsite(enabled=True, index_document="index.html", error_document404_path="404.html")
    service.set_service_properties(static_website=website)
    web = service.get_container_client("$web")
    if not web.exists():
        web.create_container()
    web.upload_blob("index.html", b"<h1>hi</h1>", overwrite=True)
    web.upload_blob("404.html", b"lost", overwrite=True)
    address = azure.arm("GET", account, API).json()["properties"]["primaryEndpoints"]["web"]
    assert requests.get(address, timeout=60).text == "<h1>hi</h1>"
    lost = requests.get(address + "none", timeout=60)
    assert (lost.status_code, lost.text) == (404, "lost")


# The service itself


def test_every_answer_says_who_answered_what_and_when(box, sas):
    headers = {"x-ms-client-request-id": "mine"}
    answer = raw(box.get_blob_client("none"), "GET", sas=sas, headers=headers)
    assert answer.status_code == 404
    assert answer.headers["x-ms-client-request-id"] == "mine"
    assert answer.headers["x-ms-version"] == "2024-11-04"
    assert answer.headers["x-ms-error-code"] == "BlobNotFound"
    assert all(answer.headers[name] for name in ("Date", "Server", "x-ms-request-id"))
    text = answer.content.decode("utf-8-sig")
    assert "<Code>BlobNotFound</Code>" in text and f"RequestId:{answer.headers['x-ms-request-id']}" in text


def test_container_names_have_rules(service):
    for name, code in [
        ("ab", "OutOfRangeInput"),
        ("x" * 64, "OutOfRangeInput"),
        ("Upper", "InvalidResourceName"),
        ("two--hyphens", "InvalidResourceName"),
        ("-lead", "InvalidResourceName"),
    ]:
        assert refusal(service.create_container, name) == (400, code)
    service.create_container("twice")
    assert refusal(service.create_container, "twice") == (409, "ContainerAlreadyExists")


def test_the_secondary_tells_how_far_it_is_and_is_read_only(host, keys, service):
    stats = service.get_service_stats()["geo_replication"]
    assert stats["status"] == "live"
    other = BlobServiceClient(
        host.replace(NAME, NAME + "-secondary", 1), credential={"account_name": NAME, "account_key": keys[1]}, retry_total=0
    )
    assert [item.name for item in other.list_containers()] == [item.name for item in service.list_containers()]


def test_other_services_of_an_account_say_that_they_are_not_here(host):
    answer = requests.get(host.replace(".blob.", ".dfs.") + "/fs?resource=filesystem", timeout=60)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (501, "NotImplemented")


def test_the_asynchronous_client_works_too(host, keys, box):
    from azure.storage.blob.aio import BlobServiceClient as AsyncClient
    from aiohttp import ClientSession, TCPConnector
    from azure.core.pipeline.transport import AioHttpTransport
    import ssl

    async def run():
        trust = ssl.create_default_context(cafile=os.environ["REQUESTS_CA_BUNDLE"])
        session = ClientSession(connector=TCPConnector(ssl=trust))
        transport = AioHttpTransport(session=session)
        credential = {"account_name": NAME, "account_key": keys[1]}
        async with session, AsyncClient(host, credential=credential, transport=transport) as client:
            blob = client.get_blob_client(box.container_name, "async")
            await blob.upload_blob(b"later", metadata={"Case": "kept"})
            properties = await blob.get_blob_properties()
            return await (await blob.download_blob()).readall(), properties.metadata

    assert asyncio.run(run()) == (b"later", {"Case": "kept"})


# The CLI


def test_az_keeps_blobs_by_login_key_signature_and_connection_string(azure, az, account, tmp_path):
    assignment = azure.grant(DATA_OWNER, account)
    file = tmp_path / "note.txt"
    file.write_text("from az")
    login = ("--account-name", NAME, "--auth-mode", "login")
    assert az("storage", "container", "create", "-n", "azbox", *login)["created"]
    sent = az("storage", "blob", "upload", "-c", "azbox", "-n", "a.txt", "-f", str(file), "--no-progress", *login)
    assert sent["etag"]
    keyed = az("storage", "account", "show-connection-string", "-n", NAME, "-g", "rg1")["connectionString"]
    listed = az("storage", "blob", "list", "-c", "azbox", "--connection-string", keyed)
    assert [item["name"] for item in listed] == ["a.txt"]
    expiry = world_time(azure, hours=1).strftime("%Y-%m-%dT%H:%MZ")
    signature = az(
        "storage", "container", "generate-sas", "-n", "azbox", "--permissions", "rl", "--expiry", expiry,
        "--connection-string", keyed,
    )
    copy = tmp_path / "copy.txt"
    az(
        "storage", "blob", "download", "-c", "azbox", "-n", "a.txt", "-f", str(copy), "--no-progress",
        "--account-name", NAME, "--sas-token", signature,
    )
    assert copy.read_text() == "from az"
    refused = az.refused("storage", "blob", "show", "-c", "azbox", "-n", "none", *login)
    assert "BlobNotFound" in refused.text
    azure.arm("DELETE", assignment, "2022-04-01")
