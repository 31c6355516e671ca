/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the PCRs hold when the boot program unseals: not what they hold now, for it
 * closes PCR 12 behind itself and more is measured afterwards. The firmware's event log
 * is replayed up to the boot program's own first event; PCR 12 is computed from the
 * policy file.
 */
#ifndef INSTALLER_MEASURED_H
#define INSTALLER_MEASURED_H

#include "keymgmt/tpm2.h"

/* Where the kernel shows the log of this start. */
#define MEASURED_KERNEL_LOG "/sys/kernel/security/tpm0/binary_bios_measurements"

#define MEASURED_PCRS 16 /* PCR 0 to 15; the others are set back by whoever runs, or are not the firmware's */

struct measured_options {
	uint32_t pcrs;		/* bit mask of PCR 0 to 15 */
	const char *event_log;	/* of a start of the computer; NULL: of this one, by this system's kernel */
	const char *policy_file; /* NULL: the one that the log knows of */
};

/*
 * The values. The log of this start must lead to what `tpm` holds; of another one it
 * is told when it does not. Returns an exit code.
 */
int measured_read(struct tpm2_pcrs *pcrs, const struct measured_options *options, struct tpm2 *tpm);

#endif
