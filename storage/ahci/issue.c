/* SPDX-License-Identifier: Apache-2.0 */
/* From accepted commands to commands of the device, chunk by chunk. */
#include "storage/ahci/internal.h"
#include "storage/crypt/wipe.h"

/* What is in it may be a guest's plaintext. */
void release_bounce(struct ahci *ahci, struct slot *slot)
{
	if (!slot->bounce)
		return;
	if (slot->kind == CHUNK_BOUNCE_READ || slot->kind == CHUNK_MODIFY_READ)
		secret_wipe(slot->bounce, slot->bounce_bytes);
	pool_give(&ahci->pool, slot->bounce, slot->bounce_bytes);
	slot->bounce = NULL;
}

/*
 * What the next chunk may be: aligned as far as `most` sectors go, or the part of
 * one cipher sector that the command touches. Sets lba, count and the device's.
 */
static void plan(const struct port *port, struct slot *slot, uint64_t most)
{
	uint64_t lba = slot->command.lba + slot->done, left = slot->command.count - slot->done, planned = 0;

	slot->lba = slot->device_lba = lba;
	left = left < most ? left : most;
	while (planned < left) {
		struct disk_run run = disk_map_run(port->map, lba + planned, left - planned);
		uint64_t unit = disk_range_unit(port->map, run.range);
		uint64_t into = unit > 1 ? (run.lba - run.range->first_lba) % unit : 0;
		uint64_t whole = into ? 0 : run.count - run.count % unit;

		if (!whole && !planned) {
			slot->count = (uint32_t)(run.count < unit - into ? run.count : unit - into);
			slot->device_lba = lba - into;
			slot->device_count = (uint32_t)unit;
			return;
		}
		planned += whole;
		if (whole < run.count)
			break;
	}
	slot->count = slot->device_count = (uint32_t)planned;
}

static bool is_partial(const struct slot *slot)
{
	return slot->device_count != slot->count;
}

/*
 * With a cipher sector of several logical ones, two commands in flight may meet in
 * it without meeting in the guest's view: they go one after the other.
 */
static bool must_wait(const struct port *port, unsigned tag)
{
	const struct slot *slot = &port->slot[tag];

	for (uint32_t others = port->issued & ~(1u << tag); others; others &= others - 1) {
		const struct slot *other = &port->slot[__builtin_ctz(others)];

		if (!other->device_count || (!is_partial(slot) && !is_partial(other)))
			continue;
		if (slot->command.class != COMMAND_WRITE && other->command.class != COMMAND_WRITE)
			continue;
		if (slot->device_lba < other->device_lba + other->device_count &&
		    other->device_lba < slot->device_lba + slot->device_count)
			return true;
	}
	return false;
}

static void set_header(struct ahci *ahci, struct port *port, unsigned tag, uint32_t flags, uint32_t words,
	uint32_t prds)
{
	port->list[tag] = (struct command_header){
		.flags = flags | words | prds << 16,
		.ctba = ahci->env->bus_address(ahci->env->context, &port->table[tag]),
	};
}

static void set_fis(struct port *port, const struct slot *slot, unsigned tag)
{
	memset(port->table[tag].cfis, 0, sizeof(port->table[tag].cfis));
	port->table[tag].fis = slot->fis;
}

static void one_prd(struct ahci *ahci, struct port *port, unsigned tag, const void *memory, uint32_t bytes)
{
	port->table[tag].prd[0] =
		(struct prd){.address = ahci->env->bus_address(ahci->env->context, memory), .count = bytes - 1};
}

static void prepare_refusal(struct ahci *ahci, struct port *port, unsigned tag)
{
	struct slot *slot = &port->slot[tag];

	slot->kind = CHUNK_REFUSED;
	slot->fis.type = FIS_H2D;
	slot->fis.flags = FIS_COMMAND;
	set_fis(port, slot, tag);
	command_make_refusal(&port->table[tag].fis, slot->command.ncq);
	/* A queued command's tag stands in its count field: a mangled one is put right. */
	if (slot->command.ncq)
		port->table[tag].fis.count = (uint8_t)(tag << 3);
	one_prd(ahci, port, tag, port->junk, 512);
	set_header(ahci, port, tag, 0, FIS_H2D_WORDS, slot->command.ncq ? 1 : 0);
}

static int prepare_pass(struct ahci *ahci, struct port *port, unsigned tag)
{
	struct slot *slot = &port->slot[tag];
	struct sg_cursor start = {0, 0};
	uint64_t bytes;
	uint32_t prds = 0;

	slot->kind = CHUNK_PASS;
	set_fis(port, slot, tag);
	if (slot->prdtl) {
		if (scatter_check(ahci, slot, &bytes))
			return -1;
		prds = scatter_to_table(ahci, slot, start, bytes, &port->table[tag]);
		if (!prds)
			return -1;
	}
	set_header(ahci, port, tag, slot->flags & (HEADER_WRITE | HEADER_PREFETCH | HEADER_RESET | HEADER_CLEAR),
		FIS_H2D_WORDS, prds);
	return 0;
}

/* 1: not now, no memory. */
static int prepare_trim(struct ahci *ahci, struct port *port, unsigned tag)
{
	struct slot *slot = &port->slot[tag];
	uint32_t blocks = slot->fis.count | (uint32_t)slot->fis.count_high << 8, got;
	struct sg_cursor cursor = {0, 0};

	if (!blocks || blocks > TRIM_MAX_BLOCKS)
		return -1;
	slot->bounce = pool_take(&ahci->pool, blocks * 512, blocks * 512, &got);
	if (!slot->bounce)
		return 1;
	slot->bounce_bytes = got;
	slot->kind = CHUNK_TRIM;
	if (scatter_copy_in(ahci, slot, &cursor, slot->bounce, blocks * 512) ||
	    trim_cut(port->map, (uint64_t *)slot->bounce, blocks * TRIM_RANGES_PER_BLOCK)) {
		pool_give(&ahci->pool, slot->bounce, slot->bounce_bytes);
		slot->bounce = NULL;
		return -1;
	}
	set_fis(port, slot, tag);
	one_prd(ahci, port, tag, slot->bounce, blocks * 512);
	set_header(ahci, port, tag, HEADER_WRITE, FIS_H2D_WORDS, 1);
	return 0;
}

/*
 * A chunk whose data needs no bounce: every read that is aligned, every write that
 * is in clear. What is written to pinned bytes is looked at, so the guest may not
 * change it any more: it is copied.
 */
static uint32_t try_direct(struct ahci *ahci, struct port *port, unsigned tag)
{
	struct slot *slot = &port->slot[tag];
	uint64_t bytes = (uint64_t)slot->count * port->map->lba_size;

	if (is_partial(slot))
		return 0;
	if (slot->command.class == COMMAND_WRITE &&
	    (disk_map_touches(port->map, slot->lba, slot->count, SECTOR_CIPHERTEXT) ||
		    disk_map_pinned(port->map, slot->lba, slot->count)))
		return 0;
	return scatter_to_table(ahci, slot, slot->start, bytes, &port->table[tag]);
}

/* Takes bounce memory; shortens the chunk to what there is. 1: nothing, not now. */
static int take_bounce(struct ahci *ahci, struct port *port, struct slot *slot)
{
	uint32_t lba_size = port->map->lba_size, got;
	uint32_t wanted = slot->device_count * lba_size;
	uint32_t least = is_partial(slot) ? wanted : CIPHER_MAX;

	slot->bounce = pool_take(&ahci->pool, wanted, least < wanted ? least : wanted, &got);
	if (!slot->bounce)
		return 1;
	slot->bounce_bytes = got;
	if (got < wanted)
		plan(port, slot, got / lba_size);
	return 0;
}

static int prepare_bounce(struct ahci *ahci, struct port *port, unsigned tag, struct cipher_scope *scope)
{
	struct slot *slot = &port->slot[tag];
	bool write = slot->command.class == COMMAND_WRITE;

	if (take_bounce(ahci, port, slot))
		return 1;
	slot->kind = !write ? CHUNK_BOUNCE_READ : is_partial(slot) ? CHUNK_MODIFY_READ : CHUNK_BOUNCE_WRITE;
	if (slot->kind == CHUNK_BOUNCE_WRITE) {
		if (transform_from_guest(ahci, port, slot, scope))
			return -1;
		/* Pins lie in clear sectors: their bytes are not encrypted here. */
		if (!disk_map_keeps_pins(port->map, slot->lba, slot->count, slot->bounce)) {
			refusal_log(port, slot, "it changes the partition table where a protected partition stands");
			return -1;
		}
	}
	one_prd(ahci, port, tag, slot->bounce, slot->device_count * port->map->lba_size);
	return 0;
}

static int prepare_data(struct ahci *ahci, struct port *port, unsigned tag, struct cipher_scope *scope)
{
	struct slot *slot = &port->slot[tag];
	uint32_t prds = 1;
	bool write = slot->command.class == COMMAND_WRITE;

	plan(port, slot, CHUNK_BYTES / port->map->lba_size);
	if (must_wait(port, tag)) {
		port->statistics.waits++;
		return 1;
	}
	slot->kind = CHUNK_DIRECT;
	slot->bounce = NULL;
	prds = try_direct(ahci, port, tag);
	if (!prds) {
		int result = prepare_bounce(ahci, port, tag, scope);

		if (result > 0)
			port->statistics.waits++;
		if (result)
			return result;
		prds = 1;
	}
	set_fis(port, slot, tag);
	if (slot->kind == CHUNK_MODIFY_READ) {
		command_make_read(&port->table[tag].fis, slot->command.address);
		port->statistics.read_modify_writes++;
		write = false;
	}
	command_set_range(&port->table[tag].fis, slot->command.address, slot->device_lba, slot->device_count);
	set_header(ahci, port, tag, write ? HEADER_WRITE : 0, FIS_H2D_WORDS, prds);
	return 0;
}

static int prepare(struct ahci *ahci, struct port *port, unsigned tag, struct cipher_scope *scope)
{
	switch (port->slot[tag].command.class) {
	case COMMAND_READ:
	case COMMAND_WRITE:
		return prepare_data(ahci, port, tag, scope);
	case COMMAND_TRIM:
		return prepare_trim(ahci, port, tag);
	case COMMAND_PASS:
	case COMMAND_IDENTIFY:
		return prepare_pass(ahci, port, tag);
	case COMMAND_REFUSE:
		break;
	}
	return -1;
}

static bool is_last(const struct slot *slot)
{
	return slot->kind != CHUNK_MODIFY_READ && slot->done + slot->count >= slot->command.count;
}

/*
 * Firmware takes the first status FIS for the end of its command. The end of a
 * chunk that is not the last can be hidden while no other command runs; bits that
 * were set before are the guest's.
 */
static uint32_t quiet_bits(const struct ahci *ahci, unsigned number, uint32_t tags)
{
	const struct port *port = &ahci->port[number];
	const struct slot *slot = &port->slot[__builtin_ctz(tags)];

	if (port->issued != tags || tags & (tags - 1) || slot->command.ncq || is_last(slot))
		return 0;
	return IS_COMMAND & ~device_read(ahci, port_offset(number, PORT_IS));
}

/* PxSACT goes to the device before PxCI (AHCI 5.6.4.1). */
void issue_doorbell(struct ahci *ahci, unsigned number, uint32_t tags)
{
	struct port *port = &ahci->port[number];
	uint32_t queued = 0;

	for (uint32_t rest = tags; rest; rest &= rest - 1) {
		struct slot *slot = &port->slot[__builtin_ctz(rest)];

		slot->quiet = 0;
		if (slot->command.ncq)
			queued |= rest & -rest;
	}
	port->issued |= tags;
	port->issued_ncq = (port->issued_ncq & ~tags) | queued;
	port->slot[__builtin_ctz(tags)].quiet = quiet_bits(ahci, number, tags);
	/* The tables are written before the device is told. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (queued)
		device_write(ahci, port_offset(number, PORT_SACT), queued);
	device_write(ahci, port_offset(number, PORT_CI), tags);
}

static int oldest_waiting(const struct port *port)
{
	int oldest = -1;

	for (uint32_t rest = port->waiting; rest; rest &= rest - 1) {
		int tag = __builtin_ctz(rest);

		if (oldest < 0 || port->slot[tag].sequence < port->slot[oldest].sequence)
			oldest = tag;
	}
	return oldest;
}

void issue_waiting(struct ahci *ahci, unsigned number, struct cipher_scope *scope)
{
	struct port *port = &ahci->port[number];
	uint32_t ready = 0;

	while (port->waiting && port->running && !port->dead) {
		int tag = oldest_waiting(port);
		struct slot *slot = &port->slot[tag];
		int result = prepare(ahci, port, (unsigned)tag, scope);

		/* Commands keep their order: what comes later waits behind this one. */
		if (result > 0) {
			__atomic_or_fetch(&ahci->pool.starved, 1u << number, __ATOMIC_SEQ_CST);
			break;
		}
		if (result < 0) {
			release_bounce(ahci, slot);
			prepare_refusal(ahci, port, (unsigned)tag);
		}
		slot->state = SLOT_ISSUED;
		port->waiting &= ~(1u << tag);
		port->issued |= 1u << tag;
		ready |= 1u << tag;
	}
	if (ready)
		issue_doorbell(ahci, number, ready);
}

/* What was read, with the guest's part laid over it; -1 when the guest's list has gone bad meanwhile. */
static int modify(struct ahci *ahci, struct port *port, struct slot *slot, struct cipher_scope *scope)
{
	uint32_t lba_size = port->map->lba_size;

	transform_bounce(port, slot, false, scope);
	slot->end = slot->start;
	if (scatter_copy_in(ahci, slot, &slot->end, slot->bounce + (slot->lba - slot->device_lba) * lba_size,
		    slot->count * lba_size))
		return -1;
	transform_bounce(port, slot, true, scope);
	return 0;
}

void issue_modified(struct ahci *ahci, unsigned number, unsigned tag, struct cipher_scope *scope)
{
	struct port *port = &ahci->port[number];
	struct slot *slot = &port->slot[tag];

	if (modify(ahci, port, slot, scope)) {
		release_bounce(ahci, slot);
		prepare_refusal(ahci, port, tag);
		return;
	}
	slot->kind = CHUNK_BOUNCE_WRITE;
	set_fis(port, slot, tag);
	command_set_range(&port->table[tag].fis, slot->command.address, slot->device_lba, slot->device_count);
	set_header(ahci, port, tag, HEADER_WRITE, FIS_H2D_WORDS, 1);
}
