"""Entra as Microsoft's credentials and any OAuth client see it: discovery, tokens that can be checked, secrets,
assertions, and what is refused with which AADSTS code."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientAssertionCredential, CertificateCredential
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.resource.resources import ResourceManagementClient
from conftest import refusal, token_claims
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

EXCHANGE = "api://AzureADTokenExchange"
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"


def encode(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def number(part):
    return int.from_bytes(decode(part), "big")


def form(azure, version="/v2.0", tenant=None, **fields):
    """One request to the token endpoint, as the owner by secret unless fields say otherwise."""
    sent = {
        "grant_type": "client_credentials",
        "client_id": azure.env["CLIENT_ID"],
        "client_secret": azure.env["CLIENT_SECRET"],
        "scope": azure.url + "/.default",
        **fields,
    }
    tenant = tenant or azure.env["TENANT_ID"]
    return requests.post(f"{azure.url}/{tenant}/oauth2{version}/token", data={k: v for k, v in sent.items() if v})


def refused(answer):
    body = answer.json()
    return answer.status_code, body["error"], body["error_codes"]


@pytest.fixture(scope="module")
def identity(azure):
    """A user-assigned identity, made by Microsoft's client."""
    azure.group("rg-entra")
    identities = azure.management(ManagedServiceIdentityClient).user_assigned_identities
    return identities.create_or_update("rg-entra", "id1", {"location": "westeurope"})


def trust(azure, identity, name, issuer, subject="repo:a/b", audience=EXCHANGE):
    credentials = azure.management(ManagedServiceIdentityClient).federated_identity_credentials
    properties = {"issuer": issuer, "subject": subject, "audiences": [audience]}
    return credentials.create_or_update("rg-entra", identity.name, name, {"properties": properties})


def by_assertion(azure, identity, assertion):
    return form(
        azure,
        client_id=identity.client_id,
        client_secret=None,
        client_assertion=assertion,
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    )


def local_assertion(azure, subject="repo:a/b", audience=EXCHANGE):
    return azure.control("POST", "assertion", {"subject": subject, "audience": audience})


class Issuer:
    """An identity provider of the test's own: discovery and keys over plain HTTP on loopback."""

    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        issuer = self

        class Provider(BaseHTTPRequestHandler):
            def do_GET(self):
                body = issuer.keys() if self.path == "/keys" else {"issuer": issuer.url, "jwks_uri": issuer.url + "/keys"}
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Provider)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def keys(self):
        public = self.key.public_key().public_numbers()
        return {"keys": [{"kty": "RSA", "kid": "k1", "n": encode(public.n.to_bytes(256, "big")), "e": "AQAB"}]}

    def sign(self, kid="k1", **claims):
        now = int(time.time())
        claims = {"iss": self.url, "sub": "repo:a/b", "aud": EXCHANGE, "iat": now, "nbf": now, "exp": now + 600, **claims}
        text = encode({"typ": "JWT", "alg": "RS256", "kid": kid}) + "." + encode(claims)
        return text + "." + encode(self.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))


@pytest.fixture(scope="module")
def issuer():
    provider = Issuer()
    yield provider
    provider.server.shutdown()


@pytest.mark.parametrize("version, issuer", [("/v2.0", "{url}/{tenant}/v2.0"), ("", "https://sts.windows.net/{tenant}/")])
def test_discovery_names_the_endpoints_of_its_version(azure, version, issuer):
    tenant = azure.env["TENANT_ID"]
    document = requests.get(f"{azure.url}/{tenant}{version}/.well-known/openid-configuration").json()
    assert document["issuer"] == issuer.format(url=azure.url, tenant=tenant)
    assert document["token_endpoint"] == f"{azure.url}/{tenant}/oauth2{version}/token"
    assert document["id_token_signing_alg_values_supported"] == ["RS256"]
    assert requests.get(document["jwks_uri"]).json()["keys"][0]["use"] == "sig"


def test_discovery_of_common_leaves_the_tenant_open(azure):
    document = requests.get(azure.url + "/common/v2.0/.well-known/openid-configuration").json()
    assert document["issuer"] == azure.url + "/{tenantid}/v2.0"


@pytest.mark.parametrize(
    "tenant, code", [("44444444-4444-4444-4444-444444444444", 90002), ("contoso.example", 90002), ("nobody", 900023)]
)
def test_an_unknown_tenant_is_refused(azure, tenant, code):
    answer = requests.get(f"{azure.url}/{tenant}/v2.0/.well-known/openid-configuration")
    assert refused(answer) == (400, "invalid_tenant", [code])
    assert refused(form(azure, tenant=tenant)) == (400, "invalid_request", [code])


def test_a_token_is_signed_by_a_published_key(azure):
    token = azure.token()
    head, claims, signature = token.split(".")
    header = json.loads(decode(head))
    keys = requests.get(f"{azure.url}/{azure.env['TENANT_ID']}/discovery/v2.0/keys").json()["keys"]
    key = next(key for key in keys if key["kid"] == header["kid"])
    assert (header["alg"], header["typ"], key["kty"]) == ("RS256", "JWT", "RSA")
    public = rsa.RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key()
    public.verify(decode(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
    certificate = x509.load_der_x509_certificate(base64.b64decode(key["x5c"][0]))
    assert certificate.public_key().public_numbers() == public.public_numbers()
    assert decode(key["x5t"]) == certificate.fingerprint(hashes.SHA1())


def test_a_token_says_whose_and_what_for_it_is(azure):
    claims = token_claims(azure.token())
    tenant = azure.env["TENANT_ID"]
    assert claims["aud"] == azure.url and claims["iss"] == f"https://sts.windows.net/{tenant}/"
    assert (claims["appid"], claims["tid"], claims["ver"]) == (azure.env["CLIENT_ID"], tenant, "1.0")
    assert claims["idtyp"] == "app" and claims["oid"] == claims["sub"] and claims["appidacr"] == "1"
    assert claims["nbf"] <= claims["iat"] < claims["exp"] <= claims["iat"] + 3600


def test_the_answer_of_both_versions(azure):
    second = form(azure).json()
    assert (second["token_type"], second["expires_in"], second["ext_expires_in"]) == ("Bearer", 3599, 3599)
    first = form(azure, version="", scope=None, resource="https://management.azure.com/").json()
    assert first["expires_in"] == "3599" and first["resource"] == "https://management.azure.com/"
    assert int(first["expires_on"]) - int(first["not_before"]) == 3599
    assert token_claims(first["access_token"])["aud"] == "https://management.azure.com/"


def test_a_scope_with_two_slashes_is_for_the_resource_with_one(azure):
    answer = form(azure, scope=azure.url + "//.default")
    assert token_claims(answer.json()["access_token"])["aud"] == azure.url + "/"


def test_a_client_may_show_its_secret_in_a_header(azure):
    basic = (azure.env["CLIENT_ID"], azure.env["CLIENT_SECRET"])
    url = f"{azure.url}/{azure.env['TENANT_ID']}/oauth2/v2.0/token"
    fields = {"grant_type": "client_credentials", "scope": azure.url + "/.default"}
    assert requests.post(url, data=fields, auth=basic).status_code == 200


@pytest.mark.parametrize(
    "fields, refusal",
    [
        ({"client_secret": "wrong"}, (401, "invalid_client", [7000215])),
        ({"client_secret": None}, (401, "invalid_client", [7000218])),
        ({"client_id": "55555555-5555-5555-5555-555555555555"}, (400, "unauthorized_client", [700016])),
        ({"client_id": None}, (400, "invalid_request", [900144])),
        ({"grant_type": None}, (400, "invalid_request", [900144])),
        ({"grant_type": "magic"}, (400, "unsupported_grant_type", [70003])),
        ({"scope": None}, (400, "invalid_request", [900144])),
        ({"scope": "https://management.azure.com/user_impersonation"}, (400, "invalid_scope", [1002012])),
        ({"scope": "openid profile"}, (400, "invalid_scope", [1002012])),
        ({"scope": "https://a/.default https://b/.default"}, (400, "invalid_scope", [70011])),
        ({"scope": "https://management.azure.com/.default openid"}, (400, "invalid_scope", [70011])),
        ({"scope": "https://nothing.example/.default"}, (400, "invalid_resource", [500011])),
        ({"scope": "66666666-6666-6666-6666-666666666666/.default"}, (400, "invalid_resource", [500011])),
        ({"grant_type": "password", "username": "a@b.c", "password": "x"}, (400, "invalid_grant", [50034])),
        ({"grant_type": "authorization_code", "code": "x"}, (400, "invalid_grant", [9002313])),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, (400, "invalid_grant", [9002313])),
    ],
)
def test_what_entra_does_not_take_has_its_code(azure, fields, refusal):
    assert refused(form(azure, **fields)) == refusal


def test_a_refusal_tells_its_ids_time_and_page(azure):
    url = f"{azure.url}/{azure.env['TENANT_ID']}/oauth2/v2.0/token"
    sent = "77777777-7777-7777-7777-777777777777"
    body = requests.post(url, data={}, headers={"client-request-id": sent}).json()
    assert body["correlation_id"] == sent and body["trace_id"] != sent
    assert body["error_description"].startswith("AADSTS900144: ") and body["trace_id"] in body["error_description"]
    assert body["error_uri"].endswith("/error?code=900144")
    time.strptime(body["timestamp"], "%Y-%m-%d %H:%M:%SZ")


def test_the_token_endpoint_takes_posts_only(azure):
    answer = requests.get(f"{azure.url}/{azure.env['TENANT_ID']}/oauth2/v2.0/token")
    assert refused(answer) == (400, "invalid_request", [900561])


def test_a_device_code_is_never_entered_since_there_are_no_people(azure):
    url = f"{azure.url}/{azure.env['TENANT_ID']}/oauth2/v2.0/devicecode"
    code = requests.post(url, data={"client_id": azure.env["CLIENT_ID"], "scope": azure.url + "/.default"}).json()
    assert code["interval"] == 5 and code["user_code"] in code["message"]
    fields = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": code["device_code"]}
    assert refused(form(azure, **fields, client_secret=None)) == (401, "invalid_client", [7000218])
    assert refused(form(azure, **fields)) == (400, "authorization_pending", [70016])


def test_microsofts_credential_tells_entras_words(azure):
    with pytest.raises(ClientAuthenticationError) as raised:
        azure.credential(secret="wrong").get_token(azure.url + "/.default")
    assert "AADSTS7000215" in raised.value.message


def test_an_identity_signs_in_by_an_assertion_of_the_local_issuer(azure, identity):
    trust(azure, identity, "local", local_assertion(azure)["issuer"])
    credential = ClientAssertionCredential(
        azure.env["TENANT_ID"],
        identity.client_id,
        lambda: local_assertion(azure)["assertion"],
        authority=azure.env["AUTH_URL"],
        disable_instance_discovery=True,
    )
    claims = token_claims(azure.token(credential=credential))
    assert claims["oid"] == identity.principal_id and claims["appid"] == identity.client_id
    assert claims["xms_mirid"].lower() == identity.id.lower() and claims["appidacr"] == "2"


def test_an_identity_signs_in_by_an_assertion_of_another_issuer(azure, identity, issuer):
    trust(azure, identity, "own", issuer.url)
    assert by_assertion(azure, identity, issuer.sign()).status_code == 200


def test_each_part_of_an_assertion_that_does_not_match_has_a_code(azure, identity, issuer):
    trust(azure, identity, "own", issuer.url)
    sent = lambda **claims: refused(by_assertion(azure, identity, issuer.sign(**claims)))
    assert sent(iss="http://127.0.0.1:1") == (401, "invalid_client", [700211])
    assert sent(iss=issuer.url + "/") == (401, "invalid_client", [700211])
    assert sent(sub="repo:a/c") == (401, "invalid_client", [700213])
    assert sent(aud="api://other") == (401, "invalid_client", [700212])
    now = int(time.time())
    assert sent(exp=now - 10) == (401, "invalid_client", [700024])
    assert sent(nbf=now + 3600) == (401, "invalid_client", [700024])
    assert sent(kid="k2") == (401, "invalid_client", [50013])
    forged = issuer.sign()[:-8] + "AAAAAAAA"
    assert refused(by_assertion(azure, identity, forged)) == (401, "invalid_client", [50013])
    assert refused(by_assertion(azure, identity, "no.jwt")) == (401, "invalid_client", [50027])


def test_an_issuer_that_does_not_answer_cannot_be_trusted(azure, identity, issuer):
    trust(azure, identity, "away", "http://127.0.0.1:1")
    answer = by_assertion(azure, identity, issuer.sign(iss="http://127.0.0.1:1"))
    assert refused(answer) == (400, "invalid_request", [50166])


def test_an_identity_without_federated_credentials_takes_no_assertion(azure, identity):
    identities = azure.management(ManagedServiceIdentityClient).user_assigned_identities
    other = identities.create_or_update("rg-entra", "id-alone", {"location": "westeurope"})
    answer = by_assertion(azure, other, local_assertion(azure)["assertion"])
    assert refused(answer) == (401, "invalid_client", [70025])


def test_a_certificate_that_is_not_registered_is_refused(azure, tmp_path):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app")])
    import datetime

    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    credential = CertificateCredential(
        azure.env["TENANT_ID"],
        azure.env["CLIENT_ID"],
        certificate_data=pem,
        authority=azure.env["AUTH_URL"],
        disable_instance_discovery=True,
    )
    with pytest.raises(ClientAuthenticationError) as raised:
        credential.get_token(azure.url + "/.default")
    assert "AADSTS700027" in raised.value.message


def test_an_identity_shows_its_principal_and_forgets_it_when_deleted(azure):
    identities = azure.management(ManagedServiceIdentityClient).user_assigned_identities
    made = identities.create_or_update("rg-entra", "id-brief", {"location": "westeurope", "tags": {"a": "b"}})
    assert made.tenant_id == azure.env["TENANT_ID"] and made.principal_id and made.client_id
    again = identities.create_or_update("rg-entra", "id-brief", {"location": "westeurope"})
    assert (again.principal_id, again.client_id) == (made.principal_id, made.client_id)
    trust(azure, made, "local", local_assertion(azure)["issuer"])
    token = by_assertion(azure, made, local_assertion(azure)["assertion"]).json()["access_token"]
    identities.delete("rg-entra", "id-brief")
    assert azure.arm("GET", azure.subscription + "/resourceGroups", token=token).status_code == 401
    fresh = identities.create_or_update("rg-entra", "id-brief", {"location": "westeurope"})
    assert fresh.principal_id != made.principal_id


def test_federated_credentials_are_of_one_kind_each_and_twenty_at_most(azure):
    msi = azure.management(ManagedServiceIdentityClient)
    msi.user_assigned_identities.create_or_update("rg-entra", "id-many", {"location": "westeurope"})
    credentials = msi.federated_identity_credentials
    properties = lambda n: {"properties": {"issuer": "https://i.example", "subject": f"s{n}", "audiences": [EXCHANGE]}}
    put = lambda name, body: credentials.create_or_update("rg-entra", "id-many", name, body)
    for n in range(20):
        assert put(f"cred{n}", properties(n)).subject == f"s{n}"
    assert refusal(put, "more", properties(20))[0] in (400, 409)
    assert refusal(put, "twin", properties(3))[0] == 409
    assert refusal(put, "x", properties(30))[0] == 400
    both = {"properties": {"issuer": "https://i.example", "subject": "s", "audiences": ["a", "b"]}}
    assert refusal(put, "cred0", both) == (400, "BadRequest")
    assert len(list(credentials.list("rg-entra", "id-many"))) == 20
    credentials.delete("rg-entra", "id-many", "cred0")
    assert refusal(credentials.get, "rg-entra", "id-many", "cred0")[0] == 404


def test_an_expired_token_is_refused_on_every_plane(azure):
    azure.group("rg-old")
    tenant = azure.env["TENANT_ID"]
    properties = {"tenantId": tenant, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}
    vault = azure.subscription + "/resourceGroups/rg-old/providers/Microsoft.KeyVault/vaults/kv-old"
    azure.put(vault, "2024-11-01", {"location": "westeurope", "properties": properties})
    arm, store = azure.token(), azure.token("https://vault.azure.net")
    azure.advance("PT61M")
    old = azure.arm("GET", azure.subscription, token=arm)
    assert (old.status_code, old.json()["error"]["code"]) == (401, "ExpiredAuthenticationToken")
    secrets = f"https://kv-old.{azure.env['KEYVAULT_SUFFIX'].lstrip('.')}/secrets?api-version=7.4"
    old = requests.get(secrets, headers={"Authorization": f"Bearer {store}"})
    assert (old.status_code, old.json()["error"]["code"]) == (401, "Unauthorized")


def test_az_signs_in_and_prints_entras_refusal(az, azure):
    assert az("account", "show")["tenantId"] == azure.env["TENANT_ID"]
    made = az("identity", "create", "-g", "rg-entra", "-n", "id-az", "-l", "westeurope")
    assert made["principalId"] and made["type"].lower() == IDENTITIES.lower()
    words = ("-g", "rg-entra", "--identity-name", "id-az", "--name", "fic-az", "--issuer", "https://i.example")
    az("identity", "federated-credential", "create", *words, "--subject", "s", "--audiences", EXCHANGE)
    listed = az("identity", "federated-credential", "list", "-g", "rg-entra", "--identity-name", "id-az")
    assert [it["name"] for it in listed] == ["fic-az"]
    wrong = ("--service-principal", "-u", "12345678-1234-1234-1234-123456789012", "-p", "x", "--tenant", azure.env["TENANT_ID"])
    assert "AADSTS700016" in az.refused("login", *wrong).text
