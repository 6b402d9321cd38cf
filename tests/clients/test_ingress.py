"""Ingress: TLS and certificates at the edge, who may come in, how apps of an environment reach each other."""

import base64
import socket
import ssl
import subprocess
import time
from urllib.parse import unquote

import pytest
import requests

from workloads import APPS_API, QUICKSTART, Apps, until


@pytest.fixture(scope="module")
def apps(azure):
    running = Apps(azure)
    running.put("web", env={"VERSION": "web", "LISTEN": "8080"})
    return running


@pytest.fixture(scope="module")
def pair(apps, tmp_path_factory):
    """A certificate of one's own for `*.contoso.localhost`, with its key: files, PEM of both, and a PFX."""
    folder = tmp_path_factory.mktemp("pair")
    key, certificate, pfx = folder / "key.pem", folder / "certificate.pem", folder / "both.pfx"
    subject = ["-subj", "/CN=*.contoso.localhost", "-addext", "subjectAltName=DNS:*.contoso.localhost"]
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
    subprocess.run([*made, "-keyout", key, "-out", certificate, *subject], check=True, capture_output=True)
    export = ["openssl", "pkcs12", "-export", "-inkey", key, "-in", certificate, "-out", pfx, "-passout", "pass:pw"]
    subprocess.run(export, check=True, capture_output=True)
    return certificate, key, pfx


def restrict(apps, action, address):
    rules = [{"name": "rule", "action": action, "ipAddressRange": address}] if action else []
    apps.patch("web", {"configuration": {"ingress": {"ipSecurityRestrictions": rules}}})


def test_plain_http_is_redirected_unless_it_is_allowed(apps):
    answer = apps.get("web", "/some/path?a=b", scheme="http")
    assert answer.status_code == 301
    assert answer.headers["location"] == apps.url(apps.host("web"), "/some/path?a=b")
    assert requests.get(apps.url(apps.host("web"), scheme="http")).text == "web"
    apps.patch("web", {"configuration": {"ingress": {"allowInsecure": True}}})
    until(lambda: apps.get("web", scheme="http").text == "web")


def test_no_plane_is_served_without_tls(apps):
    answer = requests.get(apps.azure.url.replace("https", "http") + "/subscriptions")
    assert answer.status_code == 400


def test_headers_tell_the_app_where_a_request_came_from(apps):
    head = apps.get("web", "/head", headers={"X-Forwarded-For": "10.1.2.3", "X-Forwarded-Proto": "gopher"}).text.lower()
    assert "x-forwarded-proto: https" in head
    assert "x-forwarded-for: 10.1.2.3,127.0.0.1" in head
    assert "x-request-id: " in head
    assert f"host: {apps.host('web')}" in head


def test_unknown_hosts_get_azures_page(apps):
    answer = apps.get(f"nobody.{apps.domain}")
    assert answer.status_code == 404
    assert "Error 404 - This Container App is stopped or does not exist." in answer.text


def test_addresses_are_allowed_or_denied(apps):
    restrict(apps, "Deny", "127.0.0.0/8")
    until(lambda: apps.get("web").status_code == 403)
    assert apps.get("web").text == "RBAC: access denied"
    restrict(apps, "Allow", "10.0.0.0/8")
    until(lambda: apps.get("web").status_code == 403)
    restrict(apps, "Allow", "127.0.0.1")
    until(lambda: apps.get("web").status_code == 200)
    restrict(apps, None, None)


def test_scripts_of_known_origins_may_read(apps):
    policy = {
        "allowedOrigins": ["https://shop.example"], "allowedMethods": ["GET", "PUT"], "allowedHeaders": ["x-mine"],
        "exposeHeaders": ["x-yours"], "maxAge": 600, "allowCredentials": True,
    }
    apps.patch("web", {"configuration": {"ingress": {"corsPolicy": policy}}})
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "PUT"}
    until(lambda: "access-control-allow-origin" in apps.get("web", method="OPTIONS", headers=asked).headers)
    answer = apps.get("web", method="OPTIONS", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert answer.headers["access-control-allow-methods"] == "GET,PUT"
    assert answer.headers["access-control-max-age"] == "600"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert apps.get("web", headers={"Origin": "https://shop.example"}).headers["access-control-expose-headers"] == "x-yours"
    other = apps.get("web", method="OPTIONS", headers={**asked, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


def test_a_client_keeps_its_replica_by_cookie(apps):
    ingress = {"stickySessions": {"affinity": "sticky"}}
    apps.put("sticky", env={"LISTEN": "8080"}, ingress=ingress, scale={"minReplicas": 2, "maxReplicas": 2})
    variable = "/env/CONTAINER_APP_REPLICA_NAME"
    assert len({apps.get("sticky", variable).text for _ in range(20)}) == 2
    session = requests.Session()
    seen = {session.get(apps.url(apps.host("sticky"), variable)).text for _ in range(10)}
    assert len(seen) == 1
    assert "acaAffinity" in session.cookies
    apps.delete("sticky")


def test_websockets_are_carried(apps):
    host, port = apps.host("web"), int(apps.azure.url.rsplit(":", 1)[1])
    context = ssl.create_default_context(cafile=apps.azure.env["CA_FILE"])
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname=host) as stream:
        stream.sendall(f"GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n".encode())
        assert stream.recv(4096).startswith(b"HTTP/1.1 101")
        stream.sendall(b"there and back")
        assert stream.recv(4096) == b"there and back"


def test_http_2_is_offered(apps):
    port = int(apps.azure.url.rsplit(":", 1)[1])
    context = ssl.create_default_context(cafile=apps.azure.env["CA_FILE"])
    context.set_alpn_protocols(["h2", "http/1.1"])
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname=apps.host("web")) as stream:
        assert stream.selected_alpn_protocol() == "h2"
        assert stream.version() == "TLSv1.3"


# Within an environment


def test_an_internal_app_is_reached_by_apps_of_its_environment_only(apps):
    fqdn = apps.put("api", env={"VERSION": "inner", "LISTEN": "8080"}, ingress={"external": False})
    fqdn = fqdn["properties"]["configuration"]["ingress"]["fqdn"]
    assert fqdn == f"api.internal.{apps.domain}"
    outside = apps.get(fqdn)
    assert outside.status_code == 404
    assert "This Container App is stopped or does not exist" in outside.text
    assert apps.get("web", "/call/api/").text.endswith("inner"), "by name"
    assert "301" in apps.get("web", f"/call/{fqdn}/").text.split("\r\n")[0], "its host name asks for TLS"
    apps.patch("api", {"configuration": {"ingress": {"allowInsecure": True}}})
    until(lambda: apps.get("web", f"/call/{fqdn}/").text.endswith("inner"))


def test_an_app_that_comes_later_is_found_by_name(apps):
    assert "no such host" in apps.get("web", "/call/later/").text
    apps.put("later", env={"VERSION": "late", "LISTEN": "8080"})
    until(lambda: apps.get("web", "/call/later/").text.endswith("late"))
    apps.delete("later")


def test_apps_of_another_environment_do_not_see_an_internal_one(apps):
    other = Apps(apps.azure, name="env2")
    other.put("stranger", env={"LISTEN": "8080"})
    assert "no such host" in other.get("stranger", "/call/api/").text
    assert "no such host" in other.get("stranger", f"/call/api.internal.{apps.domain}/").text
    other.delete("stranger")


def test_tcp_is_carried_within_the_environment(apps):
    apps.put("raw", env={"LISTEN": "8080", "VERSION": "raw"}, ingress={"external": False, "transport": "tcp", "exposedPort": 9191})
    until(lambda: apps.get("web", "/call/raw:9191/").text.endswith("raw"))
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", 9191), timeout=1)
    apps.delete("raw")


# Certificates


def test_client_certificates_are_passed_on(apps, pair):
    certificate, key, _ = pair
    ingress = {"clientCertificateMode": "accept"}
    apps.put("mtls", env={"LISTEN": "8080"}, ingress=ingress)
    assert "x-forwarded-client-cert" not in apps.get("mtls", "/head").text.lower()
    forged = apps.get("mtls", "/head", headers={"X-Forwarded-Client-Cert": "Hash=forged"}).text
    assert "forged" not in forged
    head = apps.get("mtls", "/head", cert=(certificate, key)).text
    said = next(line for line in head.split("\r\n") if line.lower().startswith("x-forwarded-client-cert"))
    assert 'Hash=' in said and 'Chain="' in said
    pem = unquote(said.split('Cert="')[1].split('"')[0])
    assert pem.replace("\n", "") == certificate.read_text().replace("\n", "")


def test_client_certificates_are_required(apps, pair):
    apps.patch("mtls", {"configuration": {"ingress": {"clientCertificateMode": "require"}}})

    def refused():
        try:
            return apps.get("mtls").status_code == 403
        except requests.exceptions.ConnectionError:
            return True

    until(refused)
    assert apps.get("mtls", cert=(pair[0], pair[1])).status_code == 200
    apps.delete("mtls")


def shown(apps, host):
    """The certificate that a client of `host` is shown, as PEM."""
    port = int(apps.azure.url.rsplit(":", 1)[1])
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname=host) as stream:
        return ssl.DER_cert_to_PEM_cert(stream.getpeercert(binary_form=True))


def dns(apps, name, kind, value):
    apps.azure.control("POST", "dns", {"name": name, "type": kind, "value": value})


def bind(apps, host, certificate=None):
    domain = {"name": host, "bindingType": "SniEnabled" if certificate else "Disabled"}
    if certificate:
        domain["certificateId"] = certificate
    body = {"properties": {"configuration": {"ingress": {"customDomains": [domain]}}}}
    return apps.azure.arm("PATCH", apps.id("web"), APPS_API, body)


def test_an_uploaded_certificate_is_served_at_its_custom_domain(apps, pair):
    host = "www.contoso.localhost"
    answer = bind(apps, host)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidCustomHostNameValidation")
    dns(apps, f"asuid.{host}", "TXT", apps.show("web")["properties"]["customDomainVerificationId"])
    apps.azure.settle(bind(apps, host))
    assert "azurecontainerapps" in ssl_names(shown(apps, host)), "nothing is bound yet: it is the environment's own"
    certificate, _, pfx = pair
    path = f"{apps.environment}/certificates/uploaded"
    value = base64.b64encode(pfx.read_bytes()).decode()
    wrong = {"location": "westeurope", "properties": {"value": value, "password": "no"}}
    assert apps.azure.arm("PUT", path, APPS_API, wrong).json()["error"]["code"] == "CertificateInvalid"
    made = apps.azure.put(path, APPS_API, {"location": "westeurope", "properties": {"value": value, "password": "pw"}})
    assert made["properties"]["subjectName"] == "CN=*.contoso.localhost"
    assert "value" not in made["properties"]
    apps.azure.settle(bind(apps, host, path))
    until(lambda: shown(apps, host).replace("\n", "") == certificate.read_text().replace("\n", ""))
    assert requests.get(apps.url(host), verify=str(certificate)).text == "web"
    assert apps.azure.arm("DELETE", path, APPS_API).json()["error"]["code"] == "CertificateInUse"


def ssl_names(pem):
    done = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName"], input=pem, capture_output=True, text=True)
    return done.stdout


def test_a_managed_certificate_is_issued_bound_and_served(apps):
    host = "managed.contoso.localhost"
    path = f"{apps.environment}/managedCertificates/managed"
    body = {"location": "westeurope", "properties": {"subjectName": host, "domainControlValidation": "CNAME"}}
    early = apps.azure.arm("PUT", path, APPS_API, body)
    assert early.json()["error"]["code"] == "RequireCustomHostnameInEnvironment"
    dns(apps, f"asuid.{host}", "TXT", apps.show("web")["properties"]["customDomainVerificationId"])
    apps.azure.settle(bind(apps, host))
    dns(apps, host, "CNAME", apps.host("web"))
    assert apps.azure.put(path, APPS_API, body)["properties"]["provisioningState"] == "Succeeded"
    apps.azure.settle(bind(apps, host, path))
    assert until(lambda: (host in ssl_names(shown(apps, host))))
    assert requests.get(apps.url(host)).text == "web"
    apps.azure.settle(bind(apps, "www.contoso.localhost"))


def test_an_environments_own_suffix_names_its_apps(apps, pair):
    verification = apps.show("web")["properties"]["customDomainVerificationId"]
    value = base64.b64encode(pair[2].read_bytes()).decode()
    suffix = {"dnsSuffix": "contoso.localhost", "certificateValue": value, "certificatePassword": "pw"}
    change = {"properties": {"customDomainConfiguration": suffix}}
    refused = apps.azure.arm("PATCH", apps.environment, APPS_API, change)
    assert refused.json()["error"]["code"] == "InvalidCustomHostNameValidation"
    dns(apps, "asuid.contoso.localhost", "TXT", verification)
    apps.azure.settle(apps.azure.arm("PATCH", apps.environment, APPS_API, change))
    said = apps.azure.arm("GET", apps.environment, APPS_API).json()["properties"]["customDomainConfiguration"]
    assert said["dnsSuffix"] == "contoso.localhost" and said["subjectName"] == "CN=*.contoso.localhost"
    assert "certificateValue" not in said and "certificatePassword" not in said
    host = "web.contoso.localhost"
    assert until(lambda: shown(apps, host).replace("\n", "") == pair[0].read_text().replace("\n", ""))
    assert requests.get(apps.url(host), verify=str(pair[0])).text == "web"


def test_the_first_request_to_a_sleeping_app_is_held(apps):
    apps.put("naps", image=QUICKSTART, ingress={"targetPort": 80}, scale={"minReplicas": 0})
    apps.azure.advance("PT6M")
    name = apps.show("naps")["properties"]["latestRevisionName"]
    until(lambda: apps.revision("naps", name)["replicas"] == 0)
    begun = time.monotonic()
    assert apps.get("naps").status_code == 200
    assert time.monotonic() - begun < 10
    apps.delete("naps")
