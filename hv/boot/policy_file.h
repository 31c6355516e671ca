/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HV_BOOT_POLICY_FILE_H
#define HV_BOOT_POLICY_FILE_H

#include "hv/boot/policy.h"
#include <efi.h>

/*
 * Reads `underseal.conf` from the directory the program stands in. Without a file
 * the defaults are silently used; what is wrong in it is told on the console.
 */
void policy_read(struct policy *policy, EFI_LOADED_IMAGE *loaded);

#endif
