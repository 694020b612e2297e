"""The hallway: the rooms as Beam transforms, and the only place that knows Beam."""
