/* SPDX-License-Identifier: Apache-2.0 */
/* What the other CPUs do. */
#include "storage/ahci/registers.h"
#include "tests/guest/lib/lapic.h"
#include "tests/guest/shootdown/shootdown.h"

#define NMI_US 10000000

volatile uint64_t checks, certain, nmis;

/* One NMI at a time is on its way to each CPU. */
static struct {
	uint32_t lock;
	uint64_t sent;
} mail[MACHINE_MAX_CPUS];

uint64_t draw(uint64_t *random, uint64_t bound)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return (*random >> 8) % bound;
}

static void check_list(uint64_t *random)
{
	uint32_t place = (uint32_t)draw(random, PLACES);
	uint64_t before = __atomic_load_n(&truth.phase, __ATOMIC_SEQ_CST);
	uint32_t value = *(volatile uint32_t *)(truth.place[place] + HBA_PORTS + PORT_CLB);
	uint32_t wanted = truth.at == place ? truth.list : truth.empty;
	bool sure = !(before & 1) && __atomic_load_n(&truth.phase, __ATOMIC_SEQ_CST) == before;

	if (value != truth.list && value != truth.empty)
		guest_fail("cpu %u reads %x at %lx: the device's own register", this_cpu()->index, value,
			   truth.place[place]);
	if (sure && value != wanted)
		guest_fail("cpu %u reads %x at %lx instead of %x", this_cpu()->index, value, truth.place[place], wanted);
	__atomic_add_fetch(&certain, sure, __ATOMIC_RELAXED);
}

/* Reading IS is what brings the copy; once CPU 0 has acknowledged everything, it is nobody's any more. */
static void check_copy(void)
{
	uint64_t before = __atomic_load_n(&truth.phase, __ATOMIC_SEQ_CST);
	uint32_t at = truth.at;

	if (before & 1 || at == PLACES || !truth.settled)
		before = 1;

	uint32_t value = at == PLACES ? 0 : *(volatile uint32_t *)(truth.place[at] + HBA_IS);
	bool sure = before != 1 && __atomic_load_n(&truth.phase, __ATOMIC_SEQ_CST) == before;

	if (sure && value)
		guest_fail("cpu %u reads IS as %x, which was acknowledged", this_cpu()->index, value);
	__atomic_add_fetch(&certain, sure, __ATOMIC_RELAXED);
}

void check_once(uint64_t *random)
{
	if (draw(random, 2))
		check_list(random);
	else
		check_copy();
	__atomic_add_fetch(&checks, 1, __ATOMIC_RELAXED);
}

/* ---- rest ---- */

#define REST_US 10000000

static volatile bool rest_wanted;
static uint32_t resting;

void rest_begin(void)
{
	rest_wanted = true;
	if (!WAIT_UNTIL(__atomic_load_n(&resting, __ATOMIC_SEQ_CST) == machine.cpus - 1, REST_US))
		guest_fail("%u CPUs of %u rest", resting, machine.cpus - 1);
}

void rest_end(void)
{
	rest_wanted = false;
}

void rest_if_asked(void)
{
	if (!rest_wanted)
		return;
	__atomic_add_fetch(&resting, 1, __ATOMIC_SEQ_CST);
	for (unsigned turn = 0; rest_wanted; turn++)
		if (turn % 2)
			cpuid(0, 0);
		else
			cpu_pause();
	__atomic_sub_fetch(&resting, 1, __ATOMIC_SEQ_CST);
}

/* ---- NMIs ---- */

static bool nmi_handler(struct trap_frame *frame)
{
	(void)frame;
	return true;
}

void nmis_begin(void)
{
	trap_handlers[EXCEPTION_NMI] = nmi_handler;
}

static void expect(const struct cpu *cpu)
{
	uint64_t sent = mail[cpu->index].sent;

	if (!WAIT_UNTIL(cpu->count[EXCEPTION_NMI] >= sent, NMI_US))
		guest_fail("cpu %u has lost an NMI: %lu of %lu have come", cpu->index, cpu->count[EXCEPTION_NMI], sent);
	if (cpu->count[EXCEPTION_NMI] > sent)
		guest_fail("cpu %u has taken %lu NMIs of %lu", cpu->index, cpu->count[EXCEPTION_NMI], sent);
}

/* The one before has come when this one is sent. */
void nmi_once(uint64_t *random)
{
	struct cpu *cpu = cpus[draw(random, machine.cpus)];

	if (__atomic_exchange_n(&mail[cpu->index].lock, 1, __ATOMIC_ACQUIRE))
		return;
	expect(cpu);
	mail[cpu->index].sent++;
	lapic_send(cpu->apic_id, ICR_NMI | ICR_ASSERT);
	__atomic_add_fetch(&nmis, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&mail[cpu->index].lock, 0, __ATOMIC_RELEASE);
}

void nmis_end(void)
{
	for (uint32_t i = 0; i < machine.cpus; i++)
		expect(cpus[i]);
	/* One too many may come late. */
	wait_us(100000);
	for (uint32_t i = 0; i < machine.cpus; i++)
		expect(cpus[i]);
}
