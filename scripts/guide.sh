#!/bin/sh
# Makes docs/guide.md: goes through it as a new user would, with the tool that was built, and writes down what is printed.
# Run by `make guide`.
set -eu
tool=${TOMBOLO_TOOL:-$(pwd)/Tools/.build/release/tombolo}
directory=$(mktemp -d)
trap 'halt ann 2>/dev/null || true; halt dora 2>/dev/null || true; rm -rf "$directory"' EXIT
cd "$directory"

# Runs a command as somebody, and shows it with what it prints. What begins with `!` is expected to be refused.
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

# The device listens in the background, at a port of its own choosing the first time.
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

What follows was typed and printed as it stands here (`make guide` does it again): three people, one of them with two devices, in a private group: only its members write and read. The prompt says whose device it is.

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
A link is for one device, and a week. Ann's device runs, in another terminal, while the others use theirs (`tombolo run --host ADDRESS --port PORT`; here all three are on one machine).
TEXT
run ann "$port"
begin
as bob init
as bob group join "$(sed -n 2p link1)"
end
quietly cem init
quietly cem group join "$(sed -n 2p link2)"
echo "Cem joins in the same way, by a link that was made with \`--role admin\`."
cat << 'TEXT'

## Talk

Whatever is said is on the device at once, and reaches the others when two devices meet: by `sync`, or while both run. (`tombolo chat` does all of it in one window.)
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
echo "It is used within ten minutes, on a device that has nothing yet, while Ann's phone runs:"
run ann "$port"
begin
as laptop device join "$(sed -n 2p link3)" --name laptop
as laptop log
as laptop send --name ann 'from my laptop'
as laptop sync
as laptop device list
end
cat << 'TEXT'
Both are Ann to everyone. Groups that one joins, and what is read on one, are the other's from the next time that they meet.

## Send a file

Ann's device fetches it while Bob's syncs, since it is below 4 MB (`tombolo file limit` says how much a device takes by itself); of larger ones, `tombolo get` fetches what is missing, from all peers that have some of it.
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
# The two seconds are over sooner or later.
until as cem log | grep -q expired; do quietly cem sync; done
as cem log
as cem why "$id"
end
cat << 'TEXT'
The two seconds of the door code were over when Cem looked again: it has gone from his device, too, and from the files. Cem is an admin, and lets everything from now on go away after four weeks.
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
echo 'What Bob said without knowing of his removal is held back on every device. If the removal is undone (`tombolo member set KEY member`), it is there again. What Cem says now still reaches a device of Bob, which cannot read it:'
begin
as cem send --name cem 'among us' | tee among
as cem sync
as bob sync
as bob log
as bob why "$(sed -n 2p among | cut -c1-8)"
end
cat << 'TEXT'
It was sealed under a new secret, which no device hands to who is not a member any more.

## Carry it by hand

Cem goes to sea, where there is no network. A memory stick goes to Ann's laptop, and another one comes back:
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
The second stick has what Cem's device lacked, and no more. Who finds one of them learns how large it is.

## Keep less

Cem's device is small. It keeps the latest two messages of others, and all of its own; later it has room again:
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

What was taken back, or has expired, still says that somebody said something, and when. Dora and Emil have a group of their own, and would rather not know:
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
Emil's device has agreed by itself: it had all of it, and nothing was left to read. From then on neither device knows that there was a first message, nor takes it from a third one that does.

## Hide a group

For a while Dora wants to hear what Emil says, and not to be heard:
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
With `invisible` Emil's devices would not even have seen that Dora's has the group.

## Lose a device's store, and get it back

Before anything happens: what would come back?
TEXT
begin
as cem drill
end
echo "And when it has happened, a part of Cem's database being overwritten:"
size=$(wc -c < cem/tombolo.sqlite)
dd if=/dev/zero of=cem/tombolo.sqlite bs=1 seek=$((size / 2)) count=$((size / 9)) conv=notrunc 2> /dev/null
begin
as cem recover
as cem log
as cem verify
end
echo '## Lock the keys'
halt ann
echo 'The laptop leaves the house, and its files are of no use to who finds it while it is off, without the passphrase:'
printf 'the tide is out\n' > passphrase
begin
as laptop passphrase set --new-passphrase-file passphrase
as laptop ! log
as laptop log --passphrase-file passphrase
end
echo 'At a terminal, commands ask. Ann forgets to lock it again, though:'
begin
as laptop passphrase remove --passphrase-file passphrase
end
echo '## Lose a device'
begin
as ann device remove laptop
as ann device list
end
echo 'What is printed is the signed statement. It holds in the groups in which the laptop has written, and wherever else somebody posts it (`tombolo device post LINK`). Who has found the laptop:'
run ann "$port"
begin
as laptop send --name ann 'I need your help'
as laptop sync
as cem sync
as cem log
as laptop ! send --name ann 'quickly'
end
