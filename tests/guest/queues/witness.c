/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/queues/queues.h"

#define CHUNK       8u /* blocks of one transfer */
#define MOST_CHUNKS 4096u
#define LEFT        1u /* the salt that the case looks for */

static struct witness {
	struct sq *sq;
	uint64_t random;
	uint32_t chunks;
	uint64_t salt[MOST_CHUNKS];
	uint8_t *data;
	volatile uint64_t steps;
	volatile bool stop;
} witness;

static uint64_t draw(void)
{
	witness.random = witness.random * 6364136223846793005ull + 1442695040888963407ull;
	return witness.random >> 33;
}

/* Data of its own: the other files' pages are used at the same time. */
static void move(bool write, uint64_t lba, uint32_t blocks, uint64_t salt)
{
	struct nvme_command command = transfer(write, lba, blocks);
	uint16_t status;

	if (write)
		pattern_fill(witness.data, lba, blocks, salt);
	else
		memset(witness.data, 0, blocks * BLOCK);
	command.prp1 = (uint64_t)witness.data;
	status = command_do(witness.sq, &command, NULL);
	if (status)
		guest_fail("the witness, after %lu steps: status %x", witness.steps, status);
	if (!write && !pattern_is(witness.data, lba, blocks, salt))
		guest_fail("the witness, after %lu steps: other data at %lx", witness.steps, lba);
}

static uint64_t lba_of(uint32_t chunk)
{
	return witness_range.first + chunk * CHUNK;
}

void witness_step(void)
{
	uint32_t chunk = (uint32_t)(draw() % witness.chunks);

	move(false, lba_of(chunk), CHUNK, witness.salt[chunk]);
	witness.salt[chunk] = draw() | 1ull << 40;
	move(true, lba_of(chunk), CHUNK, witness.salt[chunk]);
	witness.steps++;
}

static void go_on(void *argument)
{
	(void)argument;
	tick_begin();
	while (!witness.stop) {
		witness_step();
		/* Messages of the others' queues come here too; a step need not have waited. */
		interrupts_let_in();
	}
}

void witness_fill(struct sq *sq)
{
	if (!witness.data)
		witness.data = take_memory(PAGE, PAGE);
	witness.sq = sq;
	witness.steps = 0;
	witness.stop = false;
	witness.random = random_next();
	witness.chunks = (uint32_t)(witness_range.blocks / CHUNK < MOST_CHUNKS ? witness_range.blocks / CHUNK : MOST_CHUNKS);
	for (uint32_t chunk = 0; chunk < witness.chunks; chunk++) {
		witness.salt[chunk] = draw();
		move(true, lba_of(chunk), CHUNK, witness.salt[chunk]);
	}
}

void witness_begin(void)
{
	if (machine.cpus > 1)
		cpu_run(cpus[1], go_on, NULL);
}

void witness_end(void)
{
	witness.stop = true;
	if (machine.cpus > 1 && !cpu_wait(cpus[1], 2 * ANSWER_US))
		guest_fail("the witness does not come to its end");
	for (uint32_t chunk = 0; chunk < witness.chunks; chunk++)
		move(false, lba_of(chunk), CHUNK, witness.salt[chunk]);
	print("witness = whole after %lu steps\n", witness.steps);
}

void witness_leave(struct sq *sq)
{
	witness_fill(sq);
	for (uint32_t chunk = 0; chunk < witness.chunks; chunk++)
		move(true, lba_of(chunk), CHUNK, LEFT);
	print("left = %u blocks\n", witness.chunks * CHUNK);
}
