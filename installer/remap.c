/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/remap.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PCI_CLASS_RAID 0x0104
#define PCI_CLASS_SATA 0x0106

/* The number in the file `directory`/`name`, or 0. */
static unsigned long number_in(const char *directory, const char *name)
{
	char path[PATH_MAX + 64], text[32] = "";
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (!fgets(text, sizeof text, file))
		text[0] = 0;
	fclose(file);
	return strtoul(text, NULL, 0);
}

static int driver_is(const char *directory, const char *driver)
{
	char path[PATH_MAX + 64], target[PATH_MAX];
	const char *name;
	ssize_t length;

	snprintf(path, sizeof path, "%s/driver", directory);
	length = readlink(path, target, sizeof target - 1);
	if (length <= 0)
		return 0;
	target[length] = 0;
	name = strrchr(target, '/');
	return !strcmp(name ? name + 1 : target, driver);
}

static const char *reason_at(const char *directory)
{
	if (driver_is(directory, "vmd"))
		return "is behind an Intel VMD controller; switch VMD off in the firmware setup";
	if (number_in(directory, "class") >> 8 == PCI_CLASS_RAID)
		return "is behind a RAID controller; switch the controller to AHCI in the firmware setup";
	if (number_in(directory, "remapped_nvme"))
		return "shares its controller with remapped NVMe disks; switch RST off in the firmware setup";
	return NULL;
}

/* The controller a disk hangs on is its nearest ancestor with a PCI class; a loop device has none. */
static const char *foreign_controller(const char *directory, int *found)
{
	unsigned long class = number_in(directory, "class") >> 8;

	if (*found || !class)
		return NULL;
	*found = 1;
	if (class == PCI_CLASS_SATA)
		return NULL;
	return "is not on an AHCI (SATA) controller, the only kind that is unlocked at boot";
}

const char *remap_reason(const char *sysfs, const char *node)
{
	char path[PATH_MAX], link[PATH_MAX];
	const char *reason = NULL, *foreign = NULL;
	int found = 0;
	size_t root;

	snprintf(link, sizeof link, "%s/%s", sysfs, node);
	if (!realpath(link, path) || !realpath(sysfs, link))
		return NULL;
	root = strlen(link);
	/* Every ancestor, from the disk up to the root of the tree. */
	while (!reason && strlen(path) > root) {
		reason = reason_at(path);
		if (!foreign)
			foreign = foreign_controller(path, &found);
		*strrchr(path, '/') = 0;
	}
	return reason ? reason : foreign;
}
