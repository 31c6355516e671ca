/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/commands.h"
#include "installer/exits.h"
#include "installer/guest.h"
#include "storage/port.h"
#include <errno.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

/* The hypervisor wipes its keys when the system asks for the power to be cut (hv/core/power.c). */
int command_lock(int count, char **words)
{
	struct guest_info info;
	int err;

	if (count > 1) {
		log_error("%s does not take \"%s\"", words[0], words[1]);
		return EXITS_USAGE;
	}
	err = guest_read_info(&info);
	if (err)
		return err;
	/* Nothing acknowledged may be lost: what programs have written goes to the disks first. */
	sync();
	if (reboot(RB_POWER_OFF)) {
		log_error("the computer cannot be turned off: %s%s", strerror(errno), errno == EPERM ? "; be root" : "");
		return EXITS_FAILED;
	}
	return EXITS_OK;
}
