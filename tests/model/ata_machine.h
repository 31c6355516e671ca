/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model machine around the ATA mediator: the model channel, guest RAM, and a guest
 * whose every access of a port is an exit. A string of accesses is one.
 *
 *   drive 0  protected: clear | A: ciphertext | guarded | clear | B: ciphertext | clear
 *   drive 1  a disk that is not protected, one that is, a packet drive, or nobody
 */
#ifndef TESTS_MODEL_ATA_MACHINE_H
#define TESTS_MODEL_ATA_MACHINE_H

#include "storage/ata/ata.h"
#include "tests/model/channel.h"

enum ata_second { SECOND_PLAIN, SECOND_PROTECTED, SECOND_PACKET, SECOND_NOBODY };

struct ata_machine_options {
	uint32_t lba_size;  /* 0: 512 */
	uint32_t cipher_a;  /* sector size of A; 0: the LBA's */
	uint64_t sectors;   /* of each disk, a multiple of 64 and at least 1024; 0: 4096 */
	size_t arena_bytes; /* 0: the least */
	enum ata_second second;
	bool first_plain; /* drive 0 is not protected */
	bool high_arena; /* at 4 GiB and beyond */
	bool stuck;      /* the firmware left a drive busy that stays so */
};

struct ata_machine {
	struct bus bus;
	struct channel channel;
	struct ata_disk disk[2];
	struct disk_map map[2];
	struct xts_key key[4];
	struct ata_env env;
	struct ata *ata;
	uint64_t exits; /* accesses, a string being one */
	uint64_t allocated; /* guest RAM given out by ata_machine_ram() */
};

/* Builds it; `ata` is NULL when the mediator refused. The disks hold the layout's pattern. */
void ata_machine_init(struct ata_machine *m, const struct ata_machine_options *options);
void ata_machine_free(struct ata_machine *m);

uint32_t ata_machine_in(struct ata_machine *m, unsigned port, unsigned size);
void ata_machine_out(struct ata_machine *m, unsigned port, unsigned size, uint32_t value);
/* REP INS, REP OUTS at the data register. */
void ata_machine_ins(struct ata_machine *m, void *to, uint32_t bytes);
void ata_machine_outs(struct ata_machine *m, const void *from, uint32_t bytes);

/* Guest RAM below 4 GiB, zeroed; never given back but all at once. */
uint64_t ata_machine_ram(struct ata_machine *m, uint64_t bytes, uint64_t alignment);
void *ata_machine_pointer(struct ata_machine *m, uint64_t address);

/* What a sector held at the start, in clear; what sectors hold now, as their owner should see them. */
void ata_machine_pattern(const struct ata_machine *m, unsigned drive, uint64_t lba, uint8_t *out);
void ata_machine_plain(const struct ata_machine *m, unsigned drive, uint64_t lba, uint64_t count, uint8_t *out);

#endif
