"""Stands for the deployment service: answers the guide's health endpoints, and names the variables it was given."""

import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EXPECTED = """
AZURE_CONTAINER_REGISTRY AZURE_COSMOS_ENDPOINT AZURE_KEY_VAULT_URI AZURE_RESOURCE_GROUP AZURE_SERVICE_BUS_NAMESPACE
AZURE_STORAGE_ACCOUNT BUILD_CONTAINER_CPU BUILD_CONTAINER_MEMORY DEPLOYMENT_TIMEOUT_MS ENABLE_AUTO_SCALING
ENABLE_CDN_INTEGRATION ENABLE_MULTI_REGION MAX_CONCURRENT_DEPLOYMENTS
""".split()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        missing = [name for name in EXPECTED if name not in os.environ]
        pages = {
            "/health": {"status": "healthy"},
            "/health/live": {"status": "alive"},
            "/health/ready": {"missing": missing},
            "/health/detailed": {"status": "healthy", "configuration": {name: name in os.environ for name in EXPECTED}},
        }
        found = self.path in pages
        status = 404 if not found else 503 if self.path == "/health/ready" and missing else 200
        text = json.dumps(pages.get(self.path, {"error": "no such page"})).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, form, *values):
        print(form % values, flush=True)


def main():
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set() or sys.exit(0))
    if sys.argv[1:] == ["worker"]:
        print("worker: waiting for deployments", flush=True)
        stopped.wait()
        return
    ThreadingHTTPServer(("", int(os.environ.get("PORT", "3000"))), Handler).serve_forever()


if __name__ == "__main__":
    main()
