/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/command_tpm2.h"
#include "installer/commands.h"
#include "installer/exits.h"
#include "installer/keys.h"
#include "installer/option.h"
#include "storage/port.h"
#include "storage/volume/luks2.h"
#include <getopt.h>
#include <stdlib.h>

/* "7+12" or "7,12" */
static int read_pcrs(const char *text, uint32_t *mask)
{
	char *end;

	*mask = 0;
	do {
		unsigned long pcr = strtoul(text, &end, 10);

		if (end == text || *text < '0' || *text > '9' || pcr >= MEASURED_PCRS) {
			log_error("--tpm2-pcrs takes numbers from 0 to %d, as 7+12", MEASURED_PCRS - 1);
			return -1;
		}
		*mask |= 1u << pcr;
		text = end + 1;
	} while (*end == '+' || *end == ',');
	if (!*end)
		return 0;
	log_error("--tpm2-pcrs takes numbers with + between them, as 7+12");
	return -1;
}

int command_tpm2_option(struct tpm2_slot_options *o, int option)
{
	switch (option) {
	case OPTION_TPM2_PCRS:
		return read_pcrs(optarg, &o->measured.pcrs);
	case OPTION_TPM2_DEVICE:
		o->device = optarg;
		return 0;
	case OPTION_EVENT_LOG:
		o->measured.event_log = optarg;
		return 0;
	case OPTION_POLICY_FILE:
		o->measured.policy_file = optarg;
		return 0;
	case OPTION_PIN:
		o->pin = 1;
		return 0;
	case OPTION_PIN_FILE:
		o->pin_file = optarg;
		return 0;
	}
	return -1;
}

enum { OPTION_PARTITION = 1, OPTION_PASSPHRASE_FILE, OPTION_SLOT };

static const struct option reseal_options[] = {
	{"partition",       required_argument, NULL, OPTION_PARTITION      },
	{"passphrase-file", required_argument, NULL, OPTION_PASSPHRASE_FILE},
	{"slot",		 required_argument, NULL, OPTION_SLOT	   },
	{"tpm2-device",     required_argument, NULL, OPTION_TPM2_DEVICE    },
	{"event-log",       required_argument, NULL, OPTION_EVENT_LOG      },
	{"policy-file",     required_argument, NULL, OPTION_POLICY_FILE    },
	{"pin-file",	       required_argument, NULL, OPTION_PIN_FILE       },
	{NULL,	       0,		  NULL, 0			   },
};

static int take(struct keys_options *o, int option)
{
	switch (option) {
	case OPTION_PARTITION:
		return option_number("partition", optarg, 1, 256, &o->partition);
	case OPTION_PASSPHRASE_FILE:
		o->passphrase_file = optarg;
		return 0;
	case OPTION_SLOT:
		o->slot_given = 1;
		return option_number("slot", optarg, 0, LUKS2_KEYSLOTS - 1, &o->slot);
	default:
		return command_tpm2_option(&o->tpm2, option);
	}
}

int command_reseal(int count, char **words)
{
	struct keys_options o = {0};
	int option;

	while ((option = getopt_long(count, words, "", reseal_options, NULL)) >= 0)
		if (take(&o, option))
			return EXITS_USAGE;
	if (optind + 1 != count) {
		log_error("reseal takes one TARGET: a disk or an image file");
		return EXITS_USAGE;
	}
	o.target = words[optind];
	return keys_reseal(&o);
}
