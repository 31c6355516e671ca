/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks that come while another CPU is at their ports. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "hv/core/backend.h"
#include "hv/core/ioport.h"
#include "tests/core/machine.h"

/* ---- a hook that comes while another CPU accesses its ports, which no hook has ------------------------- */

#define COMES  0x7100u /* where the hook comes */
#define PLACER 0x7200u /* a write here places it */

static enum { PASS_NOT_YET, PASS_BEGUN, PASS_ENDED, PASS_STOP } pass;
static bool ended_before_placed;
static unsigned hooked;

static unsigned pass_is(void)
{
	return __atomic_load_n(&pass, __ATOMIC_SEQ_CST);
}

static void pass_to(unsigned state)
{
	__atomic_store_n(&pass, state, __ATOMIC_SEQ_CST);
}

static void coming_out(void *context, uint16_t port, unsigned size, uint32_t value)
{
	(void)context, (void)port, (void)size, (void)value;
	hooked++;
}

static struct ioport_hook coming = {.name = "coming", .first = COMES, .last = COMES, .out = coming_out};

static void placer_out(void *context, uint16_t port, unsigned size, uint32_t value)
{
	(void)context, (void)port, (void)size;
	while (value && pass_is() == PASS_NOT_YET)
		sched_yield();
	assert_int_equal(ioport_place(&coming, value ? COMES : 1, value ? COMES : 0), 0);
	ended_before_placed = pass_is() == PASS_ENDED;
}

static bool slow_device(bool in, uint16_t port, unsigned size, uint32_t *value)
{
	(void)size, (void)value;
	if (in || port != COMES)
		return false;
	pass_to(PASS_BEGUN);
	usleep(50000);
	pass_to(PASS_ENDED);
	return true;
}

static void *write_past_hooks(void *nothing)
{
	(void)nothing;
	guest_out(1, COMES, 1, 0);
	while (pass_is() != PASS_STOP) {
		if (__atomic_load_n(&cpus[1].nmi_pending, __ATOMIC_SEQ_CST))
			cpu_exit(&cpus[1], VMEXIT_NMI, 0, 0);
		sched_yield();
	}
	return NULL;
}

/* Who places a hook may take it that nobody is on his way to the device any more. */
MACHINE_TEST(test_hook_comes)
{
	static const struct ioport_hook placer = {.name = "placer", .first = PLACER, .last = PLACER, .out = placer_out};
	const struct machine machine = {.cpus = 2};
	pthread_t thread;

	assert_int_equal(machine_start(&machine), 0);
	assert_int_equal(ioport_add(&coming), 0);
	assert_int_equal(ioport_add(&placer), 0);
	guest_out(0, PLACER, 1, 0);
	guest_out(0, COMES, 1, 0);
	assert_int_equal(hooked, 0);
	platform.ports = slow_device;
	cpus_threaded = true;
	assert_int_equal(pthread_create(&thread, NULL, write_past_hooks, NULL), 0);
	guest_out(0, PLACER, 1, 1);
	pass_to(PASS_STOP);
	pthread_join(thread, NULL);
	assert_true(ended_before_placed);
	guest_out(1, COMES, 1, 0);
	assert_int_equal(hooked, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hook_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
