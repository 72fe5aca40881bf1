"""Report the files of apps that stay out of a machine, so that nobody looks for them there."""

from sandbox.app_files import TooMuchError, UnreadableError, app_files
from sandbox.events import Listener, Notice
from sandbox.placement import Placement
from sandbox.spec.problem import printable

_MOST_SHOWN = 5


def tell_left_out(placement: Placement, listener: Listener) -> None:
    """Say which files of each app stay here; nothing for an app that goes whole."""
    for app in (*placement.plan.apps, *placement.plan.apis):
        try:
            names = app_files(app.path, include=app.include, max_mb=app.max_mb).left_out
        except (TooMuchError, UnreadableError):
            # The folder is gone: the code that needs it reports that
            continue
        if names:
            shown = ", ".join(printable(name) for name in names[:_MOST_SHOWN])
            more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
            text = f"left out of the app {app.name}: {shown}{more} (`include:` takes one by name)"
            listener(Notice(placement.name, text))
