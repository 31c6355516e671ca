/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/model/machine.h"
#include "tests/model/layout.h"
#include <stdlib.h>
#include <string.h>

#define PROTECTED_PORTS	 2
#define IMPLEMENTED	 0x0fu
#define FIRST_ALLOCATION (1ull << 20)

static uint32_t reg_read(void *context, uint32_t offset)
{
	return hba_read(&((struct machine *)context)->hba, offset);
}

static void reg_write(void *context, uint32_t offset, uint32_t value)
{
	hba_write(&((struct machine *)context)->hba, offset, value);
}

static void *guest_ram(void *context, uint64_t gpa, uint64_t bytes)
{
	return bus_guest(&((struct machine *)context)->bus, gpa, bytes);
}

static uint64_t bus_address(void *context, const void *memory)
{
	return bus_address_of(&((struct machine *)context)->bus, memory);
}

static void copy_arm(void *context)
{
	struct machine *m = context;

	if (m->arming)
		m->arming(m);
	m->armed[m->cpu] = true;
}

static void copy_disarm(void *context, bool all_cpus)
{
	struct machine *m = context;

	for (unsigned i = 0; i < MACHINE_CPUS; i++)
		if (all_cpus || i == m->cpu)
			m->armed[i] = false;
}

uint64_t machine_a_first(const struct machine *m)
{
	(void)m;
	return LAYOUT_A_FIRST;
}

uint64_t machine_a_last(const struct machine *m)
{
	return layout_a_last(m->disk[0].sectors);
}

uint64_t machine_guarded_first(const struct machine *m)
{
	return machine_a_last(m) + 1;
}

uint64_t machine_b_first(const struct machine *m)
{
	return layout_b_first(m->disk[0].sectors);
}

uint64_t machine_b_last(const struct machine *m)
{
	return layout_b_last(m->disk[0].sectors);
}

static struct layout layout_of(const struct machine *m, unsigned port)
{
	const struct ata_disk *disk = &m->disk[port];

	return (struct layout){disk->lba_size, disk->sectors, disk->medium, &m->map[port], port};
}

void machine_pattern(const struct machine *m, unsigned port, uint64_t lba, uint8_t *out)
{
	struct layout layout = layout_of(m, port);

	layout_pattern(&layout, lba, out);
}

void machine_plain(const struct machine *m, unsigned port, uint64_t lba, uint64_t count, uint8_t *out)
{
	struct layout layout = layout_of(m, port);

	layout_plain(&layout, lba, count, out);
}

static void fill_disk(struct machine *m, unsigned port)
{
	struct layout layout = layout_of(m, port);

	layout_fill(&layout);
}

void machine_take_over(struct machine *m, const struct machine_options *options)
{
	struct ahci_config config = {
		.env = &m->env,
		.arena = m->bus.arena,
		.arena_bytes = m->bus.arena_bytes,
		.disk = {[0] = &m->map[0], [3] = options->one_port ? NULL : &m->map[3]},
	};
	bool never = options->never_armed;

	m->env = (struct ahci_env){m, reg_read, reg_write, guest_ram, bus_address, never ? NULL : copy_arm,
		never ? NULL : copy_disarm};
	m->ahci = ahci_init(&config);
}

void machine_init(struct machine *m, const struct machine_options *options)
{
	uint32_t lba_size = options->lba_size ? options->lba_size : 512;
	size_t arena =
		options->arena_bytes ? options->arena_bytes : ahci_arena_bytes(PROTECTED_PORTS) + (4u << 20);

	memset(m, 0, sizeof(*m));
	bus_init(&m->bus, options->ram_bytes ? options->ram_bytes : 32ull << 20, arena);
	hba_init(&m->hba, &m->bus, IMPLEMENTED, options->slots ? options->slots : 32);
	m->allocated = FIRST_ALLOCATION;
	for (unsigned i = 0; i < 4; i++) {
		layout_key(&m->key[i], i);
		if (i == 2 || (i && options->one_port))
			continue;
		ata_disk_init(&m->disk[i], lba_size, options->sectors ? options->sectors : 4096);
		hba_connect(&m->hba, i, &m->disk[i]);
	}
	for (unsigned i = 0; i < 4; i += 3)
		if (m->disk[i].medium)
			layout_map(&m->map[i], lba_size, m->disk[i].sectors,
				options->cipher_a ? options->cipher_a : lba_size, &m->key[i], &m->key[i ^ 1]);
	for (unsigned i = 0; i < MODEL_PORTS; i++) /* the guest drives the others itself */
		m->hba.port[i].strict = i < 4 && m->map[i].count;
	for (unsigned i = 0; i < 4; i++)
		if (m->disk[i].medium)
			fill_disk(m, i);
	if (options->stuck) {
		m->hba.port[0].cmd |= PXCMD_ST | PXCMD_FRE | PXCMD_CR | PXCMD_FR;
		m->hba.stuck = true;
	}
	machine_take_over(m, options);
}

void machine_free(struct machine *m)
{
	for (unsigned i = 0; i < 4; i++)
		if (m->disk[i].medium)
			ata_disk_free(&m->disk[i]);
	bus_free(&m->bus);
}

uint32_t machine_read(struct machine *m, unsigned cpu, uint32_t offset)
{
	uint32_t value;

	if (m->armed[cpu]) {
		memcpy(&value, (const uint8_t *)ahci_copy(m->ahci) + offset, sizeof(value));
		return value;
	}
	m->cpu = cpu;
	m->exits[cpu]++;
	return (uint32_t)ahci_read(m->ahci, offset, 4);
}

void machine_write(struct machine *m, unsigned cpu, uint32_t offset, uint32_t value)
{
	m->cpu = cpu;
	m->exits[cpu]++;
	ahci_write(m->ahci, offset, 4, value);
}

uint64_t machine_ram(struct machine *m, uint64_t bytes, uint64_t alignment)
{
	return bus_take_ram(&m->bus, &m->allocated, bytes, alignment);
}

void *machine_pointer(struct machine *m, uint64_t address)
{
	return bus_guest(&m->bus, address, 1);
}
