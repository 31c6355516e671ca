/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/commands.h"
#include "installer/exits.h"
#include "installer/guest.h"
#include "installer/status.h"
#include "storage/port.h"
#include <getopt.h>

static const struct option options_table[] = {
	{"json", no_argument, NULL, 'j'},
	{NULL,   0,		  NULL, 0	 },
};

/* Reads --json and at most `most` other words, of which *target is the first. Returns an exit code. */
static int read_line(int count, char **words, int most, int *json, const char **target)
{
	int option;

	*json = 0;
	*target = NULL;
	while ((option = getopt_long(count, words, "", options_table, NULL)) >= 0) {
		if (option != 'j')
			return EXITS_USAGE;
		*json = 1;
	}
	if (count - optind > most) {
		log_error("%s does not take \"%s\"", words[0], words[optind + most]);
		return EXITS_USAGE;
	}
	if (optind < count)
		*target = words[optind];
	return EXITS_OK;
}

int command_status(int count, char **words)
{
	const char *target;
	int json, err = read_line(count, words, 1, &json, &target);

	if (err)
		return err;
	return target ? status(target, json) : guest_status(json);
}

int command_stat(int count, char **words)
{
	const char *target;
	int json, err = read_line(count, words, 0, &json, &target);

	return err ? err : guest_stat(json);
}

int command_log(int count, char **words)
{
	const char *target;
	int json, err = read_line(count, words, 0, &json, &target);

	return err ? err : guest_log(json);
}
