//! A small HTTP/1.1 server on a free loopback port, plain or over TLS.
