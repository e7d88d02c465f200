#!/usr/bin/env bash
# Kills one side of a sync with SIGKILL at random instants, verifies both stores after each kill, and syncs to the end.
# usage: scripts/crash-test.sh [ROUNDS] [EVENTS]
set -euo pipefail
rounds=${1:-20} events=${2:-20000}
tool=${TOMBOLO_TOOL:-Tools/.build/release/tombolo}
work=$(mktemp -d)
trap 'kill -9 $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
port=$((20000 + RANDOM % 20000))
RANDOM=${SEED:-1}
echo "seed ${SEED:-1}, $rounds rounds, $events events"

awk -v n="$events" 'BEGIN { srand(1); for (i = 0; i < n; i++) {
    parents = i ? "\"e" i - 1 "\"" : ""; text = ""
    for (j = 0; j < 25; j++) text = text sprintf("%d", rand() * 1000000000)
    printf "{\"id\":\"e%d\",\"parents\":[%s],\"author\":\"a%d\",\"time\":%d,\"text\":\"%s\"}\n", i, parents, int(rand() * 20), 1700000000000 + i, text } }' > "$work/all.jsonl"

start() { # retries, since the killed listener's port may linger
    "$tool" run --data "$work/a" --port "$port" > "$work/run.log" 2>&1 &
    listener=$!
    for _ in $(seq 100); do grep -q listening "$work/run.log" && return; sleep 0.05; done
    echo "the listener did not start"; cat "$work/run.log"; exit 1
}

"$tool" init --data "$work/a" > /dev/null
"$tool" group create crash --data "$work/a" > /dev/null
link=$("$tool" group invite --data "$work/a" --address "127.0.0.1:$port")
start
"$tool" init --data "$work/b" > /dev/null
"$tool" group join "$link" --data "$work/b" > /dev/null
kill "$listener"; wait "$listener" 2>/dev/null || true
"$tool" import --data "$work/a" "$work/all.jsonl" > /dev/null

cp -r "$work/b" "$work/empty"
held=0 within=0
for round in $(seq "$rounds"); do
    start
    "$tool" sync --data "$work/b" > /dev/null 2>&1 &
    dialler=$!
    sleep "$(printf "0.%03d" $((RANDOM % 320 + 20)))"
    if ((RANDOM % 2)); then victim=$listener; else victim=$dialler; fi
    kill -9 "$victim" 2>/dev/null || true
    wait "$victim" 2>/dev/null || true
    wait "$dialler" 2>/dev/null || true
    kill "$listener" 2>/dev/null || true
    wait "$listener" 2>/dev/null || true
    "$tool" verify --data "$work/a" > /dev/null || { echo "round $round: A is damaged"; exit 1; }
    "$tool" verify --data "$work/b" > /dev/null || { echo "round $round: B is damaged"; exit 1; }
    now=$("$tool" status --data "$work/b" --json | sed 's/.*"held":\([0-9]*\).*/\1/')
    ((now >= held)) || { echo "round $round: B held $held events and now $now"; exit 1; }
    ((now > held && now < events)) && within=$((within + 1))
    held=$now
    ((round % 20)) || echo "$round kills, $within of them within the transfer"
    if ((now == events)); then # from the beginning again
        rm -rf "$work/b"; cp -r "$work/empty" "$work/b"; held=0
    fi
done
start
"$tool" sync --data "$work/b"
kill "$listener"; wait "$listener" 2>/dev/null || true
a=$("$tool" status --data "$work/a" --json) b=$("$tool" status --data "$work/b" --json)
[ "$a" = "$b" ] || { echo "the two differ: $a $b"; exit 1; }
echo "$rounds kills survived, $within of them when B held some events but not all; both hold $events events and are equal"
