#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# rotate: a new recovery key and a new escrow, and the old ones gone only when the new ones are there and were shown.
source tests/host/escrow.bash
printf 'battery staple' >key2
"$underseal" enroll disk "${cheap[@]}" --passphrase --new-passphrase-file wrong 2>log
for n in 1 2; do
	"$underseal" enroll disk "${cheap[@]}" --recovery-key >shown$n 2>log
	head -c -1 shown$n >recovery$n
done
cp disk bare
"$underseal" enroll disk --passphrase-file pass --escrow one.pem --escrow-file first 2>log
"$underseal" enroll disk --passphrase-file pass --escrow two.pem 2>log
cp disk good
printf "neither\n" >neither
rotate=("$underseal" rotate disk --passphrase-file pass)

echo "== both"
"${rotate[@]}" --escrow two.pem --escrow-file second >shown 2>log || { cat log; fail "rotate"; }
head -c -1 shown >recovery
[ "$(wc -l <shown)" = 1 ] && ! grep -qF "$(cat shown)" log || fail "not shown exactly once"
opens recovery 4 && opens key 0 && opens key2 1 || fail "what shall open it"
! opens recovery1 && ! opens recovery2 || fail "an old recovery key still opens it"
keys '[(n, i["kind"]) for n, i in s.items()]' "[(0, 'passphrase'), (1, 'passphrase'), (4, 'recovery-key')]"
keys 'sorted(i["type"] for i in t.values())' "['systemd-recovery', 'underseal', 'underseal-escrow']"
unwrapped two second || fail "the new escrow"
header_out
cryptsetup luksDump --dump-json-metadata header >json
/usr/bin/python3 - <<'END2' || fail "the token is not what the file is"
import json
token, = [t for t in json.load(open("json"))["tokens"].values() if t["type"] == "underseal-escrow"]
assert token["record"] == open("second").read().split("-----BEGIN CMS-----")[0]
END2
unwrapped one first || fail "the old file"
copies

echo "== by the old recovery key, and no escrow where there was none"
cp bare disk
"$underseal" rotate disk --passphrase-file shown1 >shown 2>log || { cat log; fail "by a recovery key"; }
head -c -1 shown >recovery
opens recovery 4 && opens key 0 && ! opens recovery1 && ! opens recovery2 || fail "the keys"
keys 'sorted(i["type"] for i in t.values())' "['systemd-recovery', 'underseal']"
"${rotate[@]}" --escrow one.pem >shown 2>log || { cat log; fail "a first escrow"; }
keys '[(n, i["kind"]) for n, i in s.items()][2:], len(t)' "[(2, 'recovery-key')] 3"

echo "== refused"
cp good disk
untouched 3 'the header has an escrow' "${rotate[@]}"
untouched 3 'first exists already' "${rotate[@]}" --escrow one.pem --escrow-file first
untouched 1 'no certificate' "${rotate[@]}" --escrow one.key
untouched 4 'wrong passphrase' "$underseal" rotate disk --passphrase-file neither --escrow one.pem
untouched 2 'escrow-file goes with' "${rotate[@]}" --escrow-file third
untouched 2 'rotate takes one TARGET' "$underseal" rotate --escrow one.pem

echo "== a new key that nobody has seen"
expect 1 'could not be shown: nothing was removed' bash -c '"$@" >/dev/full' . "${rotate[@]}" --escrow one.pem
opens recovery1 2 && opens recovery2 3 || fail "an old recovery key"
keys '[i["type"] for i in t.values()].count("underseal-escrow")' 3

echo "== stopped at every write"
cat >stop.c <<'END2'
/* The process ends before write number STOP to the file `disk`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
ssize_t pwrite(int fd, const void *buffer, size_t bytes, off_t at)
{
	static int calls;
	char link[64], path[512];
	ssize_t length;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof path - 1);
	path[length > 0 ? length : 0] = 0;
	if (length > 5 && !strcmp(path + length - 5, "/disk") && ++calls == atoi(getenv("STOP")))
		_exit(99);
	return ((ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite"))(fd, buffer, bytes, at);
}
END2
gcc -shared -fPIC -o stop.so stop.c
for ((stop = 1; ; stop++)); do
	cp good disk
	rm -f third
	got=0
	env LD_PRELOAD="$work/stop.so" STOP=$stop "${rotate[@]}" --escrow one.pem --escrow-file third >shown 2>log || got=$?
	[ $got != 0 ] || break
	[ $got = 99 ] || { cat log; fail "exit code $got"; }
	head -c -1 shown >recovery
	opens key 0 || fail "write $stop left what the passphrase does not open"
	if [ -s recovery ]; then
		opens recovery || fail "the key that was shown opens nothing after write $stop"
	else
		opens recovery1 2 && opens recovery2 3 || fail "an old key is gone before a new one is shown, at write $stop"
	fi
	unwrapped one third || fail "no escrow file at write $stop"
	"$underseal" list disk | grep 'underseal-escrow' >/dev/null || fail "no escrow in the header at write $stop"
done
[ $stop -gt 12 ] || fail "only $stop writes"
