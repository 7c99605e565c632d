package main

import (
	"context"
	"errors"
	"net/http"
)

// This file is yours: the routes of the service, its own settings, what it opens at the
// start and closes at the end, its tasks and jobs. server.go calls the methods.

// app has what the handlers use.
type app struct {
	items   *store
	clients map[string]client // by service name
}

// open reads the settings of this service, and opens what its handlers use.
func open(ctx context.Context) (*app, error) {
	names := []string{}
	for _, callee := range callees {
		names = append(names, callee.name)
	}
	clients, clientsErr := newClients(names...)
	items, itemsErr := openStore(ctx)
	return &app{items: items, clients: clients}, errors.Join(clientsErr, itemsErr)
}

// close runs after the last request and task.
func (a *app) close() { a.items.close() }

// routes returns the handlers by method and path. openapi.json describes them.
func (a *app) routes() map[string]http.Handler { return a.itemRoutes() }

// checks returns the dependencies without which the service is not ready.
func (a *app) checks() map[string]check { return a.items.checks() }

// tasks returns what runs beside the server until it stops.
func (a *app) tasks() map[string]task { return map[string]task{} }

// jobs returns what runs once, without the server, when its name is the argument: a scheduled job.
func (a *app) jobs() map[string]task { return nil }

// schemaTypes are the types of the schemas in openapi.json, except Problem and Fault. A test compares
// their members.
var schemaTypes = []any{NewItem{}, Item{}, ItemPage{}, Summary{}}
