/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lines/recorder.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static __thread struct recorder *current;

void recorder_init(struct recorder *recorder)
{
	*recorder = (struct recorder){.line = calloc(RECORDER_LINES, sizeof(struct recorder_line))};
	if (!recorder->line)
		abort();
}

void recorder_free(struct recorder *recorder)
{
	free(recorder->line);
}

void recorder_use(struct recorder *recorder)
{
	current = recorder;
}

/* The line's place, or where it belongs. */
static struct recorder_line *find(const struct recorder *recorder, uintptr_t number)
{
	size_t at = (size_t)(number * 0x9e3779b97f4a7c15ull >> 32) % RECORDER_LINES;

	while (recorder->line[at].number && recorder->line[at].number != number)
		at = (at + 1) % RECORDER_LINES;
	return &recorder->line[at];
}

static void note_line(struct recorder *recorder, uintptr_t number, bool write, const void *from)
{
	struct recorder_line *line = find(recorder, number);

	if (!line->number) {
		if (++recorder->lines > RECORDER_LINES / 2)
			abort();
		line->number = number;
	}
	if (!write && !line->read)
		line->read = from;
	if (write && !line->written) {
		line->written = from;
		recorder->written++;
	}
}

void recorder_note(const void *address, size_t bytes, bool write, const void *from)
{
	if (!current || !bytes)
		return;
	for (uintptr_t number = (uintptr_t)address / RECORDER_LINE;
		number <= ((uintptr_t)address + bytes - 1) / RECORDER_LINE; number++)
		note_line(current, number, write, from);
}

bool recorder_has_written(const struct recorder *recorder, const void *address)
{
	return find(recorder, (uintptr_t)address / RECORDER_LINE)->written;
}

/* Function, file and line, by addr2line: most functions are static. */
static void say_place(const char *what, const void *from)
{
	char program[256], command[512];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	Dl_info info;

	if (!from || length < 0 || !dladdr(from, &info))
		return;
	program[length] = 0;
	snprintf(command, sizeof(command), "addr2line -fspe '%s' %#tx >&2", program,
		(const char *)from - (const char *)info.dli_fbase - 1);
	fprintf(stderr, "    %s by ", what);
	if (system(command))
		fprintf(stderr, "%p\n", from);
}

static void say_line(const struct recorder_line *line)
{
	say_place("written", line->written);
	say_place("read", line->read);
}

unsigned recorder_shared(const struct recorder *one, const struct recorder *other, bool touched)
{
	unsigned shared = 0;

	for (size_t i = 0; i < RECORDER_LINES; i++) {
		const struct recorder_line *mine = &one->line[i], *its;

		if (!mine->written)
			continue;
		its = find(other, mine->number);
		if (!its->written && !(touched && its->read))
			continue;
		shared++;
		fprintf(stderr, "line %#zx is written by one thread and used by another:\n", mine->number * RECORDER_LINE);
		say_line(mine);
		fprintf(stderr, "  the other:\n");
		say_line(its);
	}
	return shared;
}
