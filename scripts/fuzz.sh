#!/usr/bin/env bash
# Runs each fuzz target of fuzz/ in turn, for so many seconds: scripts/fuzz.sh [SECONDS] [TARGET...]
#
# The target `structured` draws TIFFs, WebPs and GIFs part by part and gives them to worker processes; it is a test and needs
# no more than tests do. The others need a nightly toolchain. What a target finds lies in fuzz/artifacts/TARGET, and the script fails.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-600}
shift || true
structured() {
    echo "== structured"
    SIAMESE_FUZZ_SECONDS=$seconds cargo test --locked --package siamese --test bombs whatever -- --nocapture
}
if [[ "$*" == structured ]]; then
    structured
    exit
fi
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked
# The library is not run, so the build need not fetch it.
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
    [[ $target == picture ]] && seeds=(tests/fixtures/pictures samples)
    echo "== $target"
    cargo +nightly fuzz run "$target" "$corpus" "${seeds[@]}" -- \
        -max_total_time="$seconds" -rss_limit_mb=4096 -timeout=20 -print_final_stats=1
done
