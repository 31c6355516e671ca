#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check.sh NAME PROGRAM...: runs the host tests, the fuzzers for some seconds, and tests/host/*.sh; with NAME only
# what bears it.
set -u
name=$1; shift
results=$(mktemp)
trap 'rm -f "$results"' EXIT
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1

# Some take most of the time: begun first, they do not run on alone in the end.
LONG="test_nvme_interleave test_nvme_random test_ahci_interleave"

# What is printed of one test is printed at once: others run beside it.
one() {
	local label=$1; shift
	local log=$B/host/$label.log start=$SECONDS
	# No test needs a tenth of this; one that hangs says so instead of holding up the rest.
	timeout --kill-after=10 300 "$@" >"$log" 2>&1
	case $? in
	0) echo passed >>"$results"; printf 'ok    %-28s %2d s\n' "$label" $((SECONDS - start)) ;;
	77) echo skipped >>"$results"; printf 'skip  %s: %s\n' "$label" "$(tail -n 1 "$log")" ;;
	*)
		echo failed >>"$results"
		printf 'FAIL  %s, its output:\n%s\n      repeat it with: make check T=%s\n' "$label" "$(tail -n 60 "$log")" \
			"${label#test_}"
		;;
	esac
}
count() {
	grep -cx "$1" "$results"
}
# As many side by side as there are processors.
begin() {
	while [ "$(jobs -pr | wc -l)" -ge "$(nproc)" ]; do
		wait -n
	done
	"$@" &
}
# A few seconds on the kept corpus and whatever the fuzzer makes of it; what it finds is thrown away.
smoke() {
	local label=$1 program=$2 found=$B/fuzz/smoke/$1 crash=$B/fuzz/crash/${1#fuzz_}/
	rm -rf "$found"; mkdir -p "$found" "$crash"
	one "$label" "$program" -error_exitcode=1 -max_total_time=4 -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$crash" \
		"$found" "tests/fuzz/corpus/${label#fuzz_}"
}
unit() {
	local label
	label=$(basename "$1")
	case $label in
	fuzz_*) begin smoke "$label" "$1" ;;
	*) begin one "$label" "$1" ;;
	esac
}
is_long() {
	[[ " $LONG " == *" $(basename "$1") "* ]]
}
for program in "$@"; do
	is_long "$program" && unit "$program"
done
for script in tests/host/*.sh; do
	[ -e "$script" ] || continue
	label=$(basename "$script" .sh)
	[ -z "$name" ] || [ "$name" = "$label" ] || continue
	begin one "$label" bash "$script"
done
for program in "$@"; do
	is_long "$program" || unit "$program"
done
wait
passed=$(count passed) failed=$(count failed)
echo "$passed passed, $failed failed, $(count skipped) skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
