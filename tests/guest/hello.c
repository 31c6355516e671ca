/* SPDX-License-Identifier: Apache-2.0 */
/* The library's own test: every CPU starts, exceptions are caught, the disk answers. */
#include "tests/guest/lib/ahci.h"
#include "tests/guest/lib/paging.h"
#include "tests/guest/lib/traps.h"

static void answer(void *argument)
{
	*(volatile uint32_t *)argument = this_cpu()->index;
}

static void check_exceptions(void)
{
	static const uint8_t load[] = {0x48, 0x8b, 0x07}; /* mov (%rdi), %rax */
	struct run r;
	uint64_t value, error;

	window_map(0, 0, 0);
	run_prepare(&r, NULL);
	r.gpr[7] = WINDOW + 8;
	run_bytes(&r, load, sizeof(load));
	print("page fault = %lu error %lx at %lx\n", r.vector, r.error, r.cr2);
	print("unknown msr = %lu", try_rdmsr(0x12345678, &value, &error));
	print(" error %lx\n", error);
}

static void check_disk(void)
{
	uint8_t *buffer = take_memory(AHCI_SECTOR, 4096);
	struct ahci_disk disk;

	if (!ahci_open(&disk, 0) || !ahci_transfer(&disk, 1, 1, buffer, false))
		guest_fail("the disk does not answer");
	print("disk = %s\n", memcmp(buffer, "EFI PART", 8) ? "?" : "a partition table");
}

void guest_main(void)
{
	print("cpus = %u\nbeneath = %u\n", machine.cpus, beneath());
	random_begin();
	check_exceptions();
	cpus_start();
	for (uint32_t i = 1; i < machine.cpus; i++) {
		volatile uint32_t seen = 0;

		cpu_run(cpus[i], answer, (void *)&seen);
		if (!cpu_wait(cpus[i], 1000000) || seen != i)
			guest_fail("cpu %u does no work", i);
	}
	print("started = %u\n", machine.cpus - 1);
	check_disk();
	guest_end(true);
}
