#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# enroll --escrow: stock openssl unwraps the volume key with each officer's key and no other, the file is durable and
# read back before the header is written, and what it refuses leaves the disk as it was.
source tests/host/escrow.bash
enroll=("$underseal" enroll disk --passphrase-file pass)
certificate curve ec -pkeyopt ec_paramgen_curve:P-384
certificate stranger rsa:2048
cp disk bare

echo "== for two kinds of keys"
expect 0 'kept holds the volume key for its 3 certificates' "${enroll[@]}" --escrow one.pem --escrow two.pem --escrow curve.pem \
	--escrow-file kept
for officer in one two curve; do
	unwrapped $officer kept || fail "$officer cannot unwrap it"
done
! unwrapped stranger kept || fail "anybody can unwrap it"
[ "$(stat -c %a kept)" = 600 ] || fail "mode of the file"
[ ! -e kept.new ] || fail "a file is left over"
grep -qx "disk: $("$underseal" status disk --json | sed -n 's/.*"disk_guid": *"\(.*\)".*/\1/p')" kept || fail "the disk in the record"
partuuid=$(sgdisk -i 1 disk | sed -n 's/^Partition unique GUID: //p')
grep -qx "partition: ${partuuid,,}" kept || fail "the partition in the record"
grep -qx "volume: $(cryptsetup luksUUID header)" kept || fail "the volume in the record"
grep -qE "^certificate: $(openssl x509 -in two.pem -outform DER | sha256sum | cut -d' ' -f1) CN=two,O=Acme\$" kept || fail "the certificate"
openssl cms -cmsout -inform PEM -in kept -print 2>/dev/null | grep -q 'aes-256-gcm' || fail "the cipher"

echo "== stock cryptsetup opens the volume with what openssl unwrapped"
header_out
unwrapped one kept
cryptsetup -q open --test-passphrase --volume-key-file plain header || fail "the volume key"

echo "== the token"
cryptsetup token export --token-id 1 header >token.json
/usr/bin/python3 - <<'END2'
import base64, json, subprocess
token = json.load(open("token.json"))
file = open("kept").read()
record, pem = file.split("-----BEGIN CMS-----")
assert token["record"] == record and token["keyslots"] == []
assert base64.b64decode(token["cms"]) == base64.b64decode(pem.split("-----END")[0])
END2
keys 't[1]["type"], t[1]["keyslots"], len(t[1]["certificates"]), len(s)' 'underseal-escrow [] 3 1'
fingerprint=$(openssl x509 -in one.pem -outform DER | sha256sum)
keys 't[1]["certificates"][0]' "${fingerprint%% *}"
expect 0 "underseal-escrow, volume key for certificate ${fingerprint:0:16} " "$underseal" list disk
opens key 0 || fail "the passphrase"
copies

echo "== in the header alone, and taken away"
expect 0 'holds the volume key for 1 certificate$' "${enroll[@]}" --escrow one.pem
keys 'len(t[2]["certificates"])' 1
cp disk good
untouched 3 'has no token 7' "$underseal" remove disk --token 7 --passphrase-file pass
untouched 3 'which partition this header is for' "$underseal" remove disk --token 0 --passphrase-file pass
untouched 4 'wrong passphrase' "$underseal" remove disk --token 2 --passphrase-file wrong
untouched 2 'remove takes a TARGET' "$underseal" remove disk 0 --token 2
expect 0 'token 2 of partition 1 is removed' "$underseal" remove disk --token 2 --passphrase-file pass
keys 'list(t)' '[0, 1]'
"$underseal" enroll disk "${cheap[@]}" --recovery-key >shown 2>log
untouched 3 'token 2 belongs to key slot 1' "$underseal" remove disk --token 2 --passphrase-file pass
opens key 0 || fail "the passphrase"

echo "== durable and read back, then the header"
cat >spy.c <<'END2'
/* Tells in the file SPY of what is written and made durable; with LIE, reads of new files are wrong by a bit. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static const char *name(int fd)
{
	static char path[4096];
	char link[64];
	ssize_t bytes;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	bytes = readlink(link, path, sizeof path - 1);
	path[bytes < 0 ? 0 : bytes] = 0;
	return strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
}
static void tell(const char *what, const char *file)
{
	FILE *out = fopen(getenv("SPY"), "a");

	fprintf(out, "%s %s\n", what, file);
	fclose(out);
}
int fdatasync(int fd)
{
	tell("sync", name(fd));
	return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
ssize_t pwrite(int fd, const void *buffer, size_t bytes, off_t at)
{
	tell("write", name(fd));
	return ((ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite"))(fd, buffer, bytes, at);
}
ssize_t pread(int fd, void *buffer, size_t bytes, off_t at)
{
	ssize_t got = ((ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread"))(fd, buffer, bytes, at);

	if (got > 99 && getenv("LIE") && !strcmp(name(fd), getenv("LIE")))
		((char *)buffer)[99] ^= 1;
	return got;
}
int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
	tell("rename", new);
	return ((int (*)(int, const char *, int, const char *, unsigned))dlsym(RTLD_NEXT, "renameat2"))(from, old, to, new, flags);
}
END2
gcc -shared -fPIC -D_GNU_SOURCE -o spy.so spy.c
spied=(env LD_PRELOAD="$work/spy.so" SPY="$work/spied")
mkdir shelf
cp bare disk
expect 0 'holds the volume key' "${spied[@]}" "${enroll[@]}" --escrow one.pem --escrow-file shelf/file
grep -vE 'memfd|(sync|write) (stderr|out)' spied | uniq | head -n 5 >order
printf '%s\n' 'write file.new' 'sync file.new' 'rename shelf/file' 'sync shelf' 'write disk' | cmp - order || { cat order; fail "the order"; }
cp bare disk
untouched 1 'cannot be read back' "${spied[@]}" LIE=liar.new "${enroll[@]}" --escrow one.pem --escrow-file liar
[ ! -e liar ] && [ ! -e liar.new ] || fail "a file that is wrong"
untouched 1 'cannot be read back' "${spied[@]}" LIE=liar "${enroll[@]}" --escrow one.pem --escrow-file liar

echo "== certificates that are of no use"
openssl genrsa 1024 2>/dev/null >weak.key
openssl req -x509 -new -key weak.key -subj /CN=weak -out weak.pem -days 9 2>/dev/null
openssl req -x509 -new -key one.key -subj /CN=sign -addext keyUsage=digitalSignature -out sign.pem -days 9 2>/dev/null
openssl req -x509 -new -key curve.key -subj /CN=sign -addext keyUsage=keyEncipherment -out sign-curve.pem -days 9 2>/dev/null
openssl req -x509 -newkey ed25519 -nodes -subj /CN=other -out other.pem -keyout other.key -days 9 2>/dev/null
openssl req -x509 -new -key one.key -subj /CN=both -addext keyUsage=keyEncipherment -out both.pem -days 9 2>/dev/null
openssl x509 -in one.pem -outform DER -out one.der
untouched 3 'neither RSA of at least 2048 bits' "${enroll[@]}" --escrow weak.pem
untouched 3 'neither RSA' "${enroll[@]}" --escrow other.pem
untouched 3 'does not allow key encipherment' "${enroll[@]}" --escrow one.pem --escrow sign.pem
untouched 3 'does not allow key agreement' "${enroll[@]}" --escrow sign-curve.pem
untouched 1 'this is no certificate' "${enroll[@]}" --escrow one.key
untouched 1 'No such file' "${enroll[@]}" --escrow missing.pem
expect 0 'holds the volume key' "${enroll[@]}" --escrow both.pem --escrow one.der
cp bare disk

echo "== files that cannot be"
echo precious >precious
untouched 3 'precious exists already' "${enroll[@]}" --escrow one.pem --escrow-file precious
[ "$(cat precious)" = precious ] || fail "the file that was there"
untouched 1 'No such file' "${enroll[@]}" --escrow one.pem --escrow-file nowhere/file

echo "== the command line"
nine=()
for _ in 1 2 3 4 5 6 7 8 9; do nine+=(--escrow one.pem); done
untouched 2 'at most 8 certificates' "${enroll[@]}" "${nine[@]}"
untouched 2 'one kind of key at a time' "${enroll[@]}" --escrow one.pem --recovery-key
untouched 2 'escrow-file goes with --escrow' "${enroll[@]}" --recovery-key --escrow-file file
untouched 4 'wrong passphrase' "$underseal" enroll disk --passphrase-file wrong --escrow one.pem --escrow-file file
[ ! -e file ] || fail "a file with a wrong passphrase"

echo "== no room"
while "${enroll[@]}" --escrow one.pem --escrow two.pem --escrow curve.pem 2>log; do :; done
untouched 3 'no room for another token' "${enroll[@]}" --escrow one.pem --escrow two.pem --escrow curve.pem --escrow-file file
[ ! -e file ] || fail "a file without a token"
opens key 0 || fail "the full header"
