"""The contract that every service keeps, as checks that know no language."""
