/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads on one processor that work by turns of some milliseconds, for what each of
 * them costs to be held against the others': what changes on the machine meanwhile,
 * changes for all. One that waits sleeps.
 */
#ifndef BENCH_NATIVE_BATON_H
#define BENCH_NATIVE_BATON_H

/* `member`, below 32, will take turns; before any of them does. */
void baton_join(unsigned member);
/* Goes on while it is the member's turn; otherwise when it is again. */
void baton_take(unsigned member);
void baton_leave(unsigned member);

#endif
