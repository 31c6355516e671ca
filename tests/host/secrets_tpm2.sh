#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# When enroll --tpm2 or reseal ends, neither what the TPM has sealed nor PIN, passphrase or volume key is left in its
# memory.
source tests/host/tpm2.bash
source "$root/tests/host/memory.bash"
printf 'a PIN that nobody else has\n' >pin
header_out
cryptsetup -q luksDump --dump-volume-key --volume-key-file volume-key --key-file key header >/dev/null
start conf secure
from=(disk --passphrase-file pass --tpm2-device "$tpm" --event-log log)

# sealed: the files `secret` and `passphrase` become what the only token's slot is opened with.
sealed() {
	told_by_boot 0 "$(cat pin)" | sed -n 's/^unsealed //p' | xxd -r -p >secret
	[ "$(stat -c %s secret)" = 32 ] || fail "the secret"
	base64 <secret >passphrase
}

command=("$underseal" enroll "${from[@]}" --tpm2 --pin-file pin)
left 0 pass pin volume-key
sealed
/usr/bin/python3 search.py memory secret passphrase
command=("$underseal" reseal "${from[@]}" --pin-file pin)
left 0 pass pin volume-key secret passphrase
sealed
/usr/bin/python3 search.py memory secret passphrase
command=("$underseal" enroll "${from[@]}" --tpm2 --pin-file pin --event-log missing)
left 1 pass pin volume-key
stop
