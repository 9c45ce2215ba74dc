"""Ask whether training takes a shortcut: `videor1 miniature --config shortcut`.

- `arms`: an arm per algorithm and share of training clips whose mark agrees with the answer.
- `measures`: what is measured. `questions`: the four questions and their answers.
- `results`, `times`: read the evaluations and the seconds per update. `report`, `curves`: tables
  and plots.
- `page`: puts a report into the page that describes the experiment.
"""
