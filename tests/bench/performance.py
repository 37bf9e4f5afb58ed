"""What the filter costs beside Envoy's own filters: `docs/performance.md`.

    make bench                                         all of it, into docs/performance.md and .svg
    make bench BENCH_ARGS=--quick                      a minute or two, shown and not kept
    make bench BENCH_ARGS='--only rs256-new,es256-new'         a line each, while something is changed
    make bench BENCH_ARGS='--only rs256-new --other OLD.wasm'  with another build of the filter beside it

What is measured, and how to read it, is said in docs/performance.md.
"""

import argparse
import sys
import time
from pathlib import Path

from tests.bench import capacity, cases, footprint, refresh, refusals, report, rounds, tokens
from tests.bench.gateway import cores
from tests.bench.load import Load
from tests.stack import StackError
from tests.stack.envoy import WASM
from tests.stack.process import progress

CASES = {f"{kind}-{age}": (kind, age) for kind in tokens.KINDS for age in rounds.AGES}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, help="of what is compared; 7, with --only 5, with --quick 2")
    parser.add_argument("--quick", action="store_true", help="fewer rounds; nothing is written to docs/")
    parser.add_argument("--only", help=f"some of {', '.join(CASES)}, refusals; with commas between them")
    parser.add_argument("--wasm", type=Path, default=WASM, help="the filter")
    parser.add_argument("--other", type=Path, help="with --only: another build of it, to compare")
    parser.add_argument("--report", action="store_true", help="write the last run's figures to docs/ again")
    arguments = parser.parse_args()
    try:
        if arguments.report:
            return report.write(report.stored())
        with Load(cores()[1]) as load:
            if arguments.only:
                return some(load, arguments.only.split(","), arguments)
            found = everything(load, arguments)
    except StackError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted")
    if arguments.quick:
        print(report.text(found))
    else:
        report.write(report.store(found))


def everything(load, arguments):
    count = arguments.rounds or (2 if arguments.quick else 7)
    few = 1 if arguments.quick else 3
    made, found = steps(7), {"machine": report.machine(), "rounds": count}
    made("tokens, kept for the next run")
    sign(count, tokens.KINDS, few)
    figures, refused = rounds.Figures(), rounds.Figures()
    made("gateways; the same work is asked of all")
    with cases.running(cases.ALL, arguments.wasm) as gateways:
        cases.require_same_work(gateways)
        rounds.warm_up(load, gateways, tokens.KINDS, 0.5 if arguments.quick else 1)
        made("requests that pass")
        for number in range(count):
            rounds.measure(load, gateways, tokens.KINDS, number, figures)
            progress(f"round {number + 1} of {count}")
        made("requests that are refused, and latency")
        refusals.measure(load, gateways, "warm", rounds.Figures())
        for number in range(count):
            refusals.measure(load, gateways, number, refused)
            progress(f"round {number + 1} of {count}")
        found["latency"] = capacity.latency(load, gateways, count)
    found["figures"], found["refusals"] = figures.stored(), refused.stored()
    made("throughput")
    found["throughput"] = {
        str(workers): capacity.throughput(load, workers, few, arguments.wasm) for workers in (1, 2)
    }
    made("size, start, memory")
    found["size"] = footprint.size(arguments.wasm)
    found["start"] = footprint.start(arguments.wasm, few)
    found["compile"] = footprint.compile_elsewhere(arguments.wasm, few)
    found["memory"] = footprint.memory(load, arguments.wasm)
    made("calls to the issuer")
    found["refresh"] = refresh.measure(arguments.wasm, 3 if arguments.quick else 8)
    return found


def some(load, names, arguments):
    """A line for each case."""
    unknown = [name for name in names if name not in CASES and name != "refusals"]
    if unknown:
        raise StackError(f"--only {', '.join(unknown)}: there are {', '.join(CASES)}, refusals")
    count = arguments.rounds or (2 if arguments.quick else 5)
    figures, wanted = rounds.Figures(), [CASES[name] for name in names if name in CASES]
    kinds = list(dict.fromkeys(kind for kind, _ in wanted))
    chosen = [cases.ROUTER, *cases.FILTER[:2], *(cases.FILTER[2:] if arguments.other else [])]
    ages = {age for _, age in wanted}
    chosen += [cases.JWT_AUTHN, cases.NATIVE_RULES] if "new" in ages else []
    chosen += [cases.JWT_AUTHN_CACHE, cases.NATIVE_RULES_CACHE, "nothing, all"] if "seen" in ages else []
    chosen += refusals.GATEWAYS if "refusals" in names else []
    with cases.running(list(dict.fromkeys(chosen)), arguments.wasm, arguments.other) as gateways:
        cases.require_same_work(gateways)
        if kinds:
            rounds.warm_up(load, gateways, kinds)
            for number in range(count):
                rounds.measure(load, gateways, kinds, number, figures, ages)
        for kind, age in wanted:
            print(report.line(figures, kind, age, arguments.other), flush=True)
        if "refusals" in names:
            refused = rounds.Figures()
            refusals.measure(load, gateways, "warm", rounds.Figures())
            for number in range(count):
                refusals.measure(load, gateways, number, refused)
            print("\n".join(report.refusals(refused)))


def sign(count, kinds, few):
    for kind in kinds:
        tokens.good(kind, "warm", rounds.WARM_UP[kind])
        for number in range(max(count, footprint.MANY, 2 * few)):
            tokens.good(kind, f"round-{number}", rounds.COUNTS[kind])
    for number in range(count):
        tokens.good("rs256", f"pace-{number}", capacity.COUNT)


def steps(count):
    """Says which step of how many begins, and when."""
    started, number = time.monotonic(), 0

    def step(name):
        nonlocal number
        number += 1
        seconds = time.monotonic() - started
        print(f"==> {number}/{count} {name} ({seconds // 60:.0f} min {seconds % 60:02.0f} s)", flush=True)

    return step


if __name__ == "__main__":
    main()
