#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Kills protect with SIGKILL at random moments; the same command continues, and the result is the same.
source tests/host/common.bash
RANDOM=${SEED:=$RANDOM}
echo "SEED=$SEED"
protect=("$underseal" protect disk --partition 1 --offline "${cheap[@]}" --zone-size 1)

# run_and_kill MARK MS: waits for MARK in the log, then at most MS milliseconds, then kills. 0 when it had finished.
run_and_kill() {
	local rc=0
	/usr/bin/python3 "$here/killer.py" "$1" $((RANDOM % $2)) "${protect[@]}" 2>log || rc=$?
	# Killed between the last write and the exit.
	grep -q 'protected already' log && rc=0
	[ $rc = 0 ] || [ $rc = 137 ] || { cat log; fail "exit code $rc"; }
	return $rc
}

$mkgpt disk 30 512 linux:17408:-
cp disk original
echo "== killed while the header is made: nothing is lost, nothing of the partition is touched"
! run_and_kill '' 1500 || fail "too slow to kill"
if ! sgdisk -p disk | grep -q underseal:; then
	cmp -i 17825792 -n 11M disk original || fail "written to the partition without a header"
fi

echo "== killed again and again"
kills=0 in_doubt=0
until run_and_kill '%  ' 20; do
	kills=$((kills + 1))
	[ $kills -lt 100 ] || fail "no end in sight"
	number=$(sgdisk -p disk | sed -n 's/^ *\([0-9]*\) .*underseal:.*/\1/p')
	if [ -n "$number" ]; then
		first=$(sgdisk -i "$number" disk | sed -n 's/^First sector: \([0-9]*\).*/\1/p')
		dd if=disk of=header bs=512 skip="$first" count=32768 status=none
		cryptsetup luksDump header | grep -q in-reencryption && in_doubt=$((in_doubt + 1))
	fi
done
echo "$kills kills, $in_doubt with a zone in doubt"
[ $kills -gt 0 ] || fail "it was never killed"
$judge disk original 1 pass 512

echo "== stopped by SIGTERM"
$mkgpt disk 30 512 linux:17408:10240
cp disk original
run_and_kill '%  ' 1 || true
rc=0
/usr/bin/python3 - "${protect[@]}" 2>log <<'END' || rc=$?
import signal, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stderr=subprocess.PIPE)
text = process.stderr.read1()
process.send_signal(signal.SIGTERM)
sys.stderr.buffer.write(text + process.stderr.read())
sys.exit(process.wait())
END
[ $rc = 6 ] || { cat log; fail "exit code $rc after SIGTERM"; }
grep -q 'The same command continues' log || fail "it does not say how to continue"
expect 4 'wrong passphrase' "$underseal" protect disk --partition 1 --offline --passphrase-file wrong
expect 0 'going on at' "${protect[@]}"
$judge disk original 1 pass 512
