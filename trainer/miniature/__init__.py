"""Repeat the paper's experiment at a small scale: `videor1 miniature`.

- `settings`: sizes of everything. `arms`: what is trained from what, and how it is evaluated.
- `experiment`: every step as a command of ``videor1``, and the dataset and models they start from.
  `scheduler` runs the commands, some at a time, and stores which are done.
- `evaluations`: the answers of the models. `results`: scores over clips and seeds.
- `hypotheses`: the paper's claims, tested on the results. `report`, `curves`: tables and plots.
- `embed`: chooses the checkpoint that comes with the package.
"""
