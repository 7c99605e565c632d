# Written by `make generate` from clients/.
