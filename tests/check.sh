#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check.sh NAME PROGRAM...: runs the host tests, the fuzzers for some seconds, and tests/host/*.sh; with NAME only
# what bears it.
set -u
name=$1; shift
passed=0 failed=0 skipped=0
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
one() {
	local label=$1; shift
	local log=$B/host/$label.log start=$SECONDS
	# No test needs a tenth of this; one that hangs says so instead of holding up the rest.
	timeout --kill-after=10 300 "$@" >"$log" 2>&1
	case $? in
	0) passed=$((passed + 1)); printf 'ok    %-28s %2d s\n' "$label" $((SECONDS - start)) ;;
	77) skipped=$((skipped + 1)); printf 'skip  %s: %s\n' "$label" "$(tail -n 1 "$log")" ;;
	*)
		failed=$((failed + 1)); printf 'FAIL  %s, its output:\n' "$label"; tail -n 60 "$log"
		echo "      repeat it with: make check T=${label#test_}"
		;;
	esac
}
# A few seconds on the kept corpus and whatever the fuzzer makes of it; what it finds is thrown away.
smoke() {
	local label=$1 program=$2 found=$B/fuzz/smoke/$1 crash=$B/fuzz/crash/${1#fuzz_}/
	rm -rf "$found"; mkdir -p "$found" "$crash"
	one "$label" "$program" -error_exitcode=1 -max_total_time=4 -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$crash" \
		"$found" "tests/fuzz/corpus/${label#fuzz_}"
}
for program in "$@"; do
	label=$(basename "$program")
	case $label in
	fuzz_*) smoke "$label" "$program" ;;
	*) one "$label" "$program" ;;
	esac
done
for script in tests/host/*.sh; do
	[ -e "$script" ] || continue
	label=$(basename "$script" .sh)
	[ -z "$name" ] || [ "$name" = "$label" ] || continue
	one "$label" bash "$script"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
