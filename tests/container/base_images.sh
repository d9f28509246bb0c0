#!/usr/bin/env bash
# Makes the images that the Dockerfile and the proof begin with, siamese-test-rust and siamese-test-haproxy, where no registry of
# images can be reached: of Debian's packages and this machine's own Rust toolchain and certificates. Those that are there stay.
set -euo pipefail

has() { docker image inspect "$1" > /dev/null 2>&1; }

bring_mmdebstrap() {
    command -v mmdebstrap > /dev/null && return
    apt-get -q update > /dev/null
    apt-get -q install --yes --no-install-recommends mmdebstrap > /dev/null
}

# debian PACKAGES [HOOK...]: a tar of Debian with these packages.
debian() {
    local packages="$1"
    shift
    mmdebstrap --quiet --variant=apt --include="ca-certificates,$packages" "$@" bookworm -
}

if ! has siamese-test-rust; then
    bring_mmdebstrap
    toolchain="$(rustc --print sysroot)"
    # Without its documents and its other tools it is a third as large.
    install="mkdir -p \"\$1/usr/local/bin\" \"\$1/usr/local/lib\" \
        && cp $toolchain/bin/cargo $toolchain/bin/rustc \"\$1/usr/local/bin/\" \
        && cp -a $toolchain/lib/. \"\$1/usr/local/lib/\" \
        && cp /etc/ssl/certs/ca-certificates.crt \"\$1/etc/ssl/certs/\""
    debian gcc,libc6-dev,python3-pip --customize-hook="$install" | docker import - siamese-test-rust
fi
if ! has siamese-test-haproxy; then
    bring_mmdebstrap
    debian haproxy | docker import \
        --change 'ENTRYPOINT ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]' - siamese-test-haproxy
fi
