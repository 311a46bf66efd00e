"""Certificates for tests: an authority, and what it signed for this machine."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """PEM files, valid for a day."""

    authority: Path
    """What a client is to trust."""
    certificate: Path
    """For ``localhost``, 127.0.0.1 and ::1."""
    key: Path
    """The certificate's key."""

    @classmethod
    def make(cls, directory: Path) -> Certificates:
        """Makes both in this directory."""
        now = datetime.datetime.now(datetime.UTC)
        authority_key = ec.generate_private_key(ec.SECP256R1())
        authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wsload's test authority")])
        key = ec.generate_private_key(ec.SECP256R1())

        def signed(
            subject: x509.Name, public_key: ec.EllipticCurvePublicKey, *extensions: x509.ExtensionType
        ) -> bytes:
            identifier = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
            builder = (
                x509.CertificateBuilder()
                .subject_name(subject)
                .issuer_name(authority_name)
                .public_key(public_key)
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(hours=1))
                .not_valid_after(now + datetime.timedelta(days=1))
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
                .add_extension(
                    x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
                )
            )
            for extension in extensions:
                critical = isinstance(extension, x509.BasicConstraints | x509.KeyUsage)
                builder = builder.add_extension(extension, critical=critical)
            certificate = builder.sign(authority_key, hashes.SHA256())
            return certificate.public_bytes(serialization.Encoding.PEM)

        made = cls(
            authority=directory / "authority.pem",
            certificate=directory / "server.pem",
            key=directory / "server.key",
        )
        made.authority.write_bytes(
            signed(
                authority_name,
                authority_key.public_key(),
                x509.BasicConstraints(ca=True, path_length=0),
                x509.KeyUsage(
                    key_cert_sign=True,
                    crl_sign=True,
                    digital_signature=False,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    encipher_only=False,
                    decipher_only=False,
                ),
            )
        )
        made.certificate.write_bytes(
            signed(
                x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
                key.public_key(),
                x509.SubjectAlternativeName(
                    [
                        x509.DNSName("localhost"),
                        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                        x509.IPAddress(ipaddress.ip_address("::1")),
                    ]
                ),
            )
        )
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return made

    def locked_key(self, path: Path, password: bytes) -> Path:
        """Writes the key there, encrypted; returns the path."""
        key = serialization.load_pem_private_key(self.key.read_bytes(), None)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(password),
            )
        )
        return path

    def server_context(self) -> ssl.SSLContext:
        """For a server that shows the certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context
