#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# status, stat and log inside a guest: against a hypervisor played by a C function, and against none.
source tests/host/common.bash

echo "== no hypervisor answers"
for command in status stat log; do
	expect 5 'does not run beneath underseal' "$underseal" $command
	expect 5 'does not run beneath underseal' "$underseal" $command --json
done
expect 5 'does not run beneath underseal' "$underseal" lock
expect 2 'does not take' "$underseal" lock now
expect 2 'does not take' "$underseal" stat disk
expect 2 'unrecognized option' "$underseal" log --verbose
expect 2 'does not take --previous' "$underseal" stat --previous
expect 5 'does not run beneath underseal' "$underseal" log --previous

cat >played.c <<'END'
#include "installer/guest.h"
#include "installer/hypercall.h"
#include <stdlib.h>
#include <string.h>
/* Two CPUs, two counters, one volume, and a log that has lost its first 5 bytes. The start before ended as $END says. */
static const char text[] = "first line of the log\nsecond line\n";
int hypercall(struct hypercall *answer, enum hypercall_function function, uint64_t rcx, uint64_t rdx)
{
	static const char names[2][24] = {"nested-page-fault", "cpuid"};
	uint64_t words[6] = {0};
	struct hypercall a = {HYPERCALL_PAST_END, 0, 0, 0, 0};

	if (getenv("OTHER") && function != HYPERCALL_INFO) {
		a.result = HYPERCALL_UNKNOWN;
	} else if (function == HYPERCALL_INFO) {
		a = (struct hypercall){0, 1ull << 32 | 2 << 16 | 3, 0x6d7673, 2 | (getenv("FAST") ? 1ull << 32 : 0),
			1 | 32ull << 32};
	} else if (function == HYPERCALL_VOLUME && rcx == 0 && rdx == 0) {
		a = (struct hypercall){0, 2048, 4095, 4096 | 5ull << 32, (0x12 << 8 | 0x1f << 3 | 2) |
			(getenv("CONTROLLER") ? strtoull(getenv("CONTROLLER"), NULL, 0) : 1) << 32};
	} else if (function == HYPERCALL_VOLUME && rcx == 0 && rdx < 3) {
		memcpy(words, "00112233-4455-6677-8899-aabbccddeeff", 36);
		memcpy(&a.rbx, words + 3 * (rdx - 1), 24);
		a.result = 0;
	} else if (function == HYPERCALL_COUNTER && rcx < 2 && rdx < 2) {
		memcpy(&a.rcx, names[rdx], 24);
		a.rbx = 1000 * rdx + 10 * rcx + 1;
		a.result = 0;
	} else if (function == HYPERCALL_PREVIOUS_END && getenv("END")) {
		a = (struct hypercall){0, strtoul(getenv("END"), NULL, 0), 2, 0, 0};
	} else if (function == HYPERCALL_LOG) {
		uint64_t at = rcx < 5 ? 5 : rcx, left = sizeof text - 1 - at;

		a = (struct hypercall){0, at, left < 16 ? left : 16, 0, 0};
		memcpy(&a.rdx, text + at, a.rcx);
	}
	*answer = a;
	return 0;
}
int main(int count, char **words)
{
	int json = count > 2, previous = !strcmp(words[1], "previous");
	return !strcmp(words[1], "status") ? guest_status(json) : !strcmp(words[1], "stat") ? guest_stat(json) : guest_log(json, previous);
}
END
# shellcheck disable=SC2046
gcc -std=gnu11 -O1 -g -I"$root" -D_GNU_SOURCE -fsanitize=address,undefined $(pkg-config --cflags json-c) -o played \
	played.c "$root"/installer/{guest,guest_log,report,port}.c -ljson-c

echo "== tables"
expect 0 'underseal 1.2.3 on svm, 2 CPUs, 32 MiB reserved' ./played status
grep -q '00112233-4455-6677-8899-aabbccddeeff  ahci 12:1f.2 port 5, sectors 2048 to 4095, cipher sectors of 4096' out ||
	fail "volume line"
expect 0 'nvme 12:1f.2 namespace 5, sectors 2048' env CONTROLLER=2 ./played status
expect 0 'unknown 12:1f.2 port 5, sectors 2048' env CONTROLLER=9 ./played status
expect 0 '^nested-page-fault  *12  *1  *11$' ./played stat
expect 0 '^cpuid  *2012  *1001  *1011$' ./played stat
expect 0 '5 older bytes are lost' ./played log
[ "$(tail -n +2 out)" = "$(printf ' line of the log\nsecond line')" ] || fail "log text"

expect 0 '^icr=fast: a CPU' env FAST=1 ./played status

echo "== the log of the start before"
expect 1 'no log of the start before' ./played previous
for end in '0 did not see' "1 the system's power-off" "2 the system's reset" '3 panic of the hypervisor' '77 did not see'; do
	expect 0 "${end#* }" env END="${end%% *}" ./played previous
done
expect 0 '"end": "panic"' env END=3 ./played previous json
expect 0 '"panic": 2' env END=3 ./played previous json

echo "== JSON"
./played status --json >status.json
./played stat --json >stat.json
./played log --json >log.json
/usr/bin/python3 - <<'END'
import json
s, c, l = (json.load(open(n + ".json")) for n in ("status", "stat", "log"))
v, = s["volumes"]
assert (s["version"], s["backend"], s["cpus"], s["reserved_mib"], s["icr"]) == ("1.2.3", "svm", 2, 32, "keep")
assert v == {"uuid": "00112233-4455-6677-8899-aabbccddeeff", "first_lba": 2048, "last_lba": 4095, "sector_size": 4096,
             "pci": "12:1f.2", "port": 5, "controller": "ahci"}, v
assert c["counters"][0] == {"name": "nested-page-fault", "total": 12, "cpu": [1, 11]} and len(c["counters"]) == 2
assert l == {"lost": 5, "text": " line of the log\nsecond line\n"}, l
END

expect 0 '"namespace": 5' env CONTROLLER=2 ./played status json
! grep -q '"port"' out || fail "a namespace has no port"

echo "== a hypervisor of another version"
expect 1 'does not answer for a volume' env OTHER=1 ./played status
expect 1 'does not answer for its log' env OTHER=1 ./played log
expect 1 'does not answer for the log of the start before' env OTHER=1 ./played previous
