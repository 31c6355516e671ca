/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/native/baton.h"
#include <pthread.h>
#include <stdint.h>
#include <time.h>

#define TURN_NS 5000000u
#define NOBODY	32u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t passed = PTHREAD_COND_INITIALIZER;
static uint32_t joined; /* a bit each */
/* Under the lock; who holds it may read without. */
static unsigned holder = NOBODY;
static uint64_t until;

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void pass(unsigned member)
{
	unsigned next = (member + 1) % NOBODY;

	while (joined && !(joined >> next & 1))
		next = (next + 1) % NOBODY;
	__atomic_store_n(&holder, joined ? next : NOBODY, __ATOMIC_RELAXED);
	pthread_cond_broadcast(&passed);
}

void baton_join(unsigned member)
{
	pthread_mutex_lock(&lock);
	joined |= 1u << member;
	pthread_mutex_unlock(&lock);
}

void baton_take(unsigned member)
{
	if (__atomic_load_n(&holder, __ATOMIC_RELAXED) == member && now() < until)
		return;
	pthread_mutex_lock(&lock);
	if (holder == member)
		pass(member);
	while (holder != NOBODY && holder != member)
		pthread_cond_wait(&passed, &lock);
	__atomic_store_n(&holder, member, __ATOMIC_RELAXED);
	until = now() + TURN_NS;
	pthread_mutex_unlock(&lock);
}

void baton_leave(unsigned member)
{
	pthread_mutex_lock(&lock);
	joined &= ~(1u << member);
	if (holder == member)
		pass(member);
	pthread_mutex_unlock(&lock);
}
