"""The verification kernel in WebAssembly: how fast it is, and whether others say the same there, too.

    make bench-verification      (or .tools/venv/bin/python -m tests.bench.verification --rounds 9)

Speed: microseconds a verification, beside the RustCrypto crate in the same runtime: wasmtime, and V8 if
there is Node. Rounds are interleaved, and medians count. Differential: `--inputs` made-up inputs, with
what two other implementations say of them natively, are run through the kernel in wasmtime.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import wasmtime

BUILD = ["sh", "src/filter/build.sh"]
PACKAGE = "jwt-keycloak-verification-tests"
ALGORITHMS = ["rsa", "p256"]
CHUNK = 20_000


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--inputs", type=int, default=20_000, help="of the differential check; 0: none")
    parser.add_argument("--seed", type=int, default=1, help="of the first inputs")
    parser.add_argument("--only", choices=ALGORITHMS)
    arguments = parser.parse_args()
    algorithms = [arguments.only] if arguments.only else ALGORITHMS
    if arguments.rounds:
        program = built("speed")
        for algorithm in algorithms:
            found = measured(program, algorithm, arguments.rounds)
            tell(algorithm, found)
            tell_ratios(found)
        if not arguments.only:
            tell("a decision, by alg", measured(built("algorithms", "jwt-keycloak-tests"), arguments.rounds))
    if arguments.inputs:
        program = built("differential")
        for algorithm in algorithms:
            checked = differential(program, algorithm, arguments.seed, arguments.inputs)
            print(f"{algorithm}: other implementations say the same of {checked} inputs")


def built(program, package=PACKAGE):
    """The path of a program of the tests, built for wasm."""
    return output([*BUILD, "wasm-bin", package, program]).strip()


def measured(program, *arguments):
    """Lines of the program by runtime."""
    arguments = [str(argument) for argument in arguments]
    found = {"wasmtime": in_wasmtime(program, Path(program).stem, *arguments)}
    if shutil.which("node"):
        options = ["--no-liftoff", "--no-warnings"]  # as code runs after a while
        found["V8"] = output(["node", *options, "tests/bench/wasi.mjs", program, *arguments])
    return {runtime: dict(line.split("\t") for line in lines.splitlines()) for runtime, lines in found.items()}


def tell(what, found):
    print(f"{what + ', µs':24}" + "".join(f"{runtime:>10}" for runtime in found))
    for name in found["wasmtime"]:
        print(f"{name:24}" + "".join(f"{float(column[name]):10.1f}" for column in found.values()), flush=True)


def tell_ratios(found):
    ratios = [float(each["crate with SHA-256"]) / float(each["kernel with SHA-256"]) for each in found.values()]
    print(f"{'times faster':24}" + "".join(f"{ratio:10.1f}" for ratio in ratios), flush=True)


def differential(program, algorithm, seed, inputs):
    """How many inputs were checked."""
    checked = 0
    with tempfile.NamedTemporaryFile() as file:
        while checked < inputs:
            count = min(CHUNK, inputs - checked)
            emit = ["cargo", "run", "--release", "--locked", "--quiet", "-p", PACKAGE, "--bin", "differential", "--"]
            with open(file.name, "wb") as out:
                subprocess.run([*BUILD, *emit, "emit", algorithm, str(seed), str(count)], check=True, stdout=out)
            checked += int(in_wasmtime(program, "differential", "check", algorithm, stdin=file.name))
            seed += 1
    return checked


def in_wasmtime(program, *arguments, stdin=None):
    """What the program writes to its standard output."""
    config = wasmtime.WasiConfig()
    config.argv = arguments
    config.inherit_stderr()
    if stdin:
        config.stdin_file = stdin
    store = wasmtime.Store(wasmtime.Engine())
    linker = wasmtime.Linker(store.engine)
    linker.define_wasi()
    with tempfile.NamedTemporaryFile() as out:
        config.stdout_file = out.name
        store.set_wasi(config)
        instance = linker.instantiate(store, wasmtime.Module.from_file(store.engine, program))
        try:
            instance.exports(store)["_start"](store)
        except wasmtime.ExitTrap as trap:
            if trap.code:
                raise SystemExit(f"{program}: exit status {trap.code}") from trap
        return Path(out.name).read_text()


def output(command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
