#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh SECONDS PROGRAM...: runs each fuzzer that long on its corpus, tests/fuzz/corpus/NAME.
# What it finds on the way stays in build/fuzz/found/NAME; the kept corpus is not changed.
set -u
seconds=$1; shift
passed=0 failed=0
for program in "$@"; do
	name=$(basename "$program"); name=${name#fuzz_}
	corpus=tests/fuzz/corpus/$name found=build/fuzz/found/$name crash=build/fuzz/crash/$name/ log=build/fuzz/$name.log
	mkdir -p "$corpus" "$found" "$crash"
	if "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$crash" "$found" "$corpus" >"$log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		passed=$((passed + 1)); printf 'ok    %-16s %s inputs in %s s\n' "$name" "${runs:-0}" "$seconds"
	else
		failed=$((failed + 1)); printf 'FAIL  %s\n' "$name"; tail -n 40 "$log"
		input=$(ls -t "$crash" | head -n 1)
		echo "      repeat it with: $program ${crash}${input}"
	fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
