/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HV_BOOT_POLICY_FILE_H
#define HV_BOOT_POLICY_FILE_H

#include "hv/boot/policy.h"
#include <efi.h>

/* The bytes of the policy file that were taken: none without a file, or when it is not used. */
struct policy_text {
	char text[POLICY_MAX_BYTES + 1];
	UINTN bytes;
};

/*
 * Reads `underseal.conf` from the directory the program stands in. Without a file
 * the defaults are silently used; what is wrong in it is told on the console.
 */
void policy_read(struct policy *policy, struct policy_text *text, EFI_LOADED_IMAGE *loaded);

#endif
