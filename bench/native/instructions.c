/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/native/instructions.h"
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

void instructions_begin(struct instructions *instructions)
{
	struct perf_event_attr what = {.type = PERF_TYPE_HARDWARE,
		.size = sizeof(what),
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.exclude_kernel = 1,
		.exclude_hv = 1};

	instructions->file = (int)syscall(SYS_perf_event_open, &what, 0, -1, -1, 0);
}

uint64_t instructions_end(struct instructions *instructions)
{
	uint64_t count = 0;

	if (instructions->file < 0)
		return 0;
	if (read(instructions->file, &count, sizeof(count)) != sizeof(count))
		count = 0;
	close(instructions->file);
	return count;
}
