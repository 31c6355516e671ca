/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/commands.h"
#include "installer/exits.h"
#include "installer/option.h"
#include "installer/protect.h"
#include "storage/crypt/xts.h"
#include "storage/port.h"
#include <getopt.h>

enum option_number {
	OPTION_PARTITION = 256,
	OPTION_OFFLINE,
	OPTION_PASSPHRASE_FILE,
	OPTION_SECTOR_SIZE,
	OPTION_HEADER_SIZE,
	OPTION_ZONE_SIZE,
	OPTION_PBKDF_MEMORY,
	OPTION_ITER_TIME,
	OPTION_ESCROW,
	OPTION_ESCROW_FILE,
	OPTION_POLICY_FILE,
};

static const struct option options_table[] = {
	{"partition",	      required_argument, NULL, OPTION_PARTITION      },
	{"offline",	    no_argument,	 NULL, OPTION_OFFLINE	     },
	{"passphrase-file", required_argument, NULL, OPTION_PASSPHRASE_FILE},
	{"sector-size",	required_argument, NULL, OPTION_SECTOR_SIZE	   },
	{"header-size",	required_argument, NULL, OPTION_HEADER_SIZE	   },
	{"zone-size",	      required_argument, NULL, OPTION_ZONE_SIZE      },
	{"pbkdf-memory",	 required_argument, NULL, OPTION_PBKDF_MEMORY   },
	{"iter-time",	      required_argument, NULL, OPTION_ITER_TIME      },
	{"escrow",		 required_argument, NULL, OPTION_ESCROW	     },
	{"escrow-file",	      required_argument, NULL, OPTION_ESCROW_FILE  },
	{"policy-file",	      required_argument, NULL, OPTION_POLICY_FILE  },
	{NULL,	       0,		  NULL, 0			 },
};

static int take(struct protect_options *o, int option, const char *name)
{
	uint32_t mib = 0;
	int err;

	switch (option) {
	case OPTION_PARTITION:
		return option_number(name, optarg, 1, 256, &o->partition);
	case OPTION_OFFLINE:
		o->offline = 1;
		return 0;
	case OPTION_PASSPHRASE_FILE:
		o->passphrase_file = optarg;
		return 0;
	case OPTION_SECTOR_SIZE:
		err = option_number(name, optarg, 512, 4096, &o->sector_size);
		if (err || o->sector_size == 512 || o->sector_size == 4096)
			return err;
		log_error("--sector-size is 512 or 4096");
		return -1;
	case OPTION_HEADER_SIZE:
		err = option_number(name, optarg, 1, 128, &mib);
		o->header_bytes = (uint64_t)mib << 20;
		return err;
	case OPTION_ZONE_SIZE:
		err = option_number(name, optarg, 1, 1024, &mib);
		o->zone_bytes = (uint64_t)mib << 20;
		return err;
	case OPTION_PBKDF_MEMORY:
		return option_number(name, optarg, 32, 256 << 10, &o->pbkdf_kib);
	case OPTION_ITER_TIME:
		return option_number(name, optarg, 1, 60000, &o->iter_ms);
	case OPTION_ESCROW:
		return escrow_add(&o->escrow, optarg);
	case OPTION_ESCROW_FILE:
		o->escrow.file = optarg;
		return 0;
	case OPTION_POLICY_FILE:
		o->policy_file = optarg;
		return 0;
	}
	return -1;
}

int command_protect(int count, char **words)
{
	struct protect_options o = {0};
	int option, which = 0;

	while ((option = getopt_long(count, words, "", options_table, &which)) >= 0)
		if (take(&o, option, options_table[which].name))
			return EXITS_USAGE;
	if (optind + 1 != count) {
		log_error("protect takes one TARGET: a disk or an image file");
		return EXITS_USAGE;
	}
	if (o.escrow.file && !o.escrow.count) {
		log_error("--escrow-file goes with --escrow");
		return EXITS_USAGE;
	}
	o.target = words[optind];
	if (xts_self_test()) {
		log_error("the cipher's self test fails on this processor");
		return EXITS_FAILED;
	}
	return protect(&o);
}
