package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const (
	maxListed   = 100
	selectOrder = `select id, status, created_at, (
			select json_agg(json_build_object(
				'product_id', product_id, 'quantity', quantity, 'price_cents', price_cents) order by position)
			from order_lines where order_id = orders.id)
		from orders `
)

// orderStore keeps orders and their lines in PostgreSQL.
type orderStore struct{ *database }

func openOrderStore(ctx context.Context) (*orderStore, error) {
	opened, err := openDatabase(ctx)
	if err != nil {
		return nil, err
	}
	return &orderStore{database: opened}, nil
}

func (s *orderStore) add(ctx context.Context, order Order) error {
	return s.use(ctx, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			const statement = "insert into orders (id, status, created_at) values ($1, $2, $3)"
			if _, err := tx.Exec(ctx, statement, order.ID, order.Status, order.CreatedAt); err != nil {
				return err
			}
			columns := []string{"order_id", "position", "product_id", "quantity", "price_cents"}
			lines := pgx.CopyFromSlice(len(order.Lines), func(i int) ([]any, error) {
				line := order.Lines[i]
				return []any{order.ID, i, line.ProductID, line.Quantity, line.PriceCents}, nil
			})
			_, err := tx.CopyFrom(ctx, pgx.Identifier{"order_lines"}, columns, lines)
			return err
		})
	})
}

// get returns the order with the given ID, or a 404 problem.
func (s *orderStore) get(ctx context.Context, id uuid.UUID) (order Order, err error) {
	err = s.use(ctx, func(ctx context.Context) error {
		rows, _ := s.pool.Query(ctx, selectOrder+"where id = $1", id) // CollectExactlyOneRow returns its error
		order, err = pgx.CollectExactlyOneRow(rows, scanOrder)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Order{}, problem(http.StatusNotFound, "No order has this ID.")
	}
	return order, err
}

// list returns the newest orders that have one of the statuses.
func (s *orderStore) list(ctx context.Context, statuses []string) (orders []Order, err error) {
	err = s.use(ctx, func(ctx context.Context) error {
		const newest = "where status = any($1) order by created_at desc, id limit $2"
		rows, _ := s.pool.Query(ctx, selectOrder+newest, statuses, maxListed) // CollectRows returns its error
		orders, err = pgx.CollectRows(rows, scanOrder)
		return err
	})
	return orders, err
}

// leaveOpen gives an open order another status. It reports false if no open order has the ID.
func (s *orderStore) leaveOpen(ctx context.Context, id uuid.UUID, status string) (changed bool, err error) {
	err = s.use(ctx, func(ctx context.Context) error {
		const statement = "update orders set status = $2 where id = $1 and status = 'open'"
		tag, err := s.pool.Exec(ctx, statement, id, status)
		changed = tag.RowsAffected() == 1
		return err
	})
	return changed, err
}

// expire ends the open orders that were created before a time.
func (s *orderStore) expire(ctx context.Context, before time.Time) error {
	return s.use(ctx, func(ctx context.Context) error {
		const statement = "update orders set status = 'expired' where status = 'open' and created_at < $1"
		_, err := s.pool.Exec(ctx, statement, before)
		return err
	})
}

func scanOrder(row pgx.CollectableRow) (Order, error) {
	var order Order
	err := row.Scan(&order.ID, &order.Status, &order.CreatedAt, &order.Lines)
	order.CreatedAt, order.TotalCents = order.CreatedAt.UTC(), total(order.Lines)
	return order, err
}
