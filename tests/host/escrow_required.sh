#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# protect under escrow=required: nothing is encrypted before the file and the header hold the volume key, wherever it
# is stopped, and the same command goes on.
source tests/host/common.bash
printf 'correct horse' >key
for name in one two; do
	openssl req -x509 -nodes -newkey rsa:2048 -keyout $name.key -out $name.pem -days 9 -subj /CN=$name 2>/dev/null
done
# policy TEXT: a disk whose ESP has that policy file.
policy() {
	$mkgpt original 12 512 esp:2048:1024 linux:4096:2048
	truncate -s 1M esp
	mkfs.fat esp >/dev/null
	mmd -i esp ::/EFI ::/EFI/BOOT ::/EFI/underseal
	printf '%b' "$1" | mcopy -i esp - ::/EFI/underseal/underseal.conf
	dd if=esp of=original bs=1M seek=2 conv=notrunc status=none
	cp original disk
}
protect=("$underseal" protect disk --partition 2 --offline "${cheap[@]}" --zone-size 1 --header-size 1)
escrow=(--escrow one.pem --escrow two.pem --escrow-file file)

header_out() {
	dd if=disk of=header bs=512 skip="$(sgdisk -p disk | awk '$NF ~ /^underseal:/ {print $2}')" count=2048 status=none
}
# agreed: the header's only escrow is the file, from which both officers unwrap the same.
agreed() {
	header_out
	cryptsetup luksDump --dump-json-metadata header >json
	/usr/bin/python3 - <<'END2' || fail "the token is not what the file is"
import base64, json
record, pem = open("file").read().split("-----BEGIN CMS-----")
token, = [t for t in json.load(open("json"))["tokens"].values() if t["type"] == "underseal-escrow"]
assert token["record"] == record and base64.b64decode(token["cms"]) == base64.b64decode(pem.split("-----END")[0])
END2
	for name in one two; do
		openssl cms -decrypt -binary -inform PEM -in file -recip $name.pem -inkey $name.key -out plain-$name 2>/dev/null ||
			fail "$name cannot unwrap it"
	done
	cmp -s plain-one plain-two || fail "two keys"
}
# kept: and that is the volume key.
kept() {
	agreed
	rm -f volume-key
	cryptsetup -q luksDump --dump-volume-key --volume-key-file volume-key --key-file key header >/dev/null || fail "the volume key"
	head -c 64 plain-one | cmp -s - volume-key || fail "another volume key"
}
untouched() {
	sha256sum disk >before
	expect "$@"
	sha256sum --quiet -c before || fail "the disk was changed by: $*"
}

echo "== refused without"
policy 'tries=5\r\nescrow=required\r\n'
untouched 3 'the policy says escrow=required' "${protect[@]}"
untouched 3 'the policy says escrow=required' "${protect[@]}" --escrow one.pem
untouched 2 'escrow-file goes with --escrow' "${protect[@]}" --escrow-file file
untouched 1 'this is no certificate' "${protect[@]}" --escrow one.key --escrow-file file
echo precious >file
untouched 3 'file exists already' "${protect[@]}" "${escrow[@]}"
untouched 1 'No such file' "${protect[@]}" --escrow one.pem --escrow-file nowhere/file
rm file
printf 'escrow=none\n' >none
expect 0 'is protected' "${protect[@]}" --policy-file none
policy 'escrow=maybe\n'
expect 0 'line 1: escrow must be none or required' "${protect[@]}"
policy '# nothing\n'
printf 'escrow=required' >required
untouched 3 'the policy says escrow=required' "${protect[@]}" --policy-file required
untouched 1 'No such file' "${protect[@]}" --policy-file missing

echo "== done in one go"
policy 'escrow=required\n'
expect 0 'is protected' "${protect[@]}" "${escrow[@]}"
kept
"$underseal" remove disk --token 1 --passphrase-file pass 2>log
$judge disk original 2 pass 512

echo "== stopped at every flush"
cat >stop.c <<'END2'
/* The process ends before flush or rename number STOP. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
static void count(void)
{
	static int calls;

	if (getenv("STOP") && ++calls == atoi(getenv("STOP")))
		_exit(99);
}
int fdatasync(int fd)
{
	count();
	return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
	count();
	return ((int (*)(int, const char *, int, const char *, unsigned))dlsym(RTLD_NEXT, "renameat2"))(from, old, to, new, flags);
}
END2
gcc -shared -fPIC -o stop.so stop.c
partition() { dd if="$1" bs=1M skip=4 count=2 status=none; }
for ((stop = 1; ; stop++)); do
	rm -f file file.new
	cp original disk
	got=0
	env LD_PRELOAD="$work/stop.so" STOP=$stop "${protect[@]}" "${escrow[@]}" >log 2>&1 || got=$?
	[ $got = 99 ] || { cat log; fail "exit code $got at flush $stop"; }
	cmp -s <(partition disk) <(partition original) || break
	"${protect[@]}" "${escrow[@]}" 2>log || { cat log; fail "the same command after flush $stop"; }
	kept
done
[ $stop -gt 8 ] || fail "only $stop flushes before the first sector"
agreed

echo "== going on where it was begun without"
# The state that the last stop has left, with another file, without one, and begun without an escrow.
cp disk begun
cp file good
untouched 3 'the policy says escrow=required' "${protect[@]}"
sed 's/^volume: ./volume: x/' good >file
untouched 3 'file exists already' "${protect[@]}" "${escrow[@]}"
rm file
"${protect[@]}" "${escrow[@]}" 2>log || { cat log; fail "not on"; }
cmp -s file good || fail "another file from the same token"
kept
cp original disk
rm file
for ((stop = 4; ; stop++)); do
	cp original disk
	env LD_PRELOAD="$work/stop.so" STOP=$stop "${protect[@]}" --policy-file none >log 2>&1 && fail "never stopped within the partition"
	cmp -s <(partition disk) <(partition original) || break
done
untouched 3 'the policy says escrow=required' "${protect[@]}"
"${protect[@]}" "${escrow[@]}" 2>log || { cat log; fail "an escrow on the way"; }
kept
"$underseal" remove disk --token 1 --passphrase-file pass 2>log
$judge disk original 2 pass 512

echo "== a file that cannot be read back"
cat >lie.c <<'END2'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
ssize_t pread(int fd, void *buffer, size_t bytes, off_t at)
{
	ssize_t got = ((ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread"))(fd, buffer, bytes, at), length;
	char link[64], path[512];

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof path - 1);
	path[length > 0 ? length : 0] = 0;
	if (got > 99 && length > 4 && !strcmp(path + length - 4, ".new"))
		((char *)buffer)[99] ^= 1;
	return got;
}
END2
gcc -shared -fPIC -o lie.so lie.c
cp original disk
rm file
expect 1 'cannot be read back' env LD_PRELOAD="$work/lie.so" "${protect[@]}" "${escrow[@]}"
cmp -s <(partition disk) <(partition original) || fail "it was encrypted all the same"
expect 0 'is protected' "${protect[@]}" "${escrow[@]}"
kept
