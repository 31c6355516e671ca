/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conformance guest: everything that can be observed and is the same at every
 * run, as `theme: what = value` lines. Run bare and beneath, the two must be equal
 * line by line (tests/machine/cases/conform.py). One file a theme.
 *
 * Nothing is printed that depends on where the firmware put the program: code under
 * test runs in the window of paging.h, at addresses that are the same everywhere.
 */
#ifndef TESTS_GUEST_CONFORM_H
#define TESTS_GUEST_CONFORM_H

#include "tests/guest/lib/cpus.h"
#include "tests/guest/lib/lapic.h"
#include "tests/guest/lib/paging.h"
#include "tests/guest/lib/traps.h"

/* The stage: pages of the window that stage_set() lays out. The others are not present. */
enum {
	STAGE_CODE, /* two pages: what a snippet is copied to */
	STAGE_STACK = 2,
	STAGE_RAM = 4, /* four pages */
	STAGE_DEVICE = 16, /* the first HBA's registers */
	STAGE_LAPIC = 20,
	STAGE_FREE = 32, /* from here on a theme's own */
};
#define STAGE(page) ((uint64_t)(WINDOW + (page) * 4096ull))
#define CODE        STAGE(STAGE_CODE)
#define STACK_TOP   (STAGE(STAGE_STACK) + 0x2000)
#define RAM         STAGE(STAGE_RAM)
#define RAM_BYTES   0x4000u
#define DEVICE      STAGE(STAGE_DEVICE)

/* Maps the stage anew: `user` opens it to privilege level 3. RAM is filled with bytes that count. */
void stage_set(bool user);
/* The memory behind a page of code, stack or RAM. */
uint8_t *stage_memory(unsigned page);

/*
 * A piece of code: SNIPPET(name, "assembler"). It runs at CODE and ends by running
 * into the INT that is put behind it. Registers reach it by struct run.
 */
struct snippet {
	const uint8_t *begin, *end;
};
#define SNIPPET(name, text)                                                                                  \
	extern const uint8_t name##_begin[] __attribute__((visibility("hidden")));                           \
	extern const uint8_t name##_end[] __attribute__((visibility("hidden")));                             \
	__asm__(".pushsection .rodata\n" #name "_begin:\n" text "\n" #name "_end:\n.code64\n.popsection\n");   \
	static const struct snippet name = {name##_begin, name##_end}

/*
 * Many of them: a list macro LIST(X) of X(name, "assembler"), LIST(PROBE_CODE) for the
 * code and {LIST(PROBE_ROW)} for an array of struct probe.
 */
struct probe {
	const char *name;
	const struct snippet *code;
};
#define PROBE_CODE(name, text) SNIPPET(probe_##name, text);
#define PROBE_ROW(name, text)  {#name, &probe_##name},

/* 64-bit code at CPL 0 on the stage's stack; registers zero. Other modes: set cs, ss, rflags. */
void snippet_prepare(struct run *run);
void snippet_prepare_user(struct run *run);
/* Lays the code and runs it. */
void snippet_run(struct run *run, const struct snippet *snippet);
void bytes_run(struct run *run, const uint8_t *bytes, unsigned count);

/* One line: `key = value`, with what the format says between. Text of several calls is put together by text(). */
void fact(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Formatted text in one of a few buffers that are used again and again. */
const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/*
 * How a run ended, as text: "ok", or "#GP(0) +3": the exception, its error code, rip
 * as an offset into CODE; CR2 and DR6 where they tell something.
 */
const char *ending(const struct run *run);
/* The flags that instructions compute. */
#define FLAGS_COMPUTED ((uint64_t)0x8d5)

/* Hash of bytes, to tell much in one word. */
uint64_t digest(const void *bytes, uint64_t count);

/* One a file. */
void theme_cpuid(void);
void theme_msrs(void);
void theme_exceptions(void);
void theme_mmio(void);
void theme_debug(void);
void theme_strings(void);
void theme_paging(void);
void theme_clock(void);
void theme_halt(void);
void theme_fpu(void);
void theme_system(void);
void theme_code(void);
void theme_interrupts(void);
void theme_startup(void);
void theme_tasks(void);

#endif
