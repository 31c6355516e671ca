/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys, from every keyboard and every serial console at once. The devices are read one by one and not through the
 * firmware's common console: a layout is applied to what a keyboard gives, never to what a terminal sends.
 */
#ifndef HV_BOOT_INPUT_H
#define HV_BOOT_INPUT_H

#include "hv/boot/layout.h"
#include <efi.h>

struct input_key {
	EFI_INPUT_KEY given; /* by the firmware */
	CHAR16 c; /* as the layout has it; 0: none */
	UINT16 scan_code; /* UEFI 2.10, table 12.2 */
};

void input_set_layout(enum layout layout);

/* Looks for the devices, before each answer: the firmware may have connected others meanwhile. */
void input_find(void);

enum layout input_layout(void);

/* The next of the layouts, in a circle. */
void input_change_layout(void);

/* Waits for a key. FALSE when there is no device. The caller wipes what it was given. */
BOOLEAN input_wait(struct input_key *key);

#endif
