/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/log.h"
#include "hv/core/format.h"
#include "hv/x86/registers.h"
#include <stdarg.h>

#define RING_BYTES    65536u
#define DEBUG_CONSOLE 0x402
#define REPEATS       16u

static char ring[RING_BYTES];
static uint64_t written; /* bytes ever written; the ring holds the last RING_BYTES of them */
static struct port_lock log_lock;
static bool to_console;

void log_init(bool debug_console)
{
	to_console = debug_console;
}

static void append(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		ring[written++ % RING_BYTES] = text[i];
		if (to_console)
			port_out(DEBUG_CONSOLE, 1, (uint8_t)text[i]);
	}
}

void port_log(enum port_level level, const char *format, ...)
{
	static const char *const prefix[] = {"error: ", "warning: ", "", ""};
	char line[240];
	va_list arguments;

	if (level == PORT_DEBUG && !to_console)
		return;
	va_start(arguments, format);
	size_t length = format_text(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	line[length++] = '\n';

	port_lock(&log_lock);
	append(prefix[level], strlen(prefix[level]));
	append(line, length);
	port_unlock(&log_lock);
}

uint32_t log_read(uint64_t *sequence, void *out, uint32_t bytes)
{
	uint8_t *text = out;
	uint32_t count = 0;

	port_lock(&log_lock);
	if (written > RING_BYTES && *sequence < written - RING_BYTES)
		*sequence = written - RING_BYTES;
	for (; count < bytes && *sequence + count < written; count++)
		text[count] = (uint8_t)ring[(*sequence + count) % RING_BYTES];
	port_unlock(&log_lock);
	return count;
}

bool log_limited(uint32_t *count)
{
	return __atomic_fetch_add(count, 1, __ATOMIC_RELAXED) < REPEATS;
}
