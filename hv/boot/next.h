/* SPDX-License-Identifier: Apache-2.0 */
/* Goes on to the system that the user really wants. */
#ifndef HV_BOOT_NEXT_H
#define HV_BOOT_NEXT_H

#include <efi.h>

/*
 * Starts `next` (a path on the file system `esp`, a device path; "" for none), or
 * else the boot option after our own. Returns only when nothing could be started,
 * or what was started has returned: with its status, for the firmware's boot
 * manager to go on.
 */
EFI_STATUS next_start(EFI_HANDLE image, const EFI_DEVICE_PATH *esp, const char *next);

#endif
