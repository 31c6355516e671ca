/* SPDX-License-Identifier: Apache-2.0 */
/* Starting the core: the firmware's tables, the boot information, each CPU's take-over. */
#include "tests/core/machine.h"
#include "hv/core/log.h"
#include "hv/svm/svm.h"
#include "tests/core/vmx.h"
#include <string.h>

#define TABLES	 RAM		 /* the guest's page tables, and its GDT behind them */
#define ACPI	 (RAM + 0x10000) /* a page a table */
#define CODE	 (LOW_RAM + 0x1000)
#define CODE_BYTES 0x1000ull

/* hv/core/start.c, called by host_entry.S elsewhere. */
int64_t start_init(const struct boot_info *info);
uint64_t start_stack(uint32_t cpu);
void start_cpu(uint32_t cpu, uint64_t rsp, uint64_t rip) __attribute__((noreturn));

static struct boot_info info;

static void put(uint64_t address, const void *bytes, uint64_t count)
{
	memcpy((void *)address, bytes, count);
}

static void put_number(uint64_t address, uint64_t value, unsigned bytes)
{
	put(address, &value, bytes);
}

/* An identity mapping of 512 GiB in pages of 1 GiB; a flat GDT. */
static void build_tables(void)
{
	const uint64_t gdt[3] = {0, 0x00209b0000000000ull, 0x00cf93000000ffffull};

	put_number(TABLES, (TABLES + 0x1000) | 7, 8);
	for (uint64_t i = 0; i < 512; i++)
		put_number(TABLES + 0x1000 + 8 * i, i << 30 | 0x87, 8);
	put(TABLES + 0x3000, gdt, sizeof(gdt));
}

static void acpi_table(uint64_t address, const char *signature, uint32_t length)
{
	put(address, signature, 4);
	put_number(address + 4, length, 4);
}

/* MCFG, FADT, MADT and a DSDT with three sleep states, by XSDT. */
static void build_acpi(bool ecam)
{
	static const uint8_t sleep_states[] = {
		0x08, '_', 'S', '3', '_', 0x12, 0x06, 0x04, 0x0a, 5, 0, 0, 0,
		0x08, '_', 'S', '4', '_', 0x12, 0x06, 0x04, 0x0a, 7, 0, 0, 0,
		0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x00, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0,
	};
	/* A local APIC, then the I/O APIC with id 5. */
	static const uint8_t apics[] = {0, 8, 0, 0, 1, 0, 0, 0, 1, 12, 5, 0, 0x00, 0x00, 0xc0, 0xfe, 0, 0, 0, 0};

	put(ACPI, "RSD PTR ", 8);
	put_number(ACPI + 15, 2, 1);
	put_number(ACPI + 20, 36, 4);
	put_number(ACPI + 24, ACPI + 0x1000, 8);
	acpi_table(ACPI + 0x1000, "XSDT", 36 + (ecam ? 24 : 16));
	put_number(ACPI + 0x1000 + 36, ACPI + 0x2000, 8);
	put_number(ACPI + 0x1000 + 44, ACPI + 0x5000, 8);
	put_number(ACPI + 0x1000 + 52, ACPI + 0x3000, 8);
	acpi_table(ACPI + 0x2000, "FACP", 244);
	put_number(ACPI + 0x2000 + 40, ACPI + 0x4000, 4);
	put_number(ACPI + 0x2000 + 64, PM1_CONTROL, 4);
	put_number(ACPI + 0x2000 + 112, 1u << 10, 4);
	put_number(ACPI + 0x2000 + 116, 1, 1);
	put_number(ACPI + 0x2000 + 120, NAMED_RESET, 8);
	put_number(ACPI + 0x2000 + 128, NAMED_VALUE, 1);
	acpi_table(ACPI + 0x3000, "MCFG", 60);
	put_number(ACPI + 0x3000 + 44, ECAM, 8);
	acpi_table(ACPI + 0x5000, "APIC", 44 + sizeof(apics));
	put(ACPI + 0x5000 + 44, apics, sizeof(apics));
	acpi_table(ACPI + 0x4000, "DSDT", 36 + sizeof(sleep_states));
	put(ACPI + 0x4000 + 36, sleep_states, sizeof(sleep_states));
}

static void describe(const struct machine *machine)
{
	memset(&info, 0, sizeof(info));
	info.policy.icr = machine->fast_icr ? BOOT_ICR_FAST : BOOT_ICR_KEEP;
	info.policy.panic = machine->halt_after_panic ? BOOT_PANIC_HALT : BOOT_PANIC_RESET;
	if (machine->volume) {
		info.volumes = 1;
		info.volume[0] = *machine->volume;
	}
	info.memory_base = OWN_MEMORY;
	info.memory_bytes = OWN_BYTES;
	info.image_bytes = LOG_AREA_OFFSET + sizeof(struct log_area);
	log_area_rotate((struct log_area *)(OWN_MEMORY + LOG_AREA_OFFSET));
	info.acpi_rsdp = ACPI;
	info.cpus = machine->cpus;
	for (unsigned i = 0; i < machine->cpus; i++)
		info.apic_id[i] = cpus[i].apic_id;
	info.ram[info.ram_ranges++] = (struct boot_ram){LOW_RAM, LOW_RAM_BYTES};
	info.ram[info.ram_ranges++] = (struct boot_ram){RAM, RAM_BYTES};
}

static void take_over(void)
{
	uint32_t index = cpu_now()->index;

	start_cpu(index, RAM + RAM_BYTES - 0x1000 * (index + 1), CODE + CODE_BYTES * index);
}

int64_t machine_start(const struct machine *machine)
{
	platform_reset();
	cpus_reset(machine->cpus, machine->x2apic, machine->vmx, machine->physical_bits ? machine->physical_bits : 39,
		   machine->cr4);
	cpus_have_huge_pages = !machine->small_pages;
	model_vmx.broken = machine->broken_vmx;
	build_tables();
	build_acpi(!machine->without_ecam);
	describe(machine);
	int64_t result = start_init(&info);

	for (unsigned i = 0; i < machine->cpus && !result; i++) {
		cpus[i].vcpu = vcpus[i];
		cpus[i].vmcb = machine->vmx ? NULL : &((struct svm_state *)vcpus[i]->backend)->vmcb;
		cpu_start(&cpus[i], start_stack(i), take_over);
	}
	return result;
}

const char *machine_log(void)
{
	static char text[65536 + 1];
	uint64_t from = 0;

	text[log_read(&from, text, sizeof(text) - 1)] = 0;
	return text;
}
