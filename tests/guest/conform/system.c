/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System instructions: descriptor tables, far transfers, call gates, SYSCALL, cache
 * control, 16-bit code in a 64-bit system.
 */
#include "tests/guest/conform/conform.h"

#define MSR_STAR   0xc0000081u
#define MSR_LSTAR  0xc0000082u
#define MSR_CSTAR  0xc0000083u
#define MSR_SFMASK 0xc0000084u
#define GATE       SELECTOR_FREE        /* a call gate, two entries */
#define CODE16     (SELECTOR_FREE + 16) /* code and data whose base is the stage */
#define DATA16     (SELECTOR_FREE + 24)
#define LDT        (SELECTOR_FREE + 32) /* two entries */
#define DEVICE16   (SELECTOR_FREE + 48)

static uint64_t descriptor(uint64_t base, uint32_t limit, uint16_t attributes)
{
	return (limit & 0xffff) | (base & 0xffffff) << 16 | (uint64_t)(attributes & 0xff) << 40 |
	       (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)(attributes >> 8 & 15) << 52 | (base >> 24 & 0xff) << 56;
}

/* rbx: RAM, rdi: the device. Targets in the code are at CODE + 0x800, which returns. */
#define SYSTEM(X)                                                                                            \
	X(sgdt, "sgdt (%rbx); movzwl (%rbx), %eax; lgdt (%rbx)")                                             \
	X(sidt, "sidt (%rbx); movzwl (%rbx), %eax; lidt (%rbx)")                                             \
	X(sldt, "mov $-1, %rax; sldt %rax; mov $-1, %rcx; sldt %ecx; mov $-1, %rdx; sldt %dx")               \
	X(str, "mov $-1, %rax; str %rax; mov $-1, %rcx; str %cx")                                            \
	X(smsw, "mov $-1, %rax; smsw %rax; mov $-1, %rcx; smsw %cx")                                         \
	X(lldt, "mov $0x78, %eax; lldt %ax; sldt %cx; mov $4, %eax; lar %eax, %edx; lsl %eax, %esi; xor %eax, %eax; lldt %ax") \
	X(lar, "mov $0x10, %ecx; lar %ecx, %eax; setz %dl; mov $0x48, %ecx; lar %ecx, %esi; setz %dh")       \
	X(lsl, "mov $0x10, %ecx; lsl %ecx, %eax; setz %dl; mov $0xfff8, %ecx; lsl %ecx, %esi; setz %dh")     \
	X(verr, "mov $0x10, %ecx; verr %cx; setz %al; verw %cx; setz %ah; mov $8, %ecx; verr %cx; setz %dl; verw %cx; setz %dh") \
	X(far_jump, "push $0x8; lea 1f(%rip), %rax; push %rax; lretq; 1: mov $7, %eax")                \
	X(far_call, "movl $0x60000800, (%rbx); movl $8, 4(%rbx); lcall *(%rbx); mov $9, %eax")               \
	X(far_compat, "movl $0x60000810, (%rbx); movl $0x18, 4(%rbx); lcall *(%rbx); mov $10, %eax")         \
	X(call_gate, "movl $0, (%rbx); movl $0x58, 4(%rbx); lcall *(%rbx); mov $11, %eax")                   \
	X(clflush, "clflush (%rbx); clflush (%rdi); mfence; sfence; lfence")                                 \
	X(caches, "wbinvd; invd; wbinvd")                                                                    \
	X(invlpg, "invlpg (%rbx); invlpg (%rdi); mov (%rdi), %eax")                                          \
	X(cr3_again, "mov %cr3, %rax; mov %rax, %cr3; mov (%rdi), %eax")                                     \
	X(cr4_pge, "mov %cr4, %rax; xor $0x80, %rax; mov %rax, %cr4; xor $0x80, %rax; mov %rax, %cr4; mov (%rdi), %eax") \
	X(cr0_ts, "mov %cr0, %rax; or $8, %rax; mov %rax, %cr0; clts; mov %cr0, %rcx; and $8, %ecx; xor %eax, %eax") \
	X(cr0_cd, "mov %cr0, %rax; mov %rax, %rcx; bts $30, %rax; mov %rax, %cr0; mov (%rdi), %edx; mov %rcx, %cr0; xor %eax, %eax; xor %ecx, %ecx") \
	X(cr2, "mov $0x12345678abcd, %rax; mov %rax, %cr2; cpuid; mov %cr2, %rax; xor %ebx, %ebx; xor %ecx, %ecx; xor %edx, %edx") \
	X(debug_registers, "mov $0x123456, %eax; mov %rax, %dr2; mov %dr2, %rcx; mov $0xffffffff, %eax; mov %rax, %dr6; mov %dr6, %rdx; mov $0xffff0ff0, %eax; mov %rax, %dr6") \
	X(swapgs, "mov $0xc0000101, %ecx; rdmsr; mov %eax, %esi; swapgs; rdmsr; swapgs; rdmsr")              \
	X(fs_base, "mov $0x10, %eax; mov %eax, %fs; mov $0xc0000100, %ecx; mov $0x60010000, %eax; xor %edx, %edx; wrmsr; mov %fs:0, %esi; mov %fs:4, %edi; xor %eax, %eax; mov %eax, %fs; rdmsr") \
	X(syscall, "syscall; nop")                                                                           \
	X(sysret, "lea 1f(%rip), %rcx; mov $2, %r11d; sysretq; 1: nop")                                 \
	X(sysenter, "sysenter")                                                                              \
	X(rdtsc_cpuid, "rdtsc; cpuid; xor %eax, %eax; xor %ebx, %ebx; xor %ecx, %ecx; xor %edx, %edx")       \
	X(iret_same, "mov %rsp, %rcx; push $0x10; push %rcx; push $2; push $8; lea 1f(%rip), %rax; push %rax; iretq; 1: mov $12, %eax; xor %ecx, %ecx") \
	X(enter_leave, "enter $16, $2; leave")                                                               \
	X(xlat_lahf, "mov $0xd5, %eax; mov $0x8000, %eax; sahf; lahf; xlat")

SYSTEM(PROBE_CODE)
static const struct probe system_probes[] = {SYSTEM(PROBE_ROW)};

SNIPPET(target, "mov $0x55, %esi; lretq; .org target_begin + 16; .code32; mov $0x66, %esi; lretl; .org target_begin + 32; "
		".code64; mov %rcx, %r8; mov $0x77, %esi; sysretq");

/* 16-bit code with segments whose bases are the stage's: bx RAM, di the device's place in its segment. */
#define NARROW(X)                                                                                            \
	X(c16_cpuid, ".code16; xor %eax, %eax; cpuid")                                                       \
	X(c16_device, ".code16; mov $0x88, %ax; mov %ax, %es; mov %es:(%di), %eax; mov %es:4(%di), %cx")     \
	X(c16_store, ".code16; mov $0x88, %ax; mov %ax, %es; movl $0x1234, %es:0x104(%di); addl $0x10, %es:0x104(%di); mov %es:0x104(%di), %edx") \
	X(c16_forms, ".code16; mov $0x88, %ax; mov %ax, %es; mov $4, %si; mov %es:(%bx,%si), %al; mov %es:0x104(%bp,%di), %ecx; mov %es:0x104, %edx") \
	X(c16_movs, ".code16; mov $0x88, %ax; mov %ax, %ds; mov $0x70, %ax; mov %ax, %es; xor %si, %si; mov $0x4000, %di; mov $3, %cx; rep movsl") \
	X(c16_wrap, ".code16; mov $0x88, %ax; mov %ax, %es; mov $0xfff0, %si; mov %es:0x10(%si), %eax")      \
	X(c16_ins, ".code16; mov $0x70, %ax; mov %ax, %es; mov $0x4000, %di; mov $0xcf8, %dx; mov $2, %cx; rep insl") \
	X(c16_limit, ".code16; mov $0x88, %ax; mov %ax, %es; mov %es:0xffe, %eax")                           \
	X(c16_msr, ".code16; mov $0xc0000080, %ecx; rdmsr")

NARROW(PROBE_CODE)
static const struct probe narrow[] = {NARROW(PROBE_ROW)};

static void descriptors(void)
{
	uint64_t *gdt = this_cpu()->gdt, at = CODE + 0x800;

	gdt[GATE / 8] = (at & 0xffff) | (uint64_t)SELECTOR_CODE64 << 16 | 0x8cull << 40 | (at >> 16 & 0xffff) << 48;
	gdt[GATE / 8 + 1] = at >> 32;
	gdt[CODE16 / 8] = descriptor(CODE, 0xffff, 0x09b);
	gdt[DATA16 / 8] = descriptor(CODE, 0xffff, 0x093);
	gdt[LDT / 8] = descriptor((uint64_t)stage_memory(STAGE_RAM) + 0x800, 0xff, 0x082);
	gdt[LDT / 8 + 1] = 0;
	gdt[DEVICE16 / 8] = descriptor(DEVICE, 0xfff, 0x093);
}

static void one(const char *where, const struct probe *probe, bool user, uint16_t cs)
{
	struct run r;

	stage_set(true);
	memcpy(stage_memory(STAGE_CODE) + 0x800, target.begin, (size_t)(target.end - target.begin));
	*(uint64_t *)(stage_memory(STAGE_RAM) + 0x800) = descriptor(0, 0x12345, 0xc93);
	*(volatile uint32_t *)(DEVICE + 0x104) = 0;
	if (user)
		snippet_prepare_user(&r);
	else
		snippet_prepare(&r);
	if (cs) {
		r.cs = cs;
		r.rip = 0;
	}
	r.gpr[3] = cs ? 0 : RAM;
	r.gpr[7] = cs ? 0 : DEVICE;
	snippet_run(&r, probe->code);
	if (cs)
		r.rip += CODE;
	__asm__ volatile("xor %%eax, %%eax; lldt %%ax; mov %%eax, %%fs; mov %%eax, %%gs; mov $0x10, %%eax; mov %%eax, %%ds; "
			 "mov %%eax, %%es" ::: "rax", "memory");
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_GS_BASE, 0);
	traps_load();
	fact("%s%s%s = %s, cs %lx ss %lx rax %lx rcx %lx rdx %lx rsi %lx rsp %lx flags %lx", where, user ? "user " : "", probe->name,
		ending(&r), r.cs, r.ss, r.gpr[0], r.gpr[1], r.gpr[2], r.gpr[6], r.gpr[4] - STACK_TOP, r.rflags);
}

void theme_system(void)
{
	uint64_t efer = rdmsr(MSR_EFER);

	descriptors();
	for (unsigned sce = 0; sce < 2; sce++) {
		wrmsr(MSR_EFER, sce ? efer | EFER_SCE : efer & ~EFER_SCE);
		wrmsr(MSR_STAR, (uint64_t)(SELECTOR_USER_CODE64 - 16) << 48 | (uint64_t)SELECTOR_CODE64 << 32);
		wrmsr(MSR_LSTAR, CODE + 0x820);
		wrmsr(MSR_CSTAR, CODE + 0x820);
		wrmsr(MSR_SFMASK, 0x8d5);
		wrmsr(MSR_GS_BASE, 0x11);
		for (unsigned i = 0; i < sizeof(system_probes) / sizeof(system_probes[0]); i++)
			if (!sce || !strncmp(system_probes[i].name, "sys", 3)) {
				one(sce ? "SCE " : "", &system_probes[i], false, 0);
				one(sce ? "SCE " : "", &system_probes[i], true, 0);
			}
	}
	wrmsr(MSR_EFER, efer);
	wrmsr(MSR_GS_BASE, 0);
	for (unsigned i = 0; i < sizeof(narrow) / sizeof(narrow[0]); i++)
		one("", &narrow[i], false, CODE16);
}
