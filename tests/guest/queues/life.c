/* SPDX-License-Identifier: Apache-2.0 */
/* CC in every shape and at odd moments: CSTS as it should be, no DMA afterwards, and a controller that can be used again. */
#include "tests/guest/queues/queues.h"

#define RESETS          24u
#define DEPTH           16u
#define QUIET_US        3000u
#define SHUTDOWN_NORMAL (1u << 14)
#define SHUTDOWN_ABRUPT (2u << 14)
#define SHUTDOWN_US     30000000ull
#define CSTS_SHUTDOWN   (3u << 2)
#define CSTS_COMPLETE   (2u << 2)
#define SUBSYSTEM_RESET 0x4e564d65u
#define FAILED          NVME_CSTS_CFS
#define OF(shift, value) ((uint32_t)(value) << (shift))

static const struct place plain;
static uint64_t salt = 9000;

static void pair(void)
{
	cq_make(&cqs[1], DEPTH, 0);
	sq_make(&sqs[1], DEPTH, &cqs[1], 0);
}

static void check(void)
{
	salt++;
	write_pattern(&sqs[1], scratch.first + salt % 100, 24, salt, &plain);
	check_pattern(&sqs[1], scratch.first + salt % 100, 24, salt, &plain);
}

/* After RDY is 0 no memory changes any more, and what was written before is there. */
static void reset_in_flight(uint32_t turn)
{
	const uint32_t blocks = 1 + (turn * 53) % 256;

	pair();
	check();
	for (uint32_t i = 0; i + 1 < DEPTH; i++) {
		struct nvme_command command = transfer(false, scratch.first + 1000 + i, blocks);

		place_prps(&command, &plain, blocks * BLOCK);
		command.cid = (uint16_t)i;
		if (!sq_put(&sqs[1], &command))
			guest_fail("the queue is full");
	}
	sq_ring(&sqs[1]);
	if (!controller_disable())
		guest_fail("the controller does not stop with %u commands in flight", DEPTH - 1);
	for (unsigned i = 0; i < SCATTER_PAGES; i++)
		memset(scatter[i], 0xa5, PAGE);
	wait_us(QUIET_US);
	for (unsigned i = 0; i < SCATTER_PAGES; i++)
		for (unsigned at = 0; at < PAGE; at++)
			if (scatter[i][at] != 0xa5)
				guest_fail("a page was written after the reset");
	controller_restart();
	pair();
	check_pattern(&sqs[1], scratch.first + salt % 100, 24, salt, &plain);
	controller_restart();
}

static void toggle(void)
{
	for (uint32_t turn = 0; turn < RESETS; turn++) {
		register_write(NVME_CC, CC_ENABLE);
		if (turn & 1)
			register_write(NVME_CC, CC_ENABLE);
		register_write(NVME_CC, 0);
		if (turn & 2)
			register_write(NVME_CC, 0);
		register_write(nvme_doorbell(0, false, controller.stride), 1);
		register_write(nvme_doorbell(1, true, controller.stride), 1);
	}
	controller_restart();
	pair();
	check();
	print("switched on and off = %u times\n", RESETS);
}

/* What the controller says to being enabled like this; afterwards it is as before. */
static void enable(const char *name, uint32_t cc, uint16_t specified)
{
	uint32_t csts;

	if (!controller_disable())
		guest_fail("the controller does not stop");
	csts = controller_enable(cc, 32, 32);
	report(name, csts & (NVME_CSTS_RDY | NVME_CSTS_CFS), specified);
	controller_restart();
}

static void odd_shapes(void)
{
	enable("cc css 1", CC_ENABLE | OF(4, 1), FAILED);
	enable("cc css 6", CC_ENABLE | OF(4, 6), FAILED);
	enable("cc css 7", CC_ENABLE | OF(4, 7), FAILED);
	enable("cc mps 1", CC_ENABLE | OF(7, 1), FAILED);
	enable("cc mps f", CC_ENABLE | OF(7, 15), FAILED);
	enable("cc ams 7", CC_ENABLE | OF(11, 7), NVME_CSTS_RDY);
	enable("cc reserved bits", CC_ENABLE | OF(24, 0xff) | 0xe, NVME_CSTS_RDY);
}

/* Entry sizes that are none are found when a queue is made with them, at the latest. */
static void entry_sizes(void)
{
	static const uint8_t sizes[][2] = {{0, 0}, {5, 4}, {7, 4}, {6, 3}, {6, 5}, {15, 15}};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct nvme_command cq = {.opcode = NVME_CREATE_CQ, .cdw10 = 1 | 7 << 16, .cdw11 = 1, .prp1 = (uint64_t)cqs[1].entry};
		struct nvme_command sq = {.opcode = NVME_CREATE_SQ, .cdw10 = 1 | 7 << 16, .cdw11 = 1 | 1 << 16,
			.prp1 = (uint64_t)sqs[1].entry};
		bool failed;

		if (!controller_disable())
			guest_fail("the controller does not stop");
		failed = controller_enable(NVME_CC_EN | OF(16, sizes[i][0]) | OF(20, sizes[i][1]), 32, 32) & NVME_CSTS_CFS;
		failed = failed || admin(&cq, NULL) || admin(&sq, NULL);
		print("entries of 2^%u and 2^%u = %s\n", sizes[i][0], sizes[i][1], failed ? "refused" : "taken");
		controller_restart();
	}
}

static void admin_queue(const char *name, uint32_t aqa, uint64_t asq, uint64_t acq)
{
	uint32_t csts;

	if (!controller_disable())
		guest_fail("the controller does not stop");
	register_write(NVME_AQA, aqa);
	register_write(NVME_ASQ, (uint32_t)asq);
	register_write(NVME_ASQ + 4, (uint32_t)(asq >> 32));
	register_write(NVME_ACQ, (uint32_t)acq);
	register_write(NVME_ACQ + 4, (uint32_t)(acq >> 32));
	register_write(NVME_CC, CC_ENABLE);
	WAIT_UNTIL((csts = register_read(NVME_CSTS)) & (NVME_CSTS_RDY | NVME_CSTS_CFS), 1000000);
	report(name, csts & (NVME_CSTS_RDY | NVME_CSTS_CFS), FAILED);
	controller_restart();
}

static void admin_queues(void)
{
	const uint64_t sq = (uint64_t)sqs[0].entry, cq = (uint64_t)cqs[0].entry;
	uint64_t own, bytes;

	admin_queue("admin sq of 1", 0x001f0000, sq, cq);
	admin_queue("admin cq of 1", 0x0000001f, sq, cq);
	if (!beneath())
		return;
	own_memory(&own, &bytes);
	admin_queue("admin sq in the hypervisor's memory", 0x001f001f, own, cq);
	admin_queue("admin cq in the hypervisor's memory", 0x001f001f, sq, own + bytes - PAGE);
	admin_queue("admin sq beyond RAM", 0x001f001f, 1ull << 37, cq);
	admin_queue("admin cq at the top", 0x001f001f, sq, 0xfffffffffffff000);
	admin_queue("admin queues that leave RAM", 0x0fff0fff, own - PAGE, cq);
}

/* While it is enabled nothing of this has an effect. */
static void written_while_enabled(void)
{
	pair();
	register_write(NVME_CC, CC_ENABLE | OF(4, 7) | OF(7, 15));
	check();
	register_write(NVME_AQA, 0);
	register_write(NVME_ASQ, 0xfffff000);
	register_write(NVME_ACQ, 0xfffff000);
	register_write(NVME_CSTS, UINT32_MAX & ~(1u << 4));
	register_write(NVME_CAP, 0);
	register_write(NVME_VS, 0);
	check();
	if (beneath())
		for (uint32_t offset = NVME_NSSR; offset < NVME_DOORBELLS; offset += offset < NVME_CMBSTS + 8 ? 4 : 52)
			if (offset < NVME_AQA || offset > NVME_ACQ + 4)
				register_write(offset, SUBSYSTEM_RESET);
	check();
	register_write(NVME_CC, CC_ENABLE);
	check();
	print("written while enabled = no effect\n");
	controller_restart();
}

static void shut_down(const char *name, uint32_t how)
{
	pair();
	check();
	register_write(NVME_CC, CC_ENABLE | how);
	if (!WAIT_UNTIL((register_read(NVME_CSTS) & CSTS_SHUTDOWN) == CSTS_COMPLETE, SHUTDOWN_US))
		guest_fail("%s shutdown: CSTS %x", name, register_read(NVME_CSTS));
	print("shutdown %s = complete\n", name);
	controller_restart();
	pair();
	check_pattern(&sqs[1], scratch.first + salt % 100, 24, salt, &plain);
	controller_restart();
}

void life(void)
{
	for (uint32_t turn = 0; turn < RESETS; turn++)
		reset_in_flight(turn);
	print("resets in flight = %u\n", RESETS);
	toggle();
	odd_shapes();
	entry_sizes();
	admin_queues();
	written_while_enabled();
	shut_down("normal", SHUTDOWN_NORMAL);
	shut_down("abrupt", SHUTDOWN_ABRUPT);
}
