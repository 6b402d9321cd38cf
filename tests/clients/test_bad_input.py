"""What no client of Microsoft's sends: broken bodies, ids, headers and connections. Each gets Azure's status and code,
and local Azure goes on."""

import json
import socket
import ssl
import time
from urllib.parse import urlsplit

import pytest
import requests

HERE = {"location": "westeurope"}
NETWORK = "Microsoft.Network/virtualNetworks"


@pytest.fixture(scope="module")
def group(azure):
    return azure.group("rg-bad")


@pytest.fixture(autouse=True)
def it_goes_on(azure):
    yield
    began = time.monotonic()
    assert azure.arm("GET", azure.subscription).status_code == 200
    assert time.monotonic() - began < 5


def said(answer):
    return answer.status_code, answer.json()["error"]["code"]


def send(azure, path, body, method="PUT"):
    headers = {"Authorization": f"Bearer {azure.token()}", "Content-Type": "application/json"}
    return requests.request(method, f"{azure.url}{path}?api-version=2024-05-01", data=body, headers=headers, timeout=30)


# Bodies


@pytest.mark.parametrize("body", [b"{", b"not json", b'{"location": }', b'{"a": 1} {"b": 2}', b"\xff\xfe\x00", b'"text"', b"[]",
                                  b"5", b'{"location": "westeurope", "a": ' + b"[" * 500 + b"]" * 500 + b"}"])
def test_what_is_no_json_object_is_refused(azure, group, body):
    for path in (f"{group}/providers/{NETWORK}/bad-json", f"{azure.subscription}/resourceGroups/bad-json"):
        assert said(send(azure, path, body)) == (400, "InvalidRequestContent"), body[:40]


def test_a_missing_body_is_told_apart(azure, group):
    for body in (None, b"", b"  \r\n"):
        assert said(send(azure, f"{group}/providers/{NETWORK}/no-body", body)) == (400, "MissingRequestBody")


@pytest.mark.parametrize("wrong", [
    {"properties": []}, {"properties": "text"}, {"location": 5}, {"location": ["westeurope"]}, {"tags": ["a"]}, {"tags": {"a": {}}},
    {"sku": "Basic"}, {"identity": "SystemAssigned"}, {"zones": "1"},
    {"properties": {"addressSpace": "10.0.0.0/16"}}, {"properties": {"addressSpace": {"addressPrefixes": "10.0.0.0/16"}}},
    {"properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": {"name": "a"}}},
    {"properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": ["a"]}},
    {"properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "enableDdosProtection": "perhaps"}},
], ids=json.dumps)
def test_wrong_types_are_refused(azure, group, wrong):
    body = {**HERE, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}, **wrong}
    answer = azure.arm("PUT", f"{group}/providers/{NETWORK}/wrong-types", "2024-05-01", body)
    assert answer.status_code == 400, answer.text
    assert azure.arm("GET", f"{group}/providers/{NETWORK}/wrong-types").status_code == 404


def test_a_body_over_four_megabytes_is_refused(azure, group):
    path = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/large"
    assert said(send(azure, path, b" " * ((4 << 20) + 1))) == (413, "RequestContentTooLarge")
    whole = json.dumps(HERE).encode()
    assert send(azure, path, whole + b" " * ((4 << 20) - len(whole))).status_code == 201, "and 4 MB is taken"

    def chunks():
        for _ in range(80):
            yield b" " * 65536

    try:
        assert send(azure, path, chunks()).status_code == 413
    except requests.ConnectionError:
        pass  # it may hang up while the client still sends


# Names and ids


@pytest.mark.parametrize("name", ["a" * 200, "-starts", "ends-", "sp ace", "per%25cent", "que%3Fstion", "und\u00e9", "%00", "..", "a%2Fb", "<b>"])
def test_names_of_wrong_forms_are_refused(azure, group, name):
    for kind, body in (
        (NETWORK, {**HERE, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}),
        ("Microsoft.App/containerApps", {**HERE, "properties": {}}),
        ("Microsoft.KeyVault/vaults", {**HERE, "properties": {"tenantId": azure.env["TENANT_ID"], "sku": {"family": "A", "name": "standard"}}}),
        ("Microsoft.Storage/storageAccounts", {**HERE, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}),
    ):
        answer = azure.arm("PUT", f"{group}/providers/{kind}/{name}", "2024-05-01", body)
        assert answer.status_code in (400, 404, 405), f"{kind}/{name}: {answer.text}"
        assert answer.json()["error"]["code"], answer.text


@pytest.mark.parametrize("path", ["/", "//", "/subscriptions//", "/providers", "/subscriptions/%zz/resourceGroups", "/..%2f..%2fetc/passwd",
                                  "/subscriptions/x\u0000y", "/" + "a" * 30_000, "/" + "a/" * 2_000, "/%F0%9F%A6%80"])
def test_paths_that_lead_nowhere_are_refused(azure, path):
    answer = azure.arm("GET", path)
    assert answer.status_code in (200, 400, 404, 414, 431), answer.text[:200]
    if answer.status_code in (400, 404):
        assert answer.json()["error"]["code"]


def test_methods_that_are_none(azure, group):
    for method in ("TRACE", "OPTIONS", "PROPFIND", "BREW"):
        assert azure.arm(method, group).status_code == 405, method
    assert said(azure.arm("POST", group)) == (405, "MethodNotAllowed")


# Connections


class Raw:
    """A TLS connection on which anything can be written."""

    def __init__(self, azure, protocols=("http/1.1",)):
        at = urlsplit(azure.url)
        context = ssl.create_default_context(cafile=azure.env["CA_FILE"])
        context.set_alpn_protocols(list(protocols))
        self.host = at.netloc
        self.socket = context.wrap_socket(socket.create_connection((at.hostname, at.port), timeout=20), server_hostname=at.hostname)

    def write(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode("latin-1"))

    def read(self):
        got = b""
        try:
            while chunk := self.socket.recv(65536):
                got += chunk
        except (TimeoutError, OSError):
            pass
        return got.decode("latin-1")


def test_http_1_0_is_answered_and_closed(azure):
    raw = Raw(azure)
    raw.write("GET /metadata/endpoints?api-version=2022-09-01 HTTP/1.0\r\nHost: " + raw.host + "\r\n\r\n")
    assert raw.read().startswith("HTTP/1.0 200")


def test_http_2_is_spoken(azure):
    assert Raw(azure, ("h2", "http/1.1")).socket.selected_alpn_protocol() == "h2"


def test_requests_in_a_pipeline_are_answered_in_order(azure):
    raw = Raw(azure)
    one = f"GET /_local/clock HTTP/1.1\r\nHost: {raw.host}\r\n\r\n"
    last = f"GET /nothing HTTP/1.1\r\nHost: {raw.host}\r\nConnection: close\r\n\r\n"
    raw.write(one + one + last)
    answers = raw.read().split("HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == ["200", "200", "401"]


def test_a_request_without_a_host_is_refused(azure):
    raw = Raw(azure)
    raw.write("GET /subscriptions HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert raw.read().startswith("HTTP/1.1 400")


def test_headers_without_end_are_refused(azure):
    raw = Raw(azure)
    try:
        raw.write(f"GET / HTTP/1.1\r\nHost: {raw.host}\r\nX-Large: ")
        for _ in range(20):
            raw.write("x" * 65536)
        raw.write("\r\n\r\n")
    except OSError:
        return  # it has hung up, which is an answer too
    assert raw.read()[:12] in ("HTTP/1.1 431", "HTTP/1.1 400", "")


def test_many_headers_and_odd_ones(azure):
    raw = Raw(azure)
    raw.write(f"GET /subscriptions HTTP/1.1\r\nHost: {raw.host}\r\n" + "".join(f"X-{n}: y\r\n" for n in range(500)) + "\r\n")
    assert raw.read()[:12] in ("HTTP/1.1 431", "HTTP/1.1 400")
    raw = Raw(azure)
    raw.write(f"GET /subscriptions HTTP/1.1\r\nHost: {raw.host}\r\nAuthorization: Bearer \xff\xfe\r\nConnection: close\r\n\r\n")
    assert raw.read().startswith("HTTP/1.1 401")
    raw = Raw(azure)
    raw.write("\x00\x01\x02 garbage \r\n\r\n")
    assert raw.read()[:12] in ("HTTP/1.1 400", "")


def test_two_lengths_or_a_length_that_is_none(azure):
    for header in ("Content-Length: 5\r\nContent-Length: 6", "Content-Length: -1", "Content-Length: many",
                   "Transfer-Encoding: chunked\r\nContent-Length: 5", "Transfer-Encoding: nonsense"):
        raw = Raw(azure)
        raw.write(f"PUT /subscriptions HTTP/1.1\r\nHost: {raw.host}\r\n{header}\r\nConnection: close\r\n\r\nhello")
        raw.socket.settimeout(3)
        assert raw.read()[:10] in ("HTTP/1.1 4", ""), header


def test_half_requests_and_slow_ones_hold_nobody_up(azure, group):
    held = []
    for part in ("", "GET", f"GET {group} HTTP/1.1\r\nHo", f"PUT {group} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{{"):
        for _ in range(25):
            raw = Raw(azure)
            raw.write(part or b"")
            held.append(raw)
    began = time.monotonic()
    for _ in range(10):
        assert azure.arm("GET", group).status_code == 200
    assert time.monotonic() - began < 5
    for raw in held:
        raw.socket.close()


def test_a_body_that_breaks_off_changes_nothing(azure, group):
    path = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/broken-off"
    raw = Raw(azure)
    raw.write(f"PUT {path}?api-version=2024-11-30 HTTP/1.1\r\nHost: {raw.host}\r\nAuthorization: Bearer {azure.token()}\r\n"
              "Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"location\": \"westeurope\"")
    raw.socket.close()
    assert azure.arm("GET", path, "2024-11-30").status_code == 404


def test_plain_http_is_told_to_use_https(azure):
    at = urlsplit(azure.url)
    with socket.create_connection((at.hostname, at.port), timeout=5) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"https://" in plain.recv(4096)
