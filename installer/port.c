/* SPDX-License-Identifier: Apache-2.0 */
/* The port of storage/ and keymgmt/ to a Linux process: log to stderr, ordinary spinlocks. */
#include "storage/port.h"
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void port_log(enum port_level level, const char *format, ...)
{
	static const char *const names[] = {"error: ", "warning: ", "", "debug: "};
	va_list arguments;

	if (level == PORT_DEBUG && !getenv("UNDERSEAL_DEBUG"))
		return;
	fputs(names[level], stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

void port_lock(struct port_lock *lock)
{
	while (__atomic_exchange_n(&lock->word, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

void port_unlock(struct port_lock *lock)
{
	__atomic_store_n(&lock->word, 0, __ATOMIC_RELEASE);
}

void port_vectors_save(struct port_vectors *save)
{
	(void)save;
}

void port_vectors_restore(const struct port_vectors *save)
{
	(void)save;
}
