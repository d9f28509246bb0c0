#!/usr/bin/env bash
# Builds the server and the core with the oldest Rust that Cargo.toml supports (`rust-version`). The trainer supports only the
# toolchain of this repository.
#
# If that Rust is not available, the script prints a warning, and only Clippy's lint `incompatible_msrv` checks the code.
# With MSRV=required, as in the workflow, the script fails instead.
set -euo pipefail
cd "$(dirname "$0")/.."

of() {
    sed -n 's/^rust-version = "\(.*\)"$/\1/p; s/^channel = "\(.*\)"$/\1/p' "$1"
}

oldest=$(of Cargo.toml) trainer=$(of trainer/Cargo.toml) ours=$(of rust-toolchain.toml)
if [[ $ours != "$trainer"* ]]; then
    echo "trainer/Cargo.toml states Rust $trainer, but the toolchain is $ours" >&2
    exit 1
fi
if ! rustup run "$oldest" rustc --version 2> /dev/null; then
    if ! timeout 300 rustup toolchain install "$oldest" --profile minimal --no-self-update; then
        echo "RUST $oldest NOT TESTED: it is not available." >&2
        [[ ${MSRV:-} != required ]]
        exit
    fi
fi
# A separate target folder keeps this build out of the other toolchain's.
target=${CARGO_TARGET_DIR:-target}/tools/msrv
CARGO_TARGET_DIR=$target cargo "+$oldest" check --locked --package siamese --package siamese-core
rm -rf "$target"
