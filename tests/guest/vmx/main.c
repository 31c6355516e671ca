/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/vmx/vmx.h"

void guest_main(void)
{
	if (!vmx_present())
		guest_fail("no VT-x");
	cpus_start();
	theme_interrupts();
	theme_starts();
	theme_spurious();
	guest_end(true);
}
