"""Signs the cases as Amazon SNS does, by a key and a certificate that are made for them."""

from __future__ import annotations

import base64
import functools
import json
from typing import Any, cast

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hub_email_inbound.settings import Settings
from msgspec.structs import replace

from hub.plugin import Delivery

FIELDS = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        *("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}
FIELDS["UnsubscribeConfirmation"] = FIELDS["SubscriptionConfirmation"]
KEY = """
-----BEGIN PRIVATE KEY-----
MIIEvwIBADANBgkqhkiG9w0BAQEFAASCBKkwggSlAgEAAoIBAQDl9uADd45U8NFr
43dxgz+Ua9e7Zx7abWsGTyZSGZp4sNR3Zmc4e+X7SnMDoaZUFbgscLh6mXj4U2t6
sbDgAqPVjd6nLiX9tmhM0gPY60LlUAerqOSVeYVvoa7SWneWg2IkMvvOy7fO+3dL
go+0TSgR0j4GjxEzPYn1PfKuGaaEgZkjL63VQWOdHRxktQX79xY4YKNrNe9TQIT3
oCqHmb7r2zu9VR7Jj4P4IW9aGxywCsiTuTNxwsSGGektSxWvsLcvfKHfXuYHO2L+
rnhfcloofXcIvS8MlKqbQQDrXzaTKcklvV5JsB6rL9xX8QqwQaFzEOJ9mbu8Atxs
bpkUAXWPAgMBAAECggEAGbZ6whh7ndbBa8v8HoFGOie8GvRYTaRfYPi3owVsMWOA
QODT2MvNtsUnyren5o35JmBCLanRuLPHIum8X7JxNDR6jqcz0Jm1MXsSuriaJb7G
5MmWfs90J+ZkVZk6TDuLh9r62dq1xjB1hx1lnmDkLT3x+SoaX72D7/EfHJq59OW8
gcNQT5K5DKpQBo2KUh+PEMwRJDxhk+SOdlKUQojDESLr+1uACBlkxK8++drJr3CS
xV/1CmeM/fZIt1gTWyZ9qzotsT9yKNfS286Pfonc6VWjtud4yO8/79CfkDx464PC
qT68jkRNXzyg6yE4o53Mmd2A7VQErQdIEHamcfudaQKBgQDzGBGybNgR7u0rfrGJ
PYs0kPcDwSR+stKVGMuCkvv3o2cRtQGTZNyPQ1rj7uBKzQCi/sTMWkZpK0IeahSQ
UPyulm/xe6GZAHPA2sE/LINIGwDpBBJXVsrKNmeXXa/B+mkwrz3v78HIsk7tRyit
Xvb+Vsx7g809ltt76uwFTKdA5wKBgQDyLFvGMZdHKbkpAOHjx56SYRDU+4NdWC80
P7RuY82OBBd0FGuf5xj+rurmm60BJXjBl9E20+CAot0x6Qyh5HzLqb+GjSUD7oeM
liaBvRcpF2gIzXgKQ8aqv6Bj+XuYKUj0GRQcaRMYNIlVgRhCCevASYul/MmlN/fM
NWtZNfwJGQKBgQCN+cy8LJ21O5oBASmnQe5/cPsTkkZCSSZ8NdMGG9pVM3YK/XBC
KXI3qdr3rJgKl9h7WdiOkVr2KXGgWcxQzTwGq44Nt2sV9RGl3R1oTBMQldTeQqaD
pAkkOMofuXPhEuNEr9S4wYqoMJuwMRMszn3q5b7flIbWJblikj3uimpUmQKBgQDM
zMSj/IZBkUBcM7nUhplMkzfH1hfG1e+9kO5GuLI6Gq225hoKNUaHA2f1s8t//696
kKhGZLIkNxc2wS6ErpT3K0ukPzMBezQ4qTZRW5b9kiTR5OlSTPTyq3G5el+SU7+1
ZowCZr3WJ3/Ixo68MmWjzM6Dhh8FUSqHENoCrMvC6QKBgQCf+9ejOX6JF6LpWe/v
o3zFEw7QA10n1oYA5wxsIgHxL+VQpD2aEFnbCdJMsta6kEDRqt/InVfEymQYE05f
wnaqKZe0xhe/oXQ2HzNGG9E6OVnxaeN6ZjHGvg1SQ4Dn1+qx3QdaLLxz1PWAtQXC
Mj7mzH88lKmo+7CMfHScfjFO6g==
-----END PRIVATE KEY-----
"""
ANOTHER = """
-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCxFVBUisBFjDjg
FBxcgNmPRhCe+FhYFdxk38Jtm2h+2AslJJo6u6rnkGRuRTttMK8Q7/Nu+PvDwXay
DRJlmmLaWEuBnO1aCFNHwS9YoKCMqucb0XXuZSN70TDlPSNuGwpvGeafp5UdJ30w
IAESQs95+ex+b4N1H5RVTodpnTDNCRVUwhbYH1jEHXqaR3DYWyxBnbFguI9azDG+
pQ0RvmtO1XRsdWqdELpPv8eLP+FNW9n14syzd2S+NVsRI4rbgMcdQwKnUAns9loL
odyt6vzV0ocY1imwS0FbGIFLhlwI2v3WqL8qlqEkPrShixLhlz+pK6p7r8rOvmaH
sCpuP8thAgMBAAECggEAAIidaNvQL4V4KGi3GypCPZXK+AeskHtkYiNwfQ8SVguF
oROGqXWmUrNTMifgQXh7lpP6ilOSwqjDGE9ExmycLqdEdvwHlRVgVt+EqoI1aacc
Mi/D6LeCT122hYJVKIBJXENaOBHzt5ZGYM4/4pOz91yi81CXt1MkictGSjGwk3WZ
w1zhXVqLGyEpiheE4gPGrXBERQunFlH7BuRxrQpEfp8ogZN+YmW5FF5c6y1g6zWa
IDQ9VTk31iimc9n7kpb2VzrUOOKF/ciYlsqFXBM5iPKqmyTlG9BB+5IG9bbmz73H
hSSUxE6sbUiAl+jsLzYzG8Ih9D9K7MhalyS1fDZAbwKBgQDgnXcR5PH+khS48F/1
mCXd4ZgnyvuUghK5Y4CKfOJLO8V6mzTYTLQwjl/LCNJ0f/yvmVtycQLLNqJpJuwy
KydcnTV900NjCSi+TqnhWpeNO51XO78c4Uhg2pSMhCZNJoxbt6bmWb8XbZRdrO1p
jmK4jQuJhULj+6YI313wTDM1EwKBgQDJ05+gMN2wKzSbvpFRFJRT7gc2OSkKb6Tt
07oiCPF3ti+RK1aofZblqsQR2D1XTQVLBI+63+DBOSvAqDGcpUlNvBsw8jEbJnG+
O9qfK66s8ryR+PUFaMjP38YF9t3Bkx77qOvtsxtI9Z97XPB/Bjs97cw/lD4D5DuH
I7h13GUwOwKBgQCivDNaeZ+Cq1/sJevASj2VJi9RFVV04VCjlJ26uIRTsbh//hcp
Z1ldnKl2tquT0G7I4rlIjuxRQwIkYRjbuDxKc3Qf94JpLGeiiee26CXJI5n5a8Yp
LGd+FJ9vtwbw+q7SfJqlZfx3AuNtgy53Pbv0revf9Pbjqp0+7GZpBSxMlQKBgBH4
KI8vqp1Dy4ROXEvWxDoQyE2Ym0HVnN6b6kebejxJWUTYkfegbu313U0lbpi2P9Fl
D5L42d76Qx39G6WxxawJInaiKaMcMiZY1+cyEXROjGGGw/H+WVrAtrXTO/0/JxQK
/y6Dsts1G0T1imgU2vNxl6zVewwHpxEqKgM8Yzn/AoGAfXrUupgDPgncSyLLkm5p
yHCEZA3SmqpFiR9MmTd5Gz3+CYr0RsQE4FGOUQzzXWRfxvC7epZaAuxeniHw6W7C
yQ/le5q601t2onApuh9cEgHSABxvwnp8tyvHI9r3WCJHNipGLuSWkmMUp++ahU9T
WUEl5eAWyZOjkJJ8QJ6/pVc=
-----END PRIVATE KEY-----
"""


def sign(delivery: Delivery, settings: Settings) -> Delivery:
    """The delivery with the signature that belongs to it."""
    del settings
    return _signed(delivery, KEY)


def forge(delivery: Delivery, settings: Settings) -> Delivery:
    """The same with a key that is not Amazon's."""
    del settings
    return _signed(delivery, ANOTHER)


@functools.cache
def _key(pem: str) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(pem.strip().encode(), None)
    return cast("rsa.RSAPrivateKey", key)


def _signed(delivery: Delivery, pem: str) -> Delivery:
    told: dict[str, Any] = json.loads(delivery.body)
    told["SignatureVersion"] = "2"
    told["SigningCertURL"] = (
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
    )
    fields = FIELDS.get(told.get("Type", ""), ())
    names = [name for name in fields if told.get(name) is not None]
    words = "".join(f"{name}\n{told[name]}\n" for name in names).encode()
    proof = _key(pem).sign(words, padding.PKCS1v15(), hashes.SHA256())
    told["Signature"] = base64.b64encode(proof).decode()
    return replace(delivery, body=json.dumps(told).encode())
