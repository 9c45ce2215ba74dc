"""The paper's experiment at a scale that anyone can repeat: `videor1 miniature`.

- `settings`: how large everything is. `arms`: what is trained from what, and how it is examined.
- `prepare`: the world and the untaught models. `stages`: every step as a command of ``videor1``;
  `schedule` runs them, some at a time, and remembers what is done.
- `exam`: what the models answered. `outcome`: scores over clips and seeds. `claims`: what the paper
  says, and what they say of it. `pages`, `curves`: tables and pictures.
- `embed`: the checkpoint that comes with the package.
"""
