/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/reader.h"
#include "hv/boot/controller.h"
#include <efilib.h>
#include <string.h>

#define CLASS_SMARTCARD 0x0b /* bInterfaceClass (CCID 1.1, 4.3) */

enum { ENDPOINT_KIND = 3, ENDPOINT_BULK = 2, ENDPOINT_IN = 0x80 };

/* A request to the device for its first configuration descriptor (USB 2.0, 9.4.3). */
enum { FROM_DEVICE = 0x80, GET_DESCRIPTOR = 6, CONFIGURATION = 0x0200, HEAD_BYTES = 9, MAX_CONFIGURATION = 1024 };

/* Milliseconds. While a card works the reader says so, at least every few seconds. */
#define TRANSFER_TIMEOUT 5000
#define CONTROL_TIMEOUT	 1000

static EFI_GUID usb_io_guid = USB_IO_PROTOCOL_GUID;

static BOOLEAN is_there(const struct reader *reader)
{
	struct usb_io *usb;

	return !EFI_ERROR(BS->HandleProtocol(reader->handle, &usb_io_guid, (VOID **)&usb)) && usb == reader->usb;
}

/*
 * When a device is unplugged, the firmware frees what stood for it, by a timer's
 * notification: at this priority none comes between the look and the transfer.
 */
static EFI_STATUS transfer(struct reader *reader, UINT8 endpoint, VOID *data, UINTN *bytes)
{
	EFI_TPL before = BS->RaiseTPL(TPL_CALLBACK);
	EFI_STATUS status = EFI_NOT_FOUND;
	UINT32 usb_status;

	if (is_there(reader))
		status = reader->usb->bulk_transfer(
			reader->usb, endpoint, data, bytes, TRANSFER_TIMEOUT, &usb_status);
	BS->RestoreTPL(before);
	return status;
}

static int send(void *context, const uint8_t *message, size_t bytes)
{
	struct reader *reader = context;
	UINTN sent = bytes;

	return EFI_ERROR(transfer(reader, reader->bulk_out, (VOID *)message, &sent)) || sent != bytes ? -1 : 0;
}

static int receive(void *context, uint8_t *message, size_t *bytes)
{
	struct reader *reader = context;
	UINTN received = *bytes;
	EFI_STATUS status = transfer(reader, reader->bulk_in, message, &received);

	*bytes = received;
	return EFI_ERROR(status) ? -1 : 0;
}

/* First the head, then exactly what it announces: some firmware fails a request for more than there is. */
static const char *describe(struct reader *reader, UINT8 interface)
{
	static UINT8 configuration[MAX_CONFIGURATION];
	struct usb_request request = {FROM_DEVICE, GET_DESCRIPTOR, CONFIGURATION, 0, HEAD_BYTES};
	struct usb_io *usb = reader->usb;
	UINT32 usb_status;

	if (EFI_ERROR(usb->control_transfer(
		    usb, &request, USB_DATA_IN, CONTROL_TIMEOUT, configuration, request.length, &usb_status)))
		return "it does not describe itself";
	request.length = (UINT16)(configuration[2] | configuration[3] << 8);
	if (request.length < HEAD_BYTES || request.length > sizeof(configuration))
		return "its configuration descriptor is too long";
	if (EFI_ERROR(usb->control_transfer(
		    usb, &request, USB_DATA_IN, CONTROL_TIMEOUT, configuration, request.length, &usb_status)))
		return "it does not describe itself";
	return ccid_describe(configuration, request.length, interface, &reader->ccid.is);
}

static const char *open_endpoints(struct reader *reader, UINT8 endpoints)
{
	struct usb_endpoint_descriptor endpoint;

	for (UINT8 i = 0; i < endpoints; i++) {
		if (EFI_ERROR(reader->usb->get_endpoint_descriptor(reader->usb, i, &endpoint)) ||
			(endpoint.attributes & ENDPOINT_KIND) != ENDPOINT_BULK)
			continue;
		if (endpoint.address & ENDPOINT_IN)
			reader->bulk_in = endpoint.address;
		else
			reader->bulk_out = endpoint.address;
	}
	return reader->bulk_in && reader->bulk_out ? NULL : "it has no bulk endpoints";
}

static BOOLEAN open_reader(EFI_HANDLE handle, struct reader *reader)
{
	struct usb_interface_descriptor interface;
	struct usb_device_descriptor device;
	struct usb_io *usb;

	if (EFI_ERROR(BS->HandleProtocol(handle, &usb_io_guid, (VOID **)&usb)) ||
		EFI_ERROR(usb->get_interface_descriptor(usb, &interface)) || interface.class != CLASS_SMARTCARD ||
		EFI_ERROR(usb->get_device_descriptor(usb, &device)))
		return FALSE;
	memset(reader, 0, sizeof(*reader));
	reader->handle = handle;
	reader->usb = usb;
	reader->vendor = device.vendor;
	reader->product = device.product;
	reader->ccid.send = send;
	reader->ccid.receive = receive;
	reader->ccid.context = reader;
	reader->unusable = open_endpoints(reader, interface.endpoints);
	if (!reader->unusable)
		reader->unusable = describe(reader, interface.number);
	return TRUE;
}

static UINTN find(struct reader *readers, UINTN capacity)
{
	EFI_HANDLE *handles = NULL;
	UINTN count = 0, found = 0;

	if (EFI_ERROR(BS->LocateHandleBuffer(ByProtocol, &usb_io_guid, NULL, &count, &handles)))
		return 0;
	for (UINTN i = 0; i < count && found < capacity; i++)
		found += open_reader(handles[i], &readers[found]);
	BS->FreePool(handles);
	return found;
}

UINTN readers_find(struct reader *readers, UINTN capacity)
{
	EFI_TPL before;
	UINTN found;

	controllers_connect_usb();
	before = BS->RaiseTPL(TPL_CALLBACK); /* as for a transfer: they stay where they are */
	found = find(readers, capacity);
	BS->RestoreTPL(before);
	return found;
}
