"""Training algorithms, one module each; `trainer.config.algorithms` lists them."""
