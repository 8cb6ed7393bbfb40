"""What a call costs: prices by genai-prices with the user's own on top, in whole nano-dollars."""

from fleetmeter.pricing.price import Cost, LongContext, ModelPrice
from fleetmeter.pricing.price_list import PriceList
from fleetmeter.pricing.shutdowns import SHUTDOWN_DATES, shutdown_timestamp

__all__ = [
    # prices
    "PriceList",
    "ModelPrice",
    "LongContext",
    "Cost",
    # announced ends of models
    "SHUTDOWN_DATES",
    "shutdown_timestamp",
]
