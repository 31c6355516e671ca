/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/ioapic.h"
#include "hv/core/acpi.h"
#include "hv/core/log.h"
#include "hv/core/mmio.h"
#include "hv/x86/physical.h"

#define PAGE           4096ull
#define REGISTERS      0xffu /* their address repeats itself in the page */
#define SELECT         0x00
#define WINDOW         0x10
#define ENTRIES        0x10u /* from this index on, two registers each, the low half first */
#define DELIVERY(v)    ((v) >> 8 & 7)
#define DELIVER_INIT   5

static struct ioapic {
	struct mmio_hook hook;
	struct port_lock lock; /* from the guest's selecting to its writing */
	uint32_t selected;
} ioapics[ACPI_MAX_IO_APICS];

/* Reads are the guest's own, the page is left to them. */
static uint64_t page_read(void *context, uint64_t offset, unsigned size)
{
	const struct ioapic *ioapic = context;

	return physical_load(ioapic->hook.gpa + offset, size);
}

static bool would_init(const struct ioapic *ioapic, uint64_t value)
{
	return ioapic->selected >= ENTRIES && !(ioapic->selected & 1) && DELIVERY(value) == DELIVER_INIT;
}

/* Registers are accessed 32 bits at a time; what else is written there is undefined, and dropped. */
static void page_write(void *context, uint64_t offset, unsigned size, uint64_t value)
{
	static uint32_t said;
	struct ioapic *ioapic = context;
	bool refused;

	if (size != 4)
		return;
	port_lock(&ioapic->lock);
	if ((offset & REGISTERS) == SELECT)
		ioapic->selected = value & 0xff;
	refused = (offset & REGISTERS) == WINDOW && would_init(ioapic, value);
	if (!refused)
		physical_store(ioapic->hook.gpa + offset, size, value);
	port_unlock(&ioapic->lock);
	if (refused && log_limited(&said))
		log_warning("ioapic: an entry that sends INIT is refused");
}

/* The firmware has selected something. */
static int take(struct ioapic *ioapic, uint64_t registers)
{
	ioapic->hook = (struct mmio_hook){.name = "ioapic", .context = ioapic, .read = page_read, .write = page_write};
	ioapic->selected = (uint32_t)physical_load(registers + SELECT, 4) & 0xff;
	return mmio_add(&ioapic->hook) || mmio_place(&ioapic->hook, registers & ~(PAGE - 1), PAGE, NPT_READ) ? -1 : 0;
}

int ioapic_init(void)
{
	int error = 0;

	for (uint32_t i = 0; i < acpi_facts.io_apics; i++)
		error |= take(&ioapics[i], acpi_facts.io_apic[i]);
	return error;
}
