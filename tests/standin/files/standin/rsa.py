"""RSA in plain Python: enough to decrypt one password. Not fit for anything but tests."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass

_EXPONENT = 65537
_PRIMES = 4
# The product of all small odd primes: one gcd spares most of the slow tests
_SMALL = math.prod(
    number
    for number in range(3, 4000, 2)
    if all(number % one for one in range(3, 64, 2) if one < number)
)


def _is_prime(number: int) -> bool:
    if math.gcd(number, _SMALL) != 1:
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(8):
        seen = pow(secrets.randbelow(number - 3) + 2, odd, number)
        if seen in (1, number - 1):
            continue
        for _ in range(twos - 1):
            seen = seen * seen % number
            if seen == number - 1:
                break
        else:
            return False
    return True


def _prime(bits: int) -> int:
    while True:
        # The three highest bits make the product of four of these exactly four times as long
        number = secrets.randbits(bits) | 1 | (7 << (bits - 3))
        if (number - 1) % _EXPONENT and _is_prime(number):
            return number


@dataclass(frozen=True)
class KeyPair:
    """A key pair of one start of the server."""

    modulus: int
    private: int

    @property
    def public_text(self) -> str:
        """Say the public key as `exponent:modulus`, both in hexadecimal."""
        return f"{_EXPONENT:06X}:{self.modulus:X}"

    def decrypt(self, data: bytes) -> bytes:
        """Decrypt PKCS#1 v1.5; raises ValueError for anything else."""
        size = (self.modulus.bit_length() + 7) // 8
        number = int.from_bytes(data, "big")
        if len(data) != size or number >= self.modulus:
            raise ValueError("not made with this public key")
        plain = pow(number, self.private, self.modulus).to_bytes(size, "big")
        end = plain.find(b"\0", 2)
        if plain[:2] != b"\0\2" or end < 10:
            raise ValueError("not made with this public key")
        return plain[end + 1 :]


def make_key_pair(bits: int) -> KeyPair:
    """Make a new key pair.

    Of four primes: who encrypts sees no difference, and Python needs about as long for it as the
    real server for two, which Python would look for up to a second and more.
    """
    primes: set[int] = set()
    while len(primes) < _PRIMES:
        primes.add(_prime(bits // _PRIMES))
    order = math.prod(one - 1 for one in primes)
    return KeyPair(math.prod(primes), pow(_EXPONENT, -1, order))
