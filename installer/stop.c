/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/stop.h"
#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t wanted;

static void want_stop(int number)
{
	(void)number;
	wanted = 1;
}

void stop_catch_signals(void)
{
	struct sigaction action = {.sa_handler = want_stop};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

int stop_wanted(void)
{
	return wanted;
}
