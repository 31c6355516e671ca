/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/machine.h"
#include "installer/node.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

/* What is not printable cannot be compared on a screen, and must not begin a line of its own. */
static void tidy(char *text)
{
	size_t end = strlen(text);

	while (end && (text[end - 1] == ' ' || text[end - 1] == '\r'))
		text[--end] = 0;
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static void take(char text[MACHINE_TEXT], const char *folder, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	if (node_first_line(path, text, MACHINE_TEXT))
		*text = 0;
	tidy(text);
}

void machine_read(struct machine *m, const char *sysfs, const struct target *target)
{
	char folder[PATH_MAX - 32];

	memset(m, 0, sizeof *m);
	snprintf(folder, sizeof folder, "%s/class/dmi/id", sysfs);
	take(m->vendor, folder, "sys_vendor");
	take(m->product, folder, "product_name");
	take(m->serial, folder, "product_serial");
	take(m->uuid, folder, "product_uuid");
	if (!target->is_block)
		return;
	snprintf(folder, sizeof folder, "%s/dev/block/%u:%u/device", sysfs, major(target->device),
		minor(target->device));
	take(m->disk_model, folder, "model");
	take(m->disk_serial, folder, "serial");
}
