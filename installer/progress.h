/* SPDX-License-Identifier: Apache-2.0 */
/* Shows how far a long work is: a bar on a terminal, elsewhere a line every few seconds. */
#ifndef INSTALLER_PROGRESS_H
#define INSTALLER_PROGRESS_H

#include <stdint.h>
#include <time.h>

struct progress {
	uint64_t total; /* bytes */
	uint64_t begun; /* bytes done before this run */
	struct timespec start, shown;
	int terminal;
};

void progress_start(struct progress *progress, uint64_t done, uint64_t total);
/* To be called as often as one likes; shows at most a few times per second. */
void progress_show(struct progress *progress, uint64_t done);
/* Shows the last state and ends the line. */
void progress_end(struct progress *progress, uint64_t done);

#endif
