# SPDX-License-Identifier: Apache-2.0
"""Programs of tests/guest/ and what lies beside them on an ESP."""
import places

OPTIONS_ON_ESP = "EFI/guest/options"


def built(name):
	return f"{places.BUILD}/guest/{name}.efi"


def on_esp(name):
	return f"EFI/guest/{name}.efi"


def options(values):
	"""The contents of the options file."""
	return "".join(f"{key}={value}\n" for key, value in values.items()).encode()
