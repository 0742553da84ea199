"""Secrets: sealed for Git, fetched from Vault, enrolled with TAK, changed in time, never leaked.

What is read and judged is pure (`leaks`, `sealing`, `rotation`, …); what talks is thin.
"""
