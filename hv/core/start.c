/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor's start: once for the machine, then once for each CPU. */
#include "hv/core/acpi.h"
#include "hv/core/acpi_hide.h"
#include "hv/core/backend.h"
#include "hv/core/host.h"
#include "hv/core/hypercall_exit.h"
#include "hv/core/image.h"
#include "hv/core/ioapic.h"
#include "hv/core/iommu.h"
#include "hv/core/keys.h"
#include "hv/core/lapic.h"
#include "hv/core/limits.h"
#include "hv/core/log.h"
#include "hv/core/mediator.h"
#include "hv/core/memory.h"
#include "hv/core/mmio.h"
#include "hv/core/msr.h"
#include "hv/core/panic.h"
#include "hv/core/power.h"
#include "hv/x86/libcrypto_port.h"

#define TABLES_PER_VCPU (28 + MMIO_MISSING_TABLES)

struct vcpu *vcpus[BOOT_MAX_CPUS];
uint32_t vcpu_count;
const struct cpu_backend *backend;
static struct npt_format format;

int64_t start_init(const struct boot_info *info);
uint64_t start_stack(uint32_t cpu);
void start_cpu(uint32_t cpu, uint64_t rsp, uint64_t rip) __attribute__((noreturn));

static int make_vcpus(const struct boot_info *info)
{
	static struct npt_pool pool;
	uint32_t pages = info->cpus * (TABLES_PER_VCPU + tables_for_small_pages(format.huge_pages));
	void *tables = memory_take((size_t)pages * 4096, 4096);

	if (!tables)
		return -1;
	npt_pool_init(&pool, tables, pages);
	for (uint32_t i = 0; i < info->cpus; i++) {
		vcpus[i] = host_new_vcpu(i, info->apic_id[i], backend->state_bytes);
		if (!vcpus[i] || npt_init(&vcpus[i]->npt, &pool, physical_limit(format.huge_pages), &format))
			return -1;
		vcpus[i]->missing_tables = MMIO_MISSING_TABLES;
		vcpu_count = i + 1;
	}
	return 0;
}

static int64_t start_parts(const struct boot_info *info)
{
	uint64_t limit;

	backend->npt_format(&format);
	limit = physical_limit(format.huge_pages);
	if (acpi_read(info->acpi_rsdp, &acpi_facts))
		return HV_START_ACPI;
	if (memory_end() > limit) {
		log_error("RAM ends at %lx, beyond what is mapped (%lx)", memory_end(), limit);
		return HV_START_MEMORY;
	}
	if (host_init(limit) || make_vcpus(info) || mmio_hide_own_memory())
		return HV_START_MEMORY;
	libcrypto_port_init();
	if (xts_self_test() || keys_init(info))
		return HV_START_SELF_TEST;
	msr_init();
	hypercall_init(info);
	if (lapic_init(info->policy.icr == BOOT_ICR_FAST) || ioapic_init() || pci_init() || power_init())
		return HV_START_MEMORY;

	int error = iommu_hide(info->acpi_rsdp);

	if (error)
		return error == -2 ? HV_START_IOMMU : HV_START_MEMORY;
	if (mediators_init(info))
		return HV_START_DEVICE;
	acpi_hide(info->acpi_rsdp);
	return HV_START_OK;
}

static const struct cpu_backend *choose_backend(void)
{
	static const struct cpu_backend *const all[] = {&svm_backend, &vmx_backend};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i]->present())
			return all[i];
	return NULL;
}

int64_t start_init(const struct boot_info *info)
{
	log_init((struct log_area *)(info->memory_base + LOG_AREA_OFFSET), info->policy.debug_console);
	panic_init(info->policy.panic == BOOT_PANIC_HALT);
	backend = choose_backend();
	if (!backend)
		return HV_START_CPU;
	if (backend->missing()) {
		log_error("%s", backend->missing());
		return HV_START_CPU;
	}
	memory_init(info);
	log_info("underseal %s: %s, %u CPUs, %lu MiB at %lx, %u volumes", UNDERSEAL_VERSION, backend->name,
		 info->cpus, info->memory_bytes >> 20, info->memory_base, info->volumes);

	int64_t result = start_parts(info);

	if (result)
		keys_wipe();
	return result;
}

uint64_t start_stack(uint32_t cpu)
{
	return backend->present() && !backend->missing() ? (uint64_t)vcpus[cpu] + CPU_AREA_BYTES : 0;
}

void start_cpu(uint32_t cpu, uint64_t rsp, uint64_t rip)
{
	struct vcpu *vcpu = vcpus[cpu];
	struct launch_state launch = {.rsp = rsp, .rip = rip, .rflags = RFLAGS_FIXED};

	launch.cr0 = read_cr0();
	launch.cr3 = read_cr3();
	launch.cr4 = read_cr4();
	launch.efer = rdmsr(MSR_EFER);
	read_descriptor_tables(&launch.gdt, &launch.idt);
	read_selectors(&launch.es, &launch.cs, &launch.ss, &launch.ds);
	host_enter();
	backend->start(vcpu, &launch);
	lapic_note_logical(vcpu);
	vcpu->online = true;
	vcpu_loop(vcpu);
}
