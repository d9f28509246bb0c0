#!/usr/bin/env bash
# Runs each fuzz target of fuzz/ in turn, each for this many seconds: scripts/fuzz.sh [SECONDS] [TARGET...]
#
# The target `structured` generates TIFF, WebP and GIF files part by part and sends them to decode workers. It is a test and
# needs only what tests need. The other targets need a nightly toolchain. If a target finds an input, the script fails, and
# the input is in fuzz/artifacts/TARGET.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-600}
shift || true
structured() {
    echo "== structured"
    SIAMESE_FUZZ_SECONDS=$seconds cargo test --locked --package siamese --test bombs any_ -- --nocapture
}
if [[ "$*" == structured ]]; then
    structured
    exit
fi
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked
# The targets do not use ONNX Runtime, so the build need not download it.
export ORT_DYLIB_PATH=${ORT_DYLIB_PATH:-unused}

targets=("$@")
((${#targets[@]})) || mapfile -t targets < <(cargo +nightly fuzz list; echo structured)
for target in "${targets[@]}"; do
    if [[ $target == structured ]]; then
        structured
        continue
    fi
    corpus=fuzz/corpus/$target
    mkdir -p "$corpus"
    seeds=(fuzz/seeds/"$target")
    [[ $target == image ]] && seeds=(tests/fixtures/images tests/fixtures/heic samples)
    echo "== $target"
    cargo +nightly fuzz run "$target" "$corpus" "${seeds[@]}" -- \
        -max_total_time="$seconds" -rss_limit_mb=4096 -timeout=20 -print_final_stats=1
done
