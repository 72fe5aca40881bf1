"""What OpenSSL's configuration asks of a connection: the oldest protocol, the weakest key."""

from sandbox.facts.kind import Consequence, NotThereError, Reading, kind_of_machine
from sandbox.facts.part import FactsModel, ListPart
from sandbox.facts.shapes import Shape, check_pairs
from sandbox.facts.subject import Facts, ProbeAnswer, Subject
from sandbox.probe.frame import Section
from sandbox.probe.readers import plain

_KEYS = ("CipherString", "Ciphersuites", "MaxProtocol", "MinProtocol")


class OpensslSetting(FactsModel):
    """One setting of openssl.cnf."""

    name: str
    """MinProtocol, MaxProtocol, CipherString (with SECLEVEL), Ciphersuites."""
    value: str


class OpensslSettings(ListPart[OpensslSetting]):
    """Those that openssl.cnf has; all else is as OpenSSL was built."""


def _check(section: Section) -> None:
    def value(text: str) -> str:
        return plain(text, "a setting of OpenSSL")

    check_pairs(section, dict.fromkeys(_KEYS, value))


def _parse(answer: ProbeAnswer) -> OpensslSettings | None:
    if answer.first("openssl") is None:
        return None
    values = answer.values("openssl")
    return OpensslSettings(
        tuple(OpensslSetting(name=name, value=values[name]) for name in sorted(values))
    )


def _read(facts: Facts) -> Reading:
    settings = facts.get(OpensslSettings)
    if settings is None:
        raise NotThereError("there is no configuration of OpenSSL")
    found = {one.name: one.value for one in settings}
    return {name: found.get(name, "as OpenSSL was built") for name in _KEYS}


OPENSSL = Subject(
    name="openssl",
    rank=182,
    takes="=MinProtocol: None|SSLv3|D?TLSv1([.][0-3])?\n"
    "=MaxProtocol: None|SSLv3|D?TLSv1([.][0-3])?\n"
    "=CipherString: (DEFAULT|ALL|HIGH|PROFILE=SYSTEM|@SECLEVEL=[0-5])(:?@SECLEVEL=[0-5])?\n"
    "=Ciphersuites: (TLS_(AES_128|AES_256|CHACHA20)_(GCM|CCM|CCM_8|POLY1305)_SHA(256|384):?)+\n",
    part=OpensslSettings,
    sections={"openssl": Shape(_check)},
    parse=_parse,
    kinds=(
        kind_of_machine(
            "openssl",
            Consequence.FAILS,
            135,
            title="a setting of OpenSSL",
            how="exact",
            why="an older server, an SQL Server for one, is refused with a handshake that fails",
            bug="mkleehammer/pyodbc/issues/610",
            read=_read,
        ),
    ),
)
