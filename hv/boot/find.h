/* SPDX-License-Identifier: Apache-2.0 */
/* Looks for header partitions on every disk and checks that each fits the partition it names. */
#ifndef HV_BOOT_FIND_H
#define HV_BOOT_FIND_H

#include "hv/boot/volume.h"

/*
 * Fills `volumes`; returns how many can be unlocked. For every one that cannot, a
 * sentence says why. `scratch` is LUKS2_SCRATCH_BYTES, `tables` GPT_SCRATCH_BYTES.
 * `*headers` is how many header partitions were seen at all.
 */
UINTN find_volumes(struct volume *volumes, UINTN capacity, VOID *scratch, VOID *tables, UINTN *headers);

#endif
