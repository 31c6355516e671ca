/* SPDX-License-Identifier: Apache-2.0 */
/* x87, SSE and AVX registers across exits, with the hypervisor's cryptography running in between, on every CPU. */
#include "tests/guest/conform/conform.h"
#include "tests/guest/lib/ahci.h"

#define CPUID_XSAVE (1u << 26)
#define STATE_BYTES 4096
#define SECTORS     64
#define TURNS       8
#define DATA_LBA    40960 /* in the protected partition of the data disk: ciphertext bare, plaintext beneath */

struct state {
	uint8_t image[STATE_BYTES] __attribute__((aligned(64)));
};

static uint64_t components(void)
{
	struct cpuid_result r = cpuid(0xd, 0);

	return r.eax | (uint64_t)r.edx << 32;
}

static bool has_xsave(void)
{
	return cpuid(1, 0).ecx & CPUID_XSAVE;
}

static void set_xcr0(uint64_t value)
{
	__asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static void save(struct state *to)
{
	if (has_xsave())
		__asm__ volatile("xsave64 %0" : "+m"(*to) : "a"(-1), "d"(-1));
	else
		__asm__ volatile("fxsave64 %0" : "+m"(*to));
}

static void load(const struct state *from)
{
	if (has_xsave())
		__asm__ volatile("xrstor64 %0" ::"m"(*from), "a"(-1), "d"(-1));
	else
		__asm__ volatile("fxrstor64 %0" ::"m"(*from));
}

/* Every register has a value of its own: legacy area, then the upper halves of YMM at their place. */
static void fill(struct state *s, uint32_t seed)
{
	uint32_t low = cpuid(0xd, 2).ebx, bytes = cpuid(0xd, 2).eax;

	memset(s, 0, sizeof(*s));
	__asm__ volatile("fninit");
	save(s);
	*(uint16_t *)s->image = 0x027f;
	s->image[4] = 0xff; /* all eight x87 registers are in use */
	*(uint32_t *)(s->image + 24) = 0x9fc0;
	for (unsigned i = 32; i < 416; i++)
		s->image[i] = (uint8_t)(i * 13 + seed + (i >> 5));
	for (unsigned i = 0; i < 8; i++)
		memset(s->image + 32 + 16 * i + 10, 0, 6);
	if (!has_xsave())
		return;
	*(uint64_t *)(s->image + 512) = components() & 7;
	if (components() & 4)
		for (unsigned i = 0; i < bytes; i++)
			s->image[low + i] = (uint8_t)(i * 29 + seed);
}

/* What is compared: not the pointers of the last x87 instruction, which some processors keep only for errors. */
static uint64_t seen(struct state *s)
{
	memset(s->image + 6, 0, 18);
	memset(s->image + 464, 0, 48);
	return digest(s->image, STATE_BYTES);
}

static void exits(struct ahci_disk *disk, void *buffer)
{
	cpuid(0, 0);
	rdmsr(MSR_EFER);
	port_in(0xcf8, 4);
	if (disk && !ahci_transfer(disk, DATA_LBA, SECTORS, buffer, false))
		guest_fail("the disk does not read");
}

struct job {
	uint32_t seed, wrong;
	uint64_t before, after;
};

static void keep(struct job *job, struct ahci_disk *disk, void *buffer)
{
	struct state *first = take_memory(sizeof(*first), 64), *second = take_memory(sizeof(*second), 64);

	if (has_xsave())
		set_xcr0(components());
	for (uint32_t turn = 0; turn < TURNS; turn++) {
		fill(first, job->seed + turn);
		load(first);
		exits(disk, buffer);
		memset(second, 0, sizeof(*second));
		save(second);
		job->before = seen(first);
		job->after = seen(second);
		job->wrong += job->before != job->after;
	}
	__asm__ volatile("fninit");
}

static void worker(void *argument)
{
	keep(argument, NULL, NULL);
}

SNIPPET(xsetbv_code, "xsetbv");
SNIPPET(xgetbv_code, "xgetbv");

static void xcr(void)
{
	static const struct {
		uint32_t index;
		uint64_t value;
	} tries[] = {{0, 1}, {0, 3}, {0, 7}, {0, 0}, {0, 2}, {0, 5}, {0, 6}, {0, 0x8000000000000001}, {0, 0xff}, {0, 1ull << 62 | 3},
		{1, 1}, {2, 0}};

	for (unsigned i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
		for (unsigned user = 0; user < 2; user++) {
			struct run r, after;

			stage_set(true);
			set_xcr0(1);
			if (user)
				snippet_prepare_user(&r);
			else
				snippet_prepare(&r);
			r.gpr[0] = (uint32_t)tries[i].value;
			r.gpr[1] = tries[i].index;
			r.gpr[2] = tries[i].value >> 32;
			snippet_run(&r, &xsetbv_code);
			snippet_prepare(&after);
			snippet_run(&after, &xgetbv_code);
			struct cpuid_result sizes = cpuid(0xd, 0);

			fact("xsetbv %x %lx %s = %s, then %lx, %x bytes", tries[i].index, tries[i].value, user ? "user" : "kernel",
				ending(&r), after.gpr[0], sizes.ebx);
		}
	for (uint32_t index = 0; index < 3; index++) {
		struct run r;

		snippet_prepare_user(&r);
		r.gpr[1] = index;
		snippet_run(&r, &xgetbv_code);
		fact("xgetbv %u user = %s", index, ending(&r));
	}
	set_xcr0(components());
}

void theme_fpu(void)
{
	static struct job jobs[MACHINE_MAX_CPUS];
	struct ahci_disk disk;
	bool has_disk = option_number("disk", 1);
	void *buffer = take_memory(SECTORS * AHCI_SECTOR, 4096);

	if (has_disk && !ahci_open(&disk, 0))
		guest_fail("the disk does not answer");
	for (uint32_t i = 0; i < machine.cpus; i++)
		jobs[i].seed = i * 16 + 1;
	for (uint32_t i = 1; i < machine.cpus; i++)
		cpu_run(cpus[i], worker, &jobs[i]);
	keep(&jobs[0], has_disk ? &disk : NULL, buffer);
	for (uint32_t i = 1; i < machine.cpus; i++)
		if (!cpu_wait(cpus[i], 10000000))
			guest_fail("cpu %u does not end its work", i);
	for (uint32_t i = 0; i < machine.cpus; i++)
		fact("cpu %u = %u of %u lost, %lx %lx", i, jobs[i].wrong, TURNS, jobs[i].before, jobs[i].after);
	if (has_xsave())
		xcr();
}
