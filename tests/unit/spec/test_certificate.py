"""From a certificate file only the certificates go on."""

from pathlib import Path

import pytest

from sandbox.errors import BoxError, ExitCode
from sandbox.render import read_certificates
from sandbox.spec.certificate import certificates_in
from tests.unit.factories import plain_plan
from tests.unit.spec.conftest import HEAD, Problems, Write

ONE = "-----BEGIN CERTIFICATE-----\nMIIBonc=\n-----END CERTIFICATE-----"
TWO = "-----BEGIN TRUSTED CERTIFICATE-----\nMIIBtwM=\n-----END TRUSTED CERTIFICATE-----"
SECRET = "c2VjcmV0"
KEY = f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}\n-----END EC PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ONE, (ONE,)),
        (f"password: {SECRET}\n{ONE}\nBag Attributes {SECRET}\n{TWO}\n{SECRET}\n", (ONE, TWO)),
        (f"{KEY}\n{ONE}\n{KEY}\n", (ONE,)),
        (ONE.replace("\n", "\r\n"), (ONE,)),
        (f"-----BEGIN CERTIFICATE-----\n{KEY}\n-----END CERTIFICATE-----\n", ()),
        (f"-----BEGIN CERTIFICATE-----\n{SECRET}!\n-----END CERTIFICATE-----\n", ()),
        (f"-----BEGIN CERTIFICATE-----\n{SECRET}\n", ()),
        (f"# -----BEGIN CERTIFICATE-----\n{SECRET}\n-----END CERTIFICATE-----\n", ()),
        (f"user={SECRET}\n", ()),
        ("", ()),
    ],
)
def test_only_certificates(text: str, expected: tuple[str, ...]) -> None:
    found = certificates_in(text.encode())
    assert found == expected
    assert SECRET not in "".join(found)


def test_long_lines_are_wrapped_and_bytes_do_no_harm() -> None:
    (found,) = certificates_in(
        b"\xff\x00\n-----BEGIN CERTIFICATE-----\n" + b"MIIB" * 40 + b"\n-----END CERTIFICATE-----\n"
    )
    assert [len(line) for line in found.splitlines()[1:-1]] == [64, 64, 32]


def test_what_goes_into_the_machine_is_only_that(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text(f"{SECRET}\n{KEY}\n{ONE}\n{TWO}\n")
    plan = plain_plan().model_copy(update={"ca_certificates": (path,)})
    (found,) = read_certificates(plan)
    assert found.pem == f"{ONE}\n{TWO}"


@pytest.mark.parametrize(
    "text", [f"DB_PASSWORD={SECRET}\n", f"-----BEGIN CERTIFICATE-----\n{SECRET}"]
)
def test_a_file_without_one_is_an_error_that_quotes_nothing(
    write: Write, problems: Problems, text: str
) -> None:
    path = write(text, "ca.pem")
    (problem,) = problems(HEAD + "system: {ca_certificates: [ca.pem]}\n")
    assert "it is not in PEM format" in problem.message
    assert SECRET not in str(problem)
    plan = plain_plan().model_copy(update={"ca_certificates": (path,)})
    with pytest.raises(BoxError, match="there is no certificate in") as caught:
        read_certificates(plan)
    assert caught.value.exit_code is ExitCode.BOX
    assert SECRET not in caught.value.details
