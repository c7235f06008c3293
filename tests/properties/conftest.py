"""Properties are not timed: on a busy machine an example takes as long as it takes."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
