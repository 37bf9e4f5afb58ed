"""What `upstream_jwt` costs: CPU time per request, by algorithm.

    make bench-signing      (or .tools/venv/bin/python -m tests.bench.signing --rounds 5)

Two tables, of what a signature adds to a request whose JWT is used again. Envoy: the CPU time of its
process; there the host signs RS* and ES*. Alone in wasm, as on Kong: the module in wasmtime, the CPU
time of this process, the host in Python included. Rounds are interleaved, and medians count: what
else the machine does falls on all.
"""

import argparse
import http.client
import statistics
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.bench.gateway import answering, cpu_seconds
from tests.host.scene import Scene

NOTHING, AGAIN = "nothing signed", "ES256, used again"
SLOW = {"RS256", "PS256"}
WARM_UP = 50


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["envoy", "wasm"], help="one of the two tables")
    parser.add_argument("--requests", type=int, default=1500, help="of each algorithm in each round")
    arguments = parser.parse_args()
    configurations = made()
    if arguments.only != "wasm":
        print("Envoy: CPU µs per request above one whose JWT is used again")
        tell(measured(configurations, on_envoy, arguments))
    if arguments.only != "envoy":
        print("In wasm alone (wasmtime): CPU µs per request above one whose JWT is used again")
        tell(measured(configurations, in_wasm, arguments))


def made():
    """What is measured, by its name: an `upstream_jwt`."""
    keys = {
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "ES384": ec.generate_private_key(ec.SECP384R1()),
        "ES512": ec.generate_private_key(ec.SECP521R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        "RS256": rsa.generate_private_key(65537, 2048),
    }
    keys["PS256"] = keys["RS256"]
    made = {NOTHING: False, AGAIN: signing({"pem": pem(keys["ES256"])}, reuse=True)}
    made["HS256"] = signing({"secret": "s" * 32})
    for algorithm, key in keys.items():
        made[algorithm] = signing({"pem": pem(key), "alg": algorithm})
    return made


def signing(key, reuse=False):
    return {"issuer": "https://gateway.example.com", "keys": [key], "reuse": reuse}


def pem(key):
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def measured(configurations, measure, arguments):
    """Microseconds of each, a list of rounds."""
    found = {name: [] for name in configurations}
    for number in range(arguments.rounds):
        for name, upstream_jwt in configurations.items():
            requests = arguments.requests // 5 if name in SLOW else arguments.requests
            found[name].append(measure(upstream_jwt, requests))
        print(f"  round {number + 1} of {arguments.rounds}", flush=True)
    return found


def tell(found):
    least = statistics.median(found[AGAIN])
    for name, rounds in found.items():
        above = [value - least for value in rounds]
        spread = f"{min(above):.0f} to {max(above):.0f}"
        print(f"  {name:20} {statistics.median(above):8.0f}   ({spread})")


def on_envoy(upstream_jwt, requests):
    # Nothing is asked of the caller and nothing goes up: only the signature differs.
    filter_config = {"allowed_iss": ["https://a"], "access": "public", "upstream_jwt": upstream_jwt}
    with answering(filter_config, 19020, "bench-signing") as envoy:
        connection = http.client.HTTPConnection(*envoy.address)
        for number in range(WARM_UP + requests):
            if number == WARM_UP:
                before = cpu_seconds(envoy.pid)
            connection.request("GET", "/")
            connection.getresponse().read()
        return (cpu_seconds(envoy.pid) - before) / requests * 1e6


def in_wasm(upstream_jwt, requests):
    scene = Scene("wasmx", {"access": "public", "upstream_jwt": upstream_jwt})
    for number in range(WARM_UP + requests):
        if number == WARM_UP:
            before = time.process_time()
        scene.worker.leave(scene.send())
        scene.requests.clear()
    assert not scene.worker.traps, scene.worker.traps
    return (time.process_time() - before) / requests * 1e6


if __name__ == "__main__":
    main()
