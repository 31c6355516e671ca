/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/status.h"
#include "installer/exits.h"
#include "installer/report.h"
#include "installer/slots.h"
#include "installer/volume.h"
#include "storage/port.h"
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

static void describe_partition(struct json_object *out, const struct gpt *gpt, const struct gpt_partition *p)
{
	report_number(out, "partition", p->number);
	report_text(out, "name", p->name);
	report_text(out, "partuuid", p->uuid);
	report_number(out, "first_lba", p->first_lba);
	report_number(out, "last_lba", p->last_lba);
	report_number(out, "bytes", gpt_bytes(gpt, p));
}

static const char *copy_state(const struct header_pair *pair, unsigned copy)
{
	if (!pair->valid[copy])
		return "damaged";
	return pair->stale && pair->newest != copy && pair->valid[!copy] ? "older" : "valid";
}

static void describe_copies(struct json_object *out, const struct header_pair *pair)
{
	struct json_object *copies = json_object_new_object();

	report_text(copies, "primary", copy_state(pair, 0));
	report_text(copies, "secondary", copy_state(pair, 1));
	json_object_object_add(out, "header_copies", copies);
}

static const char *bounds_of(const struct volume *v, const struct gpt *gpt)
{
	if (!v->state.has_token)
		return "missing";
	return state_token_matches(&v->state.token, gpt, &v->data) ? "match" : "mismatch";
}

static void describe_header(struct json_object *out, const struct volume *v, const struct gpt *gpt)
{
	const struct header_state *state = &v->state;

	report_text(out, "uuid", pair_uuid(&v->pair));
	report_text(out, "cipher", state->cipher);
	report_number(out, "sector_size", state->sector_size);
	report_text(out, "bounds", bounds_of(v, gpt));
	report_text(out, "state", state->converting ? "encrypting" : "protected");
	if (state->converting) {
		report_number(out, "done_bytes", state->at.done);
		report_number(out, "in_doubt_bytes", state->at.hot);
	}
	slots_describe(out, state->root);
}

/* The volume of one header partition; *err says when it could not be unlocked as it stands. */
static struct json_object *describe(const struct gpt *gpt, const struct gpt_partition *header, int *err)
{
	const struct gpt_partition *data = gpt_find_data(gpt, header);
	struct json_object *out = json_object_new_object();
	struct volume v;
	int failed;

	if (data)
		describe_partition(out, gpt, data);
	report_number(out, "header_partition", header->number);
	report_number(out, "header_bytes", gpt_bytes(gpt, header));
	if (!data) {
		report_text(out, "state", "orphan");
		*err = EXITS_FAILED;
		return out;
	}
	failed = volume_open(&v, gpt, data, header, -1, 0);
	describe_copies(out, &v.pair);
	if (failed)
		report_text(out, "state", "unreadable");
	else
		describe_header(out, &v, gpt);
	if (failed || strcmp(bounds_of(&v, gpt), "match"))
		*err = EXITS_FAILED;
	volume_close(&v);
	return out;
}

static void print_state(struct json_object *v)
{
	const char *state = report_get_text(v, "state");
	uint64_t bytes = report_get_number(v, "bytes"), done = report_get_number(v, "done_bytes");

	if (strcmp(state, "encrypting"))
		printf("  state      %s\n", state);
	else
		printf("  state      encrypting, %.1f %% done%s; underseal protect continues\n",
			bytes ? done * 100.0 / bytes : 0,
			report_get_number(v, "in_doubt_bytes") ? ", interrupted inside a zone" : "");
}

static void print_volume(struct json_object *v)
{
	struct json_object *copies = report_get(v, "header_copies");
	char size[16], header_size[16];

	report_bytes(size, report_get_number(v, "bytes"));
	report_bytes(header_size, report_get_number(v, "header_bytes"));
	if (!report_get(v, "partition")) {
		printf("\nheader partition %llu, %s: its data partition is not on this disk\n",
			(unsigned long long)report_get_number(v, "header_partition"), header_size);
		return;
	}
	printf("\npartition %llu, %s%s%s\n", (unsigned long long)report_get_number(v, "partition"), size,
		*report_get_text(v, "name") ? ", " : "", report_get_text(v, "name"));
	print_state(v);
	printf("  header     partition %llu, %s, primary copy %s, secondary copy %s\n",
		(unsigned long long)report_get_number(v, "header_partition"), header_size,
		report_get_text(copies, "primary"), report_get_text(copies, "secondary"));
	if (!report_get(v, "uuid"))
		return;
	printf("  uuid       %s\n", report_get_text(v, "uuid"));
	printf("  cipher     %s, sectors of %llu bytes\n", report_get_text(v, "cipher"),
		(unsigned long long)report_get_number(v, "sector_size"));
	printf("  bounds     %s\n", !strcmp(report_get_text(v, "bounds"), "match")
					    ? "as in the partition table"
					    : "NOT those of the partition table: it will not be unlocked");
	slots_print(v);
}

static void print(struct json_object *root)
{
	struct json_object *volumes = report_get(root, "volumes");
	size_t count = json_object_array_length(volumes);
	char size[16];

	report_bytes(size, report_get_number(root, "bytes"));
	printf("%s: %s, sectors of %llu bytes, %zu protected partition%s\n", report_get_text(root, "target"),
		size, (unsigned long long)report_get_number(root, "lba_size"), count, count == 1 ? "" : "s");
	for (size_t i = 0; i < count; i++)
		print_volume(json_object_array_get_idx(volumes, i));
}

static int run(const struct target *t, struct gpt *gpt, int json)
{
	struct json_object *root, *volumes;
	int err = gpt_open(gpt, t, 0);

	if (err)
		return err;
	root = json_object_new_object();
	volumes = json_object_new_array();
	report_text(root, "target", t->path);
	report_number(root, "bytes", t->bytes);
	report_number(root, "lba_size", t->lba_bytes);
	report_text(root, "disk_guid", gpt->disk_guid);
	json_object_object_add(root, "volumes", volumes);
	for (unsigned i = 0; i < gpt->count; i++)
		if (!strcmp(gpt->partition[i].type, GPT_TYPE_HEADER))
			json_object_array_add(volumes, describe(gpt, &gpt->partition[i], &err));
	if (json)
		report_print(root);
	else
		print(root);
	json_object_put(root);
	return err;
}

int status(const char *path, int json)
{
	struct target t = {.fd = -1};
	struct gpt *gpt = calloc(1, sizeof *gpt);
	int err = gpt ? target_open(&t, path, 0) : EXITS_FAILED;

	if (!err)
		err = run(&t, gpt, json);
	if (gpt)
		gpt_close(gpt);
	free(gpt);
	target_close(&t);
	return err;
}
