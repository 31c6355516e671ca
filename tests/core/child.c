/* SPDX-License-Identifier: Apache-2.0 */
/* A test in a process of its own: the core starts once, and some tests end its machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/core/machine.h"

/* cmocka's longjmp would go on with the other tests in the child: it aborts there instead. */
void machine_child(void (*body)(void))
{
	int status;
	pid_t child = fork();

	if (!child) {
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		body();
		exit(0);
	}
	assert_true(child > 0 && waitpid(child, &status, 0) == child);
	assert_int_equal(status, 0);
}
