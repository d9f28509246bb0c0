#!/usr/bin/env bash
# Tests the alert rules. If promtool is missing, the script unpacks it from Debian's package into the build folder. It does
# not install or start a service.
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
                # The package lists may be missing or outdated.
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
