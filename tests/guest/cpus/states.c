/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/cpus/states.h"
#include "hv/core/hypercall.h"
#include "storage/ahci/registers.h"
#include "tests/guest/lib/ahci.h"
#include "tests/guest/lib/lapic.h"

#define CONFIG_DATA 0xcfc

const char *const state_names[STATES] = {
	[STATE_RUNS] = "runs",
	[STATE_HALTS] = "halts",
	[STATE_HALTS_MASKED] = "halts masked",
	[STATE_WAITS] = "waits for SIPI",
	[STATE_CPUID] = "cpuid",
	[STATE_PORT] = "port",
	[STATE_MSR] = "msr",
	[STATE_APIC] = "apic",
	[STATE_DEVICE_READ] = "device read",
	[STATE_DEVICE_WRITE] = "device write",
	[STATE_HYPERCALL] = "hypercall",
};

volatile uint64_t progress[MACHINE_MAX_CPUS];
static volatile uint32_t *hba;

static void step_run(void)
{
	cpu_pause();
}

static void step_halt_masked(void)
{
	__asm__ volatile("hlt");
}

static void step_cpuid(void)
{
	cpuid(0, 0);
}

static void step_port(void)
{
	port_in(CONFIG_DATA, 4);
}

static void step_msr(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE));
}

static void step_apic(void)
{
	lapic_write(LAPIC_TPR, 0);
}

static void step_device_read(void)
{
	hba[(HBA_PORTS + PORT_IS) / 4];
}

/* Ones clear bits of PxIS: none changes nothing. */
static void step_device_write(void)
{
	hba[(HBA_PORTS + PORT_IS) / 4] = 0;
}

static void step_hypercall(void)
{
	struct hypercall_gpr r = {.rax = HYPERCALL_MAGIC, .rbx = HYPERCALL_INFO};

	hypercall_known(&r);
}

static void (*const steps[STATES])(void) = {
	[STATE_RUNS] = step_run,
	[STATE_HALTS_MASKED] = step_halt_masked,
	[STATE_CPUID] = step_cpuid,
	[STATE_PORT] = step_port,
	[STATE_MSR] = step_msr,
	[STATE_APIC] = step_apic,
	[STATE_DEVICE_READ] = step_device_read,
	[STATE_DEVICE_WRITE] = step_device_write,
	[STATE_HYPERCALL] = step_hypercall,
};

static void repeat(void *step)
{
	volatile uint64_t *count = &progress[this_cpu()->index];

	for (;;) {
		(*count)++;
		((void (*)(void))step)();
	}
}

void states_begin(void)
{
	hba = ahci_registers();
	if (!hba)
		hba = take_memory(4096, 4096);
}

void state_enter(struct cpu *cpu, enum state state)
{
	if (state == STATE_WAITS)
		lapic_send(cpu->apic_id, ICR_INIT | ICR_ASSERT);
	else if (steps[state])
		cpu_run(cpu, repeat, (void *)steps[state]);
}
