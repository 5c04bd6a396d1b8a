"""What a run wrote, without the clock."""

import json


def comparable(folder):
    """The metrics that two runs with the same bits have in common."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    clock = ("seconds", "tokens_per_second")
    return [{k: v for k, v in line.items() if k not in clock} for line in lines]
