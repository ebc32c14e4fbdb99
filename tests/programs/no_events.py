"""Runs a program whose inotify watches succeed without ever reporting an event: `no_events.py PROGRAM ARGUMENT…`."""

import ctypes
import os
import sys

ALLOW, SUCCEED_WITHOUT_DOING = 0x7FFF0000, 0x00050000  # SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(0)

seccomp = ctypes.CDLL("libseccomp.so.2")
seccomp.seccomp_init.restype = ctypes.c_void_p
rules = ctypes.c_void_p(seccomp.seccomp_init(ALLOW))
call = seccomp.seccomp_syscall_resolve_name(b"inotify_add_watch")
assert seccomp.seccomp_rule_add(rules, SUCCEED_WITHOUT_DOING, call, 0) == 0
assert seccomp.seccomp_load(rules) == 0
os.execv(sys.argv[1], sys.argv[1:])
