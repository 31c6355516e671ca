/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that does everything a guest can, at random, on every CPU. What a bare
 * machine would not survive either is left out: each such place says why, at the
 * word "left out". The machine must go on, and the data of its disks stay whole.
 */
#ifndef TESTS_GUEST_HOSTILE_H
#define TESTS_GUEST_HOSTILE_H

#include "tests/guest/lib/traps.h"

#define WINDOW_EACH   8 /* pages of the window that one CPU has */
#define SCRATCH_BYTES 65536ull
#define PAGE          4096ull

/* What one CPU is doing; all of it is read by the CPUs that watch it. */
struct fuzzer {
	uint64_t random;
	uint32_t index;
	volatile uint64_t steps;
	const char *volatile what;
	volatile uint64_t detail[3];
	uint8_t *scratch; /* where devices and code under test may write */
	uint8_t *tables;  /* a page of command tables that devices only read */
};

/* Places of the machine, found once at the start. */
extern struct places {
	uint64_t own, own_bytes; /* the hypervisor's memory; 0 when there is none */
	uint64_t above_ram;      /* where nothing answers */
	int hba;		 /* device << 3 | function */
	uint64_t abar;		 /* as the firmware left it */
	uint16_t index_port;	 /* the HBA's index and data ports, 0: none */
	uint64_t guarded_first, guarded_last; /* LBAs of the header partition; 0: unknown */
} places;

void places_find(void);

/* A CPU's own stream of numbers: with one CPU the seed says everything. */
uint64_t draw(struct fuzzer *f);
uint64_t draw_below(struct fuzzer *f, uint64_t bound);
bool one_in(struct fuzzer *f, uint64_t n);
/* Few bits, many bits, edges, addresses that matter. */
uint64_t draw_value(struct fuzzer *f);
/* An address that a device may be told: scratch memory, or none of the guest's RAM. */
uint64_t draw_address(struct fuzzer *f);

/* Notes what comes next, before it is done; with `tell` aloud. */
extern bool tell;
void doing(struct fuzzer *f, const char *what, uint64_t a, uint64_t b, uint64_t c);

/* The fuzzer's page `n` of the window. */
void *window_page(const struct fuzzer *f, unsigned n, uint64_t physical, uint64_t flags);

/* One access of 1, 2, 4 or 8 bytes; any exception is an answer. The vector that came. */
uint64_t try_access(uint64_t address, unsigned size, bool write, uint64_t *value);
uint64_t try_port(uint16_t port, unsigned size, bool write, uint32_t *value);

/*
 * Guards the address and data ports of PCI configuration, so that a write goes
 * where it was meant to; and is held while a CPU is started again.
 */
void config_lock(void);
void config_unlock(void);

/* What can be done. */
void do_port(struct fuzzer *f);
void do_string_port(struct fuzzer *f);
void do_sleep_port(struct fuzzer *f);
void do_config(struct fuzzer *f);
void do_index_ports(struct fuzzer *f);
void do_memory(struct fuzzer *f);
void do_own_memory(struct fuzzer *f);
void do_hba_register(struct fuzzer *f);
void do_hba_command(struct fuzzer *f);
void do_hba_code(struct fuzzer *f);
void do_code(struct fuzzer *f);
void do_msr(struct fuzzer *f);
void do_cpuid(struct fuzzer *f);
void do_control(struct fuzzer *f);
void do_hypercall(struct fuzzer *f);
void do_interrupt(struct fuzzer *f);

/*
 * hba.c. With `reads` commands that read the medium are among those that are made;
 * then the HBA is written by one CPU at a time, which waits for the commands it has
 * started: QEMU dies of a port that is reset under a transfer.
 */
void hba_begin(bool reads);

#endif
