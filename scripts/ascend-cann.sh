# shellcheck shell=bash
# Sourced by the scripts for Ascend: where CANN is.

# Sets CANN to the folder of the toolkit that holds the file or folder $1; false if there is none. CANN_TRIED says where it looked.
find_cann() {
    local place
    CANN_TRIED=
    for place in "${ASCEND_HOME_PATH:-}" "${ASCEND_TOOLKIT_HOME:-}" /usr/local/Ascend/ascend-toolkit/latest /usr/local/Ascend/cann; do
        [ -n "$place" ] || continue
        # shellcheck disable=SC2034
        CANN=$place
        [ -e "$place/$1" ] && return
        CANN_TRIED+=" $place"
    done
    return 1
}
