/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translations that the hypervisor takes away, and NMIs in flight meanwhile. CPU 0
 * moves the disk's registers and makes the register copy come and go; the others
 * read, and send each other NMIs. Whoever reads by an old translation sees it.
 */
#ifndef TESTS_GUEST_SHOOTDOWN_H
#define TESTS_GUEST_SHOOTDOWN_H

#include "tests/guest/lib/ahci.h"
#include "tests/guest/lib/traps.h"

/*
 * What the others check. `phase` is odd while CPU 0 changes what follows: what is
 * read between two looks at the same even value must be as it says, and what is read
 * at any other time must be possible at all.
 */
#define PLACES 3
extern struct truth {
	volatile uint64_t phase;
	uint64_t place[PLACES];    /* pages the registers move between */
	volatile uint32_t at;      /* which of them; PLACES: none, memory space is off */
	uint32_t empty;            /* what is read where nobody answers */
	uint32_t list;             /* PxCLB of port 0 as this guest wrote it */
	volatile bool settled;     /* nothing is owed to the HBA: IS reads as zero */
} truth;

static inline void change_begin(void)
{
	__atomic_add_fetch(&truth.phase, 1, __ATOMIC_SEQ_CST);
}

static inline void change_end(void)
{
	__atomic_add_fetch(&truth.phase, 1, __ATOMIC_SEQ_CST);
}

/*
 * While CPU 0 changes where devices are, the others keep off their registers, the local
 * APIC's among them: QEMU 7.2 shows a CPU the new map before it has dropped that CPU's
 * translations, and an access in between reaches some other device (bare as well:
 * docs/caveats.md). They go on running, with exits and without.
 */
void rest_begin(void); /* CPU 0; they rest when it returns */
void rest_end(void);
void rest_if_asked(void); /* the others, before each access */

/* CPU 0. */
void moves_begin(struct ahci_disk *disk);
void move_once(struct ahci_disk *disk);
void copies_once(struct ahci_disk *disk);

/* The others: one check, or one NMI. Sent from CPU 0 too. */
void check_once(uint64_t *random);
void nmi_once(uint64_t *random);
void nmis_begin(void);
/* Waits for the last; guest_fail() when one is lost or one too many has come. */
void nmis_end(void);

extern volatile uint64_t moves, copies, checks, certain, nmis;

uint64_t draw(uint64_t *random, uint64_t bound);

#endif
