"""What did not run is said in the form that `make test` collects."""


def pytest_terminal_summary(terminalreporter):
    stats = terminalreporter.stats
    reasons = sorted({report.longrepr[2].removeprefix("Skipped: ") for report in stats.get("skipped", [])})
    terminalreporter.ensure_newline()
    for reason in reasons:
        terminalreporter.write_line(f"did not run: {reason}")
    passed, failed, errors = (len(stats.get(outcome, [])) for outcome in ("passed", "failed", "error"))
    terminalreporter.write_line(f"test result: Python package. {passed} passed; {failed + errors} failed")
