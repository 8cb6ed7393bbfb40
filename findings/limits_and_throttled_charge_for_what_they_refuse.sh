#!/usr/bin/env bash
# limits 5.8.0 and throttled-py 3.5.0, fixed window: a call that is refused uses the budget up.
#
# Both take a cost, so a budget of tokens is one line: 100,000 a day, and each call takes what it needs. 10,000 are
# taken, a call of 95,000 is refused, and then one of 10,000 comes. One would expect it to be served, because 90,000 are
# left, and by all other strategies of both libraries it is. By the fixed window it is refused, and so is everything
# until the window ends: the window is added to first and compared afterwards, and the refused 95,000 stay in it. One
# prompt that is too long shuts a team out for a day in which it has spent a tenth of its budget.
#
# Seen 2026-11-30: "limits, FixedWindow: served, refused, refused, left 0", "limits, MovingWindow: served, refused,
# served, left 80000", "throttled, fixed_window: served, refused, refused, left 0", "throttled, token_bucket: served,
# refused, served, left 80000".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check limits==5.8.0 throttled-py==3.5.0 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import datetime
import sys
from importlib.metadata import version

import limits
import throttled

BUDGET, COSTS = 100_000, (10_000, 95_000, 10_000)
DAY = limits.RateLimitItemPerDay(BUDGET)


def by_limits(strategy):
    limiter = strategy(limits.storage.MemoryStorage())
    served = [limiter.hit(DAY, "team", cost=cost) for cost in COSTS]
    return served, limiter.get_window_stats(DAY, "team").remaining


def by_throttled(strategy):
    quota = throttled.rate_limiter.per_duration(datetime.timedelta(days=1), BUDGET, burst=BUDGET)
    limiter = throttled.Throttled(using=strategy, quota=quota, store=throttled.store.MemoryStore())
    results = [limiter.limit("team", cost=cost) for cost in COSTS]
    return [not result.limited for result in results], results[-1].state.remaining


def outcomes():
    for name in ("FixedWindow", "MovingWindow", "SlidingWindowCounter"):
        yield f"limits, {name}", by_limits(getattr(limits.strategies, f"{name}RateLimiter"))
    for name in ("fixed_window", "sliding_window", "token_bucket", "leaking_bucket", "gcra"):
        yield f"throttled, {name}", by_throttled(name)


print(f"limits {version('limits')}, throttled-py {version('throttled-py')}")
unexpected = False
for who, (served, left) in outcomes():
    print(f"{who}: {', '.join('served' if one else 'refused' for one in served)}, left {left}")
    fixed = "ixed" in who
    unexpected |= (served, left) != ([True, False, not fixed], 0 if fixed else 80_000)
sys.exit(unexpected)
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
