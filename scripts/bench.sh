#!/usr/bin/env bash
# Runs the benchmarks.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
need_cargo
cargo bench --locked
