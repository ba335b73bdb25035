"""The flights job as several processes with the same flags; each takes a slot of the state folder."""

import os
import signal
import subprocess


class Job:
    """One process that is started again and again."""

    def __init__(self, number, program, address, folder, rate):
        self.number = number
        self.out = os.path.join(folder, f"out-{number}")
        self.log = os.path.join(folder, f"log-{number}")
        self.words = [program, "--log", f"kafka://{address}", "--state", os.path.join(folder, "state"), "--out", self.out,
                      "--rate", str(rate), "--session-timeout", "6s", "--snapshot-interval", "500ms", "--quiet"]
        self.process = None
        self.starts = 0
        self.done = False

    def start(self, failpoint=None):
        environment = dict(os.environ)
        if failpoint:
            environment["KAPPA_FAILPOINT"] = failpoint
        self.starts += 1
        with open(self.log, "ab") as log:
            log.write(f"== start {self.starts} {failpoint or ''}\n".encode())
            log.flush()
            self.process = subprocess.Popen(self.words, stdout=log, stderr=log, env=environment)

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        if self.runs():
            self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        if self.process:
            self.process.wait()
