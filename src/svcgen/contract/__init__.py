"""The contract that every service keeps, as checks that know no language.

run_checks(target) checks a service: ProcessTarget(folder), ImageTarget(image, service) or
UrlTarget(url, service). The rules in full: docs/contract.md.
"""
