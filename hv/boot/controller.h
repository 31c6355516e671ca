/* SPDX-License-Identifier: Apache-2.0 */
/* The controllers that disks and USB devices hang on. */
#ifndef HV_BOOT_CONTROLLER_H
#define HV_BOOT_CONTROLLER_H

#include "hv/core/boot_info.h"
#include <efi.h>

/*
 * Have the firmware's drivers attend to every controller of a kind: a boot manager in
 * a hurry connects only the one it boots from.
 */
VOID controllers_connect_disks(VOID);
VOID controllers_connect_usb(VOID);

/*
 * Fills the controller, PCI address and port of `volume` from the device path of
 * `disk`. Returns NULL, or a sentence when it is none of the controllers that can
 * be mediated, with a clause in *detail that may be empty.
 */
const char *controller_of_disk(EFI_HANDLE disk, struct boot_volume *volume, const char **detail);

#endif
