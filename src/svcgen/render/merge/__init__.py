"""A three-way merge of trees of files that loses no edit."""
