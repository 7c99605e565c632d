package main

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

const connectTimeout = 30 * time.Second // for a database that starts at the same time

//go:embed migrations
var migrations embed.FS

// applyMigrations applies the database migrations, as a separate step before a new version starts.
// Concurrent runs wait for each other.
func applyMigrations() error {
	config, err := read("DATABASE_URL", "", parseDatabaseURL)
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*config.ConnConfig)
	defer db.Close()
	ctx := context.Background()
	if err := waitForDatabase(ctx, db); err != nil {
		return err
	}
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("the migrations failed: %w", err)
	}
	slog.Info("the database is up to date")
	return nil
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // period in seconds, attempts
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker))
}

func waitForDatabase(ctx context.Context, db *sql.DB) error {
	for start := time.Now(); ; time.Sleep(time.Second) {
		err := within(ctx, 3*time.Second, db.PingContext)
		if err == nil {
			return nil
		}
		if time.Since(start) > connectTimeout {
			return fmt.Errorf("%w for %s: %w", errUnreachable, connectTimeout, err)
		}
	}
}
