"""Every payload that pymobileconfig writes: ROOT.crt IDENTITY.p12 FOLDER."""

import sys
from datetime import datetime
from pathlib import Path

from pymobileconfig import PKCS12, SCEP, ManagedAppConfig, Profile, TrustedCertificate

root, identity, folder = (Path(argument) for argument in sys.argv[1:])
ODD = 'Ünïcödé <&> "quoted" ]]> $USER'


def profile(name):
    return Profile(display_name=ODD, organisation="Example", description=ODD, identifier=f"com.example.{name}")


certificates = (
    profile("certificates")
    .add(TrustedCertificate(display_name="Root", certificate=root))
    .add(PKCS12(display_name="Identity", pkcs12=identity, password="hunter2"))
)
scep = profile("scep").add(
    SCEP(
        display_name="Device",
        url="https://ca.example.com/scep",
        challenge="hunter2 <&>",
        subject=[("CN", ODD), ("O", "Example")],
        subject_alt_name={"dNSName": "device.example.com"},
        ca_fingerprint=bytes(range(20)),
    )
)
app = profile("app").add(
    ManagedAppConfig(
        display_name="App",
        bundle_id="com.example.app",
        config={
            "text": ODD,
            "count": 2**63,
            "real": 0.1,
            "on": True,
            "list": [1, "two", b"\x00\xff"],
            "nested": {"empty": {}, "when": datetime(2027, 2, 3, 4, 5, 6)},
        },
    )
)
for name, made in {"certificates": certificates, "scep": scep, "app": app}.items():
    made.write(folder / f"{name}.xml")
    (folder / f"{name}.same").write_bytes(made.dumps())
