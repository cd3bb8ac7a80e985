#!/bin/sh
# Runs a command in a session of its own, whose scheduling group goes before those of other sessions (Linux, as root).
# Without that, a neighbour's build takes its share of the processor whatever its niceness is.
#
#   benches/alone.sh cargo bench --bench passes
exec setsid --wait sh -c '
    echo -19 2>/dev/null >/proc/self/autogroup || echo "alone.sh: could not raise the priority of this session" >&2
    exec "$@"' alone "$@"
