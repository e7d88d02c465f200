#!/bin/sh
# Digests of the simulator's reports: one line for each scenario and seed. A change that does not change behaviour keeps
# all lines.
#
#   scripts/frozen-reports.sh                 prints the lines
#   scripts/frozen-reports.sh --write FILE    writes them
#   scripts/frozen-reports.sh --check FILE    compares them with the file, and shows the lines that differ
#
# TOMBOLO_TOOL is the path of the tool, SEEDS the number of seeds for a scenario (25). Slow scenarios have fewer or
# none, as listed below. The largest that run use the stand-in cryptography, so that the engine takes most of the time.
set -eu
export LC_ALL=C
tool=${TOMBOLO_TOOL:-Tools/.build/release/tombolo}
seeds=${SEEDS:-25}
export tool

# One run. The report has only simulated times and bytes: nothing of the machine's clock, memory or processor. A run
# that breaks a promise has a line as well.
if [ "${1:-}" = --one ]; then
    case $2 in
        many | topic | topic-helper | pairs | pairs-helper) set -- "$1" "$2" "$3" --cryptography standIn ;;
    esac
    scenario=$2 seed=$3
    shift 3
    report=$("$tool" simulate run "$scenario" --seed "$seed" "$@" --json 2>/dev/null) || report="broken: $report"
    sum=$(printf '%s\n' "$report" | sha256sum | cut -d' ' -f1)
    printf '%s %s %s\n' "$scenario" "$seed" "$sum"
    exit 0
fi

scenarios() {
    "$tool" simulate list | awk '/^Scenarios:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'
}

# The most seeds of a scenario. Those of 1,000 and more devices are left out: a seed of many-1000, and one of
# pairs-1000, was stopped after a minute of processor time.
most() {
    case $1 in
        *-1000 | *-10000) echo 0 ;;
        many | topic | topic-helper | pairs | pairs-helper) echo 5 ;;
        crowd) echo 10 ;;
        *) echo "$seeds" ;;
    esac
}

lines() {
    for scenario in $(scenarios); do
        count=$(most "$scenario")
        [ "$count" -le "$seeds" ] || count=$seeds
        seed=1
        while [ "$seed" -le "$count" ]; do
            echo "$scenario $seed"
            seed=$((seed + 1))
        done
    done | xargs -P 2 -n 2 "$0" --one | sort -k1,1 -k2,2n
}

case ${1:-} in
    "") lines ;;
    --write) lines > "$2.new" && mv "$2.new" "$2" ;;
    --check)
        now=$(mktemp)
        trap 'rm -f "$now"' EXIT
        lines > "$now"
        if diff "$2" "$now"; then
            echo "$(wc -l < "$now") reports are as they were"
        else
            echo "reports differ: < was, > is" >&2
            exit 1
        fi ;;
    *) echo "usage: $0 [--write FILE | --check FILE]" >&2; exit 2 ;;
esac
