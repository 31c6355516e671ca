/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's doorbells: in the registers, and in its memory. NVM Express 1.4, sections 3.1.25, 5.7 and B.5. */
#include "storage/nvme/internal.h"

/*
 * With as many commands in flight the next interrupt is not far: what the guest has
 * submitted until then is found at that exit, and it need not ring.
 */
#define QUIET_DEPTH 4
#define LOOKS       8

#define MOST_IN_VAIN 7 /* then one doorbell in 128 is lingered at */

static bool is_live(const struct nvme *nvme, const struct nvme_cq *cq)
{
	return nvme->life == NVME_ENABLED && (cq->state == NVME_QUEUE_LIVE || cq->state == NVME_QUEUE_DELETING);
}

/* A head may not pass what the guest was shown. */
static void move_head(struct nvme_cq *cq, uint32_t head)
{
	uint32_t entries = cq->ring.entries;

	if (head < entries && (head + entries - cq->head) % entries <= (cq->tail + entries - cq->head) % entries)
		cq->head = head;
}

static volatile uint32_t *entry_of(const struct nvme *nvme, volatile uint32_t *page, uint16_t id, bool completion)
{
	uint32_t index = (2u * id + completion) << nvme->guest_stride;

	return page && id && index < NVME_PAGE_BYTES / sizeof(*page) ? &page[index] : NULL;
}

/* True when a submission queue has something new, or there is room for completions that had none. */
static bool look(struct nvme *nvme, struct nvme_cq *cq)
{
	volatile uint32_t *shadow = __atomic_load_n(&nvme->shadow, __ATOMIC_ACQUIRE);
	volatile uint32_t *head = entry_of(nvme, shadow, cq->id, true);
	bool found = false;

	if (!head)
		return false;
	move_head(cq, *head);
	found = cq->was_full && has_room(cq);
	for (unsigned half = 0; half < 2; half++)
		for (uint64_t left = cq->queues[half]; left; left &= left - 1) {
			struct nvme_sq *sq = &nvme->sq[64 * half + (unsigned)__builtin_ctzll(left)];
			volatile uint32_t *entry = entry_of(nvme, shadow, sq->id, false);
			uint32_t tail = entry ? __atomic_load_n(entry, __ATOMIC_ACQUIRE) : sq->tail;

			if (tail != sq->tail && tail < sq->ring.entries) {
				sq->tail = tail;
				found = true;
			}
		}
	return found;
}

/*
 * The guest rings when it moves past the event index: it stands where the queue is
 * now when it is to ring, one behind when not.
 */
static void arm(struct nvme *nvme, struct nvme_cq *cq)
{
	volatile uint32_t *events = __atomic_load_n(&nvme->events, __ATOMIC_ACQUIRE);
	bool quiet = announced(nvme, cq) && cq->in_flight >= QUIET_DEPTH;
	volatile uint32_t *head = entry_of(nvme, events, cq->id, true);

	if (!head)
		return;
	*head = cq->head - (announced(nvme, cq) && !cq->was_full);
	for (unsigned half = 0; half < 2; half++)
		for (uint64_t left = cq->queues[half]; left; left &= left - 1) {
			struct nvme_sq *sq = &nvme->sq[64 * half + (unsigned)__builtin_ctzll(left)];
			volatile uint32_t *entry = entry_of(nvme, events, sq->id, false);

			if (entry)
				*entry = sq->tail - quiet;
		}
	/* The guest writes its doorbell, then reads the index; we write the index, then read the doorbell. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* The lock is held. Ends when nothing new has come since the guest was last told to ring. */
static void serve_all(struct nvme *nvme, struct nvme_cq *cq, struct cipher_scope *scope)
{
	if (!is_live(nvme, cq))
		return;
	look(nvme, cq);
	for (unsigned looks = 0; looks < LOOKS; looks++) {
		serve(nvme, cq, scope);
		arm(nvme, cq);
		if (!look(nvme, cq))
			break;
	}
}

static void visit(struct nvme *nvme, struct nvme_cq *cq)
{
	struct cipher_scope scope = {0};

	port_lock(&cq->lock);
	serve_all(nvme, cq, &scope);
	port_unlock(&cq->lock);
	cipher_end(&scope);
}

/*
 * Nobody announces these completions, or the guest hears of nothing (a crash dump polls
 * like that): it is to find them when it looks, so they are waited for here. For those
 * that its queue has no room for it has to look first.
 */
static void wait_for(struct nvme *nvme, struct nvme_cq *cq)
{
	uint64_t since = 0;

	while (__atomic_load_n(&cq->in_flight, __ATOMIC_RELAXED) && has_room(cq) &&
		nvme->env->wait(nvme->env->context, &since))
		visit(nvme, cq);
}

static bool answered(const struct nvme_cq *cq)
{
	uint32_t head = __atomic_load_n(&cq->device_head, __ATOMIC_RELAXED);
	uint16_t status = __atomic_load_n(&cq->completions[head].status, __ATOMIC_ACQUIRE);

	return (status & 1) == __atomic_load_n(&cq->device_phase, __ATOMIC_RELAXED);
}

/*
 * A command that ends in less time than it takes to leave and to come back is waited
 * for: its interrupt then finds no CPU watched, and is no exit. Where that was in
 * vain, fewer and fewer doorbells are tried. What is read without the lock here
 * decides on nothing else.
 */
static void linger(struct nvme *nvme, struct nvme_cq *cq)
{
	uint8_t hurries = __atomic_load_n(&cq->hurries, __ATOMIC_RELAXED), in_vain;
	uint64_t since = 0;

	if (hurries) {
		__atomic_store_n(&cq->hurries, hurries - 1, __ATOMIC_RELAXED);
		return;
	}
	while (__atomic_load_n(&cq->in_flight, __ATOMIC_RELAXED) && nvme->env->linger(nvme->env->context, &since))
		if (answered(cq))
			visit(nvme, cq);
	in_vain = __atomic_load_n(&cq->in_vain, __ATOMIC_RELAXED);
	if (!__atomic_load_n(&cq->in_flight, __ATOMIC_RELAXED))
		in_vain = 0;
	else if (in_vain < MOST_IN_VAIN)
		in_vain++;
	__atomic_store_n(&cq->in_vain, in_vain, __ATOMIC_RELAXED);
	__atomic_store_n(&cq->hurries, (uint8_t)((1u << in_vain) - 1), __ATOMIC_RELAXED);
}

/* Events come when nobody waits: they are found when the guest uses any queue. */
static void look_for_events(struct nvme *nvme)
{
	struct nvme_cq *admin = &nvme->cq[0];
	uint16_t status = __atomic_load_n(&admin->completions[admin->device_head].status, __ATOMIC_ACQUIRE);

	if (nvme->life == NVME_ENABLED && admin->events && (status & 1) == admin->device_phase)
		visit(nvme, admin);
}

static void ring_sq(struct nvme *nvme, uint32_t queue, uint32_t tail)
{
	struct nvme_sq *sq = &nvme->sq[queue];
	uint16_t id = __atomic_load_n(&sq->cq, __ATOMIC_ACQUIRE);
	struct cipher_scope scope = {0};
	struct nvme_cq *cq;

	if (id == NVME_NO_QUEUE)
		return;
	cq = &nvme->cq[id];
	port_lock(&cq->lock);
	if (sq->cq == id && sq->state == NVME_QUEUE_LIVE && tail < sq->ring.entries) {
		sq->tail = tail;
		serve_all(nvme, cq, &scope);
	}
	port_unlock(&cq->lock);
	cipher_end(&scope);
	if (!cq->interrupts || !announced(nvme, cq) || nvme->env->is_deaf(nvme->env->context, cq->vector))
		wait_for(nvme, cq);
	else
		linger(nvme, cq);
}

static void ring_cq(struct nvme *nvme, uint32_t queue, uint32_t head)
{
	struct nvme_cq *cq = &nvme->cq[queue];
	struct cipher_scope scope = {0};

	port_lock(&cq->lock);
	if (is_live(nvme, cq)) {
		move_head(cq, head);
		serve_all(nvme, cq, &scope);
	}
	port_unlock(&cq->lock);
	cipher_end(&scope);
}

void doorbell(struct nvme *nvme, uint32_t offset, uint32_t value)
{
	uint32_t index = (offset - NVME_DOORBELLS) / (4u << nvme->guest_stride);

	if ((offset - NVME_DOORBELLS) % (4u << nvme->guest_stride) || index / 2 > nvme->io_queues)
		return;
	if (index % 2)
		ring_cq(nvme, index / 2, value);
	else
		ring_sq(nvme, index / 2, value);
	if (index > 1)
		look_for_events(nvme);
}

void nvme_interrupt(struct nvme *nvme, unsigned cpu)
{
	for (unsigned half = 0; half < 2; half++) {
		uint64_t left = __atomic_load_n(&nvme->cpu[cpu].queues[half], __ATOMIC_SEQ_CST);

		for (; left; left &= left - 1) {
			struct nvme_cq *cq = &nvme->cq[64 * half + (unsigned)__builtin_ctzll(left)];

			if (__atomic_load_n(&cq->watched, __ATOMIC_SEQ_CST) >> cpu & 1)
				visit(nvme, cq);
		}
	}
}
