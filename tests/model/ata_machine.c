/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/model/ata_machine.h"
#include "tests/model/layout.h"
#include <string.h>

#define FIRST_ALLOCATION (1ull << 20)
#define RAM_BYTES	 (16ull << 20)
#define ARENA_BASE	 0x20003000ull /* below 4 GiB, and at no 64 KiB boundary */
#define PAGE		 4096u

static uint32_t env_in(void *context, enum ata_port port)
{
	return channel_in(&((struct ata_machine *)context)->channel, port);
}

static void env_out(void *context, enum ata_port port, uint32_t value)
{
	channel_out(&((struct ata_machine *)context)->channel, port, value);
}

static void env_data_in(void *context, void *to, uint32_t words)
{
	channel_data_in(&((struct ata_machine *)context)->channel, to, words);
}

static void env_data_out(void *context, const void *from, uint32_t words)
{
	channel_data_out(&((struct ata_machine *)context)->channel, from, words);
}

static void *env_guest_ram(void *context, uint64_t gpa, uint64_t bytes)
{
	return bus_guest(&((struct ata_machine *)context)->bus, gpa, bytes);
}

static uint64_t env_bus_address(void *context, const void *memory)
{
	return bus_address_of(&((struct ata_machine *)context)->bus, memory);
}

static struct layout layout_of(const struct ata_machine *m, unsigned drive)
{
	const struct ata_disk *disk = &m->disk[drive];

	return (struct layout){disk->lba_size, disk->sectors, disk->medium, &m->map[drive], drive};
}

static void add_disk(struct ata_machine *m, unsigned drive, const struct ata_machine_options *options, bool protected)
{
	uint32_t lba_size = options->lba_size ? options->lba_size : 512;
	struct ata_disk *disk = &m->disk[drive];

	ata_disk_init(disk, lba_size, options->sectors ? options->sectors : 4096);
	channel_connect(&m->channel, drive, disk);
	m->channel.drive[drive].strict = protected;
	if (protected)
		layout_map(&m->map[drive], lba_size, disk->sectors, options->cipher_a ? options->cipher_a : lba_size,
			&m->key[2 * drive], &m->key[2 * drive + 1]);
	struct layout layout = layout_of(m, drive);

	layout_fill(&layout);
}

void ata_machine_init(struct ata_machine *m, const struct ata_machine_options *options)
{
	size_t arena = options->arena_bytes ? options->arena_bytes : ata_arena_bytes(ATA_LEAST_WRITE);
	struct ata_config config = {.env = &m->env, .name = "ata", .bus_master = true};

	memset(m, 0, sizeof(*m));
	bus_init(&m->bus, RAM_BYTES, (arena + PAGE - 1) & ~(size_t)(PAGE - 1));
	m->bus.arena_base = options->high_arena ? (1ull << 32) - PAGE : ARENA_BASE;
	m->allocated = FIRST_ALLOCATION;
	for (unsigned i = 0; i < 4; i++)
		layout_key(&m->key[i], i);
	channel_init(&m->channel, &m->bus);
	add_disk(m, 0, options, !options->first_plain);
	if (options->second == SECOND_PACKET)
		channel_connect_packet(&m->channel, 1);
	else if (options->second != SECOND_NOBODY)
		add_disk(m, 1, options, options->second == SECOND_PROTECTED);
	m->channel.stuck = options->stuck;
	if (options->stuck)
		m->channel.drive[0].status = ST_BSY;
	m->env = (struct ata_env){
		m, env_in, env_out, env_data_in, env_data_out, env_guest_ram, env_bus_address};
	config.arena = m->bus.arena;
	config.arena_bytes = m->bus.arena_bytes;
	for (unsigned i = 0; i < 2; i++)
		config.disk[i] = m->map[i].count ? &m->map[i] : NULL;
	m->ata = ata_init(&config);
}

void ata_machine_free(struct ata_machine *m)
{
	channel_free(&m->channel);
	for (unsigned i = 0; i < 2; i++)
		if (m->disk[i].medium)
			ata_disk_free(&m->disk[i]);
	bus_free(&m->bus);
}

uint32_t ata_machine_in(struct ata_machine *m, unsigned port, unsigned size)
{
	m->exits++;
	return ata_read(m->ata, port, size);
}

void ata_machine_out(struct ata_machine *m, unsigned port, unsigned size, uint32_t value)
{
	m->exits++;
	ata_write(m->ata, port, size, value);
}

void ata_machine_ins(struct ata_machine *m, void *to, uint32_t bytes)
{
	m->exits++;
	ata_data_in(m->ata, to, bytes);
}

void ata_machine_outs(struct ata_machine *m, const void *from, uint32_t bytes)
{
	m->exits++;
	ata_data_out(m->ata, from, bytes);
}

uint64_t ata_machine_ram(struct ata_machine *m, uint64_t bytes, uint64_t alignment)
{
	return bus_take_ram(&m->bus, &m->allocated, bytes, alignment);
}

void *ata_machine_pointer(struct ata_machine *m, uint64_t address)
{
	return bus_guest(&m->bus, address, 1);
}

void ata_machine_pattern(const struct ata_machine *m, unsigned drive, uint64_t lba, uint8_t *out)
{
	struct layout layout = layout_of(m, drive);

	layout_pattern(&layout, lba, out);
}

void ata_machine_plain(const struct ata_machine *m, unsigned drive, uint64_t lba, uint64_t count, uint8_t *out)
{
	struct layout layout = layout_of(m, drive);

	layout_plain(&layout, lba, count, out);
}
