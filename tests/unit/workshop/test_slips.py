"""The page to print, and the table for a mail."""

import csv
import io

from sandbox.workshop.claims import hash_of, is_secret, new_claim
from sandbox.workshop.slips import Slip, slips_csv, slips_page

ADA = Slip("seat01", "Ada <b>", "ada@example.org", "https://seat01.x/", "learner", "aaaa-bbbb-cccc")
SPARE = Slip("seat02", "", "", "https://seat02.x/", "learner", "dddd-eeee-ffff")


def test_each_seat_has_a_slip_with_its_own_secret_and_picture() -> None:
    page = slips_page("R & Shiny", [ADA, SPARE], is_encrypted=True)
    assert page.count("<article>") == 2
    assert page.count("<svg") == 2
    assert "aaaa-bbbb-cccc" in page
    assert "dddd-eeee-ffff" in page
    assert "R &amp; Shiny" in page
    assert "Ada &lt;b&gt;" in page
    assert "<b>" not in page
    assert "no certificate" not in page
    # Nothing is fetched from anywhere
    assert "src=" not in page
    assert "http-equiv" in page


def test_without_a_certificate_the_page_says_so() -> None:
    assert "closed network only" in slips_page("R", [ADA], is_encrypted=False)


def test_the_table_runs_nothing_in_a_spreadsheet() -> None:
    evil = Slip("seat03", "=cmd|'/c calc'!A0", "+1@x", "https://x/", "learner", "s")
    rows = list(csv.DictReader(io.StringIO(slips_csv([ADA, evil]))))
    assert rows[0]["name"] == "Ada <b>"
    assert rows[0]["secret"] == "aaaa-bbbb-cccc"
    assert rows[1]["name"] == "'=cmd|'/c calc'!A0"
    assert rows[1]["email"] == "'+1@x"


def test_a_cookie_is_kept_as_a_hash_alone() -> None:
    claim = new_claim()
    assert len(claim) >= 32
    assert claim not in hash_of(claim)
    assert hash_of(claim) == hash_of(claim)
    assert hash_of(claim) != hash_of(new_claim())
    assert is_secret("abc", "abc")
    assert not is_secret("abd", "abc")
    assert not is_secret("", "abc")
