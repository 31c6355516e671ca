/* SPDX-License-Identifier: Apache-2.0 */
/* A command as it comes from the guest: read once, checked whole. */
#include "storage/ahci/internal.h"

/* Why a command is refused, for the log; NULL when it is sound. */
static const char *examine(const struct ahci *ahci, const struct port *port, struct slot *slot, uint64_t *bytes)
{
	if (slot->flags & (HEADER_ATAPI | HEADER_BIST | HEADER_PMP))
		return "a packet, self-test or port-multiplier command";
	if (HEADER_CFL(slot->flags) < FIS_H2D_WORDS || HEADER_CFL(slot->flags) > 16 || slot->fis.type != FIS_H2D)
		return "a command FIS that is none";
	if (scatter_check(ahci, slot, bytes))
		return "a scatter list with odd lengths, or outside the guest's memory";
	if (!(slot->fis.flags & FIS_COMMAND))
		return NULL;
	slot->command = command_decode(&slot->fis);
	if (slot->command.class == COMMAND_REFUSE)
		return "not a command for a protected disk";
	/* The device would use the list of another slot. */
	if (slot->command.ncq && slot->fis.count >> 3 != slot - port->slot)
		return "a queued command whose tag is not its slot";
	if (slot->command.count && *bytes < (uint64_t)slot->command.count * port->map->lba_size)
		return "a scatter list shorter than the transfer";
	if (slot->command.class == COMMAND_WRITE &&
	    disk_map_touches(port->map, slot->command.lba, slot->command.count, SECTOR_GUARDED))
		return "a write to a header partition";
	if (slot->command.class == COMMAND_IDENTIFY && *bytes < 512)
		return "no room for the identify data";
	return NULL;
}

void refusal_log(struct port *port, const struct slot *slot, const char *why)
{
	if (port->statistics.refused++ < 64)
		log_info("ahci: port %u: command %x at LBA %llx refused: %s", port->number, slot->fis.command,
			(unsigned long long)slot->command.lba, why);
}

/* Header and table; 0 when either lies where the guest has no memory. */
static int read_guest(const struct ahci *ahci, const struct port *port, unsigned tag, struct slot *slot)
{
	const volatile struct command_header *header = &port->guest_list[tag];
	uint64_t ctba;
	const struct command_table *table;

	slot->flags = header->flags;
	ctba = header->ctba & ~127ull;
	slot->prdtl = HEADER_PRDTL(slot->flags);
	slot->prdt = ctba + offsetof(struct command_table, prd);
	table = guest_memory(ahci, ctba, offsetof(struct command_table, prd) + slot->prdtl * sizeof(struct prd));
	if (!table)
		return -1;
	memcpy(&slot->fis, &table->fis, sizeof(slot->fis));
	return 0;
}

void accept_command(struct ahci *ahci, unsigned number, unsigned tag)
{
	struct port *port = &ahci->port[number];
	struct slot *slot = &port->slot[tag];
	uint64_t bytes = 0;
	const char *why;

	memset(slot, 0, sizeof(*slot));
	if (read_guest(ahci, port, tag, slot)) {
		why = "a command table outside the guest's memory";
		slot->command.class = COMMAND_REFUSE;
		slot->command.ncq = port->guest_sact >> tag & 1;
	} else {
		slot->command.class = COMMAND_PASS;
		why = examine(ahci, port, slot, &bytes);
	}
	if (why) {
		refusal_log(port, slot, why);
		slot->command.class = COMMAND_REFUSE;
	}
	/* A queued command that was not announced in PxSACT, or the other way round, keeps the guest's protocol. */
	slot->state = SLOT_WAITING;
	slot->sequence = port->next_sequence++;
	port->waiting |= 1u << tag;
	port->statistics.commands++;
}
