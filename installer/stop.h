/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that ask a command to end: it does so at a safe point. */
#ifndef INSTALLER_STOP_H
#define INSTALLER_STOP_H

/* From here on SIGINT, SIGTERM and SIGHUP end a wait for the passphrase, and are noted, instead of killing the process. */
void stop_catch_signals(void);

/* Whether one has come. */
int stop_wanted(void);

#endif
