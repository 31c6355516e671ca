/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that ask the hypervisor beneath this system. */
#ifndef INSTALLER_GUEST_H
#define INSTALLER_GUEST_H

/* `json`: one JSON object instead of a table. Each returns an exit code. */
int guest_status(int json);
int guest_stat(int json);
int guest_log(int json);

#endif
