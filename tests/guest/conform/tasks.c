/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Task switches, which only 32-bit protected mode has: by JMP, CALL, a gate, an
 * interrupt's gate and IRET, to a task that exits; what they leave in TR, NT, TS, the
 * busy bit and the link; and those that are refused.
 */
#include "tests/guest/conform/conform.h"

/* The selectors of the tables here, and of the library's. */
enum { DATA = 0x10, CODE_32 = 0x18, CODE_16 = 0x20, TASK_A = 0x28, TASK_B = 0x30, GATE = 0x38, ABSENT = 0x40, SHORT = 0x48 };
#define GDT_COUNT   10
#define IDT_COUNT   66
#define GATE_VECTOR 0x41
#define TSS_BYTES   104
#define RESULTS_MAX 128
#define WAIT_US     2000000

/* Parameters at the end of the code's part of the page, see CPU_REAL_CODE. */
struct parameters {
	uint16_t go_on, segment;
	struct descriptor_table32 {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) gdt, idt;
	uint32_t results, stack;
} __attribute__((packed));
#define PARAMETERS 0x17c0 /* the assembler below knows the places */

/* Both tasks: TR, the flags, CR0 but for CD and NW, what exits answers; then what the tables hold. EDI points to the next result. */
#define PUT(what)  "mov " what ", %eax\n stosl\n"
#define LOOK                                                                                                 \
	"str %eax\n stosl\n pushf\n pop %eax\n stosl\n mov %cr0, %eax\n and $0x9fffffff, %eax\n stosl\n" \
	"push %ebx\n xor %eax, %eax\n cpuid\n mov %ebx, %eax\n stosl\n pop %ebx\n"                           \
	"movl $0x20, 0xfee00080\n" PUT("0xfee00080") "movl $0, 0xfee00080\n"                                 \
	PUT("0x2c(%ebx)") PUT("0x34(%ebx)") "clts\n"

SNIPPET(enter,
	".code16\n cli\n cld\n lgdtl %cs:0x17c0 + 4\n lidtl %cs:0x17c0 + 10\n"
	"mov %cs:0x17c0 + 4 + 2, %ebx\n mov %cs:0x17c0 + 16, %edi\n mov %cs:0x17c0 + 20, %esp\n"
	"mov %cs, %ax\n movzwl %ax, %ebp\n shl $4, %ebp\n"
	"lea (1f - enter_begin + 0x400)(%ebp), %eax\n mov %cr0, %ecx\n or $1, %cl\n mov %ecx, %cr0\n"
	"mov $0x10, %cx\n mov %cx, %ss\n pushl $0x18\n pushl %eax\n lretl\n"
	".code32\n 1: mov %ss, %eax\n mov %eax, %ds\n mov %eax, %es\n mov %eax, %fs\n mov %eax, %gs\n"
	"mov $0x28, %eax\n ltr %ax\n"
	"ljmp $0x30, $0\n call 3f\n lcall $0x30, $0\n call 3f\n lcall $0x38, $0\n call 3f\n int $0x41\n call 3f\n"
	/* Refused: the handler of these exceptions goes on at ESI. */
	"lea (1f - enter_begin + 0x400)(%ebp), %esi\n ljmp $0x28, $0\n 1: call 3f\n"
	"lea (1f - enter_begin + 0x400)(%ebp), %esi\n lcall $0x40, $0\n 1: call 3f\n"
	"lea (1f - enter_begin + 0x400)(%ebp), %esi\n ljmp $0x48, $0\n 1: call 3f\n"
	"lea (1f - enter_begin + 0x400)(%ebp), %esi\n"
	"pushf\n orl $0x4000, (%esp)\n popf\n iret\n 1: pushf\n andl $~0x4000, (%esp)\n popf\n call 3f\n"
	"pushl $0x20\n pushl $(2f - enter_begin + 0x400)\n lretl\n"
	"3:" LOOK "ret\n"
	".code16\n 2: mov %cr0, %eax\n and $0xfe, %al\n mov %eax, %cr0\n ljmp *%cs:0x17c0\n");

/* The other task: back the way it was come to. ESI points to its TSS, which begins with the link. */
SNIPPET(other, ".code32\n 1:" LOOK PUT("(%esi)")
	"pushf\n pop %eax\n test $0x4000, %eax\n jz 2f\n iret\n jmp 1b\n 2: ljmp $0x28, $0\n jmp 1b\n");

/* Puts the exception's number and error code down and goes on at ESI. */
#define FAULT(vector)                                                                                        \
	".code32\n pop %eax\n or $" #vector "0000, %eax\n stosl\n mov %esi, (%esp)\n iret\n"
SNIPPET(fault_10, FAULT(0xa));
SNIPPET(fault_11, FAULT(0xb));
SNIPPET(fault_13, FAULT(0xd));

struct tss32 {
	uint32_t link, esp0, ss0, unused[5], eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi, es, cs, ss, ds, fs, gs,
		ldt, io_map;
};
_Static_assert(sizeof(struct tss32) == TSS_BYTES, "APM volume 2, 12.2.4");

static struct place {
	uint64_t gdt[GDT_COUNT], idt[IDT_COUNT];
	struct tss32 a, b;
	uint32_t results[2][RESULTS_MAX];
	uint8_t stack[2][1024];
} *place;

static uint32_t low(const volatile void *address)
{
	return (uint32_t)(uint64_t)address;
}

/* APM volume 2, 4.7 and 4.8: `type` with the S bit, DPL and P; `flags` G, D, L. */
static uint64_t descriptor(uint32_t base, uint32_t limit, uint8_t type, uint8_t flags)
{
	return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)type << 40 |
	       (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)flags << 52 | (uint64_t)(base >> 24) << 56;
}

static uint64_t gate(uint16_t selector, const void *code, uint8_t type)
{
	return (low(code) & 0xffff) | (uint64_t)selector << 16 | (uint64_t)type << 40 |
	       (uint64_t)(low(code) >> 16) << 48;
}

static void build(void)
{
	memset(place, 0, sizeof(*place));
	place->gdt[DATA / 8] = descriptor(0, 0xfffff, 0x93, 0xc);
	place->gdt[CODE_32 / 8] = descriptor(0, 0xfffff, 0x9b, 0xc);
	place->gdt[CODE_16 / 8] = descriptor((uint32_t)machine.low_page, 0xffff, 0x9b, 0);
	place->gdt[TASK_A / 8] = descriptor(low(&place->a), TSS_BYTES - 1, 0x89, 0);
	place->gdt[TASK_B / 8] = descriptor(low(&place->b), TSS_BYTES - 1, 0x89, 0);
	place->gdt[GATE / 8] = gate(TASK_B, NULL, 0x85);
	place->gdt[ABSENT / 8] = descriptor(low(&place->b), TSS_BYTES - 1, 0x09, 0);
	place->gdt[SHORT / 8] = descriptor(low(&place->b), 0x60, 0x89, 0);
	place->idt[10] = gate(CODE_32, fault_10.begin, 0x8e);
	place->idt[11] = gate(CODE_32, fault_11.begin, 0x8e);
	place->idt[13] = gate(CODE_32, fault_13.begin, 0x8e);
	place->idt[GATE_VECTOR] = gate(TASK_B, NULL, 0x85);
	place->a.io_map = place->b.io_map = TSS_BYTES << 16;
	place->b.eip = low(other.begin);
	place->b.eflags = 2;
	place->b.ebx = low(place->gdt);
	place->b.esi = low(&place->b);
	place->b.edi = low(place->results[1]);
	place->b.esp = low(place->stack[1] + sizeof(place->stack[1]));
	place->b.cs = CODE_32;
	place->b.es = place->b.ss = place->b.ds = place->b.fs = place->b.gs = DATA;
}

/* The code, with its parameters behind it. */
static const uint8_t *with_parameters(void)
{
	static uint8_t code[PARAMETERS - CPU_REAL_CODE + sizeof(struct parameters)];
	const struct parameters parameters = {
		.go_on = CPU_GO_ON,
		.segment = (uint16_t)(machine.low_page >> 4),
		.gdt = {sizeof(place->gdt) - 1, low(place->gdt)},
		.idt = {sizeof(place->idt) - 1, low(place->idt)},
		.results = low(place->results[0]),
		.stack = low(place->stack[0] + sizeof(place->stack[0])),
	};

	memcpy(code, enter.begin, (size_t)(enter.end - enter.begin));
	memcpy(code + PARAMETERS - CPU_REAL_CODE, &parameters, sizeof(parameters));
	return code;
}

/* The words in their order: of descriptors the base's bits are left out. */
static void show(const char *task, const uint32_t *results)
{
	for (unsigned i = 0; i < RESULTS_MAX; i++)
		if (results[i])
			fact("task %s %u = %x", task, i,
				(results[i] & 0x9000) == 0x8000 ? results[i] & 0x00ffff00 : results[i]);
}

void theme_tasks(void)
{
	if (machine.cpus < 2)
		return;
	place = take_memory(sizeof(*place), 4096);
	build();
	fact("tasks = %s", cpu_start(cpus[1], with_parameters(),
				   PARAMETERS - CPU_REAL_CODE + sizeof(struct parameters)) ? "come to the end" : "get lost");
	show("a", place->results[0]);
	show("b", place->results[1]);
}
