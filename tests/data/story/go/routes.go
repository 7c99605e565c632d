package main

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// This file is yours: the routes of the service, its own settings, what it opens at the
// start and closes at the end, and its tasks. server.go calls the methods.

// app has what the handlers use.
type app struct {
	orders   *orderStore
	products client
	maxLines int
	openTime time.Duration // after it, an open order expires
}

// open reads the settings of this service, and opens what its handlers use.
func open(ctx context.Context) (*app, error) {
	maxLines, linesErr := read("MAX_LINES", "20", parseNumber(1, 1000))
	seconds, secondsErr := read("OPEN_SECONDS", "86400", parseNumber(1, 365*86400))
	clients, clientsErr := newClients("products")
	orders, ordersErr := openOrderStore(ctx)
	return &app{
		orders:   orders,
		products: clients["products"],
		maxLines: maxLines,
		openTime: time.Duration(seconds) * time.Second,
	}, errors.Join(linesErr, secondsErr, clientsErr, ordersErr)
}

// close runs after the last request and task.
func (a *app) close() { a.orders.close() }

// routes returns the handlers by method and path. openapi.json describes them.
func (a *app) routes() map[string]http.Handler {
	return map[string]http.Handler{
		"POST " + ordersPath:                 handler(a.createOrder),
		"GET " + ordersPath:                  handler(a.listOrders),
		"GET " + ordersPath + "/{id}":        handler(a.getOrder),
		"PUT " + ordersPath + "/{id}/status": handler(a.setOrderStatus),
	}
}

// checks returns the dependencies without which the service is not ready.
func (a *app) checks() map[string]check { return a.orders.checks() }

// tasks returns what runs beside the server until it stops.
func (a *app) tasks() map[string]task { return map[string]task{"expire": a.expireOrders} }

// schemaTypes are the types of the schemas in openapi.json, except Problem and Fault. A test compares
// their members.
var schemaTypes = []any{Line{}, NewOrder{}, NewStatus{}, Order{}, OrderList{}}
