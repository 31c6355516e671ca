/* SPDX-License-Identifier: Apache-2.0 */
/* Smartcard readers on USB, as the firmware offers them. Boot services only. */
#ifndef HV_BOOT_READER_H
#define HV_BOOT_READER_H

#include "hv/boot/usb_io.h"
#include "keymgmt/ccid.h"

struct reader {
	EFI_HANDLE handle;
	struct usb_io *usb; /* valid as long as it is the handle's protocol: a reader can be unplugged */
	UINT8 bulk_in, bulk_out;
	UINT16 vendor, product;
	const char *unusable; /* a clause that says why it cannot be used, or NULL */
	struct ccid ccid;     /* its transport is the firmware's */
};

/* Fills in those that are there, `capacity` at most, and returns how many. The firmware is made to look for them. */
UINTN readers_find(struct reader *readers, UINTN capacity);

#endif
