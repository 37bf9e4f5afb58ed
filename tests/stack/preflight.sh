#!/bin/sh
# Checks that the machine has what make needs, and says what to install where it has not.
# In CI, as root on Debian, it installs that itself.
#
#   preflight.sh [make] [cc] [python] [java] [maven] [curl] [compose] [docker]
set -eu

have() { command -v "$1" >/dev/null 2>&1; }
# lacks WHAT DEBIAN FEDORA MACOS
lacks() {
    missing="$missing
  - $1"
    debian="$debian${2:+ $2}" fedora="$fedora${3:+ $3}" macos="$macos${4:+ $4}"
}

python_works() {
    "${PYTHON:-python3}" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
}
python_version() {
    "${PYTHON:-python3}" --version 2>/dev/null || echo none
}
java_version() { # as Keycloak's start script finds it
    "${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1
}
# Debian 13 has no Java 17, Ubuntu's default may be older.
java_package() {
    for package in openjdk-17-jre-headless openjdk-21-jre-headless; do
        if apt-cache show $package >/dev/null 2>&1; then break; fi
    done
    echo "$package"
}

check() {
    missing='' debian='' fedora='' macos=''
    for need in "$@"; do
        case $need in
            make) have make || lacks "make" make make make ;;
            cc) have cc || lacks "a C compiler, whose linker Rust uses" build-essential gcc "" ;;
            python)
                python_works || lacks "Python 3.10 or newer with venv and pip (found: $(python_version))" \
                    "python3 python3-venv" python3 python ;;
            java)
                version=$(java_version)
                [ "${version:-0}" -ge 17 ] ||
                    lacks "Java 17 or newer (found: ${version:-none}${JAVA_HOME:+ in JAVA_HOME $JAVA_HOME})" \
                        "$(java_package)" java-21-openjdk-headless temurin ;;
            maven) have mvn || lacks "Maven, which fetches Keycloak" maven maven maven ;;
            curl) have curl || lacks "curl" curl curl curl ;;
            # Only one test needs it; no reason to stop on somebody's own machine.
            compose) [ "${CI:-}" != true ] || have docker-compose || docker compose version >/dev/null 2>&1 ||
                lacks "docker-compose, which checks the compose file" docker-compose docker-compose docker-compose ;;
            # Installed, it still has to run, and to be allowed.
            docker) { have docker && docker info >/dev/null 2>&1; } ||
                lacks "Docker, running, for this user (docker info)" docker.io moby-engine docker ;;
            *) echo "preflight.sh: unknown: $need" >&2; exit 2 ;;
        esac
    done
    [ -z "$missing" ]
}

if check "$@"; then exit 0; fi
if [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ] && have apt-get; then
    export DEBIAN_FRONTEND=noninteractive
    echo "==> apt-get update" >&2
    apt-get -qq update || echo "==> apt-get update failed; going on with the package lists there are" >&2
    check "$@" || true # the lists may know other packages now
    echo "==> apt-get install$debian" >&2
    # shellcheck disable=SC2086 # a list of words
    apt-get -qq install -y --no-install-recommends $debian >/dev/null || true
    hash -r
    if check "$@"; then exit 0; fi
fi
{
    echo "error: this machine lacks:$missing"
    echo "Install it, then run make again:"
    echo "  Debian, Ubuntu:  sudo apt-get install$debian"
    echo "  Fedora:          sudo dnf install$fedora"
    case $missing in *"C compiler"*) echo "  macOS:           xcode-select --install" ;; esac
    if [ -n "$macos" ]; then echo "  macOS:           brew install$macos"; fi
} >&2
exit 1
