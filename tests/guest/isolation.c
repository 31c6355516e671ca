/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the hypervisor's memory a system can reach: every CPU walks all of
 * physical memory, and a protected disk is asked to move data from and to what was
 * found hidden. Beneath, as many MiB are hidden as the hypervisor says it keeps;
 * bare, none.
 */
#include "hv/core/hypercall.h"
#include "storage/ahci/registers.h"
#include "tests/guest/lib/ahci.h"
#include "tests/guest/lib/traps.h"

#define PAGE     4096ull
#define MIB      (1ull << 20)
#define MARK     0x1122334455667788ull
#define DATA_LBA 4096 /* in the data partition of the disk on port 0 */

/* Pages that read as zeroes and take no write. */
static struct walk {
	uint64_t first, last, pages;
} walks[MACHINE_MAX_CPUS];

static bool reads_as_zeroes(uint64_t page)
{
	const volatile uint64_t *word = (const volatile uint64_t *)page;

	for (unsigned i = 0; i < PAGE / 8; i++)
		if (word[i])
			return false;
	return true;
}

static bool takes_writes(uint64_t page)
{
	volatile uint64_t *word = (volatile uint64_t *)page;
	bool taken;

	word[1] = MARK;
	taken = word[1] != 0;
	word[1] = 0;
	return taken;
}

static uint64_t end_of_ram(void)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < machine.ram_ranges; i++)
		if (machine.ram[i].base + machine.ram[i].bytes > end)
			end = machine.ram[i].base + machine.ram[i].bytes;
	return end;
}

/* Below 1 MiB there is ROM that looks the same. */
static void walk(void *argument)
{
	struct walk *found = argument;
	uint64_t end = end_of_ram();

	for (uint64_t page = MIB; page < end; page += PAGE) {
		if (!reads_as_zeroes(page) || takes_writes(page))
			continue;
		if (!found->pages++)
			found->first = page;
		found->last = page;
	}
}

/* Stores of every kind that a program has, at the hidden word in RDI. */
static const struct {
	const char *name;
	uint8_t bytes[8], count;
} stores[] = {
	{"mov byte", {0x88, 0x07}, 2},
	{"mov word", {0x66, 0x89, 0x07}, 3},
	{"mov dword", {0x89, 0x07}, 2},
	{"mov qword", {0x48, 0x89, 0x07}, 3},
	{"mov imm", {0xc7, 0x07, 1, 2, 3, 4}, 6},
	{"xchg", {0x48, 0x87, 0x07}, 3},
	{"lock add", {0xf0, 0x48, 0x01, 0x07}, 4},
	{"lock cmpxchg", {0xf0, 0x48, 0x0f, 0xb1, 0x0f}, 5},
	{"lock bts", {0xf0, 0x48, 0x0f, 0xab, 0x0f}, 5},
	{"stos", {0x48, 0xab}, 2},
	{"rep stos", {0xf3, 0x48, 0xab}, 3},
	{"rep movs", {0xf3, 0x48, 0xa5}, 3},
	{"movnti", {0x48, 0x0f, 0xc3, 0x07}, 4},
	{"movups", {0x0f, 0x11, 0x07}, 3},
	{"movntdq", {0x66, 0x0f, 0xe7, 0x07}, 4},
	{"fxsave", {0x0f, 0xae, 0x07}, 3},
	{"fstp", {0xdd, 0x1f}, 2},
	{"sidt", {0x0f, 0x01, 0x0f}, 3},
	{"setc", {0x0f, 0x92, 0x07}, 3},
	{"push", {0xff, 0x37}, 2},
	{"pop", {0x8f, 0x07}, 2},
};

/* The instruction does nothing there, or raises an exception; the page reads as before. */
static void check_stores(uint64_t hidden)
{
	unsigned tried = 0;

	for (unsigned i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
		struct run r;

		run_prepare(&r, NULL);
		r.gpr[0] = r.gpr[2] = MARK;
		r.gpr[1] = 3;
		r.gpr[6] = (uint64_t)stores;
		r.gpr[7] = hidden + 64;
		run_bytes(&r, stores[i].bytes, stores[i].count);
		if (!reads_as_zeroes(hidden))
			guest_fail("a store by %s to %lx stayed", stores[i].name, hidden);
		tried++;
	}
	print("stores = %u of no effect\n", tried);
}

static struct ahci_disk disk;
static uint8_t *buffer, *before;

static void reopen(void)
{
	if (!ahci_open(&disk, 0))
		guest_fail("the disk does not come back");
}

/* After a refusal nothing has moved, and the disk goes on. */
static void expect_nothing_moved(const char *what, uint64_t hidden)
{
	reopen();
	if (!reads_as_zeroes(hidden))
		guest_fail("%s has written to %lx", what, hidden);
	if (!ahci_transfer(&disk, DATA_LBA, 8, buffer, false) || memcmp(buffer, before, 8 * AHCI_SECTOR))
		guest_fail("%s has changed the disk", what);
}

static void refuse_transfer(uint64_t address, bool write, uint64_t hidden)
{
	if (ahci_transfer(&disk, DATA_LBA, 8, (void *)address, write))
		guest_fail("a %s at %lx was carried out", write ? "write" : "read", address);
	expect_nothing_moved(write ? "a write" : "a read", hidden);
}

/* The engine may not run on lists that lie there. */
static void refuse_list(uint32_t reg, uint64_t hidden)
{
	volatile uint32_t *port = disk.port;

	port[PORT_CMD / 4] &= ~CMD_ST;
	if (!WAIT_UNTIL(!(port[PORT_CMD / 4] & CMD_CR), 1000000))
		guest_fail("the engine does not stop");
	port[PORT_CMD / 4] &= ~CMD_FRE;
	if (!WAIT_UNTIL(!(port[PORT_CMD / 4] & CMD_FR), 1000000))
		guest_fail("the FIS engine does not stop");
	port[reg / 4] = (uint32_t)hidden;
	port[reg / 4 + 1] = (uint32_t)(hidden >> 32);
	port[PORT_CMD / 4] |= CMD_FRE;
	port[PORT_CMD / 4] |= CMD_ST;
	port[PORT_CI / 4] = 1;
	wait_us(20000);
	if (port[PORT_CMD / 4] & (reg == PORT_CLB ? CMD_CR : CMD_FR))
		guest_fail("the engine runs on a list at %lx", hidden);
	expect_nothing_moved("a list", hidden);
}

static void refuse_table(uint64_t hidden)
{
	disk.list[0].ctba = hidden;
	disk.list[0].flags = FIS_H2D_WORDS | HEADER_WRITE | 1u << 16;
	disk.port[PORT_IS / 4] = UINT32_MAX;
	disk.port[PORT_CI / 4] = 1;
	if (!WAIT_UNTIL(!(disk.port[PORT_CI / 4] & 1) || disk.port[PORT_IS / 4] & IS_ERRORS, 10000000))
		guest_fail("a table at %lx is not answered", hidden);
	if (!(disk.port[PORT_TFD / 4] & 1))
		guest_fail("a table at %lx was used", hidden);
	expect_nothing_moved("a table", hidden);
}

static void check_disk(const struct walk *found)
{
	const uint64_t places[] = {found->first, found->first + (found->pages / 2) * PAGE, found->last};

	buffer = take_memory(8 * AHCI_SECTOR, PAGE);
	before = take_memory(8 * AHCI_SECTOR, PAGE);
	reopen();
	if (!ahci_transfer(&disk, DATA_LBA, 8, before, false))
		guest_fail("the disk does not answer");
	for (unsigned i = 0; i < 3; i++) {
		for (int write = 0; write < 2; write++)
			refuse_transfer(places[i], write, places[i]);
		refuse_table(places[i]);
		refuse_list(PORT_CLB, places[i]);
		refuse_list(PORT_FB, places[i]);
	}
	/* From the last sector before it into it, and from its last one out of it. */
	for (int write = 0; write < 2; write++) {
		refuse_transfer(found->first - AHCI_SECTOR, write, found->first);
		refuse_transfer(found->last + PAGE - AHCI_SECTOR, write, found->last);
	}
	print("transfers = 3 places refused\n");
}

void guest_main(void)
{
	struct hypercall_gpr info = {.rax = HYPERCALL_MAGIC, .rbx = HYPERCALL_INFO};
	uint64_t kept = hypercall(&info) ? info.rsi >> 32 : 0;

	cpus_start();
	for (uint32_t i = 0; i < machine.cpus; i++) {
		if (i)
			cpu_run(cpus[i], walk, &walks[i]);
		else
			walk(&walks[0]);
		if (i && !cpu_wait(cpus[i], 120000000))
			guest_fail("cpu %u does not come to the end", i);
		print("cpu %u hidden = %lu pages\n", i, walks[i].pages);
		if (walks[i].pages * PAGE != kept * MIB || memcmp(&walks[i], &walks[0], sizeof(walks[0])))
			guest_fail("%lu MiB are kept, hidden is %lx to %lx", kept, walks[i].first, walks[i].last);
	}
	if (kept && walks[0].last - walks[0].first != kept * MIB - PAGE)
		guest_fail("the hidden memory has holes");
	if (kept) {
		check_stores(walks[0].first);
		check_stores(walks[0].last);
		if (option_number("disk", 1))
			check_disk(&walks[0]);
	}
	print("kept = %lu MiB\n", kept);
	guest_end(true);
}
