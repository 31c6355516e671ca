/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the freestanding parts (storage/, keymgmt/, pmem/) ask of the place they
 * run in. The hypervisor, the UEFI program, the underseal command and the host
 * tests each implement these few functions; nothing here includes a header of hv/.
 */
#ifndef STORAGE_PORT_H
#define STORAGE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h> /* memcpy, memset, memmove, memcmp, strlen, strcmp, strncmp only */

enum port_level { PORT_ERROR, PORT_WARNING, PORT_INFO, PORT_DEBUG };

/*
 * One line of log for a person, without a newline. Conversions: %s %c %d %u %x
 * %lu %lx %llu %llx %zu %p %%, width and zero padding. Any context, never blocks.
 */
void port_log(enum port_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   port_log(PORT_ERROR, __VA_ARGS__)
#define log_warning(...) port_log(PORT_WARNING, __VA_ARGS__)
#define log_info(...)    port_log(PORT_INFO, __VA_ARGS__)
#define log_debug(...)   port_log(PORT_DEBUG, __VA_ARGS__)

/* A spinlock; all zeroes is unlocked. Not recursive. A spinning CPU keeps answering shoot-downs. */
struct port_lock {
	uint32_t word;
};

void port_lock(struct port_lock *lock);
void port_unlock(struct port_lock *lock);

/*
 * Vector registers belong to the guest. Code that runs AES brackets it with
 * these two; `save` stands on the caller's stack. Not nested. Elsewhere than in
 * the hypervisor they do nothing.
 */
struct port_vectors {
	uint8_t xmm[16][16] __attribute__((aligned(16)));
};

void port_vectors_save(struct port_vectors *save);
void port_vectors_restore(const struct port_vectors *save);

#endif
