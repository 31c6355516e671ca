#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fio's exec_prerun and exec_postrun: a line on the console at the instants between which the host counts CPU time.
echo "[mark]" >/dev/console
