"""The commands ``train``, ``annotate`` and ``watch``: light to import, like all commands."""
