/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/commands.h"
#include "installer/escrow_recover.h"
#include "installer/exits.h"
#include "installer/option.h"
#include "storage/port.h"
#include <getopt.h>
#include <string.h>

enum escrow_option {
	OPTION_PKCS11 = 256,
	OPTION_PIN_FILE,
	OPTION_CERTIFICATE,
	OPTION_PARTITION,
	OPTION_AUDIT_LOG,
	OPTION_PRINT_VOLUME_KEY,
};

static const struct option recover_table[] = {
	{"pkcs11",	       required_argument, NULL, OPTION_PKCS11	     },
	{"pin-file",	 required_argument, NULL, OPTION_PIN_FILE	  },
	{"certificate",      required_argument, NULL, OPTION_CERTIFICATE     },
	{"partition",	      required_argument, NULL, OPTION_PARTITION	},
	{"audit-log",	      required_argument, NULL, OPTION_AUDIT_LOG	},
	{"print-volume-key", no_argument,	  NULL, OPTION_PRINT_VOLUME_KEY},
	{NULL,	       0,		  NULL, 0			 },
};

static int take(struct recover_options *o, int option)
{
	switch (option) {
	case OPTION_PKCS11:
		o->pkcs11 = optarg;
		return 0;
	case OPTION_PIN_FILE:
		o->pin_file = optarg;
		return 0;
	case OPTION_CERTIFICATE:
		o->certificate = optarg;
		return 0;
	case OPTION_PARTITION:
		return option_number("partition", optarg, 1, 256, &o->partition);
	case OPTION_AUDIT_LOG:
		o->audit_log = optarg;
		return 0;
	case OPTION_PRINT_VOLUME_KEY:
		o->print_volume_key = 1;
		return 0;
	}
	return -1;
}

static int command_recover(int count, char **words)
{
	struct recover_options o = {0};
	int option;

	while ((option = getopt_long(count, words, "", recover_table, NULL)) >= 0)
		if (take(&o, option))
			return EXITS_USAGE;
	if (count - optind < 1 || count - optind > 2)
		log_error("escrow recover takes an escrow FILE and, to make a recovery key for it, a TARGET");
	else if (!o.pkcs11)
		log_error("--pkcs11 URI is missing: on which smartcard or HSM is the private key?");
	else if (o.print_volume_key && count - optind == 2)
		log_error("--print-volume-key is for when there is no TARGET");
	else {
		o.file = words[optind];
		o.target = words[optind + 1]; /* NULL behind the last word */
		return escrow_recover(&o);
	}
	return EXITS_USAGE;
}

int command_escrow(int count, char **words)
{
	if (count > 1 && !strcmp(words[1], "recover"))
		return command_recover(count - 1, words + 1);
	log_error("escrow takes the word recover");
	return EXITS_USAGE;
}
