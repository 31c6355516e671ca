/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/controller.h"
#include "hv/boot/nvme_namespace.h"
#include "storage/ata/supported.h"
#include "storage/nvme/nvme.h"
#include <efilib.h>
#include <efipciio.h>

/* PCI Code and ID Assignment, 1.2. */
#define PCI_CLASS_STORAGE 0x01u	    /* mass storage, the base class */
#define PCI_CLASS_USB	  0x0c03u   /* USB host controller, with any programming interface */
#define PCI_CLASS_IDE	  0x0101u   /* IDE, with any programming interface */
#define PCI_CLASS_AHCI	  0x010601u /* SATA, AHCI 1.0 */
#define PCI_CLASS_NVME	  0x010802u /* NVM Express, I/O controller */

/* UEFI 2.10, 10.3.4.6: no port multiplier in between. */
#define SATA_DIRECT 0x8000u

/* UEFI 2.10, 10.3.4.20. */
#define MSG_NVME 0x17
struct nvme_node {
	EFI_DEVICE_PATH header;
	UINT32 namespace_id;
	UINT64 eui64;
} __attribute__((packed));

static const char unsupported[] =
	"Its disk is attached neither by SATA or ATA on a controller in AHCI or IDE mode nor by NVM Express, "
	"which is all that is supported so far.";

static BOOLEAN is_node(const EFI_DEVICE_PATH *path, UINT8 subtype)
{
	return DevicePathType(path) == MESSAGING_DEVICE_PATH && DevicePathSubType(path) == subtype;
}

/* The SATA node of what follows the controller in the path. NULL, or why it is refused. */
static const char *ahci_disk(const EFI_DEVICE_PATH *path, struct boot_volume *volume)
{
	const SATA_DEVICE_PATH *sata = (const SATA_DEVICE_PATH *)path;

	if (!is_node(path, MSG_SATA_DP) || sata->HBAPortNumber >= 32)
		return unsupported;
	if (!(sata->PortMultiplierPortNumber & SATA_DIRECT))
		return "Its disk is behind a SATA port multiplier, which is not supported.";
	volume->controller = BOOT_CONTROLLER_AHCI;
	volume->port = (uint8_t)sata->HBAPortNumber;
	return NULL;
}

/* The ATAPI node, which ATA disks on ports have as well. */
static const char *ata_disk(EFI_PCI_IO_PROTOCOL *pci, const EFI_DEVICE_PATH *path, struct boot_volume *volume)
{
	const ATAPI_DEVICE_PATH *atapi = (const ATAPI_DEVICE_PATH *)path;
	UINT16 identity[2]; /* vendor, device */

	if (EFI_ERROR(pci->Pci.Read(pci, EfiPciIoWidthUint16, 0, 2, identity)))
		return unsupported;
	if (ata_controller_refusal(identity[0], identity[1]))
		return "Its disk is on a controller in IDE mode that systems turn to AHCI as they start. Switch it to AHCI in the "
		       "firmware setup.";
	if (!is_node(path, MSG_ATAPI_DP) || atapi->PrimarySecondary > 1 || atapi->SlaveMaster > 1)
		return unsupported;
	volume->controller = BOOT_CONTROLLER_ATA;
	volume->port = (uint8_t)(2 * atapi->PrimarySecondary + atapi->SlaveMaster);
	return NULL;
}

static const char *nvme_disk(
	EFI_HANDLE controller, const EFI_DEVICE_PATH *path, struct boot_volume *volume, const char **detail)
{
	const struct nvme_node *node = (const struct nvme_node *)path;

	if (!is_node(path, MSG_NVME))
		return unsupported;
	if (!node->namespace_id || node->namespace_id > NVME_NAMESPACES)
		return "Its disk is a namespace beyond the first 16 of its controller, which is not supported.";
	*detail = nvme_namespace_refusal(controller, node->namespace_id);
	if (**detail)
		return "Its disk is an NVMe namespace of a format that is not supported.";
	volume->controller = BOOT_CONTROLLER_NVME;
	volume->namespace_id = node->namespace_id;
	return NULL;
}

/* Base class, subclass and interface; 0 when the device does not answer. */
static UINT32 class_of(EFI_PCI_IO_PROTOCOL *pci)
{
	UINT32 class_revision;

	if (EFI_ERROR(pci->Pci.Read(pci, EfiPciIoWidthUint32, 8, 1, &class_revision)))
		return 0;
	return class_revision >> 8;
}

/* Those whose class begins with `class`, what is left of it after `shift` bits. */
static VOID connect(UINT32 class, UINTN shift)
{
	EFI_HANDLE *handles = NULL;
	EFI_PCI_IO_PROTOCOL *pci;
	UINTN count = 0;

	if (EFI_ERROR(BS->LocateHandleBuffer(ByProtocol, &gEfiPciIoProtocolGuid, NULL, &count, &handles)))
		return;
	for (UINTN i = 0; i < count; i++)
		if (!EFI_ERROR(BS->HandleProtocol(handles[i], &gEfiPciIoProtocolGuid, (VOID **)&pci)) &&
			class_of(pci) >> shift == class)
			BS->ConnectController(handles[i], NULL, NULL, TRUE);
	BS->FreePool(handles);
}

VOID controllers_connect_disks(VOID)
{
	connect(PCI_CLASS_STORAGE, 16);
}

VOID controllers_connect_usb(VOID)
{
	connect(PCI_CLASS_USB, 8);
}

const char *controller_of_disk(EFI_HANDLE disk, struct boot_volume *volume, const char **detail)
{
	EFI_DEVICE_PATH *path = DevicePathFromHandle(disk);
	EFI_PCI_IO_PROTOCOL *pci;
	EFI_HANDLE handle;
	UINTN segment, bus, device, function;

	*detail = "";
	if (!path || EFI_ERROR(BS->LocateDevicePath(&gEfiPciIoProtocolGuid, &path, &handle)) ||
		EFI_ERROR(BS->HandleProtocol(handle, &gEfiPciIoProtocolGuid, (VOID **)&pci)) ||
		EFI_ERROR(pci->GetLocation(pci, &segment, &bus, &device, &function)))
		return unsupported;
	volume->pci_segment = (uint16_t)segment;
	volume->pci_bus = (uint8_t)bus;
	volume->pci_device = (uint8_t)device;
	volume->pci_function = (uint8_t)function;
	if (class_of(pci) >> 8 == PCI_CLASS_IDE)
		return ata_disk(pci, path, volume);
	switch (class_of(pci)) {
	case PCI_CLASS_AHCI:
		return ahci_disk(path, volume);
	case PCI_CLASS_NVME:
		return nvme_disk(handle, path, volume, detail);
	}
	return unsupported;
}
