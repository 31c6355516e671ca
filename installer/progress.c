/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/progress.h"
#include "installer/report.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_CELLS	  30
#define TERMINAL_INTERVAL 0.2 /* seconds */
#define LINE_INTERVAL	  5.0

static double seconds_between(const struct timespec *from, const struct timespec *to)
{
	return (to->tv_sec - from->tv_sec) + (to->tv_nsec - from->tv_nsec) / 1e9;
}

static void format_time(char text[40], double seconds)
{
	unsigned long s = seconds + 0.5;

	if (s >= 3600)
		snprintf(text, 40, "%lu h %02lu min", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(text, 40, "%lu min %02lu s", s / 60, s % 60);
	else
		snprintf(text, 40, "%lu s", s);
}

static void print(const struct progress *p, uint64_t done, const struct timespec *now)
{
	double elapsed = seconds_between(&p->start, now);
	double rate = elapsed > 0 ? (done - p->begun) / elapsed : 0;
	unsigned percent = p->total ? done * 100.0 / p->total : 100;
	char have[16], all[16], speed[16], left[40];

	report_bytes(have, done);
	report_bytes(all, p->total);
	report_bytes(speed, rate);
	format_time(left, done == p->total ? elapsed : rate > 0 ? (p->total - done) / rate : 0);
	if (p->terminal) {
		char bar[BAR_CELLS + 1];
		unsigned full = percent * BAR_CELLS / 100;

		memset(bar, '#', full);
		memset(bar + full, '.', BAR_CELLS - full);
		bar[BAR_CELLS] = 0;
		fprintf(stderr, "\r[%s] %3u %%  ", bar, percent);
	} else {
		fprintf(stderr, "%3u %%  ", percent);
	}
	fprintf(stderr, "%s of %s", have, all);
	if (rate > 0)
		fprintf(stderr, ", %s/s, %s%s", speed, left, done < p->total ? " left" : " in all");
	fputs(p->terminal ? "   " : "\n", stderr);
	fflush(stderr);
}

void progress_start(struct progress *p, uint64_t done, uint64_t total)
{
	memset(p, 0, sizeof *p);
	p->total = total;
	p->begun = done;
	p->terminal = isatty(STDERR_FILENO);
	clock_gettime(CLOCK_MONOTONIC, &p->start);
	p->shown = p->start;
	print(p, done, &p->start);
}

void progress_show(struct progress *p, uint64_t done)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (seconds_between(&p->shown, &now) < (p->terminal ? TERMINAL_INTERVAL : LINE_INTERVAL))
		return;
	p->shown = now;
	print(p, done, &now);
}

void progress_end(struct progress *p, uint64_t done)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	print(p, done, &now);
	if (p->terminal)
		fputc('\n', stderr);
}
