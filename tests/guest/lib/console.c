/* SPDX-License-Identifier: Apache-2.0 */
/* The legacy COM1, polled; the end of a run. */
#include "tests/guest/lib/guest.h"
#include "hv/core/format.h"

#define COM1          0x3f8
#define COM1_STATUS   (COM1 + 5)
#define COM1_EMPTY    0x20
#define SLEEP_S5      (1u << 13) /* sleep enable, type 0: what S5 is on the machines of the tests */
#define LINE_BYTES    512

static uint32_t console_lock;

static void put(char c)
{
	while (!(port_in(COM1_STATUS, 1) & COM1_EMPTY))
		cpu_pause();
	port_out(COM1, 1, (uint8_t)c);
}

void print_unlocked(const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			put('\r');
		put(*text);
	}
}

static void print_list(const char *format, va_list arguments)
{
	char line[LINE_BYTES];

	format_text(line, sizeof(line), format, arguments);
	while (__atomic_exchange_n(&console_lock, 1, __ATOMIC_ACQUIRE))
		cpu_pause();
	print_unlocked(line);
	__atomic_store_n(&console_lock, 0, __ATOMIC_RELEASE);
}

void print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_list(format, arguments);
	va_end(arguments);
}

void guest_end(bool passed)
{
	print_unlocked(passed ? "[end: passed]\n" : "[end: failed]\n");
	port_out(machine.pm1a_control, 2, SLEEP_S5);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void guest_fail(const char *format, ...)
{
	char line[LINE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	format_text(line, sizeof(line), format, arguments);
	va_end(arguments);
	print_unlocked("guest: ");
	print_unlocked(line);
	print_unlocked("\n");
	guest_end(false);
}
