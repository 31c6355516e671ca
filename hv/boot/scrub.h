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

/* A key as EFI_INPUT_KEY has it in memory: its scan code, and its character above. */
#define SCRUB_KEY(scan_code, character) ((uint32_t)(scan_code) | (uint32_t)(character) << 16)

/*
 * Overwrites with zeroes the `count` keys, of which the last one ended the answer, wherever they stand: as bytes (what a
 * serial port received), as 16-bit characters, or as EFI_INPUT_KEY, one behind the other or at the head of EFI_KEY_DATA
 * (UEFI 2.10, 12.2, 12.3). Where a ring has begun anew in their middle, at least the last SCRUB_KEYS of them. Without the
 * last key nothing is taken for an answer: "12345" in 16-bit characters is a chain of clusters, too.
 * Returns how many keys were overwritten.
 */
size_t scrub(uint8_t *memory, size_t bytes, const uint32_t *keys, size_t count);

#endif
