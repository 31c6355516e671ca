/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end, for broken invariants of our own only: keys are wiped, the reason is
 * logged with a number that names the place, every CPU stops. No guest input
 * leads here.
 */
#ifndef HV_CORE_PANIC_H
#define HV_CORE_PANIC_H

enum panic_number {
	PANIC_HOST_EXCEPTION = 1, /* a fault inside the hypervisor */
	PANIC_STACK = 2,          /* a host stack has overflowed */
};

void panic(enum panic_number number, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

#endif
