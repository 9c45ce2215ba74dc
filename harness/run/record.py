"""Makes the record of one answer: splits the thought off, scores the text, writes down the rest."""

from __future__ import annotations

from dataclasses import replace

from harness.run.between_frames import describe_asked
from harness.run.plan import PlannedTask
from harness.run.thoughts import split_thought
from harness.schema import (
    Clip,
    Completion,
    Failure,
    Outcome,
    Record,
    Sample,
    Score,
    Variant,
)
from harness.text.stored import storable


def make_record(
    planned: PlannedTask,
    sample: Sample,
    answer: Completion | Failure,
    clips: tuple[Clip, ...] = (),
    reasoning: str | None = None,
) -> Record:
    """Score one answer and write down all that is known of the item.

    Args:
        planned: The item's task.
        sample: The item.
        answer: What the engine returned for it.
        clips: What the model saw.
        reasoning: Rule by which the thought is split off; None: the protocol's.
    """
    record = _unanswered(planned, sample, clips)
    if isinstance(answer, Failure):
        return replace(record, failure=_storable_failure(answer))
    answer = _make_storable(split_thought(answer, reasoning or planned.protocol.reasoning))
    record = replace(
        record,
        text=answer.text,
        reasoning=answer.reasoning,
        reasoning_tokens=answer.reasoning_tokens,
        thought_end=answer.thought_end,
        finish_reason=answer.finish_reason,
        prompt_tokens=answer.prompt_tokens,
        output_tokens=answer.output_tokens,
        generate_s=answer.generate_s,
    )
    try:
        score = _require_range(_score_answer(planned, sample, answer))
    except Exception as error:  # noqa: BLE001 - the boundary: a scorer's error costs one item
        return replace(record, failure=failure_of("score", error))
    outcome = score.outcome
    if outcome is Outcome.NO_ANSWER and answer.finish_reason == "length":
        outcome = Outcome.TRUNCATED
    return replace(record, outcome=outcome, value=score.value, answer=score.answer, rule=score.rule)


def _score_answer(planned: PlannedTask, sample: Sample, answer: Completion) -> Score:
    if answer.refused:
        return planned.scorer.score_refusal(sample)
    if answer.reasoning and not answer.text.strip():
        # Some official rules leave empty texts out of the mean, or find them right.
        left_out = planned.scorer.leaves_out(sample)
        return Score(value=None if left_out else 0.0, outcome=Outcome.NO_ANSWER)
    return planned.scorer.score(sample, answer.text)


def _require_range(score: Score) -> Score:
    """Return a score whose value a record may have; raises `ValueError` for another one."""
    if score.value is not None and not 0 <= score.value <= 1:
        raise ValueError(f"the scorer returned {score.value!r}, expected 0 to 1 or None")
    return score


def _unanswered(planned: PlannedTask, sample: Sample, clips: tuple[Clip, ...]) -> Record:
    frames = planned.protocol.frames
    return Record(
        id=sample.id,
        task=sample.task,
        variant=frames.order if frames else Variant.ORDERED,
        cluster=sample.cluster,
        category=sample.category,
        outcome=Outcome.FAILED,
        value=None,
        answer=None,
        gold=sample.answer,
        scorer=planned.scorer.tag,
        frame_indices=tuple(clip.indices for clip in clips),
        timestamps=tuple(clip.timestamps for clip in clips),
        frame_size=tuple((clip.frames.shape[2], clip.frames.shape[1]) for clip in clips),
        frame_spacing=tuple(clip.spacing_s for clip in clips),
        media_notes=tuple(note for clip in clips for note in clip.notes),
        asked=describe_asked(planned, sample, clips),
        decode_s=sum(clip.decode_s for clip in clips),
    )


def failure_of(stage: str, error: Exception) -> Failure:
    """Return the failure of an item at a stage of its way."""
    return Failure(stage=stage, error=type(error).__name__, message=storable(str(error)))


def _make_storable(answer: Completion) -> Completion:
    """Return an answer whose texts every record can hold; scorers read the same texts."""
    reasoning = answer.reasoning
    return replace(
        answer,
        text=storable(answer.text),
        reasoning=reasoning if reasoning is None else storable(reasoning),
    )


def _storable_failure(failure: Failure) -> Failure:
    return replace(failure, message=storable(failure.message))
