"""What `docker push` does, without docker: push_image.py REGISTRY NAME:TAG pushes an image of one static program, a
small web server, with the credentials that `az acr login` would give docker."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import requests

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import conftest  # names below `localhost` are resolved

SERVER = conftest.ROOT / "crates/local/src/runtime/testdata/server.c"
OCI = "application/vnd.oci.image"


def layer(folder):
    """A layer with `/server` in it: `(compressed, digest of what is in it)`."""
    program = Path(folder, "server")
    flags = ["-O1", "-static", "-pthread", "-D_GNU_SOURCE"]
    subprocess.run(["cc", *flags, "-o", program, SERVER], check=True)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(program, "server")
    return gzip.compress(packed.getvalue(), mtime=0), digest(packed.getvalue())


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def main(registry, image):
    name, _, tag = image.partition(":")
    login = subprocess.run(["az", "acr", "login", "-n", registry, "--expose-token", "-o", "json"], check=True, capture_output=True)
    login = json.loads(login.stdout)
    base = f"https://{login['loginServer']}"
    session = requests.Session()
    session.verify = os.environ["REQUESTS_CA_BUNDLE"]
    form = {
        "grant_type": "refresh_token",
        "service": login["loginServer"],
        "scope": f"repository:{name}:pull,push",
        "refresh_token": login["accessToken"],
    }
    token = session.post(f"{base}/oauth2/token", data=form)
    token.raise_for_status()
    session.headers["Authorization"] = "Bearer " + token.json()["access_token"]

    def push(data):
        begun = session.post(f"{base}/v2/{name}/blobs/uploads/")
        begun.raise_for_status()
        where = begun.headers["Location"]
        where = where if where.startswith("https://") else base + where
        where += ("&" if "?" in where else "?") + "digest=" + digest(data)
        session.put(where, data=data, headers={"Content-Type": "application/octet-stream"}).raise_for_status()
        return {"digest": digest(data), "size": len(data)}

    packed, plain = layer(os.environ["WORK"])
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/server"], "Env": ["PORT=8000"]},
        "rootfs": {"type": "layers", "diff_ids": [plain]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": {"mediaType": f"{OCI}.config.v1+json", **push(json.dumps(config).encode())},
        "layers": [{"mediaType": f"{OCI}.layer.v1.tar+gzip", **push(packed)}],
    }
    headers = {"Content-Type": manifest["mediaType"]}
    session.put(f"{base}/v2/{name}/manifests/{tag}", data=json.dumps(manifest), headers=headers).raise_for_status()


if __name__ == "__main__":
    main(*sys.argv[1:])
