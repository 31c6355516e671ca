# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of secrets in memory: what a command has left there when it ends.
cat >dump.c <<'END'
/* Copies every writable mapping to the file DUMP names when the process exits. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
__attribute__((destructor)) static void dump(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	int memory = open("/proc/self/mem", O_RDONLY), out = open(getenv("DUMP"), O_CREAT | O_TRUNC | O_WRONLY, 0600);
	static char line[512], page[4096];
	unsigned long from, to;
	char mode[8];

	while (maps && fgets(line, sizeof line, maps)) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[1] != 'w' || strstr(line, "[v"))
			continue;
		for (; from < to; from += sizeof page)
			if (pread(memory, page, sizeof page, from) == sizeof page &&
			    write(out, page, sizeof page) != sizeof page)
				abort();
	}
}
END
gcc -shared -fPIC -O1 -o dump.so dump.c

cat >search.py <<'END'
"""search.py DUMP PATTERN-FILE...: fails when the dump holds any of them (a key: either half)."""
import sys
dump = open(sys.argv[1], "rb").read()
assert len(dump) > 100000, "an empty dump"
assert b"DUMP=" in dump, "the stack is not in the dump"
for name in sys.argv[2:]:
    text = open(name, "rb").read().rstrip(b"\n")
    for part in ([text] if len(text) < 64 else [text[:32], text[32:]]):
        at = dump.find(part)
        assert at < 0, f"{name} is in memory, at {at:#x} of the dump"
END

# left CODE FILE...: runs the command to its end with exit code CODE, then looks for the files' contents.
left() {
	local code=$1
	shift
	expect "$code" . env LD_PRELOAD="$work/dump.so" DUMP="$work/memory" "${command[@]}"
	/usr/bin/python3 search.py memory "$@"
}
