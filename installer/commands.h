/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands: each reads its part of the command line, words[0] being its own
 * name, and calls the module that does the work. Each returns an exit code.
 */
#ifndef INSTALLER_COMMANDS_H
#define INSTALLER_COMMANDS_H

int command_protect(int count, char **words);
int command_status(int count, char **words);
int command_list(int count, char **words);
int command_enroll(int count, char **words);
int command_reseal(int count, char **words);
int command_remove(int count, char **words);
int command_escrow(int count, char **words);
int command_rotate(int count, char **words);
int command_stat(int count, char **words);
int command_log(int count, char **words);
int command_lock(int count, char **words);

#endif
