/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/lapic.h"
#include "hv/core/lapic_registers.h"
#include "hv/core/backend.h"
#include "hv/core/log.h"
#include "hv/core/mmio.h"
#include "hv/core/nmi.h"
#include "hv/core/startup.h"
#include "hv/x86/attempt.h"

#define ICR_NMI         0x400u
#define ICR_BUSY        (1u << 12)
#define ICR_LOGICAL     (1u << 11)
#define ICR_ASSERT      (1u << 14)
#define ICR_X2_RESERVED 0xfff33000u /* of the low half, in x2APIC mode */
#define LAPIC_BYTES     0x1000ull
#define MESSAGE_BYTES   0x100000ull /* from the register page on */
#define BASE_BOOT_CPU   (1ull << 8)
#define BASE_MODE       (APIC_BASE_ENABLE | APIC_BASE_X2APIC)
#define CPUID_X2APIC    (1u << 21)
#define DFR_FLAT        0xfu /* of bits 31:28 */

#define MESSAGE_DESTINATION(address) ((uint32_t)(address) >> 12 & 0xff)
#define MESSAGE_LOGICAL              4u

enum { DELIVER_FIXED = 0, DELIVER_LOWEST = 1, DELIVER_NMI = 4, DELIVER_INIT = 5, DELIVER_SIPI = 6 };
enum { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };

static bool lift_allowed;
static bool firmware_gone;
static uint64_t firmware_cr3; /* the page tables under which the firmware runs to its end */
static uint32_t started;      /* CPUs that got their SIPI from the system, and the boot CPU */
static bool lifted;

/* The guest's ICR is as before afterwards. */
static void send_command(uint32_t destination, uint32_t low)
{
	if (lapic_x2apic()) {
		wrmsr(MSR_X2APIC_ICR, (uint64_t)destination << 32 | low);
		return;
	}
	uint32_t guest_high = lapic_page_read(LAPIC_ICR_HIGH);

	while (lapic_page_read(LAPIC_ICR_LOW) & ICR_BUSY)
		cpu_pause();
	lapic_page_write(LAPIC_ICR_HIGH, destination << 24);
	lapic_page_write(LAPIC_ICR_LOW, low);
	while (lapic_page_read(LAPIC_ICR_LOW) & ICR_BUSY)
		cpu_pause();
	lapic_page_write(LAPIC_ICR_HIGH, guest_high);
}

void lapic_send_nmi(uint32_t apic_id)
{
	send_command(apic_id, ICR_ASSERT | ICR_NMI);
}

void lapic_note_logical(struct vcpu *vcpu)
{
	if (lapic_x2apic())
		return;
	__atomic_store_n(&vcpu->logical_id, lapic_page_read(LAPIC_LDR), __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcpu->logical_format, lapic_page_read(LAPIC_DFR), __ATOMIC_SEQ_CST);
}

/* APM 16.6.1 and, for x2APIC, 16.13: a set of CPUs in each cluster; the flat model has one cluster of eight. */
static bool logically_addressed(const struct vcpu *vcpu, uint32_t destination)
{
	if (lapic_x2apic())
		return vcpu->apic_id >> 4 == destination >> 16 && destination >> (vcpu->apic_id & 15) & 1;

	uint32_t id = __atomic_load_n(&vcpu->logical_id, __ATOMIC_SEQ_CST) >> 24;

	if (__atomic_load_n(&vcpu->logical_format, __ATOMIC_SEQ_CST) >> 28 == DFR_FLAT)
		return id & destination;
	return id >> 4 == destination >> 4 && id & destination & 15;
}

static bool addressed(const struct vcpu *vcpu, uint32_t low, uint32_t destination, bool broadcast)
{
	unsigned shorthand = low >> 18 & 3;

	switch (shorthand) {
	case TO_SELF:
		return vcpu == this_vcpu();
	case TO_ALL:
		return true;
	case TO_OTHERS:
		return vcpu != this_vcpu();
	}
	if (low & ICR_LOGICAL && !broadcast)
		return logically_addressed(vcpu, destination);
	return broadcast || vcpu->apic_id == destination;
}

void lapic_send_message(uint64_t address, uint32_t data)
{
	unsigned mode = data >> 8 & 7;

	if (mode == DELIVER_FIXED || mode == DELIVER_LOWEST)
		send_command(MESSAGE_DESTINATION(address),
			ICR_ASSERT | (data & 0xff) | (address & MESSAGE_LOGICAL ? ICR_LOGICAL : 0));
}

/* Who gets one for several is the processor's to say; a logical destination of 8 bits means nothing to x2APICs. */
uint64_t lapic_message_cpus(uint64_t address)
{
	uint32_t destination = MESSAGE_DESTINATION(address), low = address & MESSAGE_LOGICAL ? ICR_LOGICAL : 0;
	uint64_t cpus = 0;

	if (low && lapic_x2apic())
		destination = 0xff;
	for (uint32_t i = 0; i < vcpu_count; i++)
		if (addressed(vcpus[i], low, destination, destination == 0xff))
			cpus |= 1ull << i;
	return cpus ? cpus : vcpu_count < 64 ? (1ull << vcpu_count) - 1 : UINT64_MAX;
}

/* Where the trap is lifted, nobody has seen the guest write its logical destination. */
void lapic_interrupted(struct vcpu *vcpu)
{
	if (__atomic_load_n(&lifted, __ATOMIC_RELAXED) && !vcpu->logical_id)
		lapic_note_logical(vcpu);
}

static uint64_t sender_cr3(void)
{
	struct walk_cpu paging;

	backend->paging(this_vcpu(), &paging);
	return paging.cr3;
}

/*
 * After its last event the firmware still moves the CPUs to a loop in memory the
 * system leaves alone, by INIT and SIPI: those are no start by the system. They
 * come under the firmware's own page tables, the system's under its own.
 */
static void send_sipi(struct vcpu *vcpu, uint8_t vector)
{
	bool by_system = __atomic_load_n(&firmware_gone, __ATOMIC_SEQ_CST) && sender_cr3() != firmware_cr3;

	__atomic_store_n(&vcpu->system_started, by_system, __ATOMIC_SEQ_CST);
	startup_sipi(vcpu, vector);
}

static void send(struct vcpu *vcpu, uint32_t low)
{
	unsigned mode = low >> 8 & 7;

	if (mode == DELIVER_NMI)
		nmi_send(vcpu);
	else if (mode == DELIVER_SIPI)
		send_sipi(vcpu, (uint8_t)low);
	else if (low & ICR_ASSERT)
		startup_init(vcpu);
}

/* Whether the command is done, by vcpus and not by the APIC. INIT and SIPI in logical mode are used by nobody. */
static bool virtualise(uint32_t low, uint32_t destination, bool broadcast)
{
	unsigned mode = low >> 8 & 7, shorthand = low >> 18 & 3;
	static uint32_t said;

	if (mode != DELIVER_NMI && mode != DELIVER_INIT && mode != DELIVER_SIPI)
		return false;
	if (mode != DELIVER_NMI && shorthand == TO_DESTINATION && low & ICR_LOGICAL) {
		if (log_limited(&said))
			log_warning("lapic: INIT or SIPI in logical mode (%x) dropped", low);
		return true;
	}
	for (uint32_t i = 0; i < vcpu_count; i++)
		if (addressed(vcpus[i], low, destination, broadcast))
			send(vcpus[i], low);
	return true;
}

static uint64_t page_read(void *context, uint64_t offset, unsigned size)
{
	(void)context;
	(void)size;
	return offset % 16 ? 0 : lapic_page_read(offset);
}

/*
 * Registers are 32 bits wide on 16-byte boundaries; other accesses are undefined
 * (APM 16.3.2) and dropped. So are those below the first register that is written:
 * our signals go to the id that the CPU started with, and at 0 some machines take a
 * write for a message.
 */
static void page_write(void *context, uint64_t offset, unsigned size, uint64_t value)
{
	(void)context;
	if (offset % 16 || size < 4 || offset < LAPIC_TPR)
		return;
	if (offset == LAPIC_ICR_LOW) {
		uint32_t destination = lapic_page_read(LAPIC_ICR_HIGH) >> 24;

		if (virtualise((uint32_t)value, destination, destination == 0xff))
			return;
	}
	lapic_page_write(offset, (uint32_t)value);
	if (offset == LAPIC_LDR || offset == LAPIC_DFR)
		lapic_note_logical(this_vcpu());
}

/*
 * Behind the registers lie the addresses of interrupt messages (APM 16.11). They
 * are the devices' to write; a CPU that could would send INIT without the command
 * register.
 */
static void message_write(void *context, uint64_t offset, unsigned size, uint64_t value)
{
	(void)context;
	(void)offset;
	(void)size;
	(void)value;
}

static uint64_t message_read(void *context, uint64_t offset, unsigned size)
{
	(void)context;
	(void)offset;
	(void)size;
	return UINT64_MAX;
}

bool lapic_write_x2apic_icr(uint64_t value)
{
	uint32_t destination = (uint32_t)(value >> 32);

	if (!lapic_x2apic() || value & ICR_X2_RESERVED)
		return false;
	if (!virtualise((uint32_t)value, destination, destination == 0xffffffff))
		wrmsr(MSR_X2APIC_ICR, value);
	return true;
}

/* APM 16.9.1: off, xAPIC, x2APIC, in this order; from each the way leads to the next, or to off. */
static bool is_transition(uint64_t from, uint64_t to)
{
	if (!(to & APIC_BASE_X2APIC))
		return !(from & APIC_BASE_X2APIC) || !to;
	return to == BASE_MODE && from && cpuid(1, 0).ecx & CPUID_X2APIC;
}

/*
 * The page stays where it is: every hook and every system leaves it there. Some processors
 * refuse to leave x2APIC mode as well (IA32_XAPIC_DISABLE_STATUS).
 */
bool lapic_write_base(uint64_t value)
{
	uint64_t now = rdmsr(MSR_APIC_BASE);

	if ((value ^ now) & ~(BASE_MODE | BASE_BOOT_CPU) || !is_transition(now & BASE_MODE, value & BASE_MODE))
		return false;
	return attempt_wrmsr(MSR_APIC_BASE, value);
}

static struct mmio_hook page_hook = {.name = "lapic", .read = page_read, .write = page_write};
static struct mmio_hook message_hook = {.name = "messages", .read = message_read, .write = message_write};

/*
 * Only a guest that needs no INIT any more may have its APIC untrapped, and only
 * where the policy says so: a CPU that gets a real INIT leaves us on processors
 * (and emulators) without a working INIT exit.
 */
static void lift_if_done(void)
{
	if (!lift_allowed || !firmware_gone || __atomic_load_n(&started, __ATOMIC_SEQ_CST) < vcpu_count)
		return;
	if (__atomic_exchange_n(&lifted, true, __ATOMIC_SEQ_CST))
		return;
	/* From here on what was noted may be out of date: lapic_interrupted. */
	for (uint32_t i = 0; i < vcpu_count; i++)
		__atomic_store_n(&vcpus[i]->logical_id, 0, __ATOMIC_SEQ_CST);
	mmio_remove(&page_hook);
	log_info("lapic: every CPU has started; the trap on its registers is lifted");
}

bool lapic_is_lifted(void)
{
	return __atomic_load_n(&lifted, __ATOMIC_SEQ_CST);
}

void lapic_boot_services_done(void)
{
	if (__atomic_load_n(&firmware_gone, __ATOMIC_SEQ_CST))
		return;
	firmware_cr3 = sender_cr3();
	__atomic_store_n(&firmware_gone, true, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
	lift_if_done();
}

void lapic_started(struct vcpu *vcpu)
{
	if (!__atomic_load_n(&vcpu->system_started, __ATOMIC_SEQ_CST) || vcpu->counted || lifted)
		return;
	vcpu->counted = true;
	__atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
	lift_if_done();
}

int lapic_init(bool lift_when_done)
{
	lift_allowed = lift_when_done;
	backend->trap_msr(MSR_X2APIC_ICR, false, true);
	backend->trap_msr(MSR_APIC_BASE, false, true);
	if (mmio_add(&page_hook) || mmio_add(&message_hook))
		return -1;
	return mmio_place(&page_hook, LAPIC_PAGE, LAPIC_BYTES, NPT_READ) |
	       mmio_place(&message_hook, LAPIC_PAGE + LAPIC_BYTES, MESSAGE_BYTES - LAPIC_BYTES, NPT_READ);
}
