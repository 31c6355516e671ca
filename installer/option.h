/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers on a command line. */
#ifndef INSTALLER_OPTION_H
#define INSTALLER_OPTION_H

#include <stdint.h>

/* The decimal number `text` into *value when it is in [least, most]; 0 or -1. */
int number_read(const char *text, long least, long most, uint32_t *value);

/* The same for the value `text` of --`option`, with an error line. */
int option_number(const char *option, const char *text, long least, long most, uint32_t *value);

#endif
