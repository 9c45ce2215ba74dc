"""Training: SFT, GRPO and T-GRPO on TRL, with the prompts, frames and scores of the evaluation.

- `sft`, `grpo`, `tgrpo`: one algorithm each; a new one goes beside them. `loops` is what they are
  built from, and all that imports torch.
- `config`, `sections`, `choices`, `recipes/`: what a recipe can say; read by `settings`, `bounds`.
- `data`, `checks`: rows, and what is wrong with them. `rewards`: what an answer earns; a new reward
  is a function there, a weight in `sections`, and a column in `grpo` or `tgrpo`.
- `run`, `saved`, `locks`: the folder of a run and its checkpoints; `show` and `timeline` read it.
- `watch`, `looks`, `watch_settings`: every checkpoint evaluated. `annotate`: rationales for rows.
- `estimate`, `shape`: what a run will cost. `cli`: the commands. `launch/`: several processes.
"""
