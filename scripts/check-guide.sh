#!/bin/sh
# Makes the guide again and compares it with docs/guide.md. Keys, ids, links, times and figures differ in every run, and
# are left out of the comparison. So is the order of lines, since some lists are ordered by keys.
# Run by `make test-long`; usage: scripts/check-guide.sh [NEW-FILE]
set -eu
new=${1:-$(mktemp)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
scripts/guide.sh > "$new"

# Prints the words and the punctuation of a file.
plain() {
    sed -E -e 's/tombolo:(join|device|removal)\?[A-Za-z0-9_-]+/tombolo:\1?LINK/g' \
        -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z/TIME/g' \
        -e 's/(^|[^0-9a-z])([0-9a-f]{64}|[0-9a-f]{8})([^0-9a-z]|$)/\1KEY\3/g' \
        -e 's/(^|[^0-9a-z])([0-9a-f]{64}|[0-9a-f]{8})([^0-9a-z]|$)/\1KEY\3/g' \
        -e 's/[0-9]+(\.[0-9]+)?/N/g' "$1" | sort
}

plain docs/guide.md > "$work/old"
plain "$new" > "$work/new"
if ! diff -u "$work/old" "$work/new"; then
    echo "error: docs/guide.md is not what the tool prints now: run make guide, and read the difference" >&2
    exit 1
fi
echo "docs/guide.md is what the tool prints: $(grep -c '' "$new") lines"
