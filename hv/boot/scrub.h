/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds what was typed in memory that is not ours, and overwrites it: firmware leaves keys in its queues after they have
 * been read, and whoever comes next can look there.
 */
#ifndef HV_BOOT_SCRUB_H
#define HV_BOOT_SCRUB_H

#include <stddef.h>
#include <stdint.h>

/* Fewer keys in a row than these are not looked for: they could be something else. */
#define SCRUB_KEYS 5

/*
 * Overwrites with zeroes each run of at least SCRUB_KEYS of the `count` keys: as bytes (what a serial port received), as
 * 16-bit characters, or as EFI_INPUT_KEY without a scan code, one behind the other or at the head of EFI_KEY_DATA
 * (UEFI 2.10, 12.2, 12.3). A queue that has begun anew at its start holds two runs. Returns how many keys were overwritten.
 */
size_t scrub(uint8_t *memory, size_t bytes, const uint16_t *keys, size_t count);

#endif
