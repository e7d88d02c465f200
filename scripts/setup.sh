#!/bin/sh
# Checks that a Swift toolchain and the system libraries are installed. It installs missing libraries if it may do so
# without a question.
set -eu

if ! command -v swift >/dev/null 2>&1; then
    echo "error: there is no Swift toolchain: install Swift 6.2 or newer from https://swift.org/install" >&2
    exit 2
fi

[ "$(uname -s)" = Linux ] || exit 0
missing=""
[ -e /usr/include/sqlite3.h ] || missing="$missing libsqlite3-dev"
[ -e /usr/include/libdeflate.h ] || missing="$missing libdeflate-dev"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing$missing…"
    # shellcheck disable=SC2086
    { apt-get update && apt-get install -y $missing; } >/dev/null
else
    echo "error: system libraries are missing. Run: sudo apt-get install -y$missing" >&2
    exit 2
fi
