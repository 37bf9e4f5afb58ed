#!/bin/sh
# Finds the Rust toolchain and works with it.
#
#   build.sh cargo ARGS...   runs cargo natively: lints, tests
#   build.sh wasm            builds ./jwt_keycloak.wasm
#   build.sh wasm-bin PACKAGE BIN   builds a program to run in wasm; says where it is
#
# For the wasm there are three ways, tried in this order:
#   1. the toolchain has the target
#   2. rustup adds the target
#   3. Debian's packages; they lack the target's std, so that is built from its source
set -eu
cd "$(dirname "$0")/../.."

target=wasm32-wasip1
release=target/$target/release
artefact=$release/jwt_keycloak.wasm
debian_packages="rustc-web cargo-web rust-web-src rust-web-llvm lld-22 wasi-libc"

pinned=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
oldest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
reason=

say() { echo "==> $*" >&2; }
fail() {
    echo "error: $1" >&2
    shift
    for line in "$@"; do echo "  $line" >&2; done
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# limited SECONDS COMMAND...; macOS has no timeout(1)
limited() {
    if have timeout; then timeout "$@"; else shift && "$@"; fi
}

# Runs a noisy command; if it fails, $reason is its last words (rustup's have the cause at their end).
quietly() {
    if output=$(RUST_BACKTRACE=0 "$@" 2>&1); then return 0; else status=$?; fi
    reason=$(printf '%s\n' "$output" | sed '/^[[:space:]]*$/d' | tail -n 1 | sed 's/^.*\(.\{160\}\)$/...\1/')
    [ "$status" != 124 ] || reason="no answer in time"
    return 1
}

# attempt NAME SECONDS RUSTUP-COMMAND...; a failure is remembered until make clean, so that not
# every build waits for it again.
attempt() {
    failed=target/.rustup-failed-$1
    limit=$2
    shift 2
    if [ -f "$failed" ]; then reason=$(cat "$failed"); return 1; fi
    say "$* (at most $limit s)"
    if quietly limited "$limit" "$@"; then return 0; fi
    mkdir -p target
    echo "$reason" >"$failed"
    return 1
}

# Is this cargo there, and new enough? (A rustup without the pinned toolchain has a cargo that fails.)
works() {
    minor=$(RUSTUP_AUTO_INSTALL=0 "$1" --version 2>/dev/null | sed -n 's/^cargo 1\.\([0-9]*\).*/\1/p')
    [ -n "$minor" ] && [ "$minor" -ge "${oldest#1.}" ]
}

install_debian() {
    have apt-get || { reason="not a Debian system"; return 1; }
    missing=
    for package in $debian_packages; do
        case $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) in
            ii*) ;;
            *) missing="$missing $package" ;;
        esac
    done
    # Debian 12 without its security updates has an older Rust.
    [ -n "$missing" ] || works /usr/bin/cargo || missing=$debian_packages
    [ -n "$missing" ] || return 0

    if [ "$(id -u)" = 0 ]; then as_root=
    elif have sudo && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then as_root=sudo
    else reason="neither root nor sudo; as root: apt-get install $debian_packages"; return 1
    fi
    say "apt-get install $missing (a few minutes)"
    quietly $as_root apt-get update || say "apt-get update: $reason"
    # --no-remove: these packages would replace Debian's rustc and rustup.
    # shellcheck disable=SC2086 # lists of words
    quietly $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-remove --no-install-recommends $missing || {
        reason="apt-get install: $reason"
        return 1
    }
    works /usr/bin/cargo || { reason="Debian's Rust here is older than $oldest"; return 1; }
}

# Debian's cargo and rustc before rustup's
use_debian() { PATH=/usr/bin:$PATH; unset RUSTC RUSTDOC RUSTUP_TOOLCHAIN; system=yes; }

# Sets PATH and RUSTUP_TOOLCHAIN so that "cargo" is one that works here; $system: not rustup's.
choose_cargo() {
    system='' rustup=''
    if works cargo; then
        [ "$(command -v cargo)" != /usr/bin/cargo ] || system=yes
        return 0
    fi
    rustup="rustup: none"
    if have rustup; then
        # A "stable" of the pinned version needs no download.
        case $(RUSTUP_TOOLCHAIN=stable RUSTUP_AUTO_INSTALL=0 cargo --version 2>/dev/null) in
            "cargo $pinned "*) export RUSTUP_TOOLCHAIN=stable; return 0 ;;
        esac
        attempt "toolchain-$pinned" 600 rustup toolchain install "$pinned" \
            --profile minimal --component clippy --component rustfmt --no-self-update &&
            works cargo && return 0
        rustup="rustup toolchain install $pinned: $reason"
    fi
    if works /usr/bin/cargo || install_debian; then
        use_debian
        return 0
    fi
    rm -f target/.rustup-failed-*
    fail "no Rust $oldest or newer" "$rustup" "Debian's packages: $reason" \
        "Install rustup, then run make again: https://rustup.rs" \
        "(macOS: brew install rustup; Fedora: dnf install rustup && rustup-init)"
}

has_target() {
    libraries=$(rustc --print target-libdir --target $target 2>/dev/null) &&
        ls "$libraries"/libstd-*.rlib >/dev/null 2>&1
}

add_target() {
    if [ -n "$system" ] || ! have rustup; then reason="${rustup:-rustup: none}"; return 1; fi
    # Short only where there is another way.
    limit=600
    if have apt-get; then limit=60; fi
    attempt "target-$(rustc --version | cut -d ' ' -f 2)" $limit rustup target add $target && has_target && return 0
    reason="rustup target add: $reason"
    return 1
}

# cargo_wasm ARGS...: cargo build for wasm, as the filter is built
cargo_wasm() {
    choose_cargo
    if has_target; then
        say "wasm toolchain: $(rustc --version), $target already there"
    elif add_target; then
        say "wasm toolchain: $(rustc --version), $target added by rustup"
    else
        why=$reason
        install_debian || {
            rm -f target/.rustup-failed-*
            fail "no toolchain for $target" \
                "installed: $(rustc --version), without $target" \
                "$why" \
                "Debian's packages: $reason" \
                "One of them has to work. Where the system's Rust has the target in a package, that does as well" \
                "(Fedora: dnf install rust-std-static-$target). Then run make again."
        }
        use_debian
        say "wasm toolchain: Debian's $(rustc --version | cut -d ' ' -f 1-2), std from its source ($why)"
        # -Zbuild-std is unstable, hence the bootstrap switch. The C library and the linker
        # that rustup's target has on board come from wasi-libc and lld.
        export RUSTC_BOOTSTRAP=1
        export CARGO_TARGET_WASM32_WASIP1_LINKER=wasm-ld-22
        export RUSTFLAGS="-L native=/usr/lib/wasm32-wasi -Clink-self-contained=no"
        unset CARGO_ENCODED_RUSTFLAGS
        set -- "$@" -Zbuild-std=std,panic_abort
    fi
    # Both hosts have SIMD on by default, as has every wasm runtime of the last years.
    export RUSTFLAGS="${RUSTFLAGS:-} -Ctarget-feature=+simd128,+bulk-memory"
    cargo build --release --locked --target $target --target-dir target "$@"
}

build_wasm() {
    cargo_wasm -p jwt_keycloak
    if cmp -s $artefact jwt_keycloak.wasm; then return; fi
    # In one step: a running Envoy may be about to load it.
    cp $artefact target/jwt_keycloak.wasm
    mv target/jwt_keycloak.wasm jwt_keycloak.wasm
}

build_wasm_bin() {
    [ $# = 2 ] || fail "usage: build.sh wasm-bin PACKAGE BIN"
    cargo_wasm -p "$1" --bin "$2" >&2
    echo "$release/$2.wasm"
}

command=${1:-}
[ $# = 0 ] || shift
case $command in
    cargo) choose_cargo; exec cargo "$@" ;;
    wasm) build_wasm ;;
    wasm-bin) build_wasm_bin "$@" ;;
    *) fail "usage: build.sh cargo ARGS... | wasm | wasm-bin PACKAGE BIN" ;;
esac
