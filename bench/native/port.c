/* SPDX-License-Identifier: Apache-2.0 */
/* The one part of the port (storage/port.h) that is not the hypervisor's own here: the log goes to fio's stderr. */
#include "storage/port.h"
#include <stdarg.h>
#include <stdio.h>

void port_log(enum port_level level, const char *format, ...)
{
	va_list arguments;

	if (level > PORT_WARNING)
		return;
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}
