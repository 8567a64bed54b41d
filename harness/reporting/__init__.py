"""One format per module: Allure, JUnit, summary, terminal, HTML."""
