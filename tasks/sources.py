"""The benchmarks on the Hugging Face hub: repositories, commits, files, archives.

The commits were taken from stored pages of the hub and from public projects that pin them or have
them in their caches, not from the hub itself: docs/sources.md, "Commits and layouts of the data",
says which from where. If the hub does not have a commit, ``videor1 data fetch`` says so.
"""

from __future__ import annotations

from harness.data.archives import Archive
from harness.data.fetch import Source


def _folders(*names: str, below: str = "") -> tuple[Archive, ...]:
    """Return zip archives that each contain the folder they are named after."""
    return tuple(
        Archive(path=f"{below}{name}.zip", root=name, into=f"{below}{name}") for name in names
    )


VSIBENCH = Source(
    repo="nyu-visionx/VSI-Bench",
    revision="d7cb1a3960b79dd3e20d4990b83005e96e1bcd9d",
    folder="vsibench",
    licence="Apache-2.0",
    files=("test.jsonl", "*.parquet", "pruned_ids.txt"),
    archives=_folders("arkitscenes", "scannet", "scannetpp"),
    size_gb=5.7,
)

VIDEOMMMU = Source(
    repo="lmms-lab/VideoMMMU",
    revision="d1c35ac933123d79e877b7f1b9506afb0309cf1b",
    folder="videommmu",
    licence="none named; gated, the videos belong to their owners",
    files=("*.parquet", "question_only/*.mp4"),
    archives=_folders(
        "Art", "Business", "Engineering", "Humanities", "Medicine", "Science", "question_only"
    ),
)

MVBENCH = Source(
    repo="OpenGVLab/MVBench",
    revision="230a2d4fac8900333c61754641c7a13e069ac9c6",
    folder="mvbench",
    licence="MIT",
    files=("json/*.json", "video/MVBench_videos_ntu.txt"),
    archives=(
        *_folders(
            "clevrer",
            "FunQA_test",
            "Moments_in_Time_Raw",
            "perception",
            "scene_qa",
            "ssv2_video",
            "sta",
            "star",
            "tvqa",
            "vlnqa",
            below="video/",
        ),
        # Later additions to clevrer and star, with paths <set>/<folder>/<video>.
        Archive(path="video/data0613.zip", root="data0613", into="video"),
    ),
    undistributed={
        "fine_grained_pose": (
            "NTU RGB+D videos may not be redistributed: request them from"
            " https://rose1.ntu.edu.sg/dataset/actionRecognition/, then put those listed in"
            " video/MVBench_videos_ntu.txt into video/nturgbd"
        )
    },
)

TEMPCOMPASS = Source(
    repo="lmms-lab/TempCompass",
    revision="c8a67d88a3bc6fd4b2f9ae2f9e112668fbe05722",
    folder="tempcompass",
    licence="none named",
    size_gb=0.4,
    files=("*.parquet",),
    archives=(Archive(path="tempcompass_videos.zip", root="videos", into="videos"),),
)

VIDEOMME = Source(
    repo="lmms-lab/Video-MME",
    revision="ead1408f75b618502df9a1d8e0950166bf0a2a0b",
    folder="videomme",
    licence="academic research only, not to be passed on",
    files=("videomme/*.parquet",),
    archives=(
        *(
            Archive(path=f"videos_chunked_{number:02d}.zip", root="data", into="data")
            for number in range(1, 21)
        ),
        Archive(path="subtitle.zip", root="subtitle", into="subtitle"),
    ),
)

VIDEOMME_V2 = Source(
    repo="MME-Benchmarks/Video-MME-v2",
    revision="6e4bebb03202e1ddbf3d37703e560e51c5aa2d64",
    folder="videomme-v2",
    files=("test.parquet",),
    archives=(
        *(
            Archive(path=f"videos/{number:03d}.zip", root="videos", into="videos")
            for number in range(1, 41)
        ),
        Archive(path="subtitle.zip", root="subtitle", into="subtitle"),
    ),
)

LONGVIDEOBENCH = Source(
    repo="longvideobench/LongVideoBench",
    revision="60d1c89c1919a198b73be39c2babb213b29d6a5c",
    folder="longvideobench",
    licence="CC BY-NC-SA 4.0, gated",
    size_gb=161,
    files=("lvb_val.json",),
    archives=(
        Archive(path="videos.tar.part.*", root="videos", into="videos"),
        Archive(path="subtitles.tar", root="subtitles", into="subtitles"),
    ),
)

VIDEOHOLMES = Source(
    repo="TencentARC/Video-Holmes",
    revision="7904bdfe6c3c2850ade58f18dbf5a6eb700abdbc",
    folder="videoholmes",
    files=("test_Video-Holmes.json",),
    archives=(Archive(path="videos.zip", root="videos_cropped", into="videos"),),
)

CHARADES_STA = Source(
    repo="lmms-lab/charades_sta",
    revision="799008a8e37860e3bbd8418c6e3111b0bc05f648",
    folder="charades-sta",
    files=("data/*.parquet",),
    archives=tuple(
        Archive(
            path=f"Charades_v1_480_part_{part}.zip", root="Charades_v1_480", into="Charades_v1_480"
        )
        for part in range(1, 5)
    ),
)

MMVU = Source(
    repo="yale-nlp/MMVU",
    revision="c83339b82df1f21b1ceaf5f0870360043d699604",
    folder="mmvu",
    licence="none named",
    files=("validation.json", "videos/*.mp4"),
)
