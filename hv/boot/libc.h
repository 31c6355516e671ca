/* SPDX-License-Identifier: Apache-2.0 */
/* The place that libargon2, a library built for a C environment, expects around it. */
#ifndef HV_BOOT_LIBC_H
#define HV_BOOT_LIBC_H

#include "keymgmt/argon2.h"

/* Argon2's working memory from the firmware's pages. */
extern const struct argon2_memory libc_argon2_memory;

/*
 * Debian builds the library with stack canaries, read at %fs:0x28, where firmware
 * has nothing to read. Call libargon2 between these two only; the firmware does
 * not use FS.
 */
void libc_enter(void);
void libc_leave(void);

#endif
