"""The folder of a running cluster, and whose it is: whoever holds the lock in it is alive."""

import fcntl
import os
import pathlib
import shutil
import tempfile
import time

PREFIX = "kappa-kafka-"
LOCK = "lock"


def hold(folder):
    """Takes the lock of a folder: its file descriptor, or None when another process holds it. It ends with the process."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_held(folder):
    if not (folder / LOCK).exists():
        return False
    descriptor = hold(folder)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def wait_until_free(folder, seconds):
    """False when the one who holds the folder has not ended in time. Whoever holds it may remove it meanwhile."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return True
    end = time.monotonic() + seconds
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if time.monotonic() > end:
                    return False
                time.sleep(0.05)
    finally:
        os.close(descriptor)


def remove(folder):
    """The lock goes last: nobody takes a folder for free that is still being emptied."""
    for entry in list(folder.iterdir()) if folder.exists() else []:
        if entry.name != LOCK:
            shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def sweep():
    """Removes the temporary folders of harnesses that were killed with no chance to do it themselves."""
    for folder in pathlib.Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        try:
            if (folder / LOCK).exists() and folder.stat().st_uid == os.getuid() and not is_held(folder):
                remove(folder)
        except OSError:
            pass  # another harness was faster


def temporary():
    """A new folder, held."""
    sweep()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="." + PREFIX))
    descriptor = hold(folder)
    final = folder.with_name(folder.name[1:])  # under a name that others sweep only now that it is held
    folder.rename(final)
    return final, descriptor
