/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/native/turns.h"
#include <time.h>

#define TURN_NS	       5000000u
#define TURNS_IN_CYCLE 4u
#define TURNS_IN_ROUND (25 * TURNS_IN_CYCLE)

static uint64_t turn_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec) / TURN_NS;
}

/* Every second turn is for both. */
static unsigned is_for_both(uint64_t turn)
{
	return turn & 1;
}

static unsigned is_for(uint64_t turn, unsigned thread)
{
	return is_for_both(turn) || turn % TURNS_IN_CYCLE / 2 == thread;
}

static struct turns_round *round_of(struct turns *turns, uint64_t number)
{
	static __thread struct turns_round nobodys;

	if (turns->rounds && turns->round[turns->rounds - 1].number == number)
		return &turns->round[turns->rounds - 1];
	if (turns->rounds == TURNS_ROUNDS)
		return &nobodys;
	turns->round[turns->rounds].number = number;
	return &turns->round[turns->rounds++];
}

void turns_take(struct turns *turns, unsigned thread)
{
	struct turns_round *round;
	uint64_t turn = turn_now();

	for (; !is_for(turn, thread); turn = turn_now())
		__builtin_ia32_pause();
	round = round_of(turns, turn / TURNS_IN_ROUND);
	*(is_for_both(turn) ? &round->both : &round->alone) += 1;
}

void turns_tell(const struct turns *turns, const char *name, FILE *to)
{
	fprintf(to, "%s turns:", name);
	for (unsigned i = 0; i < turns->rounds; i++)
		fprintf(to, " %llu/%llu/%llu", (unsigned long long)turns->round[i].number,
			(unsigned long long)turns->round[i].alone, (unsigned long long)turns->round[i].both);
	fputc('\n', to);
}
