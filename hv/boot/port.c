/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/port.h"
#include "hv/core/format.h"
#include "storage/port.h"
#include <efi.h>
#include <efilib.h>

#define DEBUG_PORT 0x402

static bool debug_console;

void port_debug_console(bool on)
{
	debug_console = on;
}

static void debug_write(const char *text)
{
	for (; *text; text++)
		__asm__ volatile("outb %0, %w1" : : "a"(*text), "d"((UINT16)DEBUG_PORT));
}

void port_log(enum port_level level, const char *format, ...)
{
	char line[256];
	va_list arguments;

	va_start(arguments, format);
	format_text(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (debug_console) {
		debug_write("boot: ");
		debug_write(line);
		debug_write("\n");
	}
	if (level == PORT_ERROR)
		Print(L"Underseal: %a\n", line);
}

/* One CPU, and nothing of ours runs from firmware's timers. */
void port_lock(struct port_lock *lock)
{
	lock->word = 1;
}

void port_unlock(struct port_lock *lock)
{
	lock->word = 0;
}

/* The registers are saved once around the whole program. */
void port_vectors_save(struct port_vectors *save)
{
	(void)save;
}

void port_vectors_restore(const struct port_vectors *save)
{
	(void)save;
}
