"""Stands for Talenti's API: answers its health endpoints, and names the variables it was given (never their values)."""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EXPECTED = """
ALLOWED_ORIGINS AZURE_ACS_ENDPOINT AZURE_OPENAI_API_VERSION AZURE_OPENAI_DEPLOYMENT_NAME AZURE_OPENAI_ENDPOINT
AZURE_SPEECH_ENDPOINT AZURE_SPEECH_REGION AZURE_STORAGE_ACCOUNT AZURE_STORAGE_CONTAINER AZURE_STORAGE_SAS_TTL_MINUTES
DATABASE_URL ENVIRONMENT JWT_AUDIENCE JWT_ISSUER JWT_SECRET LOG_LEVEL MAX_RECORDING_DURATION_MINUTES
RATE_LIMIT_REQUESTS RATE_LIMIT_WINDOW_SECONDS RECORDING_RETENTION_DAYS REDIS_URL
""".split()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        missing = [name for name in EXPECTED if name not in os.environ]
        if self.path == "/health":
            self.answer(200, {"status": "healthy"})
        elif self.path == "/health/ready":
            self.answer(503 if missing else 200, {"missing": missing})
        elif self.path == "/":
            self.answer(200, {"service": "talenti-api", "variables": sorted(set(EXPECTED) - set(missing))})
        else:
            self.answer(404, {"error": "no such page"})

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, form, *values):
        print(form % values, flush=True)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ThreadingHTTPServer(("", int(os.environ.get("PORT", "8000"))), Handler).serve_forever()


if __name__ == "__main__":
    main()
