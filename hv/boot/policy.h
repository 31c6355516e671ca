/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy file `underseal.conf` beside the program on the ESP. Lines of
 * key=value; blank lines and lines that begin with '#' are skipped.
 *
 *   next=\EFI\systemd\systemd-bootx64.efi   what to start afterwards, on the same ESP;
 *                                           without it the boot option after our own
 *   icr=keep|fast                           keep (default): inter-processor interrupts stay virtualised;
 *                                           fast: only until every CPU was started
 *   debug=0|1                               1: log text to port 0x402 (a PC emulator's debug console)
 *   panic=reset|halt                        reset (default): the machine starts anew after an error of the
 *                                           hypervisor's own; halt: it stands still
 *   tries=1..10                             passphrases, and PINs, asked for per volume, 3 by default
 *   keyboard=us|uk|de|fr|jp                 what is printed on the keys, us by default; F2 changes it where it is asked
 *   allow_weak_tokens=0|1                   1: TPM tokens that do not bind PCR 12 are used as well
 *   escrow=none|required                    required: `underseal protect` keeps the volume key for the holder of a
 *                                           certificate before it encrypts; nothing to the boot program
 *
 * A line that cannot be used is told and its key keeps the default: a slip in the
 * file must not keep a machine from booting.
 */
#ifndef HV_BOOT_POLICY_H
#define HV_BOOT_POLICY_H

#include "hv/boot/layout.h"
#include "hv/core/boot_info.h"
#include <stdbool.h>
#include <stddef.h>

#define POLICY_MAX_BYTES 4096
#define POLICY_MAX_PATH	 255

struct policy {
	char next[POLICY_MAX_PATH + 1]; /* "" when not given */
	enum boot_icr icr;
	enum boot_panic panic;
	bool debug;
	unsigned tries;
	enum layout keyboard;
	bool allow_weak_tokens;
	bool escrow_required;
};

/* Called for every line that cannot be used; line 0 is the file itself. `text` ends a sentence. */
typedef void policy_complaint(void *context, unsigned line, const char *text);

void policy_defaults(struct policy *policy);

/* Sets the defaults, then what the file says. Returns the number of complaints. */
unsigned policy_parse(
	struct policy *policy, const char *text, size_t bytes, policy_complaint *complain, void *context);

#endif
