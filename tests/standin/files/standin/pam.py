"""Talks to libpam: checks a password (rserver-pam), and opens the session of a user."""

from __future__ import annotations

import ctypes
import sys
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int, c_size_t, c_void_p
from typing import Any

_SUCCESS = 0
_CONV_ERR = 19
_PROMPTS = (1, 2)  # PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON
_SILENT, _NO_EMPTY, _ESTABLISH, _DELETE = 0x8000, 0x0001, 0x0002, 0x0004
_LONGEST = 512


class _Message(Structure):
    _fields_ = [("style", c_int), ("text", c_char_p)]


class _Response(Structure):
    _fields_ = [("text", c_void_p), ("code", c_int)]


_ASK = CFUNCTYPE(c_int, c_int, POINTER(POINTER(_Message)), POINTER(POINTER(_Response)), c_void_p)


class _Conversation(Structure):
    _fields_ = [("ask", _ASK), ("data", c_void_p)]


class Pam:
    """One transaction with PAM."""

    def __init__(self, service: str, user: str, password: bytes | None = None) -> None:
        self.was_asked = False
        self._password = password
        self._libc = ctypes.CDLL(None)
        self._libc.calloc.restype, self._libc.calloc.argtypes = c_void_p, (c_size_t, c_size_t)
        self._libc.strdup.restype, self._libc.strdup.argtypes = c_void_p, (c_char_p,)
        self._pam = ctypes.CDLL("libpam.so.0")
        self._pam.pam_getenvlist.restype = POINTER(c_char_p)
        # Kept: PAM calls it for as long as the transaction lives
        self._conversation = _Conversation(_ASK(self._answer), None)
        self._handle = c_void_p()
        self._status = self._pam.pam_start(
            service.encode(), user.encode(), byref(self._conversation), byref(self._handle)
        )
        if self._status != _SUCCESS:
            raise OSError(f"pam_start: {self._status}")

    def _answer(self, count: int, messages: Any, responses: Any, _data: object) -> int:
        made = self._libc.calloc(count, ctypes.sizeof(_Response))
        answers = ctypes.cast(made, POINTER(_Response))
        for index in range(count):
            if messages[index].contents.style in _PROMPTS:
                self.was_asked = True
                if self._password is None:
                    return _CONV_ERR
                answers[index].text = self._libc.strdup(self._password)
        responses[0] = answers
        return _SUCCESS

    def _call(self, name: str, flags: int) -> bool:
        self._status = getattr(self._pam, name)(self._handle, c_int(flags))
        return bool(self._status == _SUCCESS)

    def is_right(self) -> bool:
        """Whether the password is the user's, and the account may be used."""
        return self._call("pam_authenticate", _SILENT | _NO_EMPTY) and self._call(
            "pam_acct_mgmt", _SILENT
        )

    def open_session(self) -> bool:
        """Open a session; what PAM wants in the environment is in `environment` afterwards."""
        return self._call("pam_setcred", _SILENT | _ESTABLISH) and self._call(
            "pam_open_session", _SILENT
        )

    def environment(self) -> dict[str, str]:
        """Give the variables that PAM modules have set."""
        found: dict[str, str] = {}
        listed = self._pam.pam_getenvlist(self._handle)
        index = 0
        while listed and (entry := listed[index]) is not None:
            name, _, value = entry.decode(errors="surrogateescape").partition("=")
            found[name] = value
            index += 1
        return found

    def close_session(self) -> None:
        """Close the session."""
        self._call("pam_close_session", _SILENT)
        self._call("pam_setcred", _SILENT | _DELETE)
        self.end()

    def end(self) -> None:
        """End the transaction."""
        self._pam.pam_end(self._handle, c_int(self._status))


def main(words: list[str]) -> int:
    """Be rserver-pam: `USER SERVICE 1`, the password on stdin; 0 when it is right."""
    if not words:
        sys.stderr.write("usage: rserver-pam USER [SERVICE] [1: a password must be asked for]\n")
        return 1
    user, service = words[0], words[1] if len(words) > 1 else "rstudio"
    must_ask = words[2:3] != ["0"]
    password = sys.stdin.buffer.read(_LONGEST).split(b"\n", 1)[0]
    if not password:
        return 1
    pam = Pam(service, user, password)
    is_right = pam.is_right() and (pam.was_asked or not must_ask)
    pam.end()
    return 0 if is_right else 1
