"""Login drivers: how an authorization request is carried through without a person, or with one."""

from harness.smart.drivers.arrival import Arrival
from harness.smart.drivers.choices import Choices
from harness.smart.drivers.dispatch import authorize

__all__ = ["Arrival", "Choices", "authorize"]
