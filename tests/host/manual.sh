#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The manual page, --help and the completion name the same options and exit codes as the code.
source tests/host/common.bash
"$underseal" --help >help

sed -n 's/.*{"\([a-z-]*\)",[[:space:]]*\(required\|no\)_argument.*/\1/p' "$root"/installer/command_*.c | sort -u >options
[ "$(wc -l <options)" -ge 9 ] || fail "no options found in the code"
while read -r option; do
	grep -qe "--$option\b" help || fail "--help does not tell of --$option"
	grep -qF -e "\\-\\-${option//-/\\-}" "$root/installer/underseal.8" || fail "the manual does not tell of --$option"
	grep -qe "--$option\b" "$root/installer/underseal.bash-completion" || fail "no completion of --$option"
done <options

sed -n 's/^\tEXITS_[A-Z_]* = \([0-9]*\),.*/\1/p' "$root/installer/exits.h" >codes
sed -n '/EXIT STATUS/,/ENVIRONMENT/p' "$root/installer/underseal.8" | grep '^[0-9]$' >documented
cmp codes documented || fail "exit codes of the manual"
for code in $(cat codes); do
	tail -n 2 help | grep -qw "$code" || fail "--help does not tell of exit code $code"
done

version=$("$underseal" --version)
grep -q "\"$version\"" "$root/installer/underseal.8" || fail "the manual is of another version than $version"

# complete WORD...: what the completion offers for the last word.
complete_of() {
	bash -c 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _underseal; echo "${COMPREPLY[*]}"' \
		"$root/installer/underseal.bash-completion" underseal "$@"
}
[ "$(complete_of st)" = 'status stat' ] || fail "completion of commands"
[ "$(complete_of protect --par)" = --partition ] || fail "completion of options"
[ "$(complete_of protect disk --sector-size 4)" = 4096 ] || fail "completion of values"
[ "$(complete_of status --j)" = --json ] || fail "completion of --json"
: >a-disk.img
[ "$(complete_of protect a-d)" = a-disk.img ] || fail "completion of files"
