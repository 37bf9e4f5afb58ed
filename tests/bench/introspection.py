"""What asking an issuer about tokens costs, and what the cache saves: calls, CPU time, latency.

    make bench-introspection      (or .tools/venv/bin/python -m tests.bench.introspection --rounds 5)

Envoy with one worker and 50 callers with a token each, one request after another. The issuer is a
stand-in that answers each introspection after `--delay` milliseconds, which is what Keycloak takes for
one on the same machine, network aside. CPU time is that of Envoy's process; rounds are interleaved,
and medians count: what else the machine does falls on all.
"""

import argparse
import http.client
import http.server
import json
import statistics
import threading
import time

from joserfc import jwk, jwt

from tests.bench.gateway import answering, cpu_seconds
from tests.stack import ports

WARM_UP = 100
CALLERS = 50
MODES = {
    "verified here": None,
    "asked each time": {"when": "always"},
    "asked, cached for 60 s": {"when": "always", "cache_seconds": 60},
    "verified, then asked each time": {"when": "after_local"},
    "verified, then cached for 60 s": {"when": "after_local", "cache_seconds": 60},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=1000, help="of each kind in each round")
    parser.add_argument("--delay", type=float, default=3, help="milliseconds that the issuer takes")
    arguments = parser.parse_args()
    issuer = Issuer(ports.from_env("STUB_PORT", 19032), arguments.delay / 1000)
    issuer.start()
    found = {name: [] for name in MODES}
    for number in range(arguments.rounds):
        for name, introspection in MODES.items():
            found[name].append(measured(issuer, introspection, arguments.requests))
        print(f"  round {number + 1} of {arguments.rounds}", flush=True)
    print(f"{'':32}{'calls per 1000':>16}{'CPU µs':>9}{'ratio':>7}{'median ms':>11}{'p99 ms':>8}")
    least = statistics.median(cpu for _, cpu, _, _ in found["verified here"])
    for name, rounds in found.items():
        calls, cpu, median, slowest = (statistics.median(column) for column in zip(*rounds))
        print(f"{name:32}{calls:16.0f}{cpu:9.0f}{cpu / least:7.1f}{median:11.2f}{slowest:8.2f}")


def measured(issuer, introspection, requests):
    """Calls per thousand requests, CPU microseconds a request, median and 99th percentile in milliseconds."""
    filter_config = {
        "issuers": [issuer.described(introspection is not None)],
        "allowed_aud": "orders",
        **({"introspection": introspection} if introspection else {}),
    }
    with answering(filter_config, 19030, "bench-introspection", keycloak=issuer.address) as envoy:
        connection = http.client.HTTPConnection(*envoy.address)
        took = []
        for number in range(WARM_UP + requests):
            if number == WARM_UP:
                before, asked = cpu_seconds(envoy.pid), issuer.asked
            # The caller of the warm-up is none of those that are measured.
            token = issuer.tokens[0 if number < WARM_UP else 1 + number % CALLERS]
            at = time.perf_counter()
            connection.request("GET", "/", headers={"authorization": f"Bearer {token}"})
            response = connection.getresponse()
            response.read()
            took.append(time.perf_counter() - at)
            assert response.status == 200, response.status
        cpu = (cpu_seconds(envoy.pid) - before) / requests * 1e6
        took = sorted(took[WARM_UP:])
        calls = (issuer.asked - asked) / requests * 1000
        return calls, cpu, took[len(took) // 2] * 1000, took[len(took) * 99 // 100] * 1000


class Issuer:
    """Stands in for Keycloak: a key, tokens like Keycloak's, and what it says of them."""

    def __init__(self, port, delay):
        self.address = (ports.HOST, port)
        self.delay = delay
        self.asked = 0
        self.key = jwk.RSAKey.generate_key(2048, {"kid": "key", "use": "sig", "alg": "RS256"})
        self.claims = [self.claims_of(number) for number in range(1 + CALLERS)]
        self.tokens = [jwt.encode({"alg": "RS256", "kid": "key"}, claims, self.key) for claims in self.claims]

    def claims_of(self, number):
        now = int(time.time())
        return {
            "exp": now + 3600,
            "iat": now,
            "jti": f"trrtcc:00000000-0000-4000-8000-{number:012}",
            "iss": "https://keycloak.example/realms/demo",
            "aud": ["gateway", "orders", "account"],
            "sub": f"10000000-0000-4000-8000-{number:012}",
            "typ": "Bearer",
            "azp": "orders-app",
            "acr": "1",
            "realm_access": {"roles": ["default-roles-demo", "offline_access", "reader", "uma_authorization"]},
            "resource_access": {"orders": {"roles": ["editor"]}, "account": {"roles": ["view-profile"]}},
            "scope": "email profile Function1/read",
            "email_verified": False,
            "preferred_username": f"service-account-{number}",
        }

    def described(self, is_asked):
        url = f"http://{self.address[0]}:{self.address[1]}"
        jwks = {"keys": [self.key.as_dict(private=False)]}
        client = {"client_id": "gateway", "client_secret": "x" * 32}
        asked = {"client": client, "introspection_endpoint": f"{url}/introspect", "callout_target": "keycloak"}
        return {"iss": self.claims[0]["iss"], "jwks": jwks, **(asked if is_asked else {})}

    def start(self):
        answers = {
            token: json.dumps({**claims, "active": True, "token_type": "Bearer"}).encode()
            for token, claims in zip(self.tokens, self.claims)
        }
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                form = self.rfile.read(int(self.headers["content-length"])).decode()
                token = form.partition("token=")[2].partition("&")[0]
                issuer.asked += 1
                time.sleep(issuer.delay)
                body = answers[token]
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(self.address, Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()


if __name__ == "__main__":
    main()
