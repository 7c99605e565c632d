package main

import (
	"context"
	"sync"

	"github.com/google/uuid"
)

// store keeps items in memory, oldest first: they are gone with the process, and no replica shares
// them.
type store struct {
	lock   sync.RWMutex
	items  []Item
	places map[uuid.UUID]int
}

func openStore(context.Context) (*store, error) {
	return &store{places: map[uuid.UUID]int{}}, nil
}

func (s *store) close() {}

// checks is what must be well for the service to be ready: memory always is.
func (s *store) checks() map[string]check { return nil }

func (s *store) add(_ context.Context, item Item) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.places[item.ID] = len(s.items)
	s.items = append(s.items, item)
	return nil
}

func (s *store) get(_ context.Context, id uuid.UUID) (Item, error) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	place, found := s.places[id]
	if !found {
		return Item{}, errUnknown
	}
	return s.items[place], nil
}

// page returns the items that follow one; errUnknown when there is no such one.
func (s *store) page(_ context.Context, limit int, after uuid.NullUUID) ([]Item, error) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	first := 0
	if after.Valid {
		place, found := s.places[after.UUID]
		if !found {
			return nil, errUnknown
		}
		first = place + 1
	}
	last := min(first+limit, len(s.items))
	return s.items[first:last:last], nil
}

func (s *store) count(context.Context) (int, error) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	return len(s.items), nil
}

// migrate has nothing to bring up to date.
func migrate() error { return nil }
