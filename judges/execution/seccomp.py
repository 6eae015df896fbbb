"""The system calls that a sandboxed process is refused: a seccomp filter as bytes, for x86-64 and aarch64.

Classic BPF over `struct seccomp_data` (seccomp(2)): a list of what is refused, the rest is allowed. Knows nothing of
namespaces or limits, which are the other two walls.
"""

from __future__ import annotations

import errno
import struct

# struct seccomp_data: int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]. Both machines are little-endian.
_NR, _ARCH, _ARGUMENT_0, _ARGUMENT_1 = 0, 4, 16, 24
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_X32 = 0x40000000

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINES = tuple(_AUDIT_ARCH)
"""`platform.machine()` of what the filter is written for."""

_CLONE, _CLONE3, _PRCTL, _IOCTL = (56, 220), (435, 435), (157, 167), (16, 29)
_CLONE_THREAD = 0x10000
# Without it a program that asks not to die with its parent would outlive a caller that was killed.
_PR_SET_PDEATHSIG = 1
# Both put characters into a terminal's input.
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

# Number on x86-64, on aarch64; None where that machine has no such call.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # A new process. Where there can be none, a limit on one process's memory and CPU time is a limit on the whole, and
    # nothing is left when it dies. Threads are told apart in `clone`, by their flag.
    "fork": (57, None), "vfork": (58, None),
    # The network. A socketpair stays: asyncio needs one, and it leads nowhere.
    "socket": (41, 198),
    # Other processes.
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "kcmp": (312, 272), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    # Namespaces and what is mounted.
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "mount_setattr": (442, 442), "move_mount": (429, 429), "open_tree": (428, 428),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "statmount": (457, 457), "listmount": (458, 458), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "fanotify_init": (300, 262), "fanotify_mark": (301, 263),
    "inotify_init": (253, None), "inotify_init1": (294, 26),
    # Parts of the kernel with a long record of holes that no such program needs.
    "bpf": (321, 280), "perf_event_open": (298, 241), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "userfaultfd": (323, 282), "personality": (135, 92), "modify_ldt": (154, None), "uselib": (134, None),
    "lookup_dcookie": (212, 18), "nfsservctl": (180, 42), "mbind": (237, 235), "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450), "migrate_pages": (256, 238), "move_pages": (279, 239),
    # Memory that no limit of the process counts.
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "shmat": (30, 196),
    "shmctl": (31, 195), "shmdt": (67, 197), "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191),
    "semtimedop": (220, 192), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187),
    "mq_open": (240, 180), "mq_unlink": (241, 181),
    # The machine itself: refused without privilege as well.
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "create_module": (174, None), "delete_module": (176, 106), "iopl": (172, None), "ioperm": (173, None),
    "acct": (163, 89), "swapon": (167, 224), "swapoff": (168, 225), "reboot": (169, 142), "sethostname": (170, 161),
    "setdomainname": (171, 162), "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266),
    "adjtimex": (159, 171), "syslog": (103, 116), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    "vhangup": (153, 58),
}  # fmt: skip


def program(machine: str) -> bytes:
    """The filter for `machine`, as the array of `struct sock_filter` that `bwrap --seccomp` reads.

    A call of another architecture, or of x32, kills the process: its numbers mean other calls. `clone3` is answered as
    by a kernel that lacks it, since its flags lie in memory that a filter cannot read; the C library then uses `clone`.

    Raises:
        KeyError: `machine` is none of `MACHINES`.
    """
    column = MACHINES.index(machine) if machine in _AUDIT_ARCH else -1
    arch = _AUDIT_ARCH[machine]
    refuse = _ERRNO | errno.EPERM
    lines = [(_LOAD, 0, 0, _ARCH), (_IF_EQUAL, 1, 0, arch), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NR)]
    if machine == "x86_64":
        lines += [(_IF_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _KILL)]
    for numbers in _REFUSED.values():
        number = numbers[column]
        if number is not None:
            lines += [(_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    lines += [(_IF_EQUAL, 0, 1, _CLONE3[column]), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    lines += [
        (_IF_EQUAL, 0, 3, _CLONE[column]), (_LOAD, 0, 0, _ARGUMENT_0),
        (_IF_ANY_BIT, 10, 0, _CLONE_THREAD), (_RETURN, 0, 0, refuse),
        (_IF_EQUAL, 0, 3, _PRCTL[column]), (_LOAD, 0, 0, _ARGUMENT_0),
        (_IF_EQUAL, 0, 6, _PR_SET_PDEATHSIG), (_RETURN, 0, 0, refuse),
        (_IF_EQUAL, 0, 4, _IOCTL[column]), (_LOAD, 0, 0, _ARGUMENT_1),
        (_IF_EQUAL, 1, 0, _TIOCSTI), (_IF_EQUAL, 0, 1, _TIOCLINUX), (_RETURN, 0, 0, refuse),
        (_RETURN, 0, 0, _ALLOW),
    ]  # fmt: skip
    return b"".join(struct.pack("<HBBI", *line) for line in lines)
