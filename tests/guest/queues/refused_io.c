/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of I/O that are to be refused, each with the status that NVM Express 1.4 names for it. */
#include "tests/guest/queues/queues.h"

#define MOST_BLOCKS        1024u
#define LIST_ENTRIES       (PAGE / 8)
#define FUSED_FIRST        0x01
#define SCATTER_GATHER     0x40
#define COMMAND_CONFLICT   0x003
#define DATASET_MANAGEMENT 0x09
#define VERIFY             0x0c
#define DEALLOCATE         4u

static uint8_t *page; /* for data that does not matter */

static struct nvme_command of(struct nvme_command command, uint32_t nsid, uint8_t opcode, uint8_t flags)
{
	command.prp1 = (uint64_t)page;
	command.nsid = nsid;
	command.opcode = opcode;
	command.flags = flags;
	return command;
}

static void transfers(struct sq *sq)
{
	const uint64_t data = (uint64_t)page, end = controller.blocks;
	const struct nvme_command one = transfer(false, scratch.first, 1), two_pages = transfer(false, scratch.first, 16);
	struct nvme_command marked = of(one, NAMESPACE, NVME_READ_OPCODE, 0);

	ask(sq, "read namespace 0", of(one, 0, NVME_READ_OPCODE, 0), S(NVME_INVALID_NAMESPACE));
	ask(sq, "read namespace 2, inactive", of(one, 2, NVME_READ_OPCODE, 0), S(NVME_INVALID_FIELD));
	ask(sq, "read namespace fffffffe", of(one, 0xfffffffe, NVME_READ_OPCODE, 0), S(NVME_INVALID_NAMESPACE));
	ask(sq, "write namespace fffffffe", of(one, 0xfffffffe, 1, 0), S(NVME_INVALID_NAMESPACE));
	ask(sq, "flush namespace fffffffe", of(one, 0xfffffffe, 0, 0), S(NVME_INVALID_NAMESPACE));
	ask(sq, "opcode 3", of(one, NAMESPACE, 0x03, 0), S(NVME_INVALID_OPCODE));
	ask(sq, "opcode 7f", of(one, NAMESPACE, 0x7f, 0), S(NVME_INVALID_OPCODE));
	ask(sq, "opcode ff", of(one, NAMESPACE, 0xff, 0), S(NVME_INVALID_OPCODE));
	ask(sq, "read, fused", of(one, NAMESPACE, NVME_READ_OPCODE, FUSED_FIRST), S(NVME_INVALID_FIELD));
	ask(sq, "read, scatter-gather", of(one, NAMESPACE, NVME_READ_OPCODE, SCATTER_GATHER), S(NVME_INVALID_FIELD));
	ask(sq, "read at the end", with_prps(transfer(false, end, 1), data, 0), S(NVME_LBA_OUT_OF_RANGE));
	ask(sq, "read across the end", with_prps(transfer(false, end - 1, 2), data, 0), S(NVME_LBA_OUT_OF_RANGE));
	ask(sq, "read the last block", with_prps(transfer(false, end - 1, 1), data, 0), 0);
	ask(sq, "read at the last of all LBAs", with_prps(transfer(false, UINT64_MAX, 2), data, 0), S(NVME_LBA_OUT_OF_RANGE));
	ask(sq, "write at the end", with_prps(transfer(true, end, 1), data, 0), S(NVME_LBA_OUT_OF_RANGE));
	ask(sq, "write across the end", with_prps(transfer(true, end - 1, 2), data, 0), S(NVME_LBA_OUT_OF_RANGE));
	ask(sq, "write at the last of all LBAs", with_prps(transfer(true, UINT64_MAX, 1), data, 0), S(NVME_LBA_OUT_OF_RANGE));
	ask(sq, "verify across the end", of(transfer(false, end - 1, 2), NAMESPACE, VERIFY, 0), S(NVME_LBA_OUT_OF_RANGE));
	ask(sq, "read beyond MDTS", with_prps(transfer(false, scratch.first, MOST_BLOCKS + 1), data, (uint64_t)list_pages), S(NVME_INVALID_FIELD));
	ask(sq, "read 65536 blocks", with_prps(transfer(false, scratch.first, 65536), data, (uint64_t)list_pages), S(NVME_INVALID_FIELD));
	ask(sq, "read at 2 of a page", with_prps(one, data + 2, 0), S(NVME_INVALID_PRP_OFFSET));
	ask(sq, "second page with an offset", with_prps(two_pages, data, data + 8), S(NVME_INVALID_PRP_OFFSET));
	marked.cdw12 |= 0xfu << 26;
	ask(sq, "read, checks of protection that is not there", marked, 0);
}

/* Lists that are wrong at one place, the last one, or lead in circles: there they end with the transfer. */
static void lists(struct sq *sq)
{
	const struct place place = {0, PAGE - 8};
	struct nvme_command command = transfer(false, scratch.first, MOST_BLOCKS);
	uint64_t *list = (uint64_t *)list_pages;

	place_prps(&command, &place, MOST_BLOCKS * BLOCK);
	list[LIST_ENTRIES - 1] += 8;
	ask(sq, "list that leads to an offset", command, S(NVME_INVALID_PRP_OFFSET));
	place_prps(&command, &place, MOST_BLOCKS * BLOCK);
	list[LIST_ENTRIES + 126] += 512;
	ask(sq, "last entry with an offset", command, S(NVME_INVALID_PRP_OFFSET));
	place_prps(&command, &place, MOST_BLOCKS * BLOCK);
	list[LIST_ENTRIES] += 4;
	ask(sq, "first entry with an offset", command, S(NVME_INVALID_PRP_OFFSET));
	place_prps(&command, &place, MOST_BLOCKS * BLOCK);
	command.prp2 += 4;
	ask(sq, "list at 4", command, S(NVME_INVALID_PRP_OFFSET));
	for (unsigned write = 2; write-- > 0;) {
		for (unsigned i = 0; i < LIST_ENTRIES; i++)
			list[i] = (uint64_t)list_pages;
		command = with_prps(transfer(write, scratch.first, MOST_BLOCKS), (uint64_t)list_pages, (uint64_t)list_pages + PAGE - 8);
		ask(sq, write ? "write of a list that leads to itself" : "read onto a list that leads to itself", command, 0);
	}
}

static void duplicates(struct sq *sq)
{
	struct nvme_command command = with_prps(transfer(false, scratch.first, 8), (uint64_t)page, 0);
	struct nvme_completion answer[2];

	command.cid = 0x7777;
	if (!sq_put(sq, &command) || !sq_put(sq, &command))
		guest_fail("queue 1 is full");
	sq_ring(sq);
	for (unsigned i = 0; i < 2; i++) {
		if (!cq_next(sq->cq, &answer[i]) || answer[i].cid != command.cid)
			guest_fail("of two commands of one identifier, number %u: no answer", i);
		cq_acknowledge(sq->cq);
		if (STATUS(answer[i]) && STATUS(answer[i]) != COMMAND_CONFLICT)
			guest_fail("of two commands of one identifier, number %u: status %x", i, STATUS(answer[i]));
	}
	print("duplicates = %x, %x\n", STATUS(answer[0]), STATUS(answer[1]));
}

/* The header partition is read, and never written. */
static void header(struct sq *sq)
{
	const uint64_t lbas[] = {guarded.first, guarded.first + guarded.blocks / 2, guarded.first + guarded.blocks - 1};

	for (unsigned i = 0; guarded.blocks && i < 3; i++) {
		struct nvme_command command = with_prps(transfer(false, lbas[i], 1), (uint64_t)page, 0);
		struct { uint32_t attributes, blocks; uint64_t lba; } *ranges = (void *)page;
		struct nvme_command trim = {.opcode = DATASET_MANAGEMENT, .nsid = NAMESPACE, .cdw11 = DEALLOCATE, .prp1 = (uint64_t)page};

		if (command_do(sq, &command, NULL))
			guest_fail("the header at %lx cannot be read", lbas[i]);
		command = with_prps(transfer(true, lbas[i], 1), (uint64_t)page, 0);
		report("write to the header", command_do(sq, &command, NULL), S(NVME_NAMESPACE_WRITE_PROTECTED));
		ranges->attributes = 0;
		ranges->blocks = 1;
		ranges->lba = lbas[i];
		report("deallocation of the header", command_do(sq, &trim, NULL), S(NVME_NAMESPACE_WRITE_PROTECTED));
	}
}

void refused_io(struct sq *sq)
{
	page = take_memory(2 * PAGE, PAGE);
	transfers(sq);
	lists(sq);
	duplicates(sq);
	if (beneath())
		header(sq);
}
