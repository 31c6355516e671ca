/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/lib/internal.h"
#include "tests/guest/lib/lapic.h"
#include "tests/guest/lib/paging.h"
#include "tests/guest/lib/traps.h"

#define START_CODE64 0x80
#define START_DATA   0x100
#define CR0_NE       (1ull << 5)

struct start_data {
	uint16_t first, reserved0; /* where the CPU goes from its first instruction */
	uint32_t cr3, cr4, cr0;    /* 04h */
	uint16_t gdt_limit;        /* 10h */
	uint32_t gdt_base;
	uint16_t reserved1;
	uint32_t far_offset; /* 18h */
	uint16_t far_selector, reserved2;
	uint64_t rsp, entry; /* 20h */
	uint32_t efer;       /* 30h */
} __attribute__((packed));
_Static_assert(offsetof(struct start_data, efer) == 0x30, "trampoline.S");

extern const uint8_t trampoline[] __attribute__((visibility("hidden")));
extern const uint8_t trampoline_end[] __attribute__((visibility("hidden")));

struct cpu *cpus[MACHINE_MAX_CPUS];

static void fill_gdt(struct cpu *cpu)
{
	uint64_t tss = (uint64_t)&cpu->tss;
	uint64_t *gdt = cpu->gdt;

	gdt[SELECTOR_CODE64 / 8] = 0x00af9b000000ffff;
	gdt[SELECTOR_DATA / 8] = 0x00cf93000000ffff;
	gdt[SELECTOR_CODE32 / 8] = 0x00cf9b000000ffff;
	gdt[SELECTOR_CODE16 / 8] = 0x008f9b000000ffff;
	gdt[SELECTOR_DATA16 / 8] = 0x000093000000ffff;
	gdt[SELECTOR_USER_CODE64 / 8] = 0x00affb000000ffff;
	gdt[SELECTOR_USER_DATA / 8] = 0x00cff3000000ffff;
	gdt[SELECTOR_USER_CODE32 / 8] = 0x00cffb000000ffff;
	gdt[SELECTOR_TSS / 8] = 0x0000890000000000 | (sizeof(struct tss64) - 1) | (tss & 0xffffff) << 16 |
				(tss >> 24 & 0xff) << 56;
	gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;
}

static struct cpu *new_cpu(uint32_t index, uint32_t apic_id)
{
	struct cpu *cpu = take_memory(CPU_AREA_BYTES, CPU_AREA_BYTES);

	cpu->index = index;
	cpu->apic_id = apic_id;
	cpu->tss.rsp[0] = (uint64_t)cpu + CPU_TRAP_STACK;
	cpu->tss.ist[0] = (uint64_t)cpu + CPU_TRAP_STACK;
	cpu->tss.ist[1] = (uint64_t)cpu + CPU_NMI_STACK;
	cpu->tss.io_map = sizeof(struct tss64);
	return cpu;
}

static void load_tables(struct cpu *cpu)
{
	const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) table = {sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt};

	fill_gdt(cpu);
	__asm__ volatile("lgdt %0\n\t"
			 "push %1\n\t"
			 "lea 1f(%%rip), %%rax\n\t"
			 "push %%rax\n\t"
			 "lretq\n"
			 "1:\n\t"
			 "mov %2, %%ds\n\t"
			 "mov %2, %%es\n\t"
			 "mov %2, %%ss\n\t"
			 "xor %%eax, %%eax\n\t"
			 "mov %%eax, %%fs\n\t"
			 "mov %%eax, %%gs\n\t"
			 "ltr %w3" ::"m"(table),
			 "i"(SELECTOR_CODE64), "r"(SELECTOR_DATA), "r"(SELECTOR_TSS)
			 : "rax", "memory");
	traps_load();
	lapic_begin();
}

/* Runs on the CPU's main stack. */
static void begin(void (*next)(void))
{
	load_tables(this_cpu());
	/* Not by who starts it: until its INIT the CPU goes on with what it was doing. */
	this_cpu()->run = NULL;
	this_cpu()->work = NULL;
	__atomic_store_n(&this_cpu()->online, 1, __ATOMIC_RELEASE);
	next();
	guest_end(true);
}

static uint32_t own_apic_id(void)
{
	return lapic_x2apic() ? lapic_read(LAPIC_ID) : lapic_read(LAPIC_ID) >> 24;
}

/* The boot CPU is number 0 here, wherever it stands in the firmware's table. */
void cpus_begin(void (*next)(void))
{
	uint32_t own = own_apic_id(), index = 1;

	cpus[0] = new_cpu(0, own);
	for (uint32_t i = 0; i < machine.cpus; i++)
		if (machine.apic_id[i] != own) {
			cpus[index] = new_cpu(index, machine.apic_id[i]);
			index++;
		}
	__asm__ volatile("mov %0, %%rsp\n\tcall *%1" ::"r"((uint64_t)cpus[0] + CPU_MAIN_STACK), "r"(begin),
			 "D"(next)
			 : "memory");
	__builtin_unreachable();
}

/* HLT comes before an interrupt that STI lets in: none is slept through. */
static void serve(void)
{
	struct cpu *cpu = this_cpu();

	for (;;) {
		void (*work)(void *) = cpu->work;

		if (work) {
			work(cpu->argument);
			__atomic_store_n(&cpu->work, NULL, __ATOMIC_RELEASE);
		} else {
			__asm__ volatile("sti; hlt; cli" ::: "memory");
		}
	}
}

static void application_cpu(void)
{
	begin(serve);
}

uint8_t cpu_start_vector(void)
{
	return (uint8_t)(machine.low_page >> 12);
}

void cpu_prepare(struct cpu *cpu, const void *real_code, uint32_t bytes)
{
	uint8_t *page = (uint8_t *)machine.low_page;
	struct start_data *data = (struct start_data *)(page + START_DATA);

	memcpy(page, trampoline, (size_t)(trampoline_end - trampoline));
	if (real_code)
		memcpy(page + CPU_REAL_CODE, real_code, bytes);
	*data = (struct start_data){
		.first = real_code ? CPU_REAL_CODE : CPU_GO_ON,
		.cr3 = (uint32_t)paging_root(),
		.cr4 = (uint32_t)paging_cr4(),
		.cr0 = (uint32_t)(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG),
		.gdt_limit = sizeof(cpus[0]->gdt) - 1,
		.gdt_base = (uint32_t)(uint64_t)cpus[0]->gdt,
		.far_offset = (uint32_t)(machine.low_page + START_CODE64),
		.far_selector = SELECTOR_CODE64,
		.rsp = (uint64_t)cpu + CPU_MAIN_STACK,
		.entry = (uint64_t)application_cpu,
		.efer = (uint32_t)(EFER_LME | (rdmsr(MSR_EFER) & EFER_NXE)),
	};
	cpu->online = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

bool cpu_start(struct cpu *cpu, const void *real_code, uint32_t bytes)
{
	cpu_prepare(cpu, real_code, bytes);
	lapic_send(cpu->apic_id, ICR_INIT | ICR_ASSERT);
	wait_us(1000);
	for (int turn = 0; turn < 2; turn++) {
		lapic_send(cpu->apic_id, ICR_SIPI | ICR_ASSERT | cpu_start_vector());
		if (WAIT_UNTIL(cpu->online, turn ? 1000000 : 100000))
			return true;
	}
	return false;
}

void cpus_start(void)
{
	for (uint32_t i = 1; i < machine.cpus; i++)
		if (!cpu_start(cpus[i], NULL, 0))
			guest_fail("cpu %u does not start", i);
}

void cpu_run(struct cpu *cpu, void (*work)(void *argument), void *argument)
{
	cpu->argument = argument;
	__atomic_store_n(&cpu->work, work, __ATOMIC_RELEASE);
	lapic_send(cpu->apic_id, ICR_ASSERT | ICR_FIXED | VECTOR_WAKE);
}

bool cpu_wait(const struct cpu *cpu, uint64_t us)
{
	return WAIT_UNTIL(!cpu->work, us);
}
