"""A filter before the exact checker: what it accepts has no error, what it does not is looked at.

Its engine comes with `pip install 'fhir-harness[fast]'`. Without it there are no filters, and
everything is judged by the exact checker.
"""

from harness.validation.fast.filters import Filter, Filters, accept_filter, available

__all__ = ["Filter", "Filters", "accept_filter", "available"]
