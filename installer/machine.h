/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which computer this is and which disk: what stands on its label, so that a person
 * finds the escrow file of the laptop on the table (SMBIOS, section 7.2, through sysfs).
 */
#ifndef INSTALLER_MACHINE_H
#define INSTALLER_MACHINE_H

#include "installer/target.h"

#define MACHINE_TEXT 80

/* Printable ASCII; "" for what is not known. */
struct machine {
	char vendor[MACHINE_TEXT], product[MACHINE_TEXT];
	char serial[MACHINE_TEXT], uuid[MACHINE_TEXT];
	char disk_model[MACHINE_TEXT], disk_serial[MACHINE_TEXT]; /* a block device's */
};

/* `sysfs` is "/sys". */
void machine_read(struct machine *machine, const char *sysfs, const struct target *target);

#endif
