/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/remap.h"
#include "installer/node.h"
#include "storage/ata/supported.h"
#include "storage/nvme/nvme.h"
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PCI_CLASS_RAID 0x0104
#define PCI_CLASS_IDE  0x0101
#define PCI_CLASS_SATA 0x0106
#define PCI_CLASS_NVME 0x010802 /* with its interface, I/O controller */

/* The first line of the file `directory`/`name` into `text`, empty when there is none. */
static void text_in(const char *directory, const char *name, char text[32])
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	if (node_first_line(path, text, 32))
		text[0] = 0;
}

/* The number in the file `directory`/`name`, or 0. */
static unsigned long number_in(const char *directory, const char *name)
{
	char text[32];

	text_in(directory, name, text);
	return strtoul(text, NULL, 0);
}

/* Whether the file `directory`/`name` is there and says something else than `text`. */
static int differs(const char *directory, const char *name, const char *text)
{
	char found[32];

	text_in(directory, name, found);
	return *found && strcmp(found, text);
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
	if (differs(directory, "transport", "pcie"))
		return "is an NVMe disk that is not attached by PCI Express, which is not unlocked at boot";
	return NULL;
}

/* What of the disk itself the hypervisor does not follow. */
static const char *reason_of_disk(const char *directory)
{
	unsigned long sector = number_in(directory, "queue/logical_block_size");

	if (sector && sector != 512 && sector != 4096)
		return "has sectors of neither 512 nor 4096 bytes";
	if (differs(directory, "queue/zoned", "none"))
		return "is a zoned disk, which is not unlocked at boot";
	if (number_in(directory, "metadata_bytes") || differs(directory, "integrity/format", "none"))
		return "keeps metadata beside each sector (protection information), which would not be encrypted; "
		       "format it without";
	if (number_in(directory, "nsid") > NVME_NAMESPACES)
		return "is a namespace beyond the first 16 of its controller, which is not unlocked at boot";
	return NULL;
}

/* The controller a disk hangs on is its nearest ancestor with a PCI class; a loop device has none. */
static const char *foreign_controller(const char *directory, int *found)
{
	unsigned long class = number_in(directory, "class");

	if (*found || !class)
		return NULL;
	*found = 1;
	if (class >> 8 == PCI_CLASS_IDE)
		return ata_controller_refusal(
			(uint16_t)number_in(directory, "vendor"), (uint16_t)number_in(directory, "device"));
	if (class >> 8 == PCI_CLASS_SATA || class == PCI_CLASS_NVME)
		return NULL;
	return "is on neither an AHCI (SATA), an IDE nor an NVMe controller, the only kinds that are unlocked at boot";
}

/*
 * Where several controllers may share a namespace the kernel makes one virtual
 * disk of it, below the subsystem, which links to the controllers. `path` becomes
 * that of the only one; 0, or -1 when there are more or none.
 */
static int follow_subsystem(char path[PATH_MAX])
{
	char controller[PATH_MAX + NAME_MAX + 2];
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	*strrchr(path, '/') = 0;
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "nvme", 4) && isdigit((unsigned char)entry->d_name[4]) &&
			!entry->d_name[4 + strspn(entry->d_name + 4, "0123456789")]) {
			snprintf(controller, sizeof controller, "%s/%s", path, entry->d_name);
			count++;
		}
	if (dir)
		closedir(dir);
	return count == 1 && realpath(controller, path) ? 0 : -1;
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
	reason = reason_of_disk(path);
	if (strstr(path + root, "/nvme-subsystem/") && follow_subsystem(path))
		return "is an NVMe disk that is reached over several controllers; they are not followed together";
	/* Every ancestor, from the disk up to the root of the tree. */
	while (!reason && strlen(path) > root) {
		reason = reason_at(path);
		if (!foreign)
			foreign = foreign_controller(path, &found);
		*strrchr(path, '/') = 0;
	}
	return reason ? reason : foreign;
}
