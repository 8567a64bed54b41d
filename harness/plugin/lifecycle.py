"""Sets a conformance run up; nothing is sent and no secret is resolved here."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import pytest

from harness.checks import acts
from harness.checks.acting import REGISTRY
from harness.config import paths
from harness.plugin import options, target
from harness.plugin.collection import MARKERS, Collection, resolve_argument
from harness.plugin.conduct import Conduct
from harness.plugin.listing import Listing
from harness.spec.requirements import catalogue

_LOOKS = ("help", "version", "markers", "showfixtures", "show_fixtures_per_test", "cacheshow")


def start(config: pytest.Config) -> None:
    """Set up a run.

    Raises:
        UsageError: a wrong option, EHR file or name.
    """
    if any(config.getoption(each, None) for each in _LOOKS):
        return
    given = options.parse(config)
    pointed = target.load(given)
    for module in iter_modules(acts.__path__):
        import_module(f"{acts.__name__}.{module.name}")
    _select(config)
    collection = Collection(catalogue(), REGISTRY, only=pointed.recorded_checks)
    config.pluginmanager.register(collection, "harness-collection")
    if config.option.collectonly:
        config.pluginmanager.register(Listing(pointed.versions), "harness-listing")
    else:
        conduct = Conduct(config, given, pointed, collection)
        config.pluginmanager.register(conduct, "harness-conduct")


def _select(config: pytest.Config) -> None:
    """The bundled suites, where no file was named; import mode and markers of our own."""
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(paths.suites_dir())]
    else:
        here = config.invocation_params.dir
        config.args = [resolve_argument(each, here) for each in config.args]
    config.option.importmode = "importlib"
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
