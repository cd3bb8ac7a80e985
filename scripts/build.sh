#!/usr/bin/env bash
# Builds the release library, shared and static.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
need_cargo
cargo build --release --locked --lib
