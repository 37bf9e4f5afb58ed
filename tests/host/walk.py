"""A random walk: a worker in which anything happens that a host, an issuer and clients may do, one
step after another, with host calls that fail. The same seed is the same walk.

    python -m tests.host.walk --steps 1000000 --seed 1

In every step: nothing traps, no worker crashes, nothing goes up that may not; and in the end
nobody is left hanging.
"""

import argparse
import hashlib
import json
import random
import sys
import time

from tests.host.endpoints import CLIENT_ID, SECRET, unusable
from tests.host.envoy import TIMED_OUT, UNREACHABLE
from tests.host.gateway_jwt import hashing, signing, verified
from tests.host.issuer import ALG, START, Issuer, bearer
from tests.host.scene import MODULE, PROFILES
from tests.host.worker import CAS_MISMATCH, FAILED, INTERNAL_FAILURE, NOT_FOUND, Answer

STATUSES = [NOT_FOUND, 2, 3, 4, 7, CAS_MISMATCH, 9, INTERNAL_FAILURE, 12]
CONSUMER = b"x-consumer-username"
USER = b"x-user"
JWT = b"x-gateway-jwt"
SECOND_JWT = b"x-second-jwt"
AT_ONCE = 40
# So many steps in one worker; then it is looked at, and another begins.
LENGTH = 400
# Octets of a body that a host holds, or shows.
BODY_LIMIT = 1000

ASKING = {"client": {"client_id": CLIENT_ID, "client_secret": SECRET}}
PERMISSIONS = ["orders#read", "invoices"]
GRANTED = {("orders", "read"), ("invoices", "read")}

SETTINGS = [
    {},
    {"claims_to_headers": {"x-user": "sub"}, "upstream_token": "hide", "uri_param_names": []},
    {"consumer_match": True, "consumers": [{"username": "app"}], "claims_to_properties": {"user": "sub"}},
    {"key_wait_timeout": 1, "callout_timeout": 1, "iss_key_grace_period": 1, "jwks_refresh_interval": 5},
    {"rules": [{"path": "/public/*", "access": "public"}, {"path": "/*"}], "rules_default": "deny"},
    {"shared_key_cache": False, "jwks_max_stale": 600},
    {"report_only": True, "claims_to_headers": {"x-user": "sub"}},
    {"access": "optional", "cookie_names": ["session"]},
    {"upstream_token": {"replace": "Basic x"}, "uri_param_names": [], "header_names": ["authorization", "x-token"]},
    signing(header=JWT.decode()),
    {**hashing(header=JWT.decode(), max_body_size=500, body_timeout=3), "report_only": True},
    {**hashing(header=JWT.decode()), "access": "optional", "key_wait_timeout": 1},
    {**ASKING, "introspection": {"cache_seconds": 5}, "claims_to_headers": {"x-user": "sub"}},
    {**ASKING, "introspection": {"when": "always"}, **signing(header=JWT.decode()), "callout_timeout": 1},
    {
        **ASKING,
        "introspection": {"when": "after_local", "response": "jwt", "if_unavailable": "local"},
        "upstream_token": "introspected",
        "uri_param_names": [],
    },
    {
        **ASKING,
        **hashing(header=JWT.decode()),
        "introspection": {"when": "always", "opaque_tokens": False},
        "authorization": {"permissions": PERMISSIONS, "cache_seconds": 0, "uma_challenge": True},
    },
    {**ASKING, "authorization": {"permissions": PERMISSIONS, "claims": {"how": {"from": "method"}}}, "access": "optional"},
]


class Wrong(Exception):
    """What must not happen has happened."""


class Excused(Exception):
    """What no filter can do anything about."""


class Walk:
    def __init__(self, profile, seed):
        self.random = random.Random(seed)
        self.profile = profile
        self.fault_rate = 0.0
        self.stranded = set()  # contexts whose answer the host did not take
        self.unguarded = set()  # and those whose way it did not close
        self.history = []
        named = {
            "headers_stop_all": self.random.random() < 0.5,
            "buffer_limit": BODY_LIMIT,
        } if profile == "envoy" else {
            "shm_kv": True,
            "collide": self.random.random() < 0.3,
            "names_root": self.random.random() < 0.5,
            "client_body_buffer_size": BODY_LIMIT,
            "new_request_id": lambda: self.random.randbytes(16).hex(),
        }  # fmt: skip
        randomness = self.random.choice([self.random.randbytes, b"\0"])
        self.worker = PROFILES[profile](MODULE, now=START, fault=self.fault, randomness=randomness, **named)
        self.issuer = Issuer()
        # For as long as it walks: what was granted must not count as denied a moment later.
        self.issuer.endpoints.grants = self.random.choice([GRANTED, {("orders", "read")}])
        self.withdrawn = []
        self.requests = []
        self.settings = {}
        self.tokens = {}
        self.root = self.configure()
        # Another filter behind it, which asks for no more, and may sign.
        signs = self.random.choice([{}, hashing(header=SECOND_JWT.decode())])
        second = {"access": "public", "keep_consumer_headers": True, **signs}
        self.second = self.worker.configure(self.text(second))

    # What happens

    def step(self):
        kinds = [
            (30, self.arrive), (30, self.answer), (12, self.tick), (8, self.leave), (4, self.nobodys),
            (12, self.body), (3, self.faults), (2, self.rotate), (1, self.reconfigure), (2, self.jump),
        ]  # fmt: skip
        (act,) = self.random.choices([act for _, act in kinds], [weight for weight, _ in kinds])
        self.note(act.__name__)
        act()
        self.look()

    def configure(self):
        settings = self.random.choice(SETTINGS)
        if self.profile == "wasmx":
            settings = {"shared_key_cache": self.random.random() < 0.5, **settings}
        text = self.text(settings)
        rate, self.fault_rate = self.fault_rate, 0.0
        root = self.worker.configure(text)
        self.fault_rate = rate
        self.settings[root] = settings
        return root

    def text(self, settings):
        return json.dumps({"allowed_iss": [self.issuer.iss], "allowed_alg": [ALG], **settings}).encode()

    def arrive(self):
        kind = self.random.choice(
            [
                "good", "good", "good", "old", "forged", "unknown", "expired", "elsewhere", "garbage", "none",
                "withdrawn", "opaque", "lightweight", "revoked", "made up",
            ]  # fmt: skip
        )
        token, subject = self.token(kind)
        fields = bearer(token) if kind != "none" else []
        extra = self.random.choice(["nothing", "nothing", "nothing", "spoofed", "many", "octets", "twice"])
        if extra == "spoofed":
            spoofed = [CONSUMER, USER, b"X-User", JWT, b"X_Gateway_JWT"]
            fields.append((self.random.choice(spoofed), b"admin"))
        elif extra == "many":
            fields += [(f"x-{index}", "1") for index in range(self.random.choice([90, 96, 97, 120]))]
            fields.append((CONSUMER, b"admin"))
        elif extra == "octets":
            fields.append((b"x-\xfe", b"\xff\x00"))
        elif extra == "twice":
            fields.append(("authorization", f"Bearer {self.token('forged')[0]}"))
        path = self.random.choice(["/", "/public/x", "/a?jwt=x", "/%2e%2e/", "/public%2fx", "*"])
        several = {}
        if self.profile == "wasmx" and self.random.random() < 0.2:
            # The service's filter, and the route's. What the one sets the other takes for the client's.
            several = {"then": [self.second]}
        body = self.random.choice([{}, {}, {"has_body": True}, {"body": self.piece()}])
        # What HTTP/2 need not say.
        if body and self.random.random() < 0.8:
            size = len(body.get("body", b""))
            known = ("content-length", str(size)) if size else ("transfer-encoding", "chunked")
            fields.append(known)
        request = self.worker.request(self.root, path=path, fields=fields, **body, **several)
        request.kind, request.extra, request.token, request.subject = kind, extra, token, subject
        request.seen, request.first, request.hashes = False, self.root, []
        self.note(f"{kind} {extra} {path} -> {request.status}")
        self.requests.append(request)
        while len(self.requests) > AT_ONCE:
            self.end(self.requests[0])

    def answer(self):
        if not self.worker.calls:
            return
        call = self.random.choice(list(self.worker.calls.values()))
        roll = self.random.random()
        self.worker.answer(call, self.good_answer(call) if roll < 0.7 else self.bad_answer(call))

    def tick(self):
        self.worker.now += 250
        for root in list(self.worker.tick_periods):
            self.worker.tick(root)

    def leave(self):
        if self.requests:
            request = self.random.choice(self.requests)
            calls = self.worker.pending(request.context)
            self.end(request)
            for call in calls:
                # Lost, or brought all the same.
                if self.random.random() < 0.5:
                    self.worker.calls.pop(call.token, None)

    def nobodys(self):
        answer = self.random.choice([FAILED, Answer.of(200, b"{}"), self.bad_answer(None)])
        token = self.random.choice([0, 1, 4242, 0xFFFFFFFF, self.worker.last_token])
        # A host that takes neither the guard nor a refusal leaves nothing to be done.
        lost = self.stranded & self.unguarded
        waiting = [request for request in self.requests if not request.is_over and not self.contexts(request) & lost]
        if waiting and token not in self.worker.calls and self.random.random() < 0.7:
            self.worker.answer_nobodys(self.random.choice(waiting), token, answer)
        elif token not in self.worker.calls:
            self.worker._deliver(self.random.choice([0, 4242, self.root]), token, answer)

    def body(self):
        incomplete = [request for request in self.requests if not request.body.is_complete]
        if not incomplete:
            return
        request = self.random.choice(incomplete)
        if self.random.random() < 0.1:
            self.worker.trailers(request, [(b"x-checksum", b"12ab")])
        else:
            self.worker.body(request, self.piece(), self.random.random() < 0.4)
        self.note(f"{len(request.body.come)} of a body, {request.body.is_complete} -> {request.status}")

    def piece(self):
        return self.random.randbytes(self.random.choice([0, 0, 1, 100, BODY_LIMIT, BODY_LIMIT + 1]))

    def faults(self):
        self.fault_rate = self.random.choice([0.0, 0.0, 0.01, 0.1, 0.5])
        self.note(f"host calls fail: {self.fault_rate}")

    def rotate(self):
        if self.random.random() < 0.5:
            self.issuer.rotate()
        elif len(self.issuer.keys) > 1:
            self.withdrawn.append(self.issuer.keys.pop())
        self.tokens.clear()

    def reconfigure(self):
        old = self.root
        self.root = self.configure()
        if self.random.random() < 0.8:
            rate, self.fault_rate = self.fault_rate, 0.0
            self.worker.remove_root(old)
            self.fault_rate = rate

    def jump(self):
        self.worker.now += self.random.choice([1000, 20_000, 400_000, -3000])

    # What it needs

    def token(self, kind):
        """A token of this kind, and whom it is about: several, so that they can be told apart."""
        which = kind, self.random.randrange(3)
        if which not in self.tokens:
            issuer = self.issuer
            sub = f"{kind}-{which[1]}-{self.random.randrange(1 << 30)}"
            text = {
                "good": lambda: issuer.token(now=self.worker.now, sub=sub),
                "old": lambda: issuer.token(key=issuer.keys[-1], now=self.worker.now, sub=sub),
                "forged": lambda: issuer.forged(sub=sub),
                "unknown": lambda: issuer.unknown(sub=sub),
                "expired": lambda: issuer.token(exp=1000, sub=sub),
                "elsewhere": lambda: issuer.token(iss="http://keycloak:8080/realms/other", sub=sub),
                "garbage": lambda: "a.b.c",
                "opaque": lambda: issuer.opaque(now=self.worker.now, sub=sub),
                "lightweight": lambda: issuer.lightweight(now=self.worker.now, sub=sub),
                "revoked": lambda: self.revoked(issuer.opaque(now=self.worker.now, sub=sub)),
                "made up": lambda: f"{self.random.randrange(1 << 60):x}",
                "none": lambda: "no token",
                "withdrawn": lambda: issuer.token(
                    key=self.withdrawn[0] if self.withdrawn else issuer._stranger, now=self.worker.now, sub=sub
                ),
            }[kind]()
            self.tokens[which] = text, sub
        return self.tokens[which]

    def revoked(self, token):
        self.issuer.endpoints.revoked.add(token)
        return token

    def good_answer(self, call):
        return self.issuer.answer(call, self.worker.now)

    def bad_answer(self, call):
        if call and call.method == "POST" and self.random.random() < 0.5:
            return self.random.choice(unusable(self.issuer, call))
        good = self.good_answer(call) if call else Answer.of(200, b"{}")
        cut = Answer.of(200, good.body[: len(good.body) // 2])
        cut.told_size = len(good.body)
        return self.random.choice(
            [
                FAILED, UNREACHABLE, TIMED_OUT, Answer.of(500), Answer.of(302), Answer.of(200), Answer.of(200, b"<html>"), cut,
                Answer.of(200, good.body[: len(good.body) // 2]), Answer.of(200, b"\xff" * 100),
                Answer([(b":dispatch_status", b"ok")]), Answer([(b":status", b"\xff")], good.body),
                Answer.of(200, good.body, **{":dispatch_status": "timeout"}), Answer.of(200, b"[" * 5000),
                Answer.of(200, b'{"keys": []}'), Answer.of(200, b" " * 2_000_000),
            ]
        )  # fmt: skip

    def fault(self, name):
        if self.fault_rate and self.random.random() < self.fault_rate:
            if name == "proxy_set_property" and getattr(self.worker, "_refused", False):
                return None  # a host that neither shows nor closes the way leaves nothing to be done
            if name == "proxy_send_local_response":
                self.stranded.add(self.worker.active)
            if name in ("proxy_get_property", "proxy_set_property"):
                self.unguarded.add(self.worker.active)
            return self.random.choice(STATUSES)
        return None

    def end(self, request):
        self.requests.remove(request)
        rate, self.fault_rate = self.fault_rate, 0.0
        self.worker.leave(request)
        self.fault_rate = rate

    def contexts(self, request):
        """One for each filter that has seen it."""
        return {context for context, _ in request.contexts} if self.profile == "wasmx" else {request.context}

    def note(self, text):
        self.history = [*self.history[-40:], text]

    # What has to hold

    def look(self):
        if self.worker.traps:
            # Where the host did not close the way of one that was refused, the filter behind it cannot
            # know: see test_a_filter_behind_one_that_has_refused.
            several = [request for request in self.requests if self.profile == "wasmx" and len(request.contexts) > 1]
            blind = any(request.contexts[0][0] in self.unguarded for request in several)
            if blind and "already stashed" in self.worker.traps[0]:
                raise Excused
            raise Wrong(f"trapped: {self.worker.traps}")
        for request in self.requests:
            if request.times_up > 1 or (request.times_up and request.response):
                raise Wrong(f"went up {request.times_up} times, and was answered {request.response}")
            if request.upstream is not None and not request.seen:
                request.seen = True
                self.went_up(request)
            if request.body.is_lost:
                raise Wrong("a request went up without its body")
            if request.hashes and request.body.has_ended:
                found = hashlib.sha256(bytes(request.body.up)).hexdigest()
                if set(request.hashes) != {found}:
                    raise Wrong("a JWT has the hash of another body")
            waits = self.profile == "wasmx" and not request.is_over and self.worker.pending(request.context)
            if waits and request.variables["upstream_scheme"] != b"denied":
                raise Wrong("the way to the upstream is open while a request waits")

    def went_up(self, request):
        settings = self.settings[request.first]
        asks = settings.get("introspection", {})
        is_verified = (
            request.kind in ("good", "old", "lightweight")
            or (request.kind == "withdrawn" and self.withdrawn)
            or (request.kind == "opaque" and asks and asks.get("opaque_tokens", True))
        )
        is_open = (
            ("rules" in settings and request.path == b"/public/x")
            or settings.get("report_only")
            or (settings.get("access") == "optional" and request.kind == "none")
        )
        # A key that was withdrawn counts until the next fetch.
        if not is_verified and not is_open:
            raise Wrong(f"a request with {request.kind} went up")
        if "authorization" in settings and not is_open and self.issuer.endpoints.grants != GRANTED:
            raise Wrong("a request went up that has not all permissions")
        if request.kind == "opaque" and settings.get("upstream_token") == "introspected":
            if request.value(b"authorization")[0].count(b".") != 2:
                raise Wrong("an opaque token went up instead of its JWT")
        # What stands there is the filter's, whoever sent what.
        for name in (CONSUMER, b"x-consumer-id", *([USER] if "claims_to_headers" in settings else [])):
            if b"admin" in request.value(name):
                raise Wrong(f"{name} went up as the client sent it")
        hides = settings.get("upstream_token") not in (None, "introspected")
        if hides and any(request.token.encode() in value for _, value in request.upstream[1]):
            raise Wrong("a token went up that is to be hidden")
        if "consumers" in settings and request.value(CONSUMER) != [b"app"]:
            raise Wrong(f"{CONSUMER}: {request.value(CONSUMER)}")
        # A lightweight token does not say who calls; its issuer does.
        subject = None if request.kind == "lightweight" and not asks else request.subject
        told = request.value(USER) if "claims_to_headers" in settings else []
        if "upstream_jwt" in settings:
            self.signed(request, JWT, None if is_open and not is_verified else subject)
            if any(value == b"admin" and b"jwt" in name.lower() for name, value in request.upstream[1]):
                raise Wrong("a JWT of the client's own went up")
        if request.value(SECOND_JWT):
            self.signed(request, SECOND_JWT, None)
        is_untold = not told and not is_open and subject is not None and "claims_to_headers" in settings
        if told not in ([], [request.subject.encode()]) or is_untold:
            raise Wrong(f"{USER} of {request.subject}: {told}")

    def signed(self, request, header, subject):
        """A JWT says who calls, of an accepted token, and what the body is."""
        claims = verified(request, header=header)
        if claims.get("sub") != subject and not (subject and claims.get("anonymous")):
            raise Wrong(f"signed for {claims.get('sub')} and not {subject}")
        if claims.get("anonymous") and "client_id" in claims:
            raise Wrong("an anonymous one has a client")
        if "payloadhash" in claims:
            request.hashes.append(claims["payloadhash"])

    def finish(self):
        """Everything works again, and time passes: nobody is left."""
        self.fault_rate = 0.0
        for request in self.requests:
            self.worker.body(request)
        self.calm_down(80)
        for request in self.requests:
            answer_lost = self.profile == "wasmx" and self.contexts(request) & self.stranded
            if not request.is_settled and not answer_lost:
                raise Wrong(f"a request hangs: {request.kind} {request.extra}")
        for request in list(self.requests):
            self.end(request)
        # And it works: with the keys of now, who is good passes.
        self.worker.now += 400_000
        self.calm_down(80)
        self.tokens.clear()
        self.issuer.endpoints.grants = GRANTED
        good = self.worker.request(self.root, fields=bearer(self.token("good")[0]))
        # Where it is asked about, its answers come.
        while self.worker.calls and not good.is_over:
            call = next(iter(self.worker.calls.values()))
            self.worker.answer(call, self.good_answer(call))
        if good.status != 200:
            raise Wrong(f"a good request is not let through in the end: {good.status} {good.response}")


    def calm_down(self, ticks):
        for _ in range(ticks):
            for call in list(self.worker.calls.values()):
                if call.token in self.worker.calls:
                    self.worker.answer(call, self.good_answer(call))
            self.tick()
            self.look()


def walk(profile, seed, steps):
    """So many steps, in one worker after another; what went wrong, or None."""
    for number in range(0, steps, LENGTH):
        journey = None
        try:
            journey = Walk(profile, f"{profile} {seed} {number}")
            for _ in range(min(LENGTH, steps - number)):
                journey.step()
            journey.finish()
        except Excused:
            continue
        except Exception as error:  # told with what led there
            steps_before = "\n  ".join(journey.history) if journey else ""
            return f"{profile}, seed {seed}, walk {number}: {type(error).__name__}: {error}\n  {steps_before}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=100_000, help="for each host")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for profile in PROFILES:
        start = time.monotonic()
        wrong = walk(profile, arguments.seed, arguments.steps)
        if wrong:
            sys.exit(wrong)
        took = time.monotonic() - start
        print(f"{profile}: {arguments.steps} steps, no trap, no opening, nobody left hanging ({took:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
