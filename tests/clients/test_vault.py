"""Key Vault as Microsoft's clients see it, in both planes: vaults and their rules, secrets, keys, certificates, who may
do what, and what comes back after a deletion."""

import base64
import datetime
import hashlib

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.keyvault.certificates import CertificateClient, CertificateContact, CertificatePolicy
from azure.keyvault.keys import KeyClient, KeyOperation, KeyRotationLifetimeAction, KeyRotationPolicy, KeyRotationPolicyAction
from azure.keyvault.keys.crypto import EncryptionAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm
from azure.keyvault.secrets import SecretClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from conftest import refusal
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

ADMINISTRATOR = "00482a5a-887f-4fb3-b363-3b7fe8e74483"
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
GROUP = "rg-kv"


def properties(azure, **changed):
    return {
        "tenantId": azure.env["TENANT_ID"],
        "sku": {"family": "A", "name": "standard"},
        "enableRbacAuthorization": True,
        "softDeleteRetentionInDays": 7,
        **changed,
    }


def make(azure, name, grant=ADMINISTRATOR, **changed):
    """A vault of which the owner is the administrator; returns its id."""
    azure.group(GROUP)
    path = f"{azure.subscription}/resourceGroups/{GROUP}/providers/Microsoft.KeyVault/vaults/{name}"
    azure.put(path, "2024-11-01", {"location": "westeurope", "properties": properties(azure, **changed)})
    if grant:
        azure.grant(grant, path)
    return path


def address(azure, name):
    return f"https://{name}.{azure.env['KEYVAULT_SUFFIX'].lstrip('.')}"


def client(azure, kind, name):
    return kind(address(azure, name), azure.credential(), retry_total=0)


@pytest.fixture(scope="module")
def vault(azure):
    make(azure, "kv-main")
    return "kv-main"


@pytest.fixture(scope="module")
def secrets(azure, vault):
    return client(azure, SecretClient, vault)


@pytest.fixture(scope="module")
def keys(azure, vault):
    return client(azure, KeyClient, vault)


@pytest.fixture(scope="module")
def certificates(azure, vault):
    return client(azure, CertificateClient, vault)


@pytest.fixture(scope="module")
def vaults(azure):
    return azure.management(KeyVaultManagementClient, polling_interval=0.05).vaults


def inner(raised):
    """The inner code of a refusal of the data plane."""
    error = raised.value.response.json()["error"]
    return raised.value.status_code, error["code"], error.get("innererror", {}).get("code")


# Vaults in Resource Manager


def test_a_vault_has_what_azure_assumes(azure, vaults):
    azure.group(GROUP)
    sent = {"location": "westeurope", "properties": {"tenantId": azure.env["TENANT_ID"], "sku": {"family": "A", "name": "standard"}}}
    made = vaults.begin_create_or_update(GROUP, "kv-plain", sent).result()
    assert made.properties.vault_uri == address(azure, "kv-plain") + "/"
    assert made.properties.enable_rbac_authorization and made.properties.enable_soft_delete
    assert made.properties.soft_delete_retention_in_days == 90
    assert made.properties.enable_purge_protection is None and made.properties.public_network_access == "Enabled"
    assert made.properties.provisioning_state == "Succeeded" and made.type == "Microsoft.KeyVault/vaults"


@pytest.mark.parametrize("name", ["kv", "1vault", "a--b", "ends-", "x" * 25, "under_score"])
def test_names_of_vaults_have_a_form(azure, vaults, name):
    sent = {"location": "westeurope", "properties": properties(azure)}
    answer = azure.arm("PUT", f"{azure.group(GROUP)}/providers/Microsoft.KeyVault/vaults/{name}", "2024-11-01", sent)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VaultNameNotValid")
    check = vaults.check_name_availability({"name": name, "type": "Microsoft.KeyVault/vaults"})
    assert not check.name_available and check.reason == "AccountNameInvalid"


@pytest.mark.parametrize(
    "changed",
    [
        {"sku": {"family": "A", "name": "gold"}},
        {"tenantId": "99999999-9999-9999-9999-999999999999"},
        {"softDeleteRetentionInDays": 6},
        {"softDeleteRetentionInDays": 91},
        {"enableSoftDelete": False},
        {"enablePurgeProtection": False},
        {"enableRbacAuthorization": False, "accessPolicies": [{"tenantId": "x", "objectId": "y", "permissions": {}}]},
        {"networkAcls": {"defaultAction": "Maybe", "bypass": "None"}},
        {"networkAcls": {"defaultAction": "Deny", "bypass": "None", "ipRules": [{"value": "10.0.0.300"}]}},
    ],
)
def test_what_a_vault_cannot_be_is_refused(azure, changed):
    path = f"{azure.group(GROUP)}/providers/Microsoft.KeyVault/vaults/kv-wrong"
    answer = azure.arm("PUT", path, "2024-11-01", {"location": "westeurope", "properties": properties(azure, **changed)})
    assert answer.status_code == 400, answer.text


def test_retention_is_fixed_and_purge_protection_is_for_good(azure, vaults):
    make(azure, "kv-fixed", grant=None)
    update = lambda **changed: vaults.update(GROUP, "kv-fixed", {"properties": changed})
    assert refusal(update, softDeleteRetentionInDays=30)[0] == 400
    assert update(enablePurgeProtection=True).properties.enable_purge_protection
    assert refusal(update, enablePurgeProtection=False)[0] == 400
    again = azure.arm(
        "PUT",
        f"{azure.subscription}/resourceGroups/{GROUP}/providers/Microsoft.KeyVault/vaults/kv-fixed",
        "2024-11-01",
        {"location": "westeurope", "properties": properties(azure)},
    )
    assert again.json()["properties"]["enablePurgeProtection"] is True


def test_a_deleted_vault_keeps_its_name_until_it_is_purged(azure, vaults):
    make(azure, "kv-brief", grant=None)
    vaults.delete(GROUP, "kv-brief")
    assert refusal(vaults.get, GROUP, "kv-brief") == (404, "ResourceNotFound")
    gone = vaults.get_deleted("kv-brief", "westeurope")
    assert gone.properties.vault_id.endswith("/vaults/kv-brief")
    assert (gone.properties.scheduled_purge_date - gone.properties.deletion_date).days == 7
    assert "kv-brief" in [it.name for it in vaults.list_deleted()]
    check = vaults.check_name_availability({"name": "kv-brief", "type": "Microsoft.KeyVault/vaults"})
    assert (check.name_available, check.reason) == (False, "AlreadyExists")
    sent = {"location": "westeurope", "properties": properties(azure)}
    assert refusal(vaults.begin_create_or_update, GROUP, "kv-brief", sent) == (409, "ConflictError")
    vaults.begin_purge_deleted("kv-brief", "westeurope").result()
    assert refusal(vaults.get_deleted, "kv-brief", "westeurope") == (404, "DeletedVaultNotFound")
    assert vaults.check_name_availability({"name": "kv-brief", "type": "Microsoft.KeyVault/vaults"}).name_available


def test_a_recovered_vault_has_its_secrets_and_not_its_role_assignments(azure, vaults):
    make(azure, "kv-back")
    client(azure, SecretClient, "kv-back").set_secret("s", "kept")
    vaults.delete(GROUP, "kv-back")
    sent = {"location": "westeurope", "properties": properties(azure, createMode="recover")}
    vaults.begin_create_or_update(GROUP, "kv-back", sent).result()
    fresh = client(azure, SecretClient, "kv-back")
    with pytest.raises(HttpResponseError) as raised:
        fresh.get_secret("s")
    assert inner(raised) == (403, "Forbidden", "ForbiddenByRbac")
    azure.grant(ADMINISTRATOR, f"{azure.subscription}/resourceGroups/{GROUP}/providers/Microsoft.KeyVault/vaults/kv-back")
    assert fresh.get_secret("s").value == "kept"


def test_a_protected_vault_is_not_purged(azure, vaults):
    make(azure, "kv-safe", grant=None, enablePurgeProtection=True)
    vaults.delete(GROUP, "kv-safe")
    assert vaults.get_deleted("kv-safe", "westeurope").properties.purge_protection_enabled
    assert refusal(vaults.begin_purge_deleted, "kv-safe", "westeurope")[0] in (403, 405)


def test_a_name_is_taken_everywhere(azure, vault):
    path = f"{azure.group('rg-kv-other')}/providers/Microsoft.KeyVault/vaults/{vault}"
    answer = azure.arm("PUT", path, "2024-11-01", {"location": "westeurope", "properties": properties(azure)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "VaultAlreadyExists")


# Who may


def test_the_first_request_is_challenged(azure, vault):
    answer = requests.get(address(azure, vault) + "/secrets?api-version=7.4")
    assert answer.status_code == 401 and answer.json()["error"]["code"] == "Unauthorized"
    port = azure.url.rsplit(":", 1)[1]
    challenge = answer.headers["WWW-Authenticate"]
    assert f'authorization="{azure.url}/{azure.env["TENANT_ID"]}"' in challenge
    assert f'resource="https://vault.localhost:{port}"' in challenge


def test_a_token_for_resource_manager_is_none_for_a_vault(azure, vault):
    answer = requests.get(address(azure, vault) + "/secrets?api-version=7.4", headers={"Authorization": "Bearer " + azure.token()})
    assert answer.status_code == 401 and "AKV10022" in answer.json()["error"]["message"]


def test_owning_a_vault_gives_no_right_to_its_secrets(azure):
    make(azure, "kv-owned", grant=None)
    with pytest.raises(HttpResponseError) as raised:
        client(azure, SecretClient, "kv-owned").get_secret("s")
    assert inner(raised) == (403, "Forbidden", "ForbiddenByRbac")
    message = raised.value.response.json()["error"]["message"]
    assert "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'" in message
    assert f"appid={azure.env['CLIENT_ID']};oid={azure.object_id()}" in message


def test_a_reader_of_secrets_sets_none(azure):
    make(azure, "kv-read", grant=SECRETS_USER)
    readers = client(azure, SecretClient, "kv-read")
    with pytest.raises(ResourceNotFoundError):
        readers.get_secret("s")
    with pytest.raises(HttpResponseError) as raised:
        readers.set_secret("s", "x")
    assert inner(raised) == (403, "Forbidden", "ForbiddenByRbac")


def test_access_policies_are_added_replaced_and_removed(azure, vaults):
    make(azure, "kv-policy", grant=None, enableRbacAuthorization=False, accessPolicies=[])
    readers = client(azure, SecretClient, "kv-policy")
    with pytest.raises(HttpResponseError) as raised:
        readers.set_secret("s", "x")
    assert inner(raised) == (403, "Forbidden", "ForbiddenByPolicy")
    assert "does not have secrets set permission on key vault 'kv-policy;location=westeurope'" in str(raised.value)

    def change(kind, *permissions):
        policy = {"tenantId": azure.env["TENANT_ID"], "objectId": azure.object_id(), "permissions": {"secrets": permissions}}
        return vaults.update_access_policy(GROUP, "kv-policy", kind, {"properties": {"accessPolicies": [policy]}})

    change("add", "set")
    readers.set_secret("s", "x")
    change("add", "get")
    assert readers.get_secret("s").value == "x"
    change("replace", "list")
    with pytest.raises(HttpResponseError):
        readers.get_secret("s")
    change("remove", "list")
    assert vaults.get(GROUP, "kv-policy").properties.access_policies == []
    assert refusal(change, "add", "fly")[0] == 400


def test_the_firewall_lets_in_who_it_names(azure, vaults):
    make(azure, "kv-wall", networkAcls={"defaultAction": "Deny", "bypass": "AzureServices"})
    readers = client(azure, SecretClient, "kv-wall")
    with pytest.raises(HttpResponseError) as raised:
        readers.set_secret("s", "x")
    assert inner(raised) == (403, "Forbidden", "ForbiddenByFirewall")
    assert "Client address is not authorized and caller is not a trusted service." in str(raised.value)
    allow = {"defaultAction": "Deny", "bypass": "None", "ipRules": [{"value": "127.0.0.0/8"}]}
    vaults.update(GROUP, "kv-wall", {"properties": {"networkAcls": allow}})
    readers.set_secret("s", "x")
    vaults.update(GROUP, "kv-wall", {"properties": {"publicNetworkAccess": "Disabled"}})
    with pytest.raises(HttpResponseError) as raised:
        readers.get_secret("s")
    assert inner(raised) == (403, "Forbidden", "ForbiddenByConnection")


# Secrets


def test_a_secret_has_versions_and_all_that_is_said_of_it(azure, secrets):
    until = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)
    first = secrets.set_secret("many", "one", content_type="text/plain", tags={"a": "b"}, expires_on=until)
    second = secrets.set_secret("MANY", "two")
    assert secrets.get_secret("many").value == "two" and first.properties.version != second.properties.version
    old = secrets.get_secret("many", first.properties.version)
    assert (old.value, old.properties.content_type, old.properties.tags) == ("one", "text/plain", {"a": "b"})
    assert old.properties.expires_on == until and old.properties.recoverable_days == 7
    assert old.properties.recovery_level == "CustomizedRecoverable+Purgeable"
    listed = list(secrets.list_properties_of_secret_versions("many"))
    assert {it.version for it in listed} == {first.properties.version, second.properties.version}


def test_a_disabled_secret_is_not_read(secrets):
    made = secrets.set_secret("off", "x")
    secrets.update_secret_properties("off", made.properties.version, enabled=False, tags={"t": "1"})
    with pytest.raises(HttpResponseError) as raised:
        secrets.get_secret("off")
    assert inner(raised) == (403, "Forbidden", "SecretDisabled")
    assert secrets.update_secret_properties("off", enabled=True).tags == {"t": "1"}
    assert secrets.get_secret("off").value == "x"


@pytest.mark.parametrize("name, value", [("with_underscore", "x"), ("long", "x" * 25601), ("n" * 128, "x")])
def test_secrets_have_names_and_sizes(secrets, name, value):
    with pytest.raises(HttpResponseError) as raised:
        secrets.set_secret(name, value)
    assert inner(raised)[:2] == (400, "BadParameter")


def test_lists_have_pages(azure, secrets):
    for number in range(6):
        secrets.set_secret(f"page{number}", "x")
    pages = [list(page) for page in secrets.list_properties_of_secrets(max_page_size=4).by_page()]
    assert len(pages) >= 2 and all(len(page) <= 4 for page in pages)
    names = [it.name for page in pages for it in page]
    assert len(names) == len(set(names)) and {f"page{n}" for n in range(6)} <= set(names)


def test_a_deleted_secret_is_recovered_or_purged(azure, secrets):
    secrets.set_secret("brief", "x")
    gone = secrets.begin_delete_secret("brief").result()
    assert gone.recovery_id.endswith("/deletedsecrets/brief") and (gone.scheduled_purge_date - gone.deleted_date).days == 7
    with pytest.raises(HttpResponseError) as raised:
        secrets.set_secret("brief", "y")
    assert inner(raised) == (409, "Conflict", "ObjectIsDeletedButRecoverable")
    secrets.begin_recover_deleted_secret("brief").wait()
    assert secrets.get_secret("brief").value == "x"
    secrets.begin_delete_secret("brief").wait()
    secrets.purge_deleted_secret("brief")
    with pytest.raises(ResourceNotFoundError):
        secrets.get_deleted_secret("brief")


def test_a_backup_is_restored_where_the_name_is_free(azure, secrets):
    secrets.set_secret("saved", "one")
    secrets.set_secret("saved", "two")
    backup = secrets.backup_secret("saved")
    with pytest.raises(HttpResponseError) as raised:
        secrets.restore_secret_backup(backup)
    assert raised.value.status_code == 409
    secrets.begin_delete_secret("saved").wait()
    secrets.purge_deleted_secret("saved")
    secrets.restore_secret_backup(backup)
    assert secrets.get_secret("saved").value == "two" and len(list(secrets.list_properties_of_secret_versions("saved"))) == 2
    with pytest.raises(HttpResponseError):
        secrets.restore_secret_backup(b"nonsense")


def test_a_protected_vault_purges_nothing_before_its_time(azure):
    make(azure, "kv-keep", enablePurgeProtection=True)
    kept = client(azure, SecretClient, "kv-keep")
    kept.set_secret("s", "x")
    assert kept.begin_delete_secret("s").result().properties.recovery_level == "CustomizedRecoverable"
    assert refusal(kept.purge_deleted_secret, "s")[0] == 403


# Keys


def test_keys_are_made_of_every_kind(keys):
    made = keys.create_rsa_key("rsa", size=3072)
    assert made.key_type == "RSA" and len(made.key.n) == 384 and "wrapKey" in made.key_operations
    for curve, length in [("P-256", 32), ("P-384", 48), ("P-521", 66), ("P-256K", 32)]:
        made = keys.create_ec_key("ec-" + curve, curve=curve)
        assert (made.key_type, made.key.crv, len(made.key.x)) == ("EC", curve, length)
        assert made.key_operations == ["sign", "verify"]
    assert {"rsa", "ec-P-256"} <= {it.name for it in keys.list_properties_of_keys()}


def test_what_a_key_signs_its_public_part_verifies(keys):
    digest = hashlib.sha256(b"text").digest()
    for key, algorithm in [
        (keys.create_rsa_key("signs"), SignatureAlgorithm.rs256),
        (keys.get_key("signs"), SignatureAlgorithm.ps256),
        (keys.create_ec_key("signs-ec", curve="P-256"), SignatureAlgorithm.es256),
    ]:
        crypto = keys.get_cryptography_client(key.name)
        signature = crypto.sign(algorithm, digest).signature
        assert crypto.verify(algorithm, digest, signature).is_valid
        sent = {"alg": algorithm.value, "digest": encode(digest), "value": encode(signature)}
        assert use(keys, key, "verify", sent) == {"value": True}
        sent["digest"] = encode(hashlib.sha256(b"Text").digest())
        assert use(keys, key, "verify", sent) == {"value": False}


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def use(keys, key, operation, body):
    """The key used by the vault, where the client would use the public part by itself."""
    request = requests.Request("POST", f"{key.id}/{operation}?api-version=7.5", json=body)
    from azure.core.rest import HttpRequest

    return keys.send_request(HttpRequest("POST", request.url, json=body)).json()


def test_a_key_opens_what_was_sealed_with_it(keys):
    keys.create_rsa_key("seals")
    crypto = keys.get_cryptography_client("seals")
    for algorithm in (EncryptionAlgorithm.rsa_oaep, EncryptionAlgorithm.rsa_oaep_256, EncryptionAlgorithm.rsa1_5):
        sealed = crypto.encrypt(algorithm, b"hush").ciphertext
        assert crypto.decrypt(algorithm, sealed).plaintext == b"hush"
    wrapped = crypto.wrap_key(KeyWrapAlgorithm.rsa_oaep, b"0" * 32).encrypted_key
    assert crypto.unwrap_key(KeyWrapAlgorithm.rsa_oaep, wrapped).key == b"0" * 32


def test_a_key_is_used_for_what_it_may_and_while_it_may(keys):
    made = keys.create_rsa_key("narrow", key_operations=[KeyOperation.verify])
    digest = encode(hashlib.sha256(b"x").digest())
    refused = use(keys, made, "sign", {"alg": "RS256", "value": digest})["error"]
    assert (refused["code"], refused["innererror"]["code"]) == ("Forbidden", "KeyOperationForbidden")
    keys.update_key_properties("narrow", key_operations=[KeyOperation.sign], enabled=False)
    refused = use(keys, made, "sign", {"alg": "RS256", "value": digest})["error"]
    assert refused["innererror"]["code"] == "KeyDisabled"
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    keys.update_key_properties("narrow", enabled=True, expires_on=past)
    assert "expired" in use(keys, made, "sign", {"alg": "RS256", "value": digest})["error"]["message"]
    assert "error" in use(keys, keys.get_key("signs"), "sign", {"alg": "ES256", "value": digest})


def test_a_key_is_imported_rotated_and_backed_up(keys):
    from azure.keyvault.keys import JsonWebKey

    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, public = own.private_numbers(), own.public_key().public_numbers()
    part = lambda value: value.to_bytes((value.bit_length() + 7) // 8, "big")
    jwk = JsonWebKey(kty="RSA", n=part(public.n), e=part(public.e), d=part(private.d), p=part(private.p), q=part(private.q),
                     dp=part(private.dmp1), dq=part(private.dmq1), qi=part(private.iqmp))
    made = keys.import_key("brought", jwk)
    assert made.key.n == part(public.n)
    fresh = keys.rotate_key("brought")
    assert fresh.properties.version != made.properties.version and fresh.key.n != made.key.n
    assert len(list(keys.list_properties_of_key_versions("brought"))) == 2
    policy = KeyRotationPolicy(lifetime_actions=[KeyRotationLifetimeAction(KeyRotationPolicyAction.rotate, time_after_create="P90D")], expires_in="P2Y")
    keys.update_key_rotation_policy("brought", policy)
    assert keys.get_key_rotation_policy("brought").expires_in == "P2Y"
    backup = keys.backup_key("brought")
    keys.begin_delete_key("brought").wait()
    keys.begin_recover_deleted_key("brought").wait()
    keys.begin_delete_key("brought").wait()
    keys.purge_deleted_key("brought")
    with pytest.raises(ResourceNotFoundError):
        keys.get_key("brought")
    assert keys.restore_key_backup(backup).key.n == fresh.key.n


@pytest.mark.parametrize("body", [{}, {"kty": "oct"}, {"kty": "RSA", "key_size": 1024}, {"kty": "EC", "crv": "P-1"}, {"kty": "RSA-HSM"}])
def test_keys_that_cannot_be_are_refused(keys, body):
    from azure.core.rest import HttpRequest

    answer = keys.send_request(HttpRequest("POST", "/keys/wrong/create?api-version=7.5", json=body))
    assert answer.status_code == 400


# Certificates


def own_certificate(name="*.contoso.com"):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(7)
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=90))
    return key, builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False).sign(key, hashes.SHA256())


def test_a_certificate_is_imported_with_its_key_and_secret(azure, certificates, secrets, keys):
    key, certificate = own_certificate()
    pfx = pkcs12.serialize_key_and_certificates(b"c", key, certificate, None, serialization.BestAvailableEncryption(b"pw"))
    made = certificates.import_certificate("wild", pfx, password="pw", tags={"a": "b"})
    assert made.properties.x509_thumbprint == certificate.fingerprint(hashes.SHA1()) and made.properties.tags == {"a": "b"}
    assert x509.load_der_x509_certificate(bytes(made.cer)) == certificate
    secret = secrets.get_secret("wild")
    assert secret.properties.content_type == "application/x-pkcs12" and secret.properties.managed
    opened, found, _ = pkcs12.load_key_and_certificates(base64.b64decode(secret.value), None)
    assert found == certificate and opened.private_numbers() == key.private_numbers()
    assert keys.get_key("wild").properties.managed and keys.get_key("wild").key.crv == "P-256"
    with pytest.raises(HttpResponseError) as raised:
        secrets.begin_delete_secret("wild")
    assert raised.value.status_code == 403
    with pytest.raises(HttpResponseError) as raised:
        certificates.import_certificate("bad", pfx, password="wrong")
    assert inner(raised)[:2] == (400, "BadParameter")


def test_a_self_signed_certificate_is_issued(azure, certificates, secrets):
    made = certificates.begin_create_certificate("selfmade", CertificatePolicy.get_default(), _polling_interval=0.05).result()
    assert made.policy.issuer_name == "Self" and made.policy.key_size == 2048
    certificate = x509.load_der_x509_certificate(bytes(made.cer))
    assert certificate.issuer == certificate.subject and certificate.public_key().key_size == 2048
    assert 360 <= (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days <= 367
    certificate.verify_directly_issued_by(certificate)
    opened, found, _ = pkcs12.load_key_and_certificates(base64.b64decode(secrets.get_secret("selfmade").value), None)
    assert found == certificate and opened.public_key().public_numbers() == certificate.public_key().public_numbers()
    assert certificates.get_certificate_operation("selfmade").status == "completed"


def test_a_policy_decides_what_is_issued(certificates, secrets):
    policy = CertificatePolicy("Self", subject="CN=www.contoso.com, O=Contoso", san_dns_names=["www.contoso.com"], key_type="EC",
                               key_curve_name="P-384", content_type="application/x-pem-file", validity_in_months=3)
    certificates.begin_create_certificate("by-policy", policy, _polling_interval=0.05).result()
    value = secrets.get_secret("by-policy").value
    key = serialization.load_pem_private_key(value.encode(), None)
    certificate = x509.load_pem_x509_certificate(value[value.index("-----BEGIN CERTIFICATE") :].encode())
    assert key.curve.name == "secp384r1" and certificate.public_key().public_numbers() == key.public_key().public_numbers()
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["www.contoso.com"]
    assert "O=Contoso" in certificate.subject.rfc4514_string()


def test_a_request_of_another_issuer_waits_for_its_answer(certificates):
    policy = CertificatePolicy("Unknown", subject="CN=merged.contoso.com")
    certificates.begin_create_certificate("merged", policy, _polling_interval=0.05)
    operation = certificates.get_certificate_operation("merged")
    assert operation.status == "inProgress"
    with pytest.raises(HttpResponseError) as raised:
        certificates.begin_create_certificate("merged", policy)
    assert raised.value.status_code == 409
    asked = x509.load_der_x509_csr(bytes(operation.csr))
    assert asked.is_signature_valid
    key, _ = own_certificate()
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(asked.subject).issuer_name(asked.subject).serial_number(5)
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=9))
    wrong = builder.public_key(key.public_key()).sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    assert refusal(certificates.merge_certificate, "merged", [wrong])[0] == 400
    right = builder.public_key(asked.public_key()).sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    assert certificates.merge_certificate("merged", [right]).name == "merged"
    certificates.delete_certificate_operation("merged")
    with pytest.raises(ResourceNotFoundError):
        certificates.get_certificate_operation("merged")


def test_a_deleted_certificate_takes_its_secret_along_and_back(certificates, secrets):
    key, certificate = own_certificate("brief.contoso.com")
    pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificates.import_certificate("brief", pem, policy=CertificatePolicy("Unknown", content_type="application/x-pem-file", subject="CN=b"))
    backup = certificates.backup_certificate("brief")
    certificates.begin_delete_certificate("brief").wait()
    with pytest.raises(ResourceNotFoundError):
        secrets.get_secret("brief")
    assert "brief" in [it.name for it in certificates.list_deleted_certificates()]
    certificates.begin_recover_deleted_certificate("brief").wait()
    assert secrets.get_secret("brief").properties.content_type == "application/x-pem-file"
    certificates.begin_delete_certificate("brief").wait()
    certificates.purge_deleted_certificate("brief")
    certificates.restore_certificate_backup(backup)
    assert [it.name for it in certificates.list_properties_of_certificate_versions("brief")] == ["brief"]
    certificates.update_certificate_properties("brief", enabled=False)
    assert not certificates.get_certificate("brief").properties.enabled


def test_contacts_and_issuers_are_kept(certificates):
    assert certificates.set_contacts([CertificateContact(email="a@contoso.com")])[0].email == "a@contoso.com"
    assert len(certificates.get_contacts()) == 1
    certificates.delete_contacts()
    with pytest.raises(ResourceNotFoundError):
        certificates.get_contacts()
    certificates.create_issuer("ca1", "Test", account_id="me")
    assert certificates.get_issuer("ca1").provider == "Test"
    assert [it.name for it in certificates.list_properties_of_issuers()] == ["ca1"]
    certificates.delete_issuer("ca1")
    with pytest.raises(ResourceNotFoundError):
        certificates.get_issuer("ca1")


# The CLI


def test_az_does_its_ordinary_work(az, azure, vault):
    az("keyvault", "create", "-n", "kv-az", "-g", GROUP, "-l", "westeurope")
    azure.grant(ADMINISTRATOR, f"{azure.subscription}/resourceGroups/{GROUP}/providers/Microsoft.KeyVault/vaults/kv-az")
    made = az("keyvault", "secret", "set", "--vault-name", "kv-az", "-n", "s", "--value", "v")
    assert made["value"] == "v" and made["tags"] == {"file-encoding": "utf-8"}
    assert az("keyvault", "secret", "show", "--vault-name", "kv-az", "-n", "s")["value"] == "v"
    assert [it["name"] for it in az("keyvault", "secret", "list", "--vault-name", "kv-az")] == ["s"]
    policy = az("keyvault", "certificate", "get-default-policy")
    import json

    issued = az("keyvault", "certificate", "create", "--vault-name", "kv-az", "-n", "c", "-p", json.dumps(policy))
    assert issued["status"] == "completed"
    assert az("keyvault", "key", "create", "--vault-name", "kv-az", "-n", "k", "--kty", "EC")["key"]["crv"] == "P-256"
    az("keyvault", "delete", "-n", "kv-az")
    assert "kv-az" in [it["name"] for it in az("keyvault", "list-deleted")]
    az("keyvault", "recover", "-n", "kv-az")
    assert az("keyvault", "show", "-n", "kv-az")["name"] == "kv-az"
    az("keyvault", "delete", "-n", "kv-az")
    az("keyvault", "purge", "-n", "kv-az", "-l", "westeurope")
    assert "kv-none" in az.refused("keyvault", "show", "-n", "kv-none").text
