package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// The example resource. Replace it with your own.
const itemsPath = "/v1/" + service

var (
	errUnknown = errors.New("no item has this id")
	errCursor  = invalid(Fault{Detail: "unknown cursor", Parameter: "cursor"})
)

// NewItem is what a client sends to create an item.
type NewItem struct {
	Name string `json:"name"`
}

func (n NewItem) faults() (found []Fault) {
	if length := utf8.RuneCountInString(n.Name); length < 1 || length > 200 {
		found = append(found, Fault{Detail: "must have 1 to 200 characters", Pointer: "#/name"})
	}
	if strings.ContainsFunc(n.Name, func(char rune) bool { return char < ' ' || char == 0x7f }) {
		found = append(found, Fault{Detail: "must have no control characters", Pointer: "#/name"})
	}
	return found
}

// Item is a stored item.
type Item struct {
	ID        uuid.UUID `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

// ItemPage holds some items, oldest first, and the cursor of the next page; null on the last page.
type ItemPage struct {
	Items []Item  `json:"items"`
	Next  *string `json:"next"`
}

// Summary has the number of items, here and in each called service.
type Summary struct {
	Service string         `json:"service"`
	Items   int            `json:"items"`
	Calls   map[string]any `json:"calls"`
}

func (a *app) itemRoutes() map[string]http.Handler {
	return map[string]http.Handler{
		"POST " + itemsPath:             handler(a.createItem),
		"GET " + itemsPath:              handler(a.listItems),
		"GET " + itemsPath + "/{id}":    handler(a.getItem),
		"GET " + itemsPath + "/summary": handler(a.getSummary),
	}
}

func (a *app) createItem(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody[NewItem](r)
	if err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Microsecond) // the precision of databases
	item := Item{ID: uuid.New(), Name: body.Name, CreatedAt: now}
	if err := a.items.add(r.Context(), item); err != nil {
		return err
	}
	w.Header().Set("Location", itemsPath+"/"+item.ID.String())
	return writeJSON(w, http.StatusCreated, item)
}

func (a *app) listItems(w http.ResponseWriter, r *http.Request) error {
	limit, err := number(r, "limit", 20, 1, 100)
	if err != nil {
		return err
	}
	cursor, err := cursor(r)
	if err != nil {
		return err
	}
	items, err := a.items.page(r.Context(), limit+1, cursor)
	if errors.Is(err, errUnknown) {
		return errCursor
	}
	if err != nil {
		return err
	}
	page := ItemPage{Items: items}
	if len(items) > limit {
		next := items[limit-1].ID.String()
		page = ItemPage{Items: items[:limit], Next: &next}
	}
	return writeJSON(w, http.StatusOK, page)
}

func (a *app) getItem(w http.ResponseWriter, r *http.Request) error {
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		return invalid(Fault{Detail: "must be a UUID", Parameter: "id"})
	}
	item, err := a.items.get(r.Context(), id)
	if errors.Is(err, errUnknown) {
		return problem(http.StatusNotFound, "No item has this id.")
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, item)
}

func (a *app) getSummary(w http.ResponseWriter, r *http.Request) error {
	depth, err := number(r, "depth", 1, 0, 8)
	if err != nil {
		return err
	}
	calls, err := a.summaries(r.Context(), depth, readIdentity(r))
	if err != nil {
		return err
	}
	count, err := a.items.count(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, Summary{Service: service, Items: count, Calls: calls})
}

// summaries calls all called services concurrently; none if depth is 0.
func (a *app) summaries(ctx context.Context, depth int, caller http.Header) (map[string]any, error) {
	results, errs := make([]any, len(callees)), make([]error, len(callees))
	var wg sync.WaitGroup
	for i, callee := range callees {
		if depth > 0 {
			wg.Go(func() {
				path := fmt.Sprintf("/v1/%s/summary?depth=%d", callee.name, depth-1)
				results[i], errs[i] = callee.summarize(ctx, a.clients[callee.name], path, caller)
			})
		}
	}
	wg.Wait()
	calls := map[string]any{}
	for i, callee := range callees {
		calls[callee.name] = results[i]
	}
	return calls, errors.Join(errs...)
}

// callee is a called service and the function that fetches its summary.
type callee struct {
	name      string
	summarize func(ctx context.Context, to client, path string, caller http.Header) (any, error)
}

// number parses an integer query parameter.
func number(r *http.Request, name string, fallback, low, high int) (int, error) {
	texts := r.URL.Query()[name]
	if len(texts) == 0 {
		return fallback, nil
	}
	value, err := strconv.Atoi(texts[0])
	if err != nil || texts[0][0] == '+' || len(texts) > 1 || value < low || value > high {
		rule := fmt.Sprintf("must be one whole number from %d to %d", low, high)
		return 0, invalid(Fault{Detail: rule, Parameter: name})
	}
	return value, nil
}

// parseID accepts only the form of RFC 9562; uuid.Parse also accepts braces, urn:uuid: and no dashes.
func parseID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err == nil && len(text) != len(id.String()) {
		err = errors.New("not in the form of RFC 9562")
	}
	return id, err
}

func cursor(r *http.Request) (uuid.NullUUID, error) {
	cursors := r.URL.Query()["cursor"]
	if len(cursors) == 0 {
		return uuid.NullUUID{}, nil
	}
	last, err := parseID(cursors[0])
	if err != nil || len(cursors) > 1 {
		return uuid.NullUUID{}, errCursor
	}
	return uuid.NullUUID{UUID: last, Valid: true}, nil
}
