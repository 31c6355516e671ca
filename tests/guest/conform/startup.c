/* SPDX-License-Identifier: Apache-2.0 */
/*
 * INIT and SIPI in every order, and the state they leave: registers in the first
 * instruction of a start, what INIT keeps, the local APIC. Then real mode, big real
 * mode and 32-bit code without paging, each touching what is trapped.
 */
#include "tests/guest/conform/conform.h"
#include "storage/ahci/registers.h"
#include "tests/guest/lib/ahci.h"

#define RESULTS    0x1000u /* in the page of the start */
#define RESULT_MAX 64u
#define WAIT_US    2000000
#define REST_US    300000 /* what a CPU gets to show that it rests */
#define SETTLE_US  5000
#define CR2_BEFORE 0x1234000ull

/* A result a dword, at the place ebp points to. */
#define PUT(register) "mov " register ", %ds:(%bp)\n add $4, %bp\n"
#define PUT_SELECTOR(register) "mov " register ", %ax\n movzwl %ax, %eax\n" PUT("%eax")

SNIPPET(real_code,
	".code16\n"
	"mov %esp, %cs:0x1000 + 4\n mov %ebp, %cs:0x1000 + 8\n mov %eax, %cs:0x1000\n"
	"mov %ebx, %cs:0x1000 + 12\n mov %ecx, %cs:0x1000 + 16\n mov %edx, %cs:0x1000 + 20\n"
	"mov %esi, %cs:0x1000 + 24\n mov %edi, %cs:0x1000 + 28\n"
	"mov %ds, %cs:0x1000 + 32\n mov %es, %cs:0x1000 + 34\n mov %fs, %cs:0x1000 + 36\n mov %gs, %cs:0x1000 + 38\n"
	"mov %ss, %cs:0x1000 + 40\n"
	"mov %cs, %ax\n mov %ax, %ds\n mov %ax, %ss\n mov $0x1ff0, %esp\n mov $0x1000 + 44, %ebp\n"
	"pushfl\n popl %eax\n" PUT("%eax")
	"mov %cr0, %eax\n" PUT("%eax") "mov %cr2, %eax\n" PUT("%eax") "mov %cr3, %eax\n" PUT("%eax")
	"mov %cr4, %eax\n" PUT("%eax") "mov %dr0, %eax\n" PUT("%eax") "mov %dr3, %eax\n" PUT("%eax")
	"mov %dr6, %eax\n" PUT("%eax") "mov %dr7, %eax\n" PUT("%eax")
	"sgdtl 0x1ff4\n movzwl 0x1ff4, %eax\n" PUT("%eax") "movl 0x1ff6, %eax\n" PUT("%eax")
	"sidtl 0x1ff4\n movzwl 0x1ff4, %eax\n" PUT("%eax") "movl 0x1ff6, %eax\n" PUT("%eax")
	"smsw %ax\n movzwl %ax, %eax\n" PUT("%eax")
	/* What exits, in real mode. */
	"mov $0xc0000080, %ecx\n rdmsr\n" PUT("%eax") "mov $0xc0000103, %ecx\n rdmsr\n" PUT("%eax")
	"mov $0x277, %ecx\n rdmsr\n" PUT("%eax") PUT("%edx")
	"xor %eax, %eax\n cpuid\n" PUT("%eax") PUT("%ebx")
	"mov $1, %eax\n cpuid\n" PUT("%ecx")
	"mov $0xcf8, %dx\n mov $0x80005678, %eax\n out %eax, %dx\n xor %eax, %eax\n in %dx, %eax\n" PUT("%eax")
	"mov %ds, %ax\n mov %ax, %es\n mov $0x1fe0, %di\n cld\n mov $2, %cx\n rep insl\n mov 0x1fe4, %eax\n" PUT("%eax")
	/* Big real mode: FS reaches everything. */
	"cli\n lgdtl 0x110\n mov %cr0, %eax\n or $1, %al\n mov %eax, %cr0\n mov $0x10, %bx\n mov %bx, %fs\n"
	"and $0xfe, %al\n mov %eax, %cr0\n"
	"mov 0x17f0, %edi\n addr32 mov %fs:(%edi), %eax\n" PUT("%eax")
	"addr32 movl $0x13572468, %fs:0x104(%edi)\n addr32 addl $1, %fs:0x104(%edi)\n addr32 mov %fs:0x104(%edi), %eax\n"
	"movzwl %ax, %eax\n" PUT("%eax")
	"mov $0xfee00000, %esi\n addr32 mov %fs:0x30(%esi), %eax\n" PUT("%eax")
	"addr32 movl $0x30, %fs:0x80(%esi)\n addr32 mov %fs:0x80(%esi), %eax\n" PUT("%eax")
	"addr32 movl $0, %fs:0x80(%esi)\n"
	/* 32-bit code without paging; its address is put together here. */
	"mov %cs, %ax\n movzwl %ax, %eax\n shl $4, %eax\n add $(2f - real_code_begin + 0x400), %eax\n"
	"mov %cr0, %ecx\n or $1, %cl\n mov %ecx, %cr0\n pushl $0x18\n pushl %eax\n lretl\n"
	".code32\n 2: mov %fs:(%edi), %eax\n mov %eax, %ds:(%ebp)\n lock orl $0x80, %fs:0x104(%edi)\n"
	"mov %fs:0x104(%edi), %eax\n mov %eax, %ds:4(%ebp)\n mov $0xc0000080, %ecx\n rdmsr\n mov %eax, %ds:8(%ebp)\n"
	"mov %fs:0xfee00080, %eax\n mov %eax, %ds:12(%ebp)\n add $16, %ebp\n"
	/* Back by way of 16-bit code, which real mode's attributes are. */
	"movzwl 0x17f4, %eax\n shl $4, %eax\n add $(3f - real_code_begin + 0x400), %eax\n"
	"pushl $0x20\n pushl %eax\n lretl\n"
	".code16\n 3: mov %fs:(%edi), %eax\n" PUT("%eax")
	"mov %cr0, %eax\n and $0xfe, %al\n mov %eax, %cr0\n"
	"movw $0x10, 0x1ff2\n mov 0x17f4, %ax\n mov %ax, 0x1ff4\n ljmp *0x1ff2\n");

static uint32_t *results(void)
{
	return (uint32_t *)(machine.low_page + RESULTS);
}

/* The code with its parameters: the HBA's registers, and the segment to go on in. */
static const uint8_t *with_parameters(void)
{
	static uint8_t code[0x1400];

	memcpy(code, real_code.begin, (size_t)(real_code.end - real_code.begin));
	*(uint32_t *)(code + 0x17f0 - CPU_REAL_CODE) = (uint32_t)(uint64_t)ahci_registers();
	*(uint32_t *)(code + 0x17f4 - CPU_REAL_CODE) = (uint32_t)(machine.low_page >> 4);
	return code;
}

static void lapic_line(void *argument)
{
	static const uint16_t places[] = {LAPIC_TPR, LAPIC_LDR, LAPIC_DFR, LAPIC_SPURIOUS, LAPIC_LVT_TIMER, LAPIC_LVT_LINT0,
		LAPIC_LVT_LINT1, LAPIC_LVT_ERROR, LAPIC_TIMER_INITIAL, LAPIC_TIMER_DIVIDE, LAPIC_IRR + 0x30, LAPIC_ISR + 0x30};
	uint32_t *out = argument;

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		out[i] = lapic_read(places[i]);
}

/* Registers with values of their own, and requests that wait: what of it is there after INIT? */
static void prepare_state(void *argument)
{
	(void)argument;
	__asm__ volatile("mov %0, %%dr0; mov %0, %%dr3" ::"r"(0x11223344ull));
	__asm__ volatile("mov %0, %%cr2" ::"r"(CR2_BEFORE));
	wrmsr(0xc0000103, 0x77);
	wrmsr(0xc0000082, 0x1234567);
	wrmsr(0xc0000102, 0x7654321);
	lapic_write(LAPIC_TPR, 0x50);
	lapic_write(LAPIC_LVT_ERROR, 0x10044);
	lapic_write(LAPIC_TIMER_DIVIDE, 0xb);
	lapic_send(0, ICR_SELF | ICR_ASSERT | 0x35);
	__asm__ volatile("fninit; fld1; fldpi; pcmpeqd %%xmm5, %%xmm5" ::: "memory");
}

static void kept_state(void *argument)
{
	uint64_t *out = argument;

	__asm__ volatile("movq %%xmm5, %0" : "=r"(out[0]));
	__asm__ volatile("fnstsw %%ax; movzwl %%ax, %%eax" : "=a"(out[1]));
	out[2] = rdmsr(0xc0000082);
	out[3] = rdmsr(0xc0000102);
	out[4] = rdmsr(0xc0000103);
	__asm__ volatile("xor %%ecx, %%ecx; xgetbv" : "=a"(out[5]) : : "ecx", "edx");
	out[6] = rdmsr(MSR_APIC_BASE);
	__asm__ volatile("fninit");
}

static void show_start(const char *name)
{
	static const char *const names[] = {"eax", "esp", "ebp", "ebx", "ecx", "edx", "esi", "edi", "ds es", "fs gs", "ss"};

	for (unsigned i = 0; i < RESULT_MAX; i++)
		if (i < 44 || results()[i])
			fact("%s %u %s = %x", name, i, i < sizeof(names) / sizeof(names[0]) ? names[i] : "", results()[i]);
}

static void first_instructions(void)
{
	uint32_t lapic[12] = {0};
	uint64_t kept[7] = {0};

	cpu_run(cpus[1], prepare_state, NULL);
	cpu_wait(cpus[1], WAIT_US);
	memset(results(), 0, 0x7f0);
	if (!cpu_start(cpus[1], with_parameters(), 0x17f8 - CPU_REAL_CODE)) {
		fact("start with code = does not come");
		show_start("lost");
		guest_fail("cpu 1 is lost in real mode");
	}
	show_start("start");
	cpu_run(cpus[1], kept_state, kept);
	cpu_wait(cpus[1], WAIT_US);
	for (unsigned i = 0; i < 7; i++)
		fact("kept %u = %lx", i, kept[i]);
	cpu_run(cpus[1], lapic_line, lapic);
	cpu_wait(cpus[1], WAIT_US);
	for (unsigned i = 0; i < 12; i++)
		fact("lapic %u = %x", i, lapic[i]);
}

/* ---- orders ---- */

static volatile uint32_t beats;

static void beat(void *argument)
{
	(void)argument;
	for (;;)
		beats++;
}

static void beat_open(void *argument)
{
	__asm__ volatile("sti");
	beat(argument);
}

static void sleep_off(void *argument)
{
	(void)argument;
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void sleep_on(void *argument)
{
	(void)argument;
	for (;;)
		__asm__ volatile("sti; hlt");
}

static void faults(void *argument)
{
	(void)argument;
	for (;;) {
		cpuid(0, 0);
		(void)*(volatile uint32_t *)DEVICE;
	}
}

static volatile bool reached;

/* Called with interrupts off: from then on they are as the state has them. */
static void enter_state(void *state)
{
	reached = true;
	((void (*)(void *))state)(NULL);
}

/* A step a letter: I INIT, S SIPI, N NMI, V a vector, w waits. What came of it: the CPU is online, beats or rests. */
static void order(const char *name, void (*state)(void *), const char *steps)
{
	struct cpu *cpu = cpus[1];
	const uint32_t id = cpu->apic_id;

	if (state) {
		reached = false;
		cpu_run(cpu, enter_state, (void *)state);
		if (!WAIT_UNTIL(reached, WAIT_US))
			guest_fail("cpu 1 does not come to %s", name);
		wait_us(SETTLE_US);
	}
	cpu_prepare(cpu, NULL, 0);
	bool starts = false, waits = false;

	for (const char *step = steps; *step; step++) {
		waits |= *step == 'I';
		starts |= waits && *step == 'S';
		switch (*step) {
		case 'I':
			lapic_send(id, ICR_INIT | ICR_ASSERT);
			break;
		case 'D':
			lapic_send(id, ICR_INIT | ICR_LEVEL); /* de-assert: does nothing */
			break;
		case 'S':
			lapic_send(id, ICR_SIPI | ICR_ASSERT | cpu_start_vector());
			break;
		case 'N':
			lapic_send(id, ICR_NMI | ICR_ASSERT);
			break;
		case 'V':
			lapic_send(id, ICR_ASSERT | 0x63);
			WAIT_UNTIL(cpu->count[0x63], REST_US);
			break;
		default:
			wait_us(SETTLE_US);
		}
	}
	bool online = WAIT_UNTIL(cpu->online, starts ? WAIT_US : REST_US);
	uint32_t before = beats;

	/* A CPU that came online has forgotten what it did before. */
	if (online)
		wait_us(SETTLE_US);
	else
		WAIT_UNTIL(beats != before, state == beat || state == beat_open ? WAIT_US : REST_US);
	fact("order %s %s = %s, %s, %lu of 63", name, steps, online ? "online" : "not online",
		beats != before ? "beats" : "rests", cpu->count[0x63]);
	cpu->count[0x63] = 0;
	if (!cpu_start(cpu, NULL, 0))
		guest_fail("cpu 1 does not start after %s %s", name, steps);
}

static bool ignore(struct trap_frame *frame)
{
	(void)frame;
	return true;
}

static bool take(struct trap_frame *frame)
{
	(void)frame;
	lapic_write(LAPIC_EOI, 0);
	return true;
}

void theme_startup(void)
{
	static const struct {
		const char *name;
		void (*state)(void *);
	} states[] = {{"idle", NULL}, {"running", beat}, {"running open", beat_open}, {"halted", sleep_off},
		{"halted open", sleep_on}, {"exiting", faults}};
	static const char *const orders[] = {"IwS", "IwSS", "IwSwS", "S", "IwIwS", "IS", "DwS", "IwDwS", "Iw", "VwIwS", "NwIwS"};

	if (machine.cpus < 2)
		return;
	trap_handlers[EXCEPTION_NMI] = ignore;
	trap_handlers[0x63] = take;
	first_instructions();
	for (unsigned s = 0; s < sizeof(states) / sizeof(states[0]); s++)
		for (unsigned i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
			order(states[s].name, states[s].state, orders[i]);
	trap_handlers[EXCEPTION_NMI] = NULL;
	trap_handlers[0x63] = NULL;
}
