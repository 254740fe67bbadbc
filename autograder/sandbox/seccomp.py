"""The filter of system calls, compiled by libseccomp: what no answer to an exercise needs is refused.

The filter is a second wall behind the private view of files: it takes away the ways in which a process reaches other
processes, the network and the rarely used corners of the kernel in which its faults are found. libseccomp, which
systemd and apt bring with them, knows the numbers and conventions of every processor; its Python wrappers on PyPI have
not been kept up, so its few functions are called directly. The compiled program is plain bytes, loaded by bubblewrap
or, from a forked child, by :func:`autograder.sandbox.confine.load_filter`.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from autograder.sandbox import SandboxError

DENIED: Mapping[str, str] = {
    "other namespaces and file systems, where rights could be won back": (
        "unshare setns mount umount umount2 pivot_root chroot move_mount open_tree open_tree_attr fsopen fsconfig "
        "fsmount fspick mount_setattr listmount statmount"
    ),
    "reading, writing and steering other processes": (
        "ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_open pidfd_getfd "
        "pidfd_send_signal"
    ),
    "keyrings, which are shared by all processes of a user": "add_key keyctl request_key",
    "interfaces that most faults of the kernel were found in": (
        "io_uring_setup io_uring_enter io_uring_register bpf perf_event_open userfaultfd fanotify_init "
        "name_to_handle_at open_by_handle_at lookup_dcookie vmsplice modify_ldt"
    ),
    "the machine itself: modules, clock, swap, name, power": (
        "init_module finit_module delete_module kexec_load kexec_file_load iopl ioperm syslog acct swapon swapoff "
        "reboot quotactl quotactl_fd nfsservctl uselib _sysctl settimeofday clock_settime clock_settime64 "
        "adjtimex clock_adjtime clock_adjtime64 stime sethostname setdomainname vhangup migrate_pages move_pages"
    ),
    "objects that outlive the process, and memory that nobody counts": (
        "shmget shmat shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv msgctl ipc mq_open mq_unlink "
        "memfd_create memfd_secret"
    ),
    "the network, and sockets of other programs; socketpair is left": (
        "socket socketcall connect bind listen accept accept4"
    ),
    "watching what others do with files": "inotify_init inotify_init1 inotify_add_watch",
}
"""System calls that are refused, by reason."""

OTHER_PROCESSES = (
    "prlimit64",
    "setpriority",
    "sched_setaffinity",
    "sched_setscheduler",
    "sched_setparam",
    "sched_setattr",
    "ioprio_set",
)
"""Calls that are refused for any process but the calling one (their argument that names it is 0)."""
_WHICH_ARGUMENT = {"setpriority": 1, "ioprio_set": 1}

ATTRIBUTES = (
    "chmod fchmod fchmodat fchmodat2 chown lchown fchown fchownat utime utimes futimesat utimensat "
    "setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat"
)
"""What Landlock does not control: it does nothing, and says that it did, since copying a file ends with it."""

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_EQUAL, _NOT_EQUAL, _MASKED = 4, 1, 7
_NEW = (0x00000080, 0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
_TTY = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX type into a terminal


class _Compare(ctypes.Structure):
    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


@dataclass(frozen=True)
class Gaps:
    """What a filter must cover because nothing else does.

    Attributes:
        signals: signals to processes outside; the sandbox shares their view of processes.
        attributes: modes, owners and times of files outside; the sandbox shares the file system.
        truncation: `truncate` of files outside, which Landlock controls from ABI 3 on.
    """

    signals: bool = False
    attributes: bool = False
    truncation: bool = False


def why_not() -> str:
    """Nothing, where filters can be compiled here, else a sentence that says what is missing."""
    try:
        _library()
    except OSError:
        return "libseccomp is missing; on Debian and Ubuntu: sudo apt-get install libseccomp2"
    return ""


@functools.cache
def program(gaps: Gaps = Gaps()) -> bytes:
    """The compiled filter: an array of `struct sock_filter`.

    Raises:
        SandboxError: where libseccomp is missing or refuses.
    """
    missing = why_not()
    if missing:
        raise SandboxError(missing)
    library = _library()
    context = library.seccomp_init(_ALLOW)
    if not context:
        raise SandboxError("libseccomp could not make a filter")
    try:
        for names in DENIED.values():
            _refuse(library, context, names.split(), errno.EPERM)
        # Its flags lie in memory, where a filter cannot read them; C libraries go on with clone.
        _refuse(library, context, ["clone3"], errno.ENOSYS)
        for flag in _NEW:
            _refuse(library, context, ["clone"], errno.EPERM, _Compare(0, _MASKED, flag, flag))
        for request in _TTY:
            _refuse(library, context, ["ioctl"], errno.EPERM, _Compare(1, _MASKED, 0xFFFFFFFF, request))
        for name in OTHER_PROCESSES:
            other = _Compare(_WHICH_ARGUMENT.get(name, 0), _NOT_EQUAL, 0, 0)
            _refuse(library, context, [name], errno.EPERM, other)
        if gaps.signals:
            # The own process group, which the guest's session holds alone, is 0. Threads cannot be told apart.
            _refuse(library, context, ["kill"], errno.EPERM, _Compare(0, _NOT_EQUAL, 0, 0))
            _refuse(library, context, ["tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"], errno.EPERM)
        if gaps.attributes:
            _refuse(library, context, ATTRIBUTES.split(), 0)
        if gaps.truncation:
            _refuse(library, context, ["truncate", "truncate64"], errno.EPERM)
        return _exported(library, context)
    finally:
        library.seccomp_release(context)


def _refuse(
    library: ctypes.CDLL, context: int, names: Iterable[str], number: int, compare: _Compare | None = None
) -> None:
    for name in names:
        call = library.seccomp_syscall_resolve_name(name.encode())
        if call < 0:  # another processor's, or younger than this libseccomp
            continue
        conditions = (_Compare * 1)(*([compare] if compare else []))
        done = library.seccomp_rule_add_array(context, _ERRNO | number, call, 1 if compare else 0, conditions)
        if done != 0:
            raise SandboxError(f"libseccomp refuses a rule for {name}: {os.strerror(-done)}")


def _exported(library: ctypes.CDLL, context: int) -> bytes:
    with tempfile.TemporaryFile() as file:
        done = library.seccomp_export_bpf(context, file.fileno())
        if done != 0:
            raise SandboxError(f"libseccomp could not write the filter: {os.strerror(-done)}")
        file.seek(0)
        return file.read()


@functools.cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_release.restype = None
    library.seccomp_release.argtypes = [ctypes.c_void_p]
    library.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(_Compare),
    ]
    library.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
    return library
