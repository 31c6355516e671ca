#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# deps.sh LIST: installs the Debian packages of LIST that are missing; sudo when not root.
set -euo pipefail
missing=()
for package in $(grep -v '^#' "$1"); do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
echo "installing ${#missing[@]} Debian packages: ${missing[*]}"
as_root=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || { echo "deps: run 'make deps' as root, or install sudo" >&2; exit 1; }
	as_root=(sudo)
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
	apt-get install -y -qq --no-install-recommends "${missing[@]}"
