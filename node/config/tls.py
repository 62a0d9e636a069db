"""Fields for DICOM TLS, in (``reception.tls``) and out (``destinations[].tls``)."""

from pathlib import Path

from pydantic import Field, model_validator

from node.config.section import Section

#: TLS 1.2 cipher suites with forward secrecy and authenticated encryption; those of TLS 1.3 are all of this kind.
#: Source: RFC 9325 (BCP 195) section 4.2; PS3.15 section B.12.
TLS_1_2_CIPHERS = "ECDHE+AESGCM"


class ReceptionTlsConfig(Section):
    """How peers reach us over TLS; a certificate that is renewed in its place is used for the next connection."""

    certificate_file: Path = Field(..., description="Our certificate with its chain, PEM.")
    key_file: Path = Field(..., description="Its private key, PEM, without a passphrase.")
    ca_file: Path | None = Field(
        None, description="Certificate authorities, PEM; with them only peers with a certificate of theirs may connect."
    )


class PeerTlsConfig(Section):
    """How we reach a peer over TLS."""

    ca_file: Path | None = Field(None, description="Certificate authorities of the peer, PEM; empty: those of the system.")
    certificate_file: Path | None = Field(None, description="Our certificate with its chain, PEM, where the peer asks for one.")
    key_file: Path | None = Field(None, description="Its private key, PEM, without a passphrase.")
    check_host_name: bool = Field(True, description="Require that the certificate of the peer is for its host.")

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> "PeerTlsConfig":
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together: give both or none")
        return self
