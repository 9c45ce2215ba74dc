"""Train with SFT, GRPO and T-GRPO on TRL, with the prompts, frames and scores of the evaluation.

- `cli`: the commands ``train``, ``watch``, ``annotate``, ``miniature``.
- `algorithms`: one module per algorithm; `config.algorithms` lists them without importing torch.
- `config`: what a recipe holds, its presets (``recipes/``), and how a field reaches TRL.
- `data`: training rows, their check before training, and rationales from a model.
- `rewards`: rewards of completions, where they differ from scores, and advantages. A new reward is
  a function there, a weight in `config.rl_sections`, and an entry in the list of its algorithm.
- `loops`: what the algorithms share while training; all modules that import torch.
- `runs`: training in a folder, its files, its checkpoints.
- `serving`: vLLM servers that sample for a training.
- `pages`: rows and trainings as pages with frames.
- `watch`: evaluates every checkpoint while training goes on.
- `cost`: tokens and memory of a recipe before it runs.
- `miniature`: studies on a drawn data set: the ablation of the paper, and shortcuts.
- ``launch/``: configurations for several processes.
"""
