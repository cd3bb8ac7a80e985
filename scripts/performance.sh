#!/usr/bin/env bash
# performance.sh: measures both passes beside the other implementations, on one processor, in at most eight minutes,
# into docs/measurements, and draws docs/performance.md's pictures and table from that.
# PYTHON: one that has the peers of benches/comparison/requirements.txt; otherwise they are installed in cargo's target
# directory.
# PROCESSOR: the number of the one to use; by default the last.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
need_cargo
python=${PYTHON:-python3}
install=$([ -n "${PYTHON:-}" ] || echo --install)
processor=${PROCESSOR:-$(($(nproc --all) - 1))}
name=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1 | tr '[:upper:] ' '[:lower:]-' | tr -cd 'a-z0-9-')
# Many processors have no AVX-512: theirs are the AVX2 kernels.
lower=()
if grep -qw avx512f /proc/cpuinfo; then lower=(--also-isa avx2); fi
result=docs/measurements/$(date +%F)-${name:-$(uname -m)}.jsonl
mkdir -p "$BUILD/bench" docs/measurements

compare() {
    # shellcheck disable=SC2086
    $1 "$python" benches/peers.py $install --lib "$RELEASE/libdeformconv.so" --peak "$RELEASE/examples/libfma_peak.so" \
        --bandwidth "$RELEASE/examples/libmemory_bandwidth.so" "${@:2}"
}

# Built, and installed, beforehand: neither is part of the eight minutes.
cargo build --quiet --locked --release --lib --example fma_peak --example memory_bandwidth
compare "" --case small --rounds 1 >"$BUILD/bench/peers.log"
compare "benches/alone.sh timeout 480 taskset -c $processor" \
    "${lower[@]}" --pass forward,backward --rounds 5 --budget 1.5 --json "$BUILD/bench/performance.jsonl"
mv "$BUILD/bench/performance.jsonl" "$result"
echo "$result"
"$python" benches/plot.py --install "$result"
