"""The filter at work, on a real Envoy or Kong with tokens of a real Keycloak: `make demo`, `make demo-kong`.

Every step is done as a client would do it, with curl, and says what it expects; the exit code is 0
only if all of them got it. `--keep` leaves everything running afterwards, to be played with.
"""

import argparse
import base64
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

from .stack import ROOT, StackError, kong, ports
from .stack.envoy import Envoy, render
from .stack.gateway_jwt import PublishedKeys, Verifier
from .stack.keycloak import Keycloak
from .stack.upstream import Upstream

# What the gateway signs for the upstream, as the files say.
ISSUER, AUDIENCE, JWKS_PATH = "http://localhost:8000", "upstream", "/.well-known/gateway-jwks.json"

COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "cyan": "36"}
PAINT = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def main():
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end, until Ctrl-C")
    parser.add_argument("--kong", action="store_true", help="on Kong, in a container, instead of Envoy")
    arguments = parser.parse_args()
    # However it is ended, it cleans up.
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, signal.default_int_handler)
    try:
        sys.exit(run(arguments.keep, arguments.kong))
    except StackError as error:
        sys.exit(f"\nerror: {error}")
    except KeyboardInterrupt:
        sys.exit("\nstopped; nothing is left running")


def run(keep, on_kong):
    if not shutil.which("curl"):
        raise StackError("curl is missing, and this demo shows what curl gets (Debian, Ubuntu: apt-get install curl)")
    keycloak = Keycloak(
        ports.from_env("KEYCLOAK_PORT", 8080),
        ports.from_env("KEYCLOAK_MANAGEMENT_PORT", 9000),
        name="demo-keycloak",
    )
    upstream_port = ports.from_env("UPSTREAM_PORT", 8081)
    gateway_port = ports.from_env("GATEWAY_PORT", 8000)
    addresses = {"upstream": (ports.HOST, upstream_port), "keycloak": keycloak.address}
    if on_kong:
        gateway = kong.Kong(kong.render(addresses), gateway_port, name="demo-kong")
    else:
        addresses["listener"] = (ports.HOST, gateway_port)
        addresses["admin"] = (ports.HOST, ports.from_env("ENVOY_ADMIN_PORT", 9901))
        gateway = Envoy(render(addresses=addresses), name="demo-envoy")

    # What can be known to be wrong is said now, not after half a minute of waiting for Keycloak.
    gateway.require_ready_to_start()
    ports.require_free(upstream_port, "the upstream", "UPSTREAM_PORT")

    name = type(gateway).__name__
    say(f"Starting Keycloak, an upstream that shows what it received, and {name} with the filter", "bold")
    # The upstream has no key of the gateway's, only the address where it publishes them.
    keys = PublishedKeys(f"http://{ports.HOST}:{gateway_port}{JWKS_PATH}")
    verifier = Verifier(keys, ISSUER, AUDIENCE)
    with keycloak, Upstream(upstream_port, verifier) as upstream, gateway:
        demo = Demo(keycloak, upstream, gateway, keys)
        demo.play()
        demo.close()
        if keep:
            say("\nEverything goes on running: Ctrl-C ends it.", "bold")
            try:
                while True:
                    time.sleep(3600)
            except KeyboardInterrupt:
                print()
    return 0 if not demo.faults else 1


class Demo:
    def __init__(self, keycloak, upstream, gateway, keys):
        self.keycloak = keycloak
        self.upstream = upstream
        self.gateway = gateway
        self.keys = keys
        self.name = type(gateway).__name__
        self.url = f"http://localhost:{gateway.address[1]}"
        self.steps = 0
        self.calls = 0
        self.faults = []

    def play(self):
        self.step("No token", "/orders asks for a token; /public does not, there is no filter on its route.")
        self.call("/orders/1", None, 401, "missing_token")
        self.call("/public/hello", None, 200)

        self.step("A good token", "orders-app gets a token by its secret, with the scope that /orders asks for.")
        good = self.client_token("orders-app", "Function1/read")
        self.call("/orders/1", good, 200, show_headers=True)

        self.step("The gateway's signature", f"The upstream gets a JWT that {self.name} signed. It verifies it with the key that is published:")
        self.published_keys()
        self.call("/orders/1", good, 200, shows_jwt=True)
        say("  A client that makes one up gets no further than the gateway, which puts its own there:")
        self.call("/orders/1", good, 200, shows_jwt=True, made_up="eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.")

        self.step("One address", "The token came from the gateway, which passes on Keycloak's public endpoints, and nothing else of it.")
        document = self.keycloak_answer("/realms/demo/.well-known/openid-configuration")
        issuer = document.get("issuer")
        say(f"    issuer: {issuer}")
        self.expect(issuer == claims(good)["iss"], "discovery names the gateway as the issuer, as the token does")
        credentials = ["-u", "orders-api:orders-api-secret"]
        answer = self.keycloak_answer("/realms/demo/protocol/openid-connect/token/introspect", *credentials, token=good)
        active = answer.get("active") is True
        say(f"    active: {json.dumps(active)}, client_id: {answer.get('client_id')}")
        self.expect(active, "Keycloak says that the token is active")
        self.call("/realms/master/.well-known/openid-configuration", None, 404, "direct_response")
        say("  /admin is not Keycloak's here but the API's, guarded by the filter:")
        self.call("/admin/realms/demo", None, 401, "missing_token")

        self.step("The wrong scope", "The same client did not ask for Function1/read. Its token is good, yet not enough: 403.")
        token = self.client_token("orders-app")
        self.call("/orders/1", token, 403, "missing_scope")

        self.step("The wrong audience", "billing-app's token has the scope, but is meant for another API: 401.")
        token = self.client_token("billing-app", "Function1/read")
        self.call("/orders/1", token, 401, "audience_not_allowed")

        self.step("An expired token", "short-lived-app's tokens are good for two seconds.")
        token = self.client_token("short-lived-app", "Function1/read")
        say("  waiting until its exp has passed", "dim")
        while time.time() <= claims(token)["exp"]:
            time.sleep(0.1)
        self.call("/orders/1", token, 401, "token_expired")

        self.step("Roles", "/admin asks for the realm role admin, /reports for the role editor of the client orders-api.")
        say("  The token of orders-app from step 2 has the one, not the other:")
        self.show_claims(good, "realm_access", "resource_access")
        self.call("/reports/2026", good, 200)
        self.call("/admin/users", good, 403, "missing_realm_role")
        say("  With alice it is the other way round; she logs in at the public client orders-web:")
        alice = self.user_token("alice", "alice-password")
        self.call("/admin/users", alice, 200)
        self.call("/reports/2026", alice, 403, "missing_role")

        self.step("A lightweight token", "lightweight-app's tokens say next to nothing. Keycloak says the rest, to the gateway alone.")
        light = self.client_token("lightweight-app", "Function1/read")
        self.call("/orders/1", light, 200)
        self.call("/reports/2026", light, 200)
        self.call("/admin/users", light, 403, "missing_realm_role")

        self.step("Keycloak decides", "Who may pay how much, its authorization services say: up to 999. The gateway tells them the amount.")
        self.call("/payments/7?amount=999", good, 200)
        self.call("/payments/7?amount=1000", good, 403, "permission_denied")

        self.step("A revoked token", "/payments asks each time; /statements takes an answer for 3 seconds; /orders asks about no such token.")
        revoked = self.client_token("orders-app", "Function1/read")
        self.call("/payments/7?amount=1", revoked, 200)
        self.call("/statements/7", revoked, 200)
        # Each of Envoy's workers has answers of its own.
        for _ in range(15):
            self.status("/statements/7", revoked)
        self.revoke("orders-app", revoked)
        at = time.monotonic()
        self.call("/payments/7?amount=1", revoked, 401, "token_inactive")
        self.call("/orders/1", revoked, 200)
        say("  /statements, called for three seconds:", "dim")
        answers = []
        while time.monotonic() < at + 3:
            answers.append(self.status("/statements/7", revoked))
            time.sleep(0.2)
        say(f"    {' '.join(map(str, answers))}")
        self.call("/statements/7", revoked, 401, "token_inactive")

        self.step("Another realm", "Each realm is an issuer with keys of its own; /partner takes that one's tokens, /orders does not.")
        partner = self.client_token("partner-app", realm="partner")
        self.call("/partner/stock", partner, 200)
        self.call("/orders/1", partner, 401, "issuer_not_allowed")

        self.step("Key rotation", f"The realm gets a new key and signs with it at once. {self.name} is neither restarted nor told.")
        say("  > POST /admin/realms/demo/components   (Keycloak's admin API, at its own address)", "cyan")
        self.keycloak.rotate_key("demo")
        rotated = self.client_token("orders-app", "Function1/read")
        say(f"  kid of the tokens before: {header(good)['kid']}")
        say(f"  kid of the tokens now:    {header(rotated)['kid']}")
        self.expect(header(rotated)["kid"] != header(good)["kid"], "the realm signs with the new key")
        self.call("/orders/1", rotated, 200)
        say("  The token of step 2, signed with the old key, is good until it expires:")
        self.call("/orders/1", good, 200)

        # After the rotation, for a reason: a bad signature makes the filter look for new keys, which
        # it does once in `iss_key_grace_period` and no more often, whatever it is sent.
        self.step("A tampered token", "Somebody writes the role admin into orders-app's token; the signature no longer fits.")
        self.call("/admin/users", with_realm_role(rotated, "admin"), 401, "invalid_signature")

    def close(self):
        if self.faults:
            say(f"\n{len(self.faults)} thing(s) were not as expected:", "red")
            for fault in self.faults:
                print(f"  - {fault}")
            print(f"  Logs: {relative(self.gateway.log)}, {relative(self.keycloak.log)}")
            return
        say(f"\n{self.steps} steps, {self.calls} calls, all as expected.", "green")
        print(
            "\nWhere to go on:\n"
            "  README.md                    configure your first route, every field, the limits\n"
            f"{self.files()}"
            "  filter-config/               the filter's configuration by example, one task a file\n"
            "  keycloak/demo-realm.json     the clients, scopes and roles seen above\n"
            "  make demo KEEP=1             the same, left running for your own calls (or demo-kong)"
        )

    def files(self):
        """What is Envoy's or Kong's own of where to go on."""
        if self.name == "Kong":
            return (
                "  docs/kong.md                 what differs on Kong\n"
                "  kong/kong.yml                the configuration that has just been at work, to copy\n"
                "  kong/docker-compose.yaml     the same with containers\n"
            )
        return (
            "  envoy/envoy.yaml             the configuration that has just been at work, to copy\n"
            "  envoy/docker-compose.yaml    the same with containers\n"
        )

    # What is shown

    def step(self, title, text):
        self.steps += 1
        say(f"\n{self.steps}. {title}", "bold")
        say(f"  {text}")

    def expect(self, good, what):
        say(f"  {'ok' if good else 'NOT AS EXPECTED'}: {what}", "green" if good else "red")
        if not good:
            self.faults.append(f"step {self.steps}: {what}")

    def client_token(self, client_id, scope=None, realm="demo"):
        """Client credentials: how a program without a user gets a token."""
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": f"{client_id}-secret"}
        return self._token(realm, form, scope, ["iss", "aud", "scope", "exp"])

    def user_token(self, username, password):
        form = {"grant_type": "password", "client_id": "orders-web", "username": username, "password": password}
        return self._token("demo", form, None, ["iss", "aud", "realm_access", "resource_access"])

    def _token(self, realm, form, scope, shown):
        form = {**form, **({"scope": scope} if scope else {})}
        answer = self.keycloak_answer(f"/realms/{realm}/protocol/openid-connect/token", **form)
        if "access_token" not in answer:
            log = relative(self.keycloak.log)
            raise StackError(f"Keycloak gave no access token to {form['client_id']}: {answer}; its log: {log}")
        self.show_claims(answer["access_token"], *shown)
        return answer["access_token"]

    def keycloak_answer(self, path, *options, **form):
        """What one of Keycloak's public endpoints answers, asked at the gateway's address."""
        arguments = [*options, f"{self.url}{path}"]
        for name, value in form.items():
            arguments += ["-d", f"{name}={value}"]
        shown = shlex.join(arguments)
        say(f"  $ curl {shown.replace(form['token'], '$TOKEN') if 'token' in form else shown}", "cyan")
        self.calls += 1
        answer = curl(arguments)
        try:
            return json.loads(answer)
        except ValueError:
            logs = f"{relative(self.gateway.log)}, {relative(self.keycloak.log)}"
            raise StackError(f"{path} was not answered by Keycloak but with {answer[:200]!r}; logs: {logs}") from None

    def revoke(self, client_id, token):
        """RFC 7009."""
        url = f"{self.url}/realms/demo/protocol/openid-connect/revoke"
        credentials = f"{client_id}:{client_id}-secret"
        say(f"  $ curl -u {credentials} {url} -d token=$TOKEN", "cyan")
        self.calls += 1
        answer = curl(["-i", "-u", credentials, url, "-d", f"token={token}"])
        self.expect(" 200 " in answer.splitlines()[0], "the token is revoked")

    def status(self, path, token):
        self.calls += 1
        answer = curl(["-i", f"{self.url}{path}", "-H", f"Authorization: Bearer {token}"])
        return int(answer.split()[1])

    def published_keys(self):
        """What anybody may know of the key that signs."""
        url = f"{self.url}{JWKS_PATH}"
        say(f"  $ curl {url}", "cyan")
        self.calls += 1
        answer = curl([url])
        try:
            keys = json.loads(answer)["keys"]
        except (KeyError, ValueError):
            keys = []
        for key in keys:
            say(f"    {json.dumps(key)}", "dim")
        self.expect(len(keys) == 1 and "d" not in keys[0], "one key is published, and not its private half")

    def show_claims(self, token, *names):
        shown = {name: value for name, value in claims(token).items() if name in names}
        say(f"  claims: {json.dumps(shown)}", "dim")

    def call(self, path, token, status, reason=None, show_headers=False, shows_jwt=False, made_up=None):
        """Calls the gateway; `reason` is the one that Envoy's access log has to show for a refusal.

        Kong's access log has none: there the answer says it. `made_up` is a client's own header JWT.
        """
        url = f"{self.url}{path}"
        before = self.upstream.count()
        own = ["-H", f"JWT: {made_up}"] if made_up else []
        shown = f"  $ curl -i {url}" + (' -H "Authorization: Bearer $TOKEN"' if token else "")
        say(shown + (f' -H "JWT: {made_up}"' if made_up else ""), "cyan")
        answer = curl(["-i", url] + (["-H", f"Authorization: Bearer {token}"] if token else []) + own)
        self.calls += 1
        head, _, body = answer.partition("\r\n\r\n")
        lines = head.split("\r\n")
        got = int(lines[0].split()[1])
        reached = self.upstream.count() - before
        say(f"    {lines[0]}")
        if reached:
            received = json.loads(body)
            say(f"    the upstream received: {received['method']} {received['path']}")
            for name, value in received["headers"] if show_headers else []:
                if name in ("authorization", "jwt"):
                    value = f"{value[:20]}... ({len(value)} characters)"
                say(f"      {name}: {value}", "dim")
            if shows_jwt:
                self._show_jwt(received)
        else:
            for line in lines:
                if line.lower().startswith(("www-authenticate:", "retry-after:")):
                    say(f"    {line}")
            if body.strip():
                say(f"    {body.strip()}")
        if status == 200:
            self.expect(got == 200 and reached == 1, f"{path}: 200, the upstream has it")
            return
        if self.name == "Kong":
            self.expect(got == status and not reached, f"{path}: {status}; nothing of it reached the upstream")
            return
        logged = self._logged_reason()
        say(f"    Envoy's access log: {logged}", "dim")
        expected = reason if status == 404 else f"jwt_keycloak{{{reason}}}"
        self.expect(
            got == status and not reached and logged == expected,
            f"{path}: {status}, {reason}; nothing of it reached the upstream",
        )

    def _show_jwt(self, received):
        """What the upstream makes of the header JWT."""
        seen = received["gateway_jwt"]
        say(f"    the upstream on its JWT: verified: {json.dumps(seen['verified'])}")
        for part in ("header", "claims", "error"):
            if part in seen:
                say(f"      {part}: {json.dumps(seen[part])}", "dim")
        # For the one who called, and nobody else.
        caller = claims(dict(received["headers"])["authorization"].removeprefix("Bearer "))
        good = seen["verified"] and seen["claims"].get("sub") == caller["sub"]
        self.expect(good, "the gateway says for whom it passed the request on, and the upstream can believe it")

    def _logged_reason(self):
        # The upstream asks for keys at the gateway, too.
        deadline = time.monotonic() + 5
        while len(self.gateway.access_log()) < self.calls + self.keys.fetches and time.monotonic() < deadline:
            time.sleep(0.02)
        entries = self.gateway.access_log()
        return entries[-1]["reason"] if len(entries) == self.calls + self.keys.fetches else None


def curl(arguments):
    done = subprocess.run(["curl", "-sS", "--max-time", "20", *arguments], capture_output=True)
    if done.returncode != 0:
        raise StackError(f"curl failed: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done.stdout.decode("utf-8", "replace")


def header(token):
    return json.loads(decode(token.split(".")[0]))


def claims(token):
    return json.loads(decode(token.split(".")[1]))


def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def with_realm_role(token, role):
    """The token with one more role in its payload and the signature it had."""
    head, _, signature = token.split(".")
    forged = claims(token)
    forged["realm_access"]["roles"].append(role)
    payload = base64.urlsafe_b64encode(json.dumps(forged).encode()).rstrip(b"=").decode()
    return f"{head}.{payload}.{signature}"


def say(text, colour=None):
    print(f"\033[{COLOURS[colour]}m{text}\033[0m" if PAINT and colour else text, flush=True)


def relative(path):
    return path.relative_to(ROOT)


if __name__ == "__main__":
    main()
