"""What the pytest process of exercises must know, and where it leaves what came of them."""

from typing import Final

from pydantic import BaseModel, ConfigDict

REQUEST: Final = "request.json"
OUTCOMES: Final = "outcomes.jsonl"


class ExerciseRequest(BaseModel):
    """What the process must know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user: str
    """The learner's account."""
