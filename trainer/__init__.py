"""Train with SFT, GRPO and T-GRPO on TRL, with the prompts, frames and scores of the evaluation.

- `algorithms`: one module per algorithm. `loops`: what they are built from; imports torch and TRL.
- `config`: what a recipe can say; the recipes are in `config/recipes/`. `data`: rows and checks.
- `rewards`: rewards of completions. A new one is a function there, a weight in `config.sections`,
  and an entry in the list of `algorithms.grpo` or `algorithms.tgrpo`.
- `runs`: the folder of a run and its checkpoints. `watch`: evaluates every checkpoint.
- `cost`: estimates time and memory. `miniature`: the paper's experiment at a small scale.
- `cli`: the commands. `launch/`: configs of `accelerate launch` for several processes.
"""
