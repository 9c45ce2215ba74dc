"""Have lmms-eval itself score stored responses: a process of its own, because it patches modules.

python lmms_replay.py RESPONSES.json OUT.json INCLUDE_PATH..., where responses are lists by task.
"""

import json
import sys
from argparse import Namespace
from pathlib import Path


def main(responses: str, out: str, *include_paths: str) -> None:
    """Write ``results`` of ``simple_evaluate`` with the settings of its command line."""
    from lmms_eval.api.model import lmms
    from lmms_eval.evaluator import simple_evaluate
    from lmms_eval.tasks import TaskManager

    from tasks.lmms.package import REASONING_TAGS

    texts = json.loads(Path(responses).read_text("utf-8"))

    class Replay(lmms):
        is_simple = False

        def generate_until(self, requests):
            return [texts[request.args[4]][request.args[3]] for request in requests]

        def loglikelihood(self, requests):
            raise NotImplementedError

        def generate_until_multi_round(self, requests):
            raise NotImplementedError

    tags = json.dumps(REASONING_TAGS)
    found = simple_evaluate(
        model=Replay(),
        tasks=list(texts),
        task_manager=TaskManager(include_path=list(include_paths)),
        cli_args=Namespace(reasoning_tags=tags, process_with_media=False, output_path=None),
        bootstrap_iters=0,
    )
    Path(out).write_text(json.dumps(found["results"], default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
