package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// database is the connection pool of the service.
type database struct{ pool *pgxpool.Pool }

// openDatabase does not connect yet: the service starts without the database and waits for it.
func openDatabase(ctx context.Context) (*database, error) {
	config, err := read("DATABASE_URL", "", parseDatabaseURL)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &database{pool: pool}, nil
}

func parseDatabaseURL(value string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(value)
	if err != nil || !strings.HasPrefix(value, "postgresql://") {
		return nil, errors.New("must be postgresql://user:password@host:port/database")
	}
	config.MaxConns = 10
	config.ConnConfig.ConnectTimeout = 3 * time.Second
	return config, nil
}

func (d *database) close() { d.pool.Close() }

// checks returns the readiness checks.
func (d *database) checks() map[string]check { return map[string]check{"database": d.pool.Ping} }

// use runs queries with a timeout. An unreachable database is a 503 problem. The function returns
// errors of pgx or problems: all other errors count as an unreachable database.
func (d *database) use(ctx context.Context, query func(context.Context) error) error {
	err := within(ctx, 4*time.Second, query)
	_, isProblem := errors.AsType[*Problem](err)
	switch {
	case err == nil || isProblem || isResult(err):
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return problem(http.StatusGatewayTimeout, "The request has no time left.")
	default:
		return problem(http.StatusServiceUnavailable, "The database is unreachable.")
	}
}

// isResult reports whether PostgreSQL found no row or rejected the query. Error classes 08, 53 and 57
// concern the server: connection failures, insufficient resources, shutdown.
func isResult(err error) bool {
	pgErr, found := errors.AsType[*pgconn.PgError](err)
	rejected := found && !slices.Contains([]string{"08", "53", "57"}, pgErr.Code[:2])
	return rejected || errors.Is(err, pgx.ErrNoRows)
}
