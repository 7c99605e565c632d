package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc/iter"

	"acme.com/orders/clients/products_openapi"
)

const (
	ordersPath  = "/v1/" + service
	maxQuantity = 1000
	maxPrice    = 100_000_000 // cents
)

// The statuses of an order.
const (
	statusOpen    = "open"
	statusPaid    = "paid"
	statusExpired = "expired"
)

// Line has some pieces of one product, at the price that the client was shown.
type Line struct {
	ProductID  uuid.UUID `json:"product_id"`
	Quantity   int       `json:"quantity"`
	PriceCents int       `json:"price_cents"`
}

// NewOrder is what a client sends to create an order.
type NewOrder struct {
	Lines []Line `json:"lines"`
}

func (n NewOrder) faults() (found []Fault) {
	if len(n.Lines) == 0 {
		found = append(found, Fault{Detail: "must have a line", Pointer: "#/lines"})
	}
	for i, line := range n.Lines {
		if line.Quantity < 1 || line.Quantity > maxQuantity {
			detail := fmt.Sprintf("must be from 1 to %d", maxQuantity)
			found = append(found, Fault{Detail: detail, Pointer: memberOf(i, "quantity")})
		}
		if line.PriceCents < 0 || line.PriceCents > maxPrice {
			detail := fmt.Sprintf("must be from 0 to %d", maxPrice)
			found = append(found, Fault{Detail: detail, Pointer: memberOf(i, "price_cents")})
		}
	}
	return found
}

// memberOf returns the JSON pointer of a member of a line.
func memberOf(line int, member string) string { return fmt.Sprintf("#/lines/%d/%s", line, member) }

// NewStatus is what a client sends to pay an order.
type NewStatus struct {
	Status string `json:"status"`
}

func (n NewStatus) faults() []Fault {
	if n.Status != statusPaid {
		return []Fault{{Detail: "must be " + statusPaid, Pointer: "#/status"}}
	}
	return nil
}

// Order is an order as it is kept.
type Order struct {
	ID         uuid.UUID `json:"id"`
	Status     string    `json:"status"`
	Lines      []Line    `json:"lines"`
	TotalCents int       `json:"total_cents"`
	CreatedAt  time.Time `json:"created_at"`
}

// OrderList has orders, newest first, at most 100.
type OrderList struct {
	Orders []Order `json:"orders"`
}

func (a *app) createOrder(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody[NewOrder](r)
	if err != nil {
		return err
	}
	if len(body.Lines) > a.maxLines {
		detail := fmt.Sprintf("must have at most %d lines", a.maxLines)
		return invalid(Fault{Detail: detail, Pointer: "#/lines"})
	}
	if err := a.checkPrices(r.Context(), body.Lines, readIdentity(r)); err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Microsecond) // the precision of the database
	order := Order{
		ID: uuid.New(), Status: statusOpen, Lines: body.Lines, TotalCents: total(body.Lines), CreatedAt: now,
	}
	if err := a.orders.add(r.Context(), order); err != nil {
		return err
	}
	w.Header().Set("Location", ordersPath+"/"+order.ID.String())
	return writeJSON(w, http.StatusCreated, order)
}

func total(lines []Line) (cents int) {
	for _, line := range lines {
		cents += line.Quantity * line.PriceCents
	}
	return cents
}

// checkPrices compares the prices of the lines with those of products, at most four at the same time.
func (a *app) checkPrices(ctx context.Context, lines []Line, caller http.Header) error {
	checks := iter.Mapper[Line, *Fault]{MaxGoroutines: 4}
	found, err := checks.MapErr(lines, func(line *Line) (*Fault, error) {
		return a.checkPrice(ctx, line, caller)
	})
	if err != nil {
		return err
	}
	faults := []Fault{}
	for i, fault := range found {
		if fault != nil {
			faults = append(faults, Fault{Detail: fault.Detail, Pointer: memberOf(i, fault.Pointer)})
		}
	}
	if len(faults) > 0 {
		return invalid(faults...)
	}
	return nil
}

// checkPrice returns what is wrong with a line, with the name of its member as the pointer.
func (a *app) checkPrice(ctx context.Context, line *Line, caller http.Header) (*Fault, error) {
	path := pathOf("/v1/products/{id}", nil, line.ProductID.String())
	product, err := call[products_openapi.Item](ctx, a.products, http.MethodGet, path, caller, nil)
	failed, found := errors.AsType[*CalleeError](err)
	switch {
	case found && failed.Status == http.StatusNotFound:
		return &Fault{Detail: "no product has this ID", Pointer: "product_id"}, nil
	case err != nil:
		return nil, err
	case product.PriceCents != line.PriceCents:
		detail := fmt.Sprintf("the price is %d", product.PriceCents)
		return &Fault{Detail: detail, Pointer: "price_cents"}, nil
	default:
		return nil, nil
	}
}

func (a *app) getOrder(w http.ResponseWriter, r *http.Request) error {
	id, err := orderID(r)
	if err != nil {
		return err
	}
	order, err := a.orders.get(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, order)
}

func (a *app) listOrders(w http.ResponseWriter, r *http.Request) error {
	statuses := r.URL.Query()["status"]
	known := []string{statusOpen, statusPaid, statusExpired}
	if len(statuses) > 1 || (len(statuses) == 1 && !slices.Contains(known, statuses[0])) {
		return invalid(Fault{Detail: "must be one of open, paid and expired", Parameter: "status"})
	}
	if len(statuses) == 0 {
		statuses = known
	}
	orders, err := a.orders.list(r.Context(), statuses)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, OrderList{Orders: orders})
}

func (a *app) setOrderStatus(w http.ResponseWriter, r *http.Request) error {
	id, err := orderID(r)
	if err != nil {
		return err
	}
	body, err := readBody[NewStatus](r)
	if err != nil {
		return err
	}
	changed, err := a.orders.leaveOpen(r.Context(), id, body.Status)
	if err != nil {
		return err
	}
	order, err := a.orders.get(r.Context(), id)
	if err != nil {
		return err
	}
	if !changed {
		return problem(http.StatusConflict, "The order is "+order.Status+".")
	}
	return writeJSON(w, http.StatusOK, order)
}

// orderID accepts only the form of RFC 9562; uuid.Parse also accepts braces, urn:uuid: and no dashes.
func orderID(r *http.Request) (uuid.UUID, error) {
	text := r.PathValue("id")
	id, err := uuid.Parse(text)
	if err != nil || len(text) != len(id.String()) {
		return id, invalid(Fault{Detail: "must be a UUID", Parameter: "id"})
	}
	return id, nil
}

// expireOrders ends the open orders that are too old, once a second.
func (a *app) expireOrders(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			err := a.orders.expire(ctx, now.Add(-a.openTime))
			if _, unreachable := errors.AsType[*Problem](err); err != nil && !unreachable {
				return err
			} // else the database is unreachable: /readyz and the log report it
		}
	}
}
