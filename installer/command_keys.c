/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/commands.h"
#include "installer/exits.h"
#include "installer/keys.h"
#include "installer/option.h"
#include "storage/port.h"
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
