/* SPDX-License-Identifier: Apache-2.0 */
/* EFI_TCG2_PROTOCOL (TCG EFI Protocol Specification, family 2.0, revision 00.13): what is used of it. */
#ifndef HV_BOOT_TCG2_H
#define HV_BOOT_TCG2_H

#include <efi.h>
#include <stddef.h>

#define TCG2_PROTOCOL_GUID                                                                                   \
	{                                                                                                    \
		0x607f766c, 0x7455, 0x42be,                                                                  \
		{                                                                                            \
			0x93, 0x0b, 0xe4, 0xd7, 0x6d, 0xb2, 0x72, 0x0f                                       \
		}                                                                                            \
	}

/* 6.4: EFI_TCG2_BOOT_SERVICE_CAPABILITY, aligned as C does. */
struct tcg2_capability {
	UINT8 size, structure_version[2], protocol_version[2];
	UINT32 hash_algorithms, event_logs; /* bit masks */
	BOOLEAN tpm_present;
	UINT16 max_command_bytes, max_response_bytes;
	UINT32 manufacturer, banks;
	UINT32 active_banks; /* bit mask of TCG2_BANK_* */
};

_Static_assert(offsetof(struct tcg2_capability, hash_algorithms) == 8, "the firmware's layout");
_Static_assert(offsetof(struct tcg2_capability, max_command_bytes) == 18, "the firmware's layout");
_Static_assert(sizeof(struct tcg2_capability) == 36, "the firmware's layout");

enum {
	TCG2_BANK_SHA1 = 1 << 0,
	TCG2_BANK_SHA256 = 1 << 1,
	TCG2_BANK_SHA384 = 1 << 2,
	TCG2_BANK_SHA512 = 1 << 3,
};

/* 6.6: EFI_TCG2_EVENT; its text follows. */
struct tcg2_event {
	UINT32 bytes; /* with the text */
	UINT32 header_bytes;
	UINT16 header_version;
	UINT32 pcr;
	UINT32 type;
} __attribute__((packed));

_Static_assert(sizeof(struct tcg2_event) == 18, "the firmware's layout");

struct tcg2 {
	EFI_STATUS(EFIAPI *get_capability)(struct tcg2 *this, struct tcg2_capability *capability);
	VOID *get_event_log;
	EFI_STATUS(EFIAPI *hash_log_extend_event)
	(struct tcg2 *this, UINT64 flags, EFI_PHYSICAL_ADDRESS data, UINT64 data_bytes, struct tcg2_event *event);
	EFI_STATUS(EFIAPI *submit_command)
	(struct tcg2 *this, UINT32 command_bytes, UINT8 *command, UINT32 response_bytes, UINT8 *response);
	VOID *get_active_banks, *set_active_banks, *get_result;
};

#endif
