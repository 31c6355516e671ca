/* SPDX-License-Identifier: Apache-2.0 */
/* What the firmware calls the machine: the system information of SMBIOS (DSP0134 7.2). */
#ifndef HV_BOOT_SMBIOS_H
#define HV_BOOT_SMBIOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMBIOS_TEXT 48

struct smbios_system {
	char maker[SMBIOS_TEXT], product[SMBIOS_TEXT], serial[SMBIOS_TEXT]; /* printable ASCII; "" where it is not given */
};

/* Looks for it among the structures of a table; false when there is none. */
bool smbios_system(struct smbios_system *system, const uint8_t *table, size_t bytes);

#endif
