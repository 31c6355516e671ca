/* SPDX-License-Identifier: Apache-2.0 */
/* The themes, one after the other, or those of the option `themes` (names apart by commas). With `disk=0` no disk is used. */
#include "tests/guest/conform/conform.h"

static const struct {
	const char *name;
	void (*run)(void);
} themes[] = {
	{"cpuid", theme_cpuid},
	{"msrs", theme_msrs},
	{"debug", theme_debug},
	{"mmio", theme_mmio},
	{"exceptions", theme_exceptions},
	{"strings", theme_strings},
	{"clock", theme_clock},
	{"paging", theme_paging},
	{"fpu", theme_fpu},
	{"halt", theme_halt},
	{"system", theme_system},
	{"code", theme_code},
	{"interrupts", theme_interrupts},
	{"startup", theme_startup},
	{"tasks", theme_tasks},
};

static bool wanted(const char *name)
{
	const char *list = option("themes");
	size_t length = strlen(name);

	if (!list)
		return true;
	for (; *list; list++)
		if (!strncmp(list, name, length) && (!list[length] || list[length] == ','))
			return true;
	return false;
}

void guest_main(void)
{
	if (machine.cpus > 1)
		cpus_start();
	for (unsigned i = 0; i < sizeof(themes) / sizeof(themes[0]); i++)
		if (wanted(themes[i].name)) {
			print("[%s]\n", themes[i].name);
			stage_set(false);
			themes[i].run();
		}
	guest_end(true);
}
