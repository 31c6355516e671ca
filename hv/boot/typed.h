/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of one answer, to find them again in the firmware's memory. */
#ifndef HV_BOOT_TYPED_H
#define HV_BOOT_TYPED_H

#include <efi.h>

/* As the firmware gave it. */
void typed_note(EFI_INPUT_KEY key);

/*
 * Overwrites what was noted, the last key being the one that ended the answer, in the firmware's data but for
 * [keep, keep + bytes), and forgets it.
 */
void typed_scrub(const VOID *keep, UINTN bytes);

#endif
