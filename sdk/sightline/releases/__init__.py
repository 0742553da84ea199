"""Release a version into the idle colour, lead users to it, watch, and go back where it burns.

What is seen becomes a `Seen`; `plan.plan` is pure; `making.Releases` does everything over the
ports of `ports`; `running.Releasing` takes the steps and writes down how far it has come, so that
`resume`, `abort` and `rollback` work from wherever its maker died.
"""
