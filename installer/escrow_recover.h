/* SPDX-License-Identifier: Apache-2.0 */
/* `underseal escrow recover`: what the holder of a certificate does with an escrow file. */
#ifndef INSTALLER_ESCROW_RECOVER_H
#define INSTALLER_ESCROW_RECOVER_H

#include <stdint.h>

struct recover_options {
	const char *file;
	const char *target; /* NULL: no disk at hand */
	uint32_t partition; /* of target; 0: the only protected one */
	const char *pkcs11; /* URI of the token with the private key */
	const char *pin_file;	 /* NULL: ask */
	const char *certificate; /* of a key that has none on the token; or NULL */
	const char *audit_log;	 /* or NULL: syslog alone */
	int print_volume_key;
};

/*
 * With a target: makes a recovery key for it and shows it once. Without: shows the
 * volume key when that is asked for by name, or else says what the file is for and what
 * is missing. A line is written to the audit log before a key is given out. Returns an
 * exit code.
 */
int escrow_recover(const struct recover_options *options);

#endif
