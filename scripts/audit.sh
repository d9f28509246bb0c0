#!/usr/bin/env bash
# Holds the dependencies to deny.toml: bans, licences, sources, yanked versions, and the advisories of RustSec.
#
# The advisories come from their database's own repository, or from a clone of it that ADVISORY_DB names. Where neither
# can be had this is said and all else is held; with ADVISORIES=required, as the public workflows have it, the script fails.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
tools=$PWD/target/tools
export PATH=$tools/bin:$PATH
if [[ $(cargo deny --version 2>/dev/null) != "cargo-deny $version" ]]; then
    # Its own folder, as the server's build would otherwise grow by what builds a tool. To build it fast takes longer than
    # it runs slowly.
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --debug cargo-deny --version "$version" --locked --root "$tools" --target-dir "$tools/build"
    rm -rf "$tools/build"
fi

# Holds the advisories of the repository at a path, or of the database's own where there is no path.
advisories() {
    local config=$tools/deny.toml databases=$tools/advisories
    if [[ -n ${1:-} ]]; then
        databases=$tools/advisories-of-a-clone
        rm -rf "$databases"
        export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$1.insteadOf"
        export GIT_CONFIG_VALUE_0=https://github.com/RustSec/advisory-db
    fi
    sed "s#^\[advisories\]#&\ndb-path = \"$databases\"#" deny.toml >"$config"
    GIT_TERMINAL_PROMPT=0 GIT_HTTP_LOW_SPEED_LIMIT=1000 GIT_HTTP_LOW_SPEED_TIME=30 \
        cargo deny --workspace --locked --config "$config" check advisories
}

cargo deny --workspace --locked check bans licenses sources
said=$tools/advisories.log
if [[ -n ${ADVISORY_DB:-} ]]; then
    echo "the advisories of $(git -C "$ADVISORY_DB" log -1 --format=%cs)"
    (advisories "$(realpath "$ADVISORY_DB")")
elif ! (advisories) 2>&1 | tee "$said"; then
    if ! grep -q 'failed to fetch advisory database' "$said" || [[ ${ADVISORIES:-} == required ]]; then
        exit 1
    fi
    echo "ADVISORIES NOT HELD: their database is out of reach." >&2
fi
