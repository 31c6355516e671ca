#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# enroll --tpm2 and reseal with an emulated TPM: what they seal opens at the next start, by stock cryptsetup and by the
# boot program's code, and not in the running system; what they refuse leaves the disk as it was.
source tests/host/tpm2.bash
enroll=("$underseal" enroll disk --passphrase-file pass --tpm2 --tpm2-device "$tpm" --event-log log)
reseal=("$underseal" reseal disk --passphrase-file pass --tpm2-device "$tpm" --event-log log)

echo "== in the running system a token is made for the moment of unsealing"
start conf secure
run_system
expect 0 'slot 1 of partition 1 is new' "${enroll[@]}"
! grep -q 'make sure' out || fail "PCR 7 of the same start"
keys 's[1]["kind"], s[1]["kdf"], s[1]["passes"]' 'tpm2 pbkdf2 1000'
keys '[(i["type"], i["keyslots"]) for i in t.values()][1:]' "[('systemd-tpm2', [1]), ('underseal-pcrs', [])]"
keys 't[1]["pcrs"], t[1]["bank"], t[1]["pin"], t[1]["weak"]' '[7, 12] sha256 False False'
copies
! stock_opens || fail "the running system can unseal it"
[[ $(told_by_boot 0) = *"measured state"* ]] || fail "the running system can unseal it"

echo "== and opens at the next start, for stock tools too"
start conf secure
stock_opens || { cat stock; fail "stock cryptsetup does not open it"; }
[[ $(told_by_boot 0) = unsealed* ]] || fail "the boot program does not open it"
systemd-cryptenroll header >slots
grep -qE '^ *1 tpm2$' slots || { cat slots; fail "systemd's list"; }
opens key 0 || fail "the passphrase"
cp disk good

echo "== another policy file, other keys of Secure Boot"
printf 'tries=6\n' >conf2
printf 'SecureBoot=1' >secure2
for changed in 'conf2 secure' 'conf secure2'; do
	start $changed
	! stock_opens || fail "it opens with $changed"
done

echo "== reseal: another slot, and the old one is gone"
start conf2 secure2
run_system
expect 0 'slot 2 of partition 1 is new' "${reseal[@]}"
grep -q 'slot 1 of partition 1 is removed' out || fail "no word about the old slot"
keys 'sorted(s), [i["keyslots"] for i in t.values()][1:]' '[0, 2] [[2], []]'
copies
start conf2 secure2
stock_opens || { cat stock; fail "stock cryptsetup does not open it"; }
[[ $(told_by_boot 0) = unsealed* ]] || fail "the boot program does not open it"
start conf secure
! stock_opens || fail "it opens in the old state"

echo "== ahead of a change: a policy file that the log does not know, by a recovery key"
"$underseal" enroll disk --passphrase-file pass --recovery-key >shown 2>log2
run_system
expect 0 'is new' "$underseal" reseal disk --passphrase-file shown --tpm2-device "$tpm" --event-log log --policy-file conf2
start conf2 secure
stock_opens || { cat stock; fail "stock cryptsetup does not open it"; }

echo "== with a PIN"
cp good disk
run_system
expect 0 'is new' "${enroll[@]}" --pin-file pin
keys 't[3]["pin"], len(t)' 'True 5'
untouched 3 'slot N is missing' "${reseal[@]}"
expect 0 'slot 3 of partition 1 is new' "${reseal[@]}" --slot 2 --pin-file pin
keys 't[5]["pin"], t[5]["keyslots"], len(t)' 'True [3] 5'
start conf2 secure
told_by_boot 1 | grep -q 'needs a PIN' || fail "no PIN is needed"
told_by_boot 1 2581 | grep -q 'Wrong PIN' || fail "another PIN opens it"
told_by_boot 1 2580 | grep -q unsealed || fail "the PIN does not open it"
"$underseal" remove disk 1 --passphrase-file pass 2>log2
! stock_opens || fail "stock cryptsetup needs no PIN"
stock_opens 2580 && grep -qx 'slot 3' stock || { cat stock; fail "stock cryptsetup does not open it with the PIN"; }

echo "== a TPM without elliptic curves"
gcc -shared -fPIC -D_GNU_SOURCE -o no_ecc.so "$here/no_ecc.c"
header_out
"$underseal" remove disk 3 --passphrase-file pass 2>log2
expect 0 'is new' env LD_PRELOAD="$work/no_ecc.so" "${enroll[@]}" --pin-file pin
header_out
cryptsetup token export --token-id 1 header | grep -q '"tpm2-primary-alg":"rsa"' || fail "its primary key is of ECC"
start conf2 secure
stock_opens 2580 || { cat stock; fail "stock cryptsetup does not open it"; }
[[ $(told_by_boot 0 2580) = unsealed* ]] || fail "the boot program does not open it"

echo "== remove takes the record along, when no other token needs it"
cp good disk
start conf secure
run_system
expect 0 'is new' "${enroll[@]}"
keys '[i["type"] for i in t.values()][1:]' "['systemd-tpm2', 'underseal-pcrs', 'systemd-tpm2']"
expect 0 'is removed' "$underseal" remove disk 1 --passphrase-file pass
keys '[i["type"] for i in t.values()][1:]' "['underseal-pcrs', 'systemd-tpm2']"
expect 0 'is removed' "$underseal" remove disk 2 --passphrase-file pass
keys '[i["type"] for i in t.values()]' "['underseal']"

echo "== weak tokens are told"
expect 0 'is weak' "${enroll[@]}" --tpm2-pcrs 7
keys 't[1]["pcrs"], t[1]["weak"]' '[7] True'

echo "== started by something else"
cp good disk
start conf secure
/usr/bin/python3 "$here/event_log.py" rescue 7,0x80000001,secure,SecureBoot 4,0x80000003,later,grub >/dev/null
from=("${enroll[@]}" --event-log rescue)
untouched 3 'give --policy-file' "${from[@]}"
untouched 3 'was not started by underseal.efi: only PCR' "${from[@]}" --policy-file conf --tpm2-pcrs 4+7+12
expect 0 'fits only when' "${from[@]}" --policy-file conf
"$underseal" remove disk 1 --passphrase-file pass 2>log2
stock_opens || { cat stock; fail "stock cryptsetup does not open it"; }

echo "== logs that cannot be"
cp good disk
head -c -1 log >short
untouched 3 'cannot be used: it is incomplete' "${enroll[@]}" --event-log short
untouched 3 'cannot be used: it is not a log of a TPM 2.0' "${enroll[@]}" --event-log pass
untouched 1 'missing: No such file' "${enroll[@]}" --event-log missing
untouched 1 'larger than' "${enroll[@]}" --event-log disk
untouched 1 'event log is needed' "$underseal" enroll disk --passphrase-file pass --tpm2 --tpm2-device "$tpm"
printf 'underseal: closed' >forged
/usr/bin/python3 "$here/event_log.py" early 7,0x80000001,secure,SecureBoot 12,13,conf,early '12,13,forged,underseal: policy' >/dev/null
untouched 3 'measured into PCR 12 before' "${enroll[@]}" --event-log early
/usr/bin/python3 "$here/event_log.py" other 7,0x80000001,secure2,SecureBoot '12,13,conf,underseal: policy' >/dev/null
expect 0 'make sure that the log is this computer' "${enroll[@]}" --event-log other
cp good disk
truncate -s 4097 long
untouched 1 'larger than 4096' "${enroll[@]}" --policy-file long

echo "== the command line"
untouched 2 'from 0 to 15' "${enroll[@]}" --tpm2-pcrs 7+16
untouched 2 'from 0 to 15' "${enroll[@]}" --tpm2-pcrs 7+
untouched 2 'with + between' "${enroll[@]}" --tpm2-pcrs 7-12
untouched 2 'go with --tpm2' "$underseal" enroll disk --recovery-key --tpm2-pcrs 7
untouched 2 'one kind of key at a time' "${enroll[@]}" --recovery-key
untouched 2 'no terminal to ask for the PIN' setsid -w "${enroll[@]}" --pin
untouched 2 'reseal takes one TARGET' "$underseal" reseal
untouched 3 'slot 0 has no TPM token' "${reseal[@]}" --slot 0
untouched 4 'wrong passphrase' "$underseal" reseal disk --passphrase-file wrong --tpm2-device "$tpm" --event-log log

echo "== no TPM, and one that refuses"
untouched 1 'cannot be used' "${enroll[@]}" --tpm2-device swtpm:path=/nowhere
tpm2_changeauth -c owner secret
untouched 1 'storage key cannot be made' "${enroll[@]}"
tpm2_changeauth -c owner -p secret
"$underseal" remove disk 1 --passphrase-file pass 2>log2
untouched 3 'no TPM token that could be renewed' "${reseal[@]}"
stop
