"""The checks of the contract, one module for each section of docs/contract.md.

Each module lists its checks in CHECKS; a check raises BrokenRuleError.
"""
