"""A link as devices have it, between two ends of TCP: late, lossy, and sometimes not there.

Not every kernel has a queue that delays and loses packets (tc netem), so this is a port
that leads to another one.  What it does to a piece of data is what TCP makes of a link
that does so to packets: a packet that is late makes what is behind it late, and one that
is lost is sent again after a while.  What it does is decided by a seed."""
import queue
import random
import socket
import threading
import time

SEGMENT = 1460  # bytes that a packet carries
RESEND_S = 0.4  # until the sender notices that one is lost: a round trip


class BadLink(threading.Thread):
    """Leads to port_behind, which may change: the next connection goes there."""

    def __init__(self, port_behind, seed, delay_s=(0.1, 0.3), loss=0.05, life=(4, 24)):
        super().__init__(daemon=True)
        self.port_behind = port_behind
        self.dice = random.Random(seed)
        self.delay_s, self.loss, self.life = delay_s, loss, life
        self.left = self.dice.randint(*life)  # pieces until a connection breaks
        self.is_good = False  # from now on nothing is late or lost
        self.is_cut = False  # no connection lives, and none is made
        self.pieces = self.resent = self.broken = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            near, _ = self.listener.accept()
            threading.Thread(target=self.join_ends, args=(near,), daemon=True).start()

    def join_ends(self, near):
        far = None
        try:
            if self.is_cut:
                return
            far = socket.create_connection(("127.0.0.1", self.port_behind), timeout=60)
            far.settimeout(None)
            ways = [threading.Thread(target=self.carry, args=ends, daemon=True)
                    for ends in ((near, far), (far, near))]
            for way in ways:
                way.start()
            while any(way.is_alive() for way in ways) and not self.is_cut:
                ways[0].join(0.05)
                if not ways[0].is_alive():
                    ways[1].join(0.05)
        except OSError:
            pass
        finally:
            for end in (near, far):
                if end is not None:
                    try:
                        end.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass
                    end.close()

    def fate(self, size):
        """When a piece that comes now is there; None: the connection does not live that
        long."""
        self.pieces += 1
        if self.is_good:
            return time.monotonic()
        self.left -= 1
        if self.left <= 0:
            self.left = self.dice.randint(*self.life)
            self.broken += 1
            return None
        due = time.monotonic() + self.dice.uniform(*self.delay_s)
        if any(self.dice.random() < self.loss for _ in range(0, size, SEGMENT)):
            self.resent += 1
            due += RESEND_S
        return due

    def carry(self, source, target):
        line = queue.Queue()
        threading.Thread(target=self.deliver, args=(line, target), daemon=True).start()
        try:
            while piece := source.recv(16384):
                due = self.fate(len(piece))
                if due is None:
                    target.shutdown(socket.SHUT_RDWR)
                    source.shutdown(socket.SHUT_RDWR)
                    break
                line.put((due, piece))
        except OSError:
            pass
        line.put((0, b""))

    @staticmethod
    def deliver(line, target):
        try:
            while True:
                due, piece = line.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if not piece:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(piece)
        except OSError:
            pass
