#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The reader of FAT: what mkfs.fat and mtools have written, in FAT12, FAT16 and FAT32; and damaged file systems, which
# it must survive.
source tests/host/common.bash
cat >ask.c <<'END2'
#include "installer/fat.h"
#include "storage/port.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct want {
	const struct fat *fat;
	const char *path;
};
static int show(void *context, const struct fat_entry *e)
{
	const struct want *w = context;
	size_t length = strcspn(w->path, "/");
	struct want deeper = {w->fat, w->path + length + 1};
	char name[FAT_NAME], *data;
	long bytes;

	snprintf(name, sizeof name, "%.*s", (int)length, w->path);
	if (!fat_same_name(e->name, name))
		return 0;
	if (e->is_directory)
		return w->path[length] ? fat_list(w->fat, e, show, &deeper) : 0;
	data = malloc(1 << 20);
	bytes = fat_read(w->fat, e, data, 1 << 20);
	if (bytes > 0)
		fwrite(data, 1, bytes, stdout);
	free(data);
	return bytes < 0 ? -1 : 1;
}
int main(int count, char **words)
{
	const struct target target = {.path = words[1], .fd = open(words[1], O_RDONLY)};
	struct fat fat;

	(void)count;
	if (fat_open(&fat, &target, strtoull(words[2], NULL, 10), strtoull(words[3], NULL, 10)))
		return 3;
	return 1 - fat_list(&fat, NULL, show, &(struct want){&fat, words[4]});
}
END2
gcc -std=gnu11 -O1 -g -I"$root" -D_GNU_SOURCE -fsanitize=address,undefined -fno-sanitize-recover=undefined -o ask ask.c \
	"$root"/installer/{fat,target,port}.c
head -c 150000 /dev/urandom >large
seq 2000 >lines
at=1048576
# made BITS MIB: a file system behind 1 MiB of other things, as a partition is.
made() {
	rm -f part
	truncate -s "$2M" part
	mkfs.fat -F "$1" -s 1 part >/dev/null
	mmd -i part ::/EFI ::/EFI/BOOT ::/EFI/underseal-of-debian
	for n in $(seq 40); do mcopy -i part lines "::/EFI/another long name $n.text"; done
	mdel -i part '::/EFI/another long name 7.text'
	mcopy -i part lines ::/EFI/BOOT/underseal.conf
	mcopy -i part large ::/EFI/underseal-of-debian/UNDERSEAL.CONF
	mcopy -i part lines ::/SHORT.TXT
	head -c $at /dev/urandom >disk
	cat part >>disk
	size=$(stat -c %s part)
}
for kind in '12 1' '16 8' '32 40'; do
	# shellcheck disable=SC2086
	made $kind
	echo "== FAT${kind% *}"
	./ask disk $at "$size" EFI/BOOT/underseal.conf | cmp - lines || fail "a file with a long name"
	./ask disk $at "$size" efi/underseal-OF-debian/underseal.conf | cmp - large || fail "a file of many clusters"
	./ask disk $at "$size" short.txt | cmp - lines || fail "a file with a short name"
	./ask disk $at "$size" 'EFI/another long name 40.text' | cmp - lines || fail "a directory of many clusters"
	for missing in EFI/BOOT/other.conf 'EFI/another long name 7.text' EFI/BOOT/underseal.con OTHER/x; do
		code=0
		./ask disk $at "$size" "$missing" >out || code=$?
		[ $code = 1 ] && [ ! -s out ] || fail "found $missing"
	done
done

echo "== no FAT"
for bytes in 0 100 $((size / 2)); do
	code=0
	./ask disk $at $bytes SHORT.TXT >out 2>&1 || code=$?
	[ $code = 3 ] || fail "a file system in $bytes bytes"
done
code=0
./ask disk 0 $at SHORT.TXT || code=$?
[ $code = 3 ] || fail "a file system in noise"

echo "== a chain that turns back"
made 16 8
/usr/bin/python3 - <<'END2'
import struct
f = open("disk", "r+b")
f.seek(1 << 20)
boot = f.read(64)
table = struct.unpack_from("<H", boot, 14)[0] * struct.unpack_from("<H", boot, 11)[0]
f.seek((1 << 20) + table + 4)
for cluster in range(2, 1000):
    f.write(struct.pack("<H", cluster))
END2
code=0
timeout 60 ./ask disk $at "$size" EFI/none 2>err || code=$?
[ $code = 2 ] || fail "exit code $code from a directory without an end"

echo "== damage"
for kind in '12 1' '16 8' '32 40'; do
	# shellcheck disable=SC2086
	made $kind
	cp disk whole
	/usr/bin/python3 - "$size" <<'END2'
import random, subprocess, sys
random.seed(1)
whole, at, ends = open("whole", "rb").read(), 1 << 20, set()
for run in range(60):
    with open("disk", "r+b") as f:
        places = [at + random.randrange(11, 64)] if run % 2 else [at + random.randrange(60000) for _ in range(400)]
        for place in places:
            f.seek(place)
            f.write(bytes([random.choice((0, 1, 255, random.randrange(256)))]))
    for path in ("EFI/underseal-of-debian/underseal.conf", "EFI/BOOT/none"):
        done = subprocess.run(["./ask", "disk", str(at), sys.argv[1], path], capture_output=True, timeout=60)
        assert done.returncode in (0, 1, 2, 3), done.stderr.decode(errors="replace")
        assert b"runtime error" not in done.stderr and b"Sanitizer" not in done.stderr, done.stderr.decode(errors="replace")
        ends.add(done.returncode)
    with open("disk", "r+b") as f:
        for place in places:
            f.seek(place)
            f.write(whole[place:place + 1])
assert len(ends) > 1, ends
END2
done
