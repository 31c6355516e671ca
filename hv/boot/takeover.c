/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The take-over, in an order that can be undone until the last step: check every
 * CPU, reserve and load, quiet the controllers, initialise, then enter on every
 * CPU, the boot CPU last.
 */
#include "hv/boot/takeover.h"
#include "hv/boot/cpus.h"
#include "hv/boot/reserve.h"
#include "hv/core/hypercall.h"
#include "hv/core/image.h"
#include "hv/core/log_area.h"
#include "storage/crypt/wipe.h"
#include <efilib.h>
#include <efipciio.h>

typedef int64_t (*hv_init_function)(const struct boot_info *info) __attribute__((sysv_abi));

static const struct boot_info *current;
static uint64_t entry;

/* enter.S */
int64_t enter_guest(uint32_t cpu, uint64_t entry_address) __attribute__((sysv_abi));

static VOID EFIAPI enter_this_cpu(VOID *unused)
{
	(void)unused;
	enter_guest(cpus_this_index(current), entry);
}

static BOOLEAN is_function(EFI_PCI_IO_PROTOCOL *pci, const struct boot_volume *volume)
{
	UINTN segment, bus, device, function;

	return !EFI_ERROR(pci->GetLocation(pci, &segment, &bus, &device, &function)) &&
	       segment == volume->pci_segment && bus == volume->pci_bus && device == volume->pci_device &&
	       function == volume->pci_function;
}

/* The PCI handle of the controller a volume hangs on, or NULL. */
static EFI_HANDLE controller_of(const struct boot_volume *volume)
{
	EFI_GUID guid = EFI_PCI_IO_PROTOCOL_GUID;
	EFI_HANDLE *handles = NULL, found = NULL;
	UINTN count = 0;

	if (EFI_ERROR(BS->LocateHandleBuffer(ByProtocol, &guid, NULL, &count, &handles)))
		return NULL;
	for (UINTN i = 0; i < count && !found; i++) {
		EFI_PCI_IO_PROTOCOL *pci;

		if (!EFI_ERROR(BS->HandleProtocol(handles[i], &guid, (VOID **)&pci)) && is_function(pci, volume))
			found = handles[i];
	}
	BS->FreePool(handles);
	return found;
}

/* Drivers are taken off, and put back, per volume; a controller with two volumes is simply done twice. */
static EFI_STATUS disconnect_controllers(const struct boot_info *info)
{
	for (UINT32 i = 0; i < info->volumes; i++) {
		EFI_HANDLE controller = controller_of(&info->volume[i]);
		EFI_STATUS status = controller ? BS->DisconnectController(controller, NULL, NULL) : EFI_NOT_FOUND;

		if (EFI_ERROR(status))
			return status;
	}
	return EFI_SUCCESS;
}

static VOID connect_controllers(const struct boot_info *info)
{
	for (UINT32 i = 0; i < info->volumes; i++) {
		EFI_HANDLE controller = controller_of(&info->volume[i]);

		if (controller)
			BS->ConnectController(controller, NULL, NULL, TRUE);
	}
}

/* While a device works without its driver its DMA must be on: the mediator's rings are used at once. */
static VOID enable_bus_master(const struct boot_info *info)
{
	for (UINT32 i = 0; i < info->volumes; i++) {
		EFI_GUID guid = EFI_PCI_IO_PROTOCOL_GUID;
		EFI_HANDLE controller = controller_of(&info->volume[i]);
		EFI_PCI_IO_PROTOCOL *pci;
		UINT16 command;

		if (!controller || EFI_ERROR(BS->HandleProtocol(controller, &guid, (VOID **)&pci)))
			continue;
		pci->Pci.Read(pci, EfiPciIoWidthUint16, 4, 1, &command);
		command |= info->volume[i].controller == BOOT_CONTROLLER_ATA ? 5 : 6; /* ports or memory, bus master */
		pci->Pci.Write(pci, EfiPciIoWidthUint16, 4, 1, &command);
	}
}

static VOID EFIAPI boot_services_done(EFI_EVENT event, VOID *unused)
{
	struct hypercall_gpr gpr = {.rax = HYPERCALL_MAGIC, .rbx = HYPERCALL_BOOT_SERVICES_DONE};

	(void)event;
	(void)unused;
	hypercall_instruction(&gpr);
}

static UINT64 acpi_root(VOID)
{
	EFI_GUID acpi2 = ACPI_20_TABLE_GUID, acpi1 = ACPI_TABLE_GUID;
	VOID *table = NULL;

	if (EFI_ERROR(LibGetSystemConfigurationTable(&acpi2, &table)))
		LibGetSystemConfigurationTable(&acpi1, &table);
	return (UINT64)table;
}

BOOLEAN takeover_supported(const char **why)
{
	return cpus_supported(why);
}

/* What the image's start returned, for the caller and for the user. */
static EFI_STATUS status_of(int64_t error)
{
	static const struct {
		EFI_STATUS status;
		const CHAR16 *why;
	} outcomes[] = {
		[-HV_START_MEMORY] = {EFI_OUT_OF_RESOURCES, L"its reserved memory is too small for this machine"},
		[-HV_START_SELF_TEST] = {EFI_CRC_ERROR, L"this processor computes AES wrongly"},
		[-HV_START_CPU] = {EFI_UNSUPPORTED, L"a processor lacks what it needs"},
		[-HV_START_DEVICE] = {EFI_DEVICE_ERROR, L"a disk controller could not be taken over"},
		[-HV_START_ACPI] = {EFI_LOAD_ERROR, L"the firmware's ACPI tables make no sense"},
		[-HV_START_IOMMU] = {EFI_ACCESS_DENIED, L"the firmware remaps DMA; switch its DMA protection "
							L"(IOMMU, VT-d, AMD-Vi) off in the firmware setup"},
	};

	if (error == HV_START_OK)
		return EFI_SUCCESS;
	if (error > 0 || (UINT64)-error >= sizeof(outcomes) / sizeof(outcomes[0]))
		return EFI_LOAD_ERROR;
	Print(L"The reason: %s.\n", outcomes[-error].why);
	return outcomes[-error].status;
}

/* TPL_HIGH_LEVEL keeps the firmware's timer away from devices that have changed hands. */
static EFI_STATUS start_image(struct boot_info *info, const struct hv_image_header *header)
{
	UINT8 *base = (UINT8 *)info->memory_base;
	hv_init_function init = (hv_init_function)(base + header->init);
	EFI_TPL level = BS->RaiseTPL(TPL_HIGH_LEVEL);
	int64_t error = init(info);
	EFI_STATUS status;

	BS->RestoreTPL(level);
	status = status_of(error);
	if (EFI_ERROR(status))
		return status;
	current = info;
	entry = (uint64_t)base + header->enter;
	/* From here there is no way back: other CPUs are guests. */
	cpus_run_on_others(enter_this_cpu);
	return status_of(enter_guest(cpus_this_index(info), entry));
}

static VOID tell_last_panic(const struct boot_info *info)
{
	const struct log_area *logs = (const struct log_area *)(info->memory_base + LOG_AREA_OFFSET);

	if (log_ring_exists(&logs->previous) && logs->previous.end == LOG_END_PANIC)
		Print(L"The hypervisor has stopped itself at its last run (panic %d). "
		      L"In the running system `underseal log --previous` shows why.\n",
			(int)logs->previous.panic);
}

static EFI_STATUS start(struct boot_info *info)
{
	const struct hv_image_header *header = reserve_image_header();
	EFI_EVENT event;
	EFI_STATUS status = cpus_list(info);

	if (!EFI_ERROR(status))
		status = reserve_memory(info);
	if (EFI_ERROR(status))
		return status;
	tell_last_panic(info);
	info->acpi_rsdp = acpi_root();
	status = disconnect_controllers(info);
	if (!EFI_ERROR(status)) {
		enable_bus_master(info);
		status = start_image(info, header);
	}
	if (EFI_ERROR(status))
		reserve_release(info);
	else
		BS->CreateEvent(EVT_SIGNAL_EXIT_BOOT_SERVICES, TPL_NOTIFY, boot_services_done, NULL, &event);
	connect_controllers(info);
	return status;
}

EFI_STATUS takeover_start(struct boot_info *info)
{
	EFI_STATUS status = start(info);

	for (UINT32 i = 0; i < info->volumes; i++)
		secret_wipe(info->volume[i].key, sizeof(info->volume[i].key));
	return status;
}
