"""Interleaved rounds: what a request costs at each gateway, with tokens that are new and with seen ones.

CPU time, not wall time; and each in turn, in another order each time: what else the machine does falls
on all alike. What is compared is compared within a round.
"""

import random
import statistics

from tests.bench import cases, tokens

# Of each kind in a round; those of 4 kB are fewer, since they are no case of their own.
COUNTS = {"rs256": 2000, "es256": 2000, "large": 500}
# So many are timed as one. They are sent one chunk after the other, all to one gateway: a gateway has
# its machine's caches to itself, and not with a dozen others.
CHUNK = 250
# Times that a round's tokens come again: all but the first fill a cache or find it full.
AGAIN = 2
# v8 compiles what is used often once more; measured is what it then has. Others' compilers of the
# kind need less.
WARM_UP = {"rs256": 4000, "es256": 4000, "large": 500}
AGES = ("new", "seen")


class Figures:
    """CPU microseconds a request, a list with one of each round, by gateway, kind of token and age."""

    def __init__(self, stored=()):
        self._found = {tuple(key): values for key, values in stored}

    def stored(self):
        """For JSON, from which it is made again."""
        return [[key, values] for key, values in self._found.items()]

    def add(self, gateway, kind, age, microseconds):
        self._found.setdefault((gateway, kind, age), []).append(microseconds)

    def __contains__(self, key):
        return key in self._found

    def rounds(self, gateway, kind, age):
        return self._found[gateway, kind, age]

    def above_router(self, gateway, kind, age):
        base = self.rounds(cases.ROUTER, kind, age)
        return [value - least for value, least in zip(self.rounds(gateway, kind, age), base)]

    def ratio(self, ours, native, kind, age):
        """What ours adds to a request, as a share of what the other adds, of each round."""
        pairs = zip(self.above_router(ours, kind, age), self.above_router(native, kind, age))
        # A round in which a neighbour was so busy that nothing was added says nothing.
        return [mine / other for mine, other in pairs if other > 0]


def quartiles(values):
    """The median, and what half of all values lie between."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high


def warm_up(load, gateways, kinds, scale=1):
    for kind in kinds:
        count = int(WARM_UP[kind] * scale)
        file = tokens.good(kind, "warm", WARM_UP[kind])
        for _ in AGES:
            for gateway in gateways:
                gateway.cost(load, file, 0, count)


def measure(load, gateways, kinds, number, figures, ages=AGES):
    """One round: `number` says which tokens are its own."""
    for kind in kinds:
        count = COUNTS[kind]
        file = tokens.good(kind, f"round-{number}", count)
        for age in AGES:
            if age == "seen" and age not in ages:
                continue
            spent = passed(load, gateways, file, count, 1 if age == "new" else AGAIN)
            for gateway in gateways:
                figures.add(gateway.name, kind, age, spent[gateway.name])


def passed(load, gateways, file, count, times, wanted=200):
    """All tokens of a file, so many times: microseconds a request, by gateway. Of the chunks the median:
    on a machine that others share, some take twice the CPU time for a tenth of a second."""
    spent = {gateway.name: [] for gateway in gateways}
    for _ in range(times):
        for gateway in random.sample(gateways, len(gateways)):
            expected = wanted(gateway) if callable(wanted) else wanted
            for start in range(0, count, CHUNK):
                size = min(CHUNK, count - start)
                seconds = gateway.cost(load, file, start, size, expected)
                spent[gateway.name].append(seconds / size * 1e6)
    return {name: statistics.median(chunks) for name, chunks in spent.items()}
