/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of facts. */
#include "tests/guest/conform/conform.h"
#include "hv/core/format.h"
#include <stdarg.h>

#define TEXTS      16
#define TEXT_BYTES 256
#define EXCEPTIONS 32
#define WITH_ERROR 0x60227d00u /* vectors 8, 10 to 14, 17, 21, 29, 30 */

void fact(const char *format, ...)
{
	char line[TEXT_BYTES * 2];
	va_list arguments;

	va_start(arguments, format);
	format_text(line, sizeof(line), format, arguments);
	va_end(arguments);
	print("%s\n", line);
}

const char *text(const char *format, ...)
{
	static char texts[TEXTS][TEXT_BYTES];
	static unsigned turn;
	char *out = texts[turn++ % TEXTS];
	va_list arguments;

	va_start(arguments, format);
	format_text(out, TEXT_BYTES, format, arguments);
	va_end(arguments);
	return out;
}

const char *ending(const struct run *r)
{
	static const char *const names[EXCEPTIONS] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "#9",
		"#TS", "#NP", "#SS", "#GP", "#PF", "#15", "#MF", "#AC", "#MC", "#XM", "#20", "#CP", "#22", "#23", "#24",
		"#25", "#26", "#27", "#28", "#29", "#SX", "#31"};
	uint64_t at = r->rip - CODE;

	if (r->vector == VECTOR_RUN_DONE)
		return "ok";
	if (r->vector >= EXCEPTIONS)
		return text("vector %lx +%lx", r->vector, at);
	const char *error = WITH_ERROR >> r->vector & 1 ? text("(%lx)", r->error) : "";
	const char *more = r->vector == 14 ? text(" cr2 %lx", r->cr2) : r->vector == 1 ? text(" dr6 %lx", r->dr6) : "";

	return text("%s%s +%lx%s", names[r->vector], error, at, more);
}

uint64_t digest(const void *bytes, uint64_t count)
{
	const uint8_t *at = bytes;
	uint64_t hash = 0xcbf29ce484222325;

	while (count--)
		hash = (hash ^ *at++) * 0x100000001b3;
	return hash;
}
