"""Which system calls a candidate may make: a list of what computing needs, as a filter that the kernel runs.

Whatever is not listed fails: what attacks are made of with "not permitted", the rest (system calls newer than this list
among them) with "not implemented", upon which the C library falls back to an older way.
"""

from __future__ import annotations

import errno
import tempfile
from contextlib import suppress
from typing import Any, Final


def _names(text: str) -> list[str]:
    return text.split()


_PLAIN: Final = _names("""
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close close_range dup dup2
    dup3 fcntl open openat openat2 creat access faccessat faccessat2 stat fstat lstat newfstatat statx statfs
    fstatfs readlink readlinkat getdents getdents64 getcwd chdir fchdir mkdir mkdirat rmdir unlink unlinkat
    rename renameat renameat2 link linkat symlink symlinkat truncate ftruncate fallocate fsync fdatasync
    sync_file_range flock utime utimes utimensat futimesat umask chmod fchmod fchmodat copy_file_range sendfile
    fadvise64 readahead mmap munmap mremap mprotect madvise msync mincore brk membarrier get_mempolicy
    pkey_alloc pkey_free pkey_mprotect futex futex_waitv set_robust_list get_robust_list set_tid_address rseq
    arch_prctl exit exit_group restart_syscall rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending
    rt_sigsuspend rt_sigtimedwait sigaltstack pause signalfd signalfd4 alarm setitimer getitimer timerfd_create
    timerfd_settime timerfd_gettime nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times
    getrusage sysinfo uname getcpu getrandom getpid gettid getppid getuid geteuid getgid getegid getresuid
    getresgid getgroups getpgid getpgrp getsid getrlimit setrlimit sched_yield sched_getaffinity
    sched_setaffinity sched_getscheduler sched_getparam sched_get_priority_max sched_get_priority_min
    getpriority pipe pipe2 eventfd eventfd2 select pselect6 poll ppoll epoll_create epoll_create1 epoll_ctl
    epoll_wait epoll_pwait epoll_pwait2 sendto recvfrom sendmsg recvmsg shutdown getsockopt getsockname
    getpeername wait4 waitid capget
""")

_WITH_PROCESSES: Final = _names("""
    fork vfork execve execveat kill tgkill tkill setpgid setsid setsockopt
""")

_ATTACKS: Final = _names("""
    socket connect bind listen accept accept4 unshare setns mount umount2 pivot_root chroot move_mount open_tree
    fsopen fsmount fsconfig fspick mount_setattr ptrace process_vm_readv process_vm_writev kcmp pidfd_open
    pidfd_getfd pidfd_send_signal process_madvise kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo fork vfork
    execve execveat clone setpgid setsid keyctl add_key request_key bpf perf_event_open io_uring_setup
    io_uring_enter io_uring_register userfaultfd memfd_create memfd_secret shmget shmat shmctl shmdt semget
    semop semctl msgget msgsnd msgrcv msgctl mq_open mq_unlink setuid setgid setreuid setregid setresuid
    setresgid setgroups setfsuid setfsgid capset personality chown fchown lchown fchownat mknod mknodat
    name_to_handle_at open_by_handle_at fanotify_init inotify_init inotify_init1 prlimit64 prctl ioctl
    setpriority ioprio_set sched_setscheduler sched_setparam sched_setattr mlock mlock2 mlockall init_module
    finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff acct quotactl syslog
    settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname vhangup iopl ioperm modify_ldt
    setxattr lsetxattr fsetxattr removexattr seccomp landlock_create_ruleset migrate_pages move_pages mbind
    set_mempolicy vmsplice splice tee lookup_dcookie
""")

_CLONE_THREAD: Final = 0x0001_0000
_CLONE_NEW_ANYTHING: Final = 0x7E02_0080
_PRCTL_NAMES: Final = (15, 16, 0x53564D41)
"""PR_SET_NAME, PR_GET_NAME, PR_SET_VMA: what thread libraries and allocators call."""
_IOCTLS: Final = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS (is it a terminal?), TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX."""
_AF_UNIX: Final = 1
_OPTIMIZE: Final = 8
_AS_A_TREE: Final = 2
CANDIDATE_PID: Final = 2
"""The candidate's process id in its own pid namespace, always."""


def filters(*, jailed: bool) -> tuple[bytes, bytes]:
    """The filters for sessions without and with child processes, as BPF programs. Raises OSError where libseccomp is missing.

    `jailed` says that the candidate has its own pid namespace, in which it may signal whom it likes.
    """
    return _compiled(processes=False, jailed=jailed), _compiled(processes=True, jailed=jailed)


def _compiled(*, processes: bool, jailed: bool) -> bytes:
    seccomp = _library()
    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.ENOSYS))
    with suppress(OSError):  # before libseccomp 2.5 there is no tree, only a list: right, and slower to install
        rules.set_attr(_OPTIMIZE, _AS_A_TREE)
    allowed = [*_PLAIN, *(_WITH_PROCESSES if processes else ())]
    for name in allowed:
        _add(rules, seccomp.ALLOW, name)
    for name in _ATTACKS:
        if name not in allowed and name not in ("clone", "prlimit64", "prctl", "ioctl", "tgkill"):
            _add(rules, seccomp.ERRNO(errno.EPERM), name)
    arg, equal, masked = seccomp.Arg, seccomp.EQ, seccomp.MASKED_EQ
    _add(rules, seccomp.ALLOW, "clone", arg(0, masked, _CLONE_THREAD, _CLONE_THREAD))
    if processes:
        _add(rules, seccomp.ALLOW, "clone", arg(0, masked, _CLONE_NEW_ANYTHING, 0))
    else:
        _add(rules, seccomp.ERRNO(errno.EPERM), "clone", arg(0, masked, _CLONE_THREAD, 0))
    if jailed and not processes:
        _add(rules, seccomp.ALLOW, "tgkill", arg(0, equal, CANDIDATE_PID))
    _add(rules, seccomp.ALLOW, "prlimit64", arg(0, equal, 0))
    _add(rules, seccomp.ALLOW, "socketpair", arg(0, equal, _AF_UNIX))
    for option in _PRCTL_NAMES:
        _add(rules, seccomp.ALLOW, "prctl", arg(0, equal, option))
    for request in _IOCTLS:
        _add(rules, seccomp.ALLOW, "ioctl", arg(1, equal, request))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def _add(rules: Any, action: Any, name: str, *arguments: Any) -> None:
    # A name that this libseccomp or this processor does not have gets the default: it fails.
    with suppress(ValueError, OSError, RuntimeError):
        rules.add_rule(action, name, *arguments)


def _library() -> Any:
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError) as error:
        raise OSError(
            f"libseccomp cannot be loaded ({error}); on Debian and Ubuntu: apt install libseccomp2"
        ) from error
    return pyseccomp
