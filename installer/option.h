/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INSTALLER_OPTION_H
#define INSTALLER_OPTION_H

#include <stdint.h>

/* The decimal number `text` of --`option` into *value when it is in [least, most]; 0, or -1 after an error line. */
int option_number(const char *option, const char *text, long least, long most, uint32_t *value);

#endif
