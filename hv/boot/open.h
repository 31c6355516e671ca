/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a volume with a secret, whoever it comes from. */
#ifndef HV_BOOT_OPEN_H
#define HV_BOOT_OPEN_H

#include "hv/boot/volume.h"

enum answer {
	ANSWER_UNLOCKED,
	ANSWER_WRONG,	 /* the secret opens nothing */
	ANSWER_UNUSABLE, /* no secret would; it has been told why */
	ANSWER_NONE,	 /* the user goes on without */
};

/*
 * Tries the secret on the key slots of the bit mask and tells how that ended, after
 * a "..." on the console, unless it is ANSWER_WRONG. Fills `boot.key` and
 * `unlocked`. `scratch` is LUKS2_SCRATCH_BYTES.
 */
enum answer open_volume(
	struct volume *volume, UINT32 keyslots, const UINT8 *secret, UINTN bytes, VOID *scratch);

#endif
