/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/command_tpm2.h"
#include "installer/commands.h"
#include "installer/exits.h"
#include "installer/keys.h"
#include "installer/option.h"
#include "storage/port.h"
#include "storage/volume/luks2.h"
#include <getopt.h>

static const struct option list_options[] = {
	{"partition", required_argument, NULL, 'n'},
	{"json",	 no_argument,	      NULL, 'j'},
	{NULL,	0,		 NULL, 0  },
};

int command_list(int count, char **words)
{
	uint32_t partition = 0;
	int option, json = 0;

	while ((option = getopt_long(count, words, "", list_options, NULL)) >= 0) {
		if (option == '?' || (option == 'n' && option_number("partition", optarg, 1, 256, &partition)))
			return EXITS_USAGE;
		json |= option == 'j';
	}
	if (optind + 1 != count) {
		log_error("list takes one TARGET: a disk or an image file");
		return EXITS_USAGE;
	}
	return keys_list(words[optind], partition, json);
}

enum keys_option {
	OPTION_PASSPHRASE = 256,
	OPTION_RECOVERY_KEY,
	OPTION_TPM2,
	OPTION_PARTITION,
	OPTION_PASSPHRASE_FILE,
	OPTION_NEW_PASSPHRASE_FILE,
	OPTION_PBKDF_MEMORY,
	OPTION_ITER_TIME,
	OPTION_FORCE,
	OPTION_ESCROW,
	OPTION_ESCROW_FILE,
	OPTION_TOKEN,
	OPTION_PKCS11,
};

static const struct option enroll_options[] = {
	{"passphrase",		 no_argument,	      NULL, OPTION_PASSPHRASE	      },
	{"recovery-key",	       no_argument,       NULL, OPTION_RECOVERY_KEY	    },
	{"tpm2",		 no_argument,	      NULL, OPTION_TPM2		      },
	{"tpm2-pcrs",	      required_argument, NULL, OPTION_TPM2_PCRS	  },
	{"tpm2-device",	required_argument, NULL, OPTION_TPM2_DEVICE	},
	{"event-log",	      required_argument, NULL, OPTION_EVENT_LOG	  },
	{"policy-file",	required_argument, NULL, OPTION_POLICY_FILE	},
	{"pin",		no_argument,       NULL, OPTION_PIN		     },
	{"pin-file",	     required_argument, NULL, OPTION_PIN_FILE	       },
	{"partition",	      required_argument, NULL, OPTION_PARTITION	  },
	{"passphrase-file",     required_argument, NULL, OPTION_PASSPHRASE_FILE	   },
	{"new-passphrase-file", required_argument, NULL, OPTION_NEW_PASSPHRASE_FILE},
	{"pbkdf-memory",	 required_argument, NULL, OPTION_PBKDF_MEMORY	     },
	{"iter-time",	      required_argument, NULL, OPTION_ITER_TIME	  },
	{"escrow",		 required_argument, NULL, OPTION_ESCROW	     },
	{"escrow-file",	      required_argument, NULL, OPTION_ESCROW_FILE	  },
	{"pkcs11",		 required_argument, NULL, OPTION_PKCS11	     },
	{NULL,		       0,		  NULL, 0			 },
};

static const struct option remove_options[] = {
	{"partition",       required_argument, NULL, OPTION_PARTITION      },
	{"passphrase-file", required_argument, NULL, OPTION_PASSPHRASE_FILE},
	{"force",	  no_argument,       NULL, OPTION_FORCE	  },
	{"token",	  required_argument, NULL, OPTION_TOKEN	  },
	{NULL,	       0,		  NULL, 0			   },
};

/* Only one kind of key can be made at a time. */
static int take_kind(struct keys_options *o, enum keys_new kind)
{
	if (o->new && o->new != kind) {
		log_error("enroll makes one kind of key at a time");
		return -1;
	}
	o->new = kind;
	return 0;
}

static int take(struct keys_options *o, int option)
{
	switch (option) {
	case OPTION_PASSPHRASE:
		return take_kind(o, KEYS_PASSPHRASE);
	case OPTION_RECOVERY_KEY:
		return take_kind(o, KEYS_RECOVERY);
	case OPTION_TPM2:
		return take_kind(o, KEYS_TPM2);
	case OPTION_PARTITION:
		return option_number("partition", optarg, 1, 256, &o->partition);
	case OPTION_PASSPHRASE_FILE:
		o->passphrase_file = optarg;
		return 0;
	case OPTION_NEW_PASSPHRASE_FILE:
		o->new_passphrase_file = optarg;
		return 0;
	case OPTION_PBKDF_MEMORY:
		return option_number("pbkdf-memory", optarg, 32, 256 << 10, &o->cost.kib);
	case OPTION_ITER_TIME:
		return option_number("iter-time", optarg, 1, 60000, &o->cost.ms);
	case OPTION_FORCE:
		o->force = 1;
		return 0;
	case OPTION_ESCROW:
		return take_kind(o, KEYS_ESCROW) ? -1 : escrow_add(&o->escrow, optarg);
	case OPTION_ESCROW_FILE:
		o->escrow.file = optarg;
		return 0;
	case OPTION_PKCS11:
		o->pkcs11 = optarg;
		return take_kind(o, KEYS_PKCS11);
	case OPTION_PIN_FILE:
		o->pin_file = optarg;
		return command_tpm2_option(&o->tpm2, option);
	case OPTION_TOKEN:
		o->has_token = 1;
		return option_number("token", optarg, 0, KEYS_TOKENS - 1, &o->token);
	}
	return command_tpm2_option(&o->tpm2, option);
}

static int is_standard_input(const char *file)
{
	return file && !strcmp(file, "-");
}

/* Options of a TPM token go with one; it binds PCR 7 and 12 when nothing else is said. */
static int fits_tpm2(struct keys_options *o)
{
	struct tpm2_slot_options *t = &o->tpm2;

	if (o->new != KEYS_TPM2)
		return !t->measured.pcrs && !t->device && !t->measured.event_log && !t->measured.policy_file && !t->pin &&
		       (!t->pin_file || o->new == KEYS_PKCS11);
	if (!t->measured.pcrs)
		t->measured.pcrs = 1u << 7 | 1u << 12;
	t->pin |= !!t->pin_file;
	return 1;
}

static int run_enroll(const struct keys_options *o)
{
	switch (o->new) {
	case KEYS_ESCROW:
		return keys_escrow(o);
	case KEYS_PKCS11:
		return keys_pkcs11(o);
	default:
		return keys_enroll(o);
	}
}

int command_enroll(int count, char **words)
{
	struct keys_options o = {0};
	int option;

	while ((option = getopt_long(count, words, "", enroll_options, NULL)) >= 0)
		if (take(&o, option))
			return EXITS_USAGE;
	if (optind + 1 != count)
		log_error("enroll takes one TARGET: a disk or an image file");
	else if (!o.new)
		log_error("what shall be enrolled? Give --passphrase, --recovery-key, --tpm2, --pkcs11 URI or --escrow CERT");
	else if (o.new != KEYS_TPM2 && o.new != KEYS_PKCS11 && o.pin_file)
		log_error("--pin-file goes with --tpm2 and --pkcs11");
	else if (!fits_tpm2(&o))
		log_error("--tpm2-pcrs, --tpm2-device, --event-log, --policy-file and --pin go with --tpm2");
	else if (o.new == KEYS_RECOVERY && o.new_passphrase_file)
		log_error("--new-passphrase-file goes with --passphrase: a recovery key is made, not given");
	else if (o.escrow.file && o.new != KEYS_ESCROW)
		log_error("--escrow-file goes with --escrow");
	else if (is_standard_input(o.passphrase_file) && is_standard_input(o.new_passphrase_file))
		log_error("only one of the two passphrases can come from standard input");
	else {
		o.target = words[optind];
		return run_enroll(&o);
	}
	return EXITS_USAGE;
}

int command_remove(int count, char **words)
{
	struct keys_options o = {0};
	int option;

	while ((option = getopt_long(count, words, "", remove_options, NULL)) >= 0)
		if (take(&o, option))
			return EXITS_USAGE;
	if (optind + 2 - o.has_token != count) {
		log_error("remove takes a TARGET, which is a disk or an image file, and the number of a key slot, or "
			  "--token N");
		return EXITS_USAGE;
	}
	o.target = words[optind];
	if (o.has_token)
		return keys_remove_token(&o);
	if (number_read(words[optind + 1], 0, LUKS2_KEYSLOTS - 1, &o.slot)) {
		log_error("a key slot has a number from 0 to %d, not \"%s\"", LUKS2_KEYSLOTS - 1, words[optind + 1]);
		return EXITS_USAGE;
	}
	return keys_remove(&o);
}
