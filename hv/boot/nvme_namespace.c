/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/nvme_namespace.h"
#include "storage/nvme/commands.h"
#include <efilib.h>

#define SECOND		10000000ull /* in 100 ns */
#define CDW10_VALID	0x04
#define ADMIN_QUEUE	0
#define IDENTIFY_BYTES	4096
#define CNS_NAMESPACE	0

/* EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL, UEFI 2.10, 13.14.1. */
struct pass_thru_command {
	UINT32 opcode; /* and flags that stay clear */
	UINT8 valid;
	UINT32 namespace_id;
	UINT32 cdw2, cdw3, cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};

struct pass_thru_packet {
	UINT64 timeout;
	VOID *buffer;
	UINT32 bytes;
	VOID *metadata;
	UINT32 metadata_bytes;
	UINT8 queue;
	struct pass_thru_command *command;
	UINT32 *completion; /* four words */
};

struct pass_thru {
	VOID *mode;
	EFI_STATUS(EFIAPI *pass_thru)(struct pass_thru *, UINT32 namespace_id, struct pass_thru_packet *, EFI_EVENT);
	VOID *next_namespace, *build_path, *namespace_of_path;
};
_Static_assert(sizeof(struct pass_thru_command) == 44, "the firmware's layout");
_Static_assert(sizeof(struct pass_thru_packet) == 56, "the firmware's layout");

static EFI_GUID pass_thru_guid = {
	0x52c78312, 0x8edc, 0x4233, {0x98, 0xf2, 0x1a, 0x1a, 0xa5, 0xe3, 0x88, 0xa5}
};

static BOOLEAN identify(struct pass_thru *controller, UINT32 namespace_id, UINT8 data[IDENTIFY_BYTES])
{
	UINT32 completion[4] = {0};
	struct pass_thru_command command = {.opcode = NVME_IDENTIFY_OPCODE,
		.valid = CDW10_VALID,
		.namespace_id = namespace_id,
		.cdw10 = CNS_NAMESPACE};
	struct pass_thru_packet packet = {.timeout = 5 * SECOND,
		.buffer = data,
		.bytes = IDENTIFY_BYTES,
		.queue = ADMIN_QUEUE,
		.command = &command,
		.completion = completion};

	return !EFI_ERROR(controller->pass_thru(controller, namespace_id, &packet, NULL)) &&
	       !(completion[3] >> 17);
}

const char *nvme_namespace_refusal(EFI_HANDLE controller, UINT32 namespace_id)
{
	/* Whatever alignment the driver asks for. */
	static UINT8 data[IDENTIFY_BYTES] __attribute__((aligned(IDENTIFY_BYTES)));
	struct pass_thru *pass_thru;
	const char *why = NULL;

	if (EFI_ERROR(BS->HandleProtocol(controller, &pass_thru_guid, (VOID **)&pass_thru)) ||
		!identify(pass_thru, namespace_id, data))
		return "";
	nvme_namespace_lba_bytes(data, &why);
	return why ? why : "";
}
