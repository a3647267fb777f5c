"""The rings of tests. Each module has the same three things:

    NAME          what comes before the first dot of its tests' names
    names(run)    the tests that the run selects, as far as they are known beforehand; None: known only by running
    execute(run)  runs them and reports each one to run.report
"""
