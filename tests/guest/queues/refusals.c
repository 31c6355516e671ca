/* SPDX-License-Identifier: Apache-2.0 */
/* Admin commands that are to be refused, and memory of others, with the status that NVM Express 1.4 names for each. */
#include "tests/guest/queues/queues.h"

#define MOST_BLOCKS        1024u
#define NO_SUCH_QUEUE      65u /* no controller of the tests has as many */
#define NO_SUCH_VECTOR     4095u
#define LIST_ENTRIES       (PAGE / 8)
#define FUSED_FIRST        0x01
#define SCATTER_GATHER     0x40
#define SEQUENCE_ERROR     0x00c
#define INVALID_VECTOR     0x108
#define TOO_MANY_EVENTS    0x105
#define EVENT_REQUEST      0x0c
#define ABORT              0x08
#define DATASET_MANAGEMENT 0x09
#define DEALLOCATE         4u
#define DOORBELL_CONFIG    0x7c
#define FEATURE_QUEUES     0x07
#define FEATURE_TIMESTAMP  0x0e
#define EVENTS             16u
#define AERL               259 /* Identify Controller: event requests at a time, less 1 */

static uint8_t *page; /* for data that does not matter */

static struct nvme_command create(uint8_t opcode, uint32_t id, uint32_t last, uint32_t cdw11, uint64_t prp1)
{
	return (struct nvme_command){.opcode = opcode, .cdw10 = id | last << 16, .cdw11 = NVME_QUEUE_CONTIGUOUS | cdw11, .prp1 = prp1};
}

/* What should have been refused is deleted again. */
static void ask_create(const char *name, struct nvme_command command, uint16_t specified)
{
	struct nvme_command undo = {.opcode = command.opcode == NVME_CREATE_SQ ? NVME_DELETE_SQ : NVME_DELETE_CQ,
		.cdw10 = command.cdw10 & 0xffff};
	uint16_t status = admin(&command, NULL);

	report(name, status, specified);
	if (!status)
		admin(&undo, NULL);
}

/* Pair 1 is there, nothing of pair 2. */
static void creations(void)
{
	const uint64_t memory = (uint64_t)cqs[2].entry;
	const uint32_t on_one = 1u << 16, most = controller.most_entries;
	struct nvme_command apart;

	ask_create("create cq 0", create(NVME_CREATE_CQ, 0, 7, 0, memory), S(NVME_INVALID_QUEUE_ID));
	ask_create("create cq too far", create(NVME_CREATE_CQ, NO_SUCH_QUEUE, 7, 0, memory), S(NVME_INVALID_QUEUE_ID));
	ask_create("create cq ffff", create(NVME_CREATE_CQ, 0xffff, 7, 0, memory), S(NVME_INVALID_QUEUE_ID));
	report("create cq twice", admin(&(struct nvme_command){.opcode = NVME_CREATE_CQ, .cdw10 = 1 | 7 << 16,
		.cdw11 = NVME_QUEUE_CONTIGUOUS, .prp1 = memory}, NULL), S(NVME_INVALID_QUEUE_ID));
	ask_create("create cq of 1", create(NVME_CREATE_CQ, 2, 0, 0, memory), S(NVME_INVALID_QUEUE_SIZE));
	ask_create("create cq too large", create(NVME_CREATE_CQ, 2, most, 0, memory), S(NVME_INVALID_QUEUE_SIZE));
	ask_create("create cq of 65536", create(NVME_CREATE_CQ, 2, 0xffff, 0, memory), S(NVME_INVALID_QUEUE_SIZE));
	ask_create("create cq offset", create(NVME_CREATE_CQ, 2, 7, 0, memory + 64), S(NVME_INVALID_PRP_OFFSET));
	ask_create("create cq vector", create(NVME_CREATE_CQ, 2, 7, INTERRUPTS(NO_SUCH_VECTOR), memory), INVALID_VECTOR);
	ask_create("create cq vector ffff", create(NVME_CREATE_CQ, 2, 7, INTERRUPTS(0xffff), memory), INVALID_VECTOR);
	ask_create("create sq 0", create(NVME_CREATE_SQ, 0, 7, on_one, memory), S(NVME_INVALID_QUEUE_ID));
	ask_create("create sq too far", create(NVME_CREATE_SQ, NO_SUCH_QUEUE, 7, on_one, memory), S(NVME_INVALID_QUEUE_ID));
	report("create sq twice", admin(&(struct nvme_command){.opcode = NVME_CREATE_SQ, .cdw10 = 1 | 7 << 16,
		.cdw11 = NVME_QUEUE_CONTIGUOUS | on_one, .prp1 = memory}, NULL), S(NVME_INVALID_QUEUE_ID));
	ask_create("create sq of 1", create(NVME_CREATE_SQ, 2, 0, on_one, memory), S(NVME_INVALID_QUEUE_SIZE));
	ask_create("create sq too large", create(NVME_CREATE_SQ, 2, most, on_one, memory), S(NVME_INVALID_QUEUE_SIZE));
	ask_create("create sq offset", create(NVME_CREATE_SQ, 2, 7, on_one, memory + 2048), S(NVME_INVALID_PRP_OFFSET));
	ask_create("create sq on cq 0", create(NVME_CREATE_SQ, 2, 7, 0, memory), S(NVME_COMPLETION_QUEUE_INVALID));
	ask_create("create sq on cq 2, which is not there", create(NVME_CREATE_SQ, 2, 7, 2u << 16, memory),
		S(NVME_COMPLETION_QUEUE_INVALID));
	ask_create("create sq on cq ffff", create(NVME_CREATE_SQ, 2, 7, 0xffffu << 16, memory), S(NVME_COMPLETION_QUEUE_INVALID));
	if (!(controller.cap & NVME_CAP_CQR))
		return;
	apart = create(NVME_CREATE_CQ, 2, 7, 0, memory);
	apart.cdw11 = 0;
	ask_create("create cq of pages apart", apart, S(NVME_INVALID_FIELD));
	apart.opcode = NVME_CREATE_SQ;
	apart.cdw11 = on_one;
	ask_create("create sq of pages apart", apart, S(NVME_INVALID_FIELD));
}

static void deletions(void)
{
	static const struct {
		const char *name;
		uint8_t opcode;
		uint32_t id;
		uint16_t specified;
	} rows[] = {
		{"delete sq 0", NVME_DELETE_SQ, 0, S(NVME_INVALID_QUEUE_ID)},
		{"delete sq 2, which is not there", NVME_DELETE_SQ, 2, S(NVME_INVALID_QUEUE_ID)},
		{"delete sq too far", NVME_DELETE_SQ, NO_SUCH_QUEUE, S(NVME_INVALID_QUEUE_ID)},
		{"delete sq ffff", NVME_DELETE_SQ, 0xffff, S(NVME_INVALID_QUEUE_ID)},
		{"delete cq 0", NVME_DELETE_CQ, 0, S(NVME_INVALID_QUEUE_ID)},
		{"delete cq 2, which is not there", NVME_DELETE_CQ, 2, S(NVME_INVALID_QUEUE_ID)},
		{"delete cq ffff", NVME_DELETE_CQ, 0xffff, S(NVME_INVALID_QUEUE_ID)},
		{"delete cq before its sq", NVME_DELETE_CQ, 1, S(NVME_INVALID_QUEUE_DELETION)},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ask(&sqs[0], rows[i].name, (struct nvme_command){.opcode = rows[i].opcode, .cdw10 = rows[i].id}, rows[i].specified);
}

/* Opcodes that destroy or lock what lies beneath: hidden there, and not for a controller that carries them out. */
static void hidden(void)
{
	static const uint8_t opcodes[] = {0x0d, 0x10, 0x11, 0x15, 0x19, 0x1a, 0x1c, 0x1d, 0x1e, 0x80, 0x81, 0x82, 0x84, 0xc0};

	for (unsigned i = 0; i < sizeof(opcodes); i++) {
		struct nvme_command command = {.opcode = opcodes[i], .nsid = NAMESPACE, .prp1 = (uint64_t)page};
		uint16_t status = admin(&command, NULL);

		if (status != S(NVME_INVALID_OPCODE))
			guest_fail("admin command %x: status %x", opcodes[i], status);
	}
	print("hidden = %u admin commands\n", (unsigned)sizeof(opcodes));
}

static void admin_commands(void)
{
	const uint64_t data = (uint64_t)page;
	const struct {
		const char *name;
		struct nvme_command command;
		uint16_t specified;
	} rows[] = {
		{"admin opcode 3", {.opcode = 0x03}, S(NVME_INVALID_OPCODE)},
		{"admin opcode 7f", {.opcode = 0x7f}, S(NVME_INVALID_OPCODE)},
		{"identify ff", {.opcode = 0x06, .cdw10 = 0xff, .prp1 = data}, S(NVME_INVALID_FIELD)},
		{"identify namespace 0", {.opcode = 0x06, .prp1 = data}, S(NVME_INVALID_NAMESPACE)},
		{"identify namespace fffffffe", {.opcode = 0x06, .nsid = 0xfffffffe, .prp1 = data}, S(NVME_INVALID_NAMESPACE)},
		{"identify namespace 2, inactive", {.opcode = 0x06, .nsid = 2, .prp1 = data}, 0},
		{"identify at 1 of a page", {.opcode = 0x06, .cdw10 = 1, .prp1 = data + 1}, S(NVME_INVALID_PRP_OFFSET)},
		{"identify, second page with an offset", {.opcode = 0x06, .cdw10 = 1, .prp1 = data + 8, .prp2 = data + 12},
			S(NVME_INVALID_PRP_OFFSET)},
		{"identify, fused", {.opcode = 0x06, .flags = FUSED_FIRST, .cdw10 = 1, .prp1 = data}, S(NVME_INVALID_FIELD)},
		{"identify, scatter-gather", {.opcode = 0x06, .flags = SCATTER_GATHER, .cdw10 = 1, .prp1 = data}, S(NVME_INVALID_FIELD)},
		{"log page 0", {.opcode = 0x02, .nsid = NVME_NSID_ALL, .prp1 = data}, S(NVME_INVALID_LOG_PAGE)},
		{"log page 7f", {.opcode = 0x02, .nsid = NVME_NSID_ALL, .cdw10 = 0x7f, .prp1 = data}, S(NVME_INVALID_LOG_PAGE)},
		{"log page 2, one word", {.opcode = 0x02, .nsid = NVME_NSID_ALL, .cdw10 = 0x02, .prp1 = data}, 0},
		{"get feature 0", {.opcode = 0x0a, .cdw10 = 0}, S(NVME_INVALID_FIELD)},
		{"get feature 70", {.opcode = 0x0a, .cdw10 = 0x70}, S(NVME_INVALID_FIELD)},
		{"set feature 0", {.opcode = 0x09, .cdw10 = 0}, S(NVME_INVALID_FIELD)},
		{"set feature 70", {.opcode = 0x09, .cdw10 = 0x70}, S(NVME_INVALID_FIELD)},
		{"number of queues, too late", {.opcode = 0x09, .cdw10 = FEATURE_QUEUES, .cdw11 = 0x10001}, SEQUENCE_ERROR},
		{"abort of nothing", {.opcode = ABORT, .cdw10 = 0x12340001}, 0},
		{"abort in no queue", {.opcode = ABORT, .cdw10 = 0x1234ffff}, 0},
		{"doorbells with an offset", {.opcode = DOORBELL_CONFIG, .prp1 = data + 64, .prp2 = data + PAGE}, S(NVME_INVALID_FIELD)},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ask(&sqs[0], rows[i].name, rows[i].command, rows[i].specified);
}

/* Memory that is not the guest's: refused by what stands between; a controller alone would use it. */
static void places_of_others(void)
{
	struct {
		const char *name;
		uint64_t address;
	} bad[] = {{"the hypervisor's first page", 0}, {"the hypervisor's last page", 0}, {"beyond RAM", 1ull << 37},
		{"the local APIC", 0xfee00000}, {"the top", 0xfffffffffffff000}};
	const uint16_t error = S(NVME_DATA_TRANSFER_ERROR);
	uint64_t own, bytes, *list = (uint64_t *)list_pages;

	own_memory(&own, &bytes);
	bad[0].address = own;
	bad[1].address = own + bytes - PAGE;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const uint64_t at = bad[i].address, good = (uint64_t)page;
		struct nvme_command timestamp = {.opcode = NVME_SET_FEATURES, .cdw10 = FEATURE_TIMESTAMP, .prp1 = at};
		struct nvme_command commands[] = {
			create(NVME_CREATE_CQ, 2, 7, 0, at), create(NVME_CREATE_SQ, 2, 7, 1u << 16, at),
			{.opcode = 0x06, .cdw10 = 1, .prp1 = at}, {.opcode = 0x06, .cdw10 = 1, .prp1 = good + 8, .prp2 = at},
			{.opcode = 0x02, .nsid = NVME_NSID_ALL, .cdw10 = 0x7f0002, .prp1 = at}, timestamp,
			{.opcode = DOORBELL_CONFIG, .prp1 = at, .prp2 = good}, {.opcode = DOORBELL_CONFIG, .prp1 = good, .prp2 = at},
		};
		const unsigned count = sizeof(commands) / sizeof(commands[0]);

		for (unsigned n = 0; n < count; n++)
			if (admin(&commands[n], NULL) != error)
				guest_fail("admin command %u at %s was carried out", n, bad[i].name);
		for (unsigned write = 0; write < 2; write++) {
			struct nvme_command io[] = {
				with_prps(transfer(write, scratch.first, 1), at, 0), with_prps(transfer(write, scratch.first, 1), at + PAGE - 4, good),
				with_prps(transfer(write, scratch.first, 16), good, at), with_prps(transfer(write, scratch.first, 17), good, at),
				with_prps(transfer(write, scratch.first, 32), good, (uint64_t)list),
				with_prps(transfer(write, scratch.first, MOST_BLOCKS), good, (uint64_t)list + PAGE - 8),
				{.opcode = DATASET_MANAGEMENT, .nsid = NAMESPACE, .cdw11 = DEALLOCATE, .prp1 = at},
			};

			list[0] = list[1] = good;
			list[2] = list[LIST_ENTRIES - 1] = at;
			for (unsigned n = 0; n < sizeof(io) / sizeof(io[0]); n++)
				if (command_do(&sqs[1], &io[n], NULL) != error)
					guest_fail("command %u of I/O at %s was carried out", n, bad[i].name);
		}
		print("refused at %s = %x\n", bad[i].name, error);
	}
}

/* The last thing before a reset: those that are taken are never answered. */
static void events(void)
{
	struct nvme_command identify = {.opcode = NVME_IDENTIFY_OPCODE, .cdw10 = 1, .prp1 = (uint64_t)page};
	struct nvme_completion answer;
	uint32_t most, refused = 0;

	if (admin(&identify, NULL))
		guest_fail("Identify Controller");
	most = page[AERL] + 1u;
	for (uint32_t i = 0; i < EVENTS; i++)
		if (!sq_put(&sqs[0], &(struct nvme_command){.opcode = EVENT_REQUEST, .cid = (uint16_t)(0x8000 + i)}))
			guest_fail("the admin queue is full");
	sq_ring(&sqs[0]);
	for (; most + refused < EVENTS && cq_next(&cqs[0], &answer); refused++) {
		cq_acknowledge(&cqs[0]);
		if (STATUS(answer) != TOO_MANY_EVENTS)
			guest_fail("an event request too many: status %x", STATUS(answer));
	}
	print("event requests too many = %s\n", most + refused == EVENTS ? "refused" : "no answer");
	controller_restart();
}

void refusals(void)
{
	struct nvme_command queues = {.opcode = NVME_SET_FEATURES, .cdw10 = FEATURE_QUEUES, .cdw11 = 0xffffffff};
	const uint64_t aside = scratch.first + 4 * MOST_BLOCKS; /* not used by what is refused */

	page = take_memory(2 * PAGE, PAGE);
	ask(&sqs[0], "number of queues ffff", queues, S(NVME_INVALID_FIELD));
	cq_make(&cqs[1], 32, 0);
	sq_make(&sqs[1], 32, &cqs[1], 0);
	write_pattern(&sqs[1], aside, MOST_BLOCKS, 5, &(struct place){0, 0});
	creations();
	deletions();
	admin_commands();
	refused_io(&sqs[1]);
	if (beneath()) {
		hidden();
		places_of_others();
	}
	check_pattern(&sqs[1], aside, MOST_BLOCKS, 5, &(struct place){0, 0});
	events();
}
