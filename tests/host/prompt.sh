#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The passphrase on a terminal: asked twice without echo, and the terminal is left as it was. The progress bar.
source tests/host/common.bash
$mkgpt disk 26 512 linux:17408:-
cp disk original
/usr/bin/python3 - "$underseal" <<'END'
import os
import pty
import signal
import sys
import termios

COMMAND = [sys.argv[1], "protect", "disk", "--partition", "1", "--offline", "--pbkdf-memory", "64", "--iter-time", "1"]


def talk(*lines):
    """Runs the command on a terminal, answers each prompt with a line (None: Ctrl-C); its text and exit code."""
    child, terminal = pty.fork()
    if not child:
        os.execv(COMMAND[0], COMMAND)
    text, answered = b"", 0
    while True:
        try:
            more = os.read(terminal, 4096)
        except OSError:
            break
        if not more:
            break
        text += more
        while answered < min(len(lines), text.count(b"assphrase: ") + text.count(b"again: ")):
            assert not termios.tcgetattr(terminal)[3] & termios.ECHO, "echo is on"
            line = lines[answered]
            os.write(terminal, b"\x03" if line is None else line + b"\n")
            answered += 1
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert termios.tcgetattr(terminal)[3] & termios.ECHO, "the terminal is left without echo"
    for line in lines:
        assert not line or line not in text, f"{line} was echoed"
    return code, text.decode()


code, text = talk(b"one thing", b"another thing")
assert code == 1 and "the two passphrases differ" in text, (code, text)
code, text = talk(b"")
assert code == 1 and "passphrase is empty" in text, (code, text)
code, text = talk(None)
assert code == 1 and "no passphrase was typed" in text, (code, text)
code, text = talk(b"correct horse", b"correct horse")
assert code == 0 and "[##############################] 100 %" in text, (code, text)
assert "New passphrase: " in text and "The same again: " in text
print("four conversations, nothing echoed")
END
$judge disk original 1 pass 512

echo "== an image that belongs to an ordinary user"
if [ "$(id -u)" = 0 ]; then
	cp original disk
	chmod 755 "$work"
	chown 65534 disk
	chmod 644 pass
	cp "$root/$B/underseal" real
	setpriv --reuid=65534 --clear-groups env LD_PRELOAD="$work/fast.so" ./real protect disk --partition 1 --offline "${cheap[@]}"
	$judge disk original 1 pass 512
fi
