"""Run inside the unit's sandbox instead of the daemon, and print as JSON what is possible there."""

import ctypes
import json
import mmap
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

PLACES = {
    "state": "/var/lib/homey-tokend",
    "run": "/run/homey-tokend",
    "tmp": "/tmp",
    "configuration": "/etc/homey-tokend",
    "root": "/",
    "usr": "/usr",
    "program": "/opt/homey-tokend",
    "var": "/var/tmp/..",
    "home": "/home",
    "shm": "/dev/shm",
    "cgroup": "/sys/fs/cgroup",
    "sysctl": "/proc/sys/kernel",
}
FAMILIES = ("UNIX", "INET", "INET6", "NETLINK", "PACKET", "ALG", "VSOCK", "BLUETOOTH", "CAN")


def write(folder: str) -> None:
    """Create a file there, and remove it."""
    path = Path(folder, "probe")
    path.write_text("x")
    path.unlink()


def open_socket(family: str) -> None:
    """Open a socket of that address family."""
    usual = family in {"UNIX", "INET", "INET6"}
    kind = socket.SOCK_DGRAM if usual else socket.SOCK_RAW
    socket.socket(getattr(socket, f"AF_{family}"), kind).close()


def execute_from(folder: str) -> None:
    """Run a program that was written there."""
    path = Path(folder, "probe.sh")
    path.write_text("#!/bin/sh\n")
    path.chmod(0o700)
    try:
        subprocess.run([path], check=True)  # noqa: S603  the question
    finally:
        path.unlink()


def write_and_execute() -> None:
    """Memory that is writable and executable."""
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def system_call(name: str, *arguments: object) -> None:
    """Return a function of libc that sets errno."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)


def privileged_file() -> None:
    """Return a program that would run as another user."""
    path = Path("/var/lib/homey-tokend/suid")
    path.touch()
    try:
        path.chmod(0o4755)
    finally:
        path.unlink()


def tried(act: Callable[[], object]) -> bool:
    """Return whether it is possible."""
    try:
        act()
    except (OSError, subprocess.SubprocessError, ValueError):
        return False
    return True


def main() -> None:
    """Try everything, print the findings."""
    status = dict(
        line.split(":\t", 1)
        for line in Path("/proc/self/status").read_text().splitlines()
        if ":\t" in line
    )
    acts: dict[str, Callable[[], object]] = {
        "execute_from_state": lambda: execute_from("/var/lib/homey-tokend"),
        "execute_from_tmp": lambda: execute_from("/tmp"),
        "execute_usr": lambda: subprocess.run(["/usr/bin/true"], check=True),
        "write_and_execute": write_and_execute,
        "unshare_user": lambda: system_call("unshare", 0x10000000),
        "unshare_mount": lambda: system_call("unshare", 0x00020000),
        "set_clock": lambda: system_call("settimeofday", ctypes.create_string_buffer(16), None),
        "personality": lambda: system_call("personality", 0x0040000),
        "realtime": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
        "privileged_file": privileged_file,
        "read_credentials_folder": lambda: list(Path("/etc/homey-tokend/credentials").iterdir()),
        "read_pid_1": lambda: Path("/proc/1/cmdline").read_bytes(),
        "read_devices": lambda: Path("/dev/mem").read_bytes(),
    }
    acts |= {f"write_{name}": partial(write, place) for name, place in PLACES.items()}
    acts |= {f"family_{name}": partial(open_socket, name) for name in FAMILIES}
    found = {
        "possible": sorted(name for name, act in acts.items() if tried(act)),
        "capabilities": status["CapBnd"].strip("0") + status["CapEff"].strip("0"),
        "no_new_privileges": status["NoNewPrivs"],
        "seccomp": status["Seccomp"],
        "umask": status["Umask"],
        "credentials": sorted(
            path.name for path in Path(os.environ["CREDENTIALS_DIRECTORY"]).iterdir()
        ),
    }
    json.dump(found, sys.stdout, sort_keys=True)


if __name__ == "__main__":
    main()
