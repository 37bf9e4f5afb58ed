"""A random walk: a worker in which anything happens that a host, an issuer and clients may do, one
step after another, with host calls that fail. The same seed is the same walk.

    python -m tests.host.walk --steps 1000000 --seed 1

In every step: nothing traps, no worker crashes, nothing goes up that may not; and in the end
nobody is left hanging.
"""

import argparse
import json
import random
import sys
import time

from tests.host.issuer import ALG, START, Issuer, bearer
from tests.host.scene import MODULE, PROFILES
from tests.host.worker import CAS_MISMATCH, FAILED, INTERNAL_FAILURE, NOT_FOUND, Answer

STATUSES = [NOT_FOUND, 2, 3, 4, 7, CAS_MISMATCH, 9, INTERNAL_FAILURE, 12]
CONSUMER = b"x-consumer-username"
USER = b"x-user"
AT_ONCE = 40
# So many steps in one worker; then it is looked at, and another begins.
LENGTH = 400

SETTINGS = [
    {},
    {"claims_to_headers": {"x-user": "sub"}, "upstream_token": "hide", "uri_param_names": []},
    {"consumer_match": True, "consumers": [{"username": "app"}], "claims_to_properties": {"user": "sub"}},
    {"key_wait_timeout": 1, "callout_timeout": 1, "iss_key_grace_period": 1, "jwks_refresh_interval": 5},
    {"rules": [{"path": "/public/*", "access": "public"}, {"path": "/*"}], "rules_default": "deny"},
    {"shared_key_cache": False, "report_only": False},
]


class Wrong(Exception):
    """What must not happen has happened."""


class Walk:
    def __init__(self, profile, seed):
        self.random = random.Random(seed)
        self.profile = profile
        self.fault_rate = 0.0
        self.stranded = set()  # contexts whose answer the host did not take
        self.unguarded = set()  # and those whose way it did not close
        self.history = []
        named = {"headers_stop_all": self.random.random() < 0.5} if profile == "envoy" else {
            "shm_kv": True, "collide": self.random.random() < 0.3
        }  # fmt: skip
        self.worker = PROFILES[profile](MODULE, now=START, fault=self.fault, **named)
        self.issuer = Issuer()
        self.withdrawn = []
        self.requests = []
        self.settings = {}
        self.tokens = {}
        self.root = self.configure()

    # What happens

    def step(self):
        kinds = [
            (30, self.arrive), (30, self.answer), (12, self.tick), (8, self.leave), (4, self.nobodys),
            (3, self.body), (3, self.faults), (2, self.rotate), (1, self.reconfigure), (2, self.jump),
        ]  # fmt: skip
        (act,) = self.random.choices([act for _, act in kinds], [weight for weight, _ in kinds])
        self.note(act.__name__)
        act()
        self.look()

    def configure(self):
        settings = self.random.choice(SETTINGS)
        if self.profile == "wasmx":
            settings = {"shared_key_cache": self.random.random() < 0.5, **settings}
        text = json.dumps({"allowed_iss": [self.issuer.iss], "allowed_alg": [ALG], **settings}).encode()
        rate, self.fault_rate = self.fault_rate, 0.0
        root = self.worker.configure(text)
        self.fault_rate = rate
        self.settings[root] = settings
        return root

    def arrive(self):
        kind = self.random.choice(
            ["good", "good", "good", "old", "forged", "unknown", "expired", "elsewhere", "garbage", "none", "withdrawn"]
        )
        fields = bearer(self.token(kind)) if kind != "none" else []
        extra = self.random.choice(["nothing", "nothing", "nothing", "spoofed", "many", "octets", "twice"])
        if extra == "spoofed":
            fields.append((self.random.choice([CONSUMER, USER, b"X-User"]), b"admin"))
        elif extra == "many":
            fields += [(f"x-{index}", "1") for index in range(self.random.choice([90, 96, 97, 120]))]
            fields.append((CONSUMER, b"admin"))
        elif extra == "octets":
            fields.append((b"x-\xfe", b"\xff\x00"))
        elif extra == "twice":
            fields.append(("authorization", f"Bearer {self.token('forged')}"))
        path = self.random.choice(["/", "/public/x", "/a?jwt=x", "/%2e%2e/", "/public%2fx", "*"])
        request = self.worker.request(
            self.root, path=path, fields=fields, has_body=self.random.random() < 0.3
        )
        request.kind, request.extra, request.token = kind, extra, dict(fields).get("authorization", "")
        request.seen = False
        self.note(f"{kind} {extra} {path} -> {request.status}")
        self.requests.append(request)
        while len(self.requests) > AT_ONCE:
            self.end(self.requests[0])

    def answer(self):
        if not self.worker.calls:
            return
        call = self.random.choice(list(self.worker.calls.values()))
        roll = self.random.random()
        self.worker.answer(call, self.issuer.answer(call) if roll < 0.7 else self.bad_answer(call))

    def tick(self):
        if self.root in self.worker.tick_periods:
            self.worker.now += 250
            self.worker.tick(self.root)

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
        waiting = [request for request in self.requests if not request.is_over and request.context not in lost]
        if waiting and token not in self.worker.calls and self.random.random() < 0.7:
            self.worker.answer_nobodys(self.random.choice(waiting), token, answer)
        elif token not in self.worker.calls:
            self.worker._deliver(self.random.choice([0, 4242, self.root]), token, answer)

    def body(self):
        if self.requests:
            self.worker.body(self.random.choice(self.requests))

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
        if kind not in self.tokens:
            issuer = self.issuer
            self.tokens[kind] = {
                "good": lambda: issuer.token(now=self.worker.now),
                "old": lambda: issuer.token(key=issuer.keys[-1], now=self.worker.now),
                "forged": issuer.forged,
                "unknown": issuer.unknown,
                "expired": lambda: issuer.token(exp=1000),
                "elsewhere": lambda: issuer.token(iss="http://keycloak:8080/realms/other"),
                "garbage": lambda: "a.b.c",
                "withdrawn": lambda: issuer.token(key=self.withdrawn[0] if self.withdrawn else issuer._stranger),
            }[kind]()
        return self.tokens[kind]

    def bad_answer(self, call):
        good = self.issuer.answer(call) if call else Answer.of(200, b"{}")
        cut = Answer.of(200, good.body[: len(good.body) // 2])
        cut.told_size = len(good.body)
        return self.random.choice(
            [
                FAILED, Answer.of(500), Answer.of(302), Answer.of(200), Answer.of(200, b"<html>"), cut,
                Answer.of(200, good.body[: len(good.body) // 2]), Answer.of(200, b"\xff" * 100),
                Answer([(b":dispatch_status", b"ok")]), Answer([(b":status", b"\xff")], good.body),
                Answer.of(200, good.body, **{":dispatch_status": "timeout"}), Answer.of(200, b"[" * 5000),
                Answer.of(200, b'{"keys": []}'), Answer.of(200, b" " * 2_000_000),
            ]
        )  # fmt: skip

    def fault(self, name):
        if self.fault_rate and self.random.random() < self.fault_rate:
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

    def note(self, text):
        self.history = [*self.history[-40:], text]

    # What has to hold

    def look(self):
        if self.worker.traps:
            raise Wrong(f"trapped: {self.worker.traps}")
        for request in self.requests:
            if request.upstream is not None and not request.seen:
                request.seen = True
                self.went_up(request)

    def went_up(self, request):
        settings = self.settings[request.root]
        is_public = "rules" in settings and request.path == b"/public/x"
        # A key that was withdrawn counts until the next fetch.
        if request.kind not in ("good", "old", "withdrawn") and not is_public:
            raise Wrong(f"a request with {request.kind} went up")
        if request.kind == "withdrawn" and not self.withdrawn and not is_public:
            raise Wrong("a key that was never published")
        for name in (CONSUMER, USER, b"x-consumer-id"):
            if (name == USER) <= ("claims_to_headers" in settings) and b"admin" in request.value(name):
                raise Wrong(f"{name} went up as the client sent it")
        if settings.get("upstream_token") == "hide" and request.token.encode() in request.value(b"authorization"):
            raise Wrong("a token went up that is to be hidden")
        if "claims_to_headers" in settings and request.value(USER) != [b"5ae1"]:
            raise Wrong(f"{USER}: {request.value(USER)}")

    def finish(self):
        """Everything works again, and time passes: nobody is left."""
        self.fault_rate = 0.0
        for _ in range(80):
            for call in list(self.worker.calls.values()):
                if call.token in self.worker.calls:
                    self.worker.answer(call, self.issuer.answer(call))
            self.tick()
            self.look()
        left = [request for request in self.requests if not request.is_over]
        # A held body is the client's to send.
        left = [request for request in left if not (request.has_body and self.profile == "envoy")]
        for request in left:
            answer_lost = self.profile == "wasmx" and request.context in self.stranded
            old_root = request.root != self.root
            if not answer_lost and not old_root:
                raise Wrong(f"a request hangs: {request.kind} {request.extra}")
        for request in list(self.requests):
            self.end(request)


def walk(profile, seed, steps):
    """So many steps, in one worker after another; what went wrong, or None."""
    for number in range(0, steps, LENGTH):
        journey = None
        try:
            journey = Walk(profile, f"{profile} {seed} {number}")
            for _ in range(min(LENGTH, steps - number)):
                journey.step()
            journey.finish()
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
