#!/usr/bin/env bash
# Runs everything that tests the library, part after part, and ends with what ran, what did not, and the counts.
set -uo pipefail
. "$(dirname "$0")/tools.sh"
need_cargo

LOGS=$BUILD/test
LIMIT=900 # seconds for one part; a part that hangs has failed
export LEFT_OUT_STATUS=77
rm -rf "$LOGS"
mkdir -p "$LOGS"
summary=()
passed=0
failed=0

# part <name> <command...>
part() {
    local name=$1 log started=$SECONDS result
    log=$(log_of "$name")
    shift
    echo
    echo "== $name"
    timeout -k 10 "$LIMIT" "$@" 2>&1 | tee "$log" | brief
    case ${PIPESTATUS[0]} in
    0) result=passed ;;
    "$LEFT_OUT_STATUS") result="left out" ;;
    *) result=FAILED ;;
    esac
    count "$log" "$result"
    if [ "$result" = FAILED ]; then awk '/^failures:/, /^test result:/' "$log"; fi
    summarise "$name" "$result" $((SECONDS - started))
}

# no_part <name> <what is missing>
no_part() {
    echo
    echo "== $1"
    did_not_run "$1" "$2" | tee "$(log_of "$1")"
    summarise "$1" "left out" 0
}

log_of() { echo "$LOGS/${1// /-}.log"; }

# summarise <part> <result> <seconds>
summarise() { summary+=("$(printf '%-10s %5d s  %s' "$2" "$3" "$1")"); }

# What is shown of a part's log while it runs: all but what is written about the single tests that passed.
brief() {
    awk '/^successes:/ { hidden = 1 } /^(failures|test result):/ { hidden = 0 } /^failures:/ { hidden = 1 }
        !hidden && NF && !/ \.\.\. ok$| worst error .* of the bound$|^ *Compiling |^running [0-9]+ tests?$/ { print; fflush() }'
}

# count <log> <result>: adds a part to the counts, the tests that it reports in cargo's form, else itself as one. A part that
# failed without a failed test (it did not build, or hung) counts as one failure more.
count() {
    local good bad
    read -r good bad < <(sed -n 's/^test result:.* \([0-9]*\) passed; \([0-9]*\) failed.*/\1 \2/p' "$1" |
        awk '{ good += $1; bad += $2 } END { print good + 0, bad + 0 }')
    if [ "$2" = passed ] && [ "$good" = 0 ]; then good=1; fi
    if [ "$2" = FAILED ] && [ "$bad" = 0 ]; then bad=1; fi
    passed=$((passed + good))
    failed=$((failed + bad))
}

# Tools that tests use where they are there. Each test says by itself what it left out.
for tool in "g++ g++" "clang clang" "cmake cmake" "readelf binutils" "pkg-config pkg-config" "valgrind valgrind" "strace strace" "python3 python3-minimal"; do
    # shellcheck disable=SC2086
    need $tool || true
done

if need_component rustfmt cargo-fmt; then
    part "format" cargo fmt --check
else
    no_part "format" "no rustfmt"
fi
if need_component clippy cargo-clippy; then
    part "clippy" cargo clippy --quiet --locked --all-targets -- -D warnings
else
    no_part "clippy" "no cargo-clippy"
fi
part "cargo test" env RUST_BACKTRACE=0 cargo test --locked --no-fail-fast -- --show-output
part "release build" make --no-print-directory lib
part "kernels in one piece" scripts/test-inlined.sh
part "instruction counts" scripts/instructions.sh
part "installation" scripts/test-install.sh
part "Python package" scripts/test-python.sh
part "AVX-512 emulated" scripts/test-avx512.sh where-missing
part "aarch64 emulated" scripts/test-aarch64.sh quick
part "Ascend syntax check" scripts/ascend-check.sh
part "demo" scripts/demo.sh

echo
echo "== summary"
printf '%s\n' "${summary[@]}"
grep -ho 'worst error [0-9.]* of the bound' "$LOGS"/*.log | sort -g -k 3 | tail -n 1
echo "left out:"
grep -hiE '\<not (run|compared|reached)\>' "$LOGS"/*.log | sed 's/^/    /' | sort -u || echo "    nothing"
echo "$(rustc --version); $(uname -sm); $(nproc) processors; $((SECONDS / 60)) min $((SECONDS % 60)) s"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
