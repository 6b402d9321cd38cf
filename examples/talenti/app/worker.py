"""Stands for Talenti's worker: has no port, and waits to be stopped."""

import os
import signal
import threading

stopped = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopped.set())
print(f"worker of {os.environ.get('ENVIRONMENT', 'nowhere')}: waiting for jobs", flush=True)
stopped.wait()
