"""What is compared: gateways that differ in their filters, all alive at once."""

import contextlib
import http.client

from tests.bench import native, nothing, tokens
from tests.bench.gateway import cores, cpu_seconds, on_cores, wasm_filter, with_filters
from tests.stack import StackError, ports
from tests.stack.envoy import WASM

ROUTER = "router"
OURS, OURS_RULES = "ours", "ours, rules"
JWT_AUTHN, JWT_AUTHN_CACHE = "jwt_authn", "jwt_authn, cache"
NATIVE_RULES, NATIVE_RULES_CACHE = "native, rules", "native, rules, cache"
NOTHING_TOLD = "nothing, tells"
NOTHING = {f"nothing, {name}": name for name in (*nothing.SETS, "all")}

# The filter from another file, to compare two of it.
OTHER, OTHER_RULES = "other", "other, rules"
FILTER = (OURS, OURS_RULES, OTHER, OTHER_RULES)
RULES = (OURS_RULES, OTHER_RULES, NATIVE_RULES, NATIVE_RULES_CACHE)
ALL = (ROUTER, *NOTHING, OURS, OURS_RULES, JWT_AUTHN, JWT_AUTHN_CACHE, NATIVE_RULES, NATIVE_RULES_CACHE)


# So many tokens the filter keeps: those of two rounds. It is full when the first round begins, as it is
# in a gateway that has run for an hour; until then each new token takes memory that none had before.
KEPT = 10_000


def filters(name, module=WASM):
    """The filters of a gateway of this name."""
    if name == ROUTER:
        return []
    if name in NOTHING:
        return [wasm_filter(module=nothing.module(NOTHING[name]))]
    if name in FILTER:
        return [wasm_filter(configuration(rules=name in RULES), module)]
    if name in (JWT_AUTHN, JWT_AUTHN_CACHE):
        return [native.jwt_authn(cache=name == JWT_AUTHN_CACHE)]
    return [native.jwt_authn(cache=name == NATIVE_RULES_CACHE, told=True), native.rbac()]


def configuration(rules=False, **issuer):
    """Of the filter: issuer and audience; with rules, what native.py asks with `told` and rbac."""
    made = {
        "issuers": [{"iss": tokens.ISSUER, **(issuer or {"jwks": tokens.jwks()})}],
        "allowed_aud": tokens.AUDIENCE,
        "uri_param_names": [],
        "token_cache_size": KEPT,
    }
    if rules:
        made["scope"] = [tokens.SCOPE]
        made["realm_roles"] = [tokens.REALM_ROLE]
        made["client_roles"] = [f"{tokens.AUDIENCE}:{tokens.CLIENT_ROLE}"]
        made["claims_to_headers"] = tokens.TOLD
    return made


class Gateway:
    """One that runs."""

    def __init__(self, name, envoy):
        self.name = name
        self.envoy = envoy
        self.port = envoy.address[1]

    def cost(self, load, file, start, count, wanted=200):
        """CPU seconds of its process for so many requests, each answered as `wanted`."""
        before = cpu_seconds(self.envoy.pid)
        sent = load.watch(self.port, file, start, count)
        after = cpu_seconds(self.envoy.pid)
        if sent.statuses != {wanted: count}:
            raise StackError(f"{self.name}, {file.stem}: answered {sent.statuses}, and not {wanted}")
        return after - before

    def ask(self, token):
        """The status, and the headers that would have gone up."""
        connection = http.client.HTTPConnection(*self.envoy.address)
        headers = {"host": "check.example.com", **({"authorization": f"Bearer {token}"} if token else {})}
        connection.request("GET", "/orders/17", headers=headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        shown = {name: answer.getheader(f"shown-{name}") for name in tokens.TOLD}
        return answer.status, {name: value for name, value in shown.items() if value}


@contextlib.contextmanager
def running(names, module=WASM, other=None, concurrency=1, on=None):
    """Gateways of these names, on one core."""
    first = ports.from_env("BENCH_PORT", 19200)
    with contextlib.ExitStack() as stack:
        gateways = []
        for number, name in enumerate(names):
            file = other if name in (OTHER, OTHER_RULES) else module
            label = name.replace(", ", "-")
            envoy = with_filters(filters(name, file), first + 2 * number, label, concurrency, told=tokens.TOLD)
            with on_cores(*(on or [cores()[0]])):
                stack.enter_context(envoy)
            gateways.append(Gateway(name, envoy))
        yield gateways


def require_same_work(gateways):
    """Refuses to compare what does not do the same: each must let good tokens pass, refuse what is
    wrong, and with rules ask for all three and tell all three."""
    for gateway in gateways:
        if gateway.name == NOTHING_TOLD:
            told = dict.fromkeys(tokens.TOLD, nothing.VALUE)
            require(gateway, "no", "what it tells", gateway.ask(None), (200, told))
        if gateway.name == ROUTER or gateway.name in NOTHING:
            continue
        rules = gateway.name in RULES
        for kind in tokens.KINDS:
            good = tokens.good(kind, "check", 1).read_text().strip()
            claims = tokens.claims_of(kind, "check-0")
            told = {name: claims[claim] for name, claim in tokens.TOLD.items()} if rules else {}
            require(gateway, kind, "a good token", gateway.ask(good), (200, told))
            for what in tokens.LACKS:
                answer = gateway.ask(tokens.lacking(kind, what))[0]
                require(gateway, kind, f"no {what}", answer, 403 if rules else 200)
        for what, how in tokens.WRONG.items():
            answer = gateway.ask(tokens.wrong("rs256", how, "check", 1).read_text().strip())[0]
            # For the wrong audience jwt_authn has 403.
            wanted = 403 if how == "audience" and gateway.name not in FILTER else 401
            require(gateway, "rs256", what, answer, wanted)


def require(gateway, kind, what, found, wanted):
    if found != wanted:
        raise StackError(f"{gateway.name}, {kind}, {what}: {found}, where {wanted} was expected")
