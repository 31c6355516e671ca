/* SPDX-License-Identifier: Apache-2.0 */
/* EFI_USB_IO_PROTOCOL (UEFI 2.10, 17.2.4), one of which stands for each interface of a device: what is used of it. */
#ifndef HV_BOOT_USB_IO_H
#define HV_BOOT_USB_IO_H

#include <efi.h>

#define USB_IO_PROTOCOL_GUID                                                                                 \
	{                                                                                                    \
		0x2b2f68d6, 0x0cd2, 0x44cf,                                                                  \
		{                                                                                            \
			0x8e, 0x8b, 0xbb, 0xa2, 0x0b, 0x1b, 0x5b, 0x75                                       \
		}                                                                                            \
	}

/* USB 2.0, table 9-2. */
struct usb_request {
	UINT8 type, request;
	UINT16 value, index, length;
} __attribute__((packed));

/* Table 9-8. */
struct usb_device_descriptor {
	UINT8 length, type;
	UINT16 usb_version;
	UINT8 class, subclass, protocol, max_packet;
	UINT16 vendor, product, version;
	UINT8 manufacturer_text, product_text, serial_text, configurations;
} __attribute__((packed));

/* Table 9-12. */
struct usb_interface_descriptor {
	UINT8 length, type, number, alternate, endpoints, class, subclass, protocol, text;
} __attribute__((packed));

/* Table 9-13. */
struct usb_endpoint_descriptor {
	UINT8 length, type, address, attributes;
	UINT16 max_packet;
	UINT8 interval;
} __attribute__((packed));

_Static_assert(sizeof(struct usb_request) == 8, "the firmware's layout");
_Static_assert(sizeof(struct usb_device_descriptor) == 18, "the firmware's layout");
_Static_assert(sizeof(struct usb_interface_descriptor) == 9, "the firmware's layout");
_Static_assert(sizeof(struct usb_endpoint_descriptor) == 7, "the firmware's layout");

enum { USB_DATA_IN = 0 }; /* EFI_USB_DATA_DIRECTION */

struct usb_io {
	/* Timeouts in milliseconds. */
	EFI_STATUS(EFIAPI *control_transfer)
	(struct usb_io *this, struct usb_request *request, UINT32 direction, UINT32 timeout, VOID *data,
		UINTN bytes, UINT32 *status);
	EFI_STATUS(EFIAPI *bulk_transfer)
	(struct usb_io *this, UINT8 endpoint, VOID *data, UINTN *bytes, UINTN timeout, UINT32 *status);
	VOID *async_interrupt, *sync_interrupt, *isochronous, *async_isochronous;
	EFI_STATUS(EFIAPI *get_device_descriptor)(struct usb_io *this, struct usb_device_descriptor *descriptor);
	VOID *get_config_descriptor;
	EFI_STATUS(EFIAPI *get_interface_descriptor)
	(struct usb_io *this, struct usb_interface_descriptor *descriptor);
	EFI_STATUS(EFIAPI *get_endpoint_descriptor)
	(struct usb_io *this, UINT8 index, struct usb_endpoint_descriptor *descriptor);
	VOID *get_string, *get_languages, *port_reset;
};

#endif
