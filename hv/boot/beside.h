/* SPDX-License-Identifier: Apache-2.0 */
/* Files in the directory that the program was started from. */
#ifndef HV_BOOT_BESIDE_H
#define HV_BOOT_BESIDE_H

#include <efi.h>

/* Reads at most `*bytes` of the file's beginning; `*bytes` is then what was read. EFI_NOT_FOUND when there is no file. */
EFI_STATUS beside_read(EFI_LOADED_IMAGE *loaded, const CHAR16 *name, VOID *buffer, UINTN *bytes);

#endif
