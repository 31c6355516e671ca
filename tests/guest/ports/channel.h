/* SPDX-License-Identifier: Apache-2.0 */
/* A polled driver of the ATA channels of the first IDE controller on bus 0, and single accesses that no driver makes. */
#ifndef TESTS_GUEST_PORTS_CHANNEL_H
#define TESTS_GUEST_PORTS_CHANNEL_H

#include "storage/ata/registers.h"
#include "tests/guest/lib/guest.h"

#define SECTOR 512u

/* Ports of the command block. */
enum { DATA, FEATURES, COUNT, LBA_LOW, LBA_MID, LBA_HIGH, DEVICE, COMMAND };

#define READ_SECTORS   0x20
#define WRITE_SECTORS  0x30
#define READ_DMA_EXT   0x25
#define WRITE_DMA_EXT  0x35
#define WRITE_MULTIPLE 0xc5
#define DEVICE_LBA     0xe0

struct channel {
	uint16_t command, control, bus_master;
	unsigned drive; /* the one that commands are for */
};

/* Its place on bus 0, device << 3 | function; channels at their old ports. Ends the program where there is none. */
extern int controller;
void channels_find(struct channel channel[2]);
/* Base address 4, or the command register's bit for ports. */
void bus_master_move(struct channel channel[2], uint16_t base);
void decode_ports(bool on);

uint8_t in(const struct channel *c, unsigned port);
void out(const struct channel *c, unsigned port, uint8_t value);
void words_in(const struct channel *c, void *to, uint32_t sectors);
void words_out(const struct channel *c, const void *from, uint32_t words);

/* Status when BSY is clear and, where `asked`, DRQ or ERR is set; 0xff after seconds. */
uint8_t settle(const struct channel *c, bool asked);
/* The registers of a command, twice each; `select`: Device as well. Not Command. */
void load(const struct channel *c, uint64_t lba, uint32_t count, bool select);
void soft_reset(const struct channel *c);

/* Status at the end: 0 in STATUS_ERR where it went well. */
uint8_t pio(const struct channel *c, uint8_t opcode, uint64_t lba, uint32_t count, void *data, uint32_t block);
uint8_t dma(const struct channel *c, uint8_t opcode, uint64_t lba, uint32_t count, uint32_t address);
uint8_t plain(const struct channel *c, uint8_t opcode, uint32_t count);

#endif
