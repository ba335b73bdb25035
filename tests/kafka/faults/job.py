"""A process of an app, which is started again and again; several with the same flags each take a slot of the state folder."""

import glob
import os
import signal
import subprocess


class Process:
    def __init__(self, number, folder, words):
        self.number = number
        self.log = os.path.join(folder, f"log-{number}")
        self.mark = os.path.join(folder, f"mark-{number}")
        self.words = words
        self.process = None
        self.starts = 0
        self.done = False
        self.frozen = False
        self.resting = False  # killed, and to be started again in a while

    def start(self, failpoint=None):
        environment = dict(os.environ)
        if os.path.exists(self.mark):
            os.remove(self.mark)
        if failpoint:
            environment.update(KAPPA_FAILPOINT=failpoint, KAPPA_FAILPOINT_MARK=self.mark)
        self.starts += 1
        with open(self.log, "ab") as log:
            log.write(f"== start {self.starts} {failpoint or ''}\n".encode())
            log.flush()
            self.process = subprocess.Popen(self.words, stdout=log, stderr=log, env=environment)

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def killed_at(self):
        """The step that killed it; nothing: it was something else."""
        if self.process.poll() != -signal.SIGKILL or not os.path.exists(self.mark):
            return None
        with open(self.mark, encoding="utf-8") as mark:
            return mark.read().strip()

    def finished(self):
        """A service never has."""
        return False

    def last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return [line.strip() for line in log if line.strip()][-1]

    def signal(self, number):
        if self.runs():
            self.process.send_signal(number)

    def listens(self):
        """It ends in order when it is asked to; before, its first milliseconds, it just ends."""
        return self.runs() and any(map(self._blocks_sigterm, glob.glob(f"/proc/{self.process.pid}/task/*/status")))

    @staticmethod
    def _blocks_sigterm(thread):
        """All threads do, but for the first one while it waits for that signal."""
        try:
            with open(thread, encoding="ascii") as status:
                blocked = next(line for line in status if line.startswith("SigBlk:")).split()[1]
        except OSError:
            return False  # it has ended meanwhile
        return bool(int(blocked, 16) & 1 << signal.SIGTERM - 1)

    def kill(self):
        self.signal(signal.SIGKILL)
        if self.process:
            self.process.wait()


class Job(Process):
    """Of the flights job."""

    def __init__(self, number, program, data, address, folder, rate, options):
        self.out = os.path.join(folder, f"out-{number}")
        super().__init__(number, folder,
                         [program, "--input", data, "--log", f"kafka://{address}", "--state", os.path.join(folder, "state"),
                          "--out", self.out, "--rate", str(rate), "--session-timeout", "6s", "--snapshot-interval", "500ms",
                          "--quiet", *options])

    def finished(self):
        """A process that was told to stop ends with 0 as well, but has no results yet."""
        return self.process.poll() == 0 and os.path.exists(os.path.join(self.out, "hourly-delays.csv"))
