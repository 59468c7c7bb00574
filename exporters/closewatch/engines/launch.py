"""Becomes another program, after saying to the kernel: end it when my parent ends.

Run as a plain file with the standard library alone: SIGNAL USER PROGRAM ARGUMENT...; an empty USER keeps the present
one. Doing this in the child between fork and exec would be shorter, but is not safe in a program with threads.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Change the user, tie the own life to the parent's, and become the program."""
    parent = os.getppid()
    number, user, *command = sys.argv[1:]
    if user:
        account = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    # After the change of user, which would clear it.
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number)):
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit("the parent ended meanwhile")
    os.execv(command[0], command)  # noqa: S606 - there is no shell on purpose


if __name__ == "__main__":
    main()
