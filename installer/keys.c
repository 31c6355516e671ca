/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/keys.h"
#include "installer/edit.h"
#include "installer/exits.h"
#include "installer/report.h"
#include "installer/slots.h"
#include "installer/stop.h"
#include <json-c/json.h>
#include <stdio.h>

static void report(const struct edit *e, int json)
{
	const struct volume *v = &e->volume;
	struct json_object *root = json_object_new_object();

	report_text(root, "target", e->target.path);
	report_number(root, "partition", v->data.number);
	report_number(root, "header_partition", v->header.number);
	report_text(root, "uuid", pair_uuid(&v->pair));
	slots_describe(root, v->state.root);
	if (json) {
		report_print(root);
	} else {
		printf("%s: partition %u, header in partition %u\n", e->target.path, v->data.number, v->header.number);
		slots_print(root);
	}
	json_object_put(root);
}

int keys_list(const char *target, unsigned partition, int json)
{
	struct edit e = EDIT_NONE;
	int err = edit_open(&e, target, partition);

	if (!err)
		report(&e, json);
	edit_close(&e);
	return err;
}

int keys_edit(const struct keys_options *options, keys_work *work)
{
	struct edit e = EDIT_NONE;
	struct secrets *secrets;
	int err;

	stop_catch_signals();
	secrets = secrets_new();
	err = secrets ? work(&e, options, secrets) : EXITS_FAILED;
	secrets_free(secrets);
	edit_close(&e);
	return err;
}
