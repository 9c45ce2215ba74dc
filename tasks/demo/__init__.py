"""The embedded default: small clips with known answers in the publishers' layouts, a tiny model."""
