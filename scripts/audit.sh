#!/usr/bin/env bash
# Checks the dependencies against deny.toml: bans, licences, sources, yanked versions, and the RustSec advisories.
#
# The advisories come from the repository of their database, or from a clone of it that ADVISORY_DB names. If neither is
# available, the script prints a warning and checks the rest. With ADVISORIES=required, as in the workflows, it fails instead.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
tools=$PWD/target/tools
export PATH=$tools/bin:$PATH
if [[ $(cargo deny --version 2>/dev/null) != "cargo-deny $version" ]]; then
    # A separate target folder keeps the tool's build out of the server's. An optimised build would take longer than the
    # time that it saves.
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --debug cargo-deny --version "$version" --locked --root "$tools" --target-dir "$tools/build"
    rm -rf "$tools/build"
fi

# advisories [PATH]: checks the advisories of the clone at PATH, or of the database's own repository.
advisories() {
    local config=$tools/deny.toml databases=$tools/advisories
    if [[ -n ${1:-} ]]; then
        databases=$tools/advisories-of-a-clone
        rm -rf "$databases"
        export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$1.insteadOf"
        export GIT_CONFIG_VALUE_0=https://github.com/RustSec/advisory-db
    fi
    sed "s#^\[advisories\]#&\ndb-path = \"$databases\"#" deny.toml >"$config"
    export GIT_TERMINAL_PROMPT=0 GIT_HTTP_LOW_SPEED_LIMIT=1000 GIT_HTTP_LOW_SPEED_TIME=30
    cargo deny --workspace --locked --config "$config" check advisories &&
        cargo deny --manifest-path python/Cargo.toml --locked --config "$config" check advisories
}

cargo deny --workspace --locked check bans licenses sources
cargo deny --manifest-path python/Cargo.toml --locked --config deny.toml check bans licenses sources
log=$tools/advisories.log
if [[ -n ${ADVISORY_DB:-} ]]; then
    echo "the advisories of $(git -C "$ADVISORY_DB" log -1 --format=%cs)"
    (advisories "$(realpath "$ADVISORY_DB")")
elif ! (advisories) 2>&1 | tee "$log"; then
    if ! grep -q 'failed to fetch advisory database' "$log" || [[ ${ADVISORIES:-} == required ]]; then
        exit 1
    fi
    echo "ADVISORIES NOT CHECKED: their database is not reachable." >&2
fi
