"""A time-stamp authority on this machine: `openssl ts` behind HTTP."""

import ssl
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from authorities import TIME_STAMPING, Holder, root

CONFIG = """
[tsa]
serial = ./serial
crypto_device = builtin
signer_cert = ./tsa.pem
signer_key = ./key.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = no
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


class TimeStampServer:
    """Answers as its mode says.

    `stamping`, `broken` (status 503), `silent` (never), or `other` (a stamp for something else).
    """

    def __init__(self, authority: Holder | None = None, web_server: Holder | None = None) -> None:
        """`web_server` is the certificate to speak https with."""
        self.root = authority or root("Time-stamp root")
        self.mode = "stamping"
        self.requests: list[bytes] = []
        self._folder = tempfile.TemporaryDirectory()
        self._ended = threading.Event()
        self._turn = threading.Lock()
        folder = Path(self._folder.name)
        signer = self.root.leaf(name="Time-stamps", purposes=(TIME_STAMPING,))
        for name, text in {
            "tsa.cnf": CONFIG, "serial": "01\n", "tsa.pem": signer.pem, "key.pem": signer.key_pem,
        }.items():
            (folder / name).write_text(text)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._scheme = "http"
        if web_server is not None:
            self._scheme = "https"
            (folder / "web.pem").write_text(web_server.pem + web_server.key_pem)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / "web.pem")
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}/tsa"

    def close(self) -> None:
        """Ends it, and every answer that was never given."""
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._folder.cleanup()

    def _stamp(self, query: bytes) -> bytes:
        folder = Path(self._folder.name)
        # The serial number stands in a file.
        with self._turn:
            (folder / "query").write_bytes(query)
            command = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-section", "tsa", "-queryfile", "query"]
            done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                authority.requests.append(query)
                if authority.mode == "silent":
                    authority._ended.wait()
                    return
                if authority.mode == "broken":
                    self.send_error(503)
                    return
                if authority.mode == "other":
                    # A SHA-256 digest is the only thing in a query that is 32 bytes long.
                    at = query.index(b"\x04\x20") + 2
                    query = query[:at] + bytes(32) + query[at + 32 :]
                answer = authority._stamp(query)
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
