"""Run experiments at a small scale: `videor1 miniature`.

The settings name a study: the paper's ablation, or whether training takes a shortcut (`shortcut`).

- `settings`: sizes of everything. `study`: what is trained and how it is evaluated; `studies` finds
  the one that is named and writes its report. `arms`: those of the ablation.
- `experiment`: every step as a command of ``videor1``, and the dataset and models they start from.
  `scheduler` runs the commands, some at a time, and stores which are done; `warm` runs them in
  forks of a process that has imported torch.
- `evaluations`: the answers of the models. `results`: scores over clips and seeds.
- `hypotheses`: the paper's claims, tested on the results. `report`, `curves`: tables and plots.
- `embed`: chooses the checkpoint that comes with the package.
"""
