/* SPDX-License-Identifier: Apache-2.0 */
/* Single steps and breakpoints over instructions that a hypervisor carries out itself. */
#include "tests/guest/conform/conform.h"

#define MAX_TRAPS 48
#define DR7_GD    (1ull << 13)
#define DR6_CLEAR 0xffff0ff0ull

/* Of a breakpoint register: which accesses. */
enum { BREAK_EXECUTE = 0, BREAK_WRITE = 1, BREAK_PORT = 2, BREAK_ACCESS = 3 };

static struct {
	uint64_t rip, dr6, rflags;
} traps[MAX_TRAPS];
static unsigned trap_count;

static void write_dr(unsigned number, uint64_t value)
{
	switch (number) {
	case 0:
		__asm__ volatile("mov %0, %%dr0" ::"r"(value));
		break;
	case 1:
		__asm__ volatile("mov %0, %%dr1" ::"r"(value));
		break;
	case 6:
		__asm__ volatile("mov %0, %%dr6" ::"r"(value));
		break;
	default:
		__asm__ volatile("mov %0, %%dr7" ::"r"(value));
	}
}

static uint64_t read_dr6(void)
{
	uint64_t value;

	__asm__ volatile("mov %%dr6, %0" : "=r"(value));
	return value;
}

/* A REP whose last iteration is done: some processors stop there once more before they look at the count. */
static bool counted_out(const struct trap_frame *frame)
{
	const uint8_t *code = (const uint8_t *)frame->rip;

	return *code == 0xf3 && !frame->gpr[1];
}

/* Notes the trap and lets the code go on; RF so that an instruction breakpoint is passed. */
static bool note_trap(struct trap_frame *frame)
{
	if (counted_out(frame)) {
		write_dr(6, DR6_CLEAR);
		return true;
	}
	if (trap_count == MAX_TRAPS)
		return false;
	traps[trap_count].rip = frame->rip - CODE;
	traps[trap_count].rflags = frame->rflags;
	traps[trap_count++].dr6 = read_dr6();
	write_dr(6, DR6_CLEAR);
	frame->rflags |= RFLAGS_RF;
	return true;
}

SNIPPET(cpuid_code, "nop; cpuid; nop; cpuid; nop");
SNIPPET(rdmsr_trapped, "mov $0xc0000080, %ecx; rdmsr; nop");
SNIPPET(rdmsr_own, "mov $0x277, %ecx; rdmsr; nop");
SNIPPET(wrmsr_trapped, "mov $0xc0000080, %ecx; rdmsr; nop; wrmsr; nop");
SNIPPET(ports_trapped, "mov $0xcf8, %edx; in %dx, %eax; nop; out %eax, %dx; nop; inb $0x64, %al; nop");
SNIPPET(ports_own, "inb $0x71, %al; nop; outb %al, $0x80; nop");
SNIPPET(device_load, "mov (%rdi), %eax; nop; mov (%rdi), %ecx; nop");
SNIPPET(device_store, "mov %eax, 0x100(%rdi); nop");
SNIPPET(device_modify, "orl $0, 0x100(%rdi); nop");
SNIPPET(lapic_load, "mov 0x20(%rbp), %eax; nop");
SNIPPET(lapic_store, "mov %eax, 0x80(%rbp); nop");
SNIPPET(device_movs, "mov %rdi, %rsi; mov %rbx, %rdi; movsl; movsl; nop");
SNIPPET(device_rep_movs, "mov %rdi, %rsi; mov %rbx, %rdi; mov $3, %ecx; rep movsl; nop");
SNIPPET(device_rep_movs0, "mov %rdi, %rsi; mov %rbx, %rdi; xor %ecx, %ecx; rep movsl; nop");
SNIPPET(ram_rep_movs, "lea 0x100(%rbx), %rsi; mov %rbx, %rdi; mov $3, %ecx; rep movsl; nop");
SNIPPET(port_rep_outs, "mov %rbx, %rsi; mov $0x80, %edx; mov $3, %ecx; rep outsb; nop");
SNIPPET(trapped_rep_ins, "mov %rbx, %rdi; mov $0xcf8, %edx; mov $3, %ecx; rep insl; nop");
SNIPPET(trapped_ins, "mov %rbx, %rdi; mov $0xcf8, %edx; insl; nop");
SNIPPET(after_mov_ss, "mov %ss, %ecx; mov %ecx, %ss; cpuid; nop; mov $0x10, %ecx; mov %ecx, %ss; mov (%rdi), %eax; nop");
SNIPPET(invd_code, "nop; invd; nop; wbinvd; nop");
SNIPPET(clears_itself, "pushf; andl $~0x100, (%rsp); popf; cpuid; nop");
SNIPPET(sets_itself, "pushf; orl $0x100, (%rsp); popf; cpuid; nop; mov (%rdi), %eax; nop");
SNIPPET(ud_code, "nop; ud2");
SNIPPET(icebp, "nop; .byte 0xf1; nop");
SNIPPET(reads_dr7, "nop; mov %dr7, %rax; nop");
SNIPPET(ram_load, "mov (%rbx), %eax; nop; mov %eax, (%rbx); nop; mov 4(%rbx), %eax; nop");
SNIPPET(device_two, "mov (%rdi), %eax; nop; mov 4(%rdi), %eax; nop; mov %eax, 0x100(%rdi); nop");

static const struct probe stepped[] = {
	{"cpuid", &cpuid_code}, {"rdmsr EFER", &rdmsr_trapped}, {"rdmsr PAT", &rdmsr_own}, {"wrmsr EFER", &wrmsr_trapped},
	{"device load", &device_load}, {"device store", &device_store}, {"device or", &device_modify},
	{"lapic load", &lapic_load}, {"lapic store", &lapic_store}, {"device movs", &device_movs},
	{"device rep movs", &device_rep_movs}, {"device rep movs 0", &device_rep_movs0}, {"ram rep movs", &ram_rep_movs},
	{"rep outs", &port_rep_outs}, {"rep ins trapped", &trapped_rep_ins}, {"ins trapped", &trapped_ins},
	{"after mov ss", &after_mov_ss}, {"invd", &invd_code}, {"popf clears", &clears_itself}, {"popf sets", &sets_itself},
	{"ud2", &ud_code}, {"icebp", &icebp},
};

static void observed(const char *what, const struct probe *probe, uint64_t rflags, uint64_t dr7)
{
	struct run r;

	trap_count = 0;
	write_dr(6, DR6_CLEAR);
	snippet_prepare(&r);
	r.gpr[3] = RAM;
	r.gpr[5] = STAGE(STAGE_LAPIC);
	r.gpr[7] = DEVICE;
	r.rflags |= rflags;
	trap_handlers[EXCEPTION_DB] = note_trap;
	write_dr(7, dr7);
	snippet_run(&r, probe->code);
	write_dr(7, 0x400);
	trap_handlers[EXCEPTION_DB] = NULL;
	fact("%s %s = %s, %u traps", what, probe->name, ending(&r), trap_count);
	for (unsigned i = 0; i < trap_count; i++)
		fact("%s %s, trap %u = +%lx dr6 %lx flags %lx", what, probe->name, i, traps[i].rip, traps[i].dr6,
			traps[i].rflags & ~(FLAGS_COMPUTED | (uint64_t)RFLAGS_RF));
}

static uint64_t enabled(unsigned number, unsigned kind, unsigned bytes)
{
	static const uint8_t length[9] = {[1] = 0, [2] = 1, [4] = 3, [8] = 2};

	return 0x400 | 1ull << 2 * number | (uint64_t)(kind | length[bytes] << 2) << (16 + 4 * number);
}

static void data_breakpoints(void)
{
	static const struct probe probes[] = {{"ram", &ram_load}, {"two", &device_two}, {"device load", &device_load},
		{"device store", &device_store}, {"device or", &device_modify}, {"device movs", &device_movs},
		{"device rep movs", &device_rep_movs}, {"ram rep movs", &ram_rep_movs},
		{"trapped rep ins", &trapped_rep_ins}, {"rep outs", &port_rep_outs}};
	static const struct {
		const char *name;
		uint64_t address;
		unsigned kind, bytes;
	} watches[] = {{"access device", DEVICE, BREAK_ACCESS, 4}, {"write device", DEVICE + 0x100, BREAK_WRITE, 4},
		{"access device 8", DEVICE, BREAK_ACCESS, 8}, {"access device 1", DEVICE + 5, BREAK_ACCESS, 1},
		{"write ram", RAM, BREAK_WRITE, 4}, {"access ram 2", RAM + 2, BREAK_ACCESS, 2}};

	for (unsigned w = 0; w < sizeof(watches) / sizeof(watches[0]); w++)
		for (unsigned i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
			write_dr(0, watches[w].address);
			observed(watches[w].name, &probes[i], 0, enabled(0, watches[w].kind, watches[w].bytes));
		}
	write_dr(0, DEVICE);
	write_dr(1, RAM);
	observed("both", &probes[5], 0, enabled(0, BREAK_ACCESS, 4) | enabled(1, BREAK_ACCESS, 4));
	observed("not enabled", &probes[2], 0, enabled(0, BREAK_ACCESS, 4) & ~3ull);
}

/* On the instruction itself, and on the next one: RF must have gone. */
static void instruction_breakpoints(void)
{
	static const struct {
		struct probe probe;
		unsigned at[2];
	} probes[] = {{{"cpuid", &cpuid_code}, {1, 3}}, {{"device load", &device_load}, {0, 2}},
		{{"device store", &device_store}, {0, 6}}, {{"trapped ports", &ports_trapped}, {5, 7}},
		{{"wrmsr", &wrmsr_trapped}, {8, 10}}};

	for (unsigned i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		write_dr(0, CODE + probes[i].at[0]);
		write_dr(1, CODE + probes[i].at[1]);
		observed("execute", &probes[i].probe, 0, enabled(0, BREAK_EXECUTE, 1) | enabled(1, BREAK_EXECUTE, 1));
		observed("execute, RF", &probes[i].probe, RFLAGS_RF, enabled(0, BREAK_EXECUTE, 1));
	}
}

static void port_breakpoints(void)
{
	static const struct probe probes[] = {{"trapped ports", &ports_trapped}, {"other ports", &ports_own},
		{"rep ins trapped", &trapped_rep_ins}, {"rep outs", &port_rep_outs}};
	static const uint16_t ports[] = {0xcf8, 0x64, 0x80, 0x71};

	write_cr4(read_cr4() | CR4_DE);
	for (unsigned p = 0; p < sizeof(ports) / sizeof(ports[0]); p++)
		for (unsigned i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
			write_dr(0, ports[p]);
			observed(text("port %x", ports[p]), &probes[i], 0,
				enabled(0, BREAK_PORT, ports[p] == 0xcf8 ? 4 : 1));
		}
	write_cr4(read_cr4() & ~CR4_DE);
}

void theme_debug(void)
{
	static const struct probe dr7 = {"mov from dr7", &reads_dr7};

	for (unsigned i = 0; i < sizeof(stepped) / sizeof(stepped[0]); i++)
		observed("step", &stepped[i], RFLAGS_TF, 0x400);
	data_breakpoints();
	instruction_breakpoints();
	port_breakpoints();
	observed("general detect", &dr7, 0, 0x400 | DR7_GD);
}
