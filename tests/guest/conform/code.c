/* SPDX-License-Identifier: Apache-2.0 */
/* Code that changes itself, that another CPU changes, and that a device or a trapped instruction changes. */
#include "tests/guest/conform/conform.h"
#include "tests/guest/lib/ahci.h"

#define TURNS 200

/* rbx points at the immediate that is changed. */
#define CHANGES(X)                                                                                           \
	X(next_instruction, "lea 1f+1(%rip), %rbx; movl $0x12345678, (%rbx); 1: mov $0, %eax")               \
	X(after_cpuid, "lea 1f+1(%rip), %rbx; mov %rbx, %rsi; movl $0x12345678, (%rsi); cpuid; 1: mov $0, %eax") \
	X(loop, "xor %edx, %edx; mov $5, %ecx; 1: lea 2f+2(%rip), %rbx; add %ecx, (%rbx); 2: add $0, %edx; mov %edx, %eax; dec %ecx; jnz 1b") \
	X(by_stos, "lea 1f+1(%rip), %rdi; mov $0x77777777, %eax; stosl; 1: mov $0, %ebx")                    \
	X(by_ins, "lea 1f+1(%rip), %rdi; mov $0xcf8, %edx; mov $0x80001234, %eax; out %eax, %dx; insl; 1: mov $0, %ebx; and $~3, %ebx") \
	X(from_device, "lea 1f+1(%rip), %rdi; mov %r8, %rsi; movsl; 1: mov $0, %ebx")                        \
	X(becomes_trapped, "lea 1f(%rip), %rbx; movw $0xa20f, (%rbx); xor %eax, %eax; 1: nop; nop; mov %ebx, %eax") \
	X(becomes_store, "lea 1f(%rip), %rbx; movl $0x04408b41, (%rbx); 1: nop; nop; nop; nop")

CHANGES(PROBE_CODE)
static const struct probe changes[] = {CHANGES(PROBE_ROW)};

static void own_changes(void)
{
	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		for (unsigned turn = 0; turn < 2; turn++) {
			struct run r;

			snippet_prepare(&r);
			r.gpr[8] = DEVICE;
			snippet_run(&r, changes[i].code);
			fact("own %s %u = %s, rax %lx rbx %lx rdx %lx", changes[i].name, turn, ending(&r), r.gpr[0], r.gpr[3], r.gpr[2]);
		}
}

static volatile uint32_t wanted, done;

SNIPPET(returns, "mov $0, %eax; ret");

/* The other CPU: runs what stands there each time it is told to, serialised by CPUID. */
static void follower(void *argument)
{
	uint32_t (*code)(void) = (uint32_t (*)(void))CODE, wrong = 0;

	for (uint32_t i = 1; i <= TURNS; i++) {
		while (__atomic_load_n(&wanted, __ATOMIC_ACQUIRE) != i)
			cpu_pause();
		cpuid(0, 0);
		wrong += code() != i;
		__atomic_store_n(&done, i, __ATOMIC_RELEASE);
	}
	*(uint32_t *)argument = wrong;
}

static void cross_changes(void)
{
	uint32_t wrong = 0;

	memcpy(stage_memory(STAGE_CODE), returns.begin, (size_t)(returns.end - returns.begin));
	wanted = done = 0;
	cpu_run(cpus[1], follower, &wrong);
	for (uint32_t i = 1; i <= TURNS; i++) {
		memcpy(stage_memory(STAGE_CODE) + 1, &i, sizeof(i));
		__atomic_store_n(&wanted, i, __ATOMIC_RELEASE);
		while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) != i)
			cpu_pause();
	}
	if (!cpu_wait(cpus[1], 10000000))
		guest_fail("the follower does not end");
	fact("cross = %u of %u wrong", wrong, TURNS);
}

/* Code that comes from the disk, beneath by way of the hypervisor. */
static void read_from_disk(void)
{
	struct ahci_disk disk;
	uint8_t *page = stage_memory(STAGE_CODE);
	struct run r;

	if (!ahci_open(&disk, 0))
		guest_fail("the disk does not answer");
	for (unsigned turn = 0; turn < 2; turn++) {
		memset(page, 0x90, AHCI_SECTOR);
		snippet_prepare(&r);
		bytes_run(&r, (const uint8_t[]){0x90}, 1);
		if (!ahci_transfer(&disk, 0, 1, page, false))
			guest_fail("the disk does not read");
		page[AHCI_SECTOR] = 0xcc;
		snippet_prepare(&r);
		r.gpr[0] = RAM;
		r.gpr[5] = RAM;
		run(&r);
		fact("from disk %u = %s", turn, ending(&r)); /* the empty code of a protective MBR, then its table */
	}
}

void theme_code(void)
{
	own_changes();
	if (machine.cpus > 1)
		cross_changes();
	if (option_number("disk", 1))
		read_from_disk();
}
