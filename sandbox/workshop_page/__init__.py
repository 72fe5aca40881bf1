"""The pages of an open workshop: the trainer's, and the one where learners claim a seat."""

from sandbox.workshop_page.server import serve

__all__ = ["serve"]
