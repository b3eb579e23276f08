"""Who issued a certificate says over HTTP whether it was revoked: an OCSP responder and a revocation list."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from authorities import DAY, NOW, Holder


class RevocationServer:
    """Answers for one issuer. `revoked` is what it says; `asked` are the paths that were asked for."""

    serial = 0
    """The certificate that the list is about."""

    def __init__(self, issuer: Holder) -> None:
        self.issuer = issuer
        self.revoked = False
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """Where it answers, as `host:port`."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def responder_named(self) -> tuple[x509.ExtensionType, bool]:
        """The extension that names the responder."""
        place = x509.UniformResourceIdentifier(f"http://{self.host}/ocsp")
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)
        return x509.AuthorityInformationAccess([access]), False

    def list_named(self) -> tuple[x509.ExtensionType, bool]:
        """The extension that names the revocation list."""
        place = x509.UniformResourceIdentifier(f"http://{self.host}/list.crl")
        return x509.CRLDistributionPoints([x509.DistributionPoint([place], None, None, None)]), False

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _response(self, query: bytes) -> bytes:
        question = ocsp.load_der_ocsp_request(query)
        issuer, key = self.issuer.certificate, self.issuer.key
        status = ocsp.OCSPCertStatus.REVOKED if self.revoked else ocsp.OCSPCertStatus.GOOD
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=question.issuer_name_hash,
            issuer_key_hash=question.issuer_key_hash,
            serial_number=question.serial_number,
            algorithm=question.hash_algorithm,
            cert_status=status,
            this_update=NOW - DAY,
            next_update=NOW + DAY,
            revocation_time=NOW - DAY if self.revoked else None,
            revocation_reason=None,
        ).responder_id(ocsp.OCSPResponderEncoding.HASH, issuer)
        for extension in question.extensions:
            builder = builder.add_extension(extension.value, extension.critical)
        return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)

    def _list(self, serial: int) -> bytes:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.issuer.certificate.subject)
            .last_update(NOW - DAY)
            .next_update(NOW + DAY)
            .add_extension(x509.CRLNumber(1), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.issuer.key.public_key()), False)
        )
        if self.revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - DAY).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server.asked.append(self.path)
                query = self.rfile.read(int(self.headers["Content-Length"]))
                self._answer("application/ocsp-response", server._response(query))

            def do_GET(self) -> None:
                server.asked.append(self.path)
                self._answer("application/pkix-crl", server._list(server.serial))

            def _answer(self, kind: str, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
