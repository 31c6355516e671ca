/* SPDX-License-Identifier: Apache-2.0 */
/* What the log gets of a CPU that panics. */
#ifndef HV_CORE_CRASH_DUMP_H
#define HV_CORE_CRASH_DUMP_H

/*
 * To the log: this CPU and the exit it handles, the guest's registers, the host's
 * and the way its calls went when an exception of the host led here, the last exits
 * of this CPU, and where the others are. General registers only: vector registers
 * hold round keys. On a host stack, the other CPUs stopped.
 */
void crash_dump(void);

#endif
