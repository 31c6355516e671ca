/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model machine around the AHCI mediator: the model HBA with four ports, guest
 * RAM, and CPUs that reach the registers as the hypervisor lets them: through the
 * mediator, or from its register copy where that is mapped.
 *
 *   port 0  protected: clear | A: ciphertext | guarded | clear | B: ciphertext | clear
 *   port 1  a disk that is not protected
 *   port 2  nobody
 *   port 3  protected as port 0, with another key
 */
#ifndef TESTS_MODEL_MACHINE_H
#define TESTS_MODEL_MACHINE_H

#include "storage/ahci/ahci.h"
#include "tests/model/hba.h"

#define MACHINE_CPUS 2

struct machine_options {
	uint32_t lba_size;  /* 0: 512 */
	uint32_t cipher_a;  /* sector size of A; 0: the LBA's */
	uint64_t sectors;   /* of each disk, a multiple of 64 and at least 1024; 0: 4096 */
	uint64_t ram_bytes; /* 0: 32 MiB */
	size_t arena_bytes; /* 0: the least and 4 MiB */
	unsigned slots;	    /* 0: 32 */
	bool one_port;	    /* ports 1 and 3 are empty: a smaller and faster machine */
	bool stuck;	    /* the firmware left engines running that do not stop */
	bool never_armed;   /* no copy_arm */
};

struct machine {
	struct bus bus;
	struct hba hba;
	struct ata_disk disk[4];
	struct disk_map map[4];
	struct xts_key key[4];
	struct ahci_env env;
	struct ahci *ahci;
	unsigned cpu; /* the one that is exiting */
	bool armed[MACHINE_CPUS];
	void (*arming)(struct machine *m); /* called when a CPU is about to be shown the copy; may be NULL */
	uint64_t exits[MACHINE_CPUS];
	uint64_t allocated; /* guest RAM given out by machine_ram() */
};

/* Builds it; ahci is NULL when the mediator refused. The disks hold machine_pattern(). */
void machine_init(struct machine *m, const struct machine_options *options);
void machine_free(struct machine *m);
/* Gives the HBA to the mediator; machine_init() does it. */
void machine_take_over(struct machine *m, const struct machine_options *options);

uint32_t machine_read(struct machine *m, unsigned cpu, uint32_t offset);
void machine_write(struct machine *m, unsigned cpu, uint32_t offset, uint32_t value);

/* Guest RAM, zeroed when first given: returns its address; never given back but all at once. */
uint64_t machine_ram(struct machine *m, uint64_t bytes, uint64_t alignment);
void *machine_pointer(struct machine *m, uint64_t address);

/* The ranges of a protected port's map. */
uint64_t machine_a_first(const struct machine *m);
uint64_t machine_a_last(const struct machine *m);
uint64_t machine_guarded_first(const struct machine *m); /* 64 sectors, right after A */
uint64_t machine_b_first(const struct machine *m);
uint64_t machine_b_last(const struct machine *m);

/* What every sector holds at the start, in clear. */
void machine_pattern(const struct machine *m, unsigned port, uint64_t lba, uint8_t *out);
/* Sectors of the medium as their owner should see them: decrypted where the map says ciphertext. */
void machine_plain(const struct machine *m, unsigned port, uint64_t lba, uint64_t count, uint8_t *out);

#endif
