"""HTTPS before a Schema Registry, with a certificate of its own; whoever calls needs a token.

    tls_front.py REGISTRY FOLDER [mutual]

Writes FOLDER/certificate.pem, prints the URL, and serves until standard input ends. With
"mutual" it talks only to those who show the certificate of FOLDER/client.pem, which it
writes with its private key.
"""

import datetime
import http.server
import ipaddress
import pathlib
import ssl
import sys
import threading

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

registry, folder = sys.argv[1], pathlib.Path(sys.argv[2])
is_mutual = sys.argv[3:] == ["mutual"]


def make_certificate(file, subject):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    certificate = certificate.public_bytes(serialization.Encoding.PEM)
    key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{file}.pem").write_bytes(certificate + key)
    return certificate


class Front(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != "Bearer a-token":
            status, content = 401, b'{"error_code":40101,"message":"a token, please"}'
        else:
            headers = {"Content-Type": self.headers.get("Content-Type")} if body else {}
            r = requests.request(self.command, registry + self.path, data=body, headers=headers, timeout=30)
            status, content = r.status_code, r.content
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


certificate = make_certificate("front", "a registry")
(folder / "certificate.pem").write_bytes(certificate)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder / "front.pem")
if is_mutual:
    context.load_verify_locations(cadata=make_certificate("client", "a client").decode())
    context.verify_mode = ssl.CERT_REQUIRED
server.socket = context.wrap_socket(server.socket, server_side=True)
print(f"https://127.0.0.1:{server.server_port}", flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
