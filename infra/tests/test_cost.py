"""The table of costs is the one that its figures give."""

import json
import re
import unittest

import cost
from support import INFRA, rust, template


class Table(unittest.TestCase):
    def test_it_is_not_stale(self) -> None:
        text = cost.DOCUMENT.read_text()
        self.assertEqual(cost.document(text), text, "run python3 infra/cost.py")
        self.assertIn("**all of AWS**", text)

    def test_a_change_would_show(self) -> None:
        units, prices = cost.load()
        before = cost.table(units, prices)
        units["per_turn"]["dynamodb_writes"]["value"] += 1
        self.assertNotEqual(cost.table(units, prices), before)

    def test_sums(self) -> None:
        prices = {"a": {"usd": 2.0, "per": 10, "free": 5}, "b": {"usd": 1.0, "per": 1, "free": 100}}
        used = {"a": 25.0, "b": 3.0}
        self.assertEqual(cost.dollars(prices, used, ["a", "b"], free=True), 4.0)
        self.assertEqual(cost.dollars(prices, used, ["a", "b"], free=False), 8.0)

    def test_at_rest_only_the_queues_are_asked(self) -> None:
        units, priced = cost.load()
        used = cost.quantities(units, 0)
        self.assertEqual({name for name, value in used.items() if value}, {"sqs_requests", "alarms", "dashboards"})
        names = [name for _, line in cost.LINES for name in line]
        self.assertLess(cost.dollars(priced["prices"], used, names, free=True), 0.20)

    def test_a_long_chat_costs_a_third_of_one_growing_item(self) -> None:
        chat = cost.sessions(*cost.load())
        self.assertGreater(chat["kept"], 3 * chat["ours"])
        # The README's row has both comparisons: the one that it wins by far, and the one that it does not.
        (row,) = re.findall(r"^\| a chat of 50 turns, .*$", (INFRA.parent / "README.md").read_text(), re.MULTILINE)
        kept, lost = (chat[other] / chat["ours"] for other in ("kept", "lost"))
        self.assertIn(f"| {chat['ours'] * 100:.2f} cents: {kept:.1f}× less; {lost:.1f}× less |", row)

    def test_every_unit_has_its_price_and_is_in_the_sum(self) -> None:
        units, priced = cost.load()
        names = [name for _, line in cost.LINES for name in line] + cost.CLAUDE
        self.assertEqual(sorted(names + cost.GATEWAY), sorted(priced["prices"]))
        self.assertEqual(sorted(names), sorted(cost.quantities(units, 1)))
        for price in priced["prices"].values():
            self.assertTrue(price["source"])
        self.assertRegex(priced["checked"], r"^\d{4}-\d\d-\d\d$")

    def test_figures_that_follow_from_the_rest(self) -> None:
        units, priced = cost.load()
        resources = template()["Resources"].values()
        alarms = sum(made["Type"] == "AWS::CloudWatch::Alarm" for made in resources)
        self.assertEqual(units["per_month"]["alarms"]["value"], alarms)
        self.assertEqual(units["memory_mb"], template()["Parameters"]["MemoryMb"]["Default"])
        self.assertEqual(
            units["kept_months"]["value"], round(template()["Parameters"]["RetentionDays"]["Default"] / 30.4)
        )
        written = re.findall(r'\("[A-Z][A-Za-z]+", [A-Z]+, ', rust("report.rs"))
        self.assertEqual(units["metrics"]["value"], len(written))
        model = template()["Parameters"]["Model"]["Default"]
        (row,) = re.findall(rf'\("{model}", price\((\d+), (\d+)\)', rust("prices.rs"))
        claude = [priced["prices"][name] for name in cost.CLAUDE]
        self.assertEqual([price["usd"] * 100 for price in claude], [float(one) for one in row])
        json.loads((INFRA / "units.json").read_text())
