#!/usr/bin/env bash
# Holds the alert rules to their tests. Where promtool is missing it is unpacked from Debian's package, beside the build,
# so that no service is installed or started.
set -euo pipefail
cd "$(dirname "$0")/.."

promtool=$(command -v promtool || true)
if [ -z "$promtool" ]; then
    folder=$(cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/promtool
    promtool=$folder/usr/bin/promtool
    if [ ! -x "$promtool" ]; then
        mkdir -p "$folder"
        (
            cd "$folder"
            apt-get -q download prometheus || {
                # The package lists may be missing or old.
                root=$([ "$(id -u)" = 0 ] || echo sudo)
                $root apt-get -q update
                apt-get -q download prometheus
            }
            dpkg -x prometheus_*.deb .
            rm prometheus_*.deb
        )
    fi
fi
"$promtool" check rules deploy/prometheus/alerts.yml
"$promtool" test rules deploy/prometheus/alerts_test.yml
