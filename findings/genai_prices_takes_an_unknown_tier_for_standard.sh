#!/usr/bin/env bash
# genai-prices 0.2.3: a tier that it does not know is charged at the standard price, in silence.
#
# A price context names the tier: {"service_tier": "flex"} halves the price of gpt-6-luna. One would expect an unknown
# model and an unknown tier to be treated alike: the model raises LookupError. The tier does not: {"service_tier":
# "batch"} (the batch discount is spelt {"processing": "batch"}), a tier that has no row, a slip of the pen and a
# wrong key all give the standard price. A ledger that passes the provider's tier on looks right, and is wrong by a
# factor of two for batch jobs.
#
# Seen 2026-11-30: "default 0.015, flex 0.0075, processing batch 0.0075", "service_tier batch, scale, Flex, key tier:
# 0.015".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check genai-prices==0.2.3 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import datetime
import sys

from genai_prices import Usage, calc_price

WHEN = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)


def cost(model="gpt-6-luna", **context):
    usage = Usage(input_tokens=100_000, output_tokens=10_000)
    price = calc_price(
        usage, model, provider_id="openai", genai_request_timestamp=WHEN, price_context=context
    ).total_price
    return str(price.normalize())


known = [cost(service_tier="default"), cost(service_tier="flex"), cost(processing="batch")]
unknown = [cost(service_tier="batch"), cost(service_tier="scale"), cost(service_tier="Flex"), cost(tier="flex")]
try:
    model = cost("gpt-6-lunatic")
except LookupError as raised:
    model = type(raised).__name__
print(f"service_tier default, service_tier flex, processing batch: {', '.join(known)}")
print(f"service_tier batch, service_tier scale, service_tier Flex, tier flex: {', '.join(unknown)}")
print(f"unknown model: {model}")
sys.exit((known, unknown, model) != (["0.015", "0.0075", "0.0075"], ["0.015"] * 4, "LookupError"))
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
