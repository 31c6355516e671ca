/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/host.h"
#include "hv/core/backend.h"
#include "hv/core/interrupts.h"
#include "hv/core/limits.h"
#include "hv/core/memory.h"
#include "hv/core/panic.h"
#include "hv/x86/attempt.h"
#include "hv/x86/registers.h"

#define MIB           (1ull << 20)
#define PAGE_PRESENT  1ull
#define PAGE_WRITE    2ull
#define PAGE_LARGE    0x80ull
#define HOST_CS       0x08
#define HOST_DS       0x10
#define GATE          0x8e00ull /* present, DPL 0, interrupt gate */
#define STACK_PATTERN 0x6b636174536c6165ull

#define MACHINE_CHECK   18 /* the vector */
#define MCG_IN_PROGRESS (1ull << 2)
#define CPUID_MCE       (1u << 7)

struct gate {
	uint64_t low, high;
};

static uint64_t *page_root;
static uint64_t mapped_end;
static const uint64_t gdt[3] = {0, 0x00209b0000000000ull, 0x0000930000000000ull};
static struct gate idt[256];

/* host_entry.S: one stub of 16 bytes for each vector. */
extern const uint8_t host_stubs[] __attribute__((visibility("hidden")));
/* The stubs' common end calls these. */
void host_exception(struct host_frame *frame);
void host_nmi(uint64_t *rip);
void host_interrupt(uint32_t vector);

static void machine_check(void) __attribute__((noreturn));
static void machine_check(void)
{
	panic(PANIC_HOST_EXCEPTION, "machine check, status %lx", rdmsr(MSR_MCG_STATUS));
}

/* One of an attempt says no to what a guest has asked for; any other is a fault of ours. */
void host_exception(struct host_frame *frame)
{
	if (frame->vector == EXCEPTION_GP && frame->rip >= (uint64_t)attempt_begin && frame->rip < (uint64_t)attempt_refused) {
		frame->rip = (uint64_t)attempt_refused;
		return;
	}
	this_vcpu()->fault = frame;
	if (frame->vector == MACHINE_CHECK)
		machine_check();
	panic(PANIC_HOST_EXCEPTION, "exception %lu, error %lx, at image+%lx, address %lx, stack %lx", frame->vector,
	      frame->error, frame->rip - memory_base(), read_cr2(), frame->rsp);
}

void host_nmi(uint64_t *rip)
{
	*rip = backend->host_nmi(this_vcpu(), *rip);
}

/*
 * In the same window, where it is opened for them, and where a reset local APIC is drained (lapic_reset.c).
 * A machine check may come there too, and looks like an interrupt with its vector.
 */
void host_interrupt(uint32_t vector)
{
	if (vector == MACHINE_CHECK && rdmsr(MSR_MCG_STATUS) & MCG_IN_PROGRESS)
		machine_check();
	interrupt_taken(this_vcpu(), (uint8_t)vector);
}

int host_init(uint64_t limit)
{
	bool huge_pages = cpu_has_huge_pages();
	uint64_t step = huge_pages ? GIB << 9 : GIB; /* what a table maps */
	uint64_t roots = (limit + (GIB << 9) - 1) / (GIB << 9), tables = (limit + step - 1) / step;

	mapped_end = tables * step;
	page_root = memory_take(4096, 4096);
	uint64_t *directories = memory_take(tables * 4096, 4096);

	uint64_t *pointers = huge_pages ? directories : memory_take(roots * 4096, 4096);

	if (!page_root || !directories || !pointers)
		return -1;
	for (uint64_t i = 0; i < roots; i++)
		page_root[i] = (uint64_t)(pointers + i * 512) | PAGE_PRESENT | PAGE_WRITE;
	for (uint64_t i = 0; !huge_pages && i < tables; i++)
		pointers[i] = (uint64_t)(directories + i * 512) | PAGE_PRESENT | PAGE_WRITE;
	for (uint64_t i = 0; i < tables * 512; i++)
		directories[i] = i * (huge_pages ? GIB : 2 * MIB) | PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE;
	for (unsigned i = 0; i < 256; i++) {
		uint64_t stub = (uint64_t)host_stubs + 16 * i;

		idt[i].low = (stub & 0xffff) | HOST_CS << 16 | GATE << 32 | (stub >> 16 & 0xffff) << 48;
		idt[i].high = stub >> 32;
	}
	return 0;
}

bool host_maps(uint64_t address, uint64_t bytes)
{
	return address < mapped_end && bytes <= mapped_end - address;
}

/*
 * A machine check is ours to report, whatever the firmware had set: without MCE it shuts the processor down, and the keys
 * stay in memory. No CET: our stacks have no shadow.
 */
static uint64_t host_cr4(void)
{
	return (read_cr4() | CR4_OSFXSR | (cpuid(1, 0).edx & CPUID_MCE ? CR4_MCE : 0)) & ~CR4_CET;
}

void host_enter(void)
{
	const struct descriptor_table gdtr = {sizeof(gdt) - 1, (uint64_t)gdt};
	const struct descriptor_table idtr = {sizeof(idt) - 1, (uint64_t)idt};

	write_cr3((uint64_t)page_root);
	/* The cipher's registers are at hand, whatever the firmware had set for this CPU. */
	write_cr0((read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP);
	write_cr4(host_cr4());
	load_descriptor_tables(&gdtr, &idtr, HOST_CS, HOST_DS);
}

struct vcpu *host_new_vcpu(uint32_t index, uint32_t apic_id, uint32_t backend_bytes)
{
	struct vcpu *vcpu = memory_take(CPU_AREA_BYTES, CPU_AREA_BYTES);
	void *state = memory_take(backend_bytes, 4096);

	if (!vcpu || !state)
		return NULL;
	vcpu->index = index;
	vcpu->apic_id = apic_id;
	vcpu->backend = state;
	vcpu->sipi_pending = SIPI_NONE;
	vcpu->stack_guard = STACK_PATTERN;
	return vcpu;
}
