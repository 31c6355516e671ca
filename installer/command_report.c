/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/commands.h"
#include "installer/exits.h"
#include "installer/guest.h"
#include "installer/status.h"
#include "storage/port.h"
#include <getopt.h>

static const struct option options_table[] = {
	{"json",     no_argument, NULL, 'j'},
	{"previous", no_argument, NULL, 'p'},
	{NULL,	     0,		  NULL, 0	 },
};

struct line {
	int json, previous;
	const char *target;
};

/* Reads the options and at most `most` other words, of which the target is the first. Returns an exit code. */
static int read_line(int count, char **words, int most, int takes_previous, struct line *line)
{
	int option;

	*line = (struct line){0};
	while ((option = getopt_long(count, words, "", options_table, NULL)) >= 0) {
		if (option == 'p' && !takes_previous)
			log_error("%s does not take --previous", words[0]);
		if (option == '?' || (option == 'p' && !takes_previous))
			return EXITS_USAGE;
		line->json |= option == 'j';
		line->previous |= option == 'p';
	}
	if (count - optind > most) {
		log_error("%s does not take \"%s\"", words[0], words[optind + most]);
		return EXITS_USAGE;
	}
	if (optind < count)
		line->target = words[optind];
	return EXITS_OK;
}

int command_status(int count, char **words)
{
	struct line line;
	int err = read_line(count, words, 1, 0, &line);

	if (err)
		return err;
	return line.target ? status(line.target, line.json) : guest_status(line.json);
}

int command_stat(int count, char **words)
{
	struct line line;
	int err = read_line(count, words, 0, 0, &line);

	return err ? err : guest_stat(line.json);
}

int command_log(int count, char **words)
{
	struct line line;
	int err = read_line(count, words, 0, 1, &line);

	return err ? err : guest_log(line.json, line.previous);
}
