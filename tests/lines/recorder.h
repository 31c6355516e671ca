/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which cache lines a thread reads and writes. Objects that are compiled with
 * -fsanitize=thread call the functions of recorder.c at each access (in the place
 * of that sanitizer's library); memcpy, memset and the cipher are wrapped by the
 * linker. Lines are compared by what threads did to them, whatever the order.
 */
#ifndef TESTS_LINES_RECORDER_H
#define TESTS_LINES_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORDER_LINE  64u
#define RECORDER_LINES (1u << 17) /* of one thread, at most */

/* From where in the code a line was first read and first written; NULL: it was not. */
struct recorder_line {
	uintptr_t number; /* address / RECORDER_LINE; 0: no entry */
	const void *read, *written;
};

struct recorder {
	struct recorder_line *line; /* a hash table */
	unsigned lines, written;
};

void recorder_init(struct recorder *recorder);
void recorder_free(struct recorder *recorder);

/* What the calling thread does from now on goes into `recorder`, or nowhere: NULL. */
void recorder_use(struct recorder *recorder);
void recorder_note(const void *address, size_t bytes, bool write, const void *from);

bool recorder_has_written(const struct recorder *recorder, const void *address);
/*
 * Lines that `one` has written and `other` has written, or with `touched` has read
 * as well. Says on stderr of each of them which it is, and by what it was used.
 */
unsigned recorder_shared(const struct recorder *one, const struct recorder *other, bool touched);

#endif
