#!/bin/sh
# Makes docs/guide.md: runs its commands as a new user would, with the built tool, and records their output.
# Run by `make guide`.
set -eu
tool=${TOMBOLO_TOOL:-$(pwd)/Tools/.build/release/tombolo}
directory=$(mktemp -d)
trap 'halt ann 2>/dev/null || true; halt dora 2>/dev/null || true; rm -rf "$directory"' EXIT
cd "$directory"

# Runs a command as a person, and shows it with its output. A command that begins with `!` is expected to be refused.
as() {
    who=$1; shift
    refused=no
    if [ "$1" = "!" ]; then refused=yes; shift; fi
    printf '%s$ tombolo' "$who"
    for word in "$@"; do
        case $word in *[!A-Za-z0-9./:=_-]*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac
    done
    printf '\n'
    if TOMBOLO_DATA=$directory/$who "$tool" "$@" > out 2>&1; then
        [ $refused = no ] || { echo "guide: this should have been refused" >&2; exit 1; }
    else
        [ $refused = yes ] || { cat out >&2; exit 1; }
    fi
    sed "s|$directory/|…/|g" out
}

quietly() { as "$@" > /dev/null; }

# Lets the device listen in the background. The first time it chooses a port.
run() {
    : > "$1.out"
    TOMBOLO_DATA=$directory/$1 "$tool" run --port "$2" > "$1.out" 2>&1 &
    echo $! > "$1.pid"
    until grep -q 'listening on' "$1.out"; do :; done
    port=$(sed -n 's/.*listening on 127.0.0.1:\([0-9]*\).*/\1/p' "$1.out")
}

halt() { pid=$(cat "$1.pid"); kill "$pid"; wait "$pid" 2> /dev/null || true; rm "$1.pid"; }

begin() { echo; echo '```console'; }
end() { echo '```'; echo; }

cat << 'TEXT'
# A guide: a group, from its making to what is left of it

This page shows a session as it was typed and printed (`make guide` repeats it). Three people, one of them with two
devices, share a private group, in which only members write and read. The prompt names the device.

## Make a group, invite, join
TEXT
begin
as ann init
as ann group create crew --policy private
run ann 0; halt ann
as ann group invite --address "127.0.0.1:$port" | tee link1
as ann group invite --role admin --address "127.0.0.1:$port" > link2
end
cat << 'TEXT'
A link admits one device and is valid for a week. Ann's device runs in another terminal while the others join
(`tombolo run --host ADDRESS --port PORT`; here all three are on one machine).
TEXT
run ann "$port"
begin
as bob init
as bob group join "$(sed -n 2p link1)"
end
quietly cem init
quietly cem group join "$(sed -n 2p link2)"
echo "Cem joins in the same way, with a link that was made with \`--role admin\`."
cat << 'TEXT'

## Talk

A message is on the sender's device at once. It reaches the others when two devices meet: by `sync`, or while both run.
(`tombolo chat` does all of this in one window.)
TEXT
begin
as bob send --name bob 'the tide is out at six'
as bob send --name bob 'my address is 7 Pier Road' | tee address
as bob send --name bob --expires 2s 'the door code is 4711'
as bob sync
as cem sync
as cem log
end
echo '## Link a second device'
halt ann
begin
as ann device link --address "127.0.0.1:$port" --name phone | tee link3
end
echo "Ann uses the link within ten minutes on a new device, while her phone runs:"
run ann "$port"
begin
as laptop device join "$(sed -n 2p link3)" --name laptop
as laptop log
as laptop send --name ann 'from my laptop'
as laptop sync
as laptop device list
end
cat << 'TEXT'
Both devices are Ann to all others. Groups that one joins, and its read marks, follow to the other at their next meeting.

## Send a file

Ann's device fetches the file while Bob's syncs, since it is below 4 MB (`tombolo file limit` prints the limit). For
larger files, `tombolo get` fetches the missing pieces from all peers that have some.
TEXT
head -c 3000000 /dev/urandom > tide.jpg
begin
as bob send --file tide.jpg 'seen from the pier' | tee picture
as bob sync
picture=$(sed -n 2p picture | cut -c1-8)
as cem file limit --automatic 0
as cem sync
as cem file list
as cem get "$picture" --to pier.jpg
as cem file list
end
cmp tide.jpg pier.jpg
echo '## What goes away'
begin
id=$(sed -n 2p address | cut -c1-8)
as bob redact "$id" --reason 'not for everyone'
as bob sync
as cem sync
# Waits until the two seconds are over.
until as cem log | grep -q expired; do quietly cem sync; done
as cem log
as cem why "$id"
end
cat << 'TEXT'
The door code expired after two seconds: it has left Cem's device, too, and its files. Cem is an admin, and lets all
messages from now on expire after four weeks.
TEXT
begin
as cem group expiry 4w
as cem group expiry
end
echo '## Remove a member'
begin
bob=$(TOMBOLO_DATA=$directory/bob "$tool" id | sed -n 's/^member //p' | cut -c1-8)
as cem member remove "$bob"
as bob send --name bob 'I have not heard of it yet'
as cem sync
as bob sync
as bob log
as bob ! send --name bob 'and now?'
as cem member list
end
echo 'Messages that Bob sent without knowing of his removal are held back on every device. They return if the removal is
undone (`tombolo member set KEY member`). A message that Cem sends now still reaches the device of Bob, which cannot read
it:'
begin
as cem send --name cem 'among us' | tee among
as cem sync
as bob sync
as bob log
as bob why "$(sed -n 2p among | cut -c1-8)"
end
cat << 'TEXT'
The message is encrypted with a new secret, which no device sends to a removed member.

## Carry it by hand

Cem goes to sea, where there is no network. One memory stick goes to Ann's laptop, and another one comes back:
TEXT
begin
as cem send --name cem 'written at sea'
as cem bundle write stick-1
as laptop bundle read stick-1
as laptop send --name ann 'read at the desk'
as laptop bundle write stick-2 --for stick-1
as cem bundle read stick-2
as cem log
end
cat << 'TEXT'
The second stick has only what Cem's device lacked. A stranger that finds a stick learns only its size.

## Keep less

Cem's device has little room. It keeps the latest two messages of others, and all of its own. Later it has room again:
TEXT
begin
as cem group keep --count 2
as cem log
as cem group keep --all
as cem sync
as cem log
end
cat << 'TEXT'
## Forget

A redacted or expired message still shows that somebody sent something, and when. Dora and Emil have a group of their
own, and want to forget that as well:
TEXT
begin
quietly dora init
quietly emil init
as dora group create door --policy private
as dora send --name dora 'the code is 4711' | tee code
as dora redact "$(sed -n 2p code | cut -c1-8)"
as dora send --name dora 'the code is in the drawer'
crew=$port
run dora 0; halt dora
as dora group invite --address "127.0.0.1:$port" > link3
run dora "$port"
as emil group join "$(sed -n 2p link3)"
as emil sync
as emil log
halt dora
as dora group checkpoint --propose
run dora "$port"
as emil sync
as emil group checkpoint
as emil log
halt dora
end
cat << 'TEXT'
Emil's device passed the checkpoint by itself, since it held all of these events and could read none. From then on
neither device knows that there was a first message, nor accepts it from a third device that has it.

## Hide a group

For a while Dora wants to receive messages of Emil, but to send him none:
TEXT
begin
emil=$(TOMBOLO_DATA=$directory/emil "$tool" id | sed -n 's/^member //p' | cut -c1-8)
as dora group visibility "$emil" visible
as dora send --name dora 'I have lost the key'
as emil send --name emil 'the drawer sticks'
run dora "$port"
as emil sync
as emil log
halt dora
as dora log
as dora group visibility "$emil" shared
run dora "$port"
as emil sync
as emil log
halt dora
port=$crew
end
cat << 'TEXT'
With `invisible`, Emil's devices would not even have seen that Dora's device has the group.

## Lose a device's store, and get it back

Before anything is lost, a drill tests what would come back:
TEXT
begin
as cem drill
end
echo "Now a part of Cem's database is overwritten:"
size=$(wc -c < cem/tombolo.sqlite)
dd if=/dev/zero of=cem/tombolo.sqlite bs=1 seek=$((size / 2)) count=$((size / 9)) conv=notrunc 2> /dev/null
begin
as cem recover
as cem log
as cem verify
end
echo '## Lock the keys'
halt ann
echo 'The laptop leaves the house. A thief of its files cannot use them without the passphrase while the laptop is off:'
printf 'the tide is out\n' > passphrase
begin
as laptop passphrase set --new-passphrase-file passphrase
as laptop ! log
as laptop log --passphrase-file passphrase
end
echo 'At a terminal, commands ask for the passphrase. Ann removes it, and forgets to set it again:'
begin
as laptop passphrase remove --passphrase-file passphrase
end
echo '## Lose a device'
begin
as ann device remove laptop
as ann device list
end
echo 'The printed link is the signed statement. It holds in the groups in which the laptop has written, and in any other
group in which a member posts it (`tombolo device post LINK`). A thief now uses the laptop:'
run ann "$port"
begin
as laptop send --name ann 'I need your help'
as laptop sync
as cem sync
as cem log
as laptop ! send --name ann 'quickly'
end
