/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/log.h"
#include "hv/core/format.h"
#include "hv/x86/registers.h"
#include <stdarg.h>

#define DEBUG_CONSOLE 0x402
#define REPEATS       16u

static struct log_area *logs;
static struct port_lock log_lock;
static bool to_console, panicking;

void log_init(struct log_area *area, bool debug_console)
{
	logs = area;
	to_console = debug_console;
}

static void append(const char *text, size_t bytes)
{
	struct log_ring *ring = &logs->current;

	for (size_t i = 0; i < bytes; i++) {
		ring->text[ring->written++ % LOG_TEXT_BYTES] = text[i];
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

	if (!panicking)
		port_lock(&log_lock);
	append(prefix[level], strlen(prefix[level]));
	append(line, length);
	if (!panicking)
		port_unlock(&log_lock);
}

uint32_t log_read(uint64_t *sequence, void *out, uint32_t bytes)
{
	port_lock(&log_lock);
	uint32_t count = log_ring_read(&logs->current, sequence, out, bytes);

	port_unlock(&log_lock);
	return count;
}

const struct log_ring *log_previous(void)
{
	return log_ring_exists(&logs->previous) ? &logs->previous : NULL;
}

/* A reset drops what stands in caches only. */
void log_end(enum log_end end, uint32_t panic)
{
	logs->current.end = end;
	logs->current.panic = panic;
	write_back_caches();
}

void log_panicking(void)
{
	panicking = true;
}

bool log_limited(uint32_t *count)
{
	return __atomic_fetch_add(count, 1, __ATOMIC_RELAXED) < REPEATS;
}
