"""A private authority and a server certificate for `localhost`."""

import ssl
from dataclasses import dataclass

import pytest
import trustme


@dataclass(frozen=True)
class Authority:
    pem: str
    server: ssl.SSLContext


@pytest.fixture(scope="session")
def authority() -> Authority:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    return Authority(ca.cert_pem.bytes().decode(), context)
