#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""killer.py MARK MILLISECONDS COMMAND...: starts the command, waits until its standard error says MARK (a
regular expression; empty: at once), then MILLISECONDS more, and kills it with SIGKILL. Exits with the
command's code when it was faster, else with 137."""
import re
import subprocess
import sys
import time

mark, delay, command = sys.argv[1], float(sys.argv[2]) / 1000, sys.argv[3:]
process = subprocess.Popen(command, stderr=subprocess.PIPE)
text = b""
while mark and not re.search(mark.encode(), text):
    more = process.stderr.read1()
    if not more:
        break
    text += more
end = time.monotonic() + delay
while time.monotonic() < end and process.poll() is None:
    time.sleep(0.0005)
process.kill()
code = process.wait()
text += process.stderr.read()
sys.stderr.buffer.write(text)
sys.exit(137 if code < 0 else code)
