/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions, their error codes, CR2, and where they point; in kernel and user code, 64 bits wide and 32. */
#include "tests/guest/conform/conform.h"

#define CR0_AM (1ull << 18)

/* Pages with something wrong; r8 to r12 point there. */
enum { READ_ONLY = 41, KERNEL, NO_CODE, RESERVED, TWO_PAGES = 46, DEVICE_READ_ONLY = 48, DEVICE_KERNEL };
#define MISSING STAGE(40)

/* Descriptors with something wrong, behind the library's own. */
enum { ABSENT_DATA = SELECTOR_FREE, SMALL_DATA = SELECTOR_FREE + 8, DOWN_DATA = SELECTOR_FREE + 16,
	EXECUTE_ONLY = SELECTOR_FREE + 24, ABSENT_CODE = SELECTOR_FREE + 32, READ_ONLY_DATA = SELECTOR_FREE + 40 };

/* rbx: RAM, rdi: the device, rsi: nothing there, rbp: not canonical; r8 read-only, r9 kernel's, r10 no code, r11 reserved
 * bit, r12 the device read-only, r13 the device for the kernel alone,
 * r14 the last bytes before a missing page. */
#define WIDE(X)                                                                                              \
	X(div_zero, "xor %ecx, %ecx; div %ecx")                                                              \
	X(idiv_overflow, "mov $0x80000000, %eax; cltd; mov $-1, %ecx; idiv %ecx")                            \
	X(int3, "int3")                                                                                      \
	X(int_3, "int $3")                                                                                   \
	X(int_1, "int $1")                                                                                   \
	X(int_gate, "int $0x20")                                                                             \
	X(int_high, "int $0xfe")                                                                             \
	X(ud2, "ud2")                                                                                        \
	X(ud0, ".byte 0x0f, 0xff, 0xc0")                                                                     \
	X(ud1, ".byte 0x0f, 0xb9, 0xc0")                                                                     \
	X(lock_mov, ".byte 0xf0; mov %eax, %ecx")                                                            \
	X(push_es, ".byte 0x06")                                                                             \
	X(missing_read, "mov (%rsi), %eax")                                                                  \
	X(missing_write, "mov %eax, (%rsi)")                                                                 \
	X(missing_locked, "lock incl (%rsi)")                                                                \
	X(missing_fetch, "jmp *%rsi")                                                                        \
	X(ro_write, "mov %eax, (%r8)")                                                                       \
	X(ro_cmpxchg, "lock cmpxchg %ecx, (%r8)")                                                            \
	X(kernel_read, "mov (%r9), %eax")                                                                    \
	X(kernel_write, "mov %eax, (%r9)")                                                                   \
	X(kernel_fetch, "jmp *%r9")                                                                          \
	X(nx_fetch, "jmp *%r10")                                                                             \
	X(nx_call, "call *%r10")                                                                             \
	X(reserved_read, "mov (%r11), %eax")                                                                 \
	X(reserved_write, "mov %eax, (%r11)")                                                                \
	X(device_missing, "mov 0x1000(%rdi), %eax")                                                          \
	X(device_ro_write, "mov %eax, 0x104(%r12)")                                                          \
	X(device_ro_or, "orl $0, 0x104(%r12)")                                                               \
	X(device_ro_xchg, "xchg %eax, 0x104(%r12)")                                                          \
	X(device_ro_stos, "lea 0x104(%r12), %rdi; stosl")                                                    \
	X(device_kernel_read, "mov (%r13), %eax")                                                            \
	X(device_kernel_write, "mov %eax, 0x104(%r13)")                                                      \
	X(device_to_missing, "mov %rsi, %rax; mov %rdi, %rsi; mov %rax, %rdi; movsl")                        \
	X(device_to_ro, "mov %rdi, %rsi; mov %r8, %rdi; movsl")                                              \
	X(missing_to_device, "lea 0x104(%rdi), %rdi; movsl")                                                 \
	X(device_rep_into_missing, "mov %rdi, %rsi; mov %r14, %rdi; mov $5, %ecx; rep movsl")                \
	X(device_rep_down, "lea 16(%rdi), %rsi; lea 8(%r8), %rdi; mov $5, %ecx; std; rep movsl")            \
	X(device_rep_over_end, "lea 0xff8(%rdi), %rsi; mov %rbx, %rdi; mov $5, %ecx; rep movsl")             \
	X(device_crossing, "mov 0xffd(%rdi), %eax")                                                          \
	X(stack_canonical, "mov (%rbp), %eax")                                                               \
	X(data_canonical, "mov %rbp, %rax; mov (%rax), %eax")                                                \
	X(push_canonical, "mov %rbp, %rsp; push %rax")                                                       \
	X(jump_canonical, "jmp *%rbp")                                                                       \
	X(call_canonical, "call *%rbp")                                                                      \
	X(ret_canonical, "push %rbp; ret")                                                                   \
	X(stack_missing, "lea 8(%rsi), %rsp; push %rax")                                                     \
	X(ds_beyond, "mov $0xfff8, %eax; mov %eax, %ds")                                                     \
	X(ds_absent, "mov $0x58, %eax; mov %eax, %ds")                                                       \
	X(ss_absent, "mov $0x58, %eax; mov %eax, %ss")                                                       \
	X(ss_null, "mov $3, %eax; mov %eax, %ss")                                                            \
	X(ss_beyond, "mov $0xfff8, %eax; mov %eax, %ss")                                                     \
	X(ss_read_only, "mov $0x80, %eax; mov %eax, %ss")                                                    \
	X(es_execute_only, "mov $0x70, %eax; mov %eax, %es")                                                 \
	X(fs_tss, "mov $0x48, %eax; mov %eax, %fs")                                                          \
	X(cs_move, ".byte 0x8e, 0xc8")                                                                       \
	X(lldt_data, "mov $0x10, %eax; lldt %ax")                                                            \
	X(lldt_null, "xor %eax, %eax; lldt %ax")                                                             \
	X(ltr_busy, "mov $0x48, %eax; ltr %ax")                                                              \
	X(ltr_data, "mov $0x10, %eax; ltr %ax")                                                              \
	X(far_absent, "push $0x78; push $0; lretq")                                                          \
	X(far_null, "push $0; push $0; lretq")                                                               \
	X(far_data, "push $0x10; push $0; lretq")                                                            \
	X(iret_null, "push $0; push $0; push $2; push $0; push $0; iretq")                                   \
	X(iret_nt, "pushf; orl $0x4000, (%rsp); popf; iretq")                                                \
	X(cli_, "cli")                                                                                       \
	X(sti_, "sti; cli")                                                                                  \
	X(popf_iopl, "push $0x3002; popf; pushf; pop %rax")                                                  \
	X(in_port, "in $0x71, %al")                                                                          \
	X(in_trapped, "mov $0xcf8, %edx; in %dx, %eax")                                                      \
	X(out_trapped, "mov $0xcf8, %edx; out %eax, %dx")                                                    \
	X(ins_trapped, "mov $0xcf8, %edx; mov %rbx, %rdi; insl")                                             \
	X(read_cr0, "mov %cr0, %rax")                                                                        \
	X(read_cr3, "mov %cr3, %rax; xor %eax, %eax")                                                        \
	X(read_dr7, "mov %dr7, %rax")                                                                        \
	X(read_cr1, ".byte 0x0f, 0x20, 0xc8")                                                                \
	X(read_cr8, "mov %cr8, %rax")                                                                        \
	X(write_cr8, "mov $5, %eax; mov %rax, %cr8; mov %cr8, %rcx; xor %eax, %eax; mov %rax, %cr8")         \
	X(dr4, ".byte 0x0f, 0x21, 0xe0")                                                                     \
	X(clts_, "clts")                                                                                     \
	X(invlpg_, "invlpg (%rbx)")                                                                          \
	X(wbinvd_, "wbinvd")                                                                                 \
	X(rdpmc_, "mov $0xffff, %ecx; rdpmc")                                                                \
	X(lgdt_user, "sgdt (%rbx); lgdt (%rbx)")                                                             \
	X(sgdt_missing, "sgdt (%rsi)")                                                                       \
	X(swapgs_, "swapgs; swapgs")                                                                         \
	X(lmsw_, "smsw %ax; lmsw %ax")                                                                       \
	X(selectors, "sldt %ecx; str %edx")                                                                  \
	X(x87_divide, "fninit; push $0x37b; fldcw (%rsp); fld1; fldz; fdivrp; fwait; fninit")                \
	X(x87_device, "fninit; push $0x37b; fldcw (%rsp); fld1; fldz; fdivrp; mov (%rdi), %eax; fwait; fninit") \
	X(sse_divide, "push $0x1d80; ldmxcsr (%rsp); xorps %xmm0, %xmm0; movl $0x3f800000, (%rbx); movss (%rbx), %xmm1; divss %xmm0, %xmm1") \
	X(ldmxcsr_reserved, "push $0x10000; ldmxcsr (%rsp)")                                                 \
	X(movaps_odd, "movaps 4(%rbx), %xmm0")                                                               \
	X(movntdq_odd, "movntdq %xmm0, 4(%rbx)")                                                             \
	X(odd_read, "mov 1(%rbx), %eax")                                                                     \
	X(odd_write, "mov %eax, 1(%rbx)")                                                                    \
	X(cmpxchg16b_odd, "lock cmpxchg16b 8(%rbx)")                                                         \
	X(fxsave_odd, "fxsave 8(%rbx)")                                                                      \
	X(xsave_odd, "xsave 8(%rbx)")                                                                        \
	X(syscall_off, "syscall")                                                                            \
	X(sysenter_null, "sysenter")                                                                         \
	X(nop_missing, "nopw (%rsi); prefetcht0 (%rsi)")                                                     \
	X(clflush_missing, "clflush (%rsi)")                                                                 \
	X(monitor_user, "mov %rbx, %rax; xor %ecx, %ecx; xor %edx, %edx; monitor")                           \
	X(invd_user, "invd")                                                                                 \
	X(hypercall_other, "mov $-1, %eax; .byte 0x0f, 0x01, 0xc1")                                          \
	X(svm_vmrun, ".byte 0x0f, 0x01, 0xd8")                                                               \
	X(svm_vmload, ".byte 0x0f, 0x01, 0xda")                                                              \
	X(svm_clgi, ".byte 0x0f, 0x01, 0xdd")                                                                \
	X(svm_invlpga, ".byte 0x0f, 0x01, 0xdf")                                                             \
	X(vmx_vmxoff, ".byte 0x0f, 0x01, 0xc4")

/* In 32-bit code of a 64-bit system. */
#define NARROW(X)                                                                                            \
	X(n_div_zero, ".code32; xor %ecx, %ecx; div %ecx")                                                   \
	X(n_aam_zero, ".code32; .byte 0xd4, 0")                                                              \
	X(n_into, ".code32; mov $0x7fffffff, %eax; add $1, %eax; into")                                      \
	X(n_bound, ".code32; movl $1, (%ebx); movl $5, 4(%ebx); mov $6, %eax; bound %eax, (%ebx)")           \
	X(n_bound_in, ".code32; movl $1, (%ebx); movl $5, 4(%ebx); mov $5, %eax; bound %eax, (%ebx)")        \
	X(n_bound_missing, ".code32; bound %eax, (%esi)")                                                    \
	X(n_missing, ".code32; mov (%esi), %eax")                                                            \
	X(n_limit, ".code32; mov $0x60, %eax; mov %eax, %ds; mov 0xfff, %al; mov 0x1000, %al")               \
	X(n_limit_cross, ".code32; mov $0x60, %eax; mov %eax, %ds; mov 0xffe, %eax")                         \
	X(n_limit_device, ".code32; mov $0x60, %eax; mov %eax, %es; mov %es:0xffc, %eax; mov %es:0xffd, %eax") \
	X(n_down, ".code32; mov $0x68, %eax; mov %eax, %ds; mov 0x2000, %al; mov 0x800, %al")                \
	X(n_ss_limit, ".code32; mov $0x60, %eax; mov %eax, %ss; mov $0x2000, %esp; push %eax")               \
	X(n_null_es, ".code32; xor %eax, %eax; mov %eax, %es; mov %es:(%ebx), %eax")                         \
	X(n_execute_only, ".code32; mov %cs:(%ebx), %eax; mov %eax, %cs:(%ebx)")                             \
	X(n_read_only, ".code32; mov $0x80, %eax; mov %eax, %ds; mov (%ebx), %ecx; mov %ecx, (%ebx)")        \
	X(n_lds, ".code32; movl $0, (%ebx); movl $0x58, 4(%ebx); lds (%ebx), %eax")                          \
	X(n_salc_das, ".code32; mov $0x9b, %al; daa; das; aaa; aas; aad")                                    \
	X(n_far_jump, ".code32; ljmp $0x78, $0")                                                             \
	X(n_far_call_gate, ".code32; lcall $0x10, $0")                                                       \
	X(n_sysexit, ".code32; sysexit")                                                                     \
	X(n_device, ".code32; mov (%edi), %eax; cmpl $0, 4(%edi)")                                           \
	X(n_arpl, ".code32; mov $3, %eax; mov $8, %ecx; arpl %ax, %cx")                                      \
	X(n_pusha, ".code32; pusha; popa; push %es; pop %es")

WIDE(PROBE_CODE)
NARROW(PROBE_CODE)
static const struct probe wide[] = {WIDE(PROBE_ROW)};
static const struct probe narrow[] = {NARROW(PROBE_ROW)};

static uint64_t descriptor(uint64_t base, uint32_t limit, uint16_t attributes)
{
	return (limit & 0xffff) | (base & 0xffffff) << 16 | (uint64_t)(attributes & 0xff) << 40 |
	       (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)(attributes >> 8 & 15) << 52 | (base >> 24 & 0xff) << 56;
}

static void lay_out(bool user)
{
	uint64_t ram = (uint64_t)stage_memory(STAGE_RAM), open = PAGE_PRESENT | (user ? PAGE_USER : 0);
	uint64_t *gdt = this_cpu()->gdt, device = *window_entry(STAGE_DEVICE) & PAGE_ADDRESS, dpl = user ? 0x60 : 0;

	stage_set(user);
	window_map(READ_ONLY, ram, open);
	window_map(KERNEL, ram, PAGE_PRESENT | PAGE_WRITE);
	window_map(NO_CODE, ram, open | PAGE_WRITE | PAGE_NX);
	window_map(RESERVED, ram, open | PAGE_WRITE);
	*window_entry(RESERVED) |= 1ull << 51;
	window_flush(RESERVED);
	window_map(TWO_PAGES, ram, open | PAGE_WRITE);
	window_map(DEVICE_READ_ONLY, device, open | PAGE_UNCACHED);
	window_map(DEVICE_KERNEL, device, PAGE_PRESENT | PAGE_WRITE | PAGE_UNCACHED);
	gdt[ABSENT_DATA / 8] = descriptor(0, 0xfffff, (uint16_t)(0xc13 | dpl));
	gdt[SMALL_DATA / 8] = descriptor(DEVICE, 0xfff, (uint16_t)(0x493 | dpl));
	gdt[DOWN_DATA / 8] = descriptor(RAM, 0xfff, (uint16_t)(0x497 | dpl));
	gdt[EXECUTE_ONLY / 8] = descriptor(0, 0xfffff, (uint16_t)(0xc99 | dpl));
	gdt[ABSENT_CODE / 8] = descriptor(0, 0xfffff, (uint16_t)(0xa1b | dpl));
	gdt[READ_ONLY_DATA / 8] = descriptor(0, 0xfffff, (uint16_t)(0xc91 | dpl));
}

static void one(const char *where, const char *suffix, const struct probe *probe, uint16_t cs, uint16_t ss, uint64_t rflags)
{
	struct run r;

	lay_out(cs & 3);
	snippet_prepare(&r);
	r.cs = cs;
	r.ss = ss;
	r.rflags |= rflags;
	r.gpr[2] = 0x80;
	r.gpr[3] = RAM;
	r.gpr[5] = 0x0000800000000000;
	r.gpr[6] = MISSING;
	r.gpr[7] = DEVICE;
	r.gpr[8] = STAGE(READ_ONLY);
	r.gpr[9] = STAGE(KERNEL);
	r.gpr[10] = STAGE(NO_CODE);
	r.gpr[11] = STAGE(RESERVED);
	r.gpr[12] = STAGE(DEVICE_READ_ONLY);
	r.gpr[13] = STAGE(DEVICE_KERNEL);
	r.gpr[14] = STAGE(TWO_PAGES) + 4096 - 12;
	snippet_run(&r, probe->code);
	/* What the code may have turned over. */
	__asm__ volatile("fninit; push $0x1f80; ldmxcsr (%%rsp); pop %%rax; xor %%eax, %%eax; lldt %%ax; mov %%eax, %%fs; "
			 "mov %%eax, %%gs; mov $0x10, %%eax; mov %%eax, %%ds; mov %%eax, %%es" ::: "rax", "memory");
	fact("%s%s %s = %s, rcx %lx rsi %lx rdi %lx rsp %lx flags %lx", where, suffix, probe->name, ending(&r), r.gpr[1],
		r.gpr[6] - MISSING, r.gpr[7] - DEVICE, r.gpr[4] - STACK_TOP, r.rflags & ~FLAGS_COMPUTED);
}

static void all(const char *suffix, uint64_t rflags)
{
	for (unsigned i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
		one("kernel", suffix, &wide[i], SELECTOR_CODE64, SELECTOR_DATA, rflags);
		one("user", suffix, &wide[i], SELECTOR_USER_CODE64, SELECTOR_USER_DATA, rflags);
	}
	for (unsigned i = 0; i < sizeof(narrow) / sizeof(narrow[0]); i++) {
		one("kernel 32", suffix, &narrow[i], SELECTOR_CODE32, SELECTOR_DATA, rflags);
		one("user 32", suffix, &narrow[i], SELECTOR_USER_CODE32, SELECTOR_USER_DATA, rflags);
	}
}

SNIPPET(x87_nop, "fnop");
SNIPPET(x87_load, "fld1; fninit");
SNIPPET(x87_wait, "fwait");
SNIPPET(sse_move, "movaps %xmm0, %xmm1");
SNIPPET(mmx_move, "movq %mm0, %mm1; emms");
SNIPPET(avx_move, "vmovaps %ymm0, %ymm1");

/* Device not available, and instructions that control registers turn off. */
static void availability(void)
{
	static const struct probe probes[] = {{"fnop", &x87_nop}, {"fld1", &x87_load}, {"fwait", &x87_wait},
		{"movaps", &sse_move}, {"movq", &mmx_move}, {"vmovaps", &avx_move}};
	uint64_t cr0 = read_cr0(), cr4 = read_cr4();

	for (unsigned bits = 0; bits < 16; bits++)
		for (unsigned i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
			struct run r;

			write_cr0((cr0 & ~(CR0_TS | CR0_EM | CR0_MP)) | (bits & 1 ? CR0_TS : 0) | (bits & 2 ? CR0_EM : 0) |
				  (bits & 4 ? CR0_MP : 0));
			write_cr4(bits & 8 ? cr4 & ~(CR4_OSFXSR | CR4_OSXSAVE) : cr4);
			snippet_prepare(&r);
			snippet_run(&r, probes[i].code);
			write_cr4(cr4);
			write_cr0(cr0);
			fact("TS %u EM %u MP %u off %u %s = %s", bits & 1, bits >> 1 & 1, bits >> 2 & 1, bits >> 3, probes[i].name,
				ending(&r));
		}
}

void theme_exceptions(void)
{
	uint64_t cr0 = read_cr0();

	all("", 0);
	write_cr0(cr0 | CR0_AM);
	all(" AC", RFLAGS_AC);
	write_cr0(cr0 & ~CR0_WP);
	all(" WP 0", 0);
	write_cr0(cr0);
	stage_set(false);
	availability();
}
