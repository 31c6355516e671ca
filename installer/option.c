/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/option.h"
#include "storage/port.h"
#include <errno.h>
#include <stdlib.h>

int number_read(const char *text, long least, long most, uint32_t *value)
{
	char *end;
	long parsed;

	errno = 0;
	parsed = strtol(text, &end, 10);
	if (errno || end == text || *end || parsed < least || parsed > most)
		return -1;
	*value = parsed;
	return 0;
}

int option_number(const char *option, const char *text, long least, long most, uint32_t *value)
{
	if (!number_read(text, least, most, value))
		return 0;
	log_error("--%s takes a number from %ld to %ld, not \"%s\"", option, least, most, text);
	return -1;
}
