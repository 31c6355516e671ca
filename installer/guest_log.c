/* SPDX-License-Identifier: Apache-2.0 */
/* The log of the hypervisor beneath, and of the one that ran before it. */
#include "hv/core/log_area.h"
#include "installer/exits.h"
#include "installer/guest.h"
#include "installer/hypercall.h"
#include "installer/report.h"
#include "storage/port.h"
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#define LOG_BYTES 16 /* per call */

/* How a start has ended. */
struct ending {
	const char *word, *sentence;
};

static const struct ending endings[LOG_ENDS] = {
	[LOG_END_UNSEEN] = {"unseen", "by a reset or power loss that the hypervisor did not see"},
	[LOG_END_POWER_OFF] = {"power-off", "by the system's power-off"},
	[LOG_END_RESET] = {"reset", "by the system's reset"},
	[LOG_END_PANIC] = {"panic", "by a panic of the hypervisor: please report its log"},
};

struct log {
	char *text;
	size_t bytes;
	uint64_t lost; /* older bytes, which the ring no longer has */
};

static int copy_log(FILE *out, int previous, uint64_t *lost)
{
	struct hypercall call;
	uint64_t at = 0;

	*lost = 0;
	for (;;) {
		uint64_t words[2];

		if (hypercall(&call, HYPERCALL_LOG, at, (uint64_t)previous) || call.result || call.rbx < at ||
			call.rcx > LOG_BYTES)
			return guest_protocol_error("its log");
		if (!call.rcx)
			return EXITS_OK;
		*lost += call.rbx - at;
		words[0] = call.rdx, words[1] = call.rsi;
		fwrite(words, 1, call.rcx, out);
		at = call.rbx + call.rcx;
	}
}

static int read_log(struct log *log, int previous)
{
	FILE *out = open_memstream(&log->text, &log->bytes);
	int err = EXITS_FAILED;

	if (!out)
		return err;
	err = copy_log(out, previous, &log->lost);
	fclose(out);
	return err;
}

/* Returns an exit code; *ending is NULL for this start's log. */
static int read_ending(int previous, const struct ending **ending, uint64_t *panic)
{
	struct hypercall call;

	*ending = NULL;
	if (!previous)
		return EXITS_OK;
	if (hypercall(&call, HYPERCALL_PREVIOUS_END, 0, 0) || call.result == HYPERCALL_UNKNOWN)
		return guest_protocol_error("the log of the start before");
	if (call.result) {
		log_error("there is no log of the start before: memory keeps it over a reset, not without power");
		return EXITS_FAILED;
	}
	*ending = &endings[call.rbx < LOG_ENDS ? call.rbx : LOG_END_UNSEEN];
	*panic = call.rcx;
	return EXITS_OK;
}

static void print_json(const struct log *log, const struct ending *ending, uint64_t panic)
{
	struct json_object *root = json_object_new_object();

	if (ending)
		report_text(root, "end", ending->word);
	if (ending == &endings[LOG_END_PANIC])
		report_number(root, "panic", panic);
	report_number(root, "lost", log->lost);
	json_object_object_add(root, "text", json_object_new_string_len(log->text, (int)log->bytes));
	report_print(root);
	json_object_put(root);
}

static void print_text(const struct log *log, const struct ending *ending)
{
	if (log->lost)
		printf("[%llu older bytes are lost]\n", (unsigned long long)log->lost);
	fwrite(log->text, 1, log->bytes, stdout);
	if (ending)
		printf("[ended %s]\n", ending->sentence);
}

int guest_log(int json, int previous)
{
	struct log log = {0};
	const struct ending *ending;
	struct guest_info info;
	uint64_t panic = 0;
	int err = guest_read_info(&info);

	if (!err)
		err = read_ending(previous, &ending, &panic);
	if (!err)
		err = read_log(&log, previous);
	if (!err && json)
		print_json(&log, ending, panic);
	else if (!err)
		print_text(&log, ending);
	free(log.text);
	return err;
}
