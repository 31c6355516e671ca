/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/panic.h"
#include "hv/core/format.h"
#include "hv/core/log.h"
#include "hv/core/power.h"
#include <stdarg.h>

void panic(enum panic_number number, const char *format, ...)
{
	char reason[160];
	va_list arguments;

	/* Keys first: nothing that follows is sure to work. */
	power_wipe_keys();
	va_start(arguments, format);
	format_text(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	log_error("panic %u: %s", (unsigned)number, reason);
	power_stop_all_cpus();
}
