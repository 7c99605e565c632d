package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// store keeps items in one PostgreSQL table, which the migrations create.
type store struct{ pool *pgxpool.Pool }

// openStore does not connect yet: the service starts without the database and waits for it.
func openStore(ctx context.Context) (*store, error) {
	config, err := read("DATABASE_URL", "", parseDatabase)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &store{pool}, nil
}

func parseDatabase(value string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(value)
	if err != nil || !strings.HasPrefix(value, "postgresql://") {
		return nil, errors.New("must be postgresql://user:password@host:port/database")
	}
	config.MaxConns = 10
	config.ConnConfig.ConnectTimeout = 3 * time.Second
	return config, nil
}

func (s *store) close() { s.pool.Close() }

// checks returns the readiness checks.
func (s *store) checks() map[string]check { return map[string]check{"database": s.pool.Ping} }

func (s *store) add(ctx context.Context, item Item) error {
	return use(ctx, func(ctx context.Context) error {
		const statement = "insert into items (id, name, created_at) values ($1, $2, $3)"
		_, err := s.pool.Exec(ctx, statement, item.ID, item.Name, item.CreatedAt)
		return err
	})
}

func (s *store) get(ctx context.Context, id uuid.UUID) (item Item, err error) {
	err = use(ctx, func(ctx context.Context) error {
		const query = "select id, name, created_at from items where id = $1"
		rows, _ := s.pool.Query(ctx, query, id) // CollectExactlyOneRow returns its error
		item, err = pgx.CollectExactlyOneRow(rows, scan)
		return err
	})
	return item, err
}

// page returns the items after the given ID. It returns errUnknown if that ID is unknown.
func (s *store) page(
	ctx context.Context, limit int, after uuid.NullUUID,
) (items []Item, err error) {
	err = use(ctx, func(ctx context.Context) error {
		const query = `select id, name, created_at from items
			where $1::uuid is null or (created_at, id) > ($2, $1) order by created_at, id limit $3`
		var last Item
		if after.Valid {
			if last, err = s.get(ctx, after.UUID); err != nil {
				return err
			}
		}
		rows, _ := s.pool.Query(ctx, query, after, last.CreatedAt, limit)
		items, err = pgx.CollectRows(rows, scan)
		return err
	})
	return items, err
}

func (s *store) count(ctx context.Context) (count int, err error) {
	err = use(ctx, func(ctx context.Context) error {
		return s.pool.QueryRow(ctx, "select count(*) from items").Scan(&count)
	})
	return count, err
}

func scan(row pgx.CollectableRow) (Item, error) {
	var item Item
	err := row.Scan(&item.ID, &item.Name, &item.CreatedAt)
	item.CreatedAt = item.CreatedAt.UTC()
	return item, err
}

// use runs a query with a timeout. An unreachable database is a 503 problem.
func use(ctx context.Context, query func(context.Context) error) error {
	err := within(ctx, 4*time.Second, query)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return errUnknown
	case err == nil || errors.Is(err, errUnknown) || isQueryError(err):
		return err
	default:
		return problem(http.StatusServiceUnavailable, "The database is unreachable.")
	}
}

// isQueryError reports whether PostgreSQL rejected the query. Error classes 08, 53 and 57 concern
// the server: connection failures, insufficient resources, shutdown.
func isQueryError(err error) bool {
	pgErr, found := errors.AsType[*pgconn.PgError](err)
	return found && !slices.Contains([]string{"08", "53", "57"}, pgErr.Code[:2])
}
