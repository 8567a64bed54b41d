"""Whom TLS trusts, and which versions it offers."""

from __future__ import annotations

import ssl
import warnings
from functools import lru_cache

import httpx

from harness.config.ehr import Tls
from harness.errors import ConfigError


@lru_cache(maxsize=8)
def tls_context(tls: Tls) -> ssl.SSLContext:
    """Trust of the system and of the HTTP library, plus `tls.ca_file`; always verifying.

    Raises:
        ConfigError: a file is missing, or holds no certificate or key.
    """
    return _trusting(tls)


def old_tls_context(tls: Tls) -> ssl.SSLContext:
    """The same trust, with nothing newer than TLS 1.1 on offer; it is never used with a token.

    Raises:
        ConfigError: as `tls_context`.
    """
    context = _trusting(tls)
    # What is deprecated here is what is looked for; newer security levels offer it no more.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def offers_old_tls() -> bool:
    """Whether the TLS library of this machine can offer TLS 1.1 at all."""
    try:
        old_tls_context(Tls())
    except (ssl.SSLError, ValueError):
        return False
    return ssl.HAS_TLSv1_1


def _trusting(tls: Tls) -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])
    try:
        if tls.ca_file:
            context.load_verify_locations(cafile=tls.ca_file)
        if tls.client_cert:
            context.load_cert_chain(tls.client_cert, tls.client_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"tls: a certificate or key file cannot be used: {error}",
            hint="tls.ca_file, tls.client_cert and tls.client_key are PEM files",
        ) from None
    return context
