"""What Outlast costs on AWS in a month, from measured units (units.json) and a dated table of prices (prices.json).

`python3 infra/cost.py` writes the table into docs/cost.md between its markers; `--check` only says whether it is there.
"""

import json
import math
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parent / "docs/cost.md"
BEGIN, END = "<!-- made by infra/cost.py: begin -->", "<!-- made by infra/cost.py: end -->"
MONTHS = (0, 1_000, 1_000_000)
HOURS_IN_A_MONTH = 720
KB_IN_A_GB = 1_000_000

Prices = dict[str, dict[str, float]]
# What a line of the table adds up.
LINES = [
    ("Lambda: requests", ["lambda_requests"]),
    ("Lambda: time", ["lambda_gb_seconds"]),
    ("DynamoDB: writes", ["dynamodb_writes"]),
    ("DynamoDB: reads", ["dynamodb_reads"]),
    ("DynamoDB: storage and backups, after a year", ["dynamodb_storage", "dynamodb_backups"]),
    ("SQS", ["sqs_requests"]),
    ("CloudWatch: logs", ["logs"]),
    ("CloudWatch: metrics, alarms, dashboard", ["metrics", "alarms", "dashboards"]),
    ("data to the internet", ["data_out"]),
]
CLAUDE = ["claude_input", "claude_output"]
# Of the comparison alone.
GATEWAY = ["api_gateway"]
SESSION = 50


def quantities(units: dict, turns: int) -> dict[str, float]:
    """How much of everything is used in a month of so many turns."""
    per_turn = {name: unit["value"] for name, unit in units["per_turn"].items()}
    per_month = {name: unit["value"] for name, unit in units["per_month"].items()}
    stored_gb = turns * per_turn["stored_kb"] / KB_IN_A_GB * units["kept_months"]["value"]
    active_hours = min(HOURS_IN_A_MONTH, turns / units["turns_in_an_active_hour"]["value"])
    return {
        "lambda_requests": turns * per_turn["lambda_requests"],
        "lambda_gb_seconds": turns * per_turn["lambda_seconds"] * units["memory_mb"] / 1024,
        "dynamodb_writes": turns * per_turn["dynamodb_writes"],
        "dynamodb_reads": turns * per_turn["dynamodb_reads"],
        "dynamodb_storage": stored_gb,
        "dynamodb_backups": stored_gb,
        "sqs_requests": turns * per_turn["sqs_requests"] + per_month["sqs_requests"],
        "logs": turns * per_turn["log_kb"] / KB_IN_A_GB,
        "metrics": units["metrics"]["value"] * active_hours / HOURS_IN_A_MONTH,
        "alarms": per_month["alarms"],
        "dashboards": per_month["dashboards"],
        "data_out": turns * per_turn["data_out_kb"] / KB_IN_A_GB,
        "claude_input": turns * per_turn["claude_input"],
        "claude_output": turns * per_turn["claude_output"],
    }


def dollars(prices: Prices, used: dict[str, float], names: list[str], free: bool) -> float:
    total = 0.0
    for name in names:
        price = prices[name]
        billed = max(0.0, used[name] - price["free"]) if free else used[name]
        total += billed / price["per"] * price["usd"]
    return total


def sessions(units: dict, priced: dict) -> dict[str, float]:
    """Dollars of a chat of fifty turns, with what is paid in the course of it: ours; the history as one item that is
    written anew with each piece of text, so that nothing is lost; and the same written only when a reply is whole."""
    prices = priced["prices"]
    kb, pieces = units["stored_text_kb"]["value"], units["log_segments"]["value"]
    names = [name for _, line in LINES for name in line if name in units["per_turn"]] + ["lambda_gb_seconds"]
    one = {name: unit["value"] for name, unit in units["per_turn"].items()}
    one["lambda_gb_seconds"] = one["lambda_seconds"] * units["memory_mb"] / 1024

    def growing(writes_a_turn: float) -> float:
        total = 0.0
        for turn in range(1, SESSION + 1):
            size = turn * kb
            # A write unit is a begun KB; a strong read unit, for the page and for the prompt, begun 4 KB.
            used = {**one, "dynamodb_writes": writes_a_turn * math.ceil(size), "dynamodb_reads": 2 * math.ceil(size / 4)}
            used["api_gateway"] = one["lambda_requests"]
            total += dollars(prices, used, names + GATEWAY, False)
        return total

    return {
        "ours": SESSION * dollars(prices, one, names, False),
        "kept": growing(pieces),
        "lost": growing(1),
    }


def money(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:,.2f}" if value >= 0.005 else "under 0.01"


def table(units: dict, priced: dict) -> str:
    prices, used = priced["prices"], {turns: quantities(units, turns) for turns in MONTHS}
    every = [name for _, names in LINES for name in names]

    def row(title: str, names: list[str], free: bool) -> str:
        return f"| {title} | " + " | ".join(money(dollars(prices, used[turns], names, free)) for turns in MONTHS) + " |"

    lines = [
        f"Dollars a month in {priced['region']}, prices as of {priced['checked']}; a turn is {units['turn']}, with"
        f" {units['memory_mb']} MB of memory. Line by line after Amazon's monthly free allowances, those that do not"
        " end.",
        "",
        "| | " + " | ".join(f"{turns:,} turns" for turns in MONTHS) + " |",
        "|---|" + "---:|" * len(MONTHS),
    ]
    lines += [row(title, names, True) for title, names in LINES]
    lines.append(row("**all of AWS**", every, True))
    lines.append(row("the same without the free allowances", every, False))
    lines.append(row("Claude itself, for comparison", CLAUDE, False))
    many = MONTHS[-1]
    one = dollars(prices, {name: used[many][name] / many for name in used[many]}, every, False)
    claude = dollars(prices, {name: used[many][name] / many for name in used[many]}, CLAUDE, False)
    chat = sessions(units, priced)
    lines += [
        "",
        f"A chat of {SESSION} turns, without allowances and storage: {chat['ours'] * 100:.2f} cents. With the history as one"
        " growing item behind an API gateway, written anew with each piece of text as the log is, so that a dead process"
        f" loses nothing: {chat['kept'] * 100:.2f} cents, {chat['kept'] / chat['ours']:.1f} times as much; written only once"
        f" a reply is whole, so that a dead process loses the reply: {chat['lost'] * 100:.2f} cents,"
        f" {chat['lost'] / chat['ours']:.1f} times.",
        "",
        f"One turn, without allowances and in the long run: {one * 100:.4f} cents for AWS, {claude * 100:.2f} cents for"
        " Claude.",
        "",
        "What goes in, for a turn unless it says otherwise:",
        "",
        "| unit | value | measured | why |",
        "|---|---:|---|---|",
    ]
    rest = {name: units[name] for name in ("stored_text_kb", "log_segments", "metrics", "turns_in_an_active_hour", "kept_months")}
    monthly = {f"{name}, a month": unit for name, unit in units["per_month"].items()}
    for name, unit in {**units["per_turn"], **monthly, **rest}.items():
        measured = "yes" if unit["measured"] else "estimated"
        lines.append(f"| {name.replace('_', ' ')} | {unit['value']:,} | {measured} | {unit['why']} |")
    lines += ["", "| price | USD | for | free each month | from |", "|---|---:|---|---:|---|"]
    for name, price in prices.items():
        amount = f"{price['per']:,} {price['unit']}"
        lines.append(
            f"| {name.replace('_', ' ')} | {price['usd']:.10f}".rstrip("0").rstrip(".")
            + f" | {amount} | {price['free']:,} | {price['source']} |"
        )
    return "\n".join(lines)


def load() -> tuple[dict, dict]:
    return json.loads((HERE / "units.json").read_text()), json.loads((HERE / "prices.json").read_text())


def document(text: str) -> str:
    """The document with the table as it is now."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table(*load())}\n{END}{after}"


def main() -> int:
    text = DOCUMENT.read_text()
    made = document(text)
    if "--check" in sys.argv[1:]:
        return 0 if made == text else 1
    DOCUMENT.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
