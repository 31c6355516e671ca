/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exit codes of the underseal command, as its manual lists them. Every
 * function of installer/ that can fail returns one of these, after it has told a
 * person why through log_error.
 */
#ifndef INSTALLER_EXITS_H
#define INSTALLER_EXITS_H

enum exits {
	EXITS_OK = 0,
	EXITS_FAILED = 1,      /* an I/O error, a damaged header, no memory */
	EXITS_USAGE = 2,       /* the command line makes no sense */
	EXITS_REFUSED = 3,     /* it would be unsafe, or there is no room; nothing was changed */
	EXITS_PASSPHRASE = 4,  /* wrong passphrase */
	EXITS_NOT_BENEATH = 5, /* this system does not run above underseal */
	EXITS_STOPPED = 6,     /* interrupted at a safe point; the same command continues */
};

#endif
