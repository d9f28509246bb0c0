#!/usr/bin/env bash
# Builds the server and the core with the oldest Rust that Cargo.toml promises (`rust-version`). The trainer promises no more than
# the toolchain that all is built with.
#
# Where that Rust can't be had, this is said, and Clippy alone holds the code to it (its lint `incompatible_msrv`); with
# MSRV=required, as the public workflow has it, the script fails.
set -euo pipefail
cd "$(dirname "$0")/.."

of() {
    sed -n 's/^rust-version = "\(.*\)"$/\1/p; s/^channel = "\(.*\)"$/\1/p' "$1"
}

oldest=$(of Cargo.toml) trainer=$(of trainer/Cargo.toml) ours=$(of rust-toolchain.toml)
if [[ $ours != "$trainer"* ]]; then
    echo "trainer/Cargo.toml promises Rust $trainer, and nothing is built with it but with $ours" >&2
    exit 1
fi
if ! rustup run "$oldest" rustc --version 2> /dev/null; then
    if ! timeout 300 rustup toolchain install "$oldest" --profile minimal --no-self-update; then
        echo "RUST $oldest NOT TRIED: it is out of reach." >&2
        [[ ${MSRV:-} != required ]]
        exit
    fi
fi
# Its own folder, as the other toolchain's build would otherwise grow by this one's.
target=${CARGO_TARGET_DIR:-target}/tools/msrv
CARGO_TARGET_DIR=$target cargo "+$oldest" check --locked --package siamese --package siamese-core
rm -rf "$target"
