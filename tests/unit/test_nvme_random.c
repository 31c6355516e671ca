/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random commands through the NVMe mediator against a plain array: several queues,
 * many commands in flight, completed in any order, interrupts late and on two CPUs,
 * pages anywhere, failures, refusals, resets, queues deleted and made again. The
 * seed is printed; SEED sets it.
 */
#include "tests/model/nvme_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define MAX_BYTES (256u * 1024)
#define PAGES	  (MAX_BYTES / 4096 + 1)
#define QUEUES	  4u
#define DEPTH	  32u /* operations of a queue */
#define COMMANDS  100000u

enum kind { READ, WRITE, FLUSH, REFUSED, GUARDED };

struct operation {
	enum kind kind;
	uint64_t lba;
	uint32_t count, pages;
	uint64_t page[PAGES], list;
	uint8_t *data; /* MAX_BYTES: what a read must give, or what is written */
};

struct world {
	struct nvme_fixture f;
	struct operation op[QUEUES + 1][DEPTH];
	uint8_t *reference; /* namespace 1 as its owner sees it */
	uint8_t *torn;	    /* by block: cut off in flight, either content is right */
	uint64_t commands;
	bool slow; /* the controller, for a while: queues and bounce memory fill */
};

static uint32_t below(uint32_t n)
{
	return (uint32_t)random() % n;
}

static uint32_t lba_size(const struct world *w)
{
	return w->f.m.ns[0].lba_size;
}

/* The guest's memory of an operation, and `data`. */
static void copy_pages(struct world *w, const struct operation *op, bool to_guest)
{
	uint32_t bytes = op->count * lba_size(w), at = 0;

	for (uint32_t i = 0; at < bytes; i++) {
		uint32_t part = 4096 - op->page[i] % 4096;
		void *memory = nvme_machine_pointer(&w->f.m, op->page[i]);

		part = part < bytes - at ? part : bytes - at;
		if (to_guest)
			memcpy(memory, op->data + at, part);
		else
			assert_int_equal(memcmp(memory, op->data + at, part), 0);
		at += part;
	}
}

/* Ranges in flight do not meet, for the order of commands is the controller's choice. */
static bool meets_another(const struct world *w, const struct operation *op)
{
	for (unsigned q = 1; q <= QUEUES; q++)
		for (unsigned i = 0; i < DEPTH; i++) {
			const struct operation *other = &w->op[q][i];

			if (other != op && w->f.d.request[q][i].active && op->lba < other->lba + other->count &&
				other->lba < op->lba + op->count)
				return true;
		}
	return false;
}

/* Somewhere that matters: near an edge of the map, or anywhere. */
static void choose_range(struct world *w, struct operation *op)
{
	uint64_t sectors = w->f.m.ns[0].blocks;
	const uint64_t edge[] = {LAYOUT_A_FIRST, layout_a_last(sectors) + 1, layout_a_last(sectors) + 1 + LAYOUT_GUARDED,
		layout_b_first(sectors), layout_b_last(sectors) + 1};
	uint32_t most = MAX_BYTES / lba_size(w);

	op->count = below(2) ? 1 + below(16) : 1 + below(most);
	op->count = op->count > most ? most : op->count;
	op->lba = below(2) ? edge[below(5)] + below(24) - 12 : below((uint32_t)sectors - op->count);
	if (op->lba + op->count > sectors)
		op->lba = sectors - op->count;
}

static void choose_kind(struct world *w, struct operation *op)
{
	static const enum kind kinds[] = {READ, READ, READ, WRITE, WRITE, WRITE, FLUSH, REFUSED};

	op->kind = kinds[below(8)];
	if (op->kind == WRITE && disk_map_touches(&w->f.m.map, op->lba, op->count, SECTOR_GUARDED))
		op->kind = GUARDED;
}

/* Its pages are its own, in any order; the list begins anywhere. */
static void choose_pages(struct world *w, struct operation *op, struct nvme_command *command)
{
	uint32_t offset = below(3) ? 0 : 4 * below(1024);

	op->pages = (offset + op->count * lba_size(w) + 4095) / 4096;
	for (uint32_t i = op->pages; i-- > 1;) {
		uint32_t j = below(i + 1);
		uint64_t page = op->page[i] & ~0xfffull;

		op->page[i] = op->page[j] & ~0xfffull;
		op->page[j] = page;
	}
	op->page[0] = (op->page[0] & ~0xfffull) + offset;
	driver_prps(&w->f.m, command, op->page, op->pages, op->list + 8 * below(512));
}

static void submit(struct world *w)
{
	unsigned queue = 1 + below(QUEUES), slot = below(DEPTH);
	const struct driver_request *request = &w->f.d.request[queue][slot];
	struct operation *op = &w->op[queue][slot];
	struct nvme_command command;

	if (request->active || request->done || !w->f.d.sq[queue].made)
		return;
	choose_range(w, op);
	choose_kind(w, op);
	if (meets_another(w, op)) {
		op->count = 0;
		return;
	}
	command = driver_transfer(op->kind != READ, 1, op->lba, op->count);
	command.cid = (uint16_t)slot;
	if (op->kind == FLUSH)
		command.opcode = 0;
	if (op->kind == REFUSED)
		command.opcode = (uint8_t[]){4, 5, 8, 0x0d, 0x19, 0x80}[below(6)];
	choose_pages(w, op, &command);
	nvme_fixture_fill(op->data, (size_t)op->count * lba_size(w), (unsigned)random());
	copy_pages(w, op, true);
	if (!driver_enter(&w->f.d, queue, &command))
		return;
	w->commands++;
	if (below(4))
		driver_ring(&w->f.d, below(2), queue);
}

static bool is_torn(const struct world *w, const struct operation *op)
{
	for (uint32_t i = 0; i < op->count; i++)
		if (w->torn[op->lba + i])
			return true;
	return false;
}

static void expect_status(const struct operation *op, uint16_t status)
{
	uint16_t code = status & (uint16_t)~NVME_DO_NOT_RETRY;

	switch (op->kind) {
	case REFUSED:
		assert_int_equal(code, NVME_INVALID_OPCODE);
		break;
	case GUARDED:
		assert_int_equal(code, NVME_NAMESPACE_WRITE_PROTECTED);
		break;
	default:
		assert_int_equal(code, 0);
		break;
	}
}

/* The guest's pages hold what was read; or what they held. */
static void finish(struct world *w, struct operation *op, uint16_t status)
{
	uint32_t size = lba_size(w);

	expect_status(op, status);
	if (op->kind == READ && is_torn(w, op))
		return;
	if (op->kind == READ)
		memcpy(op->data, w->reference + op->lba * size, (size_t)op->count * size);
	copy_pages(w, op, false);
	if (op->kind == WRITE) {
		memcpy(w->reference + op->lba * size, op->data, (size_t)op->count * size);
		memset(w->torn + op->lba, 0, op->count);
	}
}

/* What the guest has taken from its queues since. */
static void finish_done(struct world *w)
{
	for (unsigned q = 1; q <= QUEUES; q++)
		for (unsigned i = 0; i < DEPTH; i++) {
			struct driver_request *request = &w->f.d.request[q][i];

			if (!request->done)
				continue;
			request->done = false;
			finish(w, &w->op[q][i], request->status);
		}
}

static void device_goes_on(struct world *w)
{
	struct controller *c = &w->f.m.controller;
	unsigned place = below(CONTROLLER_COMMANDS);

	if (below(2))
		controller_fetch(c, 1 + below(QUEUES));
	for (unsigned i = 0; i < CONTROLLER_COMMANDS; i++, place = (place + 1) % CONTROLLER_COMMANDS) {
		if (c->command[place].stage == CONTROLLER_FREE)
			continue;
		if (below(3))
			controller_post(c, place);
		else
			controller_move(c, place);
		return;
	}
}

static void interrupts_go_on(struct world *w)
{
	struct nvme_machine *m = &w->f.m;
	unsigned cpu = below(2);

	nvme_machine_arrive(m, (uint16_t)below(QUEUES + 1), cpu);
	if (below(2))
		nvme_machine_take(m, cpu);
	if (below(2))
		nvme_machine_handle(m, cpu);
	if (!below(8))
		m->cpu[cpu].masked = !m->cpu[cpu].masked;
	if (!below(50))
		driver_poll(&w->f.d, cpu, w->f.d.sq[1 + below(QUEUES)].completion);
}

/* Commands that are cut off may have reached the medium in part. */
static void tear(struct world *w, unsigned queue)
{
	for (unsigned i = 0; i < DEPTH; i++)
		if (w->f.d.request[queue][i].active && w->op[queue][i].kind == WRITE)
			memset(w->torn + w->op[queue][i].lba, 1, w->op[queue][i].count);
}

static void unmask(struct world *w)
{
	for (unsigned i = 0; i < NVME_MACHINE_CPUS; i++)
		w->f.m.cpu[i].masked = false;
}

static void drain(struct world *w)
{
	unmask(w);
	for (unsigned q = 1; q <= QUEUES; q++)
		driver_ring(&w->f.d, 0, q);
	nvme_machine_finish(&w->f.m);
	for (unsigned q = 1; q <= w->f.d.completion; q++)
		driver_poll(&w->f.d, 0, q);
	nvme_machine_finish(&w->f.m);
	finish_done(w);
}

static void reset(struct world *w)
{
	for (unsigned q = 1; q <= QUEUES; q++)
		tear(w, q);
	unmask(w);
	assert_true(driver_begin(&w->f.d));
}

/* A queue goes away with what is in it, and is made again. */
static void remake(struct world *w)
{
	unsigned queue = 1 + below(QUEUES);

	unmask(w);
	w->f.m.controller.forget_deleted = below(2);
	assert_int_equal(driver_delete_sq(&w->f.d, queue), 0);
	nvme_machine_finish(&w->f.m);
	driver_poll(&w->f.d, 0, w->f.d.sq[queue].completion);
	for (unsigned i = 0; i < DEPTH; i++)
		if (w->f.d.request[queue][i].status == NVME_QUEUE_DELETED)
			w->f.d.request[queue][i] = (struct driver_request){.active = true};
	finish_done(w);
	tear(w, queue);
	memset(w->f.d.request[queue], 0, sizeof(w->f.d.request[queue]));
	assert_int_equal(driver_create_sq(&w->f.d, queue), 0);
}

static void move_vector(struct world *w)
{
	uint16_t vector = (uint16_t)below(QUEUES + 1);
	uint8_t cpus = (uint8_t)(1 + below(3));

	nvme_machine_route(&w->f.m, vector, cpus);
	device_goes_on(w);
	nvme_machine_routed(&w->f.m, vector, cpus);
}

static void begin(struct world *w, const struct nvme_machine_options *machine, const struct driver_options *driver)
{
	struct layout layout;

	assert_true(nvme_fixture_start(&w->f, machine, driver));
	layout = nvme_machine_layout(&w->f.m, 1);
	for (unsigned q = 1; q <= QUEUES; q++)
		for (unsigned i = 0; i < DEPTH; i++) {
			uint64_t memory = nvme_machine_ram(&w->f.m, (PAGES + 2) * 4096, 4096);

			for (unsigned p = 0; p < PAGES; p++)
				w->op[q][i].page[p] = memory + p * 4096;
			w->op[q][i].list = memory + PAGES * 4096;
			w->op[q][i].data = malloc(MAX_BYTES);
		}
	w->reference = malloc(layout.sectors * layout.lba_size);
	w->torn = calloc(1, layout.sectors);
	layout_plain(&layout, 0, layout.sectors, w->reference);
}

static void compare_media(struct world *w)
{
	struct layout layout = nvme_machine_layout(&w->f.m, 1);

	for (uint64_t lba = 0; lba < layout.sectors; lba++) {
		uint8_t plain[4096];

		layout_plain(&layout, lba, 1, plain);
		if (!w->torn[lba])
			assert_memory_equal(plain, w->reference + lba * layout.lba_size, layout.lba_size);
	}
}

/* Returns how often there was no bounce memory for a command. */
static void end(struct world *w)
{
	const char *wrong;

	drain(w);
	compare_media(w);
	wrong = nvme_fixture_stop(&w->f);
	if (wrong)
		fail_msg("%s", wrong);
	for (unsigned q = 1; q <= QUEUES; q++)
		for (unsigned i = 0; i < DEPTH; i++)
			free(w->op[q][i].data);
	free(w->reference);
	free(w->torn);
}

static void random_world(const struct nvme_machine_options *machine, const struct driver_options *driver, uint64_t commands,
	bool resets)
{
	struct world *w = calloc(1, sizeof(*w));

	begin(w, machine, driver);
	while (w->commands < commands) {
		if (!below(400))
			w->slow = !w->slow;
		switch (below(8)) {
		case 0:
		case 1:
			submit(w);
			break;
		case 2:
		case 3:
			interrupts_go_on(w);
			break;
		case 4:
			if (resets && !below(1000))
				reset(w);
			else if (resets && !below(300))
				remake(w);
			else if (!below(1000))
				drain(w);
			else if (!machine->pin && !below(50))
				move_vector(w);
			break;
		default:
			if (!w->slow || !below(16))
				device_goes_on(w);
			break;
		}
		finish_done(w);
	}
	end(w);
	free(w);
}

static void test_random(void **state)
{
	static const struct {
		struct nvme_machine_options machine;
		struct driver_options driver;
	} worlds[] = {
		{{.lba_size = 512, .cipher_a = 4096}, {.doorbells = DRIVER_MEMORY}},
		{{.lba_size = 512, .cipher_a = 512}, {.completion = 2, .completion_entries = 16}},
		{{.lba_size = 4096}, {.doorbells = DRIVER_MEMORY, .completion = 2, .completion_entries = 8, .entries = 16}},
		{{.lba_size = 512, .cipher_a = 1024, .stride = 1}, {.vectors = 2, .lists = true}},
		{{.lba_size = 512, .cipher_a = 4096, .pin = true}, {.doorbells = DRIVER_MEMORY_FIRST}},
		{{.lba_size = 4096, .entries = 32}, {.polling = true, .entries = 32}},
		{{.lba_size = 512, .cipher_a = 2048}, {.shared_with_admin = true, .entries = 256}},
		{{.lba_size = 512, .cipher_a = 4096}, {.doorbells = DRIVER_MEMORY, .entries = 8}},
	};
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
	(void)state;
	printf("seed %u\n", seed);
	fflush(stdout);
	srandom(seed);
	for (unsigned i = 0; i < 16; i++) {
		struct nvme_machine_options machine = worlds[i % 8].machine;
		struct driver_options driver = worlds[i % 8].driver;

		machine.sectors = machine.lba_size == 512 ? 32768 : 4096;
		machine.ram_bytes = 128u << 20;
		machine.io_queues = driver.queues = QUEUES;
		random_world(&machine, &driver, COMMANDS / 16, i < 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
