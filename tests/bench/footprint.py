"""What the filter takes besides requests: the module's size, time to load it, memory for tokens."""

import gzip
import os
import statistics
import time

import wasmtime

from tests.bench import cases, tokens
from tests.bench.gateway import cpu_seconds, resident_bytes

STARTED = (cases.ROUTER, "nothing, all", cases.OURS)
WORKERS = (1, 4)
REMEMBERING = (cases.ROUTER, cases.OURS, cases.OURS_RULES, cases.JWT_AUTHN_CACHE, cases.NATIVE_RULES_CACHE)
MANY = 5  # sets of 2,000


def size(module):
    """Bytes of the module, and as an archive or an image layer has it."""
    octets = module.read_bytes()
    return {"bytes": len(octets), "compressed": len(gzip.compress(octets, 9))}


def start(module, rounds):
    """CPU seconds until an Envoy is ready: what the filter adds for the first worker, and for each more."""
    found = {}
    for _ in range(rounds):
        for workers in WORKERS:
            for name in STARTED:
                with cases.running([name], module, concurrency=workers, on=os.sched_getaffinity(0)) as (gateway,):
                    found.setdefault((name, workers), []).append(settled(gateway.envoy.pid))
    cpu = {key: statistics.median(values) for key, values in found.items()}
    one, many = WORKERS
    each = {name: (cpu[name, many] - cpu[name, one]) / (many - one) for name in STARTED}
    return {
        name: {"first": cpu[name, one] - cpu[cases.ROUTER, one], "more": each[name] - each[cases.ROUTER]}
        for name in STARTED[1:]
    }


def settled(pid):
    """The CPU seconds of a process that has done what it does at its start."""
    spent = cpu_seconds(pid)
    while True:
        time.sleep(0.2)
        now = cpu_seconds(pid)
        if now - spent < 0.01:
            return now
        spent = now


def compile_elsewhere(module, rounds):
    """Seconds that wasmtime, which Kong has, takes to compile it: of the clock, and of all its threads."""
    octets, wall, cpu = module.read_bytes(), [], []
    for _ in range(rounds):
        clock, process = time.perf_counter(), time.process_time()
        wasmtime.Module(wasmtime.Engine(), octets)
        wall.append(time.perf_counter() - clock)
        cpu.append(time.process_time() - process)
    return {"seconds": statistics.median(wall), "cpu": statistics.median(cpu)}


def memory(load, module):
    """Bytes by which an Envoy has grown after 10,000 distinct tokens, beyond those it was warmed up with."""
    found = {}
    with cases.running(REMEMBERING, module) as gateways:
        for gateway in gateways:
            warm = tokens.good("rs256", "warm", 4000)
            for _ in range(3):
                load.send(gateway.port, warm, 0, 2000)
            before = resident_bytes(gateway.envoy.pid)
            for number in range(MANY):
                load.send(gateway.port, tokens.good("rs256", f"round-{number}", 2000), 0, 2000)
            found[gateway.name] = resident_bytes(gateway.envoy.pid) - before
    return found
