/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/commands.h"
#include "installer/exits.h"
#include "installer/keys.h"
#include "installer/option.h"
#include "storage/port.h"
#include <getopt.h>

static const struct option rotate_options[] = {
	{"partition",	      required_argument, NULL, 'n'},
	{"passphrase-file", required_argument, NULL, 'p'},
	{"escrow",		 required_argument, NULL, 'e'},
	{"escrow-file",	      required_argument, NULL, 'f'},
	{NULL,	       0,		  NULL, 0  },
};

static int take(struct keys_options *o, int option)
{
	switch (option) {
	case 'n':
		return option_number("partition", optarg, 1, 256, &o->partition);
	case 'p':
		o->passphrase_file = optarg;
		return 0;
	case 'e':
		return escrow_add(&o->escrow, optarg);
	case 'f':
		o->escrow.file = optarg;
		return 0;
	}
	return -1;
}

int command_rotate(int count, char **words)
{
	struct keys_options o = {0};
	int option;

	while ((option = getopt_long(count, words, "", rotate_options, NULL)) >= 0)
		if (take(&o, option))
			return EXITS_USAGE;
	if (optind + 1 != count)
		log_error("rotate takes one TARGET: a disk or an image file");
	else if (o.escrow.file && !o.escrow.count)
		log_error("--escrow-file goes with --escrow");
	else {
		o.target = words[optind];
		return keys_rotate(&o);
	}
	return EXITS_USAGE;
}
