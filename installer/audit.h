/* SPDX-License-Identifier: Apache-2.0 */
/* The record of who has taken a key out of escrow: one line of name="value" pairs for each. */
#ifndef INSTALLER_AUDIT_H
#define INSTALLER_AUDIT_H

#include <stddef.h>

#define AUDIT_LINE 4096 /* bytes, with the NUL */

struct audit {
	char line[AUDIT_LINE];
	size_t bytes;
};

/* Begins a line: when, on which host, and which user, by the login and as whom. */
void audit_begin(struct audit *audit);

/* One more pair; what could end the line or the quotes is replaced by '?'. An empty value is left out. */
void audit_add(struct audit *audit, const char *name, const char *value);

/*
 * Sends the line to syslog (authpriv.notice), and appends it durably to `file` unless that
 * is NULL. Returns an exit code: where it cannot be written, no key shall be given out.
 */
int audit_write(const struct audit *audit, const char *file);

#endif
