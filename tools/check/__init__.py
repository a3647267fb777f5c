"""The checks of `./nos check`, one module per subject. Each has `checks(sources)`, which yields Check objects."""
