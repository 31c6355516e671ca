/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model AHCI 1.3.1 HBA with ATA disks: the registers, the command lists it
 * fetches over the bus, the FISes it posts. Nothing moves by itself: the test
 * lets it fetch, move data and finish, in any order that NCQ allows; only link
 * and engine state changes settle by themselves, after some register reads.
 *
 * It also watches its driver: what the specification forbids software to do is
 * a fault (bus_fault) on a port marked `strict`.
 */
#ifndef TESTS_MODEL_HBA_H
#define TESTS_MODEL_HBA_H

#include "tests/model/ata_disk.h"
#include "tests/model/bus.h"

#define MODEL_PORTS 32
#define MODEL_SLOTS 32

/* Registers and bits, named as in AHCI 1.3.1 section 3. */
enum {
	ABAR_CAP = 0x00,
	ABAR_GHC = 0x04,
	ABAR_IS = 0x08,
	ABAR_PI = 0x0c,
	ABAR_VS = 0x10,
	ABAR_CAP2 = 0x24,
	PX_CLB = 0x00,
	PX_CLBU = 0x04,
	PX_FB = 0x08,
	PX_FBU = 0x0c,
	PX_IS = 0x10,
	PX_IE = 0x14,
	PX_CMD = 0x18,
	PX_TFD = 0x20,
	PX_SIG = 0x24,
	PX_SSTS = 0x28,
	PX_SCTL = 0x2c,
	PX_SERR = 0x30,
	PX_SACT = 0x34,
	PX_CI = 0x38,
};
#define HBA_PX(port, reg) (0x100u + (port)*0x80u + (reg))

#define ABAR_GHC_HR 0x1u
#define ABAR_GHC_IE 0x2u
#define ABAR_GHC_AE 0x80000000u
#define PXCMD_ST    0x1u
#define PXCMD_SUD   0x2u
#define PXCMD_CLO   0x8u
#define PXCMD_FRE   0x10u
#define PXCMD_FR    0x4000u
#define PXCMD_CR    0x8000u
#define PXIS_DHRS   0x1u
#define PXIS_PSS    0x2u
#define PXIS_DSS    0x4u
#define PXIS_SDBS   0x8u
#define PXIS_DPS    0x20u
#define PXIS_PCS    0x40u
#define PXIS_PRCS   0x400000u
#define PXIS_OFS    0x1000000u
#define PXIS_HBFS   0x20000000u
#define PXIS_TFES   0x40000000u
#define PXTFD_ERR   0x01u
#define PXTFD_DRQ   0x08u
#define PXTFD_BSY   0x80u
#define PXSERR_X    0x4000000u
#define PXSERR_N    0x10000u

struct hba_port {
	uint32_t clb, clbu, fb, fbu, is, ie, cmd, tfd, sig, ssts, sctl, serr, sact, ci;
	struct ata_disk *disk; /* NULL: nobody is connected */
	bool strict, rude;
	bool halted;	     /* by an error, until ST is cleared */
	bool signature;	     /* the disk has its first FIS to send */
	bool stale;	     /* it holds commands that the HBA has forgotten */
	uint32_t accepted;   /* slots whose command the disk holds */
	uint32_t moved;	     /* of them, those whose data was transferred */
	uint32_t interrupts; /* PxIS bits that the command being executed raised with its data */
	struct hba_slot {
		struct ata_command command;
		struct ata_plan plan;
		uint64_t table;
		uint16_t prds;
		uint8_t error;
		bool control; /* a reset that the C bit of the header ends */
	} slot[MODEL_SLOTS];
	uint8_t last; /* slot fetched last */
	unsigned start_wait, receive_wait, link_wait;
};

struct hba {
	struct bus *bus;
	uint32_t cap, ghc, is, pi;
	struct hba_port port[MODEL_PORTS];
	unsigned delay; /* register reads until an engine or link has settled */
	unsigned reset_wait;
	bool stuck;   /* engines do not stop and resets do not end */
	bool message; /* an MSI was sent and not yet taken: hba_take_interrupt() */
	uint64_t reads, writes;
	/* Called before every register access; exploration lets the device go on here. May be NULL. */
	void (*access)(void *context, uint32_t offset);
	void *access_context;
};

/* All ports implemented by `pi`, none connected. `slots` 1..32. */
void hba_init(struct hba *hba, struct bus *bus, uint32_t pi, unsigned slots);
void hba_connect(struct hba *hba, unsigned port, struct ata_disk *disk);

uint32_t hba_read(struct hba *hba, uint32_t offset);
void hba_write(struct hba *hba, uint32_t offset, uint32_t value);

/* Fetches the next command from the list. Returns its slot, or -1 when there is nothing to fetch. */
int hba_fetch(struct hba *hba, unsigned port);
/* Moves the data of an accepted command; nothing happens twice. */
void hba_move(struct hba *hba, unsigned port, unsigned slot);
/* Ends an accepted command (moves its data first where that has not been done): status FIS, interrupt. */
void hba_finish(struct hba *hba, unsigned port, unsigned slot);
/* Everything until nothing is left to do, queued commands in slot order. */
void hba_run(struct hba *hba);

/* The interrupt line, and the message: true once for each that was sent. */
bool hba_interrupt(const struct hba *hba);
bool hba_take_interrupt(struct hba *hba);

/* Between the files of the model. */
void hba_raise(struct hba *hba, unsigned port, uint32_t bits);
void hba_post_fis(struct hba *hba, unsigned port, unsigned offset, const uint8_t *fis, unsigned bytes);
void hba_post_status(struct hba *hba, unsigned port, const struct ata_command *command, uint8_t status,
	uint8_t error, bool interrupt);
void hba_link_reset(struct hba *hba, unsigned port);
void hba_send_signature(struct hba *hba, unsigned port);

#endif
