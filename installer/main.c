/* SPDX-License-Identifier: Apache-2.0 */
/* The underseal command: reads the command line and calls what it names. */
#include "installer/exits.h"
#include "installer/protect.h"
#include "storage/crypt/xts.h"
#include "storage/port.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

static const char help_text[] = "Usage: underseal protect TARGET --partition N --offline [OPTION...]\n"
				"       underseal --help | --version\n";

enum option_number {
	OPTION_PARTITION = 256,
	OPTION_OFFLINE,
	OPTION_PASSPHRASE_FILE,
	OPTION_SECTOR_SIZE,
	OPTION_HEADER_SIZE,
	OPTION_ZONE_SIZE,
	OPTION_PBKDF_MEMORY,
	OPTION_ITER_TIME,
};

static const struct option protect_options_table[] = {
	{"partition",	      required_argument, NULL, OPTION_PARTITION      },
	{"offline",	    no_argument,	 NULL, OPTION_OFFLINE	     },
	{"passphrase-file", required_argument, NULL, OPTION_PASSPHRASE_FILE},
	{"sector-size",	required_argument, NULL, OPTION_SECTOR_SIZE	   },
	{"header-size",	required_argument, NULL, OPTION_HEADER_SIZE	   },
	{"zone-size",	      required_argument, NULL, OPTION_ZONE_SIZE      },
	{"pbkdf-memory",	 required_argument, NULL, OPTION_PBKDF_MEMORY   },
	{"iter-time",	      required_argument, NULL, OPTION_ITER_TIME      },
	{NULL,	       0,		  NULL, 0			 },
};

/* A decimal number in [least, most], or -1 after an error line. */
static long long number(const char *option, const char *text, long long least, long long most)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (!errno && end != text && !*end && value >= least && value <= most)
		return value;
	log_error("--%s takes a number from %lld to %lld, not \"%s\"", option, least, most, text);
	return -1;
}

static int main_protect(int count, char **words)
{
	struct protect_options o = {0};
	long long value = 0;
	int option, which;

	while (value >= 0 && (option = getopt_long(count, words, "", protect_options_table, &which)) >= 0) {
		const char *name = option == '?' ? "" : protect_options_table[which].name;

		switch (option) {
		case OPTION_PARTITION:
			value = number(name, optarg, 1, 256);
			o.partition = value;
			break;
		case OPTION_OFFLINE:
			o.offline = 1;
			break;
		case OPTION_PASSPHRASE_FILE:
			o.passphrase_file = optarg;
			break;
		case OPTION_SECTOR_SIZE:
			value = number(name, optarg, 512, 4096);
			o.sector_size = value;
			break;
		case OPTION_HEADER_SIZE:
			value = number(name, optarg, 1, 128);
			o.header_bytes = value << 20;
			break;
		case OPTION_ZONE_SIZE:
			value = number(name, optarg, 1, 1024);
			o.zone_bytes = value << 20;
			break;
		case OPTION_PBKDF_MEMORY:
			value = number(name, optarg, 32, 256 << 10);
			o.pbkdf_kib = value;
			break;
		case OPTION_ITER_TIME:
			value = number(name, optarg, 1, 60000);
			o.iter_ms = value;
			break;
		default:
			return EXITS_USAGE;
		}
	}
	if (value < 0)
		return EXITS_USAGE;
	if (o.sector_size && o.sector_size != 512 && o.sector_size != 4096) {
		log_error("--sector-size is 512 or 4096");
		return EXITS_USAGE;
	}
	if (optind + 1 != count) {
		log_error("protect takes one TARGET: a disk or an image file");
		return EXITS_USAGE;
	}
	o.target = words[optind];
	return protect(&o);
}

int main(int count, char **words)
{
	/* No core file and no debugger: the process holds a volume key. */
	prctl(PR_SET_DUMPABLE, 0);
	if (count < 2) {
		fputs(help_text, stderr);
		return EXITS_USAGE;
	}
	if (!strcmp(words[1], "--help")) {
		fputs(help_text, stdout);
		return EXITS_OK;
	}
	if (!strcmp(words[1], "--version")) {
		puts("underseal " UNDERSEAL_VERSION);
		return EXITS_OK;
	}
	if (xts_self_test()) {
		log_error("the cipher's self test failed on this processor");
		return EXITS_FAILED;
	}
	if (!strcmp(words[1], "protect"))
		return main_protect(count - 1, words + 1);
	log_error("there is no command \"%s\"; try underseal --help", words[1]);
	return EXITS_USAGE;
}
