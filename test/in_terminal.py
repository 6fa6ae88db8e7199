"""Runs a command in a terminal of its own: python3 in_terminal.py COMMAND ARGUMENT…

Standard input is typed into the terminal, whose text goes to standard output. Where standard input
ends, the terminal is closed. The exit code is the command's; 128 + the signal's number where a signal
ended it.
"""
import os
import pty
import select
import sys

process, terminal = pty.fork()
if process == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
open_ends = {0, terminal}
while terminal in open_ends:
    ready, _, _ = select.select(open_ends, [], [])
    for end in ready:
        try:
            data = os.read(end, 65536)
        except OSError:  # the command's last process has closed the terminal
            data = b""
        if not data:
            open_ends = set() if end == 0 else open_ends - {end}
        else:
            os.write(terminal if end == 0 else 1, data)
os.close(terminal)
code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
sys.exit(code if code >= 0 else 128 - code)
