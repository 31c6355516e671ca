/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/panic.h"
#include "hv/core/crash_dump.h"
#include "hv/core/format.h"
#include "hv/core/keys.h"
#include "hv/core/log.h"
#include "hv/core/power.h"
#include "hv/core/vcpu.h"
#include <stdarg.h>

static bool halt_at_end;
static struct vcpu *panicking; /* the CPU that is at it */

void panic_init(bool halt)
{
	halt_at_end = halt;
}

static void end(void) __attribute__((noreturn));
static void end(void)
{
	if (halt_at_end)
		power_stop_all_cpus();
	power_reset_now();
}

void panic(enum panic_number number, const char *format, ...)
{
	char reason[160];
	va_list arguments;

	struct vcpu *first = NULL;

	if (!__atomic_compare_exchange_n(
		    &panicking, &first, this_vcpu(), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (first != this_vcpu())
			power_stop_all_cpus();
		/* What is below has failed itself. */
		keys_wipe();
		end();
	}
	/* A CPU that is encrypting would go on with a key of zeroes, and its disk would take it. */
	power_stop_others_in_panic();
	keys_wipe();
	log_panicking();
	va_start(arguments, format);
	format_text(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	log_error("panic %u: %s", (unsigned)number, reason);
	crash_dump();
	log_end(LOG_END_PANIC, number);
	end();
}
