"""What the tests of applications deploy: a small server as an image in a registry of the local Azure, environments and
apps by raw requests, and a client of the ingress by host name."""

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import time
from functools import cache
from pathlib import Path

import pytest
import requests

APPS_API = "2025-07-01"
QUICKSTART = "mcr.microsoft.com/k8se/quickstart:latest"
SOURCE = Path(__file__).resolve().parents[2] / "crates/local/src/runtime/testdata/server.c"


@cache
def _server():
    """The test server as a program that needs nothing else."""
    if not shutil.which("cc"):
        pytest.skip("there is no C compiler to make the test server with")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "server")
        flags = ["-O1", "-static", "-pthread", "-D_GNU_SOURCE", "-w", "-o", program, SOURCE]
        subprocess.run(["cc", *flags], check=True)
        return program.read_bytes()


def _layer():
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for folder in ("app", "tmp", "etc"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o777
            tar.addfile(entry)
        program = tarfile.TarInfo("app/server")
        program.size, program.mode = len(_server()), 0o755
        tar.addfile(program, io.BytesIO(_server()))
    return packed.getvalue()


def push(azure, group, registry="crapps1", repository="server", tag="v1"):
    """Pushes the server and returns its image's name. The registry's admin user is on."""
    path = f"{group}/providers/Microsoft.ContainerRegistry/registries/{registry}"
    body = {"location": "westeurope", "sku": {"name": "Basic"}, "properties": {"adminUserEnabled": True}}
    login_server = azure.put(path, "2023-07-01", body)["properties"]["loginServer"]
    user = azure.arm("POST", path + "/listCredentials", "2023-07-01").json()
    session = requests.Session()
    session.auth = (user["username"], user["passwords"][0]["value"])
    base = f"https://{login_server}/v2/{repository}"

    def blob(content):
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        begun = session.post(base + "/blobs/uploads/")
        place = begun.headers["Location"]
        place = place if place.startswith("https") else f"https://{login_server}{place}"
        done = session.put(f"{place}{'&' if '?' in place else '?'}digest={digest}", data=content)
        assert done.status_code == 201, done.text
        return {"digest": digest, "size": len(content)}

    layer = blob(_layer())
    config = blob(json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/app/server"]},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    }).encode())
    oci = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{oci}.manifest.v1+json",
        "config": {"mediaType": f"{oci}.config.v1+json", **config},
        "layers": [{"mediaType": f"{oci}.layer.v1.tar", **layer}],
    }
    done = session.put(f"{base}/manifests/{tag}", data=json.dumps(manifest), headers={"Content-Type": manifest["mediaType"]})
    assert done.status_code == 201, done.text
    return f"{login_server}/{repository}:{tag}"


class Apps:
    """An environment, and what is deployed to it."""

    def __init__(self, azure, name="env1", group="rgapps"):
        self.azure = azure
        self.group = azure.group(group)
        self.environment = f"{self.group}/providers/Microsoft.App/managedEnvironments/{name}"
        profiles = [{"name": "Consumption", "workloadProfileType": "Consumption"}]
        body = {"location": "westeurope", "properties": {"workloadProfiles": profiles}}
        self.domain = azure.put(self.environment, APPS_API, body)["properties"]["defaultDomain"]
        self.image = push(azure, self.group)
        self.server = self.image.split("/")[0]
        registry = f"{self.group}/providers/Microsoft.ContainerRegistry/registries/crapps1"
        user = azure.arm("POST", registry + "/listCredentials", "2023-07-01").json()
        self.login = {
            "registries": [{"server": self.server, "username": user["username"], "passwordSecretRef": "pull"}],
            "secrets": [{"name": "pull", "value": user["passwords"][0]["value"]}],
        }

    def id(self, name, kind="containerApps"):
        return f"{self.group}/providers/Microsoft.App/{kind}/{name}"

    def body(self, env=None, ingress=None, scale=None, configuration=None, template=None, container=None, image=None):
        """An app of one container that listens on 8080, whatever else it is told."""
        variables = [{"name": name, "value": value} for name, value in (env or {}).items()]
        main = {"name": "main", "image": image or self.image, "env": variables, **(container or {})}
        ingress = {"external": True, "targetPort": 8080, "allowInsecure": False, **(ingress or {})}
        configuration = {**self.login, "ingress": ingress, **(configuration or {})}
        scale = {"minReplicas": 1, "maxReplicas": 1, **(scale or {})}
        return {
            "location": "westeurope",
            "properties": {
                "managedEnvironmentId": self.environment,
                "configuration": configuration,
                "template": {"containers": [main], "scale": scale, **(template or {})},
            },
        }

    def put(self, name, body=None, **parts):
        """Deploys and waits; returns the app."""
        return self.azure.put(self.id(name), APPS_API, body or self.body(**parts))

    def refused(self, name, body=None, **parts):
        """The status, code and message of a refusal."""
        answer = self.azure.arm("PUT", self.id(name), APPS_API, body or self.body(**parts))
        assert answer.status_code >= 400, answer.text
        error = answer.json()["error"]
        return answer.status_code, error["code"], error["message"]

    def failed(self, name, body=None, **parts):
        """The operation's end of a deployment that is accepted and fails."""
        answer = self.azure.arm("PUT", self.id(name), APPS_API, body or self.body(**parts))
        assert answer.status_code in (200, 201), answer.text
        return self.azure.settle(answer, seconds=60).json()

    def patch(self, name, properties):
        answer = self.azure.arm("PATCH", self.id(name), APPS_API, {"properties": properties})
        assert answer.status_code in (200, 202), answer.text
        self.azure.settle(answer)
        return self.show(name)

    def show(self, name):
        return self.azure.arm("GET", self.id(name), APPS_API).json()

    def delete(self, name):
        self.azure.settle(self.azure.arm("DELETE", self.id(name), APPS_API))

    def revision(self, app, name):
        answer = self.azure.arm("GET", f"{self.id(app)}/revisions/{name}", APPS_API)
        return answer.json()["properties"] if answer.status_code == 200 else None

    def revisions(self, app):
        return [it["name"] for it in self.azure.arm("GET", f"{self.id(app)}/revisions", APPS_API).json()["value"]]

    def post(self, path):
        return self.azure.arm("POST", path, APPS_API)

    def host(self, name):
        return f"{name}.{self.domain}"

    def url(self, host, path="/", scheme="https"):
        return f"{scheme}://{host}:{self.azure.url.rsplit(':', 1)[1]}{path}"

    def get(self, name, path="/", scheme="https", method="GET", **named):
        """A request through the ingress, by app name or whole host name."""
        host = name if "." in name else self.host(name)
        named.setdefault("timeout", 60)
        named.setdefault("allow_redirects", False)
        return requests.request(method, self.url(host, path, scheme), **named)


def until(condition, seconds=20, every=0.1):
    """Waits until something is so, and returns it."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"still {found!r} after {seconds} s"
        time.sleep(every)
