/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/format.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct sink {
	char *out;
	size_t room, used;
};

static void put(struct sink *sink, char c)
{
	if (sink->used < sink->room)
		sink->out[sink->used++] = c;
}

static void put_text(struct sink *sink, const char *text, size_t width)
{
	size_t length = strlen(text);

	for (; width > length; width--)
		put(sink, ' ');
	while (*text)
		put(sink, *text++);
}

static void put_number(struct sink *sink, uint64_t value, unsigned base, bool negative, size_t width, char pad)
{
	char digits[24];
	size_t length = 0;

	do {
		digits[length++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	if (negative)
		digits[length++] = '-';
	for (; width > length; width--)
		put(sink, pad);
	while (length)
		put(sink, digits[--length]);
}

/* The length modifiers l, ll and z are all 64 bits wide here. */
static bool skip_length(const char **format)
{
	bool wide = false;

	for (; **format == 'l' || **format == 'z'; (*format)++)
		wide = true;
	return wide;
}

size_t format_text(char *out, size_t size, const char *format, va_list arguments)
{
	struct sink sink = {out, size ? size - 1 : 0, 0};

	for (; *format; format++) {
		size_t width = 0;
		char pad = ' ';

		if (*format != '%') {
			put(&sink, *format);
			continue;
		}
		if (*++format == '0')
			pad = '0';
		for (; *format >= '0' && *format <= '9'; format++)
			width = width * 10 + (size_t)(*format - '0');
		bool wide = skip_length(&format);

		if (*format == 's') {
			const char *text = va_arg(arguments, const char *);

			put_text(&sink, text ? text : "(none)", width);
		} else if (*format == 'c') {
			put(&sink, (char)va_arg(arguments, int));
		} else if (*format == 'd') {
			int64_t value = wide ? va_arg(arguments, int64_t) : va_arg(arguments, int);

			put_number(&sink, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0, width, pad);
		} else if (*format == 'u' || *format == 'x') {
			uint64_t value = wide ? va_arg(arguments, uint64_t) : va_arg(arguments, unsigned);

			put_number(&sink, value, *format == 'x' ? 16 : 10, false, width, pad);
		} else if (*format == 'p') {
			put_number(&sink, (uintptr_t)va_arg(arguments, void *), 16, false, 16, '0');
		} else {
			put(&sink, '%');
			if (*format && *format != '%')
				put(&sink, *format);
			if (*format != '%')
				break;
		}
	}
	if (size)
		out[sink.used] = '\0';
	return sink.used;
}
