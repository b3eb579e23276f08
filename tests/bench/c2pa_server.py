"""A server around c2pa-python, to compare `credlink serve` with.

`POST /sign` and `POST /verify` take an image as the body; /sign answers with the signed image, /verify with what
`Reader.json` says. The key is that of a data folder of CredLink's, so both sign alike.

gunicorn with threads in a process for each core is what served it fastest: c2pa-python calls back into Python for every
piece that it reads or writes, and one process has one lock for that.
"""

import argparse
import io
import json
import os
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import c2pa
from gunicorn.app.base import BaseApplication

DEFINITION = json.dumps(
    {
        "claim_generator_info": [{"name": "comparison", "version": "1"}],
        "assertions": [
            {
                "label": "c2pa.actions",
                "data": {
                    "actions": [
                        {
                            "action": "c2pa.created",
                            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
                        }
                    ]
                },
            }
        ],
    }
)

COSE_NAMES = {"rsa-2048": "ps256", "p-256": "es256"}

CONNECTION_IDLE_SECONDS = 75


class Credentials:
    """Signs and verifies, in as many threads as there are."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        keys = Path(arguments.keys)
        pem = (keys / "signer.pem").read_bytes()
        begin = pem.index(b"-----BEGIN CERTIFICATE")
        self._key, self._chain = pem[:begin], pem[begin:]
        self._algorithm = COSE_NAMES[arguments.algorithm]
        self._own = threading.local()
        settings: dict = {"trust": {"trust_anchors": (keys / "root.pem").read_text()}}
        # What is not named here is as the library has it.
        if arguments.no_thumbnails:
            settings["builder"] = {"thumbnail": {"enabled": False}}
        if arguments.no_check:
            settings["verify"] = {"verify_after_sign": False}
        self._context = c2pa.Context.from_dict(settings)

    def sign(self, image: bytes, kind: str) -> bytes:
        """The signed image."""
        output = io.BytesIO()
        with c2pa.Builder(DEFINITION, self._context) as builder:
            builder.sign(self._signer(), kind, io.BytesIO(image), output)
        return output.getvalue()

    def verify(self, image: bytes, kind: str) -> bytes:
        """The report, as JSON."""
        with c2pa.Reader(kind, io.BytesIO(image), context=self._context) as reader:
            return reader.json().encode()

    def _signer(self) -> c2pa.Signer:
        if not hasattr(self._own, "signer"):
            info = c2pa.C2paSignerInfo(self._algorithm, self._chain, self._key, None)
            self._own.signer = c2pa.Signer.from_info(info)
        return self._own.signer


class Server(BaseApplication):
    """gunicorn on a socket that listens already."""

    def __init__(self, arguments: argparse.Namespace, listener: socket.socket) -> None:
        self._arguments, self._listener = arguments, listener
        super().__init__()

    def load_config(self) -> None:
        """How it serves."""
        options = {
            "bind": f"fd://{self._listener.fileno()}",
            "worker_class": "gthread",
            "workers": self._arguments.processes,
            "threads": self._arguments.threads,
            "keepalive": CONNECTION_IDLE_SECONDS,
            "loglevel": "warning",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Callable:
        """What it serves; made anew in each process."""
        credentials = Credentials(self._arguments)
        routes = {"/sign": credentials.sign, "/verify": credentials.verify}

        def answer(environ: dict, start_response: Callable) -> Iterable[bytes]:
            kind = environ["CONTENT_TYPE"]
            image = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            body = routes[environ["PATH_INFO"]](image, kind)
            answered = kind if environ["PATH_INFO"] == "/sign" else "application/json"
            start_response("200 OK", [("Content-Type", answered), ("Content-Length", str(len(body)))])
            return [body]

        return answer


def main() -> None:
    """Says where it listens, in the words of `credlink serve`, and serves until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", required=True, help="the folder with signer.pem and root.pem")
    parser.add_argument("--algorithm", choices=COSE_NAMES, required=True)
    parser.add_argument("--no-thumbnails", action="store_true")
    parser.add_argument("--no-check", action="store_true", help="do not verify after signing")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--threads", type=int, default=4, help="in each process")
    arguments = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    listener.set_inheritable(True)
    host, port = listener.getsockname()
    print(f"c2pa-python listening on http://{host}:{port}", flush=True)
    Server(arguments, listener).run()


if __name__ == "__main__":
    main()
