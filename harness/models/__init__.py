"""Which model is evaluated: checkpoint folders, hub ids, LoRA adapters and served models."""
