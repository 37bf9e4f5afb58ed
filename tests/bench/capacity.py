"""What a gateway stands: requests a second, and how long they take at a load that it stands."""

import os
import statistics

from tests.bench import cases, tokens

COMPARED = (cases.ROUTER, cases.OURS, cases.JWT_AUTHN, cases.OURS_RULES, cases.NATIVE_RULES)
RATE = 2000
COUNT = 2000
CONNECTIONS = 32
TIMES = ("p50", "p90", "p99")


def latency(load, gateways, rounds):
    """Microseconds at RATE requests a second, all with tokens never seen before: medians over the
    rounds, by gateway and percentile."""
    found = {name: [] for name in COMPARED}
    for number in range(rounds):
        file = tokens.good("rs256", f"pace-{number}", COUNT)
        for gateway in gateways:
            if gateway.name in found:
                paced = load.pace(gateway.port, file, 0, COUNT, RATE)
                assert paced.statuses == {200: COUNT}, (gateway.name, paced.statuses)
                found[gateway.name].append(paced)
    return {
        name: {time: statistics.median(getattr(paced, time) for paced in measured) for time in TIMES}
        for name, measured in found.items()
    }


def throughput(load, workers, rounds, module):
    """Requests a second with new and with seen tokens: medians over the rounds, by gateway."""
    found = {name: {"new": [], "seen": []} for name in COMPARED}
    # One worker has a core, and what loads it another; of more workers the last shares its core with
    # that, where there is none left.
    on = sorted(os.sched_getaffinity(0))[:workers]
    with cases.running(COMPARED, module, concurrency=workers, on=on) as gateways:
        for gateway in gateways:
            for _ in range(2):
                load.send(gateway.port, tokens.good("rs256", "warm", 4000), 0, 4000, CONNECTIONS)
        for number in range(rounds):
            files = [tokens.good("rs256", f"round-{of}", COUNT) for of in (2 * number, 2 * number + 1)]
            for age in ("new", "seen"):
                for gateway in gateways:
                    # Seen tokens come on the same connections as before, so to the same workers.
                    seconds = sum(full(load, gateway, file) for file in files)
                    found[gateway.name][age].append(len(files) * COUNT / seconds)
    return {name: {age: statistics.median(each) for age, each in ages.items()} for name, ages in found.items()}


def full(load, gateway, file):
    """Seconds for a set of tokens, as fast as they are answered."""
    sent = load.send(gateway.port, file, 0, COUNT, CONNECTIONS)
    assert sent.statuses == {200: COUNT}, (gateway.name, sent.statuses)
    return sent.seconds
