"""What a call used and what it costs. Prices come from genai-prices, unless the user gives their own."""

from fleetmeter.pricing.answer import Answer, StreamedAnswer, read_answer
from fleetmeter.pricing.book import Book
from fleetmeter.pricing.cost import Cost
from fleetmeter.pricing.doubt import Doubt, Unpriced, tell_once
from fleetmeter.pricing.price import LongContext, ModelPrice, TierPrice
from fleetmeter.pricing.price_list import PriceList
from fleetmeter.pricing.shutdowns import SHUTDOWN_DATES, shutdown_timestamp
from fleetmeter.pricing.tariff import Tariff
from fleetmeter.pricing.usage import Usage, read_usage

__all__ = [
    # what an answer states
    "Answer",
    "StreamedAnswer",
    "Usage",
    "read_answer",
    "read_usage",
    # what is not certain
    "Doubt",
    "Unpriced",
    "tell_once",
    # prices
    "PriceList",
    "Book",
    "ModelPrice",
    "TierPrice",
    "LongContext",
    "Tariff",
    "Cost",
    # announced ends of models
    "SHUTDOWN_DATES",
    "shutdown_timestamp",
]
