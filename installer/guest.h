/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that ask the hypervisor beneath this system. */
#ifndef INSTALLER_GUEST_H
#define INSTALLER_GUEST_H

/* `json`: one JSON object instead of a table. Each returns an exit code. */
int guest_status(int json);
int guest_stat(int json);

/* `previous`: the log of the start before this one, and how it ended. */
int guest_log(int json, int previous);

struct guest_info {
	unsigned major, minor, patch;
	char backend[9];
	unsigned cpus, volumes, reserved_mib;
	int icr_fast;
};

/* Whether this system runs above underseal. */
int guest_is_beneath(void);

/* Asks who is beneath; an exit code, and a sentence on standard error when nobody is. */
int guest_read_info(struct guest_info *info);

/* A sentence for an answer that makes no sense; the exit code. */
int guest_protocol_error(const char *what);

#endif
