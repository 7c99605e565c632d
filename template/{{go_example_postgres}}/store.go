package main

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// store keeps items in one PostgreSQL table, which the migrations create.
type store struct{ *database }

func openStore(ctx context.Context) (*store, error) {
	opened, err := openDatabase(ctx)
	if err != nil {
		return nil, err
	}
	return &store{database: opened}, nil
}

func (s *store) add(ctx context.Context, item Item) error {
	return s.use(ctx, func(ctx context.Context) error {
		const statement = "insert into items (id, name, created_at) values ($1, $2, $3)"
		_, err := s.pool.Exec(ctx, statement, item.ID, item.Name, item.CreatedAt)
		return err
	})
}

// get returns the item with the given ID, or errUnknown.
func (s *store) get(ctx context.Context, id uuid.UUID) (item Item, err error) {
	err = s.use(ctx, func(ctx context.Context) error {
		const query = "select id, name, created_at from items where id = $1"
		rows, _ := s.pool.Query(ctx, query, id) // CollectExactlyOneRow returns its error
		item, err = pgx.CollectExactlyOneRow(rows, scan)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Item{}, errUnknown
	}
	return item, err
}

// page returns the items after the given ID. It returns errUnknown if that ID is unknown.
func (s *store) page(
	ctx context.Context, limit int, after uuid.NullUUID,
) (items []Item, err error) {
	var last Item
	if after.Valid {
		if last, err = s.get(ctx, after.UUID); err != nil {
			return nil, err
		}
	}
	err = s.use(ctx, func(ctx context.Context) error {
		const query = `select id, name, created_at from items
			where $1::uuid is null or (created_at, id) > ($2, $1) order by created_at, id limit $3`
		rows, _ := s.pool.Query(ctx, query, after, last.CreatedAt, limit)
		items, err = pgx.CollectRows(rows, scan)
		return err
	})
	return items, err
}

func (s *store) count(ctx context.Context) (count int, err error) {
	err = s.use(ctx, func(ctx context.Context) error {
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
