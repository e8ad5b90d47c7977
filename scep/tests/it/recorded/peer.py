"""A SCEP client and server of openssl's programs and DER made by hand, for the messages that no other peer has.

    peer.py init FOLDER               makes an authority, a device with its certificate, and a revocation list
    peer.py record FOLDER             writes requests (getcert, getcrl, certpoll) and their answers to FOLDER
    peer.py answer FOLDER [STATUS]    reads a request on standard input and answers it: 0 granted, 2 refused, 3 pending

`openssl cms` seals and opens the envelopes, `openssl dgst` signs, `openssl ca` writes the list. What is signed around the
envelope, with SCEP's attributes, is put together here (RFC 8894 section 3; RFC 5652 section 5). The recorded messages
beside this file were made by

    peer.py init FOLDER && peer.py record FOLDER
"""

import hashlib
import os
import subprocess
import sys

SUBJECT = "/O=Example/CN=recorded device"
TRANSACTION = b"4D0C5F0E6A9B"
NONCE = bytes(range(16))
ATTRIBUTE = "2.16.840.1.113733.1.9."
MESSAGE_TYPE, PKI_STATUS, FAIL_INFO = (ATTRIBUTE + arc for arc in "234")
SENDER_NONCE, RECIPIENT_NONCE, TRANSACTION_ID = (ATTRIBUTE + arc for arc in "567")
DATA, SIGNED_DATA = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SHA256, RSA = "2.16.840.1.101.3.4.2.1", "1.2.840.113549.1.1.1"
CERT_POLL, GET_CERT, GET_CRL = b"20", b"21", b"22"


def openssl(*arguments, stdin=b""):
    return subprocess.run(
        ("openssl",) + arguments, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True
    ).stdout


# DER, as little of it as is needed.


def tlv(tag, *contents):
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(digits)]) + digits + content


def oid(dotted):
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    out = bytearray()
    for arc in [first * 40 + second] + rest:
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(0x80 | arc & 0x7F)
        out += bytes(reversed(digits))
    return tlv(0x06, bytes(out))


def elements(der):
    """The elements that follow one another: tag, content, and all of it."""
    out = []
    while der:
        length, header = der[1], 2
        if length & 0x80:
            header += length & 0x7F
            length = int.from_bytes(der[2:header], "big")
        out.append((der[0], der[header : header + length], der[: header + length]))
        der = der[header + length :]
    return out


def inside(der):
    return elements(elements(der)[0][1])


# Certificates, by their parts.


def tbs(pem):
    der = openssl("x509", "-in", pem, "-outform", "DER")
    parts = inside(inside(der)[0][2])
    return parts[1:] if parts[0][0] == 0xA0 else parts


def issuer_and_serial(pem):
    parts = tbs(pem)
    return tlv(0x30, parts[2][2], parts[0][2])


def issuer_and_subject(issuer, csr):
    subject = inside(inside(openssl("req", "-in", csr, "-outform", "DER"))[0][2])[1][2]
    return tlv(0x30, tbs(issuer)[4][2], subject)


# Messages.


def message(attributes, envelope, certificate, key):
    """SignedData of one signer; without an envelope eContent is left out."""
    text = lambda value: tlv(0x13, value)
    octets = lambda value: tlv(0x04, value)
    form = {SENDER_NONCE: octets, RECIPIENT_NONCE: octets}
    attribute = lambda kind, value: tlv(0x30, oid(kind), tlv(0x31, value))
    digest = hashlib.sha256(envelope or b"").digest()
    signed = [attribute(CONTENT_TYPE, oid(DATA)), attribute(MESSAGE_DIGEST, octets(digest))]
    signed += [attribute(kind, form.get(kind, text)(value)) for kind, value in attributes.items()]
    signed = b"".join(sorted(signed))
    signature = openssl("dgst", "-sha256", "-sign", key, stdin=tlv(0x31, signed))
    sha256 = tlv(0x30, oid(SHA256))
    signer = tlv(
        0x30,
        tlv(0x02, b"\x01"),
        issuer_and_serial(certificate),
        sha256,
        tlv(0xA0, signed),
        tlv(0x30, oid(RSA), tlv(0x05)),
        octets(signature),
    )
    content = [tlv(0xA0, octets(envelope))] if envelope else []
    body = tlv(
        0x30,
        tlv(0x02, b"\x01"),
        tlv(0x31, sha256),
        tlv(0x30, oid(DATA), *content),
        tlv(0xA0, openssl("x509", "-in", certificate, "-outform", "DER")),
        tlv(0x31, signer),
    )
    return tlv(0x30, oid(SIGNED_DATA), tlv(0xA0, body))


def seal(content, certificate):
    return openssl("cms", "-encrypt", "-binary", "-aes-128-cbc", "-outform", "DER", certificate, stdin=content)


def read(der):
    """What a message says of itself; its signature is verified. And what it seals."""
    body = elements(inside(der)[1][1])[0][2]
    signer = elements(inside(body)[-1][1])[0][2]
    signed = next(content for tag, content, _ in inside(signer) if tag == 0xA0)
    attributes = {}
    for _, attribute, _ in elements(signed):
        kind, values = elements(attribute)
        attributes[kind[2]] = elements(values[1])[0][1]
    envelope = openssl("cms", "-verify", "-noverify", "-binary", "-inform", "DER", stdin=der)
    return {kind: attributes.get(oid(kind)) for kind in (MESSAGE_TYPE, TRANSACTION_ID, SENDER_NONCE)}, envelope


def request(kind, content):
    attributes = {MESSAGE_TYPE: kind, TRANSACTION_ID: TRANSACTION, SENDER_NONCE: NONCE}
    # A poll is signed by the temporary certificate of the key, a query by that of the authority.
    certificate = "temporary.pem" if kind == CERT_POLL else "device.pem"
    return message(attributes, seal(content, "ca.pem"), certificate, "device.key")


def answer(der, status=b"0"):
    attributes, envelope = read(der)
    about = openssl("cms", "-decrypt", "-binary", "-inform", "DER", "-inkey", "ca.key", stdin=envelope)
    kind = attributes[MESSAGE_TYPE]
    expected = {
        CERT_POLL: lambda: issuer_and_subject("ca.pem", "device.csr"),
        GET_CERT: lambda: issuer_and_serial("device.pem"),
        GET_CRL: lambda: issuer_and_serial("device.pem"),
    }[kind]()
    if about != expected:
        status = b"2"
    said = {
        MESSAGE_TYPE: b"3",
        TRANSACTION_ID: attributes[TRANSACTION_ID],
        SENDER_NONCE: bytes(reversed(NONCE)),
        RECIPIENT_NONCE: attributes[SENDER_NONCE],
        PKI_STATUS: status,
    }
    if status == b"2":
        said[FAIL_INFO] = b"4"
    if status != b"0":
        return message(said, None, "ca.pem", "ca.key")
    if kind == GET_CRL:
        content = openssl("crl2pkcs7", "-in", "list.pem", "-outform", "DER")
    else:
        content = openssl("crl2pkcs7", "-nocrl", "-certfile", "device.pem", "-outform", "DER")
    certificate = "temporary.pem" if kind == CERT_POLL else "device.pem"
    return message(said, seal(content, certificate), "ca.pem", "ca.key")


# What the messages are about.


def init():
    days = ["-days", "7300"]
    usages = "keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign,cRLSign"
    openssl(
        *"req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=Recorded -addext".split(), usages, *days
    )
    openssl(*"req -newkey rsa:2048 -nodes -keyout device.key -out device.csr -subj".split(), SUBJECT)
    openssl(*"req -x509 -in device.csr -key device.key -out temporary.pem".split(), *days)
    openssl(*"x509 -req -in device.csr -CA ca.pem -CAkey ca.key -set_serial 0x4001 -out device.pem".split(), *days)
    with open("index.txt", "w") as index:
        index.write("R\t400101000000Z\t260101000000Z,keyCompromise\t4002\tunknown\t/CN=gone\n")
    with open("number", "w") as number:
        number.write("01\n")
    with open("ca.conf", "w") as config:
        config.write("[ca]\ndefault_ca=x\n[x]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sha256\n")
    openssl(*"ca -config ca.conf -gencrl -keyfile ca.key -cert ca.pem -crldays 7300 -out list.pem".split())


def record():
    serial, subject = issuer_and_serial("device.pem"), issuer_and_subject("ca.pem", "device.csr")
    for name, kind, content in [
        ("getcert", GET_CERT, serial),
        ("getcrl", GET_CRL, serial),
        ("certpoll", CERT_POLL, subject),
    ]:
        asked = request(kind, content)
        for suffix, der in [("request", asked), ("answer", answer(asked))]:
            with open(f"{name}-{suffix}.der", "wb") as file:
                file.write(der)


if __name__ == "__main__":
    command, folder, *rest = sys.argv[1:]
    os.chdir(folder)
    if command == "answer":
        status = rest[0].encode() if rest else b"0"
        sys.stdout.buffer.write(answer(sys.stdin.buffer.read(), status))
    else:
        {"init": init, "record": record}[command]()
