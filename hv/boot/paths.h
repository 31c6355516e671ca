/* SPDX-License-Identifier: Apache-2.0 */
/* Device paths that outlive the handles they came from. */
#ifndef HV_BOOT_PATHS_H
#define HV_BOOT_PATHS_H

#include <efi.h>

/* A file system as a device path of our own memory; NULL when the handle has none. */
EFI_DEVICE_PATH *paths_remember(EFI_HANDLE handle);

/*
 * The handle with a file system that `path` means today: the same GPT partition
 * by its unique GUID, or else exactly the same path. NULL when there is none.
 */
EFI_HANDLE paths_file_system(const EFI_DEVICE_PATH *path);

/*
 * What a boot option's path means as a full path that LoadImage understands: a
 * partition's short form is completed, a disk without a file gets the fallback
 * loader's name (UEFI 2.10, 3.1.2 and 3.5.1). NULL when it leads nowhere. The
 * caller frees it.
 */
EFI_DEVICE_PATH *paths_expand(EFI_DEVICE_PATH *path);

#endif
