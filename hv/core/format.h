/* SPDX-License-Identifier: Apache-2.0 */
/* printf's small, safe subset; the conversions of storage/port.h. */
#ifndef HV_CORE_FORMAT_H
#define HV_CORE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Writes at most `size` bytes with the closing NUL; returns the length written
 * without it. An unknown conversion is copied as it stands and ends formatting.
 */
size_t format_text(char *out, size_t size, const char *format, va_list arguments);

#endif
