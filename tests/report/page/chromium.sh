#!/usr/bin/env bash
# Debian's Chromium for the tests of the page: chromium.sh
#
# Needs root to install it if it is missing. Prints its path.
set -euo pipefail

fail() { echo "chromium.sh: $*" >&2; exit 1; }

if ! command -v chromium > /dev/null; then
    [[ $(id -u) -eq 0 ]] || fail "expected chromium, or root to install it"
    command -v apt-get > /dev/null || fail "expected chromium, or apt-get to install it"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || true
    apt-get install -qq -y --no-install-recommends chromium > /dev/null
fi
command -v chromium
