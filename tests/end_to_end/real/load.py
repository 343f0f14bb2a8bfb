"""Clients that read the token one after the other, each on a connection of its own.

``load.py SOCKET SECONDS CLIENTS``; prints how many reads went well, and every failure by kind.
"""

import json
import socket
import sys
import threading
import time
from collections import Counter


def read(path: str) -> str:
    """Send one request and return its result as a word."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        try:
            sock.connect(path)
            sock.sendall(b"GET /token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            while part := sock.recv(65536):
                answer += part
        except OSError as error:
            return type(error).__name__
    return answer.split(b"\r\n", 1)[0].decode() if answer else "closed without an answer"


def main() -> None:
    """Read until the time is over."""
    path, seconds, clients = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    end = time.monotonic() + seconds
    found: Counter[str] = Counter()

    def client() -> None:
        while time.monotonic() < end:
            found[read(path)] += 1
            time.sleep(0.002)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
