/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports lent to a CPU, so that a command by DMA costs few exits. A driver writes
 * Features first; if the drive is idle and the driver has shown that it moves data by
 * DMA, that CPU, and no other, is lent the rest of the registers and the bus master.
 * At Command everything but the bus master's start is taken back and read from the
 * device: nobody else can write it meanwhile, and what was read is checked and
 * written again as always. The engine's table is ours before the drive has its
 * command, so starting it leads nowhere else.
 *
 * What must be seen when it happens is never lent: Features, which cannot be read
 * back, Command, Status, Device Control and its twin, and the data register.
 */
#include "storage/ata/internal.h"

#define PROBE_BEFORE 0x5a
#define PROBE_LATEST 0xa5

/* The registers read as what was written before the latest value. Control says what Device Control was. */
static void show_before(const struct ata *ata, bool before)
{
	device_out(ata, ATA_CONTROL, ata->control | (before ? CONTROL_HOB : 0));
}

/* Not every drive lets the earlier values be read: then there is no loan. */
static bool can_read_back(struct ata *ata, struct drive *drive)
{
	if (drive->probed)
		return drive->reads_back;
	drive->probed = true;
	device_out(ata, ATA_COUNT, PROBE_BEFORE);
	device_out(ata, ATA_COUNT, PROBE_LATEST);
	show_before(ata, true);
	drive->reads_back = device_in(ata, ATA_COUNT) == PROBE_BEFORE;
	show_before(ata, false);
	drive->reads_back = drive->reads_back && device_in(ata, ATA_COUNT) == PROBE_LATEST;
	device_out(ata, ATA_COUNT, ata->before[ATA_COUNT]);
	device_out(ata, ATA_COUNT, ata->latest[ATA_COUNT]);
	return drive->reads_back;
}

void loan_begin(struct ata *ata)
{
	struct drive *drive = &ata->drive[selected(ata)];

	if (!ata->env->lend || !ata->by_dma || !ata->control_known || ata->dead || !drive->map ||
		!can_read_back(ata, drive))
		return;
	/* Another CPU had them. */
	loan_end(ata);
	ata->lent = ATA_LEND_REGISTERS | ATA_LEND_BUS_MASTER | ATA_LEND_PRD;
	ata->env->lend(ata->env->context, ata->lent);
}

static void read_registers(struct ata *ata, bool latest_only)
{
	for (unsigned port = ATA_COUNT; port <= ATA_LBA_HIGH; port++)
		ata->before[port] = ata->latest[port] = device_in(ata, port);
	ata->device = device_in(ata, ATA_DEVICE);
	if (latest_only)
		return;
	show_before(ata, true);
	for (unsigned port = ATA_COUNT; port <= ATA_LBA_HIGH; port++)
		ata->before[port] = device_in(ata, port);
	show_before(ata, false);
}

/* It held our table's address, and holds it again. */
static void read_prd(struct ata *ata)
{
	uint32_t address = ata->env->in(ata->env->context, ATA_BM_PRD);

	if (address == table_address(ata))
		return;
	ata->guest_prd = address;
	ata->prd_fresh = true;
	give_table(ata);
}

static void end(struct ata *ata, bool latest_only)
{
	uint32_t lent = ata->lent;

	if (!lent)
		return;
	ata->lent = 0;
	ata->env->lend(ata->env->context, 0);
	if (lent & ATA_LEND_REGISTERS)
		read_registers(ata, latest_only);
	if (lent & ATA_LEND_PRD)
		read_prd(ata);
	if (lent & ATA_LEND_BUS_MASTER)
		ata->guest_bus_master = device_in(ata, ATA_BM_COMMAND) & (BM_START | BM_TO_MEMORY);
}

void loan_end(struct ata *ata)
{
	end(ata, false);
}

void loan_end_at_command(struct ata *ata, uint8_t opcode)
{
	end(ata, command_is_28_bit(opcode));
}

void loan_of_start(struct ata *ata)
{
	ata->lent = ATA_LEND_BUS_MASTER;
	ata->env->lend(ata->env->context, ata->lent);
}

bool is_lent(const struct ata *ata, uint32_t port)
{
	if (port >= ATA_COUNT && port <= ATA_DEVICE)
		return ata->lent & ATA_LEND_REGISTERS;
	if (port >= ATA_BM_PRD)
		return ata->lent & ATA_LEND_PRD;
	return port >= ATA_BUS_MASTER && ata->lent & ATA_LEND_BUS_MASTER;
}
