#!/usr/bin/env bash
# Builds the base images of the Dockerfile and of the failure test, siamese-test-rust and siamese-test-haproxy, for machines
# without access to an image registry. It uses Debian's packages and the local Rust toolchain and certificates. It skips
# images that already exist.
set -euo pipefail

has() { docker image inspect "$1" > /dev/null 2>&1; }

install_mmdebstrap() {
    command -v mmdebstrap > /dev/null && return
    apt-get -q update > /dev/null
    apt-get -q install --yes --no-install-recommends mmdebstrap > /dev/null
}

# debian PACKAGES [HOOK...]: writes a tar archive of Debian with these packages.
debian() {
    local packages="$1"
    shift
    mmdebstrap --quiet --variant=apt --include="ca-certificates,$packages" "$@" bookworm -
}

if ! has siamese-test-rust; then
    install_mmdebstrap
    toolchain="$(rustc --print sysroot)"
    # Without documentation and the other tools, the toolchain is a third of the size.
    install="mkdir -p \"\$1/usr/local/bin\" \"\$1/usr/local/lib\" \
        && cp $toolchain/bin/cargo $toolchain/bin/rustc \"\$1/usr/local/bin/\" \
        && cp -a $toolchain/lib/. \"\$1/usr/local/lib/\" \
        && cp /etc/ssl/certs/ca-certificates.crt \"\$1/etc/ssl/certs/\""
    debian gcc,libc6-dev,python3-pip --customize-hook="$install" | docker import - siamese-test-rust
fi
if ! has siamese-test-haproxy; then
    install_mmdebstrap
    debian haproxy | docker import \
        --change 'ENTRYPOINT ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]' - siamese-test-haproxy
fi
