/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/model/nvme_machine.h"
#include <string.h>

#define FIRST_ALLOCATION (1ull << 20)
#define PATIENCE	 100000u
#define FINISH_TURNS	 100000u
#define METADATA_BYTES	 8u

/* ---- what the mediator asks for ---- */

static uint32_t reg_read(void *context, uint32_t offset)
{
	return controller_read(&((struct nvme_machine *)context)->controller, offset);
}

static void reg_write(void *context, uint32_t offset, uint32_t value)
{
	controller_write(&((struct nvme_machine *)context)->controller, offset, value);
}

static void *guest_ram(void *context, uint64_t gpa, uint64_t bytes)
{
	return bus_guest(&((struct nvme_machine *)context)->bus, gpa, bytes);
}

static uint64_t bus_address(void *context, const void *memory)
{
	return bus_address_of(&((struct nvme_machine *)context)->bus, memory);
}

static uint16_t real_vector(const struct nvme_machine *m, uint16_t vector)
{
	return m->controller.msix ? vector % CONTROLLER_VECTORS : 0;
}

static void asked(struct nvme_machine *m)
{
	if (m->asked)
		m->asked(m);
}

static uint64_t watch(void *context, uint16_t vector)
{
	struct nvme_machine *m = context;
	uint8_t cpus;

	asked(m);
	cpus = vector == NVME_NO_VECTOR ? (uint8_t)(1u << m->exiting) : m->routed[real_vector(m, vector)];
	m->watched++;
	for (unsigned i = 0; i < NVME_MACHINE_CPUS; i++)
		m->cpu[i].watches += cpus >> i & 1;
	return cpus;
}

static void unwatch(void *context, uint64_t cpus)
{
	struct nvme_machine *m = context;

	asked(m);
	for (unsigned i = 0; i < NVME_MACHINE_CPUS; i++) {
		if (!(cpus >> i & 1))
			continue;
		if (m->cpu[i].watches)
			m->cpu[i].watches--;
		else
			bus_fault(&m->bus, "CPU %u is unwatched more often than watched", i);
	}
	if (cpus >> NVME_MACHINE_CPUS)
		bus_fault(&m->bus, "CPUs %llx are unwatched", (unsigned long long)cpus);
}

static bool is_message(void *context, uint16_t vector)
{
	struct nvme_machine *m = context;

	asked(m);
	return m->controller.msix && vector < CONTROLLER_VECTORS;
}

static void raise(void *context, uint16_t vector)
{
	struct nvme_machine *m = context;

	m->raised++;
	if (m->controller.msix && vector < CONTROLLER_VECTORS)
		m->controller.message[vector] = true;
	else
		bus_fault(&m->bus, "vector %u is no message, and was sent", vector);
}

static bool is_deaf(void *context, uint16_t vector)
{
	const struct nvme_machine *m = context;

	return m->cpu[m->exiting].masked && vector < CONTROLLER_VECTORS && m->routed[vector] == 1u << m->exiting;
}

static bool wait(void *context, uint64_t *since)
{
	struct nvme_machine *m = context;

	if (++*since > m->patience)
		return false;
	m->waits++;
	if (m->waiting)
		m->waiting(m);
	else
		controller_step(&m->controller);
	return true;
}

static bool linger(void *context, uint64_t *since)
{
	struct nvme_machine *m = context;

	if (++*since > m->leisure)
		return false;
	m->lingers++;
	asked(m);
	return true;
}

/* ---- building ---- */

struct layout nvme_machine_layout(const struct nvme_machine *m, uint32_t nsid)
{
	const struct namespace *ns = &m->ns[nsid - 1];

	return (struct layout){ns->lba_size, ns->blocks, ns->medium, nsid == 1 ? &m->map : &m->no_map, nsid};
}

static void build_namespaces(struct nvme_machine *m, const struct nvme_machine_options *options)
{
	uint32_t lba_size = options->lba_size ? options->lba_size : 512;
	uint64_t sectors = options->sectors ? options->sectors : 4096;

	layout_key(&m->key[0], 0);
	layout_key(&m->key[1], 1);
	m->map.lba_size = m->no_map.lba_size = lba_size;
	if (!options->bare)
		layout_map(&m->map, lba_size, sectors, options->cipher_a ? options->cipher_a : lba_size, &m->key[0],
			&m->key[1]);
	for (unsigned i = 0; i < NVME_MACHINE_NAMESPACES; i++) {
		struct layout layout;

		namespace_init(&m->ns[i], i == 2 ? 512 : lba_size, i == 2 ? METADATA_BYTES : 0, sectors);
		m->controller.ns[i] = &m->ns[i];
		layout = nvme_machine_layout(m, i + 1);
		layout_fill(&layout);
	}
}

static void build_controller(struct nvme_machine *m, const struct nvme_machine_options *options, unsigned io_queues)
{
	struct controller *c = &m->controller;

	controller_init(c, &m->bus);
	c->cap = (c->cap & ~0xffffull) | (options->entries ? options->entries - 1 : 1023) |
		 (uint64_t)options->stride << 32 | (options->contiguous ? NVME_CAP_CQR : 0);
	c->io_queues = options->device_queues ? options->device_queues : io_queues;
	c->mdts = options->mdts;
	c->msix = !options->pin;
	c->stuck = options->stuck;
	if (options->running || options->stuck) {
		c->cc = NVME_CC_EN | 6u << 16 | 4u << 20;
		c->csts = NVME_CSTS_RDY;
	}
}

static void take_over(struct nvme_machine *m, const struct nvme_machine_options *options, unsigned io_queues)
{
	struct nvme_config config = {
		.env = &m->env,
		.arena = m->bus.arena,
		.arena_bytes = options->arena_bytes ? options->arena_bytes : nvme_arena_bytes(io_queues),
		.io_queues = io_queues,
		.registers = options->registers,
		.map = {&m->map},
		.drop_trim = options->drop_trim,
	};

	m->env = (struct nvme_env){m, reg_read, reg_write, guest_ram, bus_address, watch, unwatch, is_message, raise,
		is_deaf, wait, linger};
	m->controller.arena_queues = true;
	m->nvme = nvme_init(&config);
}

void nvme_machine_init(struct nvme_machine *m, const struct nvme_machine_options *options)
{
	unsigned io_queues = options->io_queues ? options->io_queues : 2;
	size_t arena = options->bare ? 4096 : options->arena_bytes ? options->arena_bytes : nvme_arena_bytes(io_queues);

	memset(m, 0, sizeof(*m));
	m->bare = options->bare;
	m->patience = PATIENCE;
	m->allocated = FIRST_ALLOCATION;
	bus_init(&m->bus, options->ram_bytes ? options->ram_bytes : 32ull << 20, (arena + 4095) & ~4095ull);
	build_controller(m, options, io_queues);
	build_namespaces(m, options);
	for (unsigned i = 0; i < CONTROLLER_VECTORS; i++)
		m->affinity[i] = m->routed[i] = 1;
	if (!options->bare)
		take_over(m, options, io_queues);
}

void nvme_machine_free(struct nvme_machine *m)
{
	for (unsigned i = 0; i < NVME_MACHINE_NAMESPACES; i++)
		namespace_free(&m->ns[i]);
	bus_free(&m->bus);
}

/* ---- the guest's accesses ---- */

uint64_t nvme_machine_read(struct nvme_machine *m, unsigned cpu, uint32_t offset, unsigned size)
{
	uint64_t value;

	if (!m->bare) {
		m->cpu[cpu].exits++;
		m->exiting = cpu;
		return nvme_read(m->nvme, offset, size);
	}
	value = controller_read(&m->controller, offset);
	if (size == 8)
		value |= (uint64_t)controller_read(&m->controller, offset + 4) << 32;
	return value;
}

void nvme_machine_write(struct nvme_machine *m, unsigned cpu, uint32_t offset, unsigned size, uint64_t value)
{
	if (!m->bare) {
		m->cpu[cpu].exits++;
		m->exiting = cpu;
		nvme_write(m->nvme, offset, size, value);
		return;
	}
	controller_write(&m->controller, offset, (uint32_t)value);
	if (size == 8)
		controller_write(&m->controller, offset + 4, (uint32_t)(value >> 32));
}

uint64_t nvme_machine_ram(struct nvme_machine *m, uint64_t bytes, uint64_t alignment)
{
	return bus_take_ram(&m->bus, &m->allocated, bytes, alignment);
}

void *nvme_machine_pointer(struct nvme_machine *m, uint64_t address)
{
	return bus_guest(&m->bus, address, 1);
}

/* ---- interrupts ---- */

bool nvme_machine_arrive(struct nvme_machine *m, uint16_t vector, unsigned cpu)
{
	struct nvme_machine_cpu *target = &m->cpu[cpu];
	uint32_t bit = 1u << vector;

	if (!(m->affinity[vector] >> cpu & 1))
		return false;
	if (m->controller.msix) {
		if (!m->controller.message[vector])
			return false;
		m->controller.message[vector] = false;
	} else if (vector || (target->pending | target->in_service) & 1 || !controller_pin(&m->controller)) {
		return false;
	}
	target->pending |= bit;
	return true;
}

bool nvme_machine_take(struct nvme_machine *m, unsigned cpu)
{
	struct nvme_machine_cpu *self = &m->cpu[cpu];
	uint32_t bit = self->pending & -self->pending;

	if (!bit || self->in_service || self->masked)
		return false;
	self->pending &= ~bit;
	self->in_service |= bit;
	self->taken |= bit;
	nvme_machine_tick(m, cpu);
	return true;
}

void nvme_machine_tick(struct nvme_machine *m, unsigned cpu)
{
	if (!m->cpu[cpu].watches)
		return;
	m->cpu[cpu].interrupt_exits++;
	m->exiting = cpu;
	nvme_interrupt(m->nvme, cpu);
}

bool nvme_machine_handle(struct nvme_machine *m, unsigned cpu)
{
	struct nvme_machine_cpu *self = &m->cpu[cpu];
	uint32_t bit = self->taken;

	if (!bit || self->masked)
		return false;
	self->taken = 0;
	if (m->acknowledge_first)
		self->in_service = 0;
	if (m->handler)
		m->handler(m->handler_context, cpu, (uint16_t)__builtin_ctz(bit));
	self->in_service &= ~bit;
	return true;
}

static bool one_round(struct nvme_machine *m)
{
	bool any = false;

	for (unsigned cpu = 0; cpu < NVME_MACHINE_CPUS; cpu++) {
		for (uint16_t vector = 0; vector < CONTROLLER_VECTORS; vector++)
			any |= nvme_machine_arrive(m, vector, cpu);
		any |= nvme_machine_take(m, cpu);
		any |= nvme_machine_handle(m, cpu);
	}
	return any;
}

void nvme_machine_interrupts(struct nvme_machine *m)
{
	for (unsigned turn = 0; turn < FINISH_TURNS && one_round(m); turn++)
		;
}

void nvme_machine_finish(struct nvme_machine *m)
{
	for (unsigned turn = 0; turn < FINISH_TURNS; turn++) {
		controller_run(&m->controller);
		if (!one_round(m) && !controller_step(&m->controller))
			return;
	}
	bus_fault(&m->bus, "it does not come to an end");
}

void nvme_machine_route(struct nvme_machine *m, uint16_t vector, uint8_t cpus)
{
	m->routed[vector] |= cpus;
	nvme_vector_moves(m->nvme, vector);
}

void nvme_machine_routed(struct nvme_machine *m, uint16_t vector, uint8_t cpus)
{
	m->affinity[vector] = m->routed[vector] = cpus;
}

unsigned nvme_machine_watched(const struct nvme_machine *m)
{
	unsigned cpus = 0;

	for (unsigned i = 0; i < NVME_MACHINE_CPUS; i++)
		cpus |= (m->cpu[i].watches != 0) << i;
	return cpus;
}

uint64_t nvme_machine_exits(const struct nvme_machine *m)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < NVME_MACHINE_CPUS; i++)
		sum += m->cpu[i].exits + m->cpu[i].interrupt_exits;
	return sum;
}

void nvme_machine_forget_exits(struct nvme_machine *m)
{
	for (unsigned i = 0; i < NVME_MACHINE_CPUS; i++)
		m->cpu[i].exits = m->cpu[i].interrupt_exits = 0;
}
