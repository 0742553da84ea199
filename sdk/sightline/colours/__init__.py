"""Switch users from one colour of a release to the other, and back.

What is seen becomes an `Observation`; `preflight.examine` and `plan.plan` are pure; `Switch` takes
the steps of a plan through two ports, `Cluster` and `Pods`.
"""
