"""The evaluation engine: schema, protocol, video, backends, scoring, runner, store, CLI."""
