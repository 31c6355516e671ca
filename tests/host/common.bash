# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of the underseal command: small disks, cheap key derivation, one judge.
set -euo pipefail
make -s tool T= >/dev/null
root=$PWD B=${B:-build}
judge="/usr/bin/python3 $PWD/tests/host/judge.py"
mkgpt="/usr/bin/python3 $PWD/tests/host/mkgpt.py"
here=$PWD/tests/host
# In memory where there is room: these tests sync thousands of times, and lose processes, not power.
memory=$(df --output=avail -m /dev/shm 2>/dev/null | tail -n 1) || memory=0
if [ "${memory:-0}" -gt 512 ]; then
	work=$(mktemp -d -p /dev/shm)
else
	work=$(mktemp -d)
fi
trap 'rm -rf "$work"' EXIT
cd "$work"

# libcryptsetup measures for seconds how fast this machine is, by its own CPU time; here that time flies.
cat >fast.c <<'END'
#include <string.h>
#include <sys/resource.h>
int getrusage(__rusage_who_t who, struct rusage *usage)
{
	static long seconds;

	(void)who;
	memset(usage, 0, sizeof *usage);
	usage->ru_utime.tv_sec = seconds++;
	return 0;
}
END
gcc -shared -fPIC -D_GNU_SOURCE -o fast.so fast.c
printf '#!/bin/sh\nexec env LD_PRELOAD="%s${LD_PRELOAD:+:$LD_PRELOAD}" %s "$@"\n' "$work/fast.so" "$root/$B/underseal" >underseal
chmod +x underseal
underseal=$work/underseal

printf 'correct horse\n' >pass
printf 'battery staple\n' >wrong
cheap=(--passphrase-file pass --pbkdf-memory 64 --iter-time 1)

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# expect CODE TEXT COMMAND...: the command's exit code, and words of its message.
expect() {
	local code=$1 text=$2 got=0
	shift 2
	"$@" >out 2>&1 </dev/null || got=$?
	[ $got = "$code" ] || { cat out; fail "exit code $got instead of $code from: $*"; }
	grep -qe "$text" out || { cat out; fail "no \"$text\" from: $*"; }
}

# lock_image: bytes of `disk` are locked as a virtual machine does, until unlock_image.
lock_image() {
	/usr/bin/python3 -c '
import fcntl, struct, sys, time
f = open("disk", "r+b")
fcntl.fcntl(f, 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 100, 101, 0))  # F_OFD_SETLK, as QEMU does
print("locked", flush=True)
time.sleep(60)' >locked &
	locker=$!
	while [ ! -s locked ]; do sleep 0.05; done
}
unlock_image() {
	kill $locker
	wait $locker 2>/dev/null || true
}
