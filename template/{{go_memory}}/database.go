package main

// applyMigrations does nothing: a service without a database has no migrations.
func applyMigrations() error { return nil }
