#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# escrow recover: an officer's key in an HSM makes a recovery key for the right disk and no other, never without a
# line in the audit log.
source tests/host/escrow.bash
source "$here/hsm.bash"
certificate curve ec -pkeyopt ec_paramgen_curve:P-256
certificate bare rsa:2048
certificate stranger rsa:2048
hsm_token officer
hsm_key officer one 01 decrypt
hsm_certificate officer one 01
hsm_key officer curve 02 derive
hsm_certificate officer curve 02
hsm_token second
hsm_key second bare 01 decrypt
openssl pkey -in bare.key -pubout -outform DER -out bare.pub
hsm second --write-object bare.pub --type pubkey --id 01
hsm_token nobody
hsm_key nobody stranger 01 decrypt
hsm_certificate nobody stranger 01
"$underseal" enroll disk --passphrase-file pass --escrow one.pem --escrow curve.pem --escrow bare.pem --escrow-file kept 2>log
cp disk good
recover=("$underseal" escrow recover kept --pin-file pin --audit-log audit)
officer='pkcs11:token=officer;id=%01'

echo "== a recovery key for the disk"
# recovers NAME ARGUMENTS...: a new recovery key, which stock cryptsetup opens the disk with.
recovers() {
	cp good disk
	"${recover[@]}" "${@:2}" disk >shown 2>log || { cat log; fail "no recovery with $1"; }
	head -c -1 shown >recovery
	opens recovery 1 && opens key 0 || fail "stock cryptsetup does not open it with the key from $1"
	[ "$(wc -l <shown)" = 1 ] && ! grep -qF "$(cat shown)" log || fail "not shown exactly once"
	keys 's[1]["kind"]' recovery-key
	copies
}
recovers RSA --pkcs11 "$officer"
recovers curve --pkcs11 'pkcs11:token=officer;id=%02'
recovers 'the first that fits' --pkcs11 'pkcs11:token=officer'
recovers 'a key without certificate' --pkcs11 pkcs11:token=second --certificate bare.pem

echo "== the audit log"
[ "$(wc -l <audit)" = 4 ] || fail "not a line for each"
[ "$(stat -c %a audit)" = 600 ] || fail "its mode"
line=$(tail -n 1 audit)
for part in "^time=\"20..-..-..T..:..:..Z\" host=\"$(hostname)\" user=\"$(id -un)\"" 'given="recovery key" file="kept" target="disk"' \
	"disk=\"$(sed -n 's/^disk: //p' kept)\" partition=\"$(sed -n 's/^partition: //p' kept)\"" \
	"certificate=\"$(openssl x509 -in bare.pem -outform DER | sha256sum | cut -d' ' -f1)\" subject=\"CN=bare,O=Acme\"\$"; do
	grep -qe "$part" <<<"$line" || { echo "$line"; fail "no $part in the line"; }
done
cat >syslog.c <<'END2'
#include <stdarg.h>
#include <stdio.h>
static void tell(int priority, const char *format, va_list values)
{
	FILE *out = fopen("syslog", "a");

	vfprintf(out, format, values);
	fprintf(out, " priority %d\n", priority);
	fclose(out);
}
void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list values;

	(void)flag;
	va_start(values, format);
	tell(priority, format, values);
	va_end(values);
}
void syslog(int priority, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	tell(priority, format, values);
	va_end(values);
}
END2
gcc -shared -fPIC -o syslog.so syslog.c
cp good disk
LD_PRELOAD=$work/syslog.so "${recover[@]}" --pkcs11 "$officer" disk >shown 2>log
[ "$(cat syslog)" = "$(tail -n 1 audit) priority 5" ] || fail "syslog"
cp good disk
cp audit audit-before
untouched 1 'no key is given out without a line there' "$underseal" escrow recover kept --pin-file pin --audit-log nowhere/audit \
	--pkcs11 "$officer" disk
! grep -qE '^([a-z]{8}-){7}' out || fail "a key without a line"
untouched 1 'no key is given out' "$underseal" escrow recover kept --pin-file pin --audit-log /dev/full --pkcs11 "$officer" \
	--print-volume-key
! grep -qE '^[0-9a-f]{128}$' out || fail "the volume key without a line"

echo "== without the disk"
cp audit audit-before
expect 3 'Give the disk as TARGET' "$underseal" escrow recover kept --pkcs11 "$officer"
cmp -s audit audit-before || fail "a line for nothing"
expect 0 "^$(xxd -p -c 64 volume-key)\$" "${recover[@]}" --pkcs11 "$officer" --print-volume-key
grep -q 'given="volume key" file="kept" disk=' <(tail -n 1 audit) || fail "the line"

echo "== what stock openssl has wrapped"
# wrapped CIPHER KEY-FILE: stock openssl's escrow file of that key for officer one.
wrapped() {
	sed '/-----BEGIN/,$d' kept >record
	cat "$2" record | openssl cms -encrypt -binary "-$1" -outform PEM -out message one.pem
	cat record message >kept2
}
head -c 64 /dev/urandom >other-key
for cipher in aes-256-gcm aes-256-cbc; do
	wrapped $cipher volume-key
	cp good disk
	"$underseal" escrow recover kept2 --pin-file pin --pkcs11 "$officer" disk >shown 2>log || { cat log; fail "$cipher"; }
done
cp good disk
sed '/-----BEGIN/,$d; s/^made: /&\x1b[2J/' kept >record
cat volume-key record | openssl cms -encrypt -binary -aes-256-gcm -outform PEM -out kept2 one.pem
untouched 1 'cannot be unwrapped' "$underseal" escrow recover kept2 --pin-file pin --pkcs11 "$officer" disk
wrapped aes-256-gcm other-key
untouched 3 'not the one of this volume' "$underseal" escrow recover kept2 --pin-file pin --pkcs11 "$officer" disk

echo "== another key, another PIN"
cp audit audit-before
untouched 3 'none of the 1 keys' "${recover[@]}" --pkcs11 pkcs11:token=nobody disk
untouched 3 'none of the 1 keys' "${recover[@]}" --pkcs11 pkcs11:token=second disk
untouched 3 'none of the' "${recover[@]}" --pkcs11 pkcs11:token=second --certificate one.pem disk
untouched 4 'wrong PIN' "$underseal" escrow recover kept --pin-file wrong-pin --pkcs11 "$officer" disk
untouched 3 'there is no token' "${recover[@]}" --pkcs11 pkcs11:token=missing disk
untouched 3 'tokens are pkcs11:: say which' "${recover[@]}" --pkcs11 pkcs11: disk
untouched 2 'is no PKCS #11 URI' "${recover[@]}" --pkcs11 token=officer disk
untouched 2 'pkcs11 URI is missing' "${recover[@]}" disk
untouched 2 'takes an escrow FILE' "${recover[@]::3}" --pkcs11 "$officer"
untouched 2 'when there is no TARGET' "${recover[@]}" --pkcs11 "$officer" --print-volume-key disk
untouched 2 'no terminal' setsid -w "$underseal" escrow recover kept --pkcs11 "$officer" disk

echo "== the PIN on a terminal"
/usr/bin/python3 - "$underseal" "$officer" <<'END2'
import os
import pty
import sys
import termios


def talk(answer):
    child, terminal = pty.fork()
    if not child:
        os.execv(sys.argv[1], [sys.argv[1], "escrow", "recover", "kept", "--pkcs11", sys.argv[2], "--print-volume-key"])
    text, answered = b"", False
    while True:
        try:
            text += os.read(terminal, 4096)
        except OSError:
            break
        if b"PIN: " in text and not answered:
            assert not termios.tcgetattr(terminal)[3] & termios.ECHO, "echo is on"
            os.write(terminal, answer + b"\n")
            answered = True
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text.decode()


code, text = talk(b"123456")
assert code == 0 and open("volume-key", "rb").read().hex() in text and "123456" not in text, (code, text)
code, text = talk(b"")
assert code == 1 and "the PIN is empty" in text, (code, text)
code, text = talk(b"654321")
assert code == 4 and "wrong PIN" in text and text.count("PIN: ") == 1, (code, text)
END2

echo "== files that are not what they were"
sed 's/^partition: ./partition: x/' kept >kept2
untouched 3 'made for another volume' "$underseal" escrow recover kept2 --pin-file pin --pkcs11 "$officer" disk
sed 's/^made: .*/made: yesterday/' kept >kept2
untouched 3 'its record has been changed' "$underseal" escrow recover kept2 --pin-file pin --pkcs11 "$officer" disk
untouched 3 'its record has been changed' "$underseal" escrow recover kept2 --pin-file pin --pkcs11 "$officer" --print-volume-key
/usr/bin/python3 - <<'END2'
import base64
record, pem = open("kept").read().split("-----BEGIN CMS-----")
der = bytearray(base64.b64decode(pem.split("-----END")[0]))
for name, at in (("damaged", -40), ("cut", None)):
    d = bytearray(der)
    if at:
        d[at] ^= 1
    else:
        d = d[:-30]
    text = base64.encodebytes(bytes(d)).decode()
    open(name, "w").write(record + "-----BEGIN CMS-----\n" + text + "-----END CMS-----\n")
open("dos", "w").write(open("kept").read().replace("\n", "\r\n"))
open("alone", "w").write("-----BEGIN CMS-----" + pem)
END2
sed 's/^made: /&\x1b[2J/' kept >kept2
untouched 1 'no escrow file' "$underseal" escrow recover kept2 --pkcs11 "$officer"
untouched 1 'it is damaged' "$underseal" escrow recover damaged --pin-file pin --pkcs11 "$officer" disk
untouched 1 'no escrow file' "$underseal" escrow recover cut --pin-file pin --pkcs11 "$officer" disk
untouched 1 'no escrow file' "$underseal" escrow recover one.pem --pin-file pin --pkcs11 "$officer" disk
cmp -s audit audit-before || fail "a line for what was refused"
for file in dos alone; do
	"$underseal" escrow recover $file --pin-file pin --pkcs11 "$officer" disk >shown 2>log || { cat log; fail "$file"; }
	cp good disk
done

echo "== another disk"
$mkgpt disk 26 512 linux:17408:-
"$underseal" protect disk --partition 1 --offline "${cheap[@]}" 2>log
untouched 3 'made for another volume' "${recover[@]}" --pkcs11 "$officer" disk
untouched 3 'made for another volume' "$underseal" escrow recover alone --pin-file pin --pkcs11 "$officer" disk
