"""What every file here shares: a local Azure of its own, Microsoft's clients pointed at it by their public settings
only, Resource Manager by hand for what the clients hide, and the Azure CLI.

Run by `cargo test -p landfall-tests --test clients`; by hand, for one file:
    LANDFALL_BIN=target/debug/landfall PYTHON -m pytest tests/clients/test_vault.py
"""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

# glibc resolves no name below `localhost`; browsers and curl do.
_getaddrinfo = socket.getaddrinfo


def _loopback(host, *rest, **named):
    name = host.decode() if isinstance(host, bytes) else host
    if isinstance(name, str) and name.rstrip(".").lower().endswith(".localhost"):
        host = "127.0.0.1"
    return _getaddrinfo(host, *rest, **named)


socket.getaddrinfo = _loopback

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("LANDFALL_BIN", str(ROOT / "target/debug/landfall"))


class Azure:
    """A running local Azure and the ways to talk to it."""

    def __init__(self, folder, *flags):
        self.folder = folder
        self.start(*flags)
        self.subscription = f"/subscriptions/{self.subscription_id}"

    def start(self, *flags):
        """Starts it in its folder, with `flags` of `landfall local start`."""
        subprocess.run([BINARY, "-C", self.folder, "local", "start", *flags], check=True, capture_output=True)
        printed = subprocess.run([BINARY, "-C", self.folder, "local", "env"], check=True, capture_output=True, text=True)
        exports = (line.removeprefix("export ").partition("=") for line in printed.stdout.splitlines())
        self.env = {name: value.strip("'\"") for name, _, value in exports if name.isidentifier()}
        self.url = self.env["ARM_URL"]
        self.subscription_id = self.env["SUBSCRIPTION_ID"]
        os.environ["REQUESTS_CA_BUNDLE"] = self.env["CA_FILE"]

    def stop(self):
        subprocess.run([BINARY, "-C", self.folder, "local", "stop"], capture_output=True)

    def credential(self, client=None, secret=None):
        """A client's credential; the owner of the subscription by default."""
        from azure.identity import ClientSecretCredential

        return ClientSecretCredential(
            self.env["TENANT_ID"],
            client or self.env["CLIENT_ID"],
            secret or self.env["CLIENT_SECRET"],
            authority=self.env["AUTH_URL"],
            disable_instance_discovery=True,
        )

    def management(self, kind, **options):
        """A management client of Microsoft's, told where Resource Manager is. Retries are off: what is refused is
        seen."""
        options.setdefault("retry_total", 0)
        options.setdefault("polling_interval", 0)
        return kind(
            self.credential(),
            self.subscription_id,
            base_url=self.url,
            credential_scopes=[self.url + "/.default"],
            **options,
        )

    def token(self, resource=None, credential=None):
        return (credential or self.credential()).get_token((resource or self.url) + "/.default").token

    def arm(self, method, path, api="2024-11-01", body=None, headers=None, token=None):
        """One request to Resource Manager, as it is; `path` may be a whole URL or carry its own api-version."""
        url = path if path.startswith("https://") else self.url + path
        if "api-version=" not in url and api:
            url += ("&" if "?" in url else "?") + f"api-version={api}"
        sent = {"Authorization": f"Bearer {token or self.token()}", **(headers or {})}
        return requests.request(method, url, json=body, headers=sent, timeout=60)

    def settle(self, answer, seconds=30):
        """Follows an accepted change to its end and returns the last answer of the operation."""
        url = answer.headers.get("Azure-AsyncOperation") or answer.headers.get("Location")
        end = time.monotonic() + seconds
        while url:
            polled = self.arm("GET", url)
            status = polled.json().get("status", "") if polled.content else ""
            if polled.status_code != 202 and status not in ("InProgress", "Running", "Accepted", "Creating"):
                return polled
            assert time.monotonic() < end, f"still {status} after {seconds} s: {url}"
            time.sleep(0.05)
        return answer

    def put(self, path, api, body):
        """Creates or replaces, follows the operation, and returns the resource."""
        answer = self.arm("PUT", path, api, body)
        assert answer.status_code in (200, 201, 202), answer.text
        self.settle(answer)
        got = self.arm("GET", path, api)
        assert got.status_code == 200, got.text
        return got.json()

    def group(self, name="rg1", location="westeurope"):
        """A resource group; returns its id."""
        path = f"{self.subscription}/resourceGroups/{name}"
        answer = self.arm("PUT", path, body={"location": location})
        assert answer.status_code in (200, 201), answer.text
        return path

    def object_id(self):
        """The object id of the principal that signs in."""
        return token_claims(self.token())["oid"]

    def grant(self, role, scope, principal=None, kind="ServicePrincipal"):
        """Assigns a built-in role by its GUID."""
        import uuid

        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        definition = f"{self.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
        properties = {"roleDefinitionId": definition, "principalId": principal or self.object_id(), "principalType": kind}
        answer = self.arm("PUT", path, "2022-04-01", {"properties": properties})
        assert answer.status_code == 201, answer.text
        return path

    def control(self, method, path, body=None):
        """`/_local/*`: the clock, faults, kills."""
        answer = requests.request(method, self.url + "/_local/" + path, json=body, timeout=60)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def advance(self, duration):
        """Moves the clock."""
        return self.control("POST", "clock", {"advance": duration})


def token_claims(token):
    """What a token says, not verified."""
    import base64

    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def refusal(call, *arguments, **named):
    """Calls a client of Microsoft's and returns `(status, code)` of the refusal it raised."""
    from azure.core.exceptions import HttpResponseError

    with pytest.raises(HttpResponseError) as raised:
        call(*arguments, **named)
    error = raised.value
    code = getattr(error, "error_code", None) or (error.error.code if error.error else None)
    return error.status_code, str(getattr(code, "value", code))


@pytest.fixture(scope="module")
def azure():
    """A local Azure in memory for the tests of one file, at speed 0."""
    folder = tempfile.mkdtemp(prefix="landfall-clients-")
    running = Azure(folder, "--memory", "--speed", "0", "--seed", "1")
    yield running
    running.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def az(azure):
    """The Azure CLI, signed in: `az("group", "list")` returns its JSON; `az.refused(…)` its standard error."""
    program = Path(os.environ.get("LANDFALL_AZ_VENV", "/tmp/azvenv"), "bin/az")
    if not program.exists():
        assert not os.environ.get("LANDFALL_NO_SKIP"), f"{program} is not there; `./test --tools` installs it"
        pytest.skip(f"{program} is not there; `./test --tools` installs it")
    environment = cli_environment(azure)

    def run(*words):
        return subprocess.run([program, *words], capture_output=True, text=True, env=environment)

    def call(*words):
        done = run(*words, "-o", "json")
        assert done.returncode == 0, f"az {' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(*words):
        done = run(*words)
        assert done.returncode != 0, f"az {' '.join(words)} was taken:\n{done.stdout}"
        return SimpleNamespace(code=done.returncode, text=done.stderr)

    # with a slash at its end, as the public cloud's: some commands join paths to it without one
    call("cloud", "register", "-n", "LocalAzure", "--endpoint-resource-manager", azure.url + "/")
    call("cloud", "set", "-n", "LocalAzure")
    secret = ("-u", azure.env["CLIENT_ID"], "-p", azure.env["CLIENT_SECRET"], "--tenant", azure.env["TENANT_ID"])
    call("login", "--service-principal", *secret)
    call.run, call.refused, call.program, call.environment = run, refused, program, environment
    return call


def cli_environment(azure):
    """An environment in which the CLI knows nothing but the local Azure: a configuration of its own, our CA, names
    below `localhost` resolved, and a proxy that leads nowhere for every other host."""
    config = Path(azure.folder, "az")
    (config / "python").mkdir(parents=True)
    resolver = Path(__file__).read_text().partition("# glibc resolves")[2].partition("ROOT = ")[0]
    (config / "python/sitecustomize.py").write_text("import socket\n#" + resolver)
    # Without it the first command asks Microsoft for the newest version.
    (config / "versionCheck.json").write_text(json.dumps({"versions": {}, "update_time": "2999-01-01 00:00:00.0"}))
    (config / "config").write_text(
        "[core]\ncollect_telemetry = false\nsurvey_message = false\nlogin_experience_v2 = off\n"
        "[clients]\nshow_secrets_warning = false\n[extension]\nuse_dynamic_install = no\n"
    )
    nowhere = "http://127.0.0.1:9"
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "IDENTITY_", "MSI_"))},
        "AZURE_CONFIG_DIR": str(config),
        # MSAL asks Microsoft about an authority that it does not know, unless told not to.
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_CORE_COLLECT_TELEMETRY": "0",
        "AZURE_CORE_NO_COLOR": "true",
        "REQUESTS_CA_BUNDLE": azure.env["CA_FILE"],
        "PYTHONPATH": str(config / "python"),
        **dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), nowhere),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,.localhost,127.0.0.1"),
    }
