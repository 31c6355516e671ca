/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every interleaving of two CPUs and the device around the mediator, for a few
 * commands: the CPUs go on by one register access each, and the device completes
 * commands between two accesses or, within one, at any of the mediator's own
 * accesses to the device. What must hold:
 *
 *   - a command that the registers (or the copy) show as done has its data in clear;
 *   - if the device does nothing more, the handler and the pollers running on
 *     find everything that it has completed: no completion is lost or late;
 *   - from every state the end can be reached: nobody hangs.
 */
#include "storage/ahci/internal.h"
#include "tests/model/explore.h"
#include "tests/model/guest_ahci.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MAX_COMMANDS 3
#define MAX_ACCESSES 16 /* within one of the guest, of registers that a completion changes */
#define MOST_STATES  200000
#define UNTOUCHED    (900u * 1024) /* the end of the bounce memory: a few commands never get there */
#define SECTOR	     512u

enum submit { SUBMIT_EACH, SUBMIT_TOGETHER };

/* One way of driving the port. */
struct variant {
	const char *name;
	unsigned commands;
	bool ncq;
	enum submit submit;
	bool again;	  /* slot 0 is used once more when it is done */
	bool handler;	  /* CPU 0 handles interrupts */
	bool early;	  /* it writes IS before it looks at the port, not after */
	bool level;	  /* the interrupt is a wire */
	bool poller;	  /* CPU 1 polls for what it has submitted */
	bool poll_status; /* by PxIS, as firmware does */
	bool disabled;	  /* GHC.IE is clear */
	uint32_t write;	  /* slots that write half a sector of the cipher, the others read */
	uint32_t count;	  /* sectors of each */
};

/* What the CPUs remember between their steps. */
struct cpus {
	uint32_t active, done; /* the driver's bookkeeping */
	bool locked;	       /* the driver's lock around a port: it orders its own bookkeeping */
	unsigned handler, submitter;
	uint32_t is, status;
	unsigned submitted;
	uint32_t completed; /* slots the device has ended for good */
	uint32_t seen;	    /* PxIS bits that the poller has seen */
};

struct system {
	const struct variant *variant;
	struct machine m;
	struct guest g;
	struct cpus cpu;
	uint64_t buffer[MAX_COMMANDS];
	uint8_t expected[MAX_COMMANDS][8 * SECTOR];
	/* Not part of the state: */
	unsigned accesses;		  /* of the device, in the guest's access being made */
	unsigned at[2], which[2], events; /* injections: at which access which slot is completed */
	unsigned measured[2];		  /* accesses of each CPU's next step without injections */
	const char *wrong;
};

static struct system s;

static uint32_t slots_all(void)
{
	return (1u << s.variant->commands) - 1;
}

/* ---- the device ---- */

static void device_completes(unsigned slot)
{
	while (hba_fetch(&s.m.hba, 0) >= 0)
		;
	hba_finish(&s.m.hba, 0, slot);
}

static bool device_has(unsigned slot)
{
	const struct hba_port *p = &s.m.hba.port[0];

	return (p->ci | p->accepted) >> slot & 1;
}

/* Whether it matters if a completion comes before or after an access to this register. */
static bool completion_changes(uint32_t offset)
{
	return offset == ABAR_IS || offset == HBA_PX(0, PX_IS) || offset == HBA_PX(0, PX_TFD) ||
	       offset == HBA_PX(0, PX_SACT) || offset == HBA_PX(0, PX_CI);
}

static void on_access(void *context, uint32_t offset)
{
	unsigned now = s.accesses;

	(void)context;
	if (!completion_changes(offset))
		return;
	s.accesses++;
	for (unsigned i = 0; i < s.events; i++)
		if (s.at[i] == now)
			device_completes(s.which[i]);
}

/* ---- what is always true ---- */

static void expect_data(uint32_t shown, const char *where)
{
	for (unsigned i = 0; i < s.variant->commands; i++)
		if (shown >> i & 1 &&
			memcmp(machine_pointer(&s.m, s.buffer[i]), s.expected[i], s.variant->count * SECTOR))
			s.wrong = where;
}

/* Commands that a CPU would take for done, by these values of PxSACT or PxCI. */
static uint32_t taken_for_done(uint32_t outstanding)
{
	return s.cpu.active & ~outstanding;
}

static uint32_t outstanding_register(void)
{
	return s.variant->ncq ? PX_SACT : PX_CI;
}

/* ---- the CPUs: each step makes one register access ---- */

static uint32_t get(unsigned cpu, uint32_t offset)
{
	return machine_read(&s.m, cpu, offset);
}

static void put(unsigned cpu, uint32_t offset, uint32_t value)
{
	machine_write(&s.m, cpu, offset, value);
}

static void take_done(uint32_t outstanding)
{
	uint32_t done = taken_for_done(outstanding);

	expect_data(done, "a command is shown as done before its data is in clear");
	s.cpu.active &= ~done;
	s.cpu.done |= done;
}

/* As Linux's ahci_single_level_irq_intr, or with IS written first. */
static bool handler_enabled(void)
{
	if (!s.variant->handler)
		return false;
	if (s.cpu.handler == 0)
		return s.variant->level ? hba_interrupt(&s.m.hba) : s.m.hba.message;
	return s.cpu.handler != 2 || !s.cpu.locked;
}

static void handler_step(void)
{
	switch (s.cpu.handler) {
	case 0:
		hba_take_interrupt(&s.m.hba);
		s.cpu.is = get(0, ABAR_IS);
		s.cpu.handler = !(s.cpu.is & 1) ? 0 : s.variant->early ? 1 : 2;
		break;
	case 1:
		put(0, ABAR_IS, s.cpu.is);
		s.cpu.handler = 2;
		break;
	case 2:
		s.cpu.locked = true;
		s.cpu.status = get(0, HBA_PX(0, PX_IS));
		s.cpu.handler = 3;
		break;
	case 3:
		put(0, HBA_PX(0, PX_IS), s.cpu.status);
		s.cpu.handler = 4;
		break;
	case 4:
		take_done(get(0, HBA_PX(0, outstanding_register())));
		s.cpu.locked = false;
		s.cpu.handler = s.variant->early ? 0 : 5;
		break;
	case 5:
		put(0, ABAR_IS, s.cpu.is);
		s.cpu.handler = 0;
		break;
	}
	if (s.cpu.handler == 0)
		s.cpu.is = s.cpu.status = 0;
}

static uint32_t next_batch(void)
{
	if (s.cpu.submitted >= s.variant->commands)
		return 1;
	return s.variant->submit == SUBMIT_TOGETHER ? slots_all() : 1u << s.cpu.submitted;
}

static unsigned submissions(void)
{
	return s.variant->commands + s.variant->again;
}

/* The next batch can be given to the port: a slot that is used again has been done. */
static bool batch_is_ready(void)
{
	return s.cpu.submitted < submissions() && !(next_batch() & s.cpu.active) &&
	       (s.cpu.submitted < s.variant->commands || s.cpu.done & 1);
}

/* The poller waits for what it has submitted before it submits more. */
static bool submitter_enabled(void)
{
	switch (s.cpu.submitter) {
	case 0:
	case 1:
		return s.cpu.submitter == 1 || (batch_is_ready() && !s.cpu.locked);
	default:
		return s.cpu.submitter != 2 || !s.cpu.locked;
	}
}

static void submitted(uint32_t batch)
{
	put(1, HBA_PX(0, PX_CI), batch);
	s.cpu.submitted += (unsigned)__builtin_popcount(batch);
	s.cpu.locked = false;
	s.cpu.submitter = s.variant->poller ? 2 : 0;
	s.cpu.seen = 0;
}

static void poll_outstanding(void)
{
	take_done(get(1, HBA_PX(0, outstanding_register())));
	s.cpu.locked = false;
	s.cpu.submitter = s.cpu.active ? 2 : 0;
}

static void submitter_step(void)
{
	uint32_t batch = next_batch();

	switch (s.cpu.submitter) {
	case 0:
		s.cpu.locked = true;
		s.cpu.active |= batch;
		s.cpu.done &= ~batch;
		if (s.cpu.submitted == s.variant->commands)
			memset(machine_pointer(&s.m, s.buffer[0]), 0, SECTOR);
		if (s.variant->ncq) {
			put(1, HBA_PX(0, PX_SACT), batch);
			s.cpu.submitter = 1;
		} else {
			submitted(batch);
		}
		break;
	case 1:
		submitted(batch);
		break;
	case 2:
		s.cpu.locked = true;
		if (!s.variant->poll_status) {
			poll_outstanding();
			break;
		}
		s.cpu.seen = get(1, HBA_PX(0, PX_IS));
		s.cpu.locked = s.cpu.seen != 0;
		s.cpu.submitter = s.cpu.seen ? 3 : 2;
		break;
	case 3:
		put(1, HBA_PX(0, PX_IS), s.cpu.seen);
		s.cpu.submitter = 4;
		break;
	case 4:
		poll_outstanding();
		/* Firmware asks no further: the bit is the end of its only command. */
		if (s.variant->commands == 1 && s.cpu.active)
			s.wrong = "PxIS shows the end of a command that goes on";
		s.cpu.seen = 0;
		break;
	}
}

/* ---- transitions ---- */

static void forget_counters(void)
{
	s.m.hba.reads = s.m.hba.writes = 0;
	s.m.ahci->withdrawn = 0; /* compared within one access alone */
	memset(s.m.exits, 0, sizeof(s.m.exits));
	memset(s.m.disk[0].seen, 0, sizeof(s.m.disk[0].seen));
}

static void cpu_step(unsigned cpu)
{
	s.accesses = 0;
	s.m.hba.access = on_access;
	if (cpu == 0)
		handler_step();
	else
		submitter_step();
	s.m.hba.access = NULL;
	if (s.accesses > MAX_ACCESSES)
		s.wrong = "more accesses to the device than are explored";
}

/*
 * Numbers: first the device completes a slot; then, for each CPU, its step alone,
 * with one completion at one place, with two at two.
 */
#define SINGLES (MAX_ACCESSES * MAX_COMMANDS)
#define PAIRS	(SINGLES * SINGLES)
#define PER_CPU (1u + SINGLES + PAIRS)
#define ALL	(MAX_COMMANDS + 2 * PER_CPU)

static bool decode_injection(unsigned number, unsigned cpu)
{
	unsigned one[2];

	s.events = 0;
	if (number == 0)
		return true;
	number--;
	s.events = number < SINGLES ? 1 : 2;
	one[0] = number < SINGLES ? number : (number - SINGLES) / SINGLES;
	one[1] = (number - SINGLES) % SINGLES;
	for (unsigned i = 0; i < s.events; i++) {
		s.at[i] = one[i] / MAX_COMMANDS;
		s.which[i] = one[i] % MAX_COMMANDS;
		if (s.at[i] >= s.measured[cpu] || s.which[i] >= s.variant->commands)
			return false;
	}
	return s.events == 1 || (s.at[0] <= s.at[1] && s.which[0] != s.which[1]);
}

static enum explore_step step(void *context, unsigned number)
{
	unsigned cpu;

	(void)context;
	if (number >= ALL)
		return EXPLORE_END;
	s.events = 0;
	if (number < MAX_COMMANDS) {
		if (number >= s.variant->commands || !device_has(number))
			return EXPLORE_SKIP;
		device_completes(number);
		forget_counters();
		return EXPLORE_MADE;
	}
	number -= MAX_COMMANDS;
	cpu = number / PER_CPU;
	if (!(cpu == 0 ? handler_enabled() : submitter_enabled()) || !decode_injection(number % PER_CPU, cpu))
		return EXPLORE_SKIP;
	cpu_step(cpu);
	if (s.events == 0)
		s.measured[cpu] = s.accesses;
	forget_counters();
	return EXPLORE_MADE;
}

static const char *name(void *context, unsigned number)
{
	static char text[160];
	unsigned cpu, length;

	(void)context;
	/* A trace makes single transitions: nothing has been measured before them. */
	s.measured[0] = s.measured[1] = MAX_ACCESSES;
	if (number < MAX_COMMANDS) {
		snprintf(text, sizeof(text), "device completes %u", number);
		return text;
	}
	cpu = (number - MAX_COMMANDS) / PER_CPU;
	decode_injection((number - MAX_COMMANDS) % PER_CPU, cpu);
	length = (unsigned)snprintf(text, sizeof(text), "%s %u%s (done %x, SACT %x, CI %x, PxIS %x, IS %x)",
		cpu ? "submitter" : "handler", cpu ? s.cpu.submitter : s.cpu.handler,
		s.m.armed[cpu] ? " armed" : "", s.cpu.done, s.m.hba.port[0].sact, s.m.hba.port[0].ci,
		s.m.hba.port[0].is, s.m.hba.is);
	for (unsigned i = 0; i < s.events && length < sizeof(text); i++)
		length += (unsigned)snprintf(text + length, sizeof(text) - length,
			", at access %u the device completes %u", s.at[i], s.which[i]);
	return text;
}

static bool goal(void *context)
{
	(void)context;
	return s.cpu.done == slots_all() && s.cpu.submitted == submissions() && !handler_enabled() &&
	       s.cpu.handler == 0;
}

/* Whether the device has ended all it was given: commands of one chunk are complete then. */
static bool single_chunk(void)
{
	return !s.variant->write;
}

/*
 * The state as it is, then the CPUs going on without the device until nothing
 * changes any more: whatever the device had ended must have been found.
 */
static const char *check(void *context)
{
	const uint32_t *copy = ahci_copy(s.m.ahci);
	const struct hba_port *p = &s.m.hba.port[0];
	uint32_t outstanding;

	(void)context;
	/* The copy itself, whether a CPU looks at it or not; a submission may not have reached it yet. */
	if (!s.cpu.locked)
		expect_data(taken_for_done(copy[HBA_PX(0, outstanding_register()) / 4]),
			"the copy shows a command as done before its data is in clear");
	s.events = 0;
	for (int i = 0; i < 60 && !s.wrong; i++) {
		if (handler_enabled())
			cpu_step(0);
		if (submitter_enabled())
			cpu_step(1);
	}
	outstanding = p->ci | p->sact | p->accepted;
	if (single_chunk() && !s.wrong && s.cpu.active & ~outstanding)
		s.wrong = "the device has completed a command and nobody finds it";
	if (s.m.bus.faults)
		s.wrong = s.m.bus.fault;
	return s.wrong;
}

/* ---- setting up ---- */

static void prepare_command(unsigned i)
{
	uint64_t lba = machine_a_first(&s.m) + i * 16;
	bool write = s.variant->write >> i & 1;
	struct guest_piece piece = {s.buffer[i], s.variant->count * SECTOR};
	struct guest_command c = guest_transfer(write, s.variant->ncq, i, lba, s.variant->count, &piece, 1);

	guest_build(&s.g, i, &c);
	for (uint32_t n = 0; n < s.variant->count; n++)
		machine_pattern(&s.m, 0, lba + n, s.expected[i] + n * SECTOR);
	if (write)
		memcpy(machine_pointer(&s.m, s.buffer[i]), s.expected[i], s.variant->count * SECTOR);
}

static void explore_variant(const struct variant *variant)
{
	const struct machine_options options = {.sectors = 1024,
		.cipher_a = 4096,
		.ram_bytes = 2u << 20,
		.arena_bytes = ahci_arena_bytes(1),
		.one_port = true};
	size_t arena = ahci_arena_bytes(1) - UNTOUCHED;
	struct explore e = {.step = step, .check = check, .goal = goal, .name = name};
	static uint8_t tail[UNTOUCHED];

	memset(&s, 0, sizeof(s));
	s.variant = variant;
	machine_init(&s.m, &options);
	assert_non_null(s.m.ahci);
	guest_start(&s.g, &s.m, 0, 4);
	if (variant->disabled)
		machine_write(&s.m, 0, ABAR_GHC, ABAR_GHC_AE);
	for (unsigned i = 0; i < variant->commands; i++) {
		s.buffer[i] = machine_ram(&s.m, 4096, 1024);
		prepare_command(i);
	}
	forget_counters();
	memcpy(tail, s.m.bus.arena + arena, UNTOUCHED);
	e.region[0].memory = &s.m;
	e.region[0].bytes = sizeof(s.m);
	e.region[1].memory = &s.cpu;
	e.region[1].bytes = sizeof(s.cpu);
	e.region[2].memory = s.m.bus.arena;
	e.region[2].bytes = arena;
	e.region[3].memory = s.m.bus.ram + (1u << 20);
	e.region[3].bytes = s.m.allocated - (1u << 20);
	e.region[4].memory = s.m.disk[0].medium + machine_a_first(&s.m) * SECTOR;
	e.region[4].bytes = 64 * SECTOR;
	e.regions = 5;
	explore_run(&e, MOST_STATES);
	printf("%-44s %6llu states, %7llu transitions\n", variant->name, (unsigned long long)e.states,
		(unsigned long long)e.edges);
	assert_memory_equal(tail, s.m.bus.arena + arena, UNTOUCHED);
	if (e.failure)
		fail_msg("%s: %s", variant->name, e.failure);
	machine_free(&s.m);
}

static void test_interrupts(void **state)
{
	static const struct variant variants[] = {
		{.name = "queued, MSI", .commands = 2, .ncq = true, .handler = true, .count = 1},
		{.name = "queued, wire",
			.commands = 2,
			.ncq = true,
			.handler = true,
			.level = true,
			.count = 1},
		{.name = "queued together, MSI",
			.commands = 2,
			.ncq = true,
			.submit = SUBMIT_TOGETHER,
			.handler = true,
			.count = 8},
		{.name = "queued, IS written first",
			.commands = 2,
			.ncq = true,
			.handler = true,
			.early = true,
			.count = 1},
		{.name = "queued, a slot used again, MSI",
			.commands = 2,
			.ncq = true,
			.submit = SUBMIT_TOGETHER,
			.again = true,
			.handler = true,
			.count = 1},
		{.name = "not queued, MSI", .commands = 2, .handler = true, .count = 8},
		{.name = "not queued, wire", .commands = 2, .handler = true, .level = true, .count = 1},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
		explore_variant(&variants[i]);
}

static void test_pollers(void **state)
{
	static const struct variant variants[] = {
		{.name = "queued, polled",
			.commands = 2,
			.ncq = true,
			.poller = true,
			.disabled = true,
			.count = 1},
		{.name = "not queued, polled", .commands = 2, .poller = true, .disabled = true, .count = 1},
		{.name = "not queued, PxIS polled",
			.commands = 2,
			.poller = true,
			.poll_status = true,
			.disabled = true,
			.count = 1},
		{.name = "together, polled",
			.commands = 2,
			.ncq = true,
			.submit = SUBMIT_TOGETHER,
			.poller = true,
			.disabled = true,
			.count = 1},
		{.name = "polled beside a handler, MSI",
			.commands = 2,
			.ncq = true,
			.handler = true,
			.poller = true,
			.count = 1},
		{.name = "polled beside a handler, wire",
			.commands = 2,
			.submit = SUBMIT_TOGETHER,
			.handler = true,
			.level = true,
			.poller = true,
			.count = 1},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
		explore_variant(&variants[i]);
}

/* A read-modify-write beside a read: two commands of the device for one of the guest. */
static void test_chunks(void **state)
{
	static const struct variant variants[] = {
		{.name = "queued, one modifies, MSI",
			.commands = 2,
			.ncq = true,
			.submit = SUBMIT_TOGETHER,
			.handler = true,
			.count = 1,
			.write = 1},
		{.name = "not queued, one modifies, MSI",
			.commands = 2,
			.submit = SUBMIT_TOGETHER,
			.handler = true,
			.count = 1,
			.write = 2},
		{.name = "not queued, both modify, wire",
			.commands = 2,
			.submit = SUBMIT_TOGETHER,
			.handler = true,
			.level = true,
			.count = 1,
			.write = 3},
		{.name = "modified, PxIS polled",
			.commands = 1,
			.poller = true,
			.poll_status = true,
			.disabled = true,
			.count = 1,
			.write = 1},
		{.name = "one modifies, polled",
			.commands = 2,
			.ncq = true,
			.submit = SUBMIT_TOGETHER,
			.poller = true,
			.disabled = true,
			.count = 1,
			.write = 1},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
		explore_variant(&variants[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_pollers),
		cmocka_unit_test(test_chunks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
