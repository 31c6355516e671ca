/* SPDX-License-Identifier: Apache-2.0 */
/* Options: `seconds`, `seed`. */
#include "tests/guest/shootdown/shootdown.h"

static volatile bool stop;

static void others(void *seed)
{
	uint64_t random = (uint64_t)seed;

	while (!stop) {
		for (unsigned i = 0; i < 16; i++) {
			rest_if_asked();
			check_once(&random);
		}
		rest_if_asked();
		nmi_once(&random);
	}
}

void guest_main(void)
{
	struct ahci_disk disk;
	uint64_t random, end;

	print("cpus = %u\n", machine.cpus);
	random_begin();
	random = random_next() | 1;
	if (!ahci_open(&disk, 0))
		guest_fail("no disk");
	moves_begin(&disk);
	nmis_begin();
	cpus_start();
	for (uint32_t i = 1; i < machine.cpus; i++)
		cpu_run(cpus[i], others, (void *)(random_next() | 1));
	end = time_us() + option_number("seconds", 10) * 1000000;
	while (time_us() < end) {
		for (unsigned i = 0; i < 8; i++)
			move_once(&disk);
		copies_once(&disk);
		nmi_once(&random);
	}
	stop = true;
	for (uint32_t i = 1; i < machine.cpus; i++)
		if (!cpu_wait(cpus[i], 10000000))
			guest_fail("cpu %u does not end", i);
	nmis_end();
	print("moves = %lu\ncopies = %lu\nchecks = %lu\ncertain = %lu\nnmis = %lu\n", moves, copies, checks, certain, nmis);
	guest_end(true);
}
