"""How often the issuer is called for its keys, with many workers."""

import http.server
import json
import threading
import time

from tests.bench import cases, tokens
from tests.bench.gateway import wasm_filter, with_filters
from tests.stack import ports

WORKERS = 8
INTERVAL = 1  # second, the shortest
WAYS = {"each worker for itself": False, "shared by the workers": True}


def measure(module, periods):
    """Calls for a refresh of the keys, by whether workers share what one fetched."""
    first = ports.from_env("BENCH_PORT", 19200)
    return {name: calls(first, shared, module, periods) for name, shared in WAYS.items()}


def calls(port, shared, module, periods):
    issuer = Issuer((ports.HOST, port + 99))
    fetched = {"jwks_uri": f"{tokens.ISSUER}/keys", "callout_target": "keycloak"}
    settings = {**cases.configuration(**fetched), "jwks_refresh_interval": INTERVAL, "shared_key_cache": shared}
    filters = [wasm_filter(settings, module)]
    name = "refresh-shared" if shared else "refresh-alone"
    try:
        with with_filters(filters, port, name, WORKERS, keycloak=issuer.server_address) as envoy:
            gateway = cases.Gateway(name, envoy)
            # All have their first keys when they fetch again.
            time.sleep(2 * INTERVAL)
            assert gateway.ask(tokens.good("rs256", "check", 1).read_text().strip())[0] == 200
            before, started = issuer.asked, time.monotonic()
            time.sleep(periods * INTERVAL)
            return (issuer.asked - before) / ((time.monotonic() - started) / INTERVAL)
    finally:
        issuer.stop()


class Issuer(http.server.ThreadingHTTPServer):
    """It gives its keys and counts."""

    daemon_threads = True

    def __init__(self, address):
        super().__init__(address, Handler)
        self.asked = 0
        self.keys = json.dumps(tokens.jwks()).encode()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked += 1
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(self.server.keys)))
        self.end_headers()
        self.wfile.write(self.server.keys)

    def log_message(self, *_):
        pass
