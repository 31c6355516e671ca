/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/esp_policy.h"
#include "hv/boot/policy.h"
#include "installer/durable.h"
#include "installer/exits.h"
#include "installer/fat.h"
#include "storage/port.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a walk through \EFI is. */
struct walk {
	const struct fat *fat;
	char directory[FAT_NAME];
	int *required;
};

static void complain(void *context, unsigned line, const char *text)
{
	if (line)
		log_warning("%s, line %u: %s", (const char *)context, line, text);
	else
		log_warning("%s: %s", (const char *)context, text);
}

static void take(const char *text, size_t bytes, const char *name, int *required)
{
	struct policy policy;

	policy_parse(&policy, text, bytes, complain, (void *)name);
	*required |= policy.escrow_required;
}

static int visit_file(void *context, const struct fat_entry *entry)
{
	struct walk *w = context;
	char text[POLICY_MAX_BYTES + 1], name[FAT_NAME + 32];
	long bytes;

	if (entry->is_directory || !fat_same_name(entry->name, "underseal.conf"))
		return 0;
	bytes = fat_read(w->fat, entry, text, sizeof text);
	if (bytes < 0)
		return -1;
	snprintf(name, sizeof name, "\\EFI\\%s\\underseal.conf", w->directory);
	take(text, bytes, name, w->required);
	return 0;
}

static int visit_directory(void *context, const struct fat_entry *entry)
{
	struct walk *w = context;

	if (!entry->is_directory || *entry->name == '.')
		return 0;
	memcpy(w->directory, entry->name, sizeof w->directory);
	return fat_list(w->fat, entry, visit_file, w);
}

static int visit_root(void *context, const struct fat_entry *entry)
{
	struct walk *w = context;

	if (!entry->is_directory || !fat_same_name(entry->name, "EFI"))
		return 0;
	return fat_list(w->fat, entry, visit_directory, w);
}

static int read_esp(const struct target *target, const struct gpt *gpt, const struct gpt_partition *esp, int *required)
{
	struct fat fat;
	struct walk walk = {.fat = &fat, .required = required};

	if (fat_open(&fat, target, gpt_offset(gpt, esp), gpt_bytes(gpt, esp))) {
		log_warning("partition %u is an EFI system partition without a FAT file system: no policy is read",
			esp->number);
		return EXITS_OK;
	}
	if (!fat_list(&fat, NULL, visit_root, &walk))
		return EXITS_OK;
	log_error("the policy on the EFI system partition %u cannot be read: its file system is damaged; --policy-file "
		  "names another file",
		esp->number);
	return EXITS_REFUSED;
}

static int read_file(const char *file, int *required)
{
	size_t bytes;
	char *text = durable_read(file, 2 * POLICY_MAX_BYTES, &bytes);

	if (!text)
		return EXITS_FAILED;
	take(text, bytes, file, required);
	free(text);
	return EXITS_OK;
}

int esp_policy_escrow(const struct target *target, const struct gpt *gpt, const char *file, int *required)
{
	int err = EXITS_OK;

	*required = 0;
	if (file)
		return read_file(file, required);
	for (unsigned i = 0; !err && i < gpt->count; i++)
		if (!strcmp(gpt->partition[i].type, GPT_TYPE_ESP))
			err = read_esp(target, gpt, &gpt->partition[i], required);
	return err;
}
