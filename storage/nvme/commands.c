/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/nvme/commands.h"

const struct nvme_rule nvme_io_rules[] = {
	{0x00, NVME_PASS, NVME_ANY, "Flush keeps its meaning, for one namespace or all"},
	{0x01, NVME_WRITE, NVME_ANY, "Write: FUA keeps its meaning"},
	{0x02, NVME_READ, NVME_ANY, "Read"},
	{0x09, NVME_TRIM, NVME_ANY, "Dataset Management: deallocation by policy, hints are passed"},
	{0x0c, NVME_PASS, NVME_ANY, "Verify: no data crosses"},
	/* Named refusals: what a reader may look for. Everything else is refused as well. */
	{0x04, NVME_REFUSE, NVME_ANY, "Write Uncorrectable: makes ciphertext unreadable"},
	{0x05, NVME_REFUSE, NVME_ANY, "Compare: would compare plaintext with ciphertext"},
	{0x08, NVME_REFUSE, NVME_ANY, "Write Zeroes: would decrypt to noise"},
	{0x0d, NVME_REFUSE, NVME_ANY, "Reservation Register: hidden, as its kin are"},
	{0x19, NVME_REFUSE, NVME_ANY, "Copy: ciphertext is bound to its place"},
};
const unsigned nvme_io_rule_count = sizeof(nvme_io_rules) / sizeof(nvme_io_rules[0]);

const struct nvme_rule nvme_admin_rules[] = {
	{0x00, NVME_QUEUE, NVME_ANY, "Delete I/O Submission Queue"},
	{0x01, NVME_QUEUE, NVME_ANY, "Create I/O Submission Queue"},
	{0x02, NVME_DATA, 0x01, "Get Log Page: errors"},
	{0x02, NVME_DATA, 0x02, "Get Log Page: SMART"},
	{0x02, NVME_DATA, 0x03, "Get Log Page: firmware slots"},
	{0x02, NVME_DATA, 0x04, "Get Log Page: changed namespaces"},
	{0x02, NVME_DATA, 0x06, "Get Log Page: device self-tests"},
	{0x02, NVME_DATA, 0x81, "Get Log Page: sanitize status, which Linux reads"},
	{0x04, NVME_QUEUE, NVME_ANY, "Delete I/O Completion Queue"},
	{0x05, NVME_QUEUE, NVME_ANY, "Create I/O Completion Queue"},
	{0x06, NVME_IDENTIFY, 0x00, "Identify: namespace, without what is refused here"},
	{0x06, NVME_IDENTIFY, 0x01, "Identify: controller, without what is refused here"},
	{0x06, NVME_DATA, 0x02, "Identify: active namespaces"},
	{0x06, NVME_DATA, 0x03, "Identify: namespace identification descriptors"},
	{0x08, NVME_ABORT, NVME_ANY, "Abort: best effort, as specified"},
	{0x09, NVME_PASS, 0x01, "Set Features: arbitration"},
	{0x09, NVME_PASS, 0x02, "Set Features: power state"},
	{0x09, NVME_PASS, 0x04, "Set Features: temperature thresholds"},
	{0x09, NVME_PASS, 0x05, "Set Features: error recovery"},
	{0x09, NVME_PASS, 0x06, "Set Features: volatile write cache"},
	{0x09, NVME_FEATURES, 0x07, "Set Features: number of queues: no more than we have"},
	{0x09, NVME_PASS, 0x08, "Set Features: interrupt coalescing"},
	{0x09, NVME_PASS, 0x09, "Set Features: interrupt vectors"},
	{0x09, NVME_PASS, 0x0a, "Set Features: write atomicity"},
	{0x09, NVME_PASS, 0x0b, "Set Features: asynchronous events"},
	{0x09, NVME_DATA, 0x0c, "Set Features: autonomous power states"},
	{0x09, NVME_DATA, 0x0e, "Set Features: timestamp"},
	{0x09, NVME_PASS, 0x0f, "Set Features: keep alive timer"},
	{0x09, NVME_PASS, 0x10, "Set Features: thermal management"},
	{0x09, NVME_PASS, 0x11, "Set Features: non-operational power states"},
	{0x09, NVME_PASS, 0x80, "Set Features: software progress marker"},
	{0x0a, NVME_DATA, NVME_ANY, "Get Features: no more than bytes come back"},
	{0x0c, NVME_EVENT, NVME_ANY, "Asynchronous Event Request"},
	{0x14, NVME_PASS, NVME_ANY, "Device Self-test: reads only"},
	{0x18, NVME_PASS, NVME_ANY, "Keep Alive"},
	{0x7c, NVME_SHADOW, NVME_ANY, "Doorbell Buffer Config: it is we who look at the guest's doorbells"},
	/* Named refusals. */
	{0x09, NVME_REFUSE, 0x0d, "Set Features: host memory buffer: the controller would write to memory at any time"},
	{0x0d, NVME_REFUSE, NVME_ANY, "Namespace Management: destroys the volume"},
	{0x10, NVME_REFUSE, NVME_ANY, "Firmware Commit: beneath our trust"},
	{0x11, NVME_REFUSE, NVME_ANY, "Firmware Image Download: beneath our trust"},
	{0x15, NVME_REFUSE, NVME_ANY, "Namespace Attachment: takes the volume away"},
	{0x19, NVME_REFUSE, NVME_ANY, "Directive Send: streams are hidden"},
	{0x1a, NVME_REFUSE, NVME_ANY, "Directive Receive: streams are hidden"},
	{0x1c, NVME_REFUSE, NVME_ANY, "Virtualization Management: queues would move between functions"},
	{0x1d, NVME_REFUSE, NVME_ANY, "NVMe-MI Send: a second way to every command"},
	{0x1e, NVME_REFUSE, NVME_ANY, "NVMe-MI Receive: the same"},
	{0x80, NVME_REFUSE, NVME_ANY, "Format NVM: destroys the volume"},
	{0x81, NVME_REFUSE, NVME_ANY, "Security Send: could lock ranges beneath us"},
	{0x82, NVME_REFUSE, NVME_ANY, "Security Receive: the same"},
	{0x84, NVME_REFUSE, NVME_ANY, "Sanitize: destroys the volume"},
};
const unsigned nvme_admin_rule_count = sizeof(nvme_admin_rules) / sizeof(nvme_admin_rules[0]);

#define GET_LOG_PAGE 0x02

static bool has_opcode(const struct nvme_rule *rules, unsigned count, uint8_t opcode)
{
	for (unsigned i = 0; i < count; i++)
		if (rules[i].opcode == opcode && rules[i].class != NVME_REFUSE)
			return true;
	return false;
}

static enum nvme_class class_of(
	const struct nvme_rule *rules, unsigned count, const struct nvme_command *command, uint16_t *status)
{
	*status = 0;
	if (command->flags & (NVME_FLAGS_FUSE | NVME_FLAGS_PSDT)) {
		*status = NVME_INVALID_FIELD | NVME_DO_NOT_RETRY;
		return NVME_REFUSE;
	}
	for (unsigned i = 0; i < count; i++)
		if (rules[i].opcode == command->opcode && rules[i].class != NVME_REFUSE &&
			(rules[i].detail == NVME_ANY || rules[i].detail == (int16_t)(command->cdw10 & 0xff)))
			return rules[i].class;
	*status = (has_opcode(rules, count, command->opcode) ? NVME_INVALID_FIELD : NVME_INVALID_OPCODE) |
		  NVME_DO_NOT_RETRY;
	return NVME_REFUSE;
}

enum nvme_class nvme_admin_class(const struct nvme_command *command, uint16_t *status)
{
	enum nvme_class class = class_of(nvme_admin_rules, nvme_admin_rule_count, command, status);

	if (*status == (NVME_INVALID_FIELD | NVME_DO_NOT_RETRY) && command->opcode == GET_LOG_PAGE &&
		!(command->flags & (NVME_FLAGS_FUSE | NVME_FLAGS_PSDT)))
		*status = NVME_INVALID_LOG_PAGE | NVME_DO_NOT_RETRY;
	return class;
}

enum nvme_class nvme_io_class(const struct nvme_command *command, uint16_t *status)
{
	return class_of(nvme_io_rules, nvme_io_rule_count, command, status);
}
