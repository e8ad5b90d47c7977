//! TLS streams for tokio on OpenSSL: roots, client identity, ALPN, peer certificate.
