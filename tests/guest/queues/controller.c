/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/queues/queues.h"
#include "tests/guest/lib/lapic.h"
#include "tests/guest/lib/paging.h"

#define CLASS_NVME         0x010802
#define PCI_COMMAND        0x04
#define PCI_COMMAND_ON     0x06 /* memory space, bus master */
#define PCI_COMMAND_NO_PIN (1u << 10)
#define PCI_BAR0           0x10
#define BAR_PAGES          8
#define PCI_CAPABILITIES   0x34
#define CAPABILITY_MSIX    0x11
#define MSIX_ENABLE        (1u << 31)
#define TABLE_ENTRY_WORDS  4
#define READY_US           30000000ull
#define SET_FEATURES_QUEUES 0x07
#define LESS_ONE(n)        ((n) - 1)
#define TIMER_PERIODIC     (1u << 17)
#define TIMER_VECTOR       0x60
#define TIMER_COUNT        20000000u /* of the bus clock: 20 ms in QEMU */
#define TIMER_BY_ONE       0xbu

struct controller controller;
struct range scratch, witness_range, guarded;
static uint8_t device, function;
static uint16_t msix;
static volatile uint32_t *table;

static uint32_t config_read(uint16_t offset)
{
	return pci_config_read(0, device, function, offset);
}

uint32_t register_read(uint32_t offset)
{
	return *(volatile uint32_t *)(controller.registers + offset);
}

void register_write(uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)(controller.registers + offset) = value;
}

static void find_messages(void)
{
	uint8_t at = config_read(PCI_CAPABILITIES) & 0xfc;

	while (at && (config_read(at) & 0xff) != CAPABILITY_MSIX)
		at = config_read(at) >> 8 & 0xfc;
	if (!at || config_read((uint16_t)(at + 4)) & 7)
		guest_fail("no MSI-X table in BAR 0");
	msix = at;
	table = (volatile uint32_t *)(controller.registers + (config_read((uint16_t)(at + 4)) & ~7u));
}

static struct range range_of(const char *first, const char *blocks)
{
	return (struct range){option_number(first, 0), option_number(blocks, 0)};
}

/* BAR 0 may lie anywhere. */
static void map_registers(void)
{
	uint32_t low = config_read(PCI_BAR0);
	uint64_t base = (low & ~0xfull) | (low & 4 ? (uint64_t)config_read(PCI_BAR0 + 4) << 32 : 0);

	for (unsigned page = 0; page < BAR_PAGES; page++)
		window_map(page, base + page * PAGE, PAGE_PRESENT | PAGE_WRITE | PAGE_UNCACHED);
	controller.registers = (volatile uint8_t *)WINDOW;
}

void controller_find(void)
{
	int place = pci_find_class(CLASS_NVME);

	if (place < 0)
		guest_fail("no NVMe controller");
	device = (uint8_t)(place >> 3);
	function = place & 7;
	pci_config_write(0, device, function, PCI_COMMAND, config_read(PCI_COMMAND) | PCI_COMMAND_ON | PCI_COMMAND_NO_PIN);
	map_registers();
	controller.cap = register_read(NVME_CAP) | (uint64_t)register_read(NVME_CAP + 4) << 32;
	controller.stride = NVME_CAP_DSTRD(controller.cap);
	controller.most_entries = NVME_CAP_MQES(controller.cap) + 1;
	find_messages();
	scratch = range_of("scratch_first", "scratch_blocks");
	witness_range = range_of("witness_first", "witness_blocks");
	guarded = range_of("guarded_first", "guarded_blocks");
	if (!scratch.blocks || !witness_range.blocks)
		guest_fail("no options say where to write");
	print("controller = %x.%x, CAP %lx\n", device, function, controller.cap);
}

static bool message_handler(struct trap_frame *frame)
{
	(void)frame;
	lapic_write(LAPIC_EOI, 0);
	return true;
}

void controller_message_to(unsigned entry, uint32_t apic_id)
{
	volatile uint32_t *at = table + entry * TABLE_ENTRY_WORDS;

	at[0] = (uint32_t)LAPIC_PAGE | apic_id << 12;
	at[1] = 0;
	at[2] = MESSAGE_VECTOR + entry;
	at[3] = 0;
}

void controller_messages(bool on)
{
	uint32_t head = config_read(msix);

	for (unsigned entry = 0; on && entry < MESSAGES; entry++) {
		trap_handlers[MESSAGE_VECTOR + entry] = message_handler;
		controller_message_to(entry, this_cpu()->apic_id);
	}
	pci_config_write(0, device, function, msix, on ? head | MSIX_ENABLE : head & ~MSIX_ENABLE);
	controller.messages = on;
}

void tick_begin(void)
{
	trap_handlers[TIMER_VECTOR] = message_handler;
	lapic_write(LAPIC_TIMER_DIVIDE, TIMER_BY_ONE);
	lapic_write(LAPIC_LVT_TIMER, TIMER_PERIODIC | TIMER_VECTOR);
	lapic_write(LAPIC_TIMER_INITIAL, TIMER_COUNT);
}

bool controller_disable(void)
{
	register_write(NVME_CC, 0);
	for (unsigned i = 0; i <= PAIRS; i++)
		sqs[i].made = cqs[i].made = false;
	controller.doorbells = controller.events = NULL;
	return WAIT_UNTIL(!(register_read(NVME_CSTS) & NVME_CSTS_RDY), READY_US);
}

static void write_address(uint32_t offset, uint64_t address)
{
	register_write(offset, (uint32_t)address);
	register_write(offset + 4, (uint32_t)(address >> 32));
}

uint32_t controller_enable(uint32_t cc, uint32_t sq_entries, uint32_t cq_entries)
{
	sq_reset(&sqs[0], sq_entries, &cqs[0]);
	cq_reset(&cqs[0], cq_entries);
	cqs[0].interrupts = controller.messages;
	register_write(NVME_AQA, (sq_entries - 1) | (cq_entries - 1) << 16);
	write_address(NVME_ASQ, (uint64_t)sqs[0].entry);
	write_address(NVME_ACQ, (uint64_t)cqs[0].entry);
	register_write(NVME_CC, cc);
	WAIT_UNTIL(register_read(NVME_CSTS) & (NVME_CSTS_RDY | NVME_CSTS_CFS), READY_US);
	return register_read(NVME_CSTS);
}

/* As many pairs as there are: with one the others of this program make no sense. */
static void ask_for_pairs(void)
{
	struct nvme_command command = {.opcode = NVME_SET_FEATURES, .cdw10 = SET_FEATURES_QUEUES};
	uint32_t result;
	uint16_t status;

	command.cdw11 = LESS_ONE(PAIRS) | LESS_ONE(PAIRS) << 16;
	status = admin(&command, &result);
	if (status)
		guest_fail("the number of queues: status %x", status);
	controller.pairs = (result & 0xffff) + 1 < PAIRS ? (result & 0xffff) + 1 : PAIRS;
	if (controller.pairs < 2 || result >> 16 < controller.pairs - 1)
		guest_fail("there are %x queues", result);
}

void controller_restart(void)
{
	uint32_t csts;

	if (!controller_disable())
		guest_fail("the controller does not stop");
	csts = controller_enable(CC_ENABLE, 32, 32);
	if ((csts & 3) != NVME_CSTS_RDY)
		guest_fail("the controller does not start: CSTS %x", csts);
	ask_for_pairs();
}
