/* SPDX-License-Identifier: Apache-2.0 */
/* The port of storage/ and keymgmt/ to the UEFI program: one CPU, firmware's console. */
#ifndef HV_BOOT_PORT_H
#define HV_BOOT_PORT_H

#include <stdbool.h>

/*
 * Whether the log also goes to port 0x402, where PC emulators listen. Off until
 * the policy says so: on a real board something else may live there.
 */
void port_debug_console(bool on);

#endif
