/* SPDX-License-Identifier: Apache-2.0 */
/* From the device's completion queue to the guest's. */
#include "storage/nvme/internal.h"

/* CPUs that are watched for it already are not counted twice. */
static void watch(struct nvme *nvme, struct nvme_cq *cq)
{
	uint64_t cpus = nvme->env->watch(nvme->env->context, cq->interrupts ? cq->vector : NVME_NO_VECTOR);

	if (cpus & cq->watched)
		nvme->env->unwatch(nvme->env->context, cpus & cq->watched);
	for (uint64_t left = cpus; left; left &= left - 1) {
		uint64_t *queues = &nvme->cpu[__builtin_ctzll(left)].queues[cq->id / 64], bit = 1ull << cq->id % 64;

		if (!(__atomic_load_n(queues, __ATOMIC_SEQ_CST) & bit))
			__atomic_or_fetch(queues, bit, __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&cq->watched, cq->watched | cpus, __ATOMIC_SEQ_CST);
}

void await(struct nvme *nvme, struct nvme_cq *cq)
{
	if (!cq->watched && (cq->in_flight || (cq->events && !announced(nvme, cq))))
		watch(nvme, cq);
}

void unawait(struct nvme *nvme, struct nvme_cq *cq)
{
	uint64_t cpus = cq->watched;

	if (!cpus)
		return;
	__atomic_store_n(&cq->watched, 0, __ATOMIC_SEQ_CST);
	nvme->env->unwatch(nvme->env->context, cpus);
}

/*
 * The CPUs of before stay watched as long as they are: an interrupt that is on its
 * way to them may still arrive.
 */
void nvme_vector_moves(struct nvme *nvme, uint16_t vector)
{
	for (unsigned id = 0; id <= nvme->io_queues; id++) {
		struct nvme_cq *cq = &nvme->cq[id];

		port_lock(&cq->lock);
		if (cq->vector == vector && cq->watched)
			watch(nvme, cq);
		port_unlock(&cq->lock);
	}
}

/* The word with the phase is written last: a guest that polls sees the whole entry or none. */
static void post(struct nvme_cq *cq, const struct nvme_completion *entry)
{
	struct nvme_completion *to = ring_entry(&cq->ring, cq->tail, sizeof(*to));
	uint32_t last = entry->cid | (uint32_t)(uint16_t)((entry->status & ~1u) | cq->phase) << 16;

	to->result = entry->result;
	to->reserved = entry->reserved;
	to->sq_head = entry->sq_head;
	to->sq_id = entry->sq_id;
	__atomic_store_n((uint32_t *)&to->cid, last, __ATOMIC_RELEASE);
	cq->tail = (cq->tail + 1) % cq->ring.entries;
	cq->phase ^= cq->tail == 0;
}

static void decrypt(struct nvme *nvme, const struct nvme_sq *sq, const struct nvme_slot *slot,
	struct cipher_scope *scope)
{
	const struct disk_map *map = map_of(nvme, slot->command.nsid);
	struct nvme_buffer buffer;

	if (!map || !disk_map_touches(map, nvme_lba(&slot->command), nvme_lbas(&slot->command), SECTOR_CIPHERTEXT))
		return;
	buffer_of_slot(nvme, sq, slot, &buffer);
	nvme_transform(map, false, nvme_lba(&slot->command), nvme_lbas(&slot->command), &buffer, &buffer, scope);
}

/* What the device says of a command of ours becomes what the guest hears of its own. */
static void finish(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot, struct nvme_completion *entry,
	struct cipher_scope *scope)
{
	if (slot->kind == NVME_SLOT_READ && !(entry->status >> 1)) {
		decrypt(nvme, sq, slot, scope);
	} else if (slot->kind == NVME_SLOT_REFUSED) {
		entry->status = slot->status;
		entry->result = slot->result;
	} else if (!sq->id) {
		admin_complete(nvme, slot, entry);
	}
	entry->cid = slot->cid;
	entry->sq_head = (uint16_t)sq->head;
}

/* One entry of the device's, copied before it is looked at. False when there is none. */
static bool take(struct nvme_cq *cq, struct nvme_completion *entry)
{
	const struct nvme_completion *from = &cq->completions[cq->device_head];
	uint16_t status = __atomic_load_n(&from->status, __ATOMIC_ACQUIRE);

	if ((status & 1) != cq->device_phase)
		return false;
	*entry = *(const volatile struct nvme_completion *)from;
	cq->device_head = (cq->device_head + 1) % cq->entries;
	cq->device_phase ^= cq->device_head == 0;
	return true;
}

static bool pending(const struct nvme_cq *cq)
{
	return (__atomic_load_n(&cq->completions[cq->device_head].status, __ATOMIC_ACQUIRE) & 1) == cq->device_phase;
}

/* A queue that is made under the same number would take them for its own. */
void cq_forget(struct nvme_cq *cq, uint16_t sq)
{
	uint32_t at = cq->device_head;
	bool phase = cq->device_phase;

	for (uint32_t i = 0; i < cq->entries; i++) {
		struct nvme_completion *entry = &cq->completions[at];

		if ((__atomic_load_n(&entry->status, __ATOMIC_ACQUIRE) & 1) != phase)
			break;
		if (entry->sq_id == sq)
			entry->sq_id = NVME_NO_QUEUE;
		at = (at + 1) % cq->entries;
		phase ^= at == 0;
	}
}

/* The slot that an entry is about; NULL where the device speaks of a command that it does not have. */
static struct nvme_slot *slot_named(struct nvme *nvme, const struct nvme_cq *cq, const struct nvme_completion *entry)
{
	struct nvme_sq *sq = &nvme->sq[entry->sq_id < NVME_QUEUES ? entry->sq_id : 0];
	bool known = entry->sq_id < NVME_QUEUES && (sq->state == NVME_QUEUE_LIVE || sq->state == NVME_QUEUE_DELETING) &&
		     sq->cq == cq->id && entry->cid + 1u < sq->entries && slot_is_out(&sq->slot[entry->cid]);

	return known ? &sq->slot[entry->cid] : NULL;
}

/*
 * Entries that wait for room in the guest's queue had their interrupt long ago, and
 * those of events had it while nobody looked: the guest gets another.
 */
void cq_collect(struct nvme *nvme, struct nvme_cq *cq, struct cipher_scope *scope)
{
	bool owed = false;

	while (pending(cq)) {
		struct nvme_completion entry;
		struct nvme_slot *slot;

		if (!has_room(cq)) {
			cq->was_full = true;
			break;
		}
		if (!take(cq, &entry))
			break;
		slot = slot_named(nvme, cq, &entry);
		if (!slot && entry.sq_id == NVME_NO_QUEUE)
			continue;
		if (!slot) {
			log_error("nvme: a completion of queue %u, command %u, which is none", entry.sq_id, entry.cid);
			continue;
		}
		struct nvme_sq *sq = &nvme->sq[entry.sq_id];
		uint16_t number = entry.cid;

		owed |= cq->was_full || !slot->waited_for;
		cq->in_flight -= slot->waited_for;
		cq->events -= !slot->waited_for;
		finish(nvme, sq, slot, &entry, scope);
		slot_give(sq, number);
		post(cq, &entry);
	}
	if (owed && announced(nvme, cq))
		nvme->env->raise(nvme->env->context, cq->vector);
	if (owed)
		cq->was_full = pending(cq);
}

/*
 * Where messages announce completions, the device may forget what we have taken. A
 * pin stays up as long as the device's queue has entries, and the guest has to see
 * it until it has acknowledged what it was shown.
 */
static uint32_t acknowledged(const struct nvme *nvme, const struct nvme_cq *cq)
{
	uint32_t shown = (cq->tail + cq->ring.entries - cq->head) % cq->ring.entries;

	if (!cq->interrupts || announced(nvme, cq))
		return cq->device_head;
	return (cq->device_head + cq->entries - shown) % cq->entries;
}

void settle(struct nvme *nvme, struct nvme_cq *cq)
{
	uint32_t head = acknowledged(nvme, cq);

	if (head != cq->rung) {
		cq->rung = head;
		device_write(nvme, nvme_doorbell(cq->id, 1, nvme->stride), head);
	}
	if (!cq->in_flight && (!cq->events || announced(nvme, cq)))
		unawait(nvme, cq);
}

void serve(struct nvme *nvme, struct nvme_cq *cq, struct cipher_scope *scope)
{
	cq_collect(nvme, cq, scope);
	for (unsigned half = 0; half < 2; half++)
		for (uint64_t left = cq->queues[half]; left; left &= left - 1)
			submit(nvme, &nvme->sq[64 * half + (unsigned)__builtin_ctzll(left)], scope);
	settle(nvme, cq);
}
